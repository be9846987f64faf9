"""Tunnels: both ends here, or one out of sight; what stops the outer packet.

VXLAN is tried on the kernel by the random hosts; the others are constructed: the kernel of the tests lacks them.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import reply
from dnet_tui.inspect.model import (
    FdbEntry,
    Geneve,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    PolicyRule,
    Snapshot,
    Tunnel,
    Unread,
    Vxlan,
    WireGuardDevice,
    WireGuardPeer,
)
from dnet_tui.inspect.model.firewall import Firewall, Hook, Nat, Table
from dnet_tui.inspect.model.view import View
from unit.builders.factories_firewall import chain, match, verdict
from unit.builders.factories_stacks import HOST, bridge_port, device, host_of, sent, space, there_and_back, why

FAR, ONE, TWO, BOX = "net:[13]", "net:[11]", "net:[12]", "net:[14]"
NEAR_END, FAR_END = "192.0.2.1", "192.0.2.2"
POINT = ("NOARP", "POINTOPOINT")


def rules(hook: Hook, *matches: Any) -> Firewall:
    base = chain("c", [("drop", (*matches, verdict("drop")))], hook=hook, priority=0, type="filter", policy="accept")
    return Firewall(tables=(Table(family="ip", name="own", backend="nftables", chains=(base,)),))


def ends(near: Link, far: Link | None, *, host: Firewall | None = None, **more: object) -> Snapshot:
    """Two hosts on a wire, each with a tunnel that has 10.9.0.1 and 10.9.0.2."""

    def made(ident: str, wire: Link, tunnel: Link | None, addresses: dict[int, str], **also: object) -> Namespace:
        links = [wire] if tunnel is None else [wire, tunnel]
        ns = space(ident, *links, addresses=addresses if tunnel is not None else {2: addresses[2]})
        return msgspec.structs.replace(ns, **also)

    first = {"firewall": host} if host is not None else {}
    theirs = {key.removeprefix("far_"): value for key, value in more.items() if key.startswith("far_")}
    mine = {key: value for key, value in more.items() if not key.startswith("far_")}
    return host_of(
        made(
            HOST,
            device(2, "eth0", "veth", peer=(FAR, 2)),
            near,
            {2: f"{NEAR_END}/24", 3: "10.9.0.1/24"},
            **{**first, **mine},
        ),
        made(FAR, device(2, "eth0", "veth", peer=(HOST, 2)), far, {2: f"{FAR_END}/24", 3: "10.9.0.2/24"}, **theirs),
    )


def vxlan(remote: str, vni: int = 5, port: int = 4789, **more: Any) -> Link:
    own = "02:00:00:00:cc:01" if remote != NEAR_END else "02:00:00:00:cc:02"
    return device(3, "vx0", "vxlan", mac=own, detail=Vxlan(vni=vni, remote=remote, port=port), **more)


def over(snapshot: Snapshot) -> tuple[str, str, str]:
    return there_and_back(snapshot, HOST, "10.9.0.1", "10.9.0.2")


def test_a_frame_goes_through_vxlan_and_its_answer_back() -> None:
    assert over(ends(vxlan(FAR_END), vxlan(NEAR_END))) == ("delivered", FAR, "delivered")


@pytest.mark.parametrize(("vni", "port"), [(6, 4789), (5, 8472)])
def test_another_vni_or_port_is_another_tunnel(vni: int, port: int) -> None:
    found = sent(ends(vxlan(FAR_END), vxlan(NEAR_END, vni, port)), HOST, "10.9.0.1", "10.9.0.2")
    assert found.end != "delivered"


def test_an_outer_packet_that_is_dropped_delivers_nothing() -> None:
    stopped = ends(vxlan(FAR_END), vxlan(NEAR_END), host=rules("output", match("dport", "4789")))
    assert over(stopped)[0] == "unreachable"  # the question for the neighbour goes the same way
    found = sent(stopped, HOST, "10.9.0.1", "10.9.0.2")
    assert "doesn't get through vx0" in why(found)


def test_of_entries_the_one_for_the_frame_comes_first() -> None:
    def entry(mac: str, remote: str) -> FdbEntry:
        return FdbEntry(ifindex=3, mac=mac, remote=remote, state="permanent")

    astray = ends(vxlan(""), vxlan(NEAR_END), fdb=(entry("00:00:00:00:00:00", "192.0.2.9"),))
    assert over(astray)[0] != "delivered"
    right = ends(vxlan(""), vxlan(NEAR_END), fdb=(entry("00:00:00:00:00:00", FAR_END),))
    assert over(right) == ("delivered", FAR, "delivered")
    assert over(ends(vxlan(""), vxlan(NEAR_END)))[0] == "unreachable"  # no remote at all


def test_a_program_that_chooses_the_end_leaves_it_open() -> None:
    external = device(3, "vx0", "vxlan", detail=Vxlan(vni=5, port=4789, external=True))
    assert over(ends(external, vxlan(NEAR_END)))[0] == "unknown"


def test_an_end_out_of_sight_is_named() -> None:
    link = vxlan("198.51.100.7")
    host = space(
        HOST,
        device(2, "eth0"),
        link,
        addresses={2: "203.0.113.2/24", 3: "10.9.0.1/24"},
        routes=("default via 203.0.113.1 dev 2",),
    )
    found = sent(host_of(host), HOST, "10.9.0.1", "10.9.0.2")
    assert (found.end, found.exits, [item.where for item in found.carried]) == ("left", "vx0", ["198.51.100.7:4789"])
    assert found.left_by == LinkRef(namespace=HOST, ifindex=2)
    assert found.wire is not None
    assert (found.wire.src, found.wire.dst, found.wire.dport) == ("203.0.113.2", "198.51.100.7", 4789)
    assert (found.last.src, found.last.dst) == ("10.9.0.1", "10.9.0.2")
    assert reply(View(host_of(host)), found).end == "delivered"


def test_an_outer_packet_without_a_way_has_not_left() -> None:
    host = space(HOST, device(2, "eth0"), vxlan("198.51.100.7"), addresses={2: "203.0.113.2/24", 3: "10.9.0.1/24"})
    assert sent(host_of(host), HOST, "10.9.0.1", "10.9.0.2").end == "no-route"
    bare = device(2, "eth0", operstate="DOWN", carrier=False)
    gone = space(
        HOST,
        bare,
        vxlan("198.51.100.7"),
        addresses={2: "203.0.113.2/24", 3: "10.9.0.1/24"},
        routes=("default via 203.0.113.1 dev 2",),
    )
    found = sent(host_of(gone), HOST, "10.9.0.1", "10.9.0.2")
    assert (found.end, why(found)) == ("unreachable", "eth0 has no carrier")


def overlay(*, remote: str = "") -> Snapshot:
    """A swarm's overlay network on one node: a bridge with a VXLAN in a namespace of its own, made by the host."""
    sandbox = "net:[20]"
    tunnel = bridge_port(
        4, "vxlan0", 3, None, kind="vxlan", underlay=HOST, detail=Vxlan(vni=4097, port=4789, remote=remote)
    )
    return host_of(
        space(HOST, device(2, "eth0"), addresses={2: "203.0.113.2/24"}, routes=("default via 203.0.113.1 dev 2",)),
        space(
            sandbox,
            device(3, "br0", "bridge"),
            tunnel,
            bridge_port(5, "veth0", 3, (ONE, 2)),
            bridge_port(6, "veth1", 3, (TWO, 2)),
            addresses={3: "10.0.1.1/24"},
        ),
        space(
            ONE, device(2, "eth0", "veth", peer=(sandbox, 5), mac="02:00:00:00:dd:01"), addresses={2: "10.0.1.11/24"}
        ),
        space(
            TWO, device(2, "eth0", "veth", peer=(sandbox, 6), mac="02:00:00:00:dd:02"), addresses={2: "10.0.1.12/24"}
        ),
    )


