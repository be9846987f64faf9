"""What changed in routes, policy rules, fixed neighbours, kernel parameters and listeners of a namespace.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dnet_tui.diagnostics.difference.base import (
    DifferenceEntry,
    DifferenceItem,
    DifferenceKind,
    Pair,
    arrow,
    device,
    devices,
    entries,
)
from dnet_tui.inspect.model import Namespace, PolicyRule, Route
from dnet_tui.inspect.model.default_routes import ANYWHERE

_LOCAL_TABLE = 255
"""The kernel keeps it in step with the addresses."""
_DEFAULT = {ANYWHERE["ip"]: "IPv4 default route", ANYWHERE["ip6"]: "IPv6 default route"}
_PASSING = frozenset({"net.netfilter.nf_conntrack_count"})
_TABLES = {254: "", 253: " in table default"}


def routes(pair: Pair) -> Iterator[DifferenceItem]:
    """Every route that came, went or leads elsewhere; not those the kernel makes with an interface."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} {entry.text} {'added' if kind == 'added' else 'is gone'}"

    before, after = _routes(pair.old, pair.gone, pair.renamed), _routes(pair.new, pair.new_links, {})
    yield from entries("routes", pair.label, before, after, word)


def _routes(ns: Namespace, left_out: frozenset[str], renamed: Mapping[str, str]) -> Iterator[DifferenceEntry]:
    names = devices(ns, renamed)
    for item in ns.routes:
        over = {device(names, hop.ifindex) for hop in item.hops if hop.ifindex is not None}
        if item.table == _LOCAL_TABLE or (item.protocol == "kernel" and over & left_out):
            continue
        table = _TABLES.get(item.table, f" in table {item.table}")
        metric = f" metric {item.metric}" if item.metric else ""
        what = f"{_DEFAULT.get(item.dst, f'route to {item.dst}')}{table}{metric}"
        key = (item.family, item.dst, item.table, item.metric, item.other)
        yield DifferenceEntry(key=key, what=what, text=_way(item, names))


def _way(item: Route, names: Mapping[int, str]) -> str:
    parts = [item.type] if item.type != "unicast" else []
    for hop in item.hops:
        parts += [f"via {hop.gateway}"] if hop.gateway else []
        parts += [f"dev {device(names, hop.ifindex)}"] if hop.ifindex is not None else []
        parts += [f"weight {hop.weight}"] if len(item.hops) > 1 else []
    parts += [f"src {item.source}"] if item.source else []
    parts += [f"mtu {'lock ' if item.mtu_locked else ''}{item.mtu}"] if item.mtu is not None else []
    parts += [f"advmss {item.advmss}"] if item.advmss is not None else []
    parts += [f"pref {item.preference}"] if item.preference not in ("", "medium") else []
    return " ".join([*parts, *item.other])


def policy_rules(pair: Pair) -> Iterator[DifferenceItem]:
    """Every policy rule that came, went or says something else."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} “{entry.text}” {'added' if kind == 'added' else 'is gone'}"

    yield from entries("policy-rules", pair.label, _policy_rules(pair.old), _policy_rules(pair.new), word)


def _policy_rules(ns: Namespace) -> Iterator[DifferenceEntry]:
    for item in ns.policy_rules:
        family = "IPv6 " if item.family == "ip6" else ""
        key = (item.family, item.priority)
        yield DifferenceEntry(key=key, what=f"{family}policy rule {item.priority}", text=_policy_rule(item))


def _policy_rule(item: PolicyRule) -> str:
    told = {"from": item.src, "to": item.dst, "iif": item.iif, "oif": item.oif}
    parts = ["not"] if item.invert else []
    parts += [f"{word} {value}" for word, value in told.items() if value is not None]
    if item.mark is not None:
        parts.append(f"fwmark {item.mark:#x}" + (f"/{item.mask:#x}" if item.mask is not None else ""))
    parts.append(f"{item.action} {item.table}" if item.table is not None else item.action)
    if item.suppress_prefixlength is not None:
        parts.append(f"suppress_prefixlength {item.suppress_prefixlength}")
    return " ".join([*parts, *item.other])


def neighbours(pair: Pair) -> Iterator[DifferenceItem]:
    """The neighbours that somebody set by hand; the others come and go."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} ({entry.text}) {'added' if kind == 'added' else 'is gone'}"

    yield from entries(
        "neighbours", pair.label, _neighbours(pair.old, pair.gone, pair.renamed), _neighbours(pair.new), word
    )


