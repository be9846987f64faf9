"""The checks by IPv6: each fault is found first, its remedy is one of IPv6 and cures it; near misses aren't."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import derive
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    BridgePort,
    Family,
    Link,
    LinkRef,
    Neighbour,
    NextHop,
    PolicyRule,
    PublishedPort,
    Route,
    Snapshot,
    require,
)
from dnet_tui.inspect.model.firewall import Chain, Firewall, Table
from scenarios.hosts.reported import serious
from unit.builders.factories import APP1, DOCKER0, HOST, UPLINK, WEB, with_namespace, with_sysctl
from unit.builders.factories_six import route6, six_snapshot, without_ipv4

FAMILIES: tuple[Family, ...] = ("ip", "ip6")
TWIN = "-p tcp -m tcp --dport 25 -j DROP"


def insert(spec: str, chain: str = "FORWARD", table: str = "filter", snapshot: Snapshot | None = None) -> Snapshot:
    rule = InsertRule(backend="iptables-nft", family="ip6", table=table, chain=chain, spec=spec, position=1)
    return after(snapshot or six_snapshot(), [rule])


def delete(spec: str, chain: str, table: str = "filter", snapshot: Snapshot | None = None) -> Snapshot:
    base = snapshot or six_snapshot()
    tables = firewall(base).tables
    rules = next(
        c for t in tables if (t.family, t.name) == ("ip6", table) for c in t.chains if c.name == chain
    ).rules  # fmt: skip
    number = next(rule.number for rule in rules if rule.text == spec)
    operation = DeleteRule(backend="iptables-nft", family="ip6", table=table, chain=chain, spec=spec, position=number)
    return after(base, [operation])


def firewall(snapshot: Snapshot) -> Firewall:
    found = next(ns for ns in snapshot.namespaces if ns.id == HOST).firewall
    return require(found)


def without(field: str, ident: str, unwanted: Callable[[object], bool], snapshot: Snapshot | None = None) -> Snapshot:
    base = snapshot or six_snapshot()
    ns = next(ns for ns in base.namespaces if ns.id == ident)
    return with_namespace(base, ident, **{field: tuple(item for item in getattr(ns, field) if not unwanted(item))})


def adding(field: str, ident: str, *items: object, snapshot: Snapshot | None = None) -> Snapshot:
    base = snapshot or six_snapshot()
    ns = next(ns for ns in base.namespaces if ns.id == ident)
    return with_namespace(base, ident, **{field: (*getattr(ns, field), *items)})


def default6(item: object) -> bool:
    return isinstance(item, Route) and item.dst == "::/0"


def led_away() -> Snapshot:
    away = route6("::/0", NextHop(ifindex=UPLINK, gateway="2001:db8::1"), table=52)
    return adding("routes", HOST, away, snapshot=adding("policy_rules", HOST, rule52()))


def rule52() -> PolicyRule:
    return PolicyRule(family="ip6", priority=5270, table=52)


def flushed6() -> Snapshot:
    base = six_snapshot()
    return with_namespace(
        base, HOST, firewall=Firewall(tables=tuple(t for t in firewall(base).tables if t.family == "ip"))
    )


def unruled(snapshot: Snapshot) -> Snapshot:
    """As before Docker 27: ip6tables off."""
    engines = tuple(msgspec.structs.replace(engine, ip6tables=False) for engine in snapshot.engines)
    return msgspec.structs.replace(snapshot, engines=engines)


def alone(*namespaces: str) -> Snapshot:
    """A host that listens on IPv4 alone in these containers."""
    base = six_snapshot()
    for ident in namespaces:
        base = without("sockets", ident, lambda item: getattr(item, "address", "") == "::", base)
    return base


FAULTS: dict[str, tuple[str, Callable[[], Snapshot]]] = {
    "masq-missing": (
        "ip6tables-nft",
        lambda: delete("-s fd00:17::/64 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"),
    ),
    "isolation-missing": ("ip6tables-nft", lambda: delete("-j DOCKER-ISOLATION-STAGE-1", "FORWARD")),
    "drop-before-docker": ("ip6tables-nft", lambda: insert("-j REJECT --reject-with icmp6-port-unreachable")),
    "user-chain-drop": ("ip6tables-nft", lambda: insert("-i eth0 -j DROP", "DOCKER-USER")),
    "fwd-jump-missing": ("ip6tables-nft", lambda: delete("-i docker0 ! -o docker0 -j ACCEPT", "FORWARD")),
    "nat-jump-missing": (
        "ip6tables-nft",
        lambda: delete("-m addrtype --dst-type LOCAL -j DOCKER", "PREROUTING", "nat"),
    ),
    "stale-dnat": (
        "ip6tables-nft",
        lambda: insert(
            "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:17::77]:80", "DOCKER", "nat"
        ),
    ),
    "ip6-fwd-off": ("sysctl", lambda: with_sysctl(six_snapshot(), "net.ipv6.conf.all.forwarding", "0")),
    "nfcall-drop": ("ip6tables-nft", lambda: delete("-i br-app -o br-app -j ACCEPT", "FORWARD")),
    "bridge-no-ip": (
        "ip",
        lambda: without(
            "routes",
            HOST,
            lambda item: getattr(item, "dst", "") in {"fd00:17::/64", "fd00:17::1/128"},
            without("addresses", HOST, lambda item: getattr(item, "address", "") == "fd00:17::1"),
        ),
    ),
    "ctr-no-gw": ("nsenter", lambda: without("routes", WEB, default6)),
    "ctr-wrong-gw": (
        "nsenter",
        lambda: adding(
            "routes",
            WEB,
            route6("::/0", NextHop(ifindex=5, gateway="fd00:17::fe")),
            snapshot=without("routes", WEB, default6),
        ),
    ),
    "stale-neigh": (
        "ip",
        lambda: adding(
            "neighbours",
            HOST,
            Neighbour(
                ifindex=DOCKER0, family="ip6", address="fd00:17::2", mac="02:00:00:00:00:99", state="PERMANENT"
            ),
        ),
    ),
    "more-specific-route": (
        "ip",
        lambda: adding(
            "routes", HOST, route6("fd00:17::2/128", NextHop(ifindex=UPLINK, gateway="2001:db8::1"), protocol="static")
        ),
    ),
    "policy-route": ("ip", led_away),
}  # fmt: skip


@pytest.mark.parametrize("snapshot", [six_snapshot(), without_ipv4(six_snapshot())], ids=["both", "IPv6 alone"])
def test_a_healthy_host_has_no_finding_and_its_flows_of_ipv6_are_walked(snapshot: Snapshot) -> None:
    report = run_checks(snapshot)
    assert [finding for finding in report.findings if finding.severity != "info"] == []
    assert {result.outcome for result in report.checks} <= {"ok", "found"}
    flows = [flow for flow in derive(HostContext(snapshot)) if flow.family == "ip6"]
    kinds = {flow.kind for flow in flows}
    inside = {"host-to-container", "container-to-host"}
    assert kinds == {"egress", "same-network", "cross-network", "published"} | inside
    assert all(flow.arrives is flow.expected for flow in flows)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_ipv6_is_the_only_thing_reported_and_its_remedy_cures_it(fault: str) -> None:
    program, make = FAULTS[fault]
    broken = make()
    found = serious(broken)
    assert [finding.check for finding in found if finding.caused_by is None] == [fault]
    assert found[0].evidence
    remedy = found[0].remedy
    assert remedy is not None
    assert {step.commands()[0][0] for step in remedy.steps} == {program}
    if program == "ip6tables-nft":
        assert all(getattr(step, "family", "ip6") == "ip6" for step in remedy.steps)
    cured = after(broken, remedy.steps)
    assert serious(cured) == []
    if not any(isinstance(step, ProgramOperation) for step in remedy.undo):
        assert after(cured, remedy.undo) == broken


def test_flushed_tables_of_ipv6_are_one_finding_beside_those_of_ipv4_that_stand() -> None:
    found = serious(flushed6())
    assert [item.check for item in found if item.caused_by is None] == ["rules-flushed"]
    assert found[0].subject.name == "docker (IPv6)"
    assert {item.caused_by for item in found[1:]} <= {"rules-flushed"}


def native(family: str) -> Snapshot:
    """Another program's table that drops all that is forwarded."""
    fwd = Chain(name="fwd", hook="forward", priority=10, type="filter", policy="drop")
    table = msgspec.convert({"family": family, "name": "other", "backend": "nftables"}, Table)
    base = six_snapshot()
    tables = (*firewall(base).tables, msgspec.structs.replace(table, chains=(fwd,)))
    return with_namespace(base, HOST, firewall=Firewall(tables=tables))