def test_an_overlay_network_of_one_node_connects_its_containers() -> None:
    assert there_and_back(overlay(), ONE, "10.0.1.11", "10.0.1.12") == ("delivered", TWO, "delivered")
    assert sent(overlay(), ONE, "10.0.1.11", "10.0.1.99").end == "unreachable"  # no other node, so nobody else


def two_nodes(*, known: bool = True, **more: Any) -> Snapshot:
    """A swarm's overlay network whose VXLAN answers for the containers of another node, of which it was told."""
    host, sandbox, *boxes = overlay().namespaces
    mac = "02:42:0a:00:01:63"
    told = (Neighbour(ifindex=4, family="ip", address="10.0.1.99", mac=mac, state="PERMANENT"),) if known else ()
    entry = FdbEntry(ifindex=4, mac=mac, remote="198.51.100.8", state="permanent")
    detail = Vxlan(vni=4097, port=4789, proxy=True, **more)
    links = tuple(
        msgspec.structs.replace(link, detail=detail) if link.kind == "vxlan" else link for link in sandbox.links
    )
    return host_of(host, msgspec.structs.replace(sandbox, links=links, neighbours=told, fdb=(entry,)), *boxes)


def test_a_vxlan_answers_for_whom_it_was_told_of() -> None:
    found = sent(two_nodes(), ONE, "10.0.1.11", "10.0.1.99")
    assert (found.end, [item.where for item in found.carried]) == ("left", ["198.51.100.8:4789"])
    assert found.exits == "eth0"
    back = reply(View(two_nodes()), found)
    assert (back.end, back.last_namespace) == ("delivered", ONE)
    assert sent(two_nodes(known=False), ONE, "10.0.1.11", "10.0.1.99").end == "unreachable"


