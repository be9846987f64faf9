"""The rules that plain-Linux networks live by: they have no engine that would put them back.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.inspect.model import Network
from dnet_tui.inspect.model.engine_kinds.others import LINUX

ENGINE = LINUX.kind
"""The engine of networks that are nothing but a bridge."""


def any_left(case: HostContext, networks: list[Network]) -> bool:
    """Whether any rule of any backend still speaks of one of the networks, by its bridge or its subnet."""
    names = {network.bridge for network in networks}
    names |= {subnet.cidr for network in networks for subnet in network.subnets}
    return any(
        names & set(rule.text.replace('"', " ").split())
        for family in ("ip", "ip6", "inet", "bridge")
        for table in iptables_layout.tables(case, family)
        for chain in table.chains
        for rule in chain.rules
    )


def suffers(flow: Flow, networks: list[Network]) -> bool:
    """Whether a flow of the networks isn't as they ask: stopped, let through, or leaving with a private address."""
    if flow.network not in networks or flow.family != "ip":
        return False
    bare = flow.kind == "egress" and flow.network.masquerade is True and flow.forward.last.src == flow.forward.start.src
    return bare or (flow.arrives is not None and flow.arrives != flow.expected)


def replacements(case: HostContext, networks: list[Network]) -> Iterator[RuleEdit]:
    """The rules that give the networks what they ask for, where FORWARD accepts by default or not."""
    backend = iptables_layout.backend(case)
    nat, forward = TableRef(backend, "ip", "nat"), TableRef(backend, "ip", "filter")
    for network in networks:
        bridge = network.bridge
        if network.internal:
            yield RuleEdit(forward, "FORWARD", f"-i {bridge} ! -o {bridge} -j DROP")
            yield RuleEdit(forward, "FORWARD", f"! -i {bridge} -o {bridge} -j DROP")
        elif network.isolated:
            others = (item.bridge for item in networks if item.id != network.id and not item.internal)
            for other in others:
                yield RuleEdit(forward, "FORWARD", f"-i {other} -o {bridge} -j DROP")
    for network in networks:
        bridge = network.bridge
        if not network.internal:
            yield RuleEdit(forward, "FORWARD", f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
            yield RuleEdit(forward, "FORWARD", f"-i {bridge} ! -o {bridge} -j ACCEPT")
        for subnet in network.subnets if network.masquerade else ():
            if ":" not in subnet.cidr:
                yield RuleEdit(nat, "POSTROUTING", f"-s {subnet.cidr} ! -o {bridge} -j MASQUERADE")
