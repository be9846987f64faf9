"""Every manager there is, and how it is looked up.  Pure."""

from __future__ import annotations

import re
from functools import cache

from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Chain, Table
from dnet_tui.inspect.model.rule_writers.clusters import CLUSTERS
from dnet_tui.inspect.model.rule_writers.firewalls import FIREWALLS
from dnet_tui.inspect.model.rule_writers.networks import NETWORKS
from dnet_tui.inspect.model.rule_writers.traits import RuleWriter

RULE_WRITERS: tuple[RuleWriter, ...] = (*CLUSTERS, *FIREWALLS, *NETWORKS)
"""Where two could mean one name, the one whose names are longer comes first."""


@cache
def manager_of(kind: str) -> RuleWriter | None:
    """What is known of a manager by its ``kind``; None when there is no such manager."""
    return next((item for item in RULE_WRITERS if item.kind == kind), None)


_ENGINES_TABLES = {name: kind.kind for kind in ENGINE_KINDS for name in kind.tables}
# Asked of every comment of a host: most are nobody's, which one look at all beginnings tells.
_COMMENT_STARTS = tuple(start for item in RULE_WRITERS for start in item.comments)


def table_owner(table: Table) -> str:
    """Whose table of nftables it is as a whole; empty for one that programs share, and for unknown ones."""
    if table.backend != "nftables":
        return ""
    return _ENGINES_TABLES.get(table.name) or next(
        (item.kind for item in RULE_WRITERS if table.name in item.tables or table.name.startswith(item.table_prefixes)),
        "",
    )


def policy_owner(table: Table, base: Chain) -> str:
    """Who set the policy of a base chain: whose table it is, or of iptables the one manager that keeps policies there.

    A policy of iptables' bears no name.  A program that sets the policies of
    the chains into which it hangs its own is known by those; where two such
    programs do, or none, it stays open.
    """
    owner = table_owner(table)
    if owner or table.backend == "nftables":
        return owner
    hanging = {rule.owner for rule in base.rules if rule.owner}
    keepers = [name for name in hanging if (item := manager_of(name)) is not None and item.keeps_policies]
    return keepers[0] if len(keepers) == 1 else ""


def by_chain(name: str) -> str:
    """Whose chain it is by its name alone; empty where the name doesn't tell."""
    return next(
        (item.kind for item in RULE_WRITERS if name in item.chains or name.startswith(item.chain_prefixes)),
        "",
    )


def by_company(names: frozenset[str], name: str) -> str:
    """Whose chain it is by its name and by the others of its table; empty where that doesn't tell."""
    return next(
        (
            item.kind
            for item in _IN_COMPANY
            if not names.isdisjoint(item.chain_marks) and (name in item.chain_marks or _pattern(item).fullmatch(name))
        ),
        "",
    )


_IN_COMPANY = tuple(item for item in RULE_WRITERS if item.chain_pattern)
MARKS = frozenset(mark for item in _IN_COMPANY for mark in item.chain_marks)
"""The chains beside which names that aren't telling by themselves tell."""


@cache
def _pattern(item: RuleWriter) -> re.Pattern[str]:
    return re.compile(item.chain_pattern, re.ASCII)


def by_comment(comment: str) -> str:
    """Whose rule it is by its comment; empty where that doesn't tell."""
    if not comment.startswith(_COMMENT_STARTS):
        return ""
    return next((item.kind for item in RULE_WRITERS if comment.startswith(item.comments)), "")


_CLOSINGS = {text: item.kind for item in RULE_WRITERS for text in item.closings}


def by_closing(text: str) -> str:
    """Who closes its built-in chains with such a rule; empty where nobody is known to."""
    return _CLOSINGS.get(text, "")


def by_set(name: str) -> str:
    """Whose set it is by its name; empty where that doesn't tell."""
    return next((item.kind for item in RULE_WRITERS if name.startswith(item.sets)), "")


def by_interface(name: str) -> str:
    """Whose link it is by its name; empty where that doesn't tell."""
    return next((item.kind for item in RULE_WRITERS if any(_fits(name, one) for one in item.interfaces)), "")


def _fits(name: str, wanted: str) -> bool:
    name = name.rstrip("+*")
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
