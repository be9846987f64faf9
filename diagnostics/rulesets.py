"""Where an engine's rules stand: backend, tables and chains of the host.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.case import Case
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.firewall import Backend, Chain, Match, Rule, Table, Verdict

USER_CHAINS = ("DOCKER-USER", "CNI-ADMIN")
"""Chains that engines leave to the administrator and never touch."""

ENGINE_CHAINS = ("DOCKER", "NETAVARK", "CNI-")
"""How the names of engines' own chains begin."""


def tables(case: Case, family: str = "ip") -> tuple[Table, ...]:
    """The host's tables of a family, every backend."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return tuple(table for table in (firewall.tables if firewall else ()) if table.family == family)


def unread(case: Case) -> tuple[str, ...]:
    """Tables that exist but were not read, in words; anything may be in them."""
    host = case.view.host
    if host is None or host.firewall is None:
        return ("the firewall was not read",)
    return tuple(f"table {table.family} {table.name} was not read: {table.reason}" for table in host.firewall.unread)


def backend(case: Case) -> Backend:
    """The iptables backend that the engine writes to: where its chains are, else the one that has tables."""
    with_engine = [
        table.backend for table in tables(case) if any(c.name.startswith(ENGINE_CHAINS) for c in table.chains)
    ]
    loaded = [table.backend for table in tables(case) if table.backend != "nftables"]
    return next(iter((*with_engine, *loaded)), "iptables-nft")


def chain(case: Case, table: str, name: str) -> Chain | None:
    """A chain of the engine's backend."""
    wanted = backend(case)
    return next(
        (
            found
            for item in tables(case)
            if item.name == table and item.backend == wanted
            for found in item.chains
            if found.name == name
        ),
        None,
    )


def chains(case: Case, table: str) -> tuple[Chain, ...]:
    """All chains of an IPv4 table of the engine's backend."""
    wanted = backend(case)
    return tuple(
        found for item in tables(case) if item.name == table and item.backend == wanted for found in item.chains
    )


def forward_rule(obstacle: Obstacle) -> RuleRef | None:
    """The rule of iptables' filter FORWARD (or reached from it) that is the obstacle; None for anything else."""
    rule = obstacle.by.rule
    if rule is None or obstacle.by.kind != "rule" or obstacle.stage != "forward":
        return None
    return rule if (rule.table, rule.base) == ("filter", "FORWARD") else None


def in_user_chain(rule: RuleRef) -> bool:
    """Whether a rule stands in the administrator's chain, or was reached from it."""
    return any(chain in USER_CHAINS for chain in rule.path)


def in_engine_chain(rule: RuleRef) -> bool:
    """Whether a rule stands in an engine's own chain, or was reached from one."""
    return any(chain.startswith(ENGINE_CHAINS) for chain in rule.path) and not in_user_chain(rule)


def base_chain(case: Case, ref: RuleRef) -> Chain | None:
    """The base chain from which a rule was reached."""
    ns = case.view.namespaces.get(ref.namespace)
    if ns is None or ns.firewall is None:
        return None
    return next(
        (
            chain
            for table in ns.firewall.tables
            if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table)
            for chain in table.chains
            if chain.name == ref.base
        ),
        None,
    )


def serves_containers(rule: Rule, bridges: set[str]) -> bool:
    """Whether a rule of FORWARD is an engine's: it leads into its chains, or accepts for one of the bridges."""
    verdict = next((expr for expr in rule.exprs if isinstance(expr, Verdict)), None)
    if verdict is None:
        return False
    if verdict.kind in {"jump", "goto"}:
        return verdict.chain.startswith((*ENGINE_CHAINS, *USER_CHAINS))
    named = {value for expr in rule.exprs if isinstance(expr, Match) and not expr.negate for value in expr.values}
    return verdict.kind == "accept" and bool(named & bridges)
