"""A host that runs out of ports to translate to: real connections, so many that another one can't be begun."""

from __future__ import annotations

import time
from dataclasses import replace

from dnet_tui.diagnostics.checks.nat.snat_ports import ID
from lab.faults.machinery import doctor
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, python_argv
from lab.packets.plans import OK, TIMEOUT
from lab.packets.traffic import Probe, expect

_SEND = """
import socket, sys
server, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for port in range(first, last + 1):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", port))
        sock.sendto(b"x", (server, 53))
"""
_ASK = """
import socket, sys
server, lost, asked = sys.argv[1], 0, 0
for port in map(int, sys.stdin.read().split()):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", port))
        sock.settimeout(0.1)
        asked += 1
        try:
            sock.sendto(b"x", (server, 53))
            sock.recv(100)
        except OSError:
            lost += 1
print(lost, asked)
"""
_FIRST, _LAST = 1024, 65535
"""The ports that masquerading gives to what came from one of them."""

NAMES = Probe("db", OUTSIDE_SERVER, 53, "udp")
ELSEWHERE = Probe("db", OUTSIDE_SERVER, 80, answers="internet")


def send(host: DemoHost, first: int, last: int) -> None:
    """Have ``web`` send a datagram to the internet's port 53 from each of these ports."""
    host.run(*host.enter("web"), *python_argv(_SEND), OUTSIDE_SERVER, str(first), str(last))


def test_ports_that_have_run_out_stop_new_connections_to_that_destination_and_are_found(demo_host: DemoHost) -> None:
    expect(demo_host, {NAMES: OK, ELSEWHERE: OK})
    send(demo_host, _FIRST, _LAST)
    expect(demo_host, {NAMES: TIMEOUT, ELSEWHERE: OK})
    report = doctor(demo_host)
    found = [item for item in report["findings"] if item["check"] == ID]
    assert [(item["severity"], item["subject"]["name"]) for item in found] == [
        ("error", f"{UPLINK_ADDRESS} → {OUTSIDE_SERVER}:53/udp")
    ]
    count = int(found[0]["evidence"][0]["value"].split()[0])
    assert _LAST - _FIRST - 700 < count <= _LAST - _FIRST + 1  # all but those that ended meanwhile


def test_as_many_connections_as_leave_own_ports_free_are_no_fault(
    demo_host: DemoHost,
) -> None:
    send(demo_host, 1024, 32_000)
    expect(demo_host, {replace(NAMES, sport=40_000): OK})
    snapshot = demo_host.snapshot()
    host = next(ns for ns in snapshot.namespaces if ns.kind == "host")
    assert [(use.source, use.target, use.port, use.complete, use.refused) for use in host.nat_ports or ()] == [
        (UPLINK_ADDRESS, OUTSIDE_SERVER, 53, True, 0.0)
    ]
    report = doctor(demo_host)
    assert [item["check"] for item in report["findings"]] == []
    assert {item["outcome"] for item in report["checks"] if item["id"] == ID} == {"ok"}


def test_the_likelihood_that_a_new_connection_finds_no_port_is_as_said(demo_host: DemoHost) -> None:
    demo_host.run("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_udp_timeout=120")
    try:
        send(demo_host, 10_000, 60_000)
        (found,) = [item for item in doctor(demo_host)["findings"] if item["check"] == ID]
        said = int(found["summary"].rpartition("about ")[2].split()[0]) / 100
        ports = " ".join(str(port) for port in range(33_000, 60_000, 100))
        result = demo_host.run(*demo_host.enter("db"), *python_argv(_ASK), OUTSIDE_SERVER, stdin=ports.encode())
        lost, asked = map(int, result.stdout.split())
    finally:
        demo_host.run("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_udp_timeout=30")
        demo_host.run("conntrack", "-F")
    assert found["severity"] == "error"
    assert abs(lost / asked - said) < 0.11  # 270 tries: four times the standard deviation


def test_so_many_connections_do_not_hold_up_a_snapshot(demo_host: DemoHost) -> None:
    def took() -> float:
        start = time.monotonic()
        demo_host.snapshot()
        return time.monotonic() - start

    quiet = min(took() for _ in range(2))
    send(demo_host, _FIRST, _LAST)
    assert took() < quiet + 10.0
