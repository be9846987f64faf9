"""What the kernel does and a plausible walk doesn't: one small host for each kind.

Each was seen with real packets (``script/differential``, ``script/hosts-truth``).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3.xfrm import policy_stop
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import (
    Address,
    ConntrackEntry,
    ConntrackTuple,
    FdbEntry,
    Macvlan,
    Neighbour,
    PortProxy,
    Snapshot,
    Socket,
)
from dnet_tui.inspect.model.firewall import Firewall, Hook, Nat, NoTrack, Table
from dnet_tui.inspect.model.links import Link, LinkRef
from dnet_tui.inspect.model.routing import PolicyRule, XfrmPolicy, XfrmTemplate
from dnet_tui.inspect.model.view import View
from unit.builders.factories import (
    APP1,
    APP2,
    BR_APP,
    DOCKER0,
    HOST,
    UPLINK,
    VETH_APP1,
    VETH_APP2,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_firewall import chain, match, verdict
from unit.builders.factories_links import adding, namespace, port, without

ONE, TWO = "10.10.0.2", "10.10.0.3"
OUTSIDE = "198.51.100.10"

Proto = Literal["tcp", "udp"]


def packet(src: str, dst: str, proto: Proto = "tcp", dport: int = 80, sport: int = 40000) -> Packet:
    flags = ("SYN",) if proto == "tcp" else ()
    return Packet(src=src, dst=dst, proto=proto, sport=sport, dport=dport, tcp_flags=flags)


def sent(snapshot: Snapshot, origin: str, what: Packet) -> Walk:
    return walk(View(snapshot), what, origin=origin)


def between(snapshot: Snapshot, **more: Any) -> Walk:
    """From the first container to the second one, on one bridge."""
    return sent(snapshot, APP1, packet(ONE, TWO, **more))


def mac(snapshot: Snapshot, ident: str, name: str = "eth0") -> str:
    return next(link.mac for link in namespace(snapshot, ident).links if link.name == name)


def forgetful(snapshot: Snapshot | None = None) -> Snapshot:
    """Nobody remembers anybody."""
    snapshot = snapshot or docker_like_snapshot()
    for ident in (HOST, WEB, APP1, APP2):
        snapshot = with_namespace(snapshot, ident, neighbours=())
    return snapshot


def knowing(snapshot: Snapshot | None = None) -> Snapshot:
    """The containers of the bridge, and the host, remember each other rightly."""
    snapshot = forgetful(snapshot)
    bridge = mac(snapshot, HOST, "br-app")
    ends = (
        (APP1, VETH_APP1 - 1, TWO, mac(snapshot, APP2)),
        (APP2, VETH_APP2 - 1, ONE, mac(snapshot, APP1)),
        (APP1, VETH_APP1 - 1, "10.10.0.1", bridge),
        (APP2, VETH_APP2 - 1, "10.10.0.1", bridge),
        (HOST, BR_APP, ONE, mac(snapshot, APP1)),
        (HOST, BR_APP, TWO, mac(snapshot, APP2)),
    )
    for ident, ifindex, address, lladdr in ends:
        entry = Neighbour(ifindex=ifindex, family="ip", address=address, mac=lladdr, state="REACHABLE")
        snapshot = adding(snapshot, ident, "neighbours", entry)
    return snapshot


def listed(snapshot: Snapshot, owner: str, port_ifindex: int, state: str = "static", *flags: str) -> Snapshot:
    """The snapshot with a forwarding entry of the bridge for a container's MAC address."""
    entry = FdbEntry(ifindex=port_ifindex, mac=mac(snapshot, owner), master=BR_APP, state=state, flags=flags)
    return adding(snapshot, HOST, "fdb", entry)


# -- neighbours -------------------------------------------------------------------------------


def calico(**settings: str) -> Snapshot:
    """``web`` as Calico wires it: no bridge, and a gateway that nobody has, for which the host answers."""
    snapshot = forgetful(unfiltered())
    snapshot = with_link(snapshot, HOST, "veth5f0a1b2", master=None, port=None)
    snapshot = without(snapshot, HOST, "routes", lambda item: item.dst == "172.17.0.0/16")
    snapshot = adding(snapshot, HOST, "routes", route("172.17.0.2/32", ifindex=VETH_WEB, scope="link"))
    snapshot = with_namespace(
        snapshot,
        WEB,
        routes=(
            route("169.254.1.1/32", ifindex=VETH_WEB - 1, scope="link"),
            route("0.0.0.0/0", ifindex=VETH_WEB - 1, gateway="169.254.1.1"),
            route("172.17.0.2/32", ifindex=VETH_WEB - 1, table=255, type="local", scope="host"),
        ),
    )
    for key, value in {"proxy_arp": "1", "forwarding": "1", **settings}.items():
        snapshot = with_sysctl(snapshot, f"net.ipv4.conf.veth5f0a1b2.{key}", value)
    return snapshot


def to_the_host(snapshot: Snapshot) -> Walk:
    return sent(snapshot, WEB, packet("172.17.0.2", "203.0.113.2", dport=8080))


def test_proxy_arp_answers_for_a_gateway_that_nobody_has() -> None:
    assert to_the_host(calico()).end == "delivered"


