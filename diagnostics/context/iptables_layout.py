"""Where an engine's rules stand: backend, tables and chains of the host.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model import Family, Namespace, Network
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Backend, Chain, Firewall, Match, Nat, Rule, Table, Verdict

USER_CHAINS = tuple(name for kind in ENGINE_KINDS for name in kind.user_chains)
"""Chains that engines leave to the administrator and never touch."""

ENGINE_CHAINS = tuple(name for kind in ENGINE_KINDS for name in kind.chain_marks)
"""How the names of engines' own chains begin."""


_DISCOVERY = "neighbour"
"""The stage of IPv6's neighbour discovery, which passes the hooks as other packets do."""

_FORWARD_STAGES = frozenset({"forward", _DISCOVERY})


def tables(case: HostContext, family: str = "ip") -> tuple[Table, ...]:
    """The host's tables of a family, every backend."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return tuple(table for table in (firewall.tables if firewall else ()) if table.family == family)


def owner_of(case: HostContext, ref: RuleRef) -> str:
    """Whose rule it is (``docker network app``), for a chain's policy whose chain; empty where nothing tells."""
    ns = case.view.namespaces.get(ref.namespace)
    for table in known_tables(ns):
        if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table):
            for item in table.chains:
                if item.name == ref.chain:
                    return next((rule.owner for rule in item.rules if rule.number == ref.number), "")
    return ""


def known_tables(ns: Namespace | None) -> tuple[Table, ...]:
    """The tables of a namespace that were read."""
    return ns.firewall.tables if ns is not None and isinstance(ns.firewall, Firewall) else ()


def unread(case: HostContext) -> tuple[str, ...]:
    """Tables that exist but were not read, in words; anything may be in them."""
    host = case.view.host
    if host is None or host.firewall is None:
        return ("the firewall was not read",)
    return tuple(f"table {table.family} {table.name} was not read: {table.reason}" for table in host.firewall.unread)


def backend(case: HostContext) -> Backend:
    """The iptables backend that the engine writes to: where its chains are, else the one that has tables."""
    every = (*tables(case), *tables(case, "ip6"))
    with_engine = [table.backend for table in every if any(c.name.startswith(ENGINE_CHAINS) for c in table.chains)]
    loaded = [table.backend for table in every if table.backend != "nftables"]
    return next(iter((*with_engine, *loaded)), "iptables-nft")


def chain(case: HostContext, table: str, name: str, family: Family = "ip") -> Chain | None:
    """A chain of the engine's backend."""
    wanted = backend(case)
    return next(
        (
            found
            for item in tables(case, family)
            if item.name == table and item.backend == wanted
            for found in item.chains
            if found.name == name
        ),
        None,
    )


def chains(case: HostContext, table: str, family: Family = "ip") -> tuple[Chain, ...]:
    """All chains of a table of the engine's backend."""
    wanted = backend(case)
    return tuple(
        found for item in tables(case, family) if item.name == table and item.backend == wanted for found in item.chains
    )


def forward_rule(obstacle: Obstacle) -> RuleRef | None:
    """The rule of iptables' filter FORWARD (or reached from it) that is the obstacle; None for anything else."""
    rule = obstacle.by.rule
    if rule is None or rule.number == 0 or obstacle.stage not in _FORWARD_STAGES:
        return None
    return rule if (rule.table, rule.base) == ("filter", "FORWARD") else None


def by_policy(obstacle: Obstacle) -> bool:
    """Whether the policy of a forward chain is the obstacle."""
    rule = obstacle.by.rule
    if obstacle.stage == _DISCOVERY:
        return rule is not None and rule.number == 0 and rule.base.upper() == "FORWARD"
    return obstacle.stage == "forward" and obstacle.by.kind == "policy"


def between_ports(obstacle: Obstacle) -> bool:
    """Whether what is stopped stays within one bridge: of neighbour discovery, nothing else passes FORWARD."""
    if obstacle.stage == _DISCOVERY:
        return obstacle.by.rule is not None and obstacle.by.rule.base == "FORWARD"
    packet = obstacle.packet
    return obstacle.stage == "forward" and packet.physin != "" and packet.iif == packet.oif


def in_user_chain(rule: RuleRef) -> bool:
    """Whether a rule stands in the administrator's chain, or was reached from it."""
    return any(chain in USER_CHAINS for chain in rule.path)


def in_engine_chain(rule: RuleRef) -> bool:
    """Whether a rule stands in an engine's own chain, or was reached from one."""
    return any(chain.startswith(ENGINE_CHAINS) for chain in rule.path) and not in_user_chain(rule)


def base_chain(case: HostContext, ref: RuleRef) -> Chain | None:
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


def save_program(family: Family) -> str:
    """Where evidence about iptables' rules of a family comes from."""
    return "iptables" if family == "ip" else "ip6tables"


def subnet(network: Network, family: Family) -> str:
    """The network's first subnet of a family; empty when it has none."""
    return next((item.cidr for item in network.subnets if (":" in item.cidr) == (family == "ip6")), "")


def named(name: str, family: Family) -> str:
    """A subject's name, told apart from its IPv4 namesake."""
    return name if family == "ip" else f"{name} (IPv6)"


def rewrites(rule: Rule, port: int, proto: str) -> bool:
    """Whether a rule gives packets for a port of the host another destination."""
    if not any(isinstance(expr, Nat) and expr.kind == "dnat" for expr in rule.exprs):
        return False
    wanted = {"dport": {str(port)}, "proto": {proto}}
    return all(_values(rule, field) == values for field, values in wanted.items())


def _values(rule: Rule, field: str) -> set[str]:
    return {value for expr in rule.exprs if isinstance(expr, Match) and expr.field == field for value in expr.values}
