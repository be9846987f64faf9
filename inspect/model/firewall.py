"""The one rule model, with nftables' semantics.  Pure data.

Three readers compile into it: iptables-nft, iptables-legacy and native
nftables.  A rule is a sequence of expressions evaluated left to right: when a
match fails the rule ends there; statements act; a verdict ends it.  iptables'
rules are the special case "matches, then one target".

A construct that can't be modelled stays as :class:`Opaque`, with its text.
It makes *that rule* undecidable where it is reached, and nothing else.

Sources: nft(8), iptables(8), iptables-extensions(8), netfilter_ipv4.h for the
priorities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from dnet_tui.inspect.model.coverage.sections import Lack
from dnet_tui.inspect.model.match_fields import FieldName
from dnet_tui.inspect.model.rule_expressions import (
    Expr,
    Match,
    Note,
    NoTrack,
    Opaque,
    Remember,
    SetField,
    SetLookup,
    SetMark,
    SetZone,
    StatefulMatch,
    TransparentProxy,
)

__all__ = [
    "PRIORITIES",
    "AnyExpr",
    "Backend",
    "Chain",
    "Choice",
    "Condition",
    "Element",
    "Expr",
    "Firewall",
    "Hook",
    "Lookup",
    "Match",
    "NamedSet",
    "Nat",
    "NoTrack",
    "Note",
    "Opaque",
    "Remember",
    "Rule",
    "SetField",
    "SetLookup",
    "SetMark",
    "SetZone",
    "StatefulMatch",
    "Statement",
    "Table",
    "TableFamily",
    "TransparentProxy",
    "UnreadTable",
    "Verdict",
    "VerdictMap",
]

Backend = Literal["iptables-nft", "iptables-legacy", "nftables"]
TableFamily = Literal["ip", "ip6", "inet", "arp", "bridge", "netdev"]
Hook = Literal["prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"]

PRIORITIES: dict[str, int] = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
"""Priorities of the standard base chains (``enum nf_ip_hook_priorities``); conntrack itself sits at -200."""


class Verdict(Expr, frozen=True, kw_only=True, tag="verdict"):
    """Ends the rule (``continue``: goes on).  ``chain`` for jump and goto; ``reject_with`` for reject.

    ``queues`` for queue: the number, or the range ``a:b``, of the queues that
    a program reads; ``bypass``: without one the packet is accepted.
    """

    kind: Literal["accept", "drop", "reject", "jump", "goto", "return", "queue", "continue"]
    chain: str = ""
    reject_with: str = ""
    queues: str = ""
    bypass: bool = False


class Nat(Expr, frozen=True, kw_only=True, tag="nat"):
    """A NAT statement.  ``addresses`` is ``a`` or ``a-b`` (empty for masquerade and redirect), ``ports`` the same.

    ``base``: the ports are shifted, so that this one becomes the first of ``ports``.
    ``choice``: a map in which the packet finds its addresses, or its ports (nftables).
    """

    kind: Literal["snat", "dnat", "masquerade", "redirect", "netmap"]
    addresses: str = ""
    ports: str = ""
    flags: tuple[str, ...] = ()
    base: int | None = None
    choice: Choice | None = None


class Lookup(Expr, frozen=True, kw_only=True, tag="lookup"):
    """True when the packet's ``fields``, taken together, are an element of a set (nftables).

    ``set`` names a set of the same table; an anonymous set's ``elements``
    stand here.  Fields are those of :class:`Match`; element keys have one part
    per field, in the form of that field's values.  As with matches, a field
    that the packet doesn't have makes it False, negated or not.
    """

    fields: tuple[FieldName, ...]
    set: str = ""
    elements: tuple[Element, ...] = ()
    negate: bool = False


class VerdictMap(Expr, frozen=True, kw_only=True, tag="vmap"):
    """Looks ``fields`` up in a verdict map (nftables): the element's verdict ends the rule.

    Without an element the rule ends as at a match that fails; after the
    verdict ``continue`` the rest of the rule is evaluated (nft_lookup.c).  A
    field that nobody can decide leaves every element's verdict possible.
    """

    fields: tuple[FieldName, ...]
    set: str = ""
    elements: tuple[Element, ...] = ()


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A map that gives a NAT statement its target: ``dnat to tcp dport map { 80 : 10.0.0.2 }``.

    ``fields``, ``set`` and ``elements`` are those of :class:`Lookup`; an
    element's data is an address, a range, ``ADDRESS . PORT``, or for
    ``part`` ``ports`` a port.  Without an element the rule ends as at a match
    that fails.
    """

    fields: tuple[FieldName, ...]
    set: str = ""
    elements: tuple[Element, ...] = ()
    part: Literal["addresses", "ports"] = "addresses"