@pytest.mark.parametrize(
    ("selectors", "end"),
    [
        (("ipproto 17",), "delivered"),
        (("dport 1-79",), "delivered"),
        (("ipproto 6",), "delivered"),
        ((), "unreachable"),
    ],
)
def test_rules_that_ask_for_a_protocol_or_port_are_not_arps(selectors: tuple[str, ...], end: str) -> None:
    """The host looks the gateway's route up as of a packet without either (arp_process); any other rule counts."""
    rule = PolicyRule(family="ip", priority=1, action="prohibit", iif="veth5f0a1b2", other=selectors)
    found = to_the_host(with_namespace(calico(), HOST, policy_rules=(*namespace(calico(), HOST).policy_rules, rule)))
    assert found.end == end


@pytest.mark.parametrize("settings", [{"proxy_arp": "0"}, {"forwarding": "0"}])
def test_without_proxy_arp_or_forwarding_nobody_answers(settings: dict[str, str]) -> None:
    found = to_the_host(calico(**settings))
    assert (found.end, found.last_namespace) == ("unreachable", WEB)


def test_proxy_arp_answers_for_nothing_that_is_routed_back_by_the_same_link() -> None:
    snapshot = without(calico(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    back = route("169.254.1.1/32", ifindex=VETH_WEB, scope="link")
    assert to_the_host(adding(snapshot, HOST, "routes", back)).end == "unreachable"


def test_proxy_arp_on_a_bridge_answers_for_what_is_elsewhere() -> None:
    snapshot = with_sysctl(forgetful(), "net.ipv4.conf.br-app.proxy_arp", "1")
    snapshot = adding(snapshot, HOST, "routes", route("10.10.0.200/32", ifindex=DOCKER0, scope="link"))
    assert sent(snapshot, APP1, packet(ONE, "10.10.0.200")).last_namespace == HOST


def test_arp_ignore_8_answers_for_nothing() -> None:
    snapshot = with_sysctl(forgetful(), "net.ipv4.conf.br-app.arp_ignore", "8")
    assert sent(snapshot, APP1, packet(ONE, "10.10.0.1", dport=8080)).end == "unreachable"


def test_arp_ignore_1_answers_for_the_addresses_of_the_link() -> None:
    snapshot = with_sysctl(forgetful(), "net.ipv4.conf.br-app.arp_ignore", "1")
    assert sent(snapshot, APP1, packet(ONE, "10.10.0.1", dport=8080)).end == "delivered"


def test_arp_ignore_2_answers_its_own_subnet_only() -> None:
    snapshot = with_sysctl(forgetful(), "net.ipv4.conf.eth0.arp_ignore", "2", APP1)
    asked = packet("203.0.113.2", ONE)  # the question has the packet's source (arp_announce 0)
    assert sent(snapshot, HOST, asked).end == "unreachable"
    assert sent(snapshot, HOST, packet("10.10.0.1", ONE)).end == "delivered"


def test_arp_filter_keeps_silent_where_the_way_back_is_another() -> None:
    snapshot = with_sysctl(forgetful(), "net.ipv4.conf.br-app.arp_filter", "1")
    snapshot = adding(snapshot, HOST, "routes", route(f"{ONE}/32", ifindex=DOCKER0, scope="link"))
    assert sent(snapshot, APP1, packet(ONE, "10.10.0.1", dport=8080)).end == "unreachable"


def test_the_question_for_a_neighbour_is_stopped_before_the_packet() -> None:
    snapshot = with_bridge_rules(forgetful(), match("ether-type", "arp"), match("saddr", ONE))
    found = between(snapshot)
    assert found.end == "unreachable"
    assert found.obstacles[0].stage == "neighbour"


@pytest.mark.parametrize(("known", "end", "kind"), [(False, "unreachable", "link"), (True, "dropped", "rule")])
def test_where_no_question_gets_through_no_rule_meets_the_packet(*, known: bool, end: str, kind: str) -> None:
    """Behind a port that is down nobody answers: only who remembers a neighbour sends it a frame."""
    snapshot = with_link(knowing() if known else forgetful(), HOST, "veth99e5f60", up=False)
    snapshot = with_sysctl(snapshot, "net.bridge.bridge-nf-call-iptables", "1")
    rules = [("-d 10.10.0.3", (match("daddr", f"{TWO}/32"), verdict("drop")))]
    base = chain("PREROUTING", rules, hook="prerouting", priority=-150, type="filter", policy="accept")
    snapshot = with_namespace(
        snapshot, HOST, firewall=Firewall(tables=(Table(family="ip", name="m", backend="nftables", chains=(base,)),))
    )
    found = between(snapshot)
    assert found.decided_by is not None
    assert (found.end, found.decided_by.kind) == (end, kind)


def with_bridge_rules(snapshot: Snapshot, *matches: Any) -> Snapshot:
    """Rules of the bridge family in prerouting, each of which drops what one condition fits."""
    rules = [(f"rule {number}", (item, verdict("drop"))) for number, item in enumerate(matches, start=1)]
    base = chain("c", rules, hook="prerouting", priority=-300, type="filter", policy="accept")
    table = Table(family="bridge", name="own", backend="nftables", chains=(base,))
    firewall = namespace(snapshot, HOST).firewall
    assert firewall is not None

    return with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(firewall, tables=(*firewall.tables, table)))


# -- forwarding entries and port flags --------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("sticky",)])
def test_a_static_entry_at_another_port_leads_the_frame_astray(flags: tuple[str, ...]) -> None:
    found = between(listed(knowing(), APP2, VETH_APP1, "static", *flags))
    assert found.end == "unreachable"


def test_a_static_entry_at_the_right_port_changes_nothing() -> None:
    assert between(listed(knowing(), APP2, VETH_APP2)).end == "delivered"


def test_a_static_entry_moves_when_its_owner_answers_the_question() -> None:
    assert between(listed(forgetful(), APP2, VETH_APP1)).end == "delivered"


def test_a_sticky_entry_stays_when_its_owner_answers() -> None:
    assert between(listed(forgetful(), APP2, VETH_APP1, "static", "sticky")).end == "unreachable"


def test_an_entry_of_the_bridges_own_stays_when_its_owner_sends() -> None:
    snapshot = listed(forgetful(), APP2, VETH_APP2, "permanent")
    assert between(snapshot).end == "unreachable"
    snapshot = listed(knowing(), APP2, VETH_APP2, "permanent")
    there = sent(snapshot, APP2, packet(TWO, ONE))
    assert there.end == "delivered"
    back = reply(View(snapshot), there)
    assert back is not None
    assert back.end == "unreachable"


def test_what_the_host_answers_leaves_by_the_port_of_an_entry_of_its_own() -> None:
    """What it sends itself goes where the entry's port leads (br_dev_xmit); only what comes by a port goes up."""
    snapshot = listed(forgetful(), APP1, VETH_APP1, "permanent")
    assert sent(snapshot, APP1, packet(ONE, "10.10.0.1")).arrives
    assert sent(snapshot, APP1, packet(ONE, TWO)).end == "unreachable"
    assert not sent(listed(forgetful(), APP1, VETH_APP2, "permanent"), APP1, packet(ONE, "10.10.0.1")).arrives


def test_without_unicast_flooding_an_unknown_mac_is_lost() -> None:
    assert between(port(knowing(), "veth99e5f60", flood=False)).end == "unreachable"


def test_without_unicast_flooding_a_known_mac_is_reached() -> None:
    snapshot = port(knowing(), "veth99e5f60", flood=False)
    assert between(listed(snapshot, APP2, VETH_APP2, "reachable")).end == "delivered"


def test_without_broadcast_flooding_nobody_hears_the_question() -> None:
    assert between(port(forgetful(), "veth99e5f60", broadcast_flood=False)).end == "unreachable"


def test_without_broadcast_flooding_a_remembered_neighbour_is_reached() -> None:
    snapshot = port(knowing(), "veth99e5f60", broadcast_flood=False)
    assert between(listed(snapshot, APP2, VETH_APP2, "reachable")).end == "delivered"


@pytest.mark.parametrize(
    ("state", "end"),
    [("", "delivered"), ("REACHABLE", "unknown"), ("STALE", "unknown"), ("PERMANENT", "unreachable")],
)
def test_who_is_asked_by_nobody_is_answered_once_it_asks_itself(state: str, end: str) -> None:
    """Its port gets no broadcasts: its own question teaches the other one, and a permanent entry asks none."""
    snapshot = port(forgetful(), "veth77c3d4e", broadcast_flood=False)
    if state:
        entry = Neighbour(ifindex=VETH_APP1 - 1, family="ip", address=TWO, mac=mac(snapshot, APP2), state=state)
        snapshot = adding(snapshot, APP1, "neighbours", entry)
    there = between(snapshot)
    assert there.end == "delivered"
    back = reply(View(snapshot), there)
    assert back is not None
    assert back.end == end


def test_without_learning_and_flooding_the_answer_to_the_question_is_lost() -> None:
    snapshot = port(forgetful(), "veth77c3d4e", learning=False, flood=False)
    assert between(snapshot).end == "unreachable"


def test_the_packet_teaches_the_bridge_where_its_answer_goes() -> None:
    snapshot = port(knowing(), "veth77c3d4e", flood=False)
    found = between(listed(snapshot, APP2, VETH_APP2, "reachable"))
    assert reply(View(snapshot), found).end == "delivered"


# -- other links ------------------------------------------------------------------------------


def test_what_arrives_at_an_uplink_reaches_the_macvlan_above_it() -> None:
    snapshot = with_macvlan()
    found = walk(
        View(snapshot),
        packet("203.0.113.1", "203.0.113.31"),
        origin=HOST,
        arriving=LinkRef(namespace=HOST, ifindex=UPLINK),
    )
    assert found.last_namespace == WEB


@pytest.mark.parametrize("up", [False, True])
def test_a_macvlan_of_the_host_itself_takes_nothing_that_is_for_its_uplink(*, up: bool) -> None:
    """The link below answers for every address here; one above it that is down answers for none."""
    upper = Link(
        ifindex=90,
        name="mv0",
        kind="macvlan",
        mac="02:42:00:00:00:90",
        up=up,
        carrier=up,
        operstate="UP" if up else "DOWN",
        lower=UPLINK,
        peer=LinkRef(namespace=HOST, ifindex=UPLINK),
        detail=Macvlan(mode="bridge"),
    )
    snapshot = adding(docker_like_snapshot(), HOST, "links", upper)
    arriving = LinkRef(namespace=HOST, ifindex=UPLINK)
    found = walk(View(snapshot), packet(OUTSIDE, "203.0.113.2", "tcp", 22), origin="", arriving=arriving)
    assert (found.last_namespace, found.end in {"delivered", "refused"}) == (HOST, True), found.decided_by
    assert {hop.interface for hop in found.hops} <= {"eth0", ""}


def with_macvlan() -> Snapshot:
    """``web`` has a macvlan of the uplink instead."""
    snapshot = docker_like_snapshot()
    upper = Link(
        ifindex=VETH_WEB - 1,
        name="eth0",
        kind="macvlan",
        mac="02:42:00:00:00:31",
        mtu=1500,
        up=True,
        carrier=True,
        lower=UPLINK,
        lower_nsid=0,
        peer=LinkRef(namespace=HOST, ifindex=UPLINK),
        detail=Macvlan(mode="bridge"),
    )

    ns = namespace(snapshot, WEB)
    return with_namespace(
        snapshot,
        WEB,
        links=(ns.links[0], upper),
        addresses=(
            ns.addresses[0],
            Address(ifindex=upper.ifindex, family="ip", address="203.0.113.31", prefixlen=24),
        ),
        routes=(
            route("203.0.113.0/24", ifindex=upper.ifindex, scope="link"),
            route("0.0.0.0/0", ifindex=upper.ifindex, gateway="203.0.113.1"),
            route("203.0.113.31/32", ifindex=upper.ifindex, table=255, type="local", scope="host"),
        ),
    )


@pytest.mark.parametrize(("state", "end"), [({}, "left"), ({"carrier": False, "operstate": "DOWN"}, "unreachable")])
def test_nothing_leaves_by_a_pair_whose_other_end_is_down(state: dict[str, object], end: str) -> None:
    """Its other end is known, and in a namespace that the snapshot leaves out: a lab's or a virtual machine's wire."""
    wire = LinkRef(namespace="net:[9]", ifindex=2)
    snapshot = with_link(docker_like_snapshot(), HOST, "eth0", kind="veth", peer=wire, **state)
    found = sent(snapshot, WEB, packet("172.17.0.2", OUTSIDE))
    assert found.end == end, found.decided_by


def test_nothing_leaves_by_an_uplink_without_carrier() -> None:
    snapshot = with_link(docker_like_snapshot(), HOST, "eth0", carrier=False, operstate="DOWN")
    assert traced(snapshot, "web", "outside").arrives is False


def test_a_multicast_packet_is_not_followed() -> None:
    found = sent(docker_like_snapshot(), APP1, packet(ONE, "239.1.2.3", "udp", 53))
    assert found.end == "unknown"


# -- netfilter and beyond ---------------------------------------------------------------------


def with_entry(entry: ConntrackEntry) -> Snapshot:
    return with_namespace(docker_like_snapshot(), HOST, conntrack=(entry,))


def entry(original: tuple[str, str, int, int], answer: tuple[str, str, int, int], **more: Any) -> ConntrackEntry:
    """A tracked UDP connection: source, destination, source port, port of each direction."""

    def tuple_of(of: tuple[str, str, int, int]) -> ConntrackTuple:
        return ConntrackTuple(src=of[0], dst=of[1], sport=of[2], dport=of[3])

    return ConntrackEntry(family="ip", proto="udp", original=tuple_of(original), reply=tuple_of(answer), **more)


def from_outside(snapshot: Snapshot, what: Packet) -> Walk:
    return walk(View(snapshot), what, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=UPLINK))


