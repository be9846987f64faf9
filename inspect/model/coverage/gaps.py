"""What could not be read, as a list: what a snapshot's sections say, in one place.  Pure.

A section that was not read knows it itself (:mod:`dnet_tui.inspect.model.coverage.sections`);
reports list them all, each as a :class:`Gap`.  While a host is being read,
gaps are gathered, and :func:`with_gaps` puts each into the section that it
speaks of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from dnet_tui.inspect.model.coverage.sections import (
    NOT_ASKED,
    NOT_READ,
    Lack,
    Partial,
    Settings,
    Unread,
    known_items,
    lacks_of,
    left_out,
)
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.firewalld import Firewalld

if TYPE_CHECKING:
    from dnet_tui.inspect.model import Namespace, Snapshot

S = TypeVar("S", bound=msgspec.Struct)

NAMESPACE_FIELDS = {
    "links": "links",
    "addresses": "addresses",
    "routes": "routes",
    "policy_rules": "policy-rules",
    "neighbours": "neighbours",
    "proxied": "neighbours",
    "fdb": "fdb",
    "traffic_control": "traffic-control",
    "sysctls": "sysctls",
    "sockets": "sockets",
    "conntrack": "conntrack",
    "conntrack_counts": "conntrack",
    "nat_ports": "nat-ports",
    "firewall": "firewall",
    "xfrm_policies": "xfrm",
    "xfrm": "xfrm",
    "checksums": "checksums",
    "wireguard": "wireguard",
}
"""The fields of a namespace that are sections, with the section's name."""

_SINGLE = frozenset({"sysctls", "firewall", "conntrack_counts", "xfrm_policies", "checksums"})
"""Those of them that aren't lists."""

HOST_LISTS = {"namespaces": "namespaces", "engines": "engine", "containers": "containers", "networks": "networks"}
"""The lists of a snapshot that are sections."""

HOST_FIELDS = {**HOST_LISTS, "firewalld": "firewalld"}
"""All its fields that are."""

_BESIDE = ("processes", "namespace-files")
_HOSTS = ("names", "firewalld", "log")
SECTIONS = tuple(dict.fromkeys((*HOST_LISTS.values(), *_BESIDE, *NAMESPACE_FIELDS.values(), *_HOSTS)))
"""The sections a gap can name.

``processes`` (what may not be looked into) and ``namespace-files`` (names that no namespace is bound to) are told
beside the others: by themselves they make nothing unknown.
"""


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that could not be read.

    ``section`` is one of :data:`SECTIONS`; ``scope`` says of what (a namespace
    id, an engine's name, a container's name; empty for the whole host);
    ``reason`` what happened, ``hint`` what the reader of the report can do.
    """

    section: str
    scope: str = ""
    reason: str
    hint: str = ""


def gaps_of(snapshot: Snapshot) -> tuple[Gap, ...]:
    """Everything that could not be read, each once.  What was not asked for isn't missing."""
    found = (gap for gap in _all(snapshot) if gap.reason not in {NOT_ASKED, NOT_READ})
    return tuple(dict.fromkeys((*found, *snapshot.unplaced)))


def _all(snapshot: Snapshot) -> Iterator[Gap]:
    for field, section in HOST_LISTS.items():
        yield from _gaps(section, "", getattr(snapshot, field))
    fields = tuple(NAMESPACE_FIELDS.items())
    for ns in known_items(snapshot.namespaces):
        for field, section in fields:
            value = getattr(ns, field)
            # Most are read in full or left out on purpose: no need to ask each of them what it lacks.
            if type(value) is not tuple and value is not left_out(section):
                yield from _gaps(section, ns.id, value)
    yield from _gaps("names", "", snapshot.host.resolver)
    for container in known_items(snapshot.containers):
        yield from _gaps("names", container.name, container.resolver)
    yield from _gaps("firewalld", "firewalld", snapshot.firewalld)
    for engine in known_items(snapshot.engines):
        yield from _gaps("log", engine.name, engine.log)


def _gaps(section: str, scope: str, value: object) -> Iterator[Gap]:
    for lack in lacks_of(value):
        yield Gap(section=section, scope=lack.scope or scope, reason=lack.reason, hint=lack.hint)


def listed(snapshot: Snapshot) -> Snapshot:
    """The snapshot with what is there of each list: for showing it, and its gaps beside it; never for deciding.

    What is not a list stays as it is.
    """
    changed = tuple(_listed(ns) for ns in known_items(snapshot.namespaces))
    lists = {field: known_items(getattr(snapshot, field)) for field in HOST_LISTS if field != "namespaces"}
    return msgspec.structs.replace(snapshot, namespaces=changed, unplaced=gaps_of(snapshot), **lists)


def _listed(ns: Namespace) -> Namespace:
    changed: dict[str, object] = {}
    for field in NAMESPACE_FIELDS:
        value = getattr(ns, field)
        if isinstance(value, Partial) or (isinstance(value, Unread) and field not in _SINGLE):
            changed[field] = known_items(value)
        elif field == "sysctls":
            changed |= {field: Settings()} if isinstance(value, Unread) else {}
    return msgspec.structs.replace(ns, **changed) if changed else ns


