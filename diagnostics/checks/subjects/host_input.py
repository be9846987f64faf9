"""What the host's own INPUT and OUTPUT rules keep from it.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import known_tables
from dnet_tui.diagnostics.flows.flow import FlowKind
from dnet_tui.diagnostics.walk.packet import Obstacle

INPUT_DROP = "input-drop"
"""The check that speaks of them."""

PROMISED: frozenset[FlowKind] = frozenset({"host-to-published"})
"""Flows of the host's own that an engine promised: it published the port.

Whether containers may come by the host's address as well is for its INPUT rules to say, as ufw's do by default.
"""


def is_host_input(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether a rule or policy of the host's INPUT stops a packet."""
    return obstacle.stage == "input" and obstacle.by.rule is not None and on_host(case, obstacle)


def is_host_output(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether a rule or policy of the host's OUTPUT stops a packet."""
    return obstacle.stage == "output" and obstacle.by.rule is not None and on_host(case, obstacle)


def is_discovery(case: HostContext, obstacle: Obstacle, hook: str) -> bool:
    """Whether a rule of the host's INPUT or OUTPUT stops the neighbour discovery of IPv6 that a packet waits for."""
    rule = obstacle.by.rule
    if obstacle.stage != "neighbour" or rule is None or not on_host(case, obstacle) or obstacle.packet.family != "ip6":
        return False
    return any(
        chain.hook == hook
        for table in known_tables(case.view.host)
        if (table.backend, table.family, table.name) == (rule.backend, rule.family, rule.table)
        for chain in table.chains
        if chain.name == (rule.base or rule.chain)
    )
