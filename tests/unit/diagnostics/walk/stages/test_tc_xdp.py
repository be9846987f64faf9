"""What the walk makes of traffic control and XDP: certain, harmless, or not to be told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.diagnostics.walk.stages.tc_xdp import decide
from dnet_tui.inspect.model import LinkRef, Neighbour, Snapshot, TrafficFilter, require
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, UPLINK, WEB, docker_like_snapshot, with_link, with_namespace

SYN = Packet(src="198.51.100.77", dst="203.0.113.2", proto="tcp", sport=40000, dport=8080)


def at(place: Any = "ingress", kind: str = "matchall", *actions: str, **more: Any) -> TrafficFilter:
    return TrafficFilter(ifindex=UPLINK, place=place, kind=kind, actions=actions, **more)


def filtered(*filters: TrafficFilter) -> Snapshot:
    return with_namespace(docker_like_snapshot(), HOST, traffic_control=filters)


def inward(snapshot: Snapshot) -> Walk:
    return walk(View(snapshot), SYN, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=UPLINK))


def outward(snapshot: Snapshot) -> Walk:
    packet = Packet(src="172.17.0.2", dst="198.51.100.77", proto="tcp", sport=40000, dport=443)
    return walk(View(snapshot), packet, origin=WEB, outside=True)


DROP = at("ingress", "matchall", "gact drop")
MAYBE_DROP = at("ingress", "u32", "gact drop")
PROGRAM = at("ingress", "bpf", program="guard id 7")


@pytest.mark.parametrize(
    ("filters", "end"),
    [
        ((DROP,), "dropped"),
        ((at("ingress", "u32"), at("ingress", "flower", "gact continue"), DROP), "unknown"),  # u32 may pass it
        ((at("ingress", "flower", "gact continue"), DROP), "dropped"),
        ((at("ingress", "matchall", "gact pipe", "gact drop"),), "dropped"),
        ((at("ingress", "matchall", "gact pass"), DROP), None),
        ((at("ingress", "matchall", "gact pipe"),), None),
        ((at("ingress", "u32"),), None),
        ((at("ingress", "u32", "gact pass"),), None),
        ((at("ingress", "u32", "gact pass"), DROP), "unknown"),
        ((MAYBE_DROP,), "unknown"),
        ((MAYBE_DROP, at("ingress", "matchall", "gact pass")), "unknown"),
        ((PROGRAM,), "unknown"),
        ((PROGRAM, DROP), "unknown"),
        ((at("ingress", "tcx", program="id 3"),), "unknown"),
        ((at("ingress", "matchall", "mirred", unmodelled=True),), "unknown"),
        ((at("ingress", "matchall", "gact drop", unmodelled=True),), "unknown"),
        ((at("ingress", "matchall", "gact drop", protocol=0x86DD),), None),
        ((at("ingress", "matchall", "gact drop", protocol=0x0800),), "dropped"),
        ((at("ingress", "matchall", "gact drop", chain=1),), None),
        ((), None),
    ],
)
def test_the_filters_of_one_place(filters: tuple[TrafficFilter, ...], end: str | None) -> None:
    found = decide(filters, SYN)
    assert (found and found[0]) == end


def test_a_link_drops_what_it_receives_or_sends() -> None:
    trip = inward(filtered(DROP))
    assert (trip.end, trip.obstacles[0].stage) == ("dropped", "ingress")
    assert outward(filtered(DROP)).end == "unreachable", "the router's answer to ARP is dropped as well"
    assert outward(filtered(msgspec.structs.replace(DROP, protocol=0x0800))).end == "left"
    assert outward(filtered(at("egress", "matchall", "gact drop"))).end == "dropped"
    assert outward(filtered(at("root", "matchall", "gact drop"))).end == "dropped"
    assert inward(filtered(at("egress", "matchall", "gact drop"))).end == "delivered"
    assert inward(filtered(msgspec.structs.replace(DROP, ifindex=99))).end == "delivered"


def test_a_program_is_named_and_not_judged() -> None:
    trip = inward(filtered(PROGRAM))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert "guard id 7" in trip.decided_by.text
    xdp = inward(with_link(docker_like_snapshot(), HOST, "eth0", xdp="generic id 9"))
    assert xdp.end == "unknown"
    assert xdp.decided_by is not None
    assert "XDP" in xdp.decided_by.text
    unasked = with_link(docker_like_snapshot(), HOST, "eth0", xdp="generic id 9")
    assert outward(unasked).end == "unknown", "what it does with the router's answer to ARP can't be told"
    host = next(ns for ns in unasked.namespaces if ns.id == HOST)
    router = next(hop.gateway for item in require(host.routes) for hop in item.hops if hop.gateway)
    entry = Neighbour(ifindex=UPLINK, family="ip", address=router, mac="02:00:00:00:00:01", state="REACHABLE")
    known = with_namespace(unasked, HOST, neighbours=(*require(host.neighbours), entry))
    assert outward(known).end == "left"


def findings(snapshot: Snapshot) -> set[str]:
    return {item.check for item in run_checks(snapshot).findings if item.severity in {"error", "warning"}}


def test_the_doctor_errs_on_no_host_full_of_programs() -> None:
    healthy = docker_like_snapshot()
    everywhere = healthy
    for ns in healthy.namespaces:
        filters = tuple(
            msgspec.structs.replace(PROGRAM, ifindex=link.ifindex, place=place)
            for link in ns.links
            for place in ("ingress", "egress")
        )
        everywhere = with_namespace(everywhere, ns.id, traffic_control=filters)
    assert findings(everywhere) <= findings(healthy)
    undecided = {item.id for item in run_checks(everywhere).checks if item.outcome == "unknown"}
    assert "tc-drop" in undecided


def test_the_doctor_names_a_filter_that_drops_everything() -> None:
    assert "tc-drop" in findings(filtered(DROP))
    assert "tc-drop" not in findings(filtered(at("ingress", "matchall", "gact pass")))
    assert "tc-drop" not in findings(filtered(msgspec.structs.replace(DROP, ifindex=99)))
