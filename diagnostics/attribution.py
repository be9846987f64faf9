"""Which check owns an obstacle.  Pure.

Every obstacle in the way of a flow that should pass has exactly one owner;
what no check knows belongs to ``flow-blocked``, so that nothing is lost.
"""

from __future__ import annotations

from dnet_tui.diagnostics.case import Case
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.diagnostics.walk.routing import sysctl_name
from dnet_tui.inspect.firewall import Chain, Match, Rule, Verdict

USER_CHAINS = ("DOCKER-USER", "CNI-ADMIN")
"""Chains that engines leave to the administrator and never touch."""

ENGINE_CHAINS = ("DOCKER", "NETAVARK", "CNI-")
"""How the names of engines' own chains begin."""

FALLBACK = "flow-blocked"


def owner(case: Case, obstacle: Obstacle) -> str:
    """Return the id of the check that explains ``obstacle``."""
    by = obstacle.by
    if by.kind == "sysctl" and obstacle.stage == "forwarding":
        return _forwarding_owner(case, by.text)
    if by.kind == "rule" and by.rule is not None and obstacle.stage == "forward":
        return _rule_owner(case, by.rule)
    return FALLBACK


def _forwarding_owner(case: Case, key: str) -> str:
    if case.sysctl("net.ipv4.ip_forward") == "0":
        return "ip-forward-off"
    device = key.removeprefix("net.ipv4.conf.").removesuffix(".forwarding")
    if device in {sysctl_name(network.bridge) for network in case.networks}:
        return "fwd-off-bridge"
    if device in {sysctl_name(uplink) for uplink in case.uplinks}:
        return "fwd-off-uplink"
    return FALLBACK


def _rule_owner(case: Case, rule: RuleRef) -> str:
    if rule.table != "filter" or rule.base != "FORWARD":
        return FALLBACK
    if any(chain in USER_CHAINS for chain in rule.path):
        return "user-chain-drop"
    if any(chain.startswith(ENGINE_CHAINS) for chain in rule.path):
        return FALLBACK
    chain = base_chain(case, rule)
    below = chain.rules[rule.base_number :] if chain is not None else ()
    bridges = {network.bridge for network in case.networks}
    return "drop-before-docker" if any(serves_containers(item, bridges) for item in below) else FALLBACK


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