def test_a_stale_connection_is_not_translated_anew() -> None:
    snapshot = with_entry(
        entry(
            (OUTSIDE, "203.0.113.2", 40000, 8080),
            ("203.0.113.2", OUTSIDE, 8080, 40000),
        )
    )
    udp = with_udp_publishing(snapshot)
    found = from_outside(udp, packet(OUTSIDE, "203.0.113.2", "udp", 8080))
    assert found.last_namespace == HOST
    other = from_outside(udp, packet(OUTSIDE, "203.0.113.2", "udp", 8080, sport=40001))
    assert other.last_namespace == WEB  # a new connection is translated


def with_udp_publishing(snapshot: Snapshot) -> Snapshot:
    """Nothing is filtered, and UDP to port 8080 is translated as TCP is otherwise."""
    exprs = (match("proto", "udp"), match("dport", "8080"), Nat(kind="dnat", addresses="172.17.0.2", ports="53"))
    dnat = chain("PREROUTING", [("udp", exprs)], hook="prerouting", priority=-100, type="nat", policy="accept")
    masquerade = (match("oif", "eth0"), Nat(kind="masquerade"))
    snat = chain("POSTROUTING", [("out", masquerade)], hook="postrouting", priority=100, type="nat", policy="accept")
    table = Table(family="ip", name="nat", backend="iptables-nft", chains=(dnat, snat))
    return with_namespace(snapshot, HOST, firewall=Firewall(tables=(table,)))


