"""What ``dnet-tui rules`` shows: the tables that were asked for, and their JSON.  Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.explain.hook_order import HOOKS
from dnet_tui.diagnostics.explain.rule_text import policy_sentence, sentence
from dnet_tui.diagnostics.explain.rules_for import rules_for
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.model import Unread, known_items, require
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.rules.rules_types import ChainData, RuleData, RulesData, TableData


class RuleSelection(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; empty means everything.  ``about`` is a container, network, port or address."""

    table: str = ""
    chain: str = ""
    about: str = ""
    family: str = ""


class Shown(NamedTuple):
    """One namespace's part: its id, what to call it, and its firewall as selected (``whole``: before that)."""

    namespace: str
    label: str
    firewall: Firewall
    whole: Firewall


def selected(view: View, selection: RuleSelection) -> tuple[Shown, ...]:
    """The host's firewall, or with ``about`` every one that concerns it, reduced to the selection.

    Raises:
        UsageError: ``about`` is unknown.
        CannotInspectError: nothing is known of the host's firewall.
    """
    if view.host is None:
        raise CannotInspectError("the firewall was not read", "")
    own = view.host.firewall
    if isinstance(own, Unread):
        raise CannotInspectError(f"the firewall was not read: {own.reason}", own.hint)
    parts = rules_for(view, selection.about) if selection.about else ((view.host.id, own),)
    shown = []
    for ident, firewall in parts:
        whole = require(view.namespaces[ident].firewall)
        shown.append(Shown(ident, view.label(ident), _reduced(firewall, selection), whole))
    return tuple(shown)


def _reduced(firewall: Firewall, selection: RuleSelection) -> Firewall:
    families = {selection.family, "inet"} if selection.family else None
    tables = []
    for table in firewall.tables:
        if (families and table.family not in families) or selection.table not in {"", table.name}:
            continue
        chains = tuple(chain for chain in table.chains if selection.chain in {"", chain.name})
        if chains:
            tables.append(msgspec.structs.replace(table, chains=chains))
    unread = tuple(
        item
        for item in firewall.unread
        if (not families or item.family in families) and (selection.table in {"", item.name} or item.name == "*")
    )
    return Firewall(tables=tuple(tables), unread=unread)


def known_tables(view: View) -> tuple[str, ...]:
    """The names of all tables, read or not."""
    found: list[str] = []
    for firewall in _firewalls(view):
        found += [table.name for table in firewall.tables]
        found += [table.name for table in firewall.unread]
    return tuple(name for name in dict.fromkeys(found) if name != "*")


def known_chains(view: View) -> tuple[str, ...]:
    """The names of all chains."""
    found = (chain.name for firewall in _firewalls(view) for table in firewall.tables for chain in table.chains)
    return tuple(dict.fromkeys(found))


def _firewalls(view: View) -> tuple[Firewall, ...]:
    found = (ns.firewall for ns in known_items(view.snapshot.namespaces))
    return tuple(firewall for firewall in found if not isinstance(firewall, Unread))


def firewall_gaps(view: View, shown: tuple[Shown, ...]) -> tuple[Gap, ...]:
    """What could not be read of the firewalls that are shown."""
    scopes = {"", *(part.namespace for part in shown)}
    return tuple(gap for gap in view.all_gaps if gap.section == "firewall" and gap.scope in scopes)


def rules_data(view: View, shown: tuple[Shown, ...]) -> RulesData:
    """JSON-ready data (``format`` 1): tables with their chains and rules, each with its sentence; every key present."""
    return {
        "format": 1,
        "tables": [_table(part, table) for part in shown for table in part.firewall.tables],
        "unread": [
            {
                "namespace": part.namespace,
                "backend": item.backend,
                "family": item.family,
                "name": item.name,
                "reason": item.reason,
            }
            for part in shown
            for item in part.firewall.unread
        ],
        "gaps": [
            {"section": gap.section, "scope": gap.scope, "reason": gap.reason, "hint": gap.hint}
            for gap in firewall_gaps(view, shown)
        ],
    }


def _table(part: Shown, table: Table) -> TableData:
    chains = sorted(
        table.chains, key=lambda chain: (len(HOOKS) if chain.hook is None else HOOKS.index(chain.hook), chain.priority)
    )
    return {
        "namespace": part.namespace,
        "label": part.label,
        "backend": table.backend,
        "family": table.family,
        "name": table.name,
        "chains": [_chain(table, chain) for chain in chains],
    }


def _chain(table: Table, chain: Chain) -> ChainData:
    return {
        "name": chain.name,
        "hook": chain.hook,
        "priority": chain.priority if chain.hook else None,
        "type": chain.type,
        "policy": chain.policy,
        "packets": chain.packets,
        "bytes": chain.bytes,
        "meaning": policy_sentence(chain),
        "rules": [_rule(table, chain, rule) for rule in chain.rules],
    }


def _rule(table: Table, chain: Chain, rule: Rule) -> RuleData:
    return {
        "number": rule.number,
        "handle": rule.handle,
        "text": rule.text,
        "comment": rule.comment,
        "packets": rule.packets,
        "bytes": rule.bytes,
        "meaning": sentence(rule, chain, table),
    }
