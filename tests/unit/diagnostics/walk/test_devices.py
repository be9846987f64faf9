"""Rules that are bound to a device, below IP: netdev's and inet's ingress and egress."""

from __future__ import annotations

from typing import Literal

import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Firewall,
    Match,
    Opaque,
    Rule,
    SetMark,
    Table,
    TableFamily,
    UnreadTable,
    Verdict,
)
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, HOST, UPLINK, WEB, docker_like_snapshot, with_namespace

DROP = Verdict(kind="drop")
ARP, IPV4 = Match(field="nfproto", values=("arp",)), Match(field="nfproto", values=("ipv4",))
OUTSIDE = "198.51.100.77"


def bound(
    *exprs: AnyExpr,
    devices: tuple[str, ...] = ("eth0",),
    hook: Literal["ingress", "egress"] = "ingress",
    family: TableFamily = "netdev",
    namespace: str = HOST,
) -> Snapshot:
    """The healthy host with one chain at these devices, and one rule in it."""
    snapshot = docker_like_snapshot()
    chain = Chain(
        name="guard",
        hook=hook,
        type="filter",
        policy="accept",
        devices=devices,
        rules=(Rule(number=1, text="a rule", exprs=exprs),),
    )
    table = Table(family=family, name="guard", backend="nftables", chains=(chain,))
    old = next(ns for ns in snapshot.namespaces if ns.id == namespace).firewall or Firewall()
    return with_namespace(snapshot, namespace, firewall=Firewall(tables=(*old.tables, table)))


def inward(snapshot: Snapshot) -> Walk:
    packet = Packet(src=OUTSIDE, dst="203.0.113.2", proto="tcp", sport=40000, dport=8080, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=UPLINK))


def outward(snapshot: Snapshot) -> Walk:
    packet = Packet(src="172.17.0.2", dst=OUTSIDE, proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=WEB, outside=True)


@pytest.mark.parametrize("family", ["netdev", "inet"])
def test_what_a_device_receives_may_be_dropped_before_ip_sees_it(family: TableFamily) -> None:
    trip = inward(bound(DROP, family=family))
    assert (trip.end, trip.obstacles[0].stage) == ("dropped", "ingress")
    assert trip.decided_by is not None
    assert trip.decided_by.rule is not None
    assert trip.decided_by.rule.family == family


@pytest.mark.parametrize(
    ("exprs", "devices"),
    [
        ((DROP,), ("eth1",)),
        ((Match(field="saddr", values=("192.0.2.0/24",)), DROP), ("eth0",)),
        ((Match(field="dport", values=("80",)), DROP), ("eth0",)),  # before NAT
        ((Match(field="ctstate", values=("NEW",)), DROP), ("eth0",)),  # before conntrack
    ],
)
def test_another_devices_rules_or_about_something_else_do_not_matter(
    exprs: tuple[AnyExpr, ...], devices: tuple[str, ...]
) -> None:
    assert inward(bound(*exprs, devices=devices)).end == "delivered"


def test_a_chain_may_be_bound_to_a_pattern() -> None:
    assert inward(bound(DROP, devices=("eth*",))).end == "dropped"
    assert inward(bound(DROP, devices=("wlan*",))).end == "delivered"


def test_what_a_device_sends_may_be_dropped_after_everything_else() -> None:
    trip = outward(bound(IPV4, DROP, hook="egress"))
    assert (trip.end, trip.obstacles[0].stage) == ("dropped", "egress")
    assert trip.last.src == "203.0.113.2", "it is translated by then"
    assert outward(bound(IPV4, DROP)).end == "left", "ingress concerns what comes in"


@pytest.mark.parametrize("hook", ["ingress", "egress"])
def test_a_device_that_passes_ip_alone_finds_no_router(hook: Literal["ingress", "egress"]) -> None:
    """ARP is among what it drops: the question that is sent, or the answer that comes in."""
    for exprs in ((Match(field="nfproto", values=("ipv4",), negate=True), DROP), (ARP, DROP)):
        trip = outward(bound(*exprs, hook=hook))
        assert trip.end == "unreachable"
        assert trip.decided_by is not None
        assert trip.decided_by.text.startswith(f"ARP: the {'answer' if hook == 'ingress' else 'question'}")
    assert outward(bound(ARP, DROP, hook=hook, devices=("docker0",))).end == "unreachable"
    assert outward(bound(ARP, DROP, hook=hook, devices=("br-app",))).end == "left"
    assert outward(bound(ARP, DROP, hook=hook, family="inet")).end == "left", "inet's chains see IP alone"


def test_a_bridge_receives_once_more_what_goes_up_to_its_host() -> None:
    assert outward(bound(IPV4, DROP, devices=("docker0",))).end == "dropped"
    assert outward(bound(DROP, devices=("docker0",))).end == "unreachable", "a question is received like anything else"
    packet = Packet(src="10.10.0.2", dst="10.10.0.3", proto="icmp", icmp_type=8)
    crossing = walk(View(bound(DROP, devices=("br-app",))), packet, origin=APP1)
    assert crossing.end == "delivered", "what crosses it does not"


def test_what_cannot_be_decided_or_followed_is_unknown() -> None:
    assert inward(bound(Opaque(text="limit rate 10/second"), DROP)).end == "unknown"
    assert inward(bound(Opaque(text="fwd to lo", role="target"))).end == "unknown"


def test_a_mark_set_at_the_device_is_the_packets_own_from_there_on() -> None:
    # skb->mark: set at ingress, it is still there when IP's hooks see the packet.
    marked = inward(bound(SetMark(value=1)))
    assert marked.end == "delivered"
    at_the_host = [hop.packet for hop in marked.hops if hop.namespace == HOST and hop.stage != "ingress"]
    assert at_the_host
    assert {packet.mark for packet in at_the_host} == {1}
    assert marked.last.mark == 0, "what crosses into the container's namespace is scrubbed"


def test_a_table_that_was_not_read_is_unknown() -> None:
    snapshot = docker_like_snapshot()
    firewall = next(ns for ns in snapshot.namespaces if ns.id == HOST).firewall or Firewall()
    unread = (UnreadTable(family="netdev", name="guard", backend="nftables", reason="it changed while it was read"),)
    hidden = with_namespace(snapshot, HOST, firewall=Firewall(tables=firewall.tables, unread=unread))
    assert inward(hidden).end == "unknown"
