"""Captured packets as rows, and the points they can be captured at.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnet_tui.inspect.capture.points import point_of
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.inspect.view import View
from dnet_tui.tui.app.present.lines import Line, Para, Row, fact, line, say
from dnet_tui.tui.app.state import Capture, Packet

_ARROWS = {"in": "in ", "out": "out"}


def rows(packets: Sequence[Packet], *, brief: bool, total: int) -> tuple[Row, ...]:
    """Return packets like tcpdump's lines; ``brief`` leaves out the hours and the point, for a small pane.

    Ids count from the capture's first packet (``total`` is how many came),
    so a row keeps its id while newer ones arrive.
    """
    first = total - len(packets)
    wide = max((len(packet.point) for packet in packets), default=0)
    return tuple(
        Row(id=f"packet:{first + index}", cells=(_row(packet, brief=brief, wide=wide),))
        for index, packet in enumerate(packets)
    )


def _row(packet: Packet, *, brief: bool, wide: int) -> Line:
    time = packet.time[3:12] if brief else packet.time[:15]
    point = () if brief else (say(f"{packet.point:<{wide}} ", "info"),)
    return line(
        say(f"{time} ", "dim"),
        *point,
        say(f"{_ARROWS.get(packet.direction, '   ')} ", "key"),
        *_ends(packet),
        " ",
        packet.info,
    )


def _ends(packet: Packet) -> Line:
    if not packet.dst:
        return line(say(packet.src, "name"))
    return line(say(packet.src, "name"), " → ", say(packet.dst, "name"))


def detail(packet: Packet) -> tuple[Para, ...]:
    """Return one packet in full."""
    direction = {"in": "into the interface's namespace", "out": "out of the interface's namespace"}
    return (
        fact("time", packet.time),
        fact("point", say(packet.point, "info")),
        fact("direction", direction.get(packet.direction, packet.direction)),
        fact("from", say(packet.src, "name")),
        fact("to", say(packet.dst, "name")),
        fact("packet", packet.info),
    )


def status(capture: Capture, point: str, *, frozen: bool, can_capture: bool) -> Line:
    """Return the pane's line of state: what runs and what was lost, or why nothing runs."""
    if not can_capture:
        return line(say("no live host: packets can't be captured from a saved snapshot", "dim"))
    if capture.trouble is not None:
        hint = f"  {capture.trouble.hint}" if capture.trouble.hint else ""
        return line(say("× ", "bad"), say(capture.trouble.message, "bad"), say(hint, "plain"))
    lost = say(f", {capture.dropped} dropped", "bad" if capture.dropped else "dim")
    count = (say(f"{capture.received} received", "name"), lost)
    if capture.running:
        return line(say("frozen  " if frozen else "• running  ", "warn" if frozen else "good"), *count)
    if capture.received:
        return line(say("stopped  ", "dim"), *count)
    if not point:
        return line(say("choose a point with ", "dim"), say("p", "key"))
    return line(say("press ", "dim"), say("c", "key"), say(" to capture here, ", "dim"), say("p", "key"), say(" for another point", "dim"))


def choices(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return every interface packets can be captured at: the host's first, then each container's."""
    view = View(snapshot)
    found: list[Row] = []
    for ns in sorted(snapshot.namespaces, key=lambda item: item.kind != "host"):
        for link in ns.links:
            point = point_of(view, LinkRef(namespace=ns.id, ifindex=link.ifindex))
            if point is None or (link.kind == "loopback" and ns.kind != "host"):
                continue
            state = () if link.up else (say("down", "bad"),)
            cells = (line(say(point.label, "name")), line(say(point.description, "dim")), line(*state))
            found.append(Row(id=spec(ns.id, link.name), cells=cells))
    return tuple(found)


def spec(namespace: str, interface: str) -> str:
    """Return the text that names exactly this interface, as :func:`~dnet_tui.inspect.capture.points.resolve` reads it."""
    return f"{namespace}:{interface}"


def label(snapshot: Snapshot | None, point: str) -> str:
    """Return what to call a point made by :func:`spec`; the text itself when its interface is gone."""
    namespace, _, interface = point.rpartition(":")
    if snapshot is None or not namespace:
        return point
    view = View(snapshot)
    link = view.link_named(namespace, interface)
    found = point_of(view, LinkRef(namespace=namespace, ifindex=link.ifindex)) if link else None
    return found.label if found else interface