def test_an_existing_translation_leads_on() -> None:
    snapshot = with_entry(
        entry(
            (OUTSIDE, "203.0.113.2", 40000, 9999),
            ("10.10.0.2", OUTSIDE, 53, 40000),
            status=("dst-nat", "seen-reply"),
        )
    )
    found = from_outside(with_udp_publishing(snapshot), packet(OUTSIDE, "203.0.113.2", "udp", 9999))
    assert (found.last_namespace, found.last.dst, found.last.dport) == (APP1, "10.10.0.2", 53)


def test_a_packet_of_the_answering_direction_is_translated_back() -> None:
    snapshot = with_entry(
        entry(
            ("10.10.0.2", OUTSIDE, 53, 40000),
            (OUTSIDE, "203.0.113.2", 40000, 61000),
            status=("src-nat", "seen-reply"),
        )
    )
    found = from_outside(with_udp_publishing(snapshot), packet(OUTSIDE, "203.0.113.2", "udp", 61000))
    assert (found.last_namespace, found.last.dst, found.last.dport) == (APP1, "10.10.0.2", 53)


def unfiltered() -> Snapshot:
    """The host with its translations alone."""
    return with_udp_publishing(docker_like_snapshot())


def test_the_answer_of_an_untracked_packet_is_not_translated_back() -> None:

    snapshot = unfiltered()
    firewall = namespace(snapshot, HOST).firewall
    assert firewall is not None
    rules = [("notrack", (match("iif", "docker0"), NoTrack()))]
    base = chain("PREROUTING", rules, hook="prerouting", priority=-300, type="filter", policy="accept")
    raw = Table(family="ip", name="raw", backend="iptables-nft", chains=(base,))
    snapshot = with_namespace(
        snapshot, HOST, firewall=msgspec.structs.replace(firewall, tables=(*firewall.tables, raw))
    )
    assert traced(snapshot, "web", "outside").arrives is False


