"""Hosts for the checks of rules, sysctls and sockets of a small Docker host: faults and near misses."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Firewall, Rule, Table, Verdict
from unit.builders.factories import APP1, APP2, HOST, WEB, docker_like_snapshot, with_namespace, with_sysctl
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled


def insert(
    spec: str,
    chain: str = "FORWARD",
    table: str = "filter",
    position: int | None = 1,
    snapshot: Snapshot | None = None,
) -> Snapshot:
    rule = InsertRule(backend="iptables-nft", family="ip", table=table, chain=chain, spec=spec, position=position)
    return after(snapshot or docker_like_snapshot(), [rule])


def delete(spec: str, chain: str, table: str = "filter", snapshot: Snapshot | None = None) -> Snapshot:
    base = snapshot or docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    assert host.firewall is not None
    rules = next(c for t in host.firewall.tables if t.name == table for c in t.chains if c.name == chain).rules
    number = next(rule.number for rule in rules if rule.text == spec)
    operation = DeleteRule(backend="iptables-nft", family="ip", table=table, chain=chain, spec=spec, position=number)
    return after(base, [operation])


def with_network(snapshot: Snapshot, name: str, **changes: object) -> Snapshot:
    networks = tuple(msgspec.structs.replace(net, **changes) if net.name == name else net for net in snapshot.networks)
    return msgspec.structs.replace(snapshot, networks=networks)


def without_default_route(snapshot: Snapshot, *namespaces: str) -> Snapshot:
    for ident in namespaces:
        ns = next(ns for ns in snapshot.namespaces if ns.id == ident)
        routes = tuple(route for route in ns.routes if route.dst != "0.0.0.0/0")
        snapshot = with_namespace(snapshot, ident, routes=routes)
    return snapshot


def forwarding_off() -> Snapshot:
    host = docker_like_snapshot()
    keys = next(ns for ns in host.namespaces if ns.id == HOST).sysctls
    for key in keys:
        if key.endswith((".forwarding", "ip_forward")):
            host = with_sysctl(host, key, "0")
    return host


def flushed() -> Snapshot:
    """The host after ``nft flush ruleset``."""
    base = docker_like_snapshot()
    return with_namespace(base, HOST, firewall=Firewall())


def emptied(*tables: str) -> Snapshot:
    """The host whose built-in chains of these tables were flushed; the engine's own chains are still there."""
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    assert host.firewall is not None

    def of(table: Table) -> Table:
        if table.name not in tables:
            return table
        chains = (msgspec.structs.replace(item, rules=()) if item.hook else item for item in table.chains)
        return msgspec.structs.replace(table, chains=tuple(chains))

    return with_namespace(base, HOST, firewall=Firewall(tables=tuple(map(of, host.firewall.tables))))


def with_table(table: Table) -> Snapshot:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    assert host.firewall is not None
    return with_namespace(base, HOST, firewall=Firewall(tables=(*host.firewall.tables, table)))


def legacy(policy: Literal["accept", "drop"]) -> Table:
    """iptables-legacy's filter table, empty, beside the other backend."""
    forward = Chain(name="FORWARD", hook="forward", type="filter", policy=policy)
    return Table(family="ip", name="filter", backend="iptables-legacy", chains=(forward,))


def native(*exprs: AnyExpr) -> Table:
    """Another program's nftables table with one rule."""
    rules = (Rule(number=1, text="drop", exprs=exprs),)
    chain = Chain(name="fwd", hook="forward", priority=10, type="filter", policy="accept", rules=rules)
    return Table(family="inet", name="other", backend="nftables", chains=(chain,))


FAULTS: dict[str, Build] = {
    "ip-forward-off": forwarding_off,
    "fwd-off-bridge": lambda: with_sysctl(docker_like_snapshot(), "net.ipv4.conf.br-app.forwarding", "0"),
    "fwd-off-uplink": lambda: with_sysctl(docker_like_snapshot(), "net.ipv4.conf.eth0.forwarding", "0"),
    "masq-missing": lambda: delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"),
    "rules-flushed": flushed,
    "two-backends": lambda: with_table(legacy(policy="drop")),
    "foreign-base-drop": lambda: with_table(native(Verdict(kind="drop"))),
    "fwd-jump-missing": lambda: delete("-i docker0 ! -o docker0 -j ACCEPT", "FORWARD"),
    "nat-jump-missing": lambda: delete("-m addrtype --dst-type LOCAL -j DOCKER", "PREROUTING", "nat"),
    "stale-dnat": lambda: insert(
        "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.30.0.77:80", "DOCKER", "nat"
    ),
    "app-listen": lambda: with_namespace(docker_like_snapshot(), WEB, sockets=()),
    "isolation-missing": lambda: delete("-j DOCKER-ISOLATION-STAGE-1", "FORWARD"),
    "drop-before-docker": lambda: insert("-j REJECT --reject-with icmp-port-unreachable"),
    "user-chain-drop": lambda: insert("-i eth0 -j DROP", "DOCKER-USER"),
}


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "drop-before-docker": {
        "a drop that hits no container": lambda: insert("-i eth9 -j DROP"),
        "a reject after the engine's rules": lambda: insert(
            "-j REJECT --reject-with icmp-port-unreachable", position=None
        ),
    },
    "user-chain-drop": {
        "answers accepted before a drop of all but some in DOCKER-USER": lambda: after(
            insert("! -s 192.0.2.0/24 -i eth0 -j DROP", "DOCKER-USER"),
            [
                InsertRule(
                    backend="iptables-nft",
                    family="ip",
                    table="filter",
                    chain="DOCKER-USER",
                    spec="-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                    position=1,
                )
            ],
        ),
    },
    "masq-missing": {
        "masquerading switched off by option": lambda: with_network(
            FAULTS["masq-missing"](), "bridge", masquerade=False
        ),
        "SNAT instead of MASQUERADE": lambda: after(
            FAULTS["masq-missing"](),
            [
                InsertRule(
                    backend="iptables-nft",
                    family="ip",
                    table="nat",
                    chain="POSTROUTING",
                    spec="-s 172.17.0.0/16 -o eth0 -j SNAT --to-source 203.0.113.2",
                    position=1,
                )
            ],
        ),
    },
    "isolation-missing": {
        "networks that nobody asked to isolate": lambda: with_network(
            with_network(FAULTS["isolation-missing"](), "bridge", isolated=None), "app", isolated=None
        ),
    },
    "fwd-off-bridge": {
        "an internal network whose bridge does not forward": lambda: with_network(
            without_default_route(FAULTS["fwd-off-bridge"](), APP1, APP2), "app", internal=True, masquerade=False
        ),
    },
}

CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