class Element(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An element of a set: its key, one part per field; for maps its verdict or its data.

    A part may be a single value, a CIDR or a range ``a-b`` (ports: ``a:b``).
    The key ``("*",)`` is a map's catch-all.  ``expires``: the seconds until it
    vanishes by itself; None for one that stays.
    """

    key: tuple[str, ...]
    verdict: Verdict | None = None
    data: str = ""
    expires: float | None = None


Condition = Match | SetLookup | Lookup | StatefulMatch
"""Expressions that decide whether a rule goes on; :class:`Opaque` may be one too."""

Statement = (
    VerdictMap | Opaque | Verdict | Nat | SetMark | SetField | Remember | TransparentProxy | SetZone | NoTrack | Note
)
"""Expressions that act."""

AnyExpr = Condition | Statement
"""Every expression.  Who handles them does so with ``match`` and ``assert_never``: there a new one is a type error."""


class NamedSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named set or map of an nftables table, or an ipset.

    ``type`` is its declared type: nftables' ``ipv4_addr . inet_service``, ipset's ``hash:ip,port``.
    ``elements`` is None when they weren't read: a lookup in it can't be decided.
    ``dynamic``: packets themselves add to it, so what was read may be out of date.
    """

    name: str
    type: str
    is_map: bool = False
    dynamic: bool = False
    elements: tuple[Element, ...] | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One rule.  ``number`` is its position in the chain, counted from 1.

    ``text`` is the original, without the chain's name and the counters:
    ``-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE``.  ``packets`` and ``bytes``
    are None when the ruleset came without counters.
    """

    number: int
    text: str
    exprs: tuple[AnyExpr, ...] = ()
    packets: int | None = None
    bytes: int | None = None
    handle: int | None = None
    comment: str = ""
    owner: str = ""
    """Whose rule it is, where that can be derived: ``docker``, ``docker network app``, ``docker port web:80`` …"""


class Chain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A chain.  Base chains have ``hook`` and ``priority``; ``policy`` is ``accept`` or ``drop``.

    ``type`` is ``filter``, ``nat`` or ``route`` for base chains.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    priority: int = 0
    type: str = ""
    policy: Literal["accept", "drop", ""] = ""
    packets: int | None = None
    bytes: int | None = None
    devices: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table of one family and backend, as ``ip filter`` of iptables-nft."""

    family: TableFamily
    name: str
    backend: Backend
    chains: tuple[Chain, ...] = ()
    sets: tuple[NamedSet, ...] = ()
    dormant: bool = False
    """A dormant table is kept by the kernel but not consulted."""


class UnreadTable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table that is known to exist but whose contents aren't in the snapshot.

    Whoever evaluates a hook of a family it covers must answer "unknown"
    rather than assume that it lets packets pass.
    """

    family: TableFamily
    name: str
    backend: Backend
    reason: str


class Firewall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="read", tag="yes"):
    """All the tables of one namespace, and those that could not be read."""

    tables: tuple[Table, ...] = ()
    unread: tuple[UnreadTable, ...] = ()
    ipsets: tuple[NamedSet, ...] = ()
    """The ipsets that rules of this namespace use."""
    lacks: tuple[Lack, ...] = ()
    """What of it could not be read, in words.  What that leaves undecided is marked where it is: as a table that
    was not read, a set without elements, a rule that can't be decided."""

    @property
    def rules(self) -> Iterator[Rule]:
        """Every rule of every chain."""
        return (rule for table in self.tables for chain in table.chains for rule in chain.rules)

    @property
    def marks_its_lacks(self) -> bool:
        """Whether what could not be read is marked where it is; otherwise it may be anywhere."""
        if self.unread or not self.lacks:
            return True
        sets = (*self.ipsets, *(item for table in self.tables for item in table.sets))
        if any(item.elements is None for item in sets):
            return True
        return any(isinstance(expr, Opaque) for rule in self.rules for expr in rule.exprs)
