"""What changed between two snapshots.  Pure.

Namespaces are compared by what they are called, not by their inode, which is
new after every start.  Counters, neighbours, forwarding entries, processes
and times change by themselves and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from dnet_tui.inspect.firewall import Chain
from dnet_tui.inspect.model import Address, Container, Link, Namespace, Network, PolicyRule, Route, Snapshot
from dnet_tui.inspect.view import View

Kind = Literal["added", "removed", "changed"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    ``section`` as in a gap (``links``, ``routes``, ``firewall`` …), ``scope``
    the namespace's label or empty, ``what`` the thing; ``before`` and
    ``after`` its description, empty where it didn't exist.
    """

    kind: Kind
    section: str
    scope: str
    what: str
    before: str = ""
    after: str = ""


Facts = Mapping[str, str]
"""Things of one section by name, each with its description."""


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """Everything that was added, removed or changed, section by section.

    What one of the two could not see is not reported as a difference: where a
    section has a gap in either snapshot, it is skipped for that namespace,
    and the gap itself is reported where only one has it.
    """
    old, new = View(before), View(after)
    changes = list(_compare("containers", "", _containers(old), _containers(new)))
    changes += _compare("networks", "", _networks(old), _networks(new))
    left, right = _namespaces(old), _namespaces(new)
    names = dict.fromkeys(left, "namespace"), dict.fromkeys(right, "namespace")
    changes += _compare("namespaces", "", *names)
    for label in [label for label in left if label in right]:
        for section, facts in _SECTIONS.items():
            if not (old.gaps(section, left[label].id) or new.gaps(section, right[label].id)):
                changes += _compare(section, label, facts(left[label]), facts(right[label]))
                if section == "firewall":
                    changes += _reordered(label, left[label], right[label])
    changes += _compare("gaps", "", _gaps(old), _gaps(new))
    return changes


def _compare(section: str, scope: str, before: Facts, after: Facts) -> Iterator[Change]:
    for what, was in before.items():
        now = after.get(what)
        if now is None:
            yield Change(kind="removed", section=section, scope=scope, what=what, before=was)
        elif now != was:
            yield Change(kind="changed", section=section, scope=scope, what=what, before=was, after=now)
    for what, now in after.items():
        if what not in before:
            yield Change(kind="added", section=section, scope=scope, what=what, after=now)


def _namespaces(view: View) -> dict[str, Namespace]:
    """Namespaces by label; where two have the same, the later ones get their id added."""
    found: dict[str, Namespace] = {}
    for ns in view.snapshot.namespaces:
        label = view.label(ns.id)
        found[label if label not in found else f"{label} {ns.id}"] = ns
    return found


def _containers(view: View) -> Facts:
    return {f"{item.name} ({item.engine})": _container(view, item) for item in view.snapshot.containers}


def _container(view: View, item: Container) -> str:
    joined = view.containers.get(item.joined or "")
    networks = sorted(
        f"{network.name} {','.join(endpoint.addresses)}".strip()
        for endpoint in item.endpoints
        if (network := view.networks.get(endpoint.network)) is not None
    )
    published = sorted(f"{p.host_ip}:{p.host_port}->{p.container_port}/{p.proto}" for p in item.published)
    parts = [
        "running" if item.running else "not running",
        f"mode {item.mode}" + (f" of {joined.name}" if joined is not None else ""),
        *(f"on {network}" for network in networks),
        *(f"publishes {port}" for port in published),
    ]
    return ", ".join(parts)


def _networks(view: View) -> Facts:
    return {f"{item.name} ({item.engine})": _network(item) for item in view.snapshot.networks}


def _network(item: Network) -> str:
    settings = {
        "driver": item.driver,
        "bridge": item.bridge,
        "subnets": ",".join(f"{subnet.cidr} via {subnet.gateway}" for subnet in item.subnets),
        "internal": item.internal,
        "icc": item.icc,
        "masquerade": item.masquerade,
        "isolated": item.isolated,
        "mtu": item.mtu,
    }
    return ", ".join(f"{key} {value}" for key, value in settings.items() if value not in (None, ""))


def _gaps(view: View) -> Facts:
    return {f"{gap.section} of {view.label(gap.scope) or 'the host'}": gap.reason for gap in view.snapshot.gaps}


def _names(ns: Namespace) -> dict[int, str]:
    return {link.ifindex: link.name for link in ns.links}