# -- putting gaps into sections -----------------------------------------------------------------


def with_gaps(snapshot: Snapshot, gaps: Iterable[Gap]) -> Snapshot:
    """The snapshot with each gap in the section that it speaks of.

    A section that has something all the same was read in part.  One without a
    scope concerns all that there are.  What fits nowhere is kept beside.
    """
    every = tuple(dict.fromkeys(gaps))
    if not every:
        return snapshot
    placing = _Placing(every)
    engines = tuple(placing.into(engine, {"log": "log"}, engine.name) for engine in known_items(snapshot.engines))
    containers = tuple(
        placing.into(container, {"resolver": "names"}, container.name, own=True)
        for container in known_items(snapshot.containers)
    )
    namespaces = tuple(placing.into(ns, NAMESPACE_FIELDS, ns.id) for ns in known_items(snapshot.namespaces))
    lists = {
        "engines": engines,
        "containers": containers,
        "namespaces": namespaces,
        "networks": known_items(snapshot.networks),
    }
    return msgspec.structs.replace(
        snapshot,
        host=placing.into(snapshot.host, {"resolver": "names"}, "", own=True),
        firewalld=placing.firewalld(snapshot.firewalld),
        **{field: placing.listed(items, getattr(snapshot, field), HOST_LISTS[field]) for field, items in lists.items()},
        unplaced=(*snapshot.unplaced, *placing.rest()),
    )


class _Placing:
    """Gaps on their way into sections."""

    def __init__(self, gaps: tuple[Gap, ...]) -> None:
        self._gaps = gaps
        self._placed: set[Gap] = set()

    def rest(self) -> tuple[Gap, ...]:
        """Those that found no place."""
        return tuple(gap for gap in self._gaps if gap not in self._placed)

    def into(self, holder: S, fields: Mapping[str, str], scope: str, *, own: bool = False) -> S:
        """The struct with the gaps of its sections; ``own``: only those that name its scope."""
        changed = {}
        for field, section in fields.items():
            lacks = self._take(section, {scope} if own else {scope, ""})
            if lacks:
                changed[field] = lacking(getattr(holder, field), lacks)
        return msgspec.structs.replace(holder, **changed) if changed else holder

    def listed(self, items: tuple[object, ...], before: object, section: str) -> object:
        """A list of the whole host with its gaps, each with its scope."""
        found = [gap for gap in self._gaps if gap.section == section]
        self._placed.update(found)
        lacks = (*lacks_of(before), *(Lack(reason=gap.reason, hint=gap.hint, scope=gap.scope) for gap in found))
        return Partial(items=items, lacks=lacks) if lacks else items

    def firewalld(self, firewalld: Firewalld | Unread | None) -> Firewalld | Unread | None:
        """What is known of firewalld, with its gaps."""
        found = [gap for gap in self._gaps if gap.section == "firewalld"]
        if not found:
            return firewalld
        self._placed.update(found)
        placed = cast("Firewalld | Unread", lacking(firewalld, _as_lacks(found)))
        if isinstance(placed, Firewalld) and isinstance(placed.zones, Unread):
            placed = msgspec.structs.replace(placed, zones=_unread(_as_lacks(found)))
        return placed

    def _take(self, section: str, scopes: set[str]) -> tuple[Lack, ...]:
        found = [gap for gap in self._gaps if gap.section == section and gap.scope in scopes]
        self._placed.update(found)
        return _as_lacks(found)


def _as_lacks(gaps: Iterable[Gap]) -> tuple[Lack, ...]:
    return tuple(Lack(reason=gap.reason, hint=gap.hint) for gap in gaps)


def lacking(value: object, lacks: tuple[Lack, ...]) -> object:
    """A section of which something could not be read: in part where there is something, unread where there isn't."""
    if isinstance(value, Partial | Settings | Firewall | Firewalld) and not _is_empty(value):
        return msgspec.structs.replace(value, lacks=(*value.lacks, *lacks))
    if isinstance(value, tuple) and value:
        return Partial(items=value, lacks=lacks)
    if isinstance(value, Unread) and value.reason not in {NOT_ASKED, NOT_READ}:
        lacks = (Lack(reason=value.reason, hint=value.hint), *lacks)
    elif value is not None and not isinstance(value, Unread) and not _is_empty(value):
        return value  # it was read, and is one thing: what is missing is another part of its section
    return _unread(lacks)


def _unread(lacks: tuple[Lack, ...]) -> Unread:
    reason = "; ".join(dict.fromkeys(lack.reason for lack in lacks))
    return Unread(reason=reason, hint=next((lack.hint for lack in lacks if lack.hint), ""))


def _is_empty(value: object) -> bool:
    if isinstance(value, Settings):
        return not value.values
    if isinstance(value, Firewall):
        return not (value.tables or value.unread or value.ipsets)
    return isinstance(value, tuple) and not value
