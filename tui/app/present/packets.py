"""Captured packets as rows, and the points they can be captured at.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnet_tui.inspect.capture.decode import PacketSummary, clock
from dnet_tui.inspect.capture.points import point_of
from dnet_tui.inspect.model import LinkRef, Snapshot, known_items
from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.model.state import CaptureView
from dnet_tui.tui.app.present.styled_text import CROSS, Paragraph, Row, StyledLine, fact, line, say


def rows(packets: Sequence[PacketSummary], *, brief: bool, total: int) -> tuple[Row, ...]:
    """Return packets like tcpdump's lines; ``brief`` shows only the seconds, for a small pane.

    The point is named where there are several.
    Ids count from the capture's first packet (``total`` is how many came),
    so a row keeps its id while newer ones arrive.
    """
    first = total - len(packets)
    points = {packet.point for packet in packets}
    wide = max(map(len, points)) if len(points) > 1 else 0
    return tuple(
        Row(id=f"packet:{first + index}", cells=(_row(packet, brief=brief, wide=wide),))
        for index, packet in enumerate(packets)
    )


def _row(packet: PacketSummary, *, brief: bool, wide: int) -> StyledLine:
    time = clock(packet.time)
    point = (say(f"{packet.point:<{wide}} ", "info"),) if wide else ()
    return line(
        say(f"{time[6:12] if brief else time[:12]} ", "dim"),
        *point,
        say(f"{packet.direction:<3} ", "key"),
        say(f"{packet.proto} ", "head"),
        *_ends(packet),
        f" {packet.info}",
    )


def _ends(packet: PacketSummary) -> StyledLine:
    src, dst = end(packet.src, packet.sport), end(packet.dst, packet.dport)
    return line(say(src, "name"), " → " if dst else "", say(dst, "name"))


def end(address: str, port: int | None) -> str:
    """Return one end of a packet, as ``10.0.0.2:80`` or ``[2001:db8::2]:80``."""
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def detail(packet: PacketSummary) -> tuple[Paragraph, ...]:
    """Return one packet in full."""
    direction = {"in": "received by the interface", "out": "sent by the interface"}
    return (
        fact("time", clock(packet.time)),
        fact("point", say(packet.point, "info"), f", {direction[packet.direction]}"),
        fact("from", say(end(packet.src, packet.sport), "name")),
        fact("to", say(end(packet.dst, packet.dport), "name")),
        fact("packet", say(packet.proto, "head"), f" {packet.info}"),
        fact("length", f"{packet.length} bytes on the wire"),
    )


def status(capture: CaptureView, point: str, *, frozen: bool, can_capture: bool) -> StyledLine:
    """Return the pane's line of state: what runs and what was lost, or why nothing runs."""
    if not can_capture:
        return line(say("no live host: packets can't be captured from a saved snapshot", "dim"))
    if capture.trouble is not None:
        hint = f"  {capture.trouble.hint}" if capture.trouble.hint else ""
        return line(say(f"{CROSS} ", "bad"), say(capture.trouble.message, "bad"), say(hint, "plain"))
    lost = say(f", {capture.dropped} dropped", "bad" if capture.dropped else "dim")
    count = (say(f"{capture.received} received", "name"), lost)
    if capture.running:
        return line(say("frozen  " if frozen else "• running  ", "warn" if frozen else "good"), *count)
    if capture.received:
        return line(say("stopped  ", "dim"), *count)
    if not point:
        return line(say("choose a point with ", "dim"), say("p", "key"))
    return line(
        say("press ", "dim"),
        say("c", "key"),
        say(" to capture here, ", "dim"),
        say("p", "key"),
        say(" for another point", "dim"),
    )


def choices(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return every interface packets can be captured at: the host's first, then each container's."""
    view = View(listed(snapshot))
    found: list[Row] = []
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
    """Return what to call a point made by :func:`spec`; the text itself when its interface is gone."""
    namespace, _, interface = point.rpartition(":")
    if snapshot is None or not namespace:
        return point
    view = View(listed(snapshot))
    link = view.link_named(namespace, interface)
    found = point_of(view, LinkRef(namespace=namespace, ifindex=link.ifindex)) if link else None
    return found.label if found else interface
