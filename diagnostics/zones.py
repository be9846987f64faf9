"""firewalld as its rules show it: what it drops by, and which zone a bridge is in.  Pure.

The rules are what the kernel does; firewalld's files only say what it was told
once.  Both backends: the table ``inet firewalld``, or chains of iptables'
filter table.  The chain in which packets are given to zones is called
``…_dispatch``, before 2.0 ``…_ZONES``.

Source: firewalld's ``core/nftables.py`` and ``core/ipXtables.py``
(``build_default_rules``, ``_build_default_rules_dnat``), 0.9 to 2.3.
"""

from __future__ import annotations

from dnet_tui.diagnostics import rulesets
from dnet_tui.diagnostics.case import Case
from dnet_tui.diagnostics.walk.match import contains
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.firewall import Chain, Match, Rule, Table, Verdict
from dnet_tui.inspect.model import Network

TABLE = "firewalld"
_DISPATCH = ("FORWARD_dispatch", "FORWARD_ZONES", "FORWARD_IN_ZONES", "FORWARD_ZONES_SOURCE", "FORWARD_IN_ZONES_SOURCE")
_STRICT = ("FORWARD_dnat", "INPUT_dnat")
_HOMES = {"podman": "trusted"}
"""The zone that an engine puts its networks into; Docker has one of its own, and so have all others to choose."""


def is_firewallds(case: Case, rule: RuleRef) -> bool:
    """Whether a rule is firewalld's: in its table, in its chains, or the reject with which it ends FORWARD."""
    if rule.backend == "nftables":
        return rule.table == TABLE
    if any(name.endswith((*_DISPATCH, *_STRICT)) for name in rule.path):
        return True
    chain = rulesets.base_chain(case, rule)
    jumps = [item.number for item in chain.rules if _leads(item) in _DISPATCH] if chain is not None else []
    return bool(jumps) and rule.chain == rule.base and rule.number > max(jumps)


def is_strict(rule: RuleRef) -> bool:
    """Whether a rule is the one that StrictForwardPorts writes, for what others translated."""
    return bool(rule.path) and rule.path[-1].endswith(_STRICT)


def stands(case: Case) -> bool:
    """Whether a firewalld runs, and its rules are loaded."""
    return case.snapshot.firewalld is not None and any(True for _ in _dispatchers(case))


def is_assigned(case: Case, network: Network) -> bool:
    """Whether firewalld was told a zone for a network: by its bridge, or by its subnet as a source."""
    subnets = [subnet.cidr for subnet in network.subnets]
    return any(
        _names(expr, network.bridge, subnets)
        for chain in _dispatchers(case)
        for rule in chain.rules
        for expr in rule.exprs
        if isinstance(expr, Match) and not expr.negate
    )


def left_out(case: Case, obstacle: Obstacle) -> Network | None:
    """The network of a packet that firewalld drops because no zone was told for its bridge."""
    rule = obstacle.by.rule
    if rule is None or obstacle.stage != "forward" or not is_firewallds(case, rule) or is_strict(rule):
        return None
    bridges = [obstacle.packet.iif, obstacle.packet.oif]
    concerned = [network for bridge in bridges for network in case.networks if bridge and network.bridge == bridge]
    return next((network for network in concerned if not is_assigned(case, network)), None)


def home(network: Network) -> str:
    """The zone in which a network's engine would have put it."""
    return "docker" if network.engine == "docker" else _HOMES.get(network.engine, "trusted")


def _dispatchers(case: Case) -> list[Chain]:
    """The chains in which forwarded packets are given to the zones of where they come from."""
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return [
        chain
        for table in (firewall.tables if firewall else ())
        for chain in table.chains
        if _is_dispatcher(table, chain.name)
    ]


def _is_dispatcher(table: Table, name: str) -> bool:
    if table.name == TABLE:
        return name.removeprefix("filter_") in _DISPATCH
    return table.name == "filter" and name in _DISPATCH


def _leads(rule: Rule) -> str:
    return next((expr.chain for expr in rule.exprs if isinstance(expr, Verdict)), "")


def _names(match: Match, bridge: str, subnets: list[str]) -> bool:
    if match.field == "iif":
        return any(
            bridge.startswith(value[:-1]) if value.endswith(("+", "*")) else value == bridge for value in match.values
        )
    if match.field == "saddr":
        return any(_holds(value, subnet) for value in match.values for subnet in subnets)
    return False


def _holds(value: str, subnet: str) -> bool:
    return contains(value, subnet.partition("/")[0]) is True
