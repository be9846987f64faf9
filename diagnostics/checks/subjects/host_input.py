"""What the host's own INPUT rules keep from it.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
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
