"""firewalld as its rules show it: what it drops by, and which zone a bridge is in.  Pure.

The rules are what the kernel does; firewalld's files only say what it was told
once.  Both backends: the table ``inet firewalld``, or chains of iptables'
filter table.  The chain in which forwarded packets are given to zones is
``…FORWARD_ZONES`` in firewalld up to 1.3 (in 0.9 ``…FORWARD_IN_ZONES``, and
one more for sources), ``…FORWARD_POLICIES`` from 2.0 on and
``…FORWARD_dispatch`` from 2.5 on.

Source: firewalld's ``core/nftables.py`` and ``core/ipXtables.py``
(``build_default_rules``, ``_build_default_rules_dnat``), 0.9 to 2.5.
"""

from __future__ import annotations

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model import Network
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewall import Chain, Lookup, Match, Opaque, Rule, SetLookup, Table, Verdict, VerdictMap

TABLE = "firewalld"
_DISPATCH = (
    "FORWARD_dispatch",
    "FORWARD_POLICIES",
    "FORWARD_ZONES",
    "FORWARD_IN_ZONES",
    "FORWARD_ZONES_SOURCE",
    "FORWARD_IN_ZONES_SOURCE",
)
_STRICT = ("FORWARD_dnat", "INPUT_dnat")
_FORWARDING = "trusted"
"""A zone that forwards everything: where the networks of engines that name none may be."""


def is_firewallds(case: HostContext, rule: RuleRef) -> bool:
    """Whether a rule is firewalld's: in its table, in its chains, or the reject with which it ends FORWARD."""
    if rule.backend == "nftables":
        return rule.table == TABLE
    if rule.table != "filter":
        return False
    if any(name in {*_DISPATCH, *_STRICT} for name in rule.path):
        return True
    chain = iptables_layout.base_chain(case, rule)
    jumps = [item.number for item in chain.rules if _leads(item) in _DISPATCH] if chain is not None else []
    return bool(jumps) and rule.chain == rule.base and rule.number > max(jumps)


def is_strict(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether an obstacle is the rule that StrictForwardPorts writes, for what others translated."""
    rule = obstacle.by.rule
    if rule is None or not on_host(case, obstacle) or not is_firewallds(case, rule) or not rule.path:
        return False
    return rule.path[-1].removeprefix("filter_") in _STRICT


def follows_strict(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether a translated packet, past the rule of StrictForwardPorts, meets the reject that everything ends with.

    It never gets there: what that rule lets pass is accepted by it.
    """
    rule = obstacle.by.rule
    if rule is None or not obstacle.packet.dnatted or not on_host(case, obstacle) or not is_firewallds(case, rule):
        return False
    return _takes_all(case, rule) and any(name.removeprefix("filter_") in _STRICT for name in _chains_of(case, rule))


def stands(case: HostContext) -> bool:
    """Whether a firewalld runs, and its rules are loaded."""
    return case.snapshot.firewalld is not None and bool(_dispatchers(case))


def is_assigned(case: HostContext, network: Network) -> bool:
    """Whether firewalld was told a zone for a network: by its bridge, or by its subnet as a source.

    A set of addresses, and what isn't understood, may well hold it.
    """
    subnets = [subnet.cidr for subnet in network.subnets]
    return any(
        isinstance(expr, SetLookup | Lookup | VerdictMap | Opaque)
        or (isinstance(expr, Match) and not expr.negate and _names(expr, network.bridge, subnets))
        for chain in _dispatchers(case)
        for rule in chain.rules
        for expr in rule.exprs
    )


def left_out(case: HostContext, obstacle: Obstacle) -> Network | None:
    """The network of a packet that firewalld drops because no zone was told for its bridge.

    Only where the rule that decides drops all that comes to it: one with
    conditions of its own is somebody's wish.
    """
    rule = obstacle.by.rule
    if rule is None or obstacle.stage != "forward" or not on_host(case, obstacle):
        return None
    if not is_firewallds(case, rule) or is_strict(case, obstacle) or not _takes_all(case, rule):
        return None
    bridges = [obstacle.packet.iif, obstacle.packet.oif]
    concerned = [network for bridge in bridges for network in case.networks if bridge and network.bridge == bridge]
    return next((network for network in concerned if not is_assigned(case, network)), None)


def home(network: Network) -> str:
    """The zone in which a network's engine would have put it; for others one that forwards everything."""
    return traits_of(network.engine).firewalld_zone or _FORWARDING


def _dispatchers(case: HostContext) -> list[Chain]:
    """The chains in which forwarded packets are given to the zones of where they come from."""
    return case.once(_find_dispatchers)


def _find_dispatchers(case: HostContext) -> list[Chain]:
    host = case.view.host
    firewall = host.firewall if host is not None else None
    return [
        chain
        for table in (firewall.tables if firewall else ())
        for chain in table.chains
        if _is_dispatcher(table, chain.name)
    ]


def _is_dispatcher(table: Table, name: str) -> bool:
    if table.backend == "nftables":
        return table.name == TABLE and name.removeprefix("filter_") in _DISPATCH
    return table.name == "filter" and name in _DISPATCH


def _chains_of(case: HostContext, ref: RuleRef) -> list[str]:
    """The names of the chains in a rule's table."""
    ns = case.view.namespaces.get(ref.namespace)
    return [
        chain.name
        for table in (ns.firewall.tables if ns is not None and ns.firewall is not None else ())
        if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table)
        for chain in table.chains
    ]


def _takes_all(case: HostContext, ref: RuleRef) -> bool:
    """Whether a rule has no condition of its own."""
    ns = case.view.namespaces.get(ref.namespace)
    found = [
        rule
        for table in (ns.firewall.tables if ns is not None and ns.firewall is not None else ())
        if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table)
        for chain in table.chains
        if chain.name == ref.chain
        for rule in chain.rules
        if rule.number == ref.number
    ]
    return len(found) == 1 and not any(isinstance(expr, Match | SetLookup | Lookup | Opaque) for expr in found[0].exprs)


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
