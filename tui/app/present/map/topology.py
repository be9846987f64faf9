"""A drawing of the way from what is selected to the outside: each link with its addresses, and where NAT changes them.

The links and the changes are those of a walked packet, not what an engine says.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.capture.path_points import links_passed
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import BEYOND, find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import Container, Link, LinkRef, Snapshot
from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.styled_text import BLANK, CROSS, Paragraph, StyledLine, TextRole, line, pad, say, width_of

_NEIGHBOURS = 12
"""So many members of a bridge are drawn; of the others only the number is told."""


def drawing(snapshot: Snapshot, row: str) -> tuple[Paragraph, ...]:
    """Return the drawing for a row of the map; none where nothing leads anywhere from there.

    Raises:
        DnetError: too little was seen to walk a packet.
    """
    case = HostContext(snapshot)
    view = View(listed(snapshot))
    members = _members(view, row)
    if not members:
        return ()
    container = members[0]
    found = trace(case, find(case, container.id), find(case, BEYOND))
    way = links_passed(case.view, found.forward)
    others = [item for item in members[1:] if item.running]
    out = [*_beside(others)] if others else []
    out += _boxes(view, found, way)
    out += [BLANK, *_end(found), *_published(members)]
    return tuple(out)


def _members(view: View, row: str) -> list[Container]:
    """The containers of a row, the first one being the one whose way is drawn."""
    kind, _, rest = row.partition(":")
    ident, _, ifindex = rest.rpartition(":")
    if kind == "ctr":
        container = view.containers.get(ident)
        return [container] if container is not None and container.running else []
    if kind == "net":
        network = view.networks.get(rest)
        bridge = (
            view.link_named(view.host.id, network.bridge) if network is not None and view.host is not None else None
        )
        return _on_bridge(view, view.host.id, bridge) if bridge is not None and view.host is not None else []
    link = view.links.get(LinkRef(namespace=ident, ifindex=int(ifindex))) if kind == "link" else None
    if link is None:
        return []
    if link.kind == "bridge":
        return _on_bridge(view, ident, link)
    return _running(view, link.peer.namespace) if link.peer is not None else _running(view, ident)


def _on_bridge(view: View, namespace: str, bridge: Link) -> list[Container]:
    ends = (port.peer for port in view.ports_of(namespace, bridge.ifindex))
    return [item for end in ends if end is not None for item in _running(view, end.namespace)]


def _running(view: View, namespace: str) -> list[Container]:
    ns = view.namespaces.get(namespace)
    if ns is None or ns.kind == "host":
        return []
    return [item for item in view.containers_in(namespace) if item.running and item.joined is None]


def _beside(others: list[Container]) -> Iterator[Paragraph]:
    yield Paragraph(line(say("Also on it: ", "dim"), ", ".join(item.name for item in others[:_NEIGHBOURS])), hang=2)
    if len(others) > _NEIGHBOURS:
        yield Paragraph(line(say(f"and {len(others) - _NEIGHBOURS} more", "dim")))
    yield BLANK


def _boxes(view: View, found: Trace, way: tuple[LinkRef, ...]) -> Iterator[Paragraph]:
    """A box for each namespace's stretch of the way, with what happens between two links."""
    boxes: list[tuple[str, list[StyledLine]]] = []
    crossed: list[str] = []
    before: Link | None = None
    for ref in way:
        link = view.links.get(ref)
        if link is None:
            continue
        if not boxes or boxes[-1][0] != ref.namespace:
            crossed.append("⇅ veth" if link.kind == "veth" else "⇅")
            boxes.append((ref.namespace, []))
        elif before is not None:
            boxes[-1][1].append(_step(found, is_port=before.master == link.ifindex))
        boxes[-1][1].append(_said(view, ref, link))
        before = link
    titles = [view.label(namespace) for namespace, _ in boxes]
    bodies = [width_of(body) for _, rows in boxes for body in rows]
    width = max([*bodies, *(len(title) + 4 for title in titles)], default=0)
    for index, (title, (_, rows)) in enumerate(zip(titles, boxes, strict=True)):
        if index:
            yield Paragraph(line(say(" ", "frame"), say(crossed[index], "dim")))
        rest = "─" * max(width - width_of((say(title),)) - 1, 0)
        yield Paragraph(line(say("┌─ ", "frame"), say(title, "head"), say(f" {rest}┐", "frame")))
        for body in rows:
            yield Paragraph(line(say("│ ", "frame"), pad(body, width), say(" │", "frame")))
        yield Paragraph(line(say(f"└┬{'─' * (width + 1)}┘", "frame")))


def _step(found: Trace, *, is_port: bool) -> StyledLine:
    """What lies between two links of one namespace."""
    if is_port:
        return line(say("  │ port of", "dim"))
    changes = _changes(found)
    return line(say("  │ routed", "dim"), say(f", {changes}" if changes else "", "info"))


def _said(view: View, ref: LinkRef, link: Link) -> StyledLine:
    paired = f"@if{link.peer.ifindex}" if link.kind == "veth" and link.peer is not None else ""
    addresses = [item.cidr for item in view.addresses_of(ref) if item.scope != "link"]
    more = f" +{len(addresses) - 2}" if len(addresses) > 2 else ""
    where = f"  {', '.join(addresses[:2])}{more}" if addresses else ""
    kind = f"  {link.kind}" if link.kind not in {"veth", ""} else ""
    down = say("" if link.up else "  down", "bad")
    return line(say(link.name, "name" if link.up else "bad"), say(f"{paired}{kind}", "dim"), where, down)


def _changes(found: Trace) -> str:
    """The address that NAT gives the packet on its way; empty where it keeps its own."""
    begun, last = found.forward.start, found.forward.last
    return f"NAT: {begun.src} becomes {last.src}" if begun.src != last.src else ""


def _end(found: Trace) -> Iterator[Paragraph]:
    if found.forward.arrives is True:
        way = say("⇅ ", "dim") if found.arrives is not False else say(f"{CROSS} ", "bad")
        yield Paragraph(line(way, say("outside", "head"), f", as {found.forward.last.src}"))
        if found.arrives is False:
            yield Paragraph(
                line(say("  no answer comes back from there", "bad"), f": {found.why}" if found.why else ""), hang=4
            )
        return
    role: TextRole = "bad" if found.forward.arrives is False else "warn"
    sign = CROSS if found.forward.arrives is False else "?"
    by = found.forward.decided_by
    yield Paragraph(line(say(f"{sign} ends here: ", role), found.why or found.forward.end), hang=2)
    if by is not None:
        yield Paragraph(line(say("  by ", "dim"), say(by.text, "info")), hang=5)


def _published(members: list[Container]) -> Iterator[Paragraph]:
    """Which way leads in."""
    for item in members[: _NEIGHBOURS + 1]:
        for port in item.published:
            where = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
            text = f"{where}:{port.host_port} → {item.name}:{port.container_port}/{port.proto}"
            yield Paragraph(line(say("in: ", "dim"), text), hang=4)