def test_a_vxlan_that_asks_a_program_leaves_it_open() -> None:
    assert sent(two_nodes(known=False, l3miss=True), ONE, "10.0.1.11", "10.0.1.99").end == "unknown"
    assert sent(two_nodes(known=False, l3miss=True), ONE, "10.0.1.11", "10.0.1.12").end == "delivered"


def test_geneve_takes_only_what_its_remote_sends() -> None:
    def geneve(remote: str) -> Link:
        return device(3, "gnv0", "geneve", detail=Geneve(vni=7, remote=remote, port=6081))

    found = sent(ends(geneve(FAR_END), geneve(NEAR_END)), HOST, "10.9.0.1", "10.9.0.2")
    assert (found.end, found.last_namespace) == ("delivered", FAR)
    assert sent(ends(geneve(FAR_END), geneve("192.0.2.9")), HOST, "10.9.0.1", "10.9.0.2").end != "delivered"


# -- tunnels of IP packets ------------------------------------------------------------------------


def ip_tunnel(kind: str, local: str, remote: str, **keys: Any) -> Link:
    flags = () if kind == "gretap" else POINT
    return device(3, f"{kind}0", kind, detail=Tunnel(local=local, remote=remote, **keys), flags=flags)


@pytest.mark.parametrize("kind", ["ipip", "gre", "gretap", "sit"])
def test_ip_tunnels_lead_to_their_other_end(kind: str) -> None:
    snapshot = ends(ip_tunnel(kind, NEAR_END, FAR_END), ip_tunnel(kind, FAR_END, NEAR_END))
    assert over(snapshot) == ("delivered", FAR, "delivered")


@pytest.mark.parametrize(
    "far",
    [
        ip_tunnel("ipip", FAR_END, "192.0.2.9"),
        ip_tunnel("gre", FAR_END, NEAR_END, ikey=5),
        ip_tunnel("gre", FAR_END, "192.0.2.9"),
        None,
    ],
)
def test_a_tunnel_with_other_ends_or_keys_takes_nothing(far: Link | None) -> None:
    kind = far.kind if far is not None else "ipip"
    found = sent(ends(ip_tunnel(kind, NEAR_END, FAR_END), far), HOST, "10.9.0.1", "10.9.0.2")
    assert found.end == "dropped"
    assert why(found) == f"no {kind} at {FAR_END} takes what {kind}0 sends"


def test_the_protocol_of_the_outer_packet_is_what_rules_see() -> None:
    near, far = ip_tunnel("gre", NEAR_END, FAR_END), ip_tunnel("gre", FAR_END, NEAR_END)
    assert over(ends(near, far, host=rules("output", match("proto", "gre"))))[0] == "dropped"
    assert over(ends(near, far, host=rules("output", match("proto", "ipencap"))))[0] == "delivered"


# -- wireguard ------------------------------------------------------------------------------------


def wireguard(key: str, *peers: WireGuardPeer, mark: int = 0) -> tuple[WireGuardDevice, ...]:
    return (WireGuardDevice(ifindex=3, key=key, port=51820, mark=mark, peers=peers),)


def peer(key: str, endpoint: str, *allowed: str) -> WireGuardPeer:
    return WireGuardPeer(key=key, endpoint=endpoint, port=51820, allowed=allowed)


WG = device(3, "wg0", "wireguard", flags=POINT)


def vpn(near: tuple[WireGuardDevice, ...], far: tuple[WireGuardDevice, ...]) -> Snapshot:
    return ends(WG, WG, wireguard=near, far_wireguard=far)


A = wireguard("A=", peer("B=", FAR_END, "10.9.0.2/32"))
B = wireguard("B=", peer("A=", NEAR_END, "10.9.0.1/32"))


def test_wireguard_leads_to_the_peer_that_is_allowed_the_address() -> None:
    assert over(vpn(A, B)) == ("delivered", FAR, "delivered")


