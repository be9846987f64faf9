"""Probes over the loopback, and the ICMP they are made of."""

from __future__ import annotations

import errno
import os
import socket
import threading

import pytest

from dnet_tui.actions.probes.probe import Probe, ProbeOutcome, dns_query, echo_request, internet_checksum, tcp_connect
from dnet_tui.actions.probes.repair_probe import egress_text
from dnet_tui.diagnostics.probing.probe_targets import default_gateway
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.inspect.kernel.netns import NsHandle
from unit.builders.factories import HOST, docker_like_snapshot, route, with_namespace

LOCAL = "127.0.0.1"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((LOCAL, 0))
        return int(sock.getsockname()[1])


def test_a_listener_is_ok_and_a_closed_port_refused() -> None:
    with socket.create_server((LOCAL, 0)) as server:
        assert tcp_connect(LOCAL, server.getsockname()[1]).outcome is ProbeOutcome.OK
    assert tcp_connect(LOCAL, free_port(socket.SOCK_STREAM)).outcome is ProbeOutcome.REFUSED


def test_a_query_answered_is_ok_ignored_a_timeout_and_a_closed_port_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOCAL, 0))
        port = server.getsockname()[1]
        assert dns_query(LOCAL, port, "web", limit=0.05).outcome is ProbeOutcome.TIMEOUT
        server.recvfrom(100)
        echo = threading.Thread(target=lambda: server.sendto(*server.recvfrom(100)))
        echo.start()
        assert dns_query(LOCAL, port, "web").outcome is ProbeOutcome.OK
        echo.join()
    assert dns_query(LOCAL, free_port(socket.SOCK_DGRAM), "web").outcome is ProbeOutcome.REFUSED


@pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM])
def test_no_way_there_is_unreachable(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket.socket, "connect", fail)
    result = tcp_connect(LOCAL, 1)
    assert (result.outcome, result.note) == (ProbeOutcome.UNREACHABLE, os.strerror(code))


def test_a_namespace_that_is_gone_is_said() -> None:
    result = tcp_connect(LOCAL, 1, inside=NsHandle(inode=1, path="/nowhere"))
    assert result.outcome is ProbeOutcome.UNREACHABLE
    assert "could not be entered" in result.note


def test_an_echo_request_checks_out() -> None:
    packet = echo_request(8, 0x1234, b"odd", checksummed=True)
    assert packet[:2] == b"\x08\x00"
    assert internet_checksum(packet) == 0
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # the example of RFC 1071


def finding(kind: str, name: str, *symptoms: str) -> Finding:
    return Finding(check="x", severity="error", subject=Subject(kind=kind, name=name), summary="", symptoms=symptoms)


def probed(what: Finding, outcome: ProbeOutcome = ProbeOutcome.OK) -> tuple[str, list[tuple[str, str]]]:
    seen: list[tuple[str, str]] = []

    def pinger(address: str, handle: NsHandle) -> Probe:
        seen.append((address, handle.path))
        return Probe(outcome=outcome, seconds=0.0012)

    return egress_text(docker_like_snapshot(), what, pinger), seen


def test_a_container_of_the_finding_s_network_pings_the_gateway_once() -> None:
    text, seen = probed(finding("network", "app", "egress"))
    assert text == "probe: app1 → gateway 203.0.113.1: answered in 1.2 ms"
    assert seen == [("203.0.113.1", "/proc/1301/ns/net")]


def test_silence_is_said_and_not_judged() -> None:
    text, _ = probed(finding("bridge", "docker0", "egress"), ProbeOutcome.TIMEOUT)
    assert text == "probe: web → gateway 203.0.113.1: timeout (it may ignore pings)"


@pytest.mark.parametrize("what", [finding("network", "app", "published"), finding("network", "nobody", "egress")])
def test_nothing_is_sent_where_it_would_prove_nothing(what: Finding) -> None:
    assert probed(what) == ("", [])


def test_the_gateway_is_that_of_the_lowest_metric_in_the_main_table() -> None:
    routes = (
        route("0.0.0.0/0", ifindex=2, gateway="203.0.113.9", metric=100),
        route("0.0.0.0/0", ifindex=2, gateway="203.0.113.8", metric=5, table=52),
        route("0.0.0.0/0", ifindex=2, gateway="203.0.113.7", metric=50),
    )
    host = next(ns for ns in with_namespace(docker_like_snapshot(), HOST, routes=routes).namespaces if ns.id == HOST)
    assert default_gateway(host) == "203.0.113.7"
    assert default_gateway(None) is None