def test_a_proxy_whose_container_cannot_be_reached_answers_nobody() -> None:
    snapshot = with_proxy(with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", up=False))
    assert traced(snapshot, "host", "127.0.0.1", port=8080).arrives is False


def test_a_proxy_whose_container_listens_answers() -> None:
    assert traced(with_proxy(docker_like_snapshot()), "host", "127.0.0.1", port=8080).arrives is True


def with_proxy(snapshot: Snapshot) -> Snapshot:

    proxy = PortProxy(
        pid=177,
        netns=HOST,
        proto="tcp",
        host_ip="0.0.0.0",  # noqa: S104 - described, not bound
        host_port=8080,
        container_ip="172.17.0.2",
        container_port=80,
    )
    return msgspec.structs.replace(snapshot, proxies=(proxy,))


def test_a_socket_on_the_address_takes_what_one_on_all_would_as_well() -> None:
    sockets = (
        Socket(proto="udp", address="0.0.0.0", port=53, process="general"),  # noqa: S104 - described, not bound
        Socket(proto="udp", address="10.10.0.1", port=53, process="special"),
    )
    snapshot = with_namespace(unfiltered(), HOST, sockets=sockets)
    found = sent(snapshot, APP1, packet(ONE, "10.10.0.1", "udp", 53))
    assert found.decided_by is not None
    assert found.decided_by.text.startswith("special ")


def with_policies(*policies: XfrmPolicy, snapshot: Snapshot | None = None) -> Snapshot:
    return with_namespace(snapshot or unfiltered(), HOST, xfrm_policies=len(policies), xfrm=policies)


def policy(direction: Literal["in", "out", "fwd"], src: str, dst: str, **more: Any) -> XfrmPolicy:
    return XfrmPolicy(family="ip", direction=direction, src=src, dst=dst, **more)


TUNNEL = (XfrmTemplate(proto="esp", mode="tunnel", src="203.0.113.2", dst="198.51.100.9"),)


def outward(snapshot: Snapshot) -> Walk:
    return walk(View(snapshot), packet("172.17.0.2", OUTSIDE), origin=WEB, outside=True)


@pytest.mark.parametrize("direction", ["fwd", "out"])
def test_a_blocking_policy_drops_what_is_forwarded(direction: Literal["fwd", "out"]) -> None:
    found = outward(with_policies(policy(direction, "172.17.0.0/16", "0.0.0.0/0", action="block")))
    assert (found.end, found.obstacles[0].stage) == ("dropped", "xfrm")
    assert found.decided_by is not None
    assert "action block" in found.decided_by.text


@pytest.mark.parametrize(
    "harmless",
    [
        policy("fwd", "172.17.0.0/16", "10.0.0.0/8", action="block"),
        policy("in", "172.17.0.0/16", "0.0.0.0/0", action="block"),
        policy("fwd", "172.17.0.0/16", "0.0.0.0/0", action="block", proto=17),
        policy("fwd", "172.17.0.0/16", "0.0.0.0/0", action="block", proto=6, dport=(443, 0xFFFF)),
        policy("fwd", "172.17.0.0/16", "0.0.0.0/0", action="block", ifindex=BR_APP),
        policy("fwd", "172.17.0.0/16", "0.0.0.0/0"),
    ],
)
def test_a_policy_for_others_lets_pass(harmless: XfrmPolicy) -> None:
    assert outward(with_policies(harmless)).end == "left"


def test_of_several_policies_the_lowest_number_decides() -> None:
    allow = policy("fwd", "172.17.0.0/16", "0.0.0.0/0", priority=5)
    assert (
        outward(with_policies(policy("fwd", "0.0.0.0/0", "0.0.0.0/0", action="block", priority=7), allow)).end == "left"
    )


def test_what_must_be_encrypted_is_not_followed() -> None:
    assert outward(with_policies(policy("out", "172.17.0.0/16", "0.0.0.0/0", templates=TUNNEL))).end == "unknown"


def test_what_should_have_come_encrypted_is_dropped_where_it_certainly_has_not() -> None:
    wanted = policy("fwd", "172.17.0.0/16", "0.0.0.0/0", templates=TUNNEL)
    assert outward(with_policies(wanted)).end == "dropped"
    optional = (msgspec.structs.replace(TUNNEL[0], optional=True),)
    assert outward(with_policies(msgspec.structs.replace(wanted, templates=optional))).end == "left"


def test_a_policy_sees_an_answer_as_it_came_before_its_translation_is_undone() -> None:
    base = docker_like_snapshot()
    inner = policy("fwd", f"{OUTSIDE}/32", "172.17.0.0/16", action="block")
    outer = policy("fwd", f"{OUTSIDE}/32", "203.0.113.2/32", action="block")
    ends = []
    for one in (inner, outer):
        view = View(with_policies(one, snapshot=base))
        there = walk(view, packet("172.17.0.2", OUTSIDE), origin=WEB, outside=True)
        assert there.last.snatted
        ends.append(reply(view, there).end)
    assert ends == ["delivered", "dropped"]


def test_a_device_can_be_exempt_from_policies() -> None:
    block = policy("fwd", "172.17.0.0/16", "0.0.0.0/0", action="block")
    snapshot = with_sysctl(with_policies(block), "net.ipv4.conf.docker0.disable_policy", "1")
    assert outward(snapshot).end == "left"


@pytest.mark.parametrize(
    ("family", "near", "far"), [("ip", "203.0.113.2", "203.0.113.9"), ("ip6", "fd00::2", "fd00::9")]
)
@pytest.mark.parametrize(
    ("device", "more", "end"),
    [
        ("lo", {}, "dropped"),  # the device of the route to oneself, not the one that it comes by
        ("eth0", {}, None),
        ("lo", {"proto": 17, "sport": (1, 0xFFFF)}, "dropped"),
        ("lo", {"proto": 17, "sport": (3, 0xFFFF)}, None),
        ("lo", {"other": ("security context",)}, "unknown"),
        ("lo", {"proto": 17, "sport": (3, 0xFFFF), "other": ("security context",)}, None),
    ],
)
def test_a_policy_about_a_device_means_that_of_the_route(
    family: Literal["ip", "ip6"], near: str, far: str, device: str, more: dict[str, Any], end: str | None
) -> None:
    whole = "0.0.0.0/0" if family == "ip" else "::/0"
    index = NamespaceIndex(namespace(unfiltered(), HOST))
    link = index.link(device)
    assert link is not None
    block = XfrmPolicy(
        family=family, direction="in", src=whole, dst=whole, action="block", ifindex=link.ifindex, **more
    )
    index = NamespaceIndex(namespace(with_policies(block), HOST))
    asked = Packet(family=family, src=far, dst=near, proto="udp", sport=1, dport=2, iif="eth0")
    found = policy_stop(index, asked, "in", came_by=index.link("eth0"), out=None, plain=True)
    assert (found and found.end) == end


ECHO_REPLY = {"ip": 0, "ip6": 129}
ICMP_ERROR = {"ip": 3, "ip6": 1}


@pytest.mark.parametrize(
    ("family", "what", "end"),
    [
        ("ip", "udp", "dropped"),
        ("ip", "tcp", "dropped"),
        ("ip", "echo reply", "dropped"),
        ("ip", "error", None),
        ("ip6", "udp", None),
        ("ip6", "tcp", None),
        ("ip6", "echo reply", "unknown"),  # by the request's device, which may be another
        ("ip6", "error", None),
    ],
)
def test_what_is_made_here_has_a_device_for_policies_only_in_part(
    family: Literal["ip", "ip6"], what: str, end: str | None
) -> None:
    """As real packets of each kind did before a policy with and without ``dev``."""
    near, far = ("203.0.113.2", "203.0.113.9") if family == "ip" else (NEAR6, FAR6)
    kind = {"echo reply": ECHO_REPLY, "error": ICMP_ERROR}.get(what)
    proto = what if kind is None else "icmp" if family == "ip" else "icmpv6"
    packet = Packet(family=family, src=near, dst=far, proto=proto, icmp_type=kind[family] if kind else 0)
    whole = "0.0.0.0/0" if family == "ip" else "::/0"
    for ifindex in (0, UPLINK):
        block = XfrmPolicy(family=family, direction="out", src=whole, dst=whole, action="block", ifindex=ifindex)
        index = NamespaceIndex(namespace(with_policies(block), HOST))
        out = index.link("eth0")
        found = policy_stop(index, packet, "out", came_by=None, out=out, plain=True, made_here=True)
        assert (found and found.end) == (end if ifindex else "dropped")
        passed = policy_stop(index, packet, "out", came_by=None, out=out, plain=True)
        assert passed is not None
        assert passed.end == "dropped"  # what is routed on, and a route that is looked up anew, has its device


NEAR6, FAR6 = "2001:db8:113::2", "2001:db8:113::7"


@pytest.mark.parametrize(
    ("direction", "switches", "freed"),
    [
        ("out", ("ipv4.conf.all.disable_xfrm", "ipv4.conf.eth0.disable_xfrm"), False),
        ("in", ("ipv4.conf.all.disable_policy", "ipv4.conf.eth0.disable_policy"), False),
        ("in", ("ipv6.conf.br-app.disable_policy",), False),  # it comes by this one, but the other has the address
        ("in", ("ipv6.conf.eth0.disable_policy",), True),
        ("in", ("ipv6.conf.all.disable_policy",), True),
        ("fwd", ("ipv6.conf.all.disable_policy",), False),
    ],
)
def test_ipv6_has_exemptions_of_its_own_from_policies(
    direction: Literal["in", "out", "fwd"], switches: tuple[str, ...], freed: bool
) -> None:
    block = XfrmPolicy(family="ip6", direction=direction, src="::/0", dst="::/0", action="block")
    snapshot = adding(
        with_policies(block), HOST, "addresses", Address(ifindex=UPLINK, family="ip6", address=NEAR6, prefixlen=64)
    )
    for switch in switches:
        snapshot = with_sysctl(snapshot, f"net.{switch}", "1")
    index = NamespaceIndex(namespace(snapshot, HOST))
    found = policy_stop(
        index,
        Packet(family="ip6", src=FAR6, dst=NEAR6, proto="udp", sport=1, dport=2),
        direction,
        came_by=None if direction == "out" else index.link("br-app"),
        out=None if direction == "in" else index.link("eth0"),
        plain=True,
    )
    assert (found is None) is freed


@pytest.mark.parametrize(("family", "freed"), [("ip", True), ("ip6", False)])
def test_the_loopback_is_free_of_policies_in_ipv4_alone(family: Literal["ip", "ip6"], freed: bool) -> None:
    whole, own = ("0.0.0.0/0", "127.0.0.1") if family == "ip" else ("::/0", "::1")
    block = XfrmPolicy(family=family, direction="out", src=whole, dst=whole, action="block")
    index = NamespaceIndex(namespace(with_policies(block), HOST))
    packet = Packet(family=family, src=own, dst=own, proto="udp", sport=1, dport=2)
    assert (policy_stop(index, packet, "out", came_by=None, out=index.link("lo"), plain=True) is None) is freed


def test_policies_that_were_not_read_leave_it_open() -> None:
    snapshot = with_namespace(unfiltered(), HOST, xfrm_policies=2)
    assert outward(snapshot).end == "unknown"
    assert outward(with_namespace(unfiltered(), HOST, xfrm_policies=0)).end == "left"


# -- what a trace says ------------------------------------------------------------------------


def traced(snapshot: Snapshot, source: str, target: str, **more: Any) -> Trace:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), **more)


