"""One packet's trip, there and back: the walk's front door.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.diagnostics.walk.l2.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.l3.mtu import came_in
from dnet_tui.diagnostics.walk.netfilter.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider, End, Obstacle, Packet, Walk
from dnet_tui.diagnostics.walk.state import Tracked, WalkStopped, not_seen
from dnet_tui.diagnostics.walk.walker import Walker
from dnet_tui.inspect.model import LinkRef, NotSeen
from dnet_tui.inspect.model.view import View

_MOST_WAYS = 32


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

    Where NAT chooses by lot, or can't be decided, every way is walked: if all
    end alike that is the answer, otherwise it is unknown from there on.
    """

    def led(picks: tuple[int, ...] | None) -> tuple[Walk, list[int]]:
        walker = Walker(view, packet, outside=outside, beyond=beyond, answers=answers, picks=picks)
        return _led(view, walker, origin, arriving), walker.partings

    first, partings = led(())
    if not partings:
        return first
    ways = _ways(led, first, partings)
    return _together(ways) or led(None)[0]


def _led(view: View, walker: Walker, origin: str, arriving: LinkRef | None) -> Walk:
    """One way."""
    packet = walker.packet
    end: End
    by: Decider | None = None
    try:
        if arriving is None:
            end, by = walker.send(view.namespaces[origin])
        else:
            link = view.links[arriving]
            came_in(walker, view.namespaces[arriving.namespace], link)
            pass_device(walker, view.namespaces[arriving.namespace], link, "ingress")
            end, by = walker.input(view.namespaces[arriving.namespace], link, iif=link.name)
    except WalkStopped:
        end = "unknown"
    except NotSeen as missing:  # the one place: whatever a walk rests on and was not read makes it unknown
        end = "unknown"
        stage = walker.hops[-1].stage if walker.hops else "routing"
        walker.obstacles.append(
            Obstacle(end=end, stage=stage, by=not_seen(missing, view.label(missing.scope)), packet=walker.packet)
        )
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


def _ways(
    led: Callable[[tuple[int, ...] | None], tuple[Walk, list[int]]], first: Walk, partings: list[int]
) -> list[Walk]:
    """Every way, the first one included; none where there are too many."""
    found = [first]
    open_ends = _turns((), partings)
    while open_ends:
        if len(found) + len(open_ends) > _MOST_WAYS:
            return []
        picks = open_ends.pop()
        way, partings = led(picks)
        found.append(way)
        open_ends += _turns(picks, partings)
    return found


def _turns(picks: tuple[int, ...], partings: list[int]) -> list[tuple[int, ...]]:
    """What else could have been picked at the partings that a walk took the first way of, without being told to."""
    free = range(len(picks), len(partings))
    return [(*picks, *(0,) * (at - len(picks)), turn) for at in free for turn in range(1, partings[at])]


def _together(ways: list[Walk]) -> Walk | None:
    """Several possible ways as one, if all end alike: stopped ones each by a rule, or all by the same thing."""
    if not ways or len({way.end for way in ways}) > 1 or ways[0].end == "unknown":
        return None
    first, *others = ways
    by = first.decided_by
    if first.arrives is not True and by is not None and any(way.decided_by != by for way in others):
        rules = [way.decided_by.rule for way in ways if way.decided_by is not None]
        if len(rules) < len(ways) or None in rules:
            return None
        instead = dict.fromkeys((*by.instead, *(rule for rule in rules if rule is not None and rule != by.rule)))
        by = msgspec.structs.replace(by, instead=tuple(instead))
    return msgspec.structs.replace(first, decided_by=by, others=tuple(others))


def reply(view: View, forward: Walk, *, beyond: bool = False) -> Walk:
    """Walk the answer to ``forward`` back to where it started.

    Where nothing listens that is the refusal: a reset, or an ICMP error.
    """
    first = _reply(view, forward, beyond=beyond)
    if not forward.others:
        return first
    ways = [first, *(_reply(view, way, beyond=beyond) for way in forward.others)]
    ways = [msgspec.structs.replace(one, others=()) for way in ways for one in (way, *way.others)]
    together = _together(ways)
    if together is not None:
        return together
    text = "where the packet goes can't be foretold, and not every answer comes back"
    by = Decider(kind="rule", text=text, namespace=first.last_namespace)
    stop = Obstacle(end="unknown", stage="answer", by=by, packet=first.start)
    return msgspec.structs.replace(first, end="unknown", decided_by=by, obstacles=(stop,))


def _reply(view: View, forward: Walk, *, beyond: bool) -> Walk:
    """The answer to one way."""
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
        # An echo is as long as what it answers; the kernel lets it be fragmented (icmp_sk_init).
        kind = {8: 0, 128: 129}.get(last.icmp_type, last.icmp_type)
        return altered(answer, icmp_type=kind, length=last.length, df=False if last.length else None)
    if forward.end == "refused" and last.proto != "tcp":
        # Port unreachable: ICMP's type 3 code 3, ICMPv6's type 1 code 4.
        kind, code = (3, 3) if last.family == "ip" else (1, 4)
        return altered(answer, proto="icmp" if last.family == "ip" else "icmpv6", icmp_type=kind, icmp_code=code)
    flags = ("RST", "ACK") if forward.end == "refused" else ("SYN", "ACK")
    answer = altered(answer, sport=last.dport, dport=last.sport)
    return altered(answer, tcp_flags=flags) if last.proto == "tcp" else answer
