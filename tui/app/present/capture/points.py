"""The points that packets can be captured at: their names, and a list to choose from.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.capture.points import point_of
from dnet_tui.inspect.model import LinkRef, Snapshot, known_items
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import Row, line, say

CONTAINER = "container:"
"""Before a container's id: its interfaces, the host's ends of them, its bridge and the uplink, in one."""


def choices(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return what packets can be captured at: containers with their way out, then the host's interfaces and theirs."""
    view = seen_host(snapshot)
    found: list[Row] = []
    for container in known_items(snapshot.containers):
        ns = view.namespaces.get(container.netns or "")
        if ns is not None and ns.kind != "host":
            about = line(say("its links, bridge and uplink", "dim"))
            found.append(Row(id=CONTAINER + container.id, cells=(line(say(container.name, "name")), about)))
    for ns in sorted(known_items(snapshot.namespaces), key=lambda item: item.kind != "host"):
        for link in ns.links:
            point = point_of(view, LinkRef(namespace=ns.id, ifindex=link.ifindex))
            if point is None or (link.kind == "loopback" and ns.kind != "host"):
                continue
            state = () if link.up else (say("down", "bad"),)
            cells = (line(say(point.label, "name")), line(say(point.description, "dim")), line(*state))
            found.append(Row(id=spec(ns.id, link.name), cells=cells))
    return tuple(found)


def spec(namespace: str, interface: str) -> str:
    """Return the text that names exactly this interface to :mod:`dnet_tui.inspect.capture.points`."""
    return f"{namespace}:{interface}"


def label(snapshot: Snapshot | None, point: str) -> str:
    """Return what to call a point of :func:`spec` or of a container; the text itself when its interface is gone."""
    if snapshot is not None and point.startswith(CONTAINER):
        container = seen_host(snapshot).containers.get(point.removeprefix(CONTAINER))
        return f"{container.name} and its way out" if container is not None else "a container that is gone"
    namespace, _, interface = point.rpartition(":")
    if snapshot is None or not namespace:
        return point
    view = seen_host(snapshot)
    link = view.link_named(namespace, interface)
    found = point_of(view, LinkRef(namespace=namespace, ifindex=link.ifindex)) if link else None
    return found.label if found else interface
