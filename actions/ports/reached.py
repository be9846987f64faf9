"""Whether a published port leads to its container: by walks from outside, from the host and from a neighbour.  Pure."""

from __future__ import annotations

from itertools import islice

from dnet_tui.actions.ports.publish import PortRequest
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Container, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import ways_out
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean


def reached(snapshot: Snapshot, request: PortRequest) -> str:
    """Say, a line each, what becomes of packets to the port."""
    case = HostContext(snapshot)
    loopback = request.host_ip.startswith("127.")
    lines: list[str] = []
    for source in ("host",) if loopback else ("outside", "host", *_neighbours(snapshot, request)):
        target = request.host_ip or "host"
        try:
            found = trace(case, find(case, source), find(case, target), proto=request.proto, port=request.host_port)
        except DnetError as error:
            lines.append(f"{clean(source)} → port {request.host_port}: {error.message}")
            continue
        lines.append(f"{clean(source)} → port {request.host_port}: {_outcome(found)}")
    return "\n".join(lines)


def _neighbours(snapshot: Snapshot, request: PortRequest) -> list[str]:
    """The container itself, and one that shares no network with it."""
    every = [item for item in known_items(snapshot.containers) if item.running and item.joined is None]
    own = next((item for item in every if request.container in (item.name, item.id)), None)
    if own is None:
        return [request.container]
    view = View(snapshot)
    near = _bridges(view, own)
    others = (item.name for item in every if (bridges := _bridges(view, item)) and not bridges & near)
    return [own.name, *islice(others, 1)]


def _bridges(view: View, container: Container) -> set[int]:
    """The bridges of the host that a container is plugged into, where it has a way out."""
    inside = view.namespaces.get(container.netns or "")
    if inside is None or not ways_out(inside):
        return set()
    ports = [view.links.get(link.peer) for link in inside.links if link.peer is not None]
    return {port.master for port in ports if port is not None and port.master is not None}


def _outcome(found: Trace) -> str:
    if not found.arrives:
        word = "not known" if found.arrives is None else found.verdict
        return f"{word}{f': {found.why}' if found.why else ''}"
    if found.forward.end == "refused":
        return f"reaches {clean(found.received_by)}, where nobody listens"
    return f"arrives at {clean(found.received_by)}, and the answer gets back"
