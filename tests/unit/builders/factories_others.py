"""The small Docker host beside other managers of networks, or with a Docker that may not write, or a second uplink."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from dnet_tui.inspect.model import (
    Address,
    BridgeInfo,
    BridgePort,
    Engine,
    Link,
    PolicyRule,
    PublishedPort,
    Snapshot,
    require,
)
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Firewall, Nat, Rule, Table
from unit.builders.factories import ANY, HOST, docker_like_snapshot, route, with_namespace, with_sysctl
from unit.builders.factories_firewall import chain, match, verdict
from unit.builders.factories_links import adding, namespace, network
from unit.builders.factories_six import six_snapshot

ETH1, VIRBR0, VNET0 = 40, 41, 42


def firewall(snapshot: Snapshot) -> Firewall:
    found = namespace(snapshot, HOST).firewall
    return require(found)


def with_tables(snapshot: Snapshot, change: Callable[[Table], Table]) -> Snapshot:
    """The snapshot with each of the host's tables changed."""
    old = firewall(snapshot)
    tables = tuple(map(change, old.tables))
    return with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(old, tables=tables))


def with_more_tables(snapshot: Snapshot, *tables: Table) -> Snapshot:
    old = firewall(snapshot)
    return with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(old, tables=(*old.tables, *tables)))


def renumbered(old: Chain, *rules: Rule) -> Chain:
    """A chain with other rules."""
    numbered = (msgspec.structs.replace(rule, number=number) for number, rule in enumerate(rules, start=1))
    return msgspec.structs.replace(old, rules=tuple(numbered))


def engine(snapshot: Snapshot, *more: Engine, **changes: object) -> Snapshot:
    """The snapshot with Docker's settings changed, and other engines beside it."""
    return msgspec.structs.replace(
        snapshot, engines=(msgspec.structs.replace(snapshot.engines[0], **changes), *more)
    )  # fmt: skip


def _netavark(family: Literal["ip", "ip6"], policy: Literal["accept", "drop"]) -> Callable[[Table], Table]:
    """Docker's rules for br-app gone, netavark's there instead, and app1's port published by it."""
    subnet, home, to = (
        ("10.10.0.0/24", "10.10.0.2", "10.10.0.2:80")
        if family == "ip"
        else ("fd00:10::/64", "fd00:10::2", "[fd00:10::2]:80")
    )
    answers: tuple[AnyExpr, ...] = (
        match("daddr", subnet),
        match("ctstate", "RELATED", "ESTABLISHED"),
        verdict("accept"),
    )
    own = chain(
        "NETAVARK_FORWARD",
        [
            (f"-d {subnet} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", answers),
            (f"-s {subnet} -j ACCEPT", (match("saddr", subnet), verdict("accept"))),
        ],
    )
    jump = chain("x", [("-j NETAVARK_FORWARD", (verdict("jump", "NETAVARK_FORWARD"),))]).rules[0]
    dnat: tuple[AnyExpr, ...] = (
        match("proto", "tcp"),
        match("dport", "9000"),
        Nat(kind="dnat", addresses=home, ports="80"),
    )
    port = chain("x", [(f"-p tcp -m tcp --dport 9000 -j DNAT --to-destination {to}", dnat)]).rules[0]

    def changed(table: Table) -> Table:
        if table.family != family:
            return table
        chains = []
        for item in table.chains:
            rules = [rule for rule in item.rules if "br-app" not in rule.text or table.name == "nat"]
            if item.name == "FORWARD":
                item = msgspec.structs.replace(item, policy=policy)  # noqa: PLW2901 - the chain as it is here
                rules.insert(0, jump)
            if (table.name, item.name) == ("nat", "DOCKER"):
                rules.insert(0, port)
            chains.append(renumbered(item, *rules))
        more = (own,) if table.name == "filter" else ()
        return msgspec.structs.replace(table, chains=(*chains, *more))

    return changed


def beside(policy: Literal["accept", "drop"] = "drop", family: Literal["ip", "ip6"] = "ip") -> Snapshot:
    """Network app is Podman's, app1 publishes port 9000 in a family, and FORWARD has this policy."""
    base = six_snapshot() if family == "ip6" else docker_like_snapshot()
    base = with_tables(base, _netavark(family, policy))
    if family == "ip6":
        base = with_tables(base, _netavark("ip", "accept"))
    podman = Engine(name="podman", version="4.9", network_backend="netavark", firewall="iptables")
    wish = PublishedPort(host_ip="::" if family == "ip6" else ANY, host_port=9000, proto="tcp", container_port=80)
    base = network(engine(base, podman), "app", engine="podman", isolated=None)
    return msgspec.structs.replace(
        base,
        containers=tuple(
            msgspec.structs.replace(
                item, engine="podman" if item.name.startswith("app") else "docker",
                published=(wish,) if item.name == "app1" else item.published,
            )
            for item in base.containers
        ),
    )  # fmt: skip