def test_what_leaves_with_a_private_source_is_not_answered() -> None:

    snapshot = docker_like_snapshot()
    firewall = namespace(snapshot, HOST).firewall
    assert firewall is not None
    tables = tuple(
        msgspec.structs.replace(
            table,
            chains=tuple(
                msgspec.structs.replace(item, rules=()) if item.hook == "postrouting" else item for item in table.chains
            ),
        )
        for table in firewall.tables
    )
    snapshot = with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(firewall, tables=tables))
    assert traced(snapshot, "web", "outside").arrives is False


def test_what_leaves_masqueraded_is_answered() -> None:
    assert traced(docker_like_snapshot(), "web", "outside").arrives is True


def redirecting(where: str, hook: Hook, port: str) -> Snapshot:
    """A namespace with a redirect of TCP port 80 to a port of its own, where somebody listens."""
    exprs = (match("proto", "tcp"), match("dport", "80"), Nat(kind="redirect", ports=port))
    base = chain(hook.upper(), [("redirect", exprs)], hook=hook, priority=-100, type="nat", policy="accept")
    table = Table(family="ip", name="nat", backend="iptables-nft", chains=(base,))
    snapshot = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall())
    loopback = route("127.0.0.0/8", ifindex=1, table=255, type="local", scope="host")
    snapshot = adding(snapshot, where, "routes", loopback) if where != HOST else snapshot
    listener = Socket(proto="tcp", address="0.0.0.0", port=int(port), process="proxy")  # noqa: S104 - described
    return with_namespace(snapshot, where, firewall=Firewall(tables=(table,)), sockets=(listener,))


