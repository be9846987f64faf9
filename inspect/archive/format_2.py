"""From snapshot files of format 1 to format 2: gaps become sections that were not read.  Pure.

In format 1 a section that could not be read was empty, and a list ``gaps``
beside it said so.  In format 2 each section says it itself: ``{"read": "no",
"reason": …}`` or ``{"read": "partly", "items": […], "lacks": […]}``; what is
not a list says ``"read": "yes"``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_NAMESPACE = {
    "links": "links", "addresses": "addresses", "routes": "routes", "policy_rules": "policy-rules",
    "neighbours": "neighbours", "proxied": "neighbours", "fdb": "fdb", "traffic_control": "traffic-control",
    "sysctls": "sysctls", "sockets": "sockets", "conntrack": "conntrack", "conntrack_counts": "conntrack",
    "firewall": "firewall", "xfrm_policies": "xfrm",
}  # fmt: skip
_LISTS = {"engines": "engine", "containers": "containers", "networks": "networks", "namespaces": "namespaces"}
_NOT_ASKED = "it was not asked for"
_NOT_READ = "it was not read"

RawSnapshot = dict[str, Any]


def step(raw: RawSnapshot) -> RawSnapshot:
    """One snapshot of format 1 as format 2 writes it."""
    gaps = _Gaps(raw.pop("gaps", ()))
    for ns in raw.get("namespaces", ()):
        _namespace(ns, gaps)
    _resolver(raw.get("host", {}), gaps.of("names", ""))
    for container in raw.get("containers", ()):
        _resolver(container, gaps.of("names", container["name"]))
    for engine in raw.get("engines", ()):
        lacks = gaps.of("log", "", engine["name"])
        if lacks:
            engine["log"] = _lacking(engine.get("log"), lacks)
    _firewalld(raw, gaps.every("firewalld"))
    for field, section in _LISTS.items():
        lacks = gaps.every(section, scoped=True)
        if lacks:
            raw[field] = {"read": "partly", "items": raw.get(field, []), "lacks": lacks}
    rest = gaps.rest()
    return raw | {"unplaced": rest} if rest else raw


class _Gaps:
    """The gaps of a file, and which of them have found their place."""

    def __init__(self, gaps: Iterable[RawSnapshot]) -> None:
        self._gaps = list(gaps)
        self._placed: list[bool] = [False] * len(self._gaps)

    def of(self, section: str, *scopes: str) -> list[RawSnapshot]:
        """What is missing of a section of one of these scopes."""
        return self._take([gap["section"] == section and gap.get("scope", "") in scopes for gap in self._gaps])

    def every(self, section: str, *, scoped: bool = False) -> list[RawSnapshot]:
        """What is missing of a section, of whatever scope; ``scoped``: with the scope."""
        return self._take([gap["section"] == section for gap in self._gaps], scoped=scoped)

    def rest(self) -> list[RawSnapshot]:
        """What found no place."""
        return [gap for gap, placed in zip(self._gaps, self._placed, strict=True) if not placed]

    def _take(self, wanted: list[bool], *, scoped: bool = False) -> list[RawSnapshot]:
        found = [gap for gap, is_wanted in zip(self._gaps, wanted, strict=True) if is_wanted]
        self._placed = [one or other for one, other in zip(self._placed, wanted, strict=True)]
        kept = ("reason", "hint", "scope") if scoped else ("reason", "hint")
        return [{key: gap[key] for key in kept if gap.get(key)} for gap in found]


def _namespace(ns: RawSnapshot, gaps: _Gaps) -> None:
    ns["sysctls"] = {"read": "yes", "values": ns.get("sysctls", {})}
    for field in ("conntrack_counts", "firewall", "checksums"):
        if ns.get(field) is not None:
            ns[field] = {"read": "yes", **ns[field]}
    for field in ("firewall", "checksums", "xfrm_policies"):
        if ns.get(field) is None:
            ns[field] = {"read": "no", "reason": _NOT_READ}
    if not ns.get("conntrack"):
        ns["conntrack"] = {"read": "no", "reason": _NOT_ASKED}
    elif ns.get("conntrack_udp") is not None:
        ns["conntrack"] = {"read": "partly", "items": ns["conntrack"], "lacks": [{"reason": _NOT_ASKED}]}
    for field, section in _NAMESPACE.items():
        lacks = gaps.of(section, "", ns["id"])
        if lacks:
            ns[field] = _lacking(ns.get(field), lacks)


def _resolver(holder: RawSnapshot, lacks: list[RawSnapshot]) -> None:
    if holder.get("resolver") is not None:
        holder["resolver"] = {"read": "yes", **holder["resolver"]}
    elif lacks:
        holder["resolver"] = _unread(lacks)


def _firewalld(raw: RawSnapshot, lacks: list[RawSnapshot]) -> None:
    found = raw.get("firewalld")
    if found is None:
        if lacks:
            raw["firewalld"] = _unread(lacks)
        return
    if found.get("zones") is None:
        found["zones"] = _unread(lacks or [{"reason": _NOT_READ}])
    raw["firewalld"] = {"read": "yes", **found, **({"lacks": lacks} if lacks else {})}


def _lacking(value: Any, lacks: list[RawSnapshot]) -> Any:
    """A section with something missing: read in part where there is something, unread where there isn't."""
    if isinstance(value, list) and value:
        return {"read": "partly", "items": value, "lacks": lacks}
    if isinstance(value, int):
        return value
    if not isinstance(value, dict):
        return _unread(lacks)
    if value["read"] == "partly" or any(value.get(part) for part in ("values", "tables", "unread", "ipsets")):
        return value | {"lacks": [*value.get("lacks", ()), *lacks]}
    if value["read"] == "no" or not set(value) - {"read", "values", "tables", "unread", "ipsets"}:
        return _unread(lacks)
    return value  # one thing that was read: another part of its section is missing


def _unread(lacks: list[RawSnapshot]) -> RawSnapshot:
    reason = "; ".join(dict.fromkeys(lack["reason"] for lack in lacks))
    hint = next((lack["hint"] for lack in lacks if lack.get("hint")), "")
    return {"read": "no", "reason": reason, **({"hint": hint} if hint else {})}