def _links(ns: Namespace) -> Facts:
    names = _names(ns)
    return {link.name: _link(link, names) for link in ns.links}


def _link(link: Link, names: Mapping[int, str]) -> str:
    parts = [link.kind or "device", "up" if link.up else "down", f"mtu {link.mtu}"]
    if link.master is not None:
        parts.append(f"port of {names.get(link.master, link.master)}")
    if link.port is not None:
        parts.append(link.port.state)
        parts += [word for word, on in (("isolated", link.port.isolated), ("hairpin", link.port.hairpin)) if on]
    if link.alias:
        parts.append(f"alias {link.alias}")
    return ", ".join(parts)


def _addresses(ns: Namespace) -> Facts:
    names = _names(ns)
    return {f"{_device(item, names)} {item.cidr}": f"scope {item.scope}" for item in ns.addresses}


def _device(item: Address, names: Mapping[int, str]) -> str:
    return names.get(item.ifindex, f"ifindex {item.ifindex}")


def _routes(ns: Namespace) -> Facts:
    names = _names(ns)
    return {
        f"{item.dst} table {item.table} metric {item.metric}": _route(item, names)
        for item in ns.routes
        if item.table != _LOCAL_TABLE  # the kernel keeps it in step with the addresses
    }


_LOCAL_TABLE = 255


def _route(item: Route, names: Mapping[int, str]) -> str:
    hops = [
        " ".join(
            [
                *([f"via {hop.gateway}"] if hop.gateway else []),
                *([f"dev {names.get(hop.ifindex, hop.ifindex)}"] if hop.ifindex is not None else []),
            ]
        )
        for hop in item.hops
    ]
    source = [f"src {item.source}"] if item.source else []
    return " ".join([item.type, *hops, *source])


def _policy_rules(ns: Namespace) -> Facts:
    return {f"{item.family} {item.priority}": _policy_rule(item) for item in ns.policy_rules}


def _policy_rule(item: PolicyRule) -> str:
    said = {"from": item.src, "to": item.dst, "iif": item.iif, "oif": item.oif, "table": item.table}
    mark = [] if item.mark is None else [f"mark {item.mark}/{item.mask}"]
    return " ".join([item.action, *(f"{k} {v}" for k, v in said.items() if v is not None), *mark, *item.other])


def _sysctls(ns: Namespace) -> Facts:
    return ns.sysctls


def _sockets(ns: Namespace) -> Facts:
    return {f"{s.proto} {s.address} port {s.port}": s.process or "unknown process" for s in ns.sockets}


def _firewall(ns: Namespace) -> Facts:
    """Chains with their policy, and their rules (a repeated rule with its count)."""
    facts: dict[str, str] = {}
    for place, chain in _chains(ns).items():
        facts[place] = f"policy {chain.policy}" if chain.policy else "chain"
        for text, count in Counter(rule.text for rule in chain.rules).items():
            facts[f"{place}: {text}"] = "rule" if count == 1 else f"rule, {count} times"
    return facts


def _chains(ns: Namespace) -> dict[str, Chain]:
    return {
        f"{table.backend} {table.family} {table.name} {chain.name}": chain
        for table in (ns.firewall.tables if ns.firewall is not None else ())
        for chain in table.chains
    }


def _reordered(label: str, before: Namespace, after: Namespace) -> Iterator[Change]:
    """Chains whose rules are there in both, but in another order."""
    new = _chains(after)
    for place, old_chain in _chains(before).items():
        if place not in new:
            continue
        was, now = [rule.text for rule in old_chain.rules], [rule.text for rule in new[place].rules]
        counts = Counter(was), Counter(now)
        kept = {text for text in counts[0] if counts[0][text] == counts[1][text]}
        was, now = [text for text in was if text in kept], [text for text in now if text in kept]
        if was != now:
            first = next(i for i, (left, right) in enumerate(zip(was, now, strict=True)) if left != right)
            yield Change(
                kind="changed",
                section="firewall",
                scope=label,
                what=f"{place}: order of its rules",
                before=was[first],
                after=now[first],
            )


_SECTIONS: dict[str, Callable[[Namespace], Facts]] = {
    "links": _links,
    "addresses": _addresses,
    "routes": _routes,
    "policy-rules": _policy_rules,
    "sysctls": _sysctls,
    "sockets": _sockets,
    "firewall": _firewall,
}
