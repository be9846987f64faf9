"""Who asks for a neighbour's MAC address: rules of the families arp, bridge and IPv6 that stop it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Neighbour, Snapshot, require
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Firewall,
    Hook,
    Match,
    Opaque,
    Rule,
    Table,
    TableFamily,
    UnreadTable,
    Verdict,
)
from dnet_tui.inspect.model.routing import XfrmPolicy
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, APP2, HOST, UPLINK, docker_like_snapshot, with_link, with_namespace
from unit.builders.factories_links import namespace, port
from unit.builders.factories_six import six_snapshot

DROP = Verdict(kind="drop")
ARP = Match(field="nfproto", values=("arp",))


def firewall_of(snapshot: Snapshot, namespace: str) -> Firewall:
    return require(next(ns for ns in snapshot.namespaces if ns.id == namespace).firewall)


def with_rule(
    family: TableFamily, hook: Hook, *exprs: AnyExpr, namespace: str = HOST, snapshot: Snapshot | None = None
) -> Snapshot:
    """The healthy host with a table of that family, whose one rule drops."""
    snapshot = snapshot or docker_like_snapshot()
    rule = Rule(number=1, text=f"{family} {hook} drop", exprs=(*exprs, DROP))
    chain = Chain(name=hook, hook=hook, type="filter", policy="accept", rules=(rule,))
    table = Table(family=family, name="own", backend="nftables", chains=(chain,))
    tables = (*firewall_of(snapshot, namespace).tables, table)
    return with_namespace(snapshot, namespace, firewall=Firewall(tables=tables))


def between(snapshot: Snapshot) -> Walk:
    packet = Packet(src="10.10.0.2", dst="10.10.0.3", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=APP1)


def is_to(address: str) -> Match:
    return Match(field="arp-daddr", values=(f"{address}/32",))


OPERATION = Match(field="arp-op", values=("reply",))


@pytest.mark.parametrize(
    ("family", "hook", "exprs", "namespace"),
    [
        ("bridge", "forward", (ARP,), HOST),
        ("bridge", "forward", (ARP, is_to("10.10.0.3")), HOST),
        ("bridge", "prerouting", (ARP, Match(field="iif", values=("veth+",))), HOST),
        ("bridge", "postrouting", (ARP, OPERATION), HOST),
        ("arp", "input", (is_to("10.10.0.3"),), APP2),
        ("arp", "output", (OPERATION,), APP2),
        ("arp", "output", (Match(field="oif", values=("eth0",)),), APP1),
        ("arp", "input", (OPERATION, Match(field="arp-saddr", values=("10.10.0.3/32",))), APP1),
    ],
)
def test_a_rule_that_stops_the_question_or_the_answer_stops_the_packet(
    family: TableFamily, hook: Hook, exprs: tuple[AnyExpr, ...], namespace: str
) -> None:
    trip = between(with_rule(family, hook, *exprs, namespace=namespace))
    assert trip.end == "unreachable"
    assert trip.decided_by is not None
    assert trip.decided_by.rule is not None
    assert trip.decided_by.text.startswith("ARP: the ")
    assert trip.decided_by.rule.family == family


@pytest.mark.parametrize(
    ("family", "hook", "exprs", "namespace"),
    [
        ("bridge", "forward", (ARP, is_to("10.10.0.99")), HOST),
        ("bridge", "input", (ARP,), HOST),  # it crosses the bridge, and doesn't go up
        ("bridge", "forward", (Match(field="nfproto", values=("ipv6",)),), HOST),
        ("arp", "input", (), HOST),  # br_netfilter aside, only what is sent or received passes
        ("arp", "input", (OPERATION,), APP2),
        ("arp", "output", (Match(field="oif", values=("eth1",)),), APP1),
    ],
)
def test_a_rule_about_something_else_does_not(
    family: TableFamily, hook: Hook, exprs: tuple[AnyExpr, ...], namespace: str
) -> None:
    assert between(with_rule(family, hook, *exprs, namespace=namespace)).end == "delivered"


def test_a_neighbour_that_is_remembered_needs_no_question() -> None:
    snapshot = with_rule("bridge", "forward", ARP)
    mac = next(link.mac for ns in snapshot.namespaces if ns.id == APP2 for link in ns.links if link.name == "eth0")
    index = next(
        link.ifindex for ns in snapshot.namespaces if ns.id == APP1 for link in ns.links if link.name == "eth0"
    )
    known = (Neighbour(ifindex=index, family="ip", address="10.10.0.3", mac=mac, state="REACHABLE"),)
    assert between(with_namespace(snapshot, APP1, neighbours=known)).end == "delivered"


def test_a_rule_about_arp_that_cannot_be_decided_leaves_the_packet_undecided() -> None:
    trip = between(with_rule("bridge", "forward", ARP, Opaque(text="limit rate 10/second")))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert "bridge forward drop" in trip.decided_by.text


def test_a_table_of_arp_that_was_not_read_leaves_the_packet_undecided() -> None:
    snapshot = docker_like_snapshot()
    unread = UnreadTable(family="arp", name="own", backend="nftables", reason="it changed while it was read")
    firewall = Firewall(tables=firewall_of(snapshot, APP2).tables, unread=(unread,))
    assert between(with_namespace(snapshot, APP2, firewall=firewall)).end == "unknown"


def test_what_goes_up_from_a_bridge_to_its_host_passes_the_bridges_input() -> None:
    packet = Packet(src="10.10.0.2", dst="10.10.0.1", proto="icmp", icmp_type=8)
    stopped = with_rule("bridge", "input", Match(field="proto", values=("icmp",)))
    trip = walk(View(stopped), packet, origin=APP1)
    assert trip.end == "dropped"
    assert trip.obstacles[0].stage == "bridge"
    other = with_rule("bridge", "input", Match(field="ibrname", values=("docker0",)))
    assert walk(View(other), packet, origin=APP1).end == "delivered"
    icmp = Match(field="proto", values=("icmp",))
    same = with_rule("bridge", "input", icmp, Match(field="ibrname", values=("br-app",)))
    assert walk(View(same), packet, origin=APP1).end == "dropped"
    every = with_rule("bridge", "input", Match(field="ibrname", values=("br-app",)))
    assert walk(View(every), packet, origin=APP1).end == "unreachable", "ARP is the first that is stopped"


@pytest.mark.parametrize(
    ("hook", "exprs", "origin", "src", "dst"),
    [
        ("output", (), HOST, "10.10.0.1", "10.10.0.2"),
        ("postrouting", (is_to("10.10.0.2"),), HOST, "10.10.0.1", "10.10.0.2"),
        ("prerouting", (OPERATION,), HOST, "10.10.0.1", "10.10.0.2"),
        ("input", (OPERATION,), HOST, "10.10.0.1", "10.10.0.2"),
        ("input", (is_to("10.10.0.1"),), APP1, "10.10.0.2", "10.10.0.1"),
        ("output", (OPERATION,), APP1, "10.10.0.2", "10.10.0.1"),
    ],
)
def test_between_a_host_and_its_containers_the_bridge_hands_frames_up_and_down(
    hook: Hook, exprs: tuple[AnyExpr, ...], origin: str, src: str, dst: str
) -> None:
    packet = Packet(src=src, dst=dst, proto="icmp", icmp_type=8)
    assert walk(View(docker_like_snapshot()), packet, origin=origin).end == "delivered"
    trip = walk(View(with_rule("bridge", hook, ARP, *exprs)), packet, origin=origin)
    assert (trip.end, trip.obstacles[0].stage) == ("unreachable", "neighbour")
    forward = walk(View(with_rule("bridge", "forward", ARP)), packet, origin=origin)
    assert forward.end == "delivered", "nothing crosses the bridge"


@pytest.mark.parametrize(
    ("place", "direction", "more", "end"),
    [
        (APP2, "in", {"proto": 58}, "unreachable"),
        (APP2, "in", {"proto": 58, "sport": (135, 0xFFFF)}, "unreachable"),
        (APP2, "in", {"proto": 58, "sport": (128, 0xFFFF)}, "refused"),
        (APP2, "out", {"proto": 58}, "unreachable"),
        (APP1, "in", {"proto": 58}, "unreachable"),
        (APP1, "out", {"proto": 58}, "unreachable"),
        (APP1, "fwd", {"proto": 58}, "refused"),
        (APP2, "in", {"proto": 17}, "refused"),
    ],
)
def test_neighbour_discovery_is_asked_about_by_ipsec_policies(
    place: str, direction: Literal["in", "out", "fwd"], more: dict[str, Any], end: str
) -> None:
    block = XfrmPolicy(family="ip6", direction=direction, src="::/0", dst="::/0", action="block", **more)
    snapshot = with_namespace(six_snapshot(), place, xfrm_policies=1, xfrm=(block,))
    packet = Packet(
        family="ip6", src="fd00:10::2", dst="fd00:10::3", proto="tcp", sport=40000, dport=81, tcp_flags=("SYN",)
    )
    found = walk(View(snapshot), packet, origin=APP1)
    assert found.end == end
    if end == "unreachable":
        assert found.decided_by is not None
        assert "neighbour discovery: the " in found.decided_by.text


@pytest.mark.parametrize(
    ("flags", "querier", "end"),
    [
        ({"multicast_flood": False}, False, "unreachable"),
        ({"multicast_flood": False}, True, "delivered"),
        ({"broadcast_flood": False}, False, "delivered"),
    ],
)
def test_neighbour_discovery_is_a_multicast(flags: dict[str, bool], *, querier: bool, end: str) -> None:
    """A port that gets none hears no question, unless the bridge itself asks who listens to which group."""
    snapshot = with_namespace(six_snapshot(), APP1, neighbours=())
    snapshot = port(snapshot, "veth99e5f60", **flags)
    bridge = next(link for link in namespace(snapshot, HOST).links if link.name == "br-app")
    assert bridge.bridge is not None
    snapshot = with_link(snapshot, HOST, "br-app", bridge=msgspec.structs.replace(bridge.bridge, mcast_querier=querier))
    packet = Packet(
        family="ip6", src="fd00:10::2", dst="fd00:10::3", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",)
    )
    assert walk(View(snapshot), packet, origin=APP1).end == end


@pytest.mark.parametrize(
    ("hook", "exprs", "stops"),
    [
        ("output", (), True),
        ("input", (Match(field="iif", values=("eth0",)),), True),
        ("output", (Match(field="oif", values=("docker0",)),), False),
        ("forward", (), False),
    ],
)
def test_what_a_host_asks_its_router_out_of_sight_passes_its_own_rules(
    hook: Hook, exprs: tuple[AnyExpr, ...], stops: bool
) -> None:
    broken = with_rule("arp", hook, *exprs)
    packet = Packet(src="10.10.0.2", dst="198.51.100.9", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    way = walk(View(broken), packet, origin=APP1)
    assert way.end == ("unreachable" if stops else "left")


def test_a_router_that_is_remembered_is_not_asked_for() -> None:
    broken = with_rule("arp", "output", Match(field="oif", values=("eth0",)))
    host = next(ns for ns in broken.namespaces if ns.id == HOST)
    router = next(hop.gateway for item in require(host.routes) for hop in item.hops if hop.gateway)
    entry = Neighbour(ifindex=UPLINK, family="ip", address=router, mac="02:00:00:00:00:01", state="STALE")
    known = with_namespace(broken, HOST, neighbours=(*require(host.neighbours), entry))
    packet = Packet(src="10.10.0.2", dst="198.51.100.9", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    assert walk(View(known), packet, origin=APP1).end == "left"


@pytest.mark.parametrize(
    ("hook", "exprs", "stops"),
    [
        ("input", (Match(field="iif", values=("eth0",)),), True),
        ("prerouting", (Match(field="iif", values=("eth0",)),), True),
        ("output", (Match(field="oif", values=("eth0",)),), True),
        ("input", (Match(field="iif", values=("docker0",)),), False),
        ("input", (Match(field="proto", values=("tcp",)),), False),
        ("forward", (Match(field="iif", values=("eth0",)),), False),
    ],
)
def test_the_router_of_ipv6_is_asked_for_by_packets_that_pass_ipv6s_own_rules(
    hook: Hook, exprs: tuple[AnyExpr, ...], stops: bool
) -> None:
    broken = with_rule("ip6", hook, *exprs, snapshot=six_snapshot())
    packet = Packet(
        family="ip6", src="fd00:10::2", dst="2001:db8:77::7", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",)
    )
    way = walk(View(broken), packet, origin=APP1)
    assert way.end == ("unreachable" if stops else "left")
    if stops:
        assert way.decided_by is not None
        assert "neighbour discovery" in way.decided_by.text


@pytest.mark.parametrize(
    ("direction", "more", "end"),
    [
        ("out", {"proto": 58}, "unreachable"),
        ("in", {"proto": 58}, "unreachable"),
        ("in", {"proto": 58, "sport": (136, 0xFFFF)}, "unreachable"),
        ("in", {"proto": 58, "sport": (135, 0xFFFF)}, "left"),
        ("out", {"proto": 17}, "left"),
        ("fwd", {"proto": 58}, "left"),
    ],
)
def test_an_ipsec_policy_alone_keeps_the_router_of_ipv6_from_being_found(
    direction: Literal["in", "out", "fwd"], more: dict[str, Any], end: str
) -> None:
    """No table of IPv6 is needed for that."""
    block = XfrmPolicy(family="ip6", direction=direction, src="::/0", dst="::/0", action="block", **more)
    snapshot = six_snapshot()
    tables = tuple(table for table in firewall_of(snapshot, HOST).tables if table.family not in {"ip6", "inet"})
    snapshot = with_namespace(snapshot, HOST, firewall=Firewall(tables=tables), xfrm_policies=1, xfrm=(block,))
    packet = Packet(
        family="ip6", src="2001:db8::2", dst="2001:db8:77::7", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",)
    )
    way = walk(View(snapshot), packet, origin=HOST, outside=True)
    assert way.end == end
    if end == "unreachable":
        assert way.decided_by is not None
        assert "is stopped by IPsec policy" in way.decided_by.text


OTHERS = "02:00:00:00:00:99"


@pytest.mark.parametrize(
    ("family", "hook", "expr", "end"),
    [
        ("ip6", "input", Match(field="mac", values=(OTHERS,)), "unknown"),
        ("ip6", "input", Match(field="mac", values=(OTHERS,), negate=True), "unknown"),
        ("arp", "input", Match(field="arp-mac", values=(OTHERS,), negate=True), "unknown"),
        ("arp", "input", Match(field="arp-target-mac", values=(OTHERS,)), "left"),
        ("arp", "input", Match(field="mac-dst", values=(OTHERS,)), "left"),
        ("arp", "input", Match(field="mac-dst", values=(OTHERS,), negate=True), "unreachable"),
        ("arp", "output", Match(field="arp-mac", values=(OTHERS,)), "left"),
        ("arp", "output", Match(field="arp-mac", values=(OTHERS,), negate=True), "unreachable"),
        ("arp", "output", Match(field="mac", values=(OTHERS,), negate=True), "left"),  # no frame yet
        ("arp", "input", Match(field="skuid", values=("0",)), "left"),  # nobody's
    ],
)
def test_whose_mac_address_nobody_knows_is_not_another(family: TableFamily, hook: Hook, expr: Match, end: str) -> None:
    """The router is out of sight: that its answer comes from another address than a rule's can't be said."""
    six = family == "ip6"
    broken = with_rule(family, hook, expr, snapshot=six_snapshot() if six else None)
    src, dst = ("2001:db8::2", "2001:db8:77::7") if six else ("203.0.113.2", "198.51.100.9")
    packet = Packet(
        family="ip6" if six else "ip", src=src, dst=dst, proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",)
    )
    assert walk(View(broken), packet, origin=HOST, outside=True).end == end


@pytest.mark.parametrize(
    ("hook", "field", "ours"),
    [
        ("prerouting", "mac", True),
        ("forward", "mac", True),
        ("forward", "mac-dst", False),
        ("postrouting", "mac-dst", False),
    ],
)
def test_a_bridges_rules_see_who_sends_a_frame_and_for_whom_it_is(hook: Hook, field: str, *, ours: bool) -> None:
    macs = {
        item: next(link.mac for link in namespace(docker_like_snapshot(), item).links if link.name == "eth0")
        for item in (APP1, APP2)
    }
    asked, other = (macs[APP1], macs[APP2]) if ours else (macs[APP2], macs[APP1])
    ip = Match(field="nfproto", values=("ipv4",))
    assert between(with_rule("bridge", hook, ip, Match(field=field, values=(asked,)))).end == "dropped"
    assert between(with_rule("bridge", hook, ip, Match(field=field, values=(other,)))).end == "delivered"
