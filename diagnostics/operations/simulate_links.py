"""What a snapshot would look like after one of the commands that remedies consist of (ip, bridge).  Pure.

Only those that remedies use are understood, and of their effects what a walk
can see; anything else is an error, never a guess.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence

import msgspec

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import (
    Address,
    BridgePort,
    Container,
    Family,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
)
from dnet_tui.inspect.model.default_routes import ANYWHERE, DEFAULT, LOCAL, MAIN

_TABLES = {"main": MAIN, "local": LOCAL, "default": DEFAULT}
_PORT_FLAGS = {"isolated": "isolated", "hairpin": "hairpin", "bcast_flood": "broadcast_flood", "flood": "flood"}
_STATES = {"0": "disabled", "1": "listening", "2": "learning", "3": "forwarding", "4": "blocking"}


def after_command(snapshot: Snapshot, argv: Sequence[str]) -> Snapshot:
    """Return the snapshot as the host would be after a command.

    Raises DnetError when its effect isn't known.
    """
    namespace, words = _target(snapshot, tuple(argv))
    change = _change(words)
    changed = tuple(change(ns) if ns.id == namespace else ns for ns in snapshot.namespaces)
    peer = next((_peer(ns, words) for ns in changed if ns.id == namespace), None)
    if peer is not None:
        changed = tuple(_with_carrier(ns, peer.ifindex) if ns.id == peer.namespace else ns for ns in changed)
    return msgspec.structs.replace(
        snapshot, namespaces=changed, containers=(*snapshot.containers, *_newcomers(snapshot, namespace, words))
    )


def _newcomers(snapshot: Snapshot, namespace: str, words: Sequence[str]) -> Iterator[Container]:
    """The named namespace that becomes a container by being plugged into a bridge."""
    if words[:4] != ("ip", "link", "set", "dev") or words[5:6] != ("master",):
        return
    links = (link for ns in snapshot.namespaces if ns.id == namespace for link in ns.links)
    homes = {link.peer.namespace for link in links if link.name == words[4] and link.peer is not None}
    taken = {container.netns for container in snapshot.containers}
    for ns in snapshot.namespaces:
        if ns.id in homes - taken and ns.names:
            name = ns.names[0]
            yield Container(id=f"netns:{name}", name=name, engine="netns", netns=ns.id, mode="bridge")


def _peer(ns: Namespace, words: Sequence[str]) -> LinkRef | None:
    """The other end of a veth that was brought up: it has a carrier now."""
    raised = words[:4] == ("ip", "link", "set", "dev") and words[5:] == ("up",)
    return _link(ns, words[4]).peer if raised else None


def _with_carrier(ns: Namespace, ifindex: int) -> Namespace:
    link = next((item for item in ns.links if item.ifindex == ifindex), None)
    if link is None or not link.up:
        return ns
    port = link.port and msgspec.structs.replace(link.port, state="forwarding")
    return _with_link(ns, msgspec.structs.replace(link, carrier=True, operstate="UP", port=port))


def _unknown(words: Sequence[str]) -> DnetError:
    return DnetError(f"the effect of `{' '.join(words)}` can't be told beforehand")


def _target(snapshot: Snapshot, argv: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The namespace that a command changes, and the command without what leads there."""
    found: Callable[[Namespace], bool] = lambda ns: ns.kind == "host"  # noqa: E731 - one of three
    words = argv
    if argv[:2] == ("nsenter", "-t") and argv[3:4] == ("-n",):
        pid = argv[2]
        users = {item.netns for item in snapshot.containers if str(item.pid) == pid}
        found = lambda ns: ns.id in users or any(str(item.pid) == pid for item in ns.processes)  # noqa: E731
        words = argv[4:]
    elif argv[:2] == ("ip", "-n"):
        found = lambda ns: argv[2] in ns.names  # noqa: E731
        words = ("ip", *argv[3:])
    ident = next((ns.id for ns in snapshot.namespaces if found(ns)), "")
    if not ident or not words:
        raise _unknown(argv)
    return ident, words


def _change(words: tuple[str, ...]) -> Callable[[Namespace], Namespace]:
    six = words[1:2] == ("-6",)
    plain = (words[0], *words[2:]) if words[1:2] in {("-4",), ("-6",)} else words
    family: Family = "ip6" if six or any(":" in word for word in plain[3:]) else "ip"
    handler = _HANDLERS.get(plain[:3])
    if handler is None:
        raise _unknown(words)
    return lambda ns: handler(ns, plain[3:], family)


