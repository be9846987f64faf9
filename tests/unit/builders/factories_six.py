"""The small Docker host with IPv6 throughout: its twin of every address, subnet and rule.  ip6tables is on."""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.inspect.model import (
    Address,
    Namespace,
    Network,
    NextHop,
    PolicyRule,
    PublishedPort,
    Route,
    Snapshot,
    Subnet,
)
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Firewall, Match, Nat, Rule, Table
from unit.builders.factories import APP1, APP2, BR_APP, DOCKER0, HOST, UPLINK, WEB, docker_like_snapshot, with_namespace
from unit.builders.factories_firewall import docker_filter, docker_nat

_WORDS = {
    "172.17.0.2:80": "[fd00:17::2]:80",
    "172.17.0.2/32": "fd00:17::2/128",
    "172.17.0.0/16": "fd00:17::/64",
    "10.10.0.0/24": "fd00:10::/64",
    "127.0.0.0/8": "::1/128",
    "172.17.0.2": "fd00:17::2",
}
"""IPv4 in rules, and its twin."""

PLACES = {
    HOST: ((UPLINK, "2001:db8::2"), (DOCKER0, "fd00:17::1"), (BR_APP, "fd00:10::1")),
    WEB: ((5, "fd00:17::2"),),
    APP1: ((7, "fd00:10::2"),),
    APP2: ((9, "fd00:10::3"),),
}
"""The interface and the address, by namespace."""

_WAYS = {
    HOST: NextHop(ifindex=UPLINK, gateway="2001:db8::1"),
    WEB: NextHop(ifindex=5, gateway="fd00:17::1"),
    APP1: NextHop(ifindex=7, gateway="fd00:10::1"),
    APP2: NextHop(ifindex=9, gateway="fd00:10::1"),
}


def _translated(text: str) -> str:
    return _WORDS.get(text, " ".join(_WORDS.get(word, word) for word in text.split(" ")))


def _expr(expr: AnyExpr) -> AnyExpr:
    if isinstance(expr, Match):
        return msgspec.structs.replace(expr, values=tuple(map(_translated, expr.values)))
    if isinstance(expr, Nat):
        return msgspec.structs.replace(expr, addresses=_translated(expr.addresses))
    return expr


def _rule(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, text=_translated(rule.text), exprs=tuple(map(_expr, rule.exprs)))


def _chain(chain: Chain) -> Chain:
    return msgspec.structs.replace(chain, rules=tuple(map(_rule, chain.rules)))


def twin(table: Table) -> Table:
    """The same table for IPv6."""
    return msgspec.structs.replace(table, family="ip6", chains=tuple(map(_chain, table.chains)))


def route6(dst: str, hop: NextHop, **more: Any) -> Route:
    """A unicast IPv6 route of the main table."""
    settings: dict[str, Any] = {"table": 254, "type": "unicast"} | more
    return Route(family="ip6", dst=dst, hops=(hop,), **settings)


def _space(ns: Namespace) -> dict[str, Any]:
    """What changes in a namespace."""
    places = PLACES[ns.id]
    addresses = tuple(Address(ifindex=at, family="ip6", address=address, prefixlen=64) for at, address in places)
    near = tuple(
        route6(f"{address.rpartition('::')[0]}::/64", NextHop(ifindex=at), protocol="kernel") for at, address in places
    )
    local = tuple(
        route6(f"{address}/128", NextHop(ifindex=at), table=255, type="local", protocol="kernel")
        for at, address in places
    )
    rules = tuple(PolicyRule(family="ip6", priority=p, table=t) for p, t in ((0, 255), (32766, 254)))
    return {
        "addresses": (*ns.addresses, *addresses),
        "routes": (*ns.routes, *near, *local, route6("::/0", _WAYS[ns.id])),
        "policy_rules": (*ns.policy_rules, *rules),
        "sockets": (*ns.sockets, *(msgspec.structs.replace(item, address="::", v6only=True) for item in ns.sockets)),
    }


def six_snapshot() -> Snapshot:
    """The healthy Docker host with IPv6 (2001:db8::2 on eth0, fd00:17::/64 and fd00:10::/64 on the bridges)."""
    base = docker_like_snapshot()
    for ident in PLACES:
        ns = next(ns for ns in base.namespaces if ns.id == ident)
        base = with_namespace(base, ident, **_space(ns))
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    keys = {"net.ipv6.conf.all.forwarding": "1", "net.bridge.bridge-nf-call-ip6tables": "1"}
    tables = (docker_filter(), docker_nat())
    base = with_namespace(
        base, HOST, sysctls=host.sysctls | keys, firewall=Firewall(tables=(*tables, *map(twin, tables)))
    )
    six = PublishedPort(host_ip="::", host_port=8080, proto="tcp", container_port=80)
    return msgspec.structs.replace(
        base,
        engines=tuple(msgspec.structs.replace(engine, ip6tables=True) for engine in base.engines),
        networks=tuple(_network(network) for network in base.networks),
        containers=tuple(
            msgspec.structs.replace(item, published=(*item.published, six)) if item.name == "web" else item
            for item in base.containers
        ),
    )


def _network(network: Network) -> Network:
    cidr = {"docker0": "fd00:17::/64", "br-app": "fd00:10::/64"}.get(network.bridge)
    if cidr is None:
        return network
    subnet = Subnet(cidr=cidr, gateway=cidr.replace("::/64", "::1"))
    return msgspec.structs.replace(network, ipv6=True, subnets=(*network.subnets, subnet))


def without_ipv4(snapshot: Snapshot) -> Snapshot:
    """The same host with nothing left of IPv4 but the loopback's."""
    for ident in PLACES:
        ns = next(ns for ns in snapshot.namespaces if ns.id == ident)
        snapshot = with_namespace(
            snapshot,
            ident,
            addresses=tuple(item for item in ns.addresses if item.family == "ip6" or item.ifindex == 1),
            routes=tuple(item for item in ns.routes if item.family == "ip6"),
            sockets=tuple(item for item in ns.sockets if item.address == "::"),
        )
    return msgspec.structs.replace(
        snapshot,
        networks=tuple(
            msgspec.structs.replace(net, subnets=tuple(sub for sub in net.subnets if ":" in sub.cidr))
            for net in snapshot.networks
        ),
        containers=tuple(msgspec.structs.replace(item, endpoints=()) for item in snapshot.containers),
    )
