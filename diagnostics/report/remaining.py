"""The flows of a finding that are stopped all the same, once it is repaired.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import derive
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model import Snapshot


def still_stopped(snapshot: Snapshot, finding: Finding) -> tuple[str, ...]:
    """Those of the finding's flows that don't pass by this snapshot, each with what stops it now."""
    wanted = {(item.label, item.proto, item.port) for item in finding.flows}
    if not wanted:
        return ()
    found: dict[str, str] = {}
    for flow in derive(HostContext(snapshot)):
        first = flow.forward.start
        if flow.expected and (flow.label, first.proto, first.dport or None) in wanted and flow.obstacles:
            _, obstacle = flow.obstacles[0]
            if obstacle.end != "unknown":
                found.setdefault(flow.label, f"{flow.label}: {obstacle.end} by {obstacle.by.text}")
    return tuple(found.values())
