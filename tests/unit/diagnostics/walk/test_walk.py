"""The packet walk over a small Docker host: where packets get to, and what decides."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import BridgeInfo, LinkRef, PolicyRule, PortVlan, Snapshot
from dnet_tui.inspect.model.firewall import Firewall, UnreadTable
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

OUTSIDE = "198.51.100.77"


def syn(src: str, dst: str, port: int) -> Packet:
    return Packet(src=src, dst=dst, proto="tcp", sport=40000, dport=port, tcp_flags=("SYN",))


def egress(snapshot: Snapshot) -> Walk:
    return walk(View(snapshot), syn("172.17.0.2", OUTSIDE, 443), origin=WEB, outside=True)


def inserted(spec: str, chain: str = "FORWARD", table: str = "filter", position: int = 1) -> Snapshot:
    """The healthy host with one more rule."""
    rule = InsertRule(backend="iptables-nft", family="ip", table=table, chain=chain, spec=spec, position=position)
    return after(docker_like_snapshot(), [rule])


def test_a_container_reaches_outside_with_the_hosts_address() -> None:
    trip = egress(docker_like_snapshot())
    assert trip.end == "left"
    assert trip.exits == "eth0"
    assert (trip.last.src, trip.last.dst) == ("203.0.113.2", OUTSIDE)
    masquerade = next(hop for hop in trip.hops if hop.verdict == "masquerade")
    assert masquerade.rule is not None
    assert masquerade.rule.text == "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"


def test_the_answer_is_translated_back_to_the_container() -> None:
    view = View(docker_like_snapshot())
    there = walk(view, syn("172.17.0.2", OUTSIDE, 443), origin=WEB, outside=True)
    back = reply(view, there)
    assert back.start.dst == "203.0.113.2"
    assert back.end == "delivered"
    assert back.last_namespace == WEB
    assert (back.last.src, back.last.dst, back.last.dport) == (OUTSIDE, "172.17.0.2", 40000)


def test_a_published_port_leads_into_the_container_and_back() -> None:
    view = View(docker_like_snapshot())
    arriving = LinkRef(namespace=HOST, ifindex=UPLINK)
    there = walk(view, syn(OUTSIDE, "203.0.113.2", 8080), origin=HOST, arriving=arriving)
    assert (there.end, there.last_namespace) == ("delivered", WEB)
    assert (there.last.dst, there.last.dport) == ("172.17.0.2", 80)
    back = reply(view, there)
    assert (back.end, back.exits) == ("left", "eth0")
    assert (back.last.src, back.last.sport) == ("203.0.113.2", 8080)


def test_an_unpublished_port_of_the_host_is_refused() -> None:
    arriving = LinkRef(namespace=HOST, ifindex=UPLINK)
    there = walk(View(docker_like_snapshot()), syn(OUTSIDE, "203.0.113.2", 8099), origin=HOST, arriving=arriving)
    assert (there.end, there.last_namespace) == ("refused", HOST)


def test_separate_networks_are_stopped_by_the_second_stage() -> None:
    trip = walk(View(docker_like_snapshot()), syn("172.17.0.2", "10.10.0.2", 80), origin=WEB)
    assert trip.end == "dropped"
    assert trip.decided_by is not None
    assert trip.decided_by.rule is not None
    assert trip.decided_by.rule.path == ("FORWARD", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2")
    assert trip.decided_by.rule.text == "-o br-app -j DROP"


def test_neighbours_reach_each_other_over_the_bridge() -> None:
    trip = walk(View(docker_like_snapshot()), syn("10.10.0.2", "10.10.0.3", 80), origin=APP1)
    assert (trip.end, trip.last_namespace) == ("delivered", APP2)
    assert trip.last.src == "10.10.0.2"


def test_bridged_packets_pass_iptables_only_while_br_netfilter_calls_it() -> None:
    called = inserted("-i br-app -o br-app -j DROP")
    assert walk(View(called), syn("10.10.0.2", "10.10.0.3", 80), origin=APP1).end == "dropped"
    not_called = with_sysctl(called, "net.bridge.bridge-nf-call-iptables", "0")
    assert walk(View(not_called), syn("10.10.0.2", "10.10.0.3", 80), origin=APP1).end == "delivered"


@pytest.mark.parametrize("value", ["0", None])
def test_forwarding_is_decided_by_the_receiving_interface(value: str | None) -> None:
    key = "net.ipv4.conf.docker0.forwarding"
    trip = egress(with_sysctl(docker_like_snapshot(), key, value))
    assert trip.end == ("dropped" if value == "0" else "unknown")
    assert trip.decided_by is not None
    assert key in trip.decided_by.text


def test_the_host_wide_switch_alone_does_not_stop_a_packet() -> None:
    # The kernel looks at conf.IFACE.forwarding; ip_forward only writes it everywhere.
    assert egress(with_sysctl(docker_like_snapshot(), "net.ipv4.ip_forward", "0")).end == "left"


def test_a_link_that_is_down_stops_the_packet() -> None:
    trip = egress(with_link(docker_like_snapshot(), HOST, "docker0", up=False))
    assert trip.end == "unreachable"
    assert trip.decided_by is not None
    assert trip.decided_by.text == "docker0 is down"


def test_a_rule_that_cannot_be_decided_makes_the_walk_unknown_and_is_named() -> None:
    trip = egress(inserted("-m cpu --cpu 1 -j DROP"))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert "cpu" in trip.decided_by.text


def test_an_undecided_rule_does_not_matter_when_every_possibility_ends_alike() -> None:
    assert egress(inserted("-m statistic --mode random --probability 0.5 -j ACCEPT")).end == "left"


def test_an_undecided_rule_before_a_certain_drop_changes_nothing() -> None:
    host = inserted("-m string --string x --algo bm -j DROP", position=1)
    rule = InsertRule(
        backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec="-i docker0 -j DROP", position=2
    )
    trip = egress(after(host, [rule]))
    assert trip.end == "dropped"


def test_a_return_that_cannot_be_decided_leaves_what_follows_possible() -> None:
    host = inserted("-m string --string x --algo bm -j RETURN", chain="DOCKER-USER")
    drop = InsertRule(
        backend="iptables-nft", family="ip", table="filter", chain="DOCKER-USER", spec="-j DROP", position=2
    )
    assert egress(after(host, [drop])).end == "unknown"


def test_goto_does_not_come_back_to_the_chain() -> None:
    # DOCKER falls through, so a goto from FORWARD ends at FORWARD's policy, DROP.
    trip = egress(inserted("-g DOCKER"))
    assert trip.end == "dropped"
    assert trip.decided_by is not None
    assert trip.decided_by.kind == "policy"


def test_a_jump_comes_back() -> None:
    assert egress(inserted("-j DOCKER")).end == "left"


def test_a_mark_that_is_set_is_seen_by_later_rules() -> None:
    host = inserted("-j MARK --set-xmark 0x1/0xffffffff")
    drop = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="filter",
        chain="FORWARD",
        spec="-m mark --mark 0x1 -j DROP",
        position=2,
    )
    assert egress(after(host, [drop])).end == "dropped"
    miss = msgspec.structs.replace(drop, spec="-m mark --mark 0x2 -j DROP")
    assert egress(after(host, [miss])).end == "left"


def test_an_earlier_accept_in_nat_shadows_the_masquerade() -> None:
    trip = egress(inserted("-s 172.17.0.0/16 -j ACCEPT", chain="POSTROUTING", table="nat"))
    assert trip.end == "left"
    assert trip.last.src == "172.17.0.2"


def test_a_table_that_was_not_read_makes_an_accept_unknown_but_not_a_drop() -> None:
    unread = UnreadTable(family="inet", name="foreign", backend="nftables", reason="not read")

    def hide(snapshot: Snapshot) -> Snapshot:
        firewall = next(ns for ns in snapshot.namespaces if ns.id == HOST).firewall
        assert firewall is not None
        return with_namespace(snapshot, HOST, firewall=Firewall(tables=firewall.tables, unread=(unread,)))

    trip = egress(hide(docker_like_snapshot()))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert "foreign" in trip.decided_by.text
    beyond = walk(
        View(hide(inserted("-i docker0 -j DROP"))),
        syn("172.17.0.2", OUTSIDE, 443),
        origin=WEB,
        outside=True,
        beyond=True,
    )
    assert any(obstacle.end == "dropped" for obstacle in beyond.obstacles)


def test_strict_reverse_path_filtering_drops_what_came_by_another_way() -> None:
    host = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.docker0.rp_filter", "1")
    assert egress(host).end == "left"
    spoofed = walk(View(host), syn("10.10.0.9", OUTSIDE, 443), origin=WEB, outside=True)
    assert spoofed.end == "dropped"
    assert spoofed.decided_by is not None
    assert spoofed.decided_by.text == "net.ipv4.conf.docker0.rp_filter"


@pytest.mark.parametrize(("action", "end"), [("blackhole", "dropped"), ("unreachable", "no-route")])
def test_a_policy_rule_can_end_the_way(action: str, end: str) -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    rule = PolicyRule(family="ip", priority=100, action=action, src="172.17.0.0/16")
    trip = egress(with_namespace(base, HOST, policy_rules=(*host.policy_rules, rule)))
    assert trip.end == end


def test_a_policy_rule_that_cannot_be_decided_is_unknown() -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    rule = PolicyRule(family="ip", priority=100, table=100, other=("dscp 0x08",))
    assert egress(with_namespace(base, HOST, policy_rules=(*host.policy_rules, rule))).end == "unknown"


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        (PolicyRule(family="ip", priority=100, action="prohibit", src="10.9.0.0/16", other=("dscp 8",)), "left"),
        (PolicyRule(family="ip", priority=100, action="prohibit", iif="eth9", other=("dscp 8",)), "left"),
        (PolicyRule(family="ip", priority=100, action="prohibit", src="172.17.0.0/16", other=("dscp 8",)), "unknown"),
        (
            PolicyRule(family="ip", priority=100, table=100, src="10.9.0.0/16", invert=True, other=("dscp 8",)),
            "unknown",
        ),
    ],
)
def test_what_is_not_modelled_of_a_policy_rule_matters_only_where_the_rest_fits(rule: PolicyRule, end: str) -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    assert egress(with_namespace(base, HOST, policy_rules=(*host.policy_rules, rule))).end == end


@pytest.mark.parametrize(
    ("selectors", "end"),
    [
        (("ipproto 6",), "no-route"),
        (("ipproto 17",), "left"),
        (("ipproto 6", "dport 443"), "no-route"),
        (("dport 400-500",), "no-route"),
        (("dport 80-90",), "left"),
        (("sport 1-1000",), "left"),
        (("uidrange 0-0",), "no-route"),  # what is forwarded is user 0's
        (("uidrange 1000-2000",), "left"),
    ],
)
def test_what_a_policy_rule_asks_of_a_flow_is_decided(selectors: tuple[str, ...], end: str) -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    rule = PolicyRule(family="ip", priority=100, action="prohibit", iif="docker0", other=selectors)
    assert egress(with_namespace(base, HOST, policy_rules=(*host.policy_rules, rule))).end == end


def test_a_veth_without_a_known_peer_is_unknown_not_lost() -> None:
    trip = egress(with_link(docker_like_snapshot(), WEB, "eth0", peer=None, peer_note="namespace not seen"))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert "namespace not seen" in trip.decided_by.text


def test_going_beyond_obstacles_finds_the_others_too() -> None:
    broken = with_sysctl(inserted("-i docker0 -j DROP"), "net.ipv4.conf.docker0.forwarding", "0")
    trip = walk(View(broken), syn("172.17.0.2", OUTSIDE, 443), origin=WEB, outside=True, beyond=True)
    assert [obstacle.stage for obstacle in trip.obstacles] == ["forwarding", "forward"]
    assert trip.end == "dropped"


def with_vlans(*, same: bool) -> Snapshot:
    """The healthy host with VLAN filtering on docker0: one VLAN for all, or another one for web's port."""
    default = PortVlan(vid=1, last=1, pvid=True, untagged=True)
    other = default if same else PortVlan(vid=7, last=7, pvid=True, untagged=True)
    base = with_link(docker_like_snapshot(), HOST, "docker0", bridge=BridgeInfo(vlan_filtering=True), vlans=(default,))
    return with_link(base, HOST, "veth5f0a1b2", vlans=(other,))


def test_a_port_of_another_vlan_than_the_gateway_s_is_cut_off() -> None:
    trip = egress(with_vlans(same=False))
    assert trip.end == "unreachable"
    assert trip.decided_by is not None
    assert trip.decided_by.text == "docker0 itself is not a member of VLAN 7"


def test_one_vlan_for_every_port_makes_no_difference() -> None:
    assert egress(with_vlans(same=True)).end == "left"
