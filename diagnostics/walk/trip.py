"""One packet's trip, there and back: the walk's front door.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, Walk
from dnet_tui.diagnostics.walk.trail import Tracked, WalkStopped
from dnet_tui.diagnostics.walk.walker import Walker
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.view import View


def walk(
    view: View,
    packet: Packet,
    *,
    origin: str,
    arriving: LinkRef | None = None,
    outside: bool = False,
    beyond: bool = False,
    answers: Tracked = (),
) -> Walk:
    """Walk ``packet`` from the namespace ``origin``, or from a neighbour on the link ``arriving``.

    ``outside`` ends the walk as ``left`` when the packet leaves the host by a
    link that isn't a container's.  ``beyond`` goes on past obstacles to find
    the others.  ``answers`` holds the connections of which this is a reply.
    """
    walker = Walker(view, packet, outside=outside, beyond=beyond, answers=answers)
    end: End
    by: Decider | None = None
    try:
        if arriving is None:
            end, by = walker.send(view.namespaces[origin])
        else:
            link = view.links[arriving]
            end, by = walker.input(view.namespaces[arriving.namespace], link, iif=link.name)
    except WalkStopped:
        end = "unknown"
    if walker.obstacles:
        end, by = walker.obstacles[0].end, walker.obstacles[0].by
    return Walk(
        start=packet,
        origin=origin if arriving is None else "",
        end=end,
        decided_by=by,
        hops=tuple(walker.hops),
        obstacles=tuple(walker.obstacles),
        last=walker.packet,
        last_namespace=walker.namespace,
        exits=walker.exits,
        tracked=tuple(walker.tracked),
    )


def reply(view: View, forward: Walk, *, beyond: bool = False) -> Walk:
    """Walk the answer to ``forward`` back to where it started.

    Where nothing listens that is the refusal: a reset, or an ICMP error.
    """
    arriving = None
    host = view.host
    if forward.end == "left" or forward.exits:
        link = view.link_named(host.id, forward.exits) if host else None
        if host is not None and link is not None:
            arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    return walk(
        view,
        _answer(forward),
        origin=forward.last_namespace,
        arriving=arriving,
        outside=not forward.origin,
        beyond=beyond,
        answers=forward.tracked,
    )


def _answer(forward: Walk) -> Packet:
    """The packet that the one who got the last one sends back."""
    last = forward.last
    answer = Packet(family=last.family, src=last.dst, dst=last.src, proto=last.proto)
    if last.proto in {"icmp", "icmpv6"}:
        return altered(answer, icmp_type={8: 0, 128: 129}.get(last.icmp_type, last.icmp_type))
    if forward.end == "refused" and last.proto != "tcp":
        # Port unreachable: ICMP's type 3 code 3, ICMPv6's type 1 code 4.
        kind, code = (3, 3) if last.family == "ip" else (1, 4)
        return altered(answer, proto="icmp" if last.family == "ip" else "icmpv6", icmp_type=kind, icmp_code=code)
    flags = ("RST", "ACK") if forward.end == "refused" else ("SYN", "ACK")
    answer = altered(answer, sport=last.dport, dport=last.sport)
    return altered(answer, tcp_flags=flags) if last.proto == "tcp" else answer
