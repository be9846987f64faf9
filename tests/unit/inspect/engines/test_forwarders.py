"""What pasta, RootlessKit and other programs pass on.  Their arguments and processes are constructed, as documented."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.engines.forwarders import find_by_sockets, find_pasta, find_rootlesskit, parse_pasta
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.sockets.connections import TcpConnection, to_range
from dnet_tui.inspect.model import Socket

ANY = "0.0.0.0"  # noqa: S104 - described
PASTA = (
    *("/usr/bin/pasta", "--config-net", "-t", "8080-8080:80-80", "--dns-forward", "169.254.1.1", "-u", "none"),
    *("-T", "none", "-U", "none", "--no-map-gw", "--quiet", "--netns", "/run/user/1000/netns/netns-1"),
)


def process(pid: int, name: str, inode: int = 1, parent: int = 1) -> ProcessSeen:
    return ProcessSeen(pid=pid, parent=parent, start=pid, name=name, inode=inode)


def told(*words: str) -> list[tuple[str, str, int, int]]:
    found = parse_pasta(("pasta", *words), 7, "net:[1]", "net:[2]")
    return [(item.proto, item.host_ip, item.host_port, item.to_port) for item in found]


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        (("-t", "8080:80"), [("tcp", ANY, 8080, 80)]),
        (("-t", "8080-8081:80-81"), [("tcp", ANY, 8080, 80), ("tcp", ANY, 8081, 81)]),
        (("-t", "127.0.0.1/8080:80,9000"), [("tcp", "127.0.0.1", 8080, 80), ("tcp", ANY, 9000, 9000)]),
        (("-u", "53"), [("udp", ANY, 53, 53)]),
        (("--tcp-ports=[::1]/8443:443",), [("tcp", "::1", 8443, 443)]),
        (("-t", "none"), []),
        (("-t", "auto"), []),
        (("-t", "~22"), []),
        (("-T", "8080:80"), []),
        (("-t",), []),
    ],
)
def test_pastas_arguments_tell_what_it_forwards(words: tuple[str, ...], ports: list[tuple[str, str, int, int]]) -> None:
    assert told(*words) == ports


def test_a_range_without_end_is_cut() -> None:
    assert len(told("-t", "1-65535")) == 1024


def test_pasta_forwards_into_the_namespace_that_it_is_given() -> None:
    found = list(
        find_pasta([process(7, "pasta.avx2")], lambda _: PASTA, lambda _, path: 2 if "netns-1" in path else None)
    )
    assert [(item.netns, item.into, item.host_port, item.to_port) for item in found] == [
        ("net:[1]", "net:[2]", 8080, 80)
    ]
    by_pid = [*PASTA[:4], "42"]
    every = [process(7, "pasta"), process(42, "sh", inode=3)]
    found = list(find_pasta(every, lambda _: tuple(by_pid), lambda *_: None))
    assert [item.into for item in found] == ["net:[3]"]


def test_of_a_pasta_whose_namespace_is_not_known_nothing_is() -> None:
    assert list(find_pasta([process(7, "pasta")], lambda _: PASTA, lambda *_: None)) == []
    assert list(find_pasta([process(7, "paste")], lambda _: PASTA, lambda *_: 2)) == []


def listening(port: int, pid: int | None, name: str, address: str = ANY) -> Socket:
    return Socket(proto="tcp", address=address, port=port, pid=pid, process=name)


def test_rootlesskit_passes_on_to_its_childs_loopback() -> None:
    every = [process(10, "rootlesskit"), process(11, "exe", inode=2, parent=10), process(12, "slirp4netns", parent=10)]
    sockets = {"net:[1]": (listening(8080, 10, "rootlesskit"), listening(22, 5, "sshd"))}
    found = list(find_rootlesskit(every, sockets))
    assert [(item.host_port, item.into, item.to_ip, item.to_port) for item in found] == [
        (8080, "net:[2]", "127.0.0.1", 8080)
    ]
    assert list(find_rootlesskit([process(10, "rootlesskit")], sockets)) == []


def test_a_program_that_listens_and_has_connections_of_its_own_passes_on() -> None:
    sockets = (listening(7070, 20, "relay"), listening(22, 5, "sshd"))
    made = TcpConnection(40123, "172.17.0.2", 80, inode=99)
    (found,) = find_by_sockets("net:[1]", sockets, [made], {99: 20})
    assert (found.program, found.host_port, found.to_ip, found.to_port, found.certain) == (
        *("relay", 7070, "172.17.0.2", 80),
        False,
    )


@pytest.mark.parametrize(
    ("sockets", "made", "owner"),
    [
        ((listening(7070, 20, "relay"),), TcpConnection(7070, "172.17.0.2", 50000, 99), 20),  # accepted, not made
        ((listening(7070, 20, "relay"), listening(7071, 20, "relay")), TcpConnection(40123, "172.17.0.2", 80, 99), 20),
        ((listening(7070, 20, "relay"),), TcpConnection(40123, "172.17.0.2", 80, 99), 21),
        ((listening(8080, 20, "docker-proxy"),), TcpConnection(40123, "172.17.0.2", 80, 99), 20),
    ],
)
def test_what_is_no_passing_on_or_nobody_can_tell_for_which_port(
    sockets: tuple[Socket, ...], made: TcpConnection, owner: int
) -> None:
    assert list(find_by_sockets("net:[1]", sockets, [made], {99: owner})) == []


def test_the_kernels_filter_has_the_documented_form() -> None:
    code = to_range("172.17.0.0/16")
    assert code == bytes.fromhex("1400 0100 08 10 1400 02 10 0000 ffffffff ac110000")
    assert len(to_range("fd00::/64")) == 32
