"""What an engine's isolation lacks for a packet to be stopped, and how to put it back.  Pure.

Docker's rules (20.10 to 28): FORWARD, or DOCKER-FORWARD, jumps to
DOCKER-ISOLATION-STAGE-1, which sends what leaves a bridge for another to
STAGE-2, which drops it by the bridge it would enter.  Internal networks have
a pair of drops by subnet in STAGE-1 instead.  icc=false is a drop of bridge
to itself in FORWARD, and works only where br_netfilter calls iptables.
"""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.diagnostics.walk.l2.topology import calls_iptables
from dnet_tui.inspect.model import Family, Network, known_items
from dnet_tui.inspect.model.default_routes import ANYWHERE
from dnet_tui.inspect.model.engine_kinds.docker import ANSWERS_CHAIN, FORWARD_CHAIN, STAGE_1, STAGE_2, USER_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits

NF_CALL = "net.bridge.bridge-nf-call-iptables"
_NF_CALL: dict[Family, str] = {
    "ip": NF_CALL,
    "ip6": "net.bridge.bridge-nf-call-ip6tables",
}


class IsolationRepair(NamedTuple):
    """One thing to put back, and its undo."""

    step: InsertRule | SetSysctl
    undo: DeleteRule | SetSysctl


def missing(case: HostContext, flow: Flow) -> tuple[IsolationRepair, ...]:
    """What is missing for ``flow``, which should be stopped, to be stopped; empty when that isn't known."""
    if flow.kind == "same-network":
        return _icc(case, flow.network, flow.family)
    return _between(case, flow.network, flow.other, flow.family) if flow.other is not None else ()


def lacks_br_netfilter(case: HostContext, network: Network) -> bool:
    """Whether Docker shall keep a network's containers apart (icc=false), and the kernel has no switch to do it by.

    Absent is more than off: the switches are there as soon as the module is
    (br_netfilter_hooks.c), and only there.
    """
    host = case.view.host
    engines = [engine for engine in known_items(case.snapshot.engines) if engine.name == network.engine]
    writes = any(engine.iptables is not False and engine.firewall != "none" for engine in engines)
    if host is None or not traits_of(network.engine).icc_by_br_netfilter or network.icc is not False or not writes:
        return False
    return has_no_switches(case)


def has_no_switches(case: HostContext) -> bool:
    """Whether none of br_netfilter's is among the host's sysctls, though there is a bridge.

    Raises:
        NotSeen: they were not read, or not all of them.
    """
    host = case.view.host
    if host is None or not any(case.view.bridges()):
        return False
    names = host.sysctls.keys()
    return "net.ipv4.ip_forward" in names and not any(name.startswith("net.bridge.") for name in names)


def _between(case: HostContext, here: Network, there: Network, family: Family) -> tuple[IsolationRepair, ...]:
    traits = traits_of(here.engine)
    if traits.isolation_chains is None:
        return ()
    wanted = _wanted(traits, traits.isolation_chains, here, there, family)
    texts = {name: _texts(case, name, family) for name in ("FORWARD", *traits.isolation_chains)}
    if None in texts.values():
        return ()
    nested = _texts(case, FORWARD_CHAIN, family) if traits.isolation_chains == (STAGE_1, STAGE_2) else None
    if nested is not None:
        # Docker 28 and later keep FORWARD to two jumps, and their own order in DOCKER-FORWARD.
        texts[FORWARD_CHAIN] = nested
        wanted[FORWARD_CHAIN] = wanted.pop("FORWARD", "")
    return tuple(
        _rule(case, family, name, spec, 1 if traits.isolation_is_mutual else _position(texts[name] or ()))
        for name, spec in wanted.items()
        if spec and spec not in (texts[name] or ())
    )


def _position(texts: tuple[str, ...]) -> int:
    """Where the engine has it: after the administrator's chain, or after the rules for answers; else first."""
    return next((texts.index(rule) + 2 for rule in (f"-j {USER_CHAIN}", f"-j {ANSWERS_CHAIN}") if rule in texts), 1)


def _wanted(
    traits: EngineTraits, chains: tuple[str, str], here: Network, there: Network, family: Family
) -> dict[str, str]:
    """The rule that each chain needs to stop packets from ``here`` to ``there``; none where the engine has no rule."""
    first, second = chains
    wanted = {"FORWARD": f"-j {first}"}
    if here.internal or there.internal:
        if not traits.isolates_internal_by_subnet:
            return {}
        if there.internal:
            return wanted | {first: f"! -s {_subnet(there, family)} -o {there.bridge} -j DROP"}
        return wanted | {first: f"! -d {_subnet(here, family)} -i {here.bridge} -j DROP"}
    return wanted | {
        first: f"-i {here.bridge} ! -o {here.bridge} -j {second}",
        second: f"-o {there.bridge} -j DROP",
    }


def _icc(case: HostContext, network: Network, family: Family) -> tuple[IsolationRepair, ...]:
    host = case.view.host
    bridge = case.view.link_named(host.id, network.bridge) if host is not None else None
    if host is None or bridge is None:
        return ()
    if not calls_iptables(host, bridge, family):
        key = _NF_CALL[family]
        value = case.sysctl(key)
        if value is None:
            return ()
        return (IsolationRepair(SetSysctl(key=key, value="1"), SetSysctl(key=key, value=value)),)
    spec = f"-i {bridge.name} -o {bridge.name} -j DROP"
    texts = _texts(case, "FORWARD", family)
    if texts is None or spec in texts:
        return ()
    return (_rule(case, family, "FORWARD", spec, 1),)


def _texts(case: HostContext, chain: str, family: Family) -> tuple[str, ...] | None:
    """The rules of a filter chain as text; None when there is no such chain."""
    found = iptables_layout.chain(case, "filter", chain, family)
    return tuple(rule.text for rule in found.rules) if found is not None else None


def _rule(case: HostContext, family: Family, chain: str, spec: str, position: int) -> IsolationRepair:
    place = TableRef(backend=iptables_layout.backend(case), family=family, table="filter")
    change = RuleEdit(place=place, chain=chain, spec=spec)
    return IsolationRepair(change.insert(position), change.delete(position))


def _subnet(network: Network, family: Family) -> str:
    return iptables_layout.subnet(network, family) or ANYWHERE[family]
