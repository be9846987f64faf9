"""What a snapshot would look like after an operation: remedies proved before they are tried.  Pure.

Only what the operation itself changes is changed; counters stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import msgspec

from dnet_tui.diagnostics.operations.remedy import PROGRAMS, AnyOperation, Command, DeleteRule, InsertRule, SetSysctl
from dnet_tui.diagnostics.operations.simulate_links import after_command
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table, Verdict
from dnet_tui.inspect.model.match_fields import MatchField

_FANS_OUT = {
    "net.ipv4.ip_forward": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv4.conf.all.forwarding": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv6.conf.all.forwarding": ("net.ipv6.conf.", ".forwarding"),
}
"""Keys whose change sets the same switch of every interface (inet_forward_change, addrconf_fixup_forwarding)."""

_DIRECTIONS: dict[str, MatchField] = {"iifname": "iif", "oifname": "oif"}
"""What nft calls a packet's interfaces, and what the rule model does."""


def after(snapshot: Snapshot, operations: Iterable[AnyOperation]) -> Snapshot:
    """Return the snapshot as the host would be after ``operations``, in order; but for commands, on its own namespace.

    Raises DnetError when an operation doesn't fit the snapshot (no such chain
    or rule), or is a command whose effect isn't known.
    """
    for operation in operations:
        if isinstance(operation, Command):
            rules = _rules_command(operation.argv)
            snapshot = _on_host(snapshot, rules) if rules else after_command(snapshot, operation.argv)
        else:
            snapshot = _on_host(snapshot, partial(_host_after, operation=operation))
    return snapshot


def _on_host(snapshot: Snapshot, change: Callable[[Namespace], Namespace]) -> Snapshot:
    namespaces = tuple(change(ns) if ns.kind == "host" else ns for ns in snapshot.namespaces)
    return msgspec.structs.replace(snapshot, namespaces=namespaces)


def _host_after(ns: Namespace, operation: SetSysctl | InsertRule | DeleteRule) -> Namespace:
    if isinstance(operation, SetSysctl):
        return msgspec.structs.replace(ns, sysctls=_sysctls(ns.sysctls, operation))
    return msgspec.structs.replace(ns, firewall=_firewall(ns.firewall or Firewall(), operation))


def _rules_command(argv: tuple[str, ...]) -> Callable[[Namespace], Namespace] | None:
    """The effect of a command that changes rules; None when it is none of those that remedies use."""
    places = {program: place for place, program in PROGRAMS.items()}
    if argv[0] in places and argv[1:3] == ("-w", "-t") and argv[4:5] == ("-P",) and len(argv) == 7:
        backend, family = places[argv[0]]
        policy: Literal["accept", "drop"] = "accept" if argv[6] == "ACCEPT" else "drop"
        return partial(
            _with_chain,
            wanted=(backend, family, argv[3], argv[5]),
            change=lambda chain: msgspec.structs.replace(chain, policy=policy),
        )
    if argv[:3] == ("nft", "insert", "rule") and len(argv) == 9 and argv[8] == "accept" and argv[6] in _DIRECTIONS:
        exprs = (Match(field=_DIRECTIONS[argv[6]], values=(argv[7],)), Verdict(kind="accept"))
        rule = Rule(number=1, text=" ".join(argv[6:]), exprs=exprs)
        return partial(
            _with_chain,
            wanted=("nftables", argv[3], argv[4], argv[5]),
            change=lambda chain: msgspec.structs.replace(chain, rules=_numbered((rule, *chain.rules))),
        )
    return None


def _with_chain(ns: Namespace, wanted: tuple[str, str, str, str], change: Callable[[Chain], Chain]) -> Namespace:
    """The namespace with one chain (backend, family, table, name) changed."""
    tables = [
        msgspec.structs.replace(
            table, chains=tuple(change(chain) if chain.name == wanted[3] else chain for chain in table.chains)
        )
        if (table.backend, table.family, table.name) == wanted[:3]
        else table
        for table in (ns.firewall.tables if ns.firewall else ())
    ]
    if ns.firewall is None or tables == list(ns.firewall.tables):
        raise DnetError(f"there is no chain {wanted[3]} in table {wanted[2]} of {wanted[0]}")
    return msgspec.structs.replace(ns, firewall=msgspec.structs.replace(ns.firewall, tables=tuple(tables)))


def _numbered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(msgspec.structs.replace(rule, number=index) for index, rule in enumerate(rules, start=1))


def _sysctls(values: dict[str, str], operation: SetSysctl) -> dict[str, str]:
    changed = values | {operation.key: operation.value}
    fan = _FANS_OUT.get(operation.key)
    if fan is not None and values.get(operation.key) != operation.value:
        head, tail = fan
        changed |= {key: operation.value for key in values if key.startswith(head) and key.endswith(tail)}
    return changed


def _firewall(firewall: Firewall, operation: InsertRule | DeleteRule) -> Firewall:
    wanted = (operation.backend, operation.family, operation.table)
    tables = [
        _table(table, operation) if (table.backend, table.family, table.name) == wanted else table
        for table in firewall.tables
    ]
    if tables == list(firewall.tables):
        raise DnetError(f"there is no chain {operation.chain} in table {operation.table} of {operation.backend}")
    return msgspec.structs.replace(firewall, tables=tuple(tables))


def _table(table: Table, operation: InsertRule | DeleteRule) -> Table:
    names = {chain.name for chain in table.chains}
    chains = tuple(
        _chain(chain, operation, names) if chain.name == operation.chain else chain for chain in table.chains
    )
    return msgspec.structs.replace(table, chains=chains)


def _chain(chain: Chain, operation: InsertRule | DeleteRule, names: set[str]) -> Chain:
    rules = list(chain.rules)
    if isinstance(operation, InsertRule):
        at = len(rules) if operation.position is None else operation.position - 1
        rules.insert(at, _rule(operation, names))
    else:
        at = operation.position - 1
        if not 0 <= at < len(rules) or rules[at].text != operation.spec:
            raise DnetError(f"rule {operation.position} of {chain.name} is not {operation.spec}")
        del rules[at]
    return msgspec.structs.replace(chain, rules=_numbered(rules))


def _rule(operation: InsertRule, chains: set[str]) -> Rule:
    parsed = parse_rule(operation.spec, chains)
    return Rule(
        number=0,
        text=operation.spec,
        exprs=parsed.exprs,
        comment=parsed.comment,
        packets=operation.packets,
        bytes=operation.bytes,
    )