def test_an_address_that_no_peer_is_allowed_goes_nowhere() -> None:
    found = sent(vpn(wireguard("A=", peer("B=", FAR_END, "10.9.0.3/32")), B), HOST, "10.9.0.1", "10.9.0.2")
    assert (found.end, why(found)) == ("unreachable", "no peer of wg0 is allowed 10.9.0.2 (allowed-ips)")


def test_a_source_that_the_peer_is_not_allowed_is_dropped_there() -> None:
    found = sent(vpn(A, wireguard("B=", peer("A=", NEAR_END, "10.9.0.7/32"))), HOST, "10.9.0.1", "10.9.0.2")
    assert found.end == "dropped"
    assert sent(vpn(A, wireguard("B=", peer("C=", "", "10.9.0.1/32"))), HOST, "10.9.0.1", "10.9.0.2").end == "dropped"


def test_a_peer_without_an_endpoint_can_not_be_sent_to() -> None:
    found = sent(vpn(wireguard("A=", peer("B=", "", "10.9.0.2/32")), B), HOST, "10.9.0.1", "10.9.0.2")
    assert (found.end, why(found)) == ("unreachable", "peer B= of wg0 has no endpoint, and none is known of it")


def test_the_longest_prefix_of_all_peers_decides() -> None:
    both = wireguard("A=", peer("X=", "192.0.2.9", "0.0.0.0/0"), peer("B=", FAR_END, "10.9.0.0/24"))
    assert over(vpn(both, B))[0] == "delivered"


def test_peers_that_were_not_read_leave_it_open() -> None:
    snapshot = ends(WG, WG, wireguard=Unread(reason="Operation not permitted"), far_wireguard=B)
    found = sent(snapshot, HOST, "10.9.0.1", "10.9.0.2")
    assert found.end == "unknown"
    assert found.decided_by is not None
    assert found.decided_by.value == "wireguard"


# -- a container whose answers leave by a tunnel ----------------------------------------------------


def behind_a_tunnel(*, marked: bool = True) -> Snapshot:
    """A container with a published port in which ``wg-quick up`` was run for all addresses."""
    dnat = (match("proto", "tcp"), match("dport", "8080"), Nat(kind="dnat", addresses="172.17.0.2", ports="80"))
    published = chain("PREROUTING", [("p", dnat)], hook="prerouting", priority=-100, type="nat", policy="accept")
    masquerade = (match("oif", "eth0"), Nat(kind="masquerade"))
    out = chain("POSTROUTING", [("m", masquerade)], hook="postrouting", priority=100, type="nat", policy="accept")
    firewall = Firewall(tables=(Table(family="ip", name="nat", backend="iptables-nft", chains=(published, out)),))
    host = space(
        HOST,
        device(2, "eth0"),
        device(3, "docker0", "bridge"),
        bridge_port(4, "v0", 3, (BOX, 2)),
        addresses={2: "203.0.113.2/24", 3: "172.17.0.1/16"},
        routes=("default via 203.0.113.1 dev 2",),
        firewall=firewall,
    )
    policy = (
        PolicyRule(family="ip", priority=0, table=255),
        PolicyRule(family="ip", priority=32764, table=254, suppress_prefixlength=0),
        *((PolicyRule(family="ip", priority=32765, table=51820, mark=51820, invert=True),) if marked else ()),
        PolicyRule(family="ip", priority=32766, table=254),
    )
    box = space(
        BOX,
        device(2, "eth0", "veth", peer=(HOST, 4)),
        WG,
        addresses={2: "172.17.0.2/16", 3: "10.8.0.2/32"},
        routes=("default via 172.17.0.1 dev 2", "default dev 3 table 51820"),
        rules=policy,
        wireguard=wireguard("A=", peer("B=", "198.51.100.9", "0.0.0.0/0"), mark=51820),
    )
    return host_of(host, box)


def published(snapshot: Snapshot) -> tuple[str, str, bool | None, str]:
    there = sent(snapshot, HOST, "198.51.100.1", "203.0.113.2", port=8080, arriving=LinkRef(namespace=HOST, ifindex=2))
    back = reply(View(snapshot), there)
    return there.end, back.end, back.arrives, why(back)


def test_the_answer_of_a_published_port_leaves_by_the_tunnel_and_meets_no_translation() -> None:
    there, back, arrives, reason = published(behind_a_tunnel())
    assert (there, back, arrives) == ("delivered", "left", False)
    assert "awaits an answer as tcp 172.17.0.2:80" in reason