def test_what_a_redirect_leads_to_the_host_was_not_meant_for_it() -> None:
    found = traced(redirecting(HOST, "prerouting", "20559"), "web", "app1")
    assert (found.forward.end, found.received_by, found.intended, found.arrives) == ("delivered", "host", False, False)
    assert found.why == "not meant for who received it: redirected to port 20559 of 172.17.0.1 by nat PREROUTING rule 1"


def test_what_a_proxy_beside_the_sender_takes_is_left_open() -> None:
    found = traced(redirecting(WEB, "output", "15001"), "web", "app1")
    assert (found.received_by, found.intended) == ("web", None)
    assert found.why == "redirected to port 15001 of 127.0.0.1 by nat OUTPUT rule 1"


def test_an_address_that_several_have_is_whose_it_comes_to() -> None:
    found = traced(docker_like_snapshot(), "host", "127.0.0.1", port=8080)
    assert (found.received_by, found.intended) == ("host", True)


def test_a_published_port_is_meant_for_its_container() -> None:
    found = traced(docker_like_snapshot(), "outside", "203.0.113.2", port=8080)
    assert (found.received_by, found.intended, found.arrives) == ("web", True, True)


def test_another_containers_address_that_comes_to_a_double_is_not() -> None:
    double = Address(ifindex=VETH_APP1 - 1, family="ip", address="172.17.0.2", prefixlen=16)
    snapshot = adding(docker_like_snapshot(), APP1, "addresses", double)
    assert traced(snapshot, "app2", "172.17.0.2").intended is not False


