"""``ls`` without an argument: the map of the host as text.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.cells import cells, pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.lists.rows.bridges import BridgeRow, PortRow, bridge_rows
from dnet_tui.tui.reports.lists.rows.containers import ContainerRow, InterfaceRow, container_rows
from dnet_tui.tui.reports.lists.tables_of_rows import host_port, shown_interfaces, worth_showing
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_NAME = 20  # cells at most for the column of names


def host_map(view: View, paper: OutputStyle) -> str:
    """Bridges with their containers, then the containers that are on none.  Ends with a line break."""
    bridges, containers = bridge_rows(view), container_rows(view)
    sections = [(bridge, [_port(bridge, port, containers) for port in bridge.ports]) for bridge in bridges]
    plugged = [name for _, body in sections for name, _ in body]
    rest = list(_rest(view, plugged, containers))
    names = plugged + [name for name, _ in rest]
    column = min(_NAME, max((cells(clean(name)) for name in names), default=0))
    lines = paragraph(_title(view), paper.width)
    for bridge, body in sections:
        lines += ["", *_bridge(bridge, paper), *(_lines(body, column, paper) or ["  no ports"])]
    if rest:
        lines += ["", paper.bold("Not on a bridge"), *_lines(rest, column, paper)]
    if not bridges and not containers:
        lines += ["", "No bridge and no container was found."]
    return "\n".join(lines) + "\n"


def _title(view: View) -> str:
    engines = [f"{engine.name} {engine.version}".strip() for engine in known_items(view.snapshot.engines)]
    host = view.snapshot.host
    return clean(" · ".join([host.hostname or "host", f"Linux {host.kernel}", *(engines or ["no engine answered"])]))


def _bridge(bridge: BridgeRow, paper: OutputStyle) -> list[str]:
    facts = [*worth_showing(bridge.addresses), *([] if bridge.up else ["DOWN"])]
    facts.append(f"network {bridge.network} ({bridge.engine})" if bridge.network else "no known network")
    name = bridge.name if bridge.namespace is None else f"{bridge.name} in {bridge.namespace}"
    first, *later = paragraph(clean(f"{name}  {'  '.join(facts)}", 1024), paper.width, "", "    ")
    return [paper.bold(first), *later]


def _port(bridge: BridgeRow, port: PortRow, containers: list[ContainerRow]) -> tuple[str, str]:
    """A line's name and text: the container behind a port, or the port itself and what is known of it."""
    for row in containers:
        for item in row.interfaces:
            here = item.peer is not None and item.peer.name == port.name and item.bridge == bridge.name
            here = here and (bridge.namespace is None or item.network == bridge.network)
            if here and row.mode != "container":
                unseen = [_unseen(row)] if row.not_seen else []
                return row.name, "  ".join([f"{_interface(item)} ↔ {port.name}", *unseen, *_published(row)])
    if port.owner is not None:
        return port.owner, f"{port.interface} ↔ {port.name}"
    return port.name, port.note or f"{port.kind or 'physical'} port"


def _rest(view: View, plugged: list[str], containers: list[ContainerRow]) -> Iterator[tuple[str, str]]:
    """The containers that no bridge's port leads to."""
    for row in containers:
        container = view.containers[row.id]
        if row.mode == "host":
            yield row.name, "uses the host's network"
        elif row.mode == "container":
            owner = view.containers.get(container.joined or "")
            yield row.name, f"shares the network of {owner.name if owner is not None else 'a container not seen'}"
        elif not container.running:
            yield row.name, f"not running ({container.status})" if container.status else "not running"
        elif row.mode == "none":
            yield row.name, "has no network"
        elif row.name not in plugged:
            found = ", ".join(_interface(item) for item in shown_interfaces(row))
            yield row.name, f"{row.mode}: {found or _unseen(row) or 'its interfaces were not seen'}"


def _unseen(row: ContainerRow) -> str:
    return f"not seen: {'; '.join(row.not_seen)}" if row.not_seen else ""


def _interface(item: InterfaceRow) -> str:
    return " ".join([item.name, *worth_showing(item.addresses)])


def _published(row: ContainerRow) -> list[str]:
    return [f"{host_port(port.host_ip, port.host_port)}→{port.container_port}/{port.proto}" for port in row.published]


def _lines(body: list[tuple[str, str]], column: int, paper: OutputStyle) -> list[str]:
    lines: list[str] = []
    for name, text in body:
        head = f"  {pad(clean(name), column)}  "
        lines += paragraph(clean(text, 4096), paper.width, head, " " * (column + 4))
    return lines
