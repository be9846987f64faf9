from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.capture.dropped_packets import DroppedPackets
from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.nftables.trace_events import TraceEvent
from unit.builders.factories import docker_like_snapshot
from unit.builders.packets import A, B, ipv4, udp

PACKET = ipv4(17, udp(b"x"))


def host() -> Namespace:
    rule = Rule(number=3, text="-p udp -j DROP", handle=7, owner="docker")
    chain = Chain(name="DOCKER-USER", rules=(Rule(number=1, text="", handle=2), rule))
    table = Table(backend="iptables-nft", family="ip", name="filter", chains=(chain,))
    namespace = next(ns for ns in docker_like_snapshot().namespaces if ns.kind == "host")
    return msgspec.structs.replace(namespace, firewall=Firewall(tables=(table,)))


def event(verdict: str = "continue", handle: int = 0, **more: object) -> TraceEvent:
    fields = {"ident": 5, "family": "ip", "kind": "rule", "table": "filter", "chain": "DOCKER-USER", **more}
    return TraceEvent(verdict=verdict, handle=handle, **fields)  # type: ignore[arg-type]


FIRST = event(network=PACKET[:20], transport=PACKET[20:28], table="own")


def test_a_drop_names_the_packet_and_the_rule() -> None:
    tracker = DroppedPackets(host(), "own")
    assert tracker.take(FIRST) is None
    assert tracker.take(event("jump", 2)) is None
    found = tracker.take(event("drop", 7))
    assert found is not None
    assert (found.src, found.sport, found.dst, found.dport, found.proto) == (A, 40000, B, 9, "udp")
    assert found.rule == "filter DOCKER-USER rule 3: -p udp -j DROP"
    assert found.owner == "docker"
    assert tracker.take(event("drop", 7)) is None  # told once


def test_a_policy_and_a_new_rule_are_said_as_such() -> None:
    tracker = DroppedPackets(host(), "own")
    tracker.take(FIRST)
    policy = tracker.take(event("drop", kind="policy", chain="FORWARD"))
    assert policy is not None
    assert policy.rule == "filter FORWARD: its policy"
    tracker.take(FIRST)
    new = tracker.take(event("drop", 99))
    assert new is not None
    assert (new.number, "came after it was read" in new.rule) == (None, True)


def test_what_is_accepted_or_unknown_is_no_drop() -> None:
    tracker = DroppedPackets(host(), "own")
    tracker.take(FIRST)
    assert tracker.take(event("accept", 7)) is None
    assert tracker.take(event("drop", 7, ident=6)) is None
    assert tracker.take(event("drop", 7, table="own")) is None