@pytest.mark.parametrize(("family", "kinds"), [("ip6", True), ("inet", False)])
def test_a_foreign_drop_names_ipv6_alone_only_where_it_is_alone(family: str, kinds: bool) -> None:
    found = serious(native(family))
    assert {item.check for item in found if item.caused_by is None} == {"foreign-base-drop"}
    shown = next(item.value for item in found[0].evidence if item.what == "stopped here")
    assert all(label.endswith("(IPv6)") for label in shown.split(" and ")[0].split(", ")) is kinds


def on_both(snapshot: Snapshot) -> Snapshot:
    """App1 on docker0 too, by IPv4."""
    inner = Link(
        ifindex=11, name="eth1", kind="veth", mac="02:42:ac:11:00:09", mtu=1500, up=True, carrier=True,
        peer=LinkRef(namespace=HOST, ifindex=12),
    )  # fmt: skip
    outer = Link(
        ifindex=12, name="vethboth", kind="veth", mac="02:42:00:00:00:12", mtu=1500, up=True, carrier=True,
        master=DOCKER0, peer=LinkRef(namespace=APP1, ifindex=11), port=BridgePort(state="forwarding"),
    )  # fmt: skip
    near = Route(family="ip", table=254, type="unicast", dst="172.17.0.0/16", hops=(NextHop(ifindex=11),))
    base = adding("links", HOST, outer, snapshot=adding("links", APP1, inner, snapshot=snapshot))
    address = Address(ifindex=11, family="ip", address="172.17.0.9", prefixlen=16)
    own = msgspec.structs.replace(near, table=255, type="local", dst="172.17.0.9/32")
    return adding("routes", APP1, near, own, snapshot=adding("addresses", APP1, address, snapshot=base))


