"""docker-proxy's arguments, as Docker 20.10 and 28 write them."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.engines.port_proxies import find_proxies, parse_proxy
from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import PortProxy

ARGV = (
    *("/usr/bin/docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080"),  # noqa: S104
    *("-container-ip", "172.17.0.2", "-container-port", "80"),
)
WEB = PortProxy(
    pid=7,
    netns="net:[1]",
    proto="tcp",
    host_ip="0.0.0.0",  # noqa: S104
    host_port=8080,
    container_ip="172.17.0.2",
    container_port=80,
)


def test_a_proxys_arguments_tell_what_it_forwards() -> None:
    assert parse_proxy(ARGV, 7, "net:[1]") == WEB


def test_a_proxy_that_is_handed_its_socket_tells_the_same() -> None:
    assert parse_proxy((*ARGV, "-use-listen-fd"), 7, "net:[1]") == WEB
    assert parse_proxy((*ARGV[:1], "-use-listen-fd", *ARGV[1:]), 7, "net:[1]") == WEB
    assert parse_proxy((*ARGV, "-use-listen-fd=true"), 7, "net:[1]") == WEB


def test_every_spelling_of_an_option_is_read() -> None:
    joined = (ARGV[0], *(f"-{name}={value}" for name, value in zip(ARGV[1::2], ARGV[2::2], strict=True)))
    assert parse_proxy(joined, 7, "net:[1]") == WEB


def test_ipv6_and_udp_are_read() -> None:
    argv = ("docker-proxy", "-proto", "udp", "-host-ip", "::", "-host-port", "53", "-container-ip", "fd00::2")
    found = parse_proxy((*argv, "-container-port", "5353"), 7, "net:[1]")
    assert found is not None
    assert (found.proto, found.host_ip, found.container_ip, found.container_port) == ("udp", "::", "fd00::2", 5353)


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("docker-proxy",),
        ARGV[:-1],
        ARGV[:-2],
        (*ARGV[:-1], "0"),
        (*ARGV[:-1], "65536"),
        (*ARGV[:-1], "٨٠"),
        (*ARGV[:-1], "8" * 5000),
        (*ARGV[:-3], "web", "-container-port", "80"),
        (ARGV[0], "-proto", "icmp", *ARGV[3:]),
    ],
)
def test_what_does_not_tell_is_no_proxy(argv: tuple[str, ...]) -> None:
    assert parse_proxy(argv, 7, "net:[1]") is None


def test_proxies_are_found_by_name_outside_of_containers() -> None:
    def process(pid: int, name: str, container: str = "") -> ProcessSeen:
        inside = CgroupContainer(id=container, engine="docker") if container else None
        return ProcessSeen(pid=pid, parent=1, start=1, name=name, inode=1, container=inside)

    seen = [process(7, "docker-proxy"), process(8, "docker-proxy", "a" * 64), process(9, "sh")]
    assert find_proxies(seen, lambda _pid: ARGV) == (WEB,)
    assert find_proxies(seen, lambda _pid: ()) == ()
