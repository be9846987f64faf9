"""What the differential lab taught the walk: cases where the kernel isn't what one would guess."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.l3.listener import received
from dnet_tui.diagnostics.walk.l3.routing import address_type, lookup
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.netfilter.conntrack import first_state
from dnet_tui.diagnostics.walk.netfilter.nat import apply_nat, chosen_port, masquerade_address, undo_nat
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import (
    Address,
    BridgePort,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
    Socket,
)
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Nat, NoTrack, Opaque, Rule, SetMark, Table, Verdict
from dnet_tui.inspect.model.view import View
from unit.builders.factories import (
    APP1,
    APP2,
    HOST,
    UPLINK,
    WEB,
    docker_like_snapshot,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.rule_evaluation import hook_result

OUTSIDE = "198.51.100.77"
NAT = "192.0.2.1"
ANY = "0.0.0.0"  # noqa: S104 - what a socket says that listens on every address


def syn(src: str, dst: str, port: int) -> Packet:
    return Packet(src=src, dst=dst, proto="tcp", sport=40000, dport=port, tcp_flags=("SYN",))


def table(hook: str, *exprs: object, name: str = "mangle", priority: int = -150, kind: str = "filter") -> Table:
    """A table with one base chain and one rule in it."""
    base = {"name": hook.upper(), "hook": hook, "priority": priority, "type": kind, "policy": "accept"}
    chain = msgspec.convert(base, Chain)
    rules = (Rule(number=1, text=f"{name} rule", exprs=exprs),) if exprs else ()  # type: ignore[arg-type]
    chains = (msgspec.structs.replace(chain, rules=rules),)
    return Table(family="ip", name=name, backend="iptables-nft", chains=chains)


def with_tables(snapshot: Snapshot, *tables: Table, namespace: str = HOST) -> Snapshot:
    """The snapshot with these tables besides what is there."""
    firewall = next(ns for ns in snapshot.namespaces if ns.id == namespace).firewall or Firewall()
    return with_namespace(snapshot, namespace, firewall=Firewall(tables=(*firewall.tables, *tables)))


def host(snapshot: Snapshot) -> Namespace:
    return next(ns for ns in snapshot.namespaces if ns.id == HOST)


def arriving(snapshot: Snapshot, packet: Packet) -> Walk:
    return walk(View(snapshot), packet, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=UPLINK))


# -- conntrack and NAT at their places ----------------------------------------------------------


def test_a_rule_before_conntrack_sees_no_connection() -> None:
    notrack = table("prerouting", Match(field="ctstate", values=("NEW",)), NoTrack(), name="raw", priority=-300)
    there = arriving(with_tables(docker_like_snapshot(), notrack), syn(OUTSIDE, "203.0.113.2", 8080))
    assert there.last.dst == "172.17.0.2"  # it matched nothing, so DNAT took the packet
    invalid = table("prerouting", Match(field="ctstate", values=("INVALID",)), NoTrack(), name="raw", priority=-300)
    there = arriving(with_tables(docker_like_snapshot(), invalid), syn(OUTSIDE, "203.0.113.2", 8080))
    assert there.last.dst == "203.0.113.2"


def test_notrack_comes_too_late_after_conntrack() -> None:
    late = table("prerouting", NoTrack(), name="mangle", priority=-150)
    there = arriving(with_tables(docker_like_snapshot(), late), syn(OUTSIDE, "203.0.113.2", 8080))
    assert there.last.dst == "172.17.0.2"


@pytest.mark.parametrize(("priority", "end"), [(-150, "delivered"), (0, "dropped")])
def test_what_stands_after_nat_sees_the_new_destination(priority: int, end: str) -> None:
    drop = table("prerouting", Match(field="daddr", values=("172.17.0.2/32",)), Verdict(kind="drop"), priority=priority)
    there = arriving(with_tables(docker_like_snapshot(), drop), syn(OUTSIDE, "203.0.113.2", 8080))
    assert there.end == end


def test_nat_chains_run_at_nats_place_whatever_their_priority() -> None:
    # A nat chain that asks for -50 still runs before a filter chain at -90.
    nat = table("prerouting", Nat(kind="dnat", addresses="10.10.0.2"), name="own", priority=-50, kind="nat")
    drop = table("prerouting", Match(field="daddr", values=("10.10.0.2/32",)), Verdict(kind="drop"), priority=-90)
    there = arriving(with_tables(docker_like_snapshot(), nat, drop), syn(OUTSIDE, "203.0.113.9", 99))
    assert there.end == "dropped"
    assert there.last.dst == "10.10.0.2"


def test_a_translation_that_is_not_understood_decides_over_what_follows() -> None:
    nat = table("prerouting", Opaque(text="dnat to a map", role="target"), name="own", priority=-101, kind="nat")
    drop = table("prerouting", Match(field="dport", values=("22",)), Verdict(kind="drop"), priority=0)
    there = arriving(with_tables(docker_like_snapshot(), nat, drop), syn(OUTSIDE, "203.0.113.2", 22))
    assert there.end == "unknown"
    assert there.decided_by is not None
    assert there.decided_by.rule is not None
    assert there.decided_by.rule.table == "own"


def test_marks_and_connections_end_at_the_namespace() -> None:
    mark = table("output", SetMark(value=1), name="mangle")
    accept = table("forward", Match(field="mark", values=("0x1/0xffffffff",)), Verdict(kind="drop"), name="own")
    snapshot = with_tables(with_tables(docker_like_snapshot(), mark, namespace=WEB), accept)
    assert walk(View(snapshot), syn("172.17.0.2", OUTSIDE, 80), origin=WEB, outside=True).end == "left"


@pytest.mark.parametrize(
    ("flags", "state"), [(("SYN",), "NEW"), (("SYN", "ACK"), "INVALID"), (("RST", "ACK"), "INVALID"), (("ACK",), "NEW")]
)
def test_which_first_packets_open_a_connection(flags: tuple[str, ...], state: str) -> None:
    assert first_state(Packet(src=OUTSIDE, dst=NAT, proto="tcp", tcp_flags=flags)) == state


def test_an_echo_reply_without_its_request_is_invalid() -> None:
    assert first_state(Packet(src=OUTSIDE, dst=NAT, proto="icmp", icmp_type=8)) == "NEW"
    assert first_state(Packet(src=OUTSIDE, dst=NAT, proto="icmp", icmp_type=0)) == "INVALID"


# -- the order of chains ------------------------------------------------------------------------


def _run(*tables: Table) -> tuple[str, Packet, tuple[str, ...]]:
    packet = syn("10.0.0.1", "10.0.0.2", 80)
    found = hook_result(Firewall(tables=tables), "forward", packet, namespace=HOST)
    others = tuple(rule.table for rule in found.by.instead) if found.by else ()
    return found.verdict, found.packet, others


def test_of_two_chains_of_equal_priority_that_drop_either_may_decide() -> None:
    one, two = (table("forward", Verdict(kind="drop"), name=name, priority=0) for name in ("one", "two"))
    verdict, _, instead = _run(one, two)
    assert verdict == "drop"
    assert instead == ("two",)


def test_chains_of_different_priority_have_an_order() -> None:
    one = table("forward", Verdict(kind="drop"), name="one", priority=0)
    two = table("forward", Verdict(kind="drop"), name="two", priority=-1)
    assert _run(one, two)[2] == ()


def test_a_mark_that_depends_on_the_order_is_not_known() -> None:
    one = table("forward", SetMark(value=1), name="one", priority=0)
    two = table("forward", SetMark(value=2), name="two", priority=0)
    verdict, packet, _ = _run(one, two)
    assert (verdict, packet.mark) == ("accept", None)


def test_a_drop_that_depends_on_the_order_is_unknown() -> None:
    one = table("forward", SetMark(value=1), name="one", priority=0)
    two = table(
        "forward", Match(field="mark", values=("0x1/0xffffffff",)), Verdict(kind="drop"), name="two", priority=0
    )
    assert _run(one, two)[0] == "unknown"
    assert _run(one, msgspec.structs.replace(two, chains=table("forward", name="two").chains))[0] == "accept"


# -- routing and sources ------------------------------------------------------------------------


def _rules(*extra: PolicyRule) -> tuple[PolicyRule, ...]:
    return (*extra, *(PolicyRule(family="ip", priority=p, table=t) for p, t in ((0, 255), (32766, 254))))


def test_reverse_path_asks_as_for_a_packet_from_the_way_out() -> None:
    snapshot = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.eth0.rp_filter", "1")
    other = Route(family="ip", table=100, type="unicast", dst="0.0.0.0/0", hops=(NextHop(ifindex=4),))
    rule = PolicyRule(family="ip", priority=100, table=100, iif="br-app")
    changed = with_namespace(snapshot, HOST, routes=(*host(snapshot).routes, other), policy_rules=_rules(rule))
    assert arriving(changed, syn(OUTSIDE, "10.10.0.2", 80)).obstacles[0].stage == "reverse-path"
    assert arriving(changed, syn(OUTSIDE, "203.0.113.2", 22)).end == "refused"  # delivered here: no way out to ask by


def test_own_addresses_as_source_are_refused_unless_accept_local() -> None:
    snapshot = docker_like_snapshot()
    forged = syn("172.17.0.1", "203.0.113.2", 8080)
    assert arriving(snapshot, forged).end == "dropped"
    allowed = with_sysctl(snapshot, "net.ipv4.conf.eth0.accept_local", "1")
    assert arriving(allowed, forged).end == "delivered"


@pytest.mark.parametrize(("value", "stopped"), [("0", True), ("1", False)])
def test_loopback_addresses_by_wire_need_route_localnet(value: str, stopped: bool) -> None:
    snapshot = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.eth0.route_localnet", value)
    link = View(snapshot).links[LinkRef(namespace=HOST, ifindex=UPLINK)]
    found = admit(NamespaceIndex(host(snapshot)), syn(OUTSIDE, "127.0.0.1", 80), link)
    assert bool(found.stops) is stopped


def test_a_policy_rules_interface_is_a_name_and_no_pattern() -> None:
    rule = PolicyRule(family="ip", priority=100, action="blackhole", iif="br+")
    ns = msgspec.structs.replace(host(docker_like_snapshot()), policy_rules=_rules(rule))
    packet = msgspec.structs.replace(syn("10.10.0.2", OUTSIDE, 80), iif="br-app")
    assert lookup(NamespaceIndex(ns), packet).type == "unicast"


def test_an_unheard_of_action_of_a_policy_rule_is_unknown() -> None:
    ns = msgspec.structs.replace(
        host(docker_like_snapshot()), policy_rules=_rules(PolicyRule(family="ip", priority=1, action="goto"))
    )
    assert lookup(NamespaceIndex(ns), syn("10.10.0.2", OUTSIDE, 80)).type == "unknown"


def test_addrtype_asks_the_local_table_alone() -> None:
    broadcast = Route(family="ip", table=255, type="broadcast", dst="10.10.0.255/32", hops=(NextHop(ifindex=4),))
    elsewhere = Route(family="ip", table=254, type="blackhole", dst="192.0.2.0/24")
    snapshot = docker_like_snapshot()
    ns = msgspec.structs.replace(host(snapshot), routes=(*host(snapshot).routes, broadcast, elsewhere))
    wanted = {"10.10.0.255": "BROADCAST", "192.0.2.9": "UNICAST", "10.10.0.1": "LOCAL", "224.0.0.1": "MULTICAST"}
    assert {address: address_type(NamespaceIndex(ns), address) for address in wanted} == wanted


def test_a_mark_in_output_has_the_route_looked_up_anew() -> None:
    snapshot = docker_like_snapshot()
    rule = PolicyRule(family="ip", priority=100, action="blackhole", mark=1, mask=0xFFFFFFFF)
    ruled = with_namespace(snapshot, HOST, policy_rules=_rules(rule))
    packet = syn("203.0.113.2", OUTSIDE, 80)
    mangle = with_tables(ruled, table("output", SetMark(value=1), name="mangle", kind="route"))
    assert walk(View(mangle), packet, origin=HOST, outside=True).end == "dropped"
    late = with_tables(ruled, table("output", SetMark(value=1), name="own", priority=0))
    assert walk(View(late), packet, origin=HOST, outside=True).end == "left"


# -- bridges and neighbours ---------------------------------------------------------------------


def test_a_frame_for_a_mac_that_nobody_has_is_lost() -> None:
    wrong = Neighbour(ifindex=5, family="ip", address="10.10.0.3", mac="02:00:5e:ff:ff:ff", state="PERMANENT")
    snapshot = docker_like_snapshot()
    app1 = next(ns for ns in snapshot.namespaces if ns.id == APP1)
    eth0 = next(link.ifindex for link in app1.links if link.name == "eth0")
    entry = msgspec.structs.replace(wrong, ifindex=eth0)
    packet = syn("10.10.0.2", "10.10.0.3", 80)
    lost = walk(View(with_namespace(snapshot, APP1, neighbours=(entry,))), packet, origin=APP1)
    assert lost.end == "unreachable"
    assert lost.decided_by is not None
    assert "02:00:5e:ff:ff:ff" in lost.decided_by.text
    forgotten = msgspec.structs.replace(entry, state="FAILED")
    found = walk(View(with_namespace(snapshot, APP1, neighbours=(forgotten,))), packet, origin=APP1)
    assert (found.end, found.last_namespace) == ("delivered", APP2)


def test_nobody_answers_for_an_address_that_nobody_has() -> None:
    trip = walk(View(docker_like_snapshot()), syn("10.10.0.2", "10.10.0.99", 80), origin=APP1)
    assert trip.end == "unreachable"


def test_a_rewritten_frame_returns_to_its_port_only_with_hairpin_mode() -> None:
    # Docker's own exception for the bridge is gone here, as without the userland proxy.
    nat = table(
        "prerouting", Nat(kind="dnat", addresses="172.17.0.2", ports="80"), name="own", priority=-101, kind="nat"
    )
    snapshot = with_tables(docker_like_snapshot(), nat)
    packet = syn("172.17.0.2", "203.0.113.2", 8080)
    off = walk(View(snapshot), packet, origin=WEB)
    assert off.end == "unreachable"
    assert off.decided_by is not None
    assert "hairpin mode off" in off.decided_by.text
    port = next(link.name for link in host(snapshot).links if link.peer and link.peer.namespace == WEB)
    on = with_link(snapshot, HOST, port, port=BridgePort(state="forwarding", hairpin=True))
    assert "hairpin" not in str(walk(View(on), packet, origin=WEB).decided_by)
    apart = with_link(snapshot, HOST, port, port=BridgePort(state="forwarding", hairpin=True, isolated=True))
    assert "is isolated, from itself too" in str(walk(View(apart), packet, origin=WEB).decided_by)
    promiscuous = with_link(snapshot, HOST, "docker0", flags=("UP", "BROADCAST", "PROMISC"))
    copied = walk(View(promiscuous), packet, origin=WEB)
    assert copied.end == "unknown"
    assert "docker0 is promiscuous" in str(copied.decided_by)
    both = with_link(promiscuous, HOST, port, port=BridgePort(state="forwarding", hairpin=True))
    assert walk(View(both), packet, origin=WEB).end == "unknown"  # the copy is routed to it as well, untranslated


# -- NAT's choices ------------------------------------------------------------------------------


def _with_addresses(*cidrs: str) -> Namespace:
    addresses = tuple(
        Address(ifindex=2, family="ip", address=cidr.split("/")[0], prefixlen=int(cidr.split("/")[1])) for cidr in cidrs
    )
    return Namespace(id=HOST, inode=1, kind="host", links=(Link(ifindex=2, name="eth0"),), addresses=addresses)


def test_masquerade_takes_the_address_near_the_next_hop() -> None:
    ns = _with_addresses("192.0.2.2/24", "203.0.113.2/24")
    assert masquerade_address(ns, "eth0", "203.0.113.1", OUTSIDE) == "203.0.113.2"
    assert masquerade_address(ns, "eth0", "198.51.100.1", OUTSIDE) == "192.0.2.2"
    assert masquerade_address(ns, "br0", "198.51.100.1", OUTSIDE) == "192.0.2.2"  # of another device, rather than none


def test_masquerade_of_ipv6_takes_the_destination_itself_before_the_devices_own() -> None:
    addresses = tuple(
        Address(ifindex=index, family="ip6", address=address, prefixlen=64)
        for index, address in ((2, "2001:db8::2"), (3, "fd00:1::1"), (4, "fd00:2::1"))
    )
    links = (Link(ifindex=1, name="lo"), Link(ifindex=2, name="eth0"))
    ns = Namespace(id=HOST, inode=1, kind="host", links=links, addresses=addresses)
    assert masquerade_address(ns, "lo", "fd00:2::1", "fd00:2::1") == "fd00:2::1"
    assert masquerade_address(ns, "eth0", "fd00:2::9", "fd00:2::9") == "2001:db8::2"
    assert masquerade_address(ns, "lo", "2001:db8:9::9", "2001:db8:9::9") == "2001:db8::2"


@pytest.mark.parametrize(
    ("kind", "family", "proto", "verdict"),
    [
        ("icmp-admin-prohibited", "ip", "udp", "reject"),
        ("icmp-admin-prohibited", "ip6", "udp", "accept"),
        ("icmp6-no-route", "ip", "udp", "accept"),
        ("icmpx-port-unreachable", "ip6", "udp", "reject"),
        ("tcp-reset", "ip", "tcp", "reject"),
        ("tcp-reset", "ip", "udp", "accept"),
        ("", "ip6", "udp", "reject"),
    ],
)
def test_a_reject_is_only_for_packets_it_can_answer(
    kind: str, family: Literal["ip", "ip6"], proto: str, verdict: str
) -> None:
    own = msgspec.structs.replace(table("forward", Verdict(kind="reject", reject_with=kind)), family="inet")
    source, target = ("10.0.0.1", "10.0.0.2") if family == "ip" else ("fd00::1", "fd00::2")
    packet = Packet(family=family, src=source, dst=target, proto=proto, dport=80)
    found = hook_result(Firewall(tables=(own,)), "forward", packet, namespace=HOST)
    assert found.verdict == verdict


def test_redirect_of_what_is_made_here_leads_to_the_loopback() -> None:
    ns = _with_addresses("192.0.2.2/24")
    made = apply_nat(ns, Nat(kind="redirect", ports="80"), syn(NAT, OUTSIDE, 81), "output", device="eth0")
    assert (made.packet.dst, made.packet.dport) == ("127.0.0.1", 80)
    came = apply_nat(ns, Nat(kind="redirect"), syn(OUTSIDE, "192.0.2.9", 81), "prerouting", device="eth0")
    assert (came.packet.dst, came.packet.dport) == ("192.0.2.2", 81)
    lost = apply_nat(ns, Nat(kind="redirect"), syn(OUTSIDE, "192.0.2.9", 81), "prerouting", device="br0")
    assert lost.dropped


def test_nat_that_changes_nothing_leaves_no_status() -> None:
    ns = _with_addresses("192.0.2.2/24")
    done = apply_nat(ns, Nat(kind="dnat", addresses=OUTSIDE), syn(NAT, OUTSIDE, 80), "prerouting", device="eth0")
    assert done.packet.dnatted is False


@pytest.mark.parametrize(("ports", "chosen"), [("", 81), ("80", 80), ("80-90", 81), ("90-99", None), ("85-85", 85)])
def test_a_port_in_the_range_stays(ports: str, chosen: int | None) -> None:
    assert chosen_port(ports, 81) == chosen


def test_of_a_choice_of_addresses_the_first_is_taken_and_named() -> None:
    ns = _with_addresses("192.0.2.2/24")
    done = apply_nat(
        ns, Nat(kind="snat", addresses="192.0.2.2-192.0.2.9"), syn(NAT, OUTSIDE, 80), "postrouting", device="eth0"
    )
    assert (done.packet.src, done.unknown) == ("192.0.2.2", "")
    assert done.hedge == "the first of the addresses 192.0.2.2-192.0.2.9 is assumed"


def test_a_random_source_port_is_not_known_but_the_rest_is() -> None:
    ns = _with_addresses("192.0.2.2/24")
    nat = Nat(kind="masquerade", flags=("random-fully",))
    done = apply_nat(ns, nat, syn("10.10.0.2", OUTSIDE, 80), "postrouting", device="eth0")
    assert (done.packet.src, done.packet.sport) == ("192.0.2.2", None)


def test_netmap_keeps_the_host_part() -> None:
    ns = _with_addresses("192.0.2.2/24")
    nat = Nat(kind="netmap", addresses="10.10.0.0/24")
    done = apply_nat(ns, nat, syn(OUTSIDE, "203.0.113.77", 80), "prerouting", device="eth0")
    assert done.packet.dst == "10.10.0.77"


# -- answers ------------------------------------------------------------------------------------


def test_a_refused_datagram_is_answered_by_an_icmp_error_that_is_related() -> None:
    view = View(docker_like_snapshot())
    packet = Packet(src="10.10.0.2", dst="10.10.0.3", proto="udp", sport=40000, dport=53)
    there = walk(view, packet, origin=APP1)
    assert there.end == "refused"
    back = reply(view, there)
    assert (back.start.proto, back.start.icmp_type, back.start.icmp_code) == ("icmp", 3, 3)
    assert back.end == "delivered"
    assert {hop.packet.ctstate for hop in back.hops if hop.stage == "forward"} == {"RELATED"}


def test_an_icmp_error_is_translated_back_by_address() -> None:
    before = Packet(src=OUTSIDE, dst="203.0.113.2", proto="udp", sport=40000, dport=9000)
    after = msgspec.structs.replace(before, dst="10.10.0.3", dport=53)
    error = Packet(src="10.10.0.3", dst=OUTSIDE, proto="icmp", icmp_type=3, icmp_code=3)
    assert undo_nat("postrouting", error, before, after).src == "203.0.113.2"


def test_the_answer_to_a_named_place_outside_goes_all_the_way() -> None:
    there = arriving(docker_like_snapshot(), syn(OUTSIDE, "203.0.113.2", 8080))
    assert there.origin == ""
    assert reply(View(docker_like_snapshot()), there).end == "left"


# -- listeners ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("socket", "end", "decided"),
    [
        (Socket(proto="tcp", address="::", port=80, v6only=False), "delivered", True),
        (Socket(proto="tcp", address="::", port=80, v6only=True), "refused", True),
        (Socket(proto="tcp", address="::", port=80), "delivered", False),
        (Socket(proto="tcp", address="127.0.0.1", port=80), "refused", True),
        (Socket(proto="tcp", address="192.0.2.1", port=80), "delivered", True),
        (Socket(proto="tcp", address=ANY, port=80, ifindex=9), "refused", True),
        (Socket(proto="tcp", address=ANY, port=81), "refused", True),
        (Socket(proto="udp", address=ANY, port=80), "refused", True),
    ],
)
def test_who_listens(socket: Socket, end: str, decided: bool) -> None:
    ns = Namespace(id=HOST, inode=1, kind="host", links=(Link(ifindex=2, name="eth0"),), sockets=(socket,))
    packet = msgspec.structs.replace(syn(OUTSIDE, NAT, 80), iif="eth0")
    found, by, _ = received(ns, packet)
    assert (found, by is not None) == (end, decided)


def test_an_undecided_stop_before_a_certain_one_may_be_what_decides() -> None:
    perhaps = table("forward", Opaque(text="-m statistic"), Verdict(kind="drop"), name="one", priority=-1)
    certain = table("forward", Verdict(kind="drop"), name="two", priority=0)
    assert _run(perhaps, certain)[::2] == ("drop", ("one",))
    assert _run(table("forward", name="one", priority=-1), certain)[::2] == ("drop", ())
