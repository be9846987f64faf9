"""What changed between two snapshots, in an operator's words; and what changes by itself and is not told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.diagnostics.difference.base import DifferenceItem
from dnet_tui.diagnostics.difference.snapshots import Difference, compare
from dnet_tui.inspect.model import (
    Address,
    AddressPool,
    BridgePort,
    Endpoint,
    Engine,
    FdbEntry,
    Firewalld,
    FirewalldZone,
    Host,
    LinkRef,
    LinkStats,
    LogLine,
    NameServer,
    Namespace,
    Neighbour,
    PolicyRule,
    PortProxy,
    Process,
    Resolver,
    Snapshot,
    Socket,
    Subnet,
    Unread,
)
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Chain, Element, Firewall, NamedSet, Rule, Table, UnreadTable
from unit.builders.factories import (
    ANY,
    APP1,
    HOST,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
    with_chain,
    with_gaps,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_firewall import docker_filter, docker_nat

BEFORE = docker_like_snapshot()


def space(ident: str, snapshot: Snapshot = BEFORE) -> Namespace:
    return next(ns for ns in snapshot.namespaces if ns.id == ident)


def said(after: Snapshot, before: Snapshot = BEFORE) -> list[str]:
    """The changes as ``scope: text``."""
    return [f"{change.scope}: {change.text}" for change in compare(before, after).changes]


def only(after: Snapshot, before: Snapshot = BEFORE) -> DifferenceItem:
    (change,) = compare(before, after).changes
    return change


def container(name: str, **changes: Any) -> Snapshot:
    items = tuple(msgspec.structs.replace(item, **changes) if item.name == name else item for item in BEFORE.containers)
    return msgspec.structs.replace(BEFORE, containers=items)


def forward(*texts: str) -> Chain:
    rules = tuple(Rule(number=at, text=text) for at, text in enumerate(texts, 1))
    return Chain(name="FORWARD", hook="forward", type="filter", policy="accept", rules=rules)


def host_with(*chains: Chain, **more: Any) -> Snapshot:
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=chains)
    return Snapshot(namespaces=(Namespace(id=HOST, inode=1, kind="host", firewall=Firewall(tables=(table,), **more)),))


def rules_changed(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    return [
        text.removeprefix("host: filter FORWARD: ")
        for text in said(host_with(forward(*after)), host_with(forward(*before)))
    ]


# -- what is no difference ----------------------------------------------------


def test_a_snapshot_does_not_differ_from_itself() -> None:
    outcome = compare(BEFORE, BEFORE)

    assert (outcome.changes, outcome.not_compared) == ((), ())


def test_namespaces_are_recognised_after_a_restart_gave_them_new_inodes() -> None:
    text = msgspec.json.encode(BEFORE).decode().replace("402653", "402654")

    assert said(msgspec.json.decode(text, type=Snapshot)) == []


def test_what_changes_by_itself_is_not_told() -> None:
    after = with_link(BEFORE, HOST, "eth0", stats=LinkStats(rx_packets=99), ifindex=2)
    learnt = Neighbour(ifindex=2, family="ip", address="203.0.113.1", mac="02:00:00:00:00:09", state="STALE")
    sysctls = space(HOST).sysctls | {"net.netfilter.nf_conntrack_count": "17"}
    after = with_namespace(after, HOST, neighbours=(learnt,), sysctls=sysctls, read_at="2026-11-21T10:00:01Z")
    counted = tuple(msgspec.structs.replace(rule, packets=9, handle=77) for rule in docker_nat().chains[0].rules)
    after = with_chain(after, "nat", msgspec.structs.replace(docker_nat().chains[0], rules=counted, packets=5))
    after = msgspec.structs.replace(
        after, containers=tuple(msgspec.structs.replace(item, status="Up 3 hours") for item in after.containers)
    )

    assert said(after) == []


def test_the_same_program_under_another_pid_still_listens() -> None:
    socket = msgspec.structs.replace(space(WEB).sockets[0], pid=4321, inode=99)

    assert said(with_namespace(BEFORE, WEB, sockets=(socket, socket))) == []


# -- links, addresses ---------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"up": False, "carrier": False}, "eth0 went down"),
        ({"carrier": False}, "eth0 lost its carrier"),
        ({"mtu": 1400}, "eth0: mtu 1500 → 1400"),
        ({"alias": "spare"}, "eth0: alias none → spare"),
    ],
)
def test_an_interface_of_a_container_is_told_under_its_name(changes: dict[str, Any], text: str) -> None:
    assert said(with_link(BEFORE, WEB, "eth0", **changes)) == [f"web: {text}"]
    assert compare(with_link(BEFORE, WEB, "eth0", **changes), BEFORE).changes != ()


def test_a_port_that_leaves_its_bridge_says_which() -> None:
    assert said(with_link(BEFORE, HOST, "veth5f0a1b2", master=None)) == [
        "host: veth5f0a1b2 is no longer a port of docker0"
    ]
    assert said(with_link(BEFORE, HOST, "veth5f0a1b2", master=4)) == [
        "host: veth5f0a1b2 is now a port of br-app (was of docker0)"
    ]


def test_attributes_of_a_port_are_told_by_name() -> None:
    port = BridgePort(state="blocking", isolated=True)

    assert said(with_link(BEFORE, HOST, "veth5f0a1b2", port=port)) == [
        "host: veth5f0a1b2: port state forwarding → blocking",
        "host: veth5f0a1b2: port isolated off → on",
    ]


def test_a_restarted_containers_veth_is_the_same_under_another_name() -> None:
    sysctls = space(HOST).sysctls
    renamed = {key.replace("veth5f0a1b2", "veth0000001"): value for key, value in sysctls.items()}
    links = tuple(
        msgspec.structs.replace(link, name="veth0000001") if link.name == "veth5f0a1b2" else link
        for link in space(HOST).links
    )
    after = with_namespace(BEFORE, HOST, links=links, sysctls=renamed)

    assert said(after) == ["host: veth5f0a1b2 is now called veth0000001"]


def test_an_interface_that_appears_brings_its_addresses_routes_and_parameters() -> None:
    host = space(HOST)
    link = msgspec.structs.replace(host.links[1], ifindex=77, name="wg0", kind="wireguard")
    after = with_namespace(
        BEFORE,
        HOST,
        links=(*host.links, link),
        addresses=(*host.addresses, Address(ifindex=77, family="ip", address="10.9.0.1", prefixlen=24)),
        routes=(*host.routes, route("10.9.0.0/24", ifindex=77, protocol="kernel"), route("10.8.0.0/16", ifindex=77)),
        sysctls=host.sysctls | {"net.ipv4.conf.wg0.forwarding": "1"},
    )

    assert said(after) == [
        "host: wg0 appeared (wireguard, up, mtu 1500, 10.9.0.1/24)",
        "host: route to 10.8.0.0/16 dev wg0 added",
    ]
    assert said(BEFORE, after)[0] == "host: wg0 is gone (wireguard, up, mtu 1500, 10.9.0.1/24)"


def test_addresses_come_and_go_by_interface() -> None:
    host = space(HOST)
    after = with_namespace(BEFORE, HOST, addresses=host.addresses[:-1])

    assert said(after) == ["host: br-app lost 10.10.0.1/24"]
    assert said(BEFORE, after) == ["host: br-app got 10.10.0.1/24"]


def test_a_veth_whose_other_end_is_elsewhere_says_so() -> None:
    after = with_link(BEFORE, HOST, "veth5f0a1b2", peer=LinkRef(namespace=APP1, ifindex=7))

    assert said(after) == ["host: veth5f0a1b2: other end eth0 of web → eth0 of app1"]
    assert VETH_WEB == 6


# -- routing, parameters, listeners -------------------------------------------


def test_a_route_that_leads_elsewhere_is_one_change() -> None:
    host = space(HOST)
    moved = (route("0.0.0.0/0", ifindex=2, gateway="203.0.113.9"), *host.routes[1:])

    change = only(with_namespace(BEFORE, HOST, routes=moved))

    assert change.text == "IPv4 default route: via 203.0.113.1 dev eth0 → via 203.0.113.9 dev eth0"
    assert (change.kind, change.before, change.after) == (
        "changed", "via 203.0.113.1 dev eth0", "via 203.0.113.9 dev eth0",
    )  # fmt: skip


def test_a_route_that_is_gone_and_one_of_another_table() -> None:
    host = space(HOST)
    after = with_namespace(BEFORE, HOST, routes=(*host.routes[1:], route("10.0.0.0/8", ifindex=2, table=100)))

    assert said(after) == [
        "host: IPv4 default route via 203.0.113.1 dev eth0 is gone",
        "host: route to 10.0.0.0/8 in table 100 dev eth0 added",
    ]


def test_the_kernels_own_local_table_is_not_compared() -> None:
    host = space(HOST)
    after = with_namespace(BEFORE, HOST, routes=tuple(item for item in host.routes if item.table != 255))

    assert said(after) == []


def test_a_policy_rule_is_told_as_ip_rule_writes_it() -> None:
    rules = (*space(HOST).policy_rules, PolicyRule(family="ip", priority=100, src="10.0.0.0/8", table=7, mark=1))

    assert said(with_namespace(BEFORE, HOST, policy_rules=rules)) == [
        "host: policy rule 100 “from 10.0.0.0/8 fwmark 0x1 lookup 7” added"
    ]


def test_a_changed_sysctl_shows_both_values() -> None:
    change = only(with_sysctl(BEFORE, "net.ipv4.ip_forward", "0"))

    assert (change.scope, change.text) == ("host", "net.ipv4.ip_forward 1 → 0")
    assert (change.kind, change.what, change.before, change.after) == ("changed", "net.ipv4.ip_forward", "1", "0")


def test_ipv6s_own_mtu_is_told_only_where_it_is_another_than_the_devices() -> None:
    key = "net.ipv6.conf.docker0.mtu"
    before = with_sysctl(BEFORE, key, "1500")
    narrow = with_link(before, HOST, "docker0", mtu=1400)

    assert len(said(with_sysctl(narrow, key, "1400"), before)) == 1
    assert said(with_sysctl(before, key, "1300"), before) == [f"host: {key} 1500 → 1300"]
    assert said(before) == []  # an older file doesn't have it


def test_who_stops_listening_and_who_begins() -> None:
    after = with_namespace(
        BEFORE, WEB, sockets=(Socket(proto="tcp", address="::", port=443, process="nginx", pid=1, inode=5),)
    )

    assert said(after) == [
        f"web: nothing listens on tcp {ANY}:80 any more (was httpd)",
        "web: nginx listens on tcp [::]:443",
    ]


def test_a_fixed_neighbour_is_told() -> None:
    fixed = Neighbour(ifindex=5, family="ip", address="172.17.0.1", mac="02:42:bb", state="PERMANENT")

    assert said(with_namespace(BEFORE, WEB, neighbours=(fixed,))) == [
        "web: fixed neighbour 172.17.0.1 at eth0 (02:42:bb) added"
    ]


# -- rules --------------------------------------------------------------------


def test_a_rule_is_told_with_its_place() -> None:
    assert rules_changed(("a", "b"), ("-j DROP", "a", "b")) == ["rule “-j DROP” inserted as number 1"]
    assert rules_changed(("a", "b"), ("a", "b", "-j DROP")) == ["rule “-j DROP” appended as number 3"]
    assert rules_changed(("a", "b"), ("b",)) == ["rule 1 “a” removed"]
    assert rules_changed(("a", "b", "c", "d"), ("d", "a", "b", "c")) == ["rule “d” moved from number 4 to 1"]


def test_a_rule_that_gave_way_to_a_similar_one_was_changed() -> None:
    before, after = "-s 10.0.0.0/8 -i docker0 -j ACCEPT", "-s 10.0.0.0/8 -i docker0 -j DROP"

    assert rules_changed(("a", before, "b"), ("a", after, "b")) == [f"rule 2 “{before}” is now “{after}”"]
    assert rules_changed(("a", "-j X", "b"), ("a", "-p tcp -j Y", "b")) == [
        "rule 2 “-j X” removed",
        "rule “-p tcp -j Y” inserted as number 2",
    ]


def test_a_rule_that_stands_once_more_is_added() -> None:
    assert rules_changed(("a", "b"), ("a", "a", "b")) == ["rule “a” inserted as number 2"]


def test_two_rules_that_changed_places_are_one_move() -> None:
    assert len(rules_changed(("a", "b"), ("b", "a"))) == 1


TEXTS = st.lists(st.sampled_from("abcdefg"), max_size=12).map(tuple)


@given(TEXTS, TEXTS)
def test_what_is_told_of_a_chain_makes_the_one_out_of_the_other(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    changes = compare(host_with(forward(*before)), host_with(forward(*after))).changes

    assert (not changes) == (before == after)
    rest = list(before)
    for change in changes:
        for text in change.before.split("\n") if change.kind == "removed" else [change.before]:
            if change.kind in {"removed", "changed"}:
                rest.remove(text)
    rest += [change.after for change in changes if change.kind in {"added", "changed"}]
    assert sorted(rest) == sorted(after)


def test_a_flushed_chain_is_one_change_and_a_policy_another() -> None:
    chain = docker_filter().chains[1]
    emptied = msgspec.structs.replace(chain, rules=(), policy="accept")

    assert said(with_chain(BEFORE, "filter", emptied)) == [
        f"host: filter {chain.name}: policy drop → accept",
        f"host: filter {chain.name}: all {len(chain.rules)} rules are gone",
    ]


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (Table(family="ip6", name="filter", backend="iptables-nft"), "IPv6 filter"),
        (Table(family="ip", name="filter", backend="iptables-legacy"), "legacy filter"),
        (Table(family="inet", name="firewalld", backend="nftables"), "nft inet firewalld"),
    ],
)
def test_a_table_that_appears_is_named_with_what_tells_it_apart(table: Table, name: str) -> None:
    firewall = space(HOST).firewall
    assert firewall is not None
    after = with_namespace(BEFORE, HOST, firewall=Firewall(tables=(*firewall.tables, table)))

    assert said(after) == [f"host: table {name} appeared (0 chains, 0 rules)"]


def test_a_sets_elements_are_told_unless_packets_add_them() -> None:
    def named(*keys: str, dynamic: bool = False) -> NamedSet:
        return NamedSet(
            name="bad", type="hash:ip", dynamic=dynamic, elements=tuple(Element(key=(key,)) for key in keys)
        )

    before, after = host_with(ipsets=(named("10.0.0.1"),)), host_with(ipsets=(named("10.0.0.1", "10.0.0.2"),))

    assert said(after, before) == ["host: ipset bad: 1 element added (10.0.0.2)"]
    assert said(host_with(ipsets=(named("a", dynamic=True),)), host_with(ipsets=(named("b", dynamic=True),))) == []
    assert said(host_with(), before) == ["host: ipset bad is gone"]


# -- containers, networks, engines --------------------------------------------


def test_a_stopped_container_says_that_and_no_more() -> None:
    rest = tuple(ns for ns in BEFORE.namespaces if ns.id != WEB)
    after = msgspec.structs.replace(container("web", running=False, netns=None, pid=None), namespaces=rest)

    assert "web: stopped" in said(after)
    assert not [text for text in said(after) if text.startswith("web:") and text != "web: stopped"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"image": "lab/busybox:2"}, "image lab/busybox:1 → lab/busybox:2"),
        ({"pid": 9999}, "was restarted"),
        ({"id": "f" * 64}, "was made anew"),
        ({"published": ()}, f"no longer publishes {ANY}:8080 → 80/tcp"),
        ({"mode": "host"}, "mode bridge → host"),
    ],
)
def test_a_containers_settings_are_told_in_words(changes: dict[str, Any], text: str) -> None:
    assert said(container("web", **changes)) == [f"web: {text}"]


def test_other_name_servers_are_told_and_unknown_ones_are_not() -> None:
    asks = Resolver(source="/x/resolv.conf", servers=("127.0.0.11",), upstreams=(NameServer(address="10.0.0.53"),))
    other = Resolver(source="/x/resolv.conf", servers=("10.0.0.54",))
    before = container("web", resolver=asks)

    assert said(container("web", resolver=other), before) == [
        "web: asks for names 127.0.0.11 (then 10.0.0.53) → 10.0.0.54"
    ]
    assert said(BEFORE, before) == []


def test_a_container_on_another_network_says_which_and_its_address() -> None:
    endpoint = Endpoint(network="net-app", addresses=("10.10.0.9/24",))

    assert said(container("web", endpoints=(endpoint,))) == [
        "web: left network bridge (172.17.0.2/16)",
        "web: joined network app (10.10.0.9/24)",
    ]


def test_a_new_container_is_told_once() -> None:
    spaces = tuple(ns for ns in BEFORE.namespaces if ns.id != WEB)
    before = msgspec.structs.replace(
        BEFORE, containers=tuple(item for item in BEFORE.containers if item.name != "web"), namespaces=spaces
    )
    text = f"docker, running, mode bridge, on bridge 172.17.0.2/16, publishes {ANY}:8080 → 80/tcp"

    assert [change for change in said(BEFORE, before) if change.startswith("web:")] == [
        f"web: the container appeared ({text})"
    ]


def test_a_networks_settings_are_told_in_words() -> None:
    app = msgspec.structs.replace(BEFORE.networks[1], internal=True, subnets=(Subnet(cidr="10.11.0.0/24"),))
    after = msgspec.structs.replace(BEFORE, networks=(BEFORE.networks[0], app, *BEFORE.networks[2:]))

    assert said(after) == [
        "network app: internal off → on",
        "network app: subnet 10.10.0.0/24 via 10.10.0.1 is gone",
        "network app: subnet 10.11.0.0/24 added",
    ]


def test_an_engines_version_and_a_proxy_are_told() -> None:
    engine = msgspec.structs.replace(BEFORE.engines[0], version="28.5")
    proxy = PortProxy(
        pid=5, netns=HOST, proto="tcp", host_ip=ANY, host_port=8080, container_ip="172.17.0.2", container_port=80
    )
    after = msgspec.structs.replace(BEFORE, engines=(engine,), proxies=(proxy,))

    assert said(after) == [
        "engine docker: version 20.10.24 → 28.5",
        f"host: the proxy process for tcp {ANY}:8080 runs now",
    ]


def test_another_host_is_said_first() -> None:
    assert said(msgspec.structs.replace(BEFORE, host=Host(hostname="other", kernel="6.1.0")))[0] == (
        "host: host name lab → other"
    )


def test_a_namespace_without_a_name_is_known_by_its_process() -> None:
    def with_process(ident: str) -> Snapshot:
        extra = Namespace(id=ident, inode=5, kind="process", processes=(Process(pid=1, start=2, name="vpnd"),))
        return msgspec.structs.replace(BEFORE, namespaces=(*BEFORE.namespaces, extra))

    assert said(with_process("net:[5]"), with_process("net:[9]")) == []
    assert said(with_process("net:[5]")) == ["namespace of vpnd: the network namespace appeared"]


# -- what couldn't be seen ----------------------------------------------------


def one_sided(outcome: Difference) -> list[tuple[str, str, str]]:
    return [(item.section, item.scope, item.side) for item in outcome.not_compared]


def test_what_was_not_seen_is_not_told_as_removed() -> None:
    gap = Gap(section="firewall", scope=HOST, reason="no permission")
    outcome = compare(BEFORE, with_gaps(with_namespace(BEFORE, HOST, firewall=Unread(reason="permission denied")), gap))

    assert outcome.changes == ()
    assert one_sided(outcome) == [("firewall", "host", "after")]
    assert outcome.is_one_sided


def test_a_table_that_was_not_read_is_not_told_as_removed() -> None:
    firewall = space(HOST).firewall
    assert firewall is not None
    unread = UnreadTable(family="ip", name="nat", backend="iptables-nft", reason="locked")
    after = with_namespace(BEFORE, HOST, firewall=Firewall(tables=firewall.tables[:1], unread=(unread,)))

    assert said(with_gaps(after, Gap(section="firewall", scope=HOST, reason="locked"))) == []


def test_what_was_seen_all_the_same_is_compared() -> None:
    gap = Gap(section="routes", scope=HOST, reason="the table changed while it was read")
    routes = space(HOST).routes
    after = with_gaps(with_namespace(BEFORE, HOST, routes=routes[1:]), gap)

    assert said(after) == []
    assert said(with_gaps(with_namespace(BEFORE, HOST, routes=(*routes, route("10.9.0.0/24", ifindex=2))), gap)) == [
        "host: route to 10.9.0.0/24 dev eth0 added"
    ]


def test_a_silent_engine_does_not_make_its_containers_disappear() -> None:
    silent = msgspec.structs.replace(
        BEFORE,
        engines=(Engine(name="docker", socket="/run/docker.sock", reachable=False),),
        containers=tuple(
            msgspec.structs.replace(item, name=item.id[:12], image="", endpoints=(), published=())
            for item in BEFORE.containers
        ),
        networks=(),
    )
    outcome = compare(BEFORE, with_gaps(silent, Gap(section="engine", scope="docker", reason="it does not answer")))

    assert [(change.scope, change.text) for change in outcome.changes] == [
        ("engine docker", "does not answer any more")
    ]
    assert one_sided(outcome) == [("engine", "docker", "after")]


def test_a_gap_of_both_is_said_and_leaves_the_rest_decided() -> None:
    gap = Gap(section="sockets", scope=HOST, reason="no permission")
    outcome = compare(with_gaps(BEFORE, gap), with_gaps(BEFORE, gap))

    assert one_sided(outcome) == [("sockets", "host", "both")]
    assert not outcome.is_one_sided


def test_the_log_of_an_engine_is_no_state_and_its_pools_are() -> None:
    line = LogLine(kind="port-taken", text="bind: address already in use")
    (docker,) = BEFORE.engines
    pools = (AddressPool(base="172.16.0.0/12", size=16),)

    def engine(**changes: Any) -> Snapshot:
        return msgspec.structs.replace(BEFORE, engines=(msgspec.structs.replace(docker, **changes),))

    assert said(engine(log=(line,))) == []
    assert said(engine(address_pools=pools), engine(address_pools=())) == [
        "engine docker: address pools none → 172.16.0.0/12 in /16"
    ]
    assert said(engine(address_pools=pools)) == [], "nobody knew them before"


def test_what_surrounds_the_networks_is_compared_where_both_sides_saw_it() -> None:
    def firewalld(*zones: FirewalldZone, **more: Any) -> Snapshot:
        return msgspec.structs.replace(BEFORE, firewalld=Firewalld(pid=1, zones=zones, **more))

    public, docker = (
        FirewalldZone(name="public"),
        FirewalldZone(name="docker", target="ACCEPT", interfaces=("docker0",)),
    )
    assert said(firewalld(public, docker), firewalld(public)) == [
        "firewalld: zone docker appeared (target ACCEPT, docker0)"
    ]
    assert said(firewalld(default_zone="drop"), firewalld(default_zone="public")) == [
        "firewalld: default zone public → drop"
    ]
    assert said(firewalld(public)) == [], "whether it ran before isn't known"

    def servers(*addresses: str) -> Snapshot:
        resolver = Resolver(source="/etc/resolv.conf", servers=addresses)
        return msgspec.structs.replace(BEFORE, host=msgspec.structs.replace(BEFORE.host, resolver=resolver))

    assert said(servers("192.0.2.1"), servers("192.0.2.2")) == ["host: name servers 192.0.2.2 → 192.0.2.1"]
    assert said(servers("192.0.2.1")) == []


def test_ipsec_and_static_ways_are_told_and_what_a_bridge_learns_is_not() -> None:
    assert said(with_namespace(BEFORE, HOST, xfrm_policies=2), with_namespace(BEFORE, HOST, xfrm_policies=0)) == [
        "host: IPsec policies 0 → 2"
    ]
    assert said(with_namespace(BEFORE, HOST, xfrm_policies=2)) == []
    way = FdbEntry(ifindex=2, mac="00:00:00:00:00:00", state="PERMANENT", remote="192.0.2.9")
    learnt = FdbEntry(ifindex=2, mac="02:00:00:00:00:07", state="REACHABLE", remote="192.0.2.9")
    assert said(with_namespace(BEFORE, HOST, fdb=(*space(HOST).fdb, way, learnt))) == [
        "host: 00:00:00:00:00:00 by eth0 to 192.0.2.9 added"
    ]


def test_a_routes_locked_mtu_is_told() -> None:
    one = with_namespace(BEFORE, HOST, routes=(*space(HOST).routes, route("10.50.0.0/16", ifindex=2, mtu=1400)))
    other = with_namespace(
        BEFORE, HOST, routes=(*space(HOST).routes, route("10.50.0.0/16", ifindex=2, mtu=1400, mtu_locked=True))
    )
    assert only(other, one).after.endswith("mtu lock 1400")