def _pairs(words: Sequence[str], keys: set[str]) -> dict[str, str]:
    """Keyword and value, for words that consist of nothing else."""
    named = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not set(named) <= keys:
        raise _unknown(words)
    return named


def _link(ns: Namespace, name: str) -> Link:
    found = next((link for link in ns.links if link.name == name), None)
    if found is None:
        raise DnetError(f"there is no link {name}")
    return found


def _with_link(ns: Namespace, changed: Link) -> Namespace:
    links = tuple(changed if link.ifindex == changed.ifindex else link for link in ns.links)
    return msgspec.structs.replace(ns, links=links)


def _link_set(ns: Namespace, words: Sequence[str], _: Family) -> Namespace:
    if words[:1] != ("dev",) or len(words) < 3:
        raise _unknown(words)
    link, what = _link(ns, words[1]), tuple(words[2:])
    if what == ("up",):
        ns = _with_link(ns, msgspec.structs.replace(link, up=True, carrier=True, operstate="UP"))
        # A port starts to forward when both it and its bridge are up (br_stp_enable_bridge, br_stp_enable_port).
        for item in [item for item in ns.links if link.ifindex in {item.ifindex, item.master}]:
            port = item.port and msgspec.structs.replace(item.port, state="forwarding")
            ns = _with_link(ns, msgspec.structs.replace(item, port=port)) if item.up else ns
        for address in ns.addresses:
            ns = _connected(ns, address) if address.ifindex == link.ifindex else ns
        return ns
    if what == ("nomaster",):
        return _with_link(ns, msgspec.structs.replace(link, master=None, port=None))
    if len(what) == 2 and what[0] == "master":
        port = BridgePort(state="forwarding" if link.up else "disabled")
        return _with_link(ns, msgspec.structs.replace(link, master=_link(ns, what[1]).ifindex, port=port))
    raise _unknown(words)


def _connected(ns: Namespace, address: Address) -> Namespace:
    """The routes that the kernel makes for an address of a link that is up (fib_add_ifaddr, addrconf_prefix_route)."""
    span = str(ipaddress.ip_network(address.cidr, strict=False))
    hops = (NextHop(ifindex=address.ifindex),)
    own = f"{address.address}/{32 if address.family == 'ip' else 128}"
    source = address.address if address.family == "ip" else None
    wanted = (
        Route(family=address.family, table=LOCAL, type="local", dst=own, hops=hops, source=source, protocol="kernel"),
        Route(
            family=address.family,
            table=MAIN,
            type="unicast",
            dst=span,
            hops=hops,
            source=source,
            metric=0 if address.family == "ip" else 256,
            scope="link" if address.family == "ip" else "global",
            protocol="kernel",
        ),
    )

    def has(route: Route) -> bool:
        return any(
            (item.table, item.dst) == (route.table, route.dst)
            and any(hop.ifindex == address.ifindex for hop in item.hops)
            for item in ns.routes
        )

    return msgspec.structs.replace(ns, routes=(*ns.routes, *(route for route in wanted if not has(route))))


