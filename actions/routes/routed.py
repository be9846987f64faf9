"""Whether a route to another host's containers is taken, both ways: by walks.  Pure."""

from __future__ import annotations

import ipaddress
from itertools import islice

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.inspect.text.sanitize import clean

_SHOWN = 3


def routed(snapshot: Snapshot, subnet: str) -> str:
    """Say, a line each, how packets of the first containers go there and how they come from there."""
    case = HostContext(snapshot)
    there = str(ipaddress.ip_network(subnet).network_address + 2)
    lines: list[str] = []
    members = [item for item in known_items(snapshot.containers) if item.running and item.mode == "bridge"]
    for container in islice(members, _SHOWN):
        name = clean(container.name)
        try:
            out = trace(case, find(case, container.id), find(case, there), port=80).forward
            back = trace(case, find(case, there), find(case, container.id), port=80).forward
        except DnetError as error:
            lines.append(f"{name}: {error.message}")
            continue
        gone = f"leaves by {out.exits} as {out.last.src}" if out.end == "left" else f"arrives as {out.last.src}"
        left = gone if out.end in ("left", "delivered", "refused") else f"is stopped: {out.end}"
        came = "reaches it" if back.end in ("delivered", "refused") else f"is stopped: {back.end}"
        lines.append(f"{name} → {there}: {left}; what comes from there {came}")
    return "\n".join(lines)