def guests(
    table: str = "libvirt_network",
    *,
    port: bool = True,
    policy: Literal["accept", "drop"] = "drop",
    family: Literal["ip", "inet", "ip6"] = "ip",
) -> Snapshot:
    """A bridge with a virtual machine, which its manager lets out by a table of nftables."""
    bridge = Link(
        ifindex=VIRBR0,
        name="virbr0",
        kind="bridge",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UP",
        bridge=BridgeInfo(),
    )
    tap = Link(
        ifindex=VNET0,
        name="vnet0",
        kind="tun",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UNKNOWN",
        master=VIRBR0,
        port=BridgePort(state="forwarding"),
    )
    base = adding(docker_like_snapshot(), HOST, "links", bridge, *((tap,) if port else ()))
    base = adding(base, HOST, "addresses", Address(ifindex=VIRBR0, family="ip", address="192.168.122.1", prefixlen=24))
    base = adding(
        base,
        HOST,
        "routes",
        route("192.168.122.0/24", ifindex=VIRBR0, source="192.168.122.1", scope="link", protocol="kernel"),
    )
    for key in ("forwarding", "rp_filter"):
        base = with_sysctl(base, f"net.ipv4.conf.virbr0.{key}", "1" if key == "forwarding" else "0")
    forward = chain(
        "forward",
        [('iifname "virbr0" accept', (match("iif", "virbr0"), verdict("accept")))],
        hook="forward",
        type="filter",
        policy="accept",
    )
    base = with_more_tables(base, Table(family=family, name=table, backend="nftables", chains=(forward,)))
    return with_policy(base, policy)


def with_policy(snapshot: Snapshot, policy: Literal["accept", "drop"]) -> Snapshot:
    """FORWARD of iptables with this policy."""

    def changed(table: Table) -> Table:
        chains = (
            msgspec.structs.replace(item, policy=policy)
            if (table.name, item.name) == ("filter", "FORWARD") and table.backend != "nftables"
            else item
            for item in table.chains
        )
        return msgspec.structs.replace(table, chains=tuple(chains))

    return with_tables(snapshot, changed)


def unruled(*, iptables: bool | None = False, policy: Literal["accept", "drop"] = "accept") -> Snapshot:
    """A Docker that may write no rules, and a host without any but for FORWARD's policy."""
    forward = Chain(name="FORWARD", hook="forward", type="filter", policy=policy)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(forward,))
    base = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(tables=(table,)))
    return engine(base, iptables=iptables, firewall="")


def refused(*names: str) -> Snapshot:
    """These tables (``ip filter``) hold a rule of nft's, so that only nft could be asked for them."""

    def changed(table: Table) -> Table:
        if table.name not in (names or ("filter",)):
            return table
        return msgspec.structs.replace(table, backend="nftables")

    return with_tables(docker_like_snapshot(), changed)


def in_backend(backend: Literal["iptables-nft", "iptables-legacy"], **docker: object) -> Snapshot:
    """Docker's rules in one backend, and what its daemon runs."""
    base = with_tables(docker_like_snapshot(), lambda table: msgspec.structs.replace(table, backend=backend))
    return engine(base, **docker)


def uplinks(*, rule: str = "192.0.2.2/32", strict: str = "0", table: int = 100) -> Snapshot:
    """A second uplink, and a policy rule for what has its address."""
    link = Link(ifindex=ETH1, name="eth1", mac="52:54:00:12:34:57", mtu=1500, up=True, carrier=True, operstate="UP")
    base = adding(docker_like_snapshot(), HOST, "links", link)
    base = adding(base, HOST, "addresses", Address(ifindex=ETH1, family="ip", address="192.0.2.2", prefixlen=24))
    base = adding(
        base,
        HOST,
        "routes",
        route("192.0.2.0/24", ifindex=ETH1, source="192.0.2.2", scope="link", protocol="kernel"),
        route("192.0.2.2/32", ifindex=ETH1, table=255, type="local", source="192.0.2.2", scope="host"),
        route("0.0.0.0/0", ifindex=ETH1, gateway="192.0.2.1", table=100),
    )
    if rule:
        base = adding(
            base, HOST, "policy_rules", PolicyRule(family="ip", priority=1000, table=table, src=rule)
        )  # fmt: skip
    base = with_sysctl(base, "net.ipv4.conf.eth1.forwarding", "1")
    return with_sysctl(base, "net.ipv4.conf.eth1.rp_filter", strict)


def guarded(direct: int, unpublished: int) -> Snapshot:
    """Docker 28's rules against direct access and for ports that aren't published, with their counters."""

    def counted(item: Chain, packets: int) -> Chain:
        rules = (msgspec.structs.replace(rule, packets=packets) for rule in item.rules)
        return msgspec.structs.replace(item, rules=tuple(rules))

    drop: tuple[AnyExpr, ...] = (
        match("daddr", "172.17.0.2/32"),
        match("iif", "docker0", negate=True),
        verdict("drop"),
    )
    raw = counted(
        chain(
            "PREROUTING",
            [("-d 172.17.0.2/32 ! -i docker0 -j DROP", drop)],
            hook="prerouting",
            priority=-300,
            type="filter",
            policy="accept",
        ),
        direct,
    )
    last: tuple[AnyExpr, ...] = (match("iif", "docker0", negate=True), match("oif", "docker0"), verdict("drop"))
    end = chain("x", [("! -i docker0 -o docker0 -j DROP", last)]).rules[0]

    def changed(table: Table) -> Table:
        chains = tuple(
            renumbered(item, *item.rules, msgspec.structs.replace(end, packets=unpublished))
            if (table.name, item.name) == ("filter", "DOCKER")
            else item
            for item in table.chains
        )
        return msgspec.structs.replace(table, chains=chains)

    guard = Table(family="ip", name="raw", backend="iptables-nft", chains=(raw,))
    return with_more_tables(with_tables(docker_like_snapshot(), changed), guard)
