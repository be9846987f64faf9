"""What a snapshot would look like after an operation: remedies proved before they are tried.  Pure.

Only what the operation itself changes is changed; counters stay.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dnet_tui.diagnostics.remedy import AnyOperation, DeleteRule, InsertRule, SetSysctl
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.iptables_rule import parse_rule
from dnet_tui.inspect.model import Namespace, Snapshot

_FANS_OUT = {
    "net.ipv4.ip_forward": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv4.conf.all.forwarding": ("net.ipv4.conf.", ".forwarding"),
    "net.ipv6.conf.all.forwarding": ("net.ipv6.conf.", ".forwarding"),
}
"""Keys whose change sets the same switch of every interface (inet_forward_change, addrconf_fixup_forwarding)."""


def after(snapshot: Snapshot, operations: Iterable[AnyOperation]) -> Snapshot:
    """Return the snapshot as the host would be after ``operations``, in order, on the host's namespace.

    Raises DnetError when an operation doesn't fit the snapshot (no such chain
    or rule), or is a command whose effect isn't known.
    """
    namespaces = tuple(_host_after(ns, operations) if ns.kind == "host" else ns for ns in snapshot.namespaces)
    return msgspec.structs.replace(snapshot, namespaces=namespaces)


def _host_after(ns: Namespace, operations: Iterable[AnyOperation]) -> Namespace:
    for operation in operations:
        if isinstance(operation, SetSysctl):
            ns = msgspec.structs.replace(ns, sysctls=_sysctls(ns.sysctls, operation))
        elif isinstance(operation, InsertRule | DeleteRule):
            firewall = _firewall(ns.firewall or Firewall(), operation)
            ns = msgspec.structs.replace(ns, firewall=firewall)
        else:
            msg = f"the effect of {operation.__class__.__name__} can't be told beforehand"
            raise DnetError(msg)
    return ns


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
    numbered = tuple(msgspec.structs.replace(rule, number=index) for index, rule in enumerate(rules, start=1))
    return msgspec.structs.replace(chain, rules=numbered)


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