def _neighbours(
    ns: Namespace, left_out: frozenset[str] = frozenset(), renamed: Mapping[str, str] | None = None
) -> Iterator[DifferenceEntry]:
    names = devices(ns, renamed)
    for item in ns.neighbours:
        name = device(names, item.ifindex)
        if item.state == "PERMANENT" and name not in left_out:
            yield DifferenceEntry(
                key=(name, item.address), what=f"fixed neighbour {item.address} at {name}", text=item.mac
            )
    for proxy in ns.proxied:
        name = device(names, proxy.ifindex)
        yield DifferenceEntry(
            key=(name, proxy.address, "proxy"), what=f"proxied address {proxy.address} at {name}", text="proxy"
        )


def sysctls(pair: Pair) -> Iterator[DifferenceItem]:
    """Every kernel parameter with another value; not those of an interface that came or went."""
    old, new = _sysctls(pair.old, pair.gone, pair.renamed), _sysctls(pair.new, pair.new_links, {})
    for key in (*old, *(key for key in new if key not in old)):
        before, after = old.get(key), new.get(key)
        if before == after or key in _PASSING or (_is_mtu(pair.old, key, before) and _is_mtu(pair.new, key, after)):
            continue
        kind: DifferenceKind = "added" if before is None else "removed" if after is None else "changed"
        if after is None:
            text = f"{key} is gone (was {before})"
        else:
            text = f"{key} is {after} (was not there)" if before is None else f"{key} {arrow(before, after)}"
        yield DifferenceItem(
            kind=kind,
            section="sysctls",
            scope=pair.label,
            what=key,
            text=text,
            before=before or "",
            after=after or "",
        )


def _is_mtu(ns: Namespace, key: str, value: str | None) -> bool:
    """Whether a parameter is IPv6's MTU of a device and just that device's own, which is told as such."""
    parts = key.split(".")
    if len(parts) != 5 or (parts[1], parts[4]) != ("ipv6", "mtu"):
        return False
    return value is None or any(link.name == parts[3].replace("/", ".") and value == str(link.mtu) for link in ns.links)


def _sysctls(ns: Namespace, left_out: frozenset[str], renamed: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for key, value in ns.sysctls.values.items():
        parts = key.split(".")
        if len(parts) == 5 and parts[2] in {"conf", "neigh"}:
            name = parts[3].replace("/", ".")
            if name in left_out:
                continue
            parts[3] = renamed.get(name, name).replace(".", "/")
        found[".".join(parts)] = value
    return found


def sockets(pair: Pair) -> Iterator[DifferenceItem]:
    """Who listens where; another process of the same name is the same listener."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        if kind == "added":
            return f"{entry.text} listens on {entry.what}"
        return f"nothing listens on {entry.what} any more (was {entry.text})"

    before, after = _sockets(pair.old, pair.renamed), _sockets(pair.new, {})
    yield from entries("sockets", pair.label, before, after, word)


def _sockets(ns: Namespace, renamed: Mapping[str, str]) -> list[DifferenceEntry]:
    names = devices(ns, renamed)
    found = {}
    for item in ns.sockets:
        where = f"[{item.address}]" if ":" in item.address else item.address
        at = f" on {device(names, item.ifindex)}" if item.ifindex else ""
        what = f"{item.proto} {where}:{item.port}{at}"
        entry = DifferenceEntry(key=what, what=what, text=item.process or "an unknown process")
        found[entry.what, entry.text] = entry  # workers of one program share a port
    return list(found.values())