def _address_add(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    named = _pairs([word for word in words[1:] if word != "nodad"], {"brd", "dev"})
    link = _link(ns, named.get("dev", ""))
    parsed = ipaddress.ip_interface(words[0])
    address = Address(
        ifindex=link.ifindex, family=family, address=str(parsed.ip), prefixlen=parsed.network.prefixlen
    )  # fmt: skip
    ns = msgspec.structs.replace(ns, addresses=(*ns.addresses, address))
    return _connected(ns, address) if link.up else ns


def _address_del(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    link = _link(ns, _pairs(words[1:], {"dev"}).get("dev", ""))
    gone = [item for item in ns.addresses if (item.ifindex, item.family, item.cidr) == (link.ifindex, family, words[0])]
    if not gone:
        raise _unknown(words)
    made = {str(ipaddress.ip_network(words[0], strict=False)), str(ipaddress.ip_network(gone[0].address))}
    routes = tuple(
        item
        for item in ns.routes
        if not (item.protocol == "kernel" and item.dst in made and any(h.ifindex == link.ifindex for h in item.hops))
    )
    return msgspec.structs.replace(ns, addresses=tuple(at for at in ns.addresses if at is not gone[0]), routes=routes)


def _route(ns: Namespace, words: Sequence[str], family: Family) -> Route:
    kinds = {"blackhole", "unreachable", "prohibit", "throw"}
    kind, rest = (words[0], words[1:]) if words[0] in kinds else ("unicast", words)
    named = _pairs([word for word in rest[1:] if word != "onlink"], {"via", "dev", "proto", "scope", "src", "metric"})
    gateway = named.get("via")
    dst = ANYWHERE[family] if rest[0] == "default" else rest[0]
    device = _link(ns, named["dev"]).ifindex if "dev" in named else _device_towards(ns, gateway or "")
    return Route(
        family=family,
        table=MAIN,
        type=kind,
        dst=str(ipaddress.ip_network(dst, strict=False)),
        hops=(NextHop(ifindex=device, gateway=gateway),) if kind == "unicast" else (),
        source=named.get("src"),
        metric=int(named.get("metric", "0")),
        scope=named.get("scope", "global"),
        protocol=named.get("proto", "boot"),
    )


def _device_towards(ns: Namespace, gateway: str) -> int:
    """The link on which a gateway is: that of the address whose subnet it is in."""
    for address in ns.addresses:
        if gateway and ipaddress.ip_address(gateway) in ipaddress.ip_network(address.cidr, strict=False):
            return address.ifindex
    raise DnetError(f"no link leads to {gateway or 'anywhere'}")


def _route_add(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    return msgspec.structs.replace(ns, routes=(*ns.routes, _route(ns, words, family)))


def _route_replace(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    new = _route(ns, words, family)
    kept = tuple(
        item
        for item in ns.routes
        if (item.family, item.table, item.dst, item.metric) != (family, MAIN, new.dst, new.metric)
    )
    return msgspec.structs.replace(ns, routes=(*kept, new))


def _route_del(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    gone = _route(ns, words, family)
    fitting = [
        item
        for item in ns.routes
        if (item.family, item.table, item.type, item.dst) == (family, MAIN, gone.type, gone.dst)
        and [(hop.ifindex, hop.gateway) for hop in item.hops] == [(hop.ifindex, hop.gateway) for hop in gone.hops]
    ]
    if not fitting:
        raise _unknown(words)
    return msgspec.structs.replace(ns, routes=tuple(item for item in ns.routes if item is not fitting[0]))


def _rule_add(ns: Namespace, words: Sequence[str], family: Family) -> Namespace:
    named = _pairs(words, {"to", "lookup", "pref"})
    table = _TABLES.get(named.get("lookup", ""))
    if table is None or "pref" not in named:
        raise _unknown(words)
    rule = PolicyRule(family=family, priority=int(named["pref"]), table=table, dst=named.get("to"))
    return msgspec.structs.replace(ns, policy_rules=(*ns.policy_rules, rule))


def _neigh_del(ns: Namespace, words: Sequence[str], _: Family) -> Namespace:
    device = _link(ns, _pairs(words[1:], {"dev"}).get("dev", "")).ifindex
    kept = tuple(item for item in ns.neighbours if not _is_entry(item, words[0], device))
    return msgspec.structs.replace(ns, neighbours=kept)


def _is_entry(item: Neighbour, address: str, device: int) -> bool:
    return (item.address, item.ifindex) == (address, device)


def _port_set(ns: Namespace, words: Sequence[str], _: Family) -> Namespace:
    named = _pairs(words, {"dev", "state", *_PORT_FLAGS})
    link = _link(ns, named.pop("dev", ""))
    if link.port is None:
        raise _unknown(words)
    changes: dict[str, object] = {_PORT_FLAGS[key]: value == "on" for key, value in named.items() if key != "state"}
    if "state" in named:
        changes["state"] = _STATES.get(named["state"], named["state"])
    return _with_link(ns, msgspec.structs.replace(link, port=msgspec.structs.replace(link.port, **changes)))


_HANDLERS: dict[tuple[str, ...], Callable[[Namespace, Sequence[str], Family], Namespace]] = {
    ("ip", "link", "set"): _link_set,
    ("ip", "address", "add"): _address_add,
    ("ip", "address", "del"): _address_del,
    ("ip", "route", "add"): _route_add,
    ("ip", "route", "replace"): _route_replace,
    ("ip", "route", "del"): _route_del,
    ("ip", "rule", "add"): _rule_add,
    ("ip", "neigh", "del"): _neigh_del,
    ("bridge", "link", "set"): _port_set,
}
