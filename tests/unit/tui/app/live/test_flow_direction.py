"""Which packets are a flow's own: never what a container says to its host or neighbours, or to who called it."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import cast

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
from dnet_tui.inspect.capture.correlation.packet_identity import FlowEnds
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.tui.app.live.flow_direction import FlowDirection
from unit.builders.factories import docker_like_snapshot

WEB, HOST_HERE, NEIGHBOUR, FAR, GATEWAY = "172.17.0.2", "172.17.0.1", "10.10.0.2", "198.51.100.9", "203.0.113.1"
TCP, ICMP = 6, 1


def direction(source: str, target: str) -> FlowDirection:
    case = HostContext(docker_like_snapshot())
    found = trace(case, find(case, source), find(case, target), port=80)
    assert isinstance(found, Trace)
    return FlowDirection(found, case.view)


def ends(src: str, dst: str, *, proto: int = TCP, sport: int = 40000, dport: int = 80) -> FlowEnds:
    return FlowEnds(proto, ipaddress.ip_address(src).packed, sport, ipaddress.ip_address(dst).packed, dport)


def conversation(src: str, dst: str, *, proto: int = TCP) -> tuple[PacketRow, PacketRow]:
    """The first packet from one to another, and the answer."""
    there, back = CapturedFlow(1, ends(src, dst, proto=proto)), CapturedFlow(2, ends(src, dst, proto=proto).reverse())
    there.reverse, back.reverse = back, there
    rows = (SimpleNamespace(flow=flow, identity=SimpleNamespace(about=None), sightings=[]) for flow in (there, back))
    first, answer = rows
    return cast("PacketRow", first), cast("PacketRow", answer)


def error(to: str, about: FlowEnds | None) -> PacketRow:
    """An ICMP message to somebody; ``about`` a packet where it is an error."""
    seen = [SimpleNamespace(ends=ends(HOST_HERE, to, proto=ICMP))]
    quoted = SimpleNamespace(ends=about) if about is not None else None
    return cast("PacketRow", SimpleNamespace(flow=None, identity=SimpleNamespace(about=quoted), sightings=seen))


def told(judge: FlowDirection, rows: tuple[PacketRow, PacketRow]) -> list[str]:
    return ["there" if judge.is_there(row) else "back" if judge.is_back(row) else "" for row in rows]


@pytest.mark.parametrize("far", [FAR, GATEWAY])
@pytest.mark.parametrize("proto", [TCP, ICMP])
def test_what_a_container_says_beyond_the_host_and_its_answer_are_of_its_way_out(far: str, proto: int) -> None:
    assert told(direction("web", "outside"), conversation(WEB, far, proto=proto)) == ["there", "back"]


@pytest.mark.parametrize("other", [HOST_HERE, "203.0.113.2", NEIGHBOUR, "172.17.0.9", "224.0.0.251", "255.255.255.255"])
def test_what_it_says_to_its_host_or_on_a_bridge_is_not(other: str) -> None:
    judge = direction("web", "outside")
    assert told(judge, conversation(WEB, other)) == ["", ""]
    assert told(judge, conversation(other, WEB)) == ["", ""]


def test_who_called_it_is_answered_by_no_packet_of_its_way_out() -> None:
    assert told(direction("web", "outside"), conversation(FAR, WEB)) == ["", ""]
    assert told(direction("outside", "web"), conversation(FAR, WEB)) == ["there", "back"]
    assert told(direction("outside", "web"), conversation(HOST_HERE, WEB)) == ["", ""]


def test_between_two_places_here_the_addresses_and_the_port_decide() -> None:
    judge = direction("host", "web")
    assert told(judge, conversation(HOST_HERE, WEB)) == ["there", "back"]
    assert told(judge, conversation(FAR, WEB)) == ["", ""]


def test_only_an_error_about_its_packets_comes_back_by_icmp() -> None:
    judge = direction("web", "outside")
    assert judge.is_back(error(WEB, ends(WEB, FAR)))
    assert not judge.is_back(error(WEB, ends(WEB, NEIGHBOUR)))
    assert not judge.is_back(error(WEB, None)), "an echo request"
    assert not judge.is_back(error(NEIGHBOUR, ends(WEB, FAR)))
