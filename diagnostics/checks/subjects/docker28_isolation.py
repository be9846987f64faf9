"""Rules by which Docker, since 28, keeps strangers from containers' own addresses: told apart from faults.  Pure.

Docker lets nobody in to a container but by a published port.  What comes
straight to a container's address is dropped in the raw table before anything
else ("direct access"), and what gets further, to a port that isn't published,
at the end of the chain DOCKER.

Source: ``filterDirectAccess`` and ``setDefaultForwardRule`` of Docker's bridge
driver, and its own lists of the rules that it writes
(integration/network/bridge/iptablesdoc and nftablesdoc).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model import Network, Snapshot, Unread, known_items, require
from dnet_tui.inspect.model.engine_kinds.docker import NATIVE_TABLE, PORTS_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewall import Firewall, Match, Rule, Table, Verdict

_IPTABLES = frozenset({"iptables-nft", "iptables-legacy"})


class Guard(NamedTuple):
    """One such rule, with the bridge that it guards."""

    table: Table
    chain: str
    rule: Rule
    bridge: str


IsolationKind = Callable[[Table, str, Rule], bool]


def is_direct(table: Table, chain: str, rule: Rule) -> bool:
    """Whether a rule drops what comes straight to a container's address from elsewhere than its bridge."""
    place = (
        (table.name, chain) == ("raw", "PREROUTING")
        if table.backend in _IPTABLES
        else table.name == NATIVE_TABLE and chain.startswith("raw-PREROUTING")
    )
    return place and _drops(rule) and bool(_values(rule, "daddr")) and bool(_values(rule, "iif", negate=True))


def is_unpublished(table: Table, chain: str, rule: Rule) -> bool:
    """Whether a rule drops what is for a bridge's containers and for no published port."""
    if table.backend in _IPTABLES:
        to = _values(rule, "oif")
        guards = len(rule.exprs) == len(("in", "out", "drop")) and bool(to) and to == _values(rule, "iif", negate=True)
        return (table.name, chain) == ("filter", PORTS_CHAIN) and _drops(rule) and guards
    return (
        table.name == NATIVE_TABLE
        and chain.startswith("filter-forward-in__")
        and _drops(rule)
        and "UNPUBLISHED" in (rule.comment + rule.text)
    )


def why(case: HostContext, ref: RuleRef, address: str) -> str:
    """Why a packet for a container's address was dropped by this rule, in words; empty for other rules."""
    host = case.view.host
    network = case.network_of(address)
    if (
        host is None
        or isinstance(host.firewall, Unread)
        or ref.namespace != host.id
        or ref.number == 0
        or network is None
    ):
        return ""
    for table in host.firewall.tables:
        if (table.backend, table.family, table.name) != (ref.backend, ref.family, ref.table):
            continue
        rule = next(
            (rule for chain in table.chains if chain.name == ref.chain for rule in chain.rules[ref.number - 1 :][:1]),
            None,
        )
        if rule is not None and traits_of(network.engine).guards_addresses:
            return _words(table, ref.chain, rule, network)
    return ""


def _words(table: Table, chain: str, rule: Rule, network: Network) -> str:
    if is_direct(table, chain, rule):
        return (
            f"by design: Docker 28 and later blocks direct access to the addresses of network {network.name}; use a "
            "published port of the host, or allow it: gateway mode nat-unprotected or routed, or "
            "trusted_host_interfaces"
        )
    if is_unpublished(table, chain, rule):
        return (
            f"by design: that port isn't published, and Docker 28 and later lets nothing else in to network "
            f"{network.name}; publish it, or use gateway mode nat-unprotected"
        )
    return ""


def growing(ctx: CheckContext, check: str, kind: IsolationKind, words: str, remedy: Remedy) -> Iterator[Finding]:
    """What such rules have dropped since the earlier snapshot: information, one finding per bridge."""
    before = _counted(ctx.before, kind) if ctx.before is not None else {}
    grown: dict[str, list[tuple[Guard, int]]] = {}
    for guard in _guards(ctx.case.snapshot, kind):
        earlier = before.get(_key(guard))
        more = (guard.rule.packets or 0) - earlier if earlier is not None else 0
        if more > 0:
            grown.setdefault(guard.bridge, []).append((guard, more))
    for bridge, guards in grown.items():
        total = sum(more for _, more in guards)
        yield Finding(
            check=check,
            severity="info",
            subject=Subject(kind="bridge", name=bridge),
            summary=f"{total} packets {words} {bridge} were dropped since the earlier snapshot, by design",
            symptoms=(),
            evidence=tuple(
                Evidence(
                    source="nft list ruleset"
                    if guard.table.backend == "nftables"
                    else f"{guard.table.backend}-save -c",
                    what=f"{guard.table.family} {guard.table.name} {guard.chain} rule {guard.rule.number}",
                    value=f"{guard.rule.text}  [+{more} packets]",
                )
                for guard, more in guards[:_SHOWN]
            ),
            remedy=remedy,
        )


_SHOWN = 4


def _guards(snapshot: Snapshot, kind: IsolationKind) -> Iterator[Guard]:
    host = next((ns for ns in known_items(snapshot.namespaces) if ns.kind == "host"), None)
    firewall = require(host.firewall) if host is not None else Firewall()
    for table in firewall.tables:
        for chain in table.chains:
            for rule in chain.rules:
                if kind(table, chain.name, rule):
                    bridges = _values(rule, "iif", negate=True) or [chain.name.rpartition("__")[2]]
                    yield Guard(table, chain.name, rule, bridges[0])


def _counted(snapshot: Snapshot, kind: IsolationKind) -> dict[tuple[str, ...], int]:
    return {_key(guard): guard.rule.packets or 0 for guard in _guards(snapshot, kind)}


def _key(guard: Guard) -> tuple[str, ...]:
    return (guard.table.backend, guard.table.family, guard.table.name, guard.chain, guard.rule.text)


def _drops(rule: Rule) -> bool:
    return any(isinstance(expr, Verdict) and expr.kind == "drop" for expr in rule.exprs)


def _values(rule: Rule, field: str, *, negate: bool = False) -> list[str]:
    return [
        value
        for expr in rule.exprs
        if isinstance(expr, Match) and expr.field == field and expr.negate is negate
        for value in expr.values
    ]
