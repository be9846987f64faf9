"""Source NAT where another connection has the source port: the kernel takes another, and the walk doesn't say which."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost

SPORT = 41000
SECOND_SERVER = "198.51.100.11"
_SEND = """
import socket, sys, time
kind, source, target, port, own = sys.argv[1:6]
with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((source, int(own)))
    sock.settimeout(3)
    sock.connect((target, int(port)))
    sock.send(b"x")
"""


_HELD = f"{_SEND}    print('sent', flush=True); time.sleep(60)"


@contextlib.contextmanager
def opened(host: DemoHost, place: str, proto: str, target: str) -> Iterator[None]:
    """A connection that stays open for so long."""
    port = "80" if proto == "tcp" else "53"
    words = (*host.enter(place), sys.executable, "-c", _HELD, proto, "0.0.0.0", target, port, str(SPORT))  # noqa: S104
    process = host.sandbox.popen(words, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def send(host: DemoHost, place: str, proto: str, target: str, source: str = "0.0.0.0") -> None:  # noqa: S104
    port = "80" if proto == "tcp" else "53"
    host.run(*host.enter(place), sys.executable, "-c", _SEND, proto, source, target, port, str(SPORT))


def sent_as(host: DemoHost, source: str, target: str, proto: str) -> int:
    """The source port that the host's conntrack gave a flow."""
    listed = host.run("conntrack", "-L", "-p", proto, "--orig-src", source, "--orig-dst", target).stdout.decode()
    found = re.findall(rf"sport={SPORT} .*\bdport=(\d+)", listed)
    assert len(found) == 1, listed
    return int(found[0])


def verdict(host: DemoHost, place: str, target: str, proto: str) -> str:
    port = "80" if proto == "tcp" else "53"
    words = ("trace", place, target, "--proto", proto, "--port", port, "--sport", str(SPORT), "--format", "json")
    return str(json.loads(host.dnet(*words).stdout)["verdict"])


def said_as(host: DemoHost, place: str, target: str, proto: str) -> tuple[str, int | None]:
    """The source port that the trace gives a flow as it leaves the host, and the verdict."""
    port = "80" if proto == "tcp" else "53"
    words = ("trace", place, target, "--proto", proto, "--port", port, "--sport", str(SPORT), "--format", "json")
    found = json.loads(host.dnet(*words).stdout)
    out = [hop for hop in found["hops"] if hop["stage"] == "postrouting" and hop["interface"] == "eth0"]
    return found["verdict"], out[-1]["packet"]["sport"]


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_a_port_that_another_connection_has_is_not_given_again(demo_host: DemoHost, proto: str) -> None:
    send(demo_host, "web", proto, OUTSIDE_SERVER)
    assert sent_as(demo_host, demo_host.addresses["web"], OUTSIDE_SERVER, proto) == SPORT
    assert said_as(demo_host, "api", OUTSIDE_SERVER, proto) == ("delivered", None)
    send(demo_host, "api", proto, OUTSIDE_SERVER)
    assert sent_as(demo_host, demo_host.addresses["api"], OUTSIDE_SERVER, proto) != SPORT


@pytest.mark.parametrize("proto", ["tcp", "udp"])
@pytest.mark.parametrize("rule", [f"SNAT --to-source {UPLINK_ADDRESS}:5555", "MASQUERADE --to-ports 5555"])
def test_a_fixed_port_serves_one_connection_alone(demo_host: DemoHost, proto: str, rule: str) -> None:
    demo_host.run("sh", "-ec", f"iptables -t nat -I POSTROUTING -o eth0 -p {proto} -j {rule}")
    demo_host.run(*demo_host.enter("outside"), "ip", "addr", "add", f"{SECOND_SERVER}/32", "dev", "lo")
    with opened(demo_host, "web", proto, OUTSIDE_SERVER):
        assert sent_as(demo_host, demo_host.addresses["web"], OUTSIDE_SERVER, proto) == 5555
        assert verdict(demo_host, "api", OUTSIDE_SERVER, proto) == "dropped"
        assert said_as(demo_host, "api", SECOND_SERVER, proto) == ("delivered", 5555)
        with contextlib.suppress(ActionFailedError):  # TCP's times out
            send(demo_host, "api", proto, OUTSIDE_SERVER)
        api = demo_host.addresses["api"]
        assert f"dst={OUTSIDE_SERVER}" not in demo_host.run("conntrack", "-L", "--orig-src", api).stdout.decode()
        send(demo_host, "api", proto, SECOND_SERVER)
        assert sent_as(demo_host, api, SECOND_SERVER, proto) == 5555


def test_a_connection_that_is_over_may_make_room_for_another(demo_host: DemoHost) -> None:
    """Newer kernels end it for that, older ones don't: then the packet is dropped."""
    demo_host.run("sh", "-ec", "iptables -t nat -I POSTROUTING -o eth0 -p tcp -j MASQUERADE --to-ports 5555")
    send(demo_host, "web", "tcp", OUTSIDE_SERVER)
    assert verdict(demo_host, "api", OUTSIDE_SERVER, "tcp") == "unknown"


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_nor_to_what_no_rule_translates(demo_host: DemoHost, proto: str) -> None:
    send(demo_host, "web", proto, OUTSIDE_SERVER)
    assert said_as(demo_host, "host", OUTSIDE_SERVER, proto)[1] is None
    send(demo_host, "host", proto, OUTSIDE_SERVER)
    assert sent_as(demo_host, UPLINK_ADDRESS, OUTSIDE_SERVER, proto) != SPORT


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_another_destination_has_its_own_ports(demo_host: DemoHost, proto: str) -> None:
    demo_host.run(*demo_host.enter("outside"), "ip", "addr", "add", f"{SECOND_SERVER}/32", "dev", "lo")
    send(demo_host, "web", proto, OUTSIDE_SERVER)
    assert said_as(demo_host, "api", SECOND_SERVER, proto)[1] == SPORT
    send(demo_host, "api", proto, SECOND_SERVER)
    assert sent_as(demo_host, demo_host.addresses["api"], SECOND_SERVER, proto) == SPORT


@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_who_was_given_another_port_keeps_it_for_other_destinations(demo_host: DemoHost, proto: str) -> None:
    demo_host.run(*demo_host.enter("outside"), "ip", "addr", "add", f"{SECOND_SERVER}/32", "dev", "lo")
    send(demo_host, "web", proto, OUTSIDE_SERVER)
    send(demo_host, "api", proto, OUTSIDE_SERVER)
    given = sent_as(demo_host, demo_host.addresses["api"], OUTSIDE_SERVER, proto)
    assert said_as(demo_host, "api", SECOND_SERVER, proto)[1] == given != SPORT
    send(demo_host, "api", proto, SECOND_SERVER)
    assert sent_as(demo_host, demo_host.addresses["api"], SECOND_SERVER, proto) == given