def test_without_the_tunnel_s_rule_the_answer_comes_back_translated() -> None:
    assert published(behind_a_tunnel(marked=False))[:3] == ("delivered", "left", True)


def test_the_tunnel_s_own_packets_pass_by_the_host_and_are_translated() -> None:
    found = sent(behind_a_tunnel(), BOX, "10.8.0.2", "198.51.100.50")
    assert (found.end, found.exits) == ("left", "eth0")
    assert found.wire is not None
    assert (found.wire.src, found.wire.dst, found.wire.snatted) == ("203.0.113.2", "198.51.100.9", True)
    assert [item.where for item in found.carried] == ["peer B= at 198.51.100.9:51820"]
    back = reply(View(behind_a_tunnel()), found)
    assert (back.end, back.last_namespace) == ("delivered", BOX)


def test_peers_that_were_not_read_do_not_leave_open_that_the_answer_is_lost() -> None:
    snapshot = behind_a_tunnel()
    host, box = snapshot.namespaces
    unread = msgspec.structs.replace(box, wireguard=Unread(reason="Operation not permitted"))
    assert published(host_of(host, unread))[2] is False


def test_behind_a_tunnel_whose_end_is_here_and_takes_nothing_is_nobody() -> None:
    def beside(vni: int, remote: str = FAR_END) -> Snapshot:
        bridge, port = device(5, "br0", "bridge"), bridge_port(4, "v0", 5, (BOX, 2))
        tunnel = bridge_port(3, "vx0", 5, None, kind="vxlan", detail=Vxlan(vni=5, port=4789, remote=remote))
        wire = device(2, "eth0", "veth", peer=(FAR, 2))
        return host_of(
            space(HOST, wire, bridge, port, tunnel, addresses={2: f"{NEAR_END}/24", 5: "10.9.0.1/24"}),
            space(FAR, device(2, "eth0", "veth", peer=(HOST, 2)), vxlan(NEAR_END, vni), addresses={2: f"{FAR_END}/24"}),
            space(BOX, device(2, "eth0", "veth", peer=(HOST, 4)), addresses={2: "10.9.0.3/24"}),
        )

    assert sent(beside(6), BOX, "10.9.0.3", "10.9.0.77").end == "unreachable"
    assert sent(beside(5), BOX, "10.9.0.3", "10.9.0.77").end == "unreachable"
    assert sent(beside(5), BOX, "10.9.0.3", "10.9.0.1").end == "delivered"
    away = beside(5, "198.51.100.7")
    host = msgspec.structs.replace(
        away.namespaces[0], routes=(*away.namespaces[0].routes, *space(HOST, routes=("default dev 7",)).routes)
    )
    uplink = device(7, "eth1")
    host = msgspec.structs.replace(host, links=(*host.links, uplink))
    outward = msgspec.structs.replace(away, namespaces=(host, *away.namespaces[1:]))
    assert sent(outward, BOX, "10.9.0.3", "10.9.0.77").end == "unknown"  # whoever is at 198.51.100.7 may have it


def test_a_tunnel_whose_packets_are_led_back_to_it_leaves_its_bridge_open() -> None:
    exprs = (match("proto", "udp"), Nat(kind="redirect"))
    base = chain("OUTPUT", [("back", exprs)], hook="output", priority=-100, type="nat", policy="accept")
    back = Firewall(tables=(Table(family="ip", name="nat", backend="iptables-nft", chains=(base,)),))
    host, sandbox, *boxes = overlay(remote="198.51.100.7").namespaces
    astray = host_of(msgspec.structs.replace(host, firewall=back), sandbox, *boxes)
    assert sent(astray, ONE, "10.0.1.11", "10.0.1.12").end == "unknown"
    assert sent(host_of(host, sandbox, *boxes), ONE, "10.0.1.11", "10.0.1.12").end == "delivered"


def test_rules_about_a_flow_s_source_port_are_decided_by_its_range() -> None:
    def stopped(port: str) -> str:
        snapshot = ends(
            vxlan(FAR_END), vxlan(NEAR_END), host=rules("output", match("proto", "udp"), match("sport", port))
        )
        host, far = snapshot.namespaces
        known = {**dict(host.sysctls.items()), "net.ipv4.ip_local_port_range": "32768\t60999"}
        return over(host_of(msgspec.structs.replace(host, sysctls=known), far))[0]

    assert stopped("20001") == "delivered"
    assert stopped("1024:65535") == "unreachable"
    assert stopped("40000") == "unknown"