def ended(snapshot: Snapshot) -> Snapshot:
    """FORWARD of ip6tables drops by policy, and no rule accepts: the administrator's own."""
    lean = Table(
        family="ip6",
        name="filter",
        backend="iptables-nft",
        chains=(Chain(name="FORWARD", hook="forward", type="filter", policy="drop"),),
    )
    four = tuple(table for table in firewall(snapshot).tables if table.family == "ip")
    return with_namespace(snapshot, HOST, firewall=Firewall(tables=(*four, lean)))


NEAR_MISSES: dict[str, Callable[[], Snapshot]] = {
    "rules of IPv6 that nobody writes": lambda: unruled(flushed6()),
    "a policy of the administrator's where Docker writes no IPv6 rules": lambda: unruled(ended(six_snapshot())),
    "a host without a way out by IPv6": lambda: without("routes", HOST, default6),
    "a host with a route but no address of IPv6": lambda: without(
        "addresses",
        HOST,
        lambda item: getattr(item, "address", "") == "2001:db8::2",
        delete("-s fd00:17::/64 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"),
    ),
    "a container whose gateway is on another network, without IPv6": lambda: without(
        "routes", APP1, default6, on_both(six_snapshot())
    ),
    "a network without IPv6 whose container has an address of it": lambda: msgspec.structs.replace(
        without("routes", WEB, default6),
        networks=tuple(msgspec.structs.replace(net, ipv6=False) for net in six_snapshot().networks),
    ),
    "an internal network": lambda: msgspec.structs.replace(
        without("routes", APP1, default6),
        networks=tuple(
            msgspec.structs.replace(net, internal=True, masquerade=False) if net.name == "app" else net
            for net in six_snapshot().networks
        ),
    ),
    "routed by choice": lambda: msgspec.structs.replace(
        delete("-s fd00:10::/64 ! -o br-app -j MASQUERADE", "POSTROUTING", "nat"),
        networks=tuple(
            msgspec.structs.replace(net, gateway_mode6="routed") if net.name == "app" else net
            for net in six_snapshot().networks
        ),
    ),
    "not masqueraded by choice": lambda: msgspec.structs.replace(
        delete("-s fd00:10::/64 ! -o br-app -j MASQUERADE", "POSTROUTING", "nat"),
        networks=tuple(
            msgspec.structs.replace(net, options={"com.docker.network.bridge.enable_ip_masquerade": "false"})
            if net.name == "app"
            else net
            for net in six_snapshot().networks
        ),
    ),
    "a program that listens on IPv4 alone": lambda: alone(WEB),
    "a gateway under its link-local address": lambda: adding(
        "routes",
        WEB,
        route6("::/0", NextHop(ifindex=5, gateway="fd00:17::1")),
        snapshot=without("routes", WEB, default6),
    ),
    "a port published on IPv4 alone": lambda: msgspec.structs.replace(
        delete(
            "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:17::2]:80", "DOCKER", "nat"
        ),
        containers=tuple(
            msgspec.structs.replace(item, published=tuple(p for p in item.published if p.host_ip != "::"))
            for item in six_snapshot().containers
        ),
    ),
    "an INPUT that takes no strangers, and the port's proxy": lambda: insert("-i eth0 -p tcp -j DROP", "INPUT"),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_a_near_miss_is_not_reported(name: str) -> None:
    assert [item.summary for item in serious(NEAR_MISSES[name]())] == []


def test_an_input_that_takes_nothing_at_all_from_outside_drops_the_routers_answer_too() -> None:
    """Unlike ARP, neighbour discovery passes INPUT: the host no longer learns its router's MAC address."""
    (found,) = serious(insert("-i eth0 -j DROP", "INPUT"))
    assert (found.check, found.severity) == ("input-drop", "error")
    assert "the host doesn't find its router by IPv6" in found.summary
    assert found.remedy is not None


def test_a_program_that_listens_on_ipv4_alone_is_told_as_information() -> None:
    found = [item for item in run_checks(alone(WEB)).findings if item.check == "app-listen"]
    assert [item.severity for item in found] == ["info"]
    assert "by IPv6" in found[0].summary
    assert found[0].evidence[0].expected == "[::]:80"


def test_a_port_that_nobody_serves_is_told_once_for_both_families() -> None:
    found = [
        item for item in run_checks(without("sockets", WEB, lambda _: True)).findings if item.check == "app-listen"
    ]
    assert [item.severity for item in found] == ["error"]


@pytest.mark.parametrize(("known", "expected"), [(True, True), (False, False), (None, True)])
def test_without_settings_only_the_engines_own_chains_tell_that_it_writes_ipv6_rules(
    known: bool | None, expected: bool
) -> None:
    base = six_snapshot()
    engines = tuple(msgspec.structs.replace(engine, ip6tables=known) for engine in base.engines)
    flows = derive(HostContext(msgspec.structs.replace(base, engines=engines)))
    assert any(flow.kind == "cross-network" for flow in flows if flow.family == "ip6") is expected


@pytest.mark.parametrize(("host_ip", "rule", "published"), [("0.0.0.0", True, True), ("0.0.0.0", False, False)])  # noqa: S104
def test_podman_publishes_by_ipv6_where_netavark_wrote_a_rule_for_it(host_ip: str, rule: bool, published: bool) -> None:
    base = six_snapshot() if rule else delete(
        "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:17::2]:80", "DOCKER", "nat"
    )  # fmt: skip
    port = PublishedPort(host_ip=host_ip, host_port=8080, proto="tcp", container_port=80)
    base = msgspec.structs.replace(
        base,
        engines=tuple(
            msgspec.structs.replace(engine, name="podman", network_backend="netavark") for engine in base.engines
        ),
        networks=tuple(msgspec.structs.replace(net, engine="podman", isolated=False) for net in base.networks),
        containers=tuple(
            msgspec.structs.replace(item, engine="podman", published=(port,) if item.name == "web" else ())
            for item in base.containers
        ),
    )
    flows = [flow for flow in derive(HostContext(base)) if flow.kind == "published" and flow.family == "ip6"]
    assert bool(flows) is published


def test_the_words_of_a_flow_tell_the_family() -> None:
    labels = {flow.label for flow in derive(HostContext(six_snapshot())) if flow.kind == "egress"}
    assert {"web → outside", "web → outside (IPv6)"} <= labels


def test_a_rule_and_its_twin_are_one_finding_whose_remedy_is_of_both() -> None:
    base = six_snapshot()
    forward = [
        InsertRule(backend="iptables-nft", family=family, table="filter", chain="FORWARD", spec=TWIN, position=1)
        for family in FAMILIES
    ]
    found = [item for item in run_checks(after(base, forward)).findings if item.check == "policy-drop"]
    assert len(found) == 1
    remedy = found[0].remedy
    assert remedy is not None
    assert {step.family for step in remedy.steps if isinstance(step, DeleteRule)} == {"ip", "ip6"}