def test_a_program_that_only_holds_the_port_answers_nobody() -> None:
    holding = Socket(proto="tcp", address="0.0.0.0", port=8080, process="conmon")  # noqa: S104 - described
    found = traced(with_namespace(docker_like_snapshot(), HOST, sockets=(holding,)), "host", "127.0.0.1", port=8080)
    assert (found.held_by, found.intended, found.arrives) == ("conmon", False, False)
    assert found.why == "conmon only holds the port, so that nobody else takes it, and never answers"


@pytest.mark.parametrize("answers", [True, False])
def test_a_refusal_of_what_answers_a_tracked_connection_goes_that_ones_way(*, answers: bool) -> None:
    """An ICMP error about an answer is related, and in the direction of the connection's first packet."""
    rule = (match("ctstate", "RELATED"), match("ctdir", "ORIGINAL"), verdict("drop"))
    base = chain("FORWARD", [("related", rule)], hook="forward", priority=0, type="filter", policy="accept")
    table = Table(family="ip", name="filter", backend="nftables", chains=(base,))
    snapshot = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=(table,)))
    snapshot = with_sysctl(snapshot, "net.bridge.bridge-nf-call-iptables", "1")
    entry = ConntrackEntry(
        family="ip",
        proto="udp",
        original=ConntrackTuple(src=TWO, dst=ONE, sport=5353, dport=40000),
        reply=ConntrackTuple(src=ONE, dst=TWO, sport=40000, dport=5353),
        status=("seen-reply",),
    )
    snapshot = with_namespace(snapshot, HOST, conntrack=(entry,) if answers else ())
    there = sent(snapshot, APP1, packet(ONE, TWO, "udp", dport=5353))
    assert there.end == "refused"
    back = reply(View(snapshot), there)
    assert back is not None
    assert back.end == ("dropped" if answers else "delivered")


@pytest.mark.parametrize(("zone", "end"), [(0, "unknown"), (5, "delivered")])
def test_a_new_connection_whose_answers_another_one_has_clashes_with_it(zone: int, end: str) -> None:
    """An answer that isn't known for one, as its direction is in another zone, is a new connection of that tuple."""
    entry = ConntrackEntry(
        family="ip",
        proto="udp",
        original=ConntrackTuple(src=TWO, dst=ONE, sport=5353, dport=40000),
        reply=ConntrackTuple(src="10.10.0.9", dst=TWO, sport=40000, dport=5353),
        zone=zone,
        status=("dst-nat",),
    )
    rule = (match("ctstate", "INVALID"), verdict("drop"))
    base = chain("FORWARD", [("invalid", rule)], hook="forward", priority=0, type="filter", policy="accept")
    table = Table(family="ip", name="filter", backend="nftables", chains=(base,))
    listening = Socket(proto="udp", address="0.0.0.0", port=5353, process="x")  # noqa: S104 - described
    snapshot = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=(table,)), conntrack=(entry,))
    snapshot = with_namespace(snapshot, APP2, sockets=(listening,))
    snapshot = with_sysctl(snapshot, "net.bridge.bridge-nf-call-iptables", "1")
    assert sent(snapshot, APP1, packet(ONE, TWO, "udp", dport=5353)).end == end


@pytest.mark.parametrize(
    ("rule", "block", "arrives"),
    [
        (Nat(kind="dnat", addresses="10.10.0.3"), policy("out", "0.0.0.0/0", "10.10.0.3/32"), False),
        (Nat(kind="dnat", addresses="10.10.0.3"), policy("out", "0.0.0.0/0", "10.10.0.9/32"), True),
        (Nat(kind="dnat", ports="81"), policy("out", "0.0.0.0/0", ONE, proto=6, dport=(81, 0xFFFF)), False),
        (Nat(kind="dnat", ports="81"), policy("out", "0.0.0.0/0", ONE, proto=6, dport=(82, 0xFFFF)), True),
    ],
)
def test_policies_are_asked_again_for_the_destination_that_output_gives(
    rule: Nat, block: XfrmPolicy, arrives: bool
) -> None:
    """For a new address with the new route (ip_route_me_harder), for a new port alone (nf_xfrm_me_harder)."""
    nat = chain("OUTPUT", [("to", (rule,))], hook="output", priority=-100, type="nat", policy="accept")
    table = Table(family="ip", name="nat", backend="nftables", chains=(nat,))
    snapshot = with_namespace(unfiltered(), HOST, firewall=Firewall(tables=(table,)))
    blocked = with_policies(msgspec.structs.replace(block, action="block"), snapshot=snapshot)
    found = sent(blocked, HOST, packet("10.10.0.1", ONE))
    assert (found.arrives, found.end == "dropped") == (arrives, not arrives)
    assert sent(snapshot, HOST, packet("10.10.0.1", ONE)).arrives
