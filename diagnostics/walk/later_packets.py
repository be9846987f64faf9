"""What becomes of a connection's later packets, once its first one and the answer have passed.  Pure.

A firewall may let a handshake pass and stop what follows.  They are walked
only where a rule on the way has asked for what tells them apart, a transparent
proxy's rule has taken the first one, or conntrack saw one direction alone:
otherwise they go where the first ones went.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from dnet_tui.diagnostics.walk.api import DATA_FLAGS, reply, segment, walk
from dnet_tui.diagnostics.walk.branches import together
from dnet_tui.diagnostics.walk.l3.socket_match import established
from dnet_tui.diagnostics.walk.netfilter.conditions import OF_SHAPE, OF_STATE
from dnet_tui.diagnostics.walk.packet import Decider, Established, Packet, Truth, Walk, WalkStruct, replace
from dnet_tui.inspect.model.view import View

LaterKind = Literal["acknowledgement", "data", "second packet", "data of the answer"]

DATA = 100
"""Bytes of data in a packet that has some: a short request or answer, which is never cut up nor put together."""

_STATUS = frozenset({"ctstatus"})
_GOT_SOMEWHERE = frozenset({"delivered", "left", "refused"})


class LaterPacket(WalkStruct, frozen=True, kw_only=True):
    """A later packet of a connection: what it is, and its walk.

    ``acknowledgement`` is one without data: where data passes and that
    doesn't, a request and a short answer do, as data acknowledges as well, but
    the peer of who only listens soon waits for ever.  ``second packet`` is
    that of another protocol than TCP.
    """

    kind: LaterKind
    walk: Walk

    @property
    def way(self) -> Literal["there", "back"]:
        """Whether it goes with the first packet, or with the answer."""
        return "back" if self.kind == "data of the answer" else "there"


def later_packets(
    view: View, forward: Walk, answer: Walk | None, *, beyond: bool = False, refused: bool = False
) -> tuple[LaterPacket, ...]:
    """Walk the later packets that may fare otherwise than a first packet and its answer, which got through.

    It stops at the first that doesn't get through.  ``refused``: though
    nobody listens, for what is asked is whether somebody could be reached.
    """
    if answer is None or not forward.arrives or not answer.arrives or (forward.end == "refused" and not refused):
        return ()
    found: list[LaterPacket] = []
    for item in _walked(view, _as_taken(forward), answer, beyond=beyond):
        found.append(msgspec.structs.replace(item, walk=_unless_offloaded(item.walk, (forward, answer))))
        if item.walk.arrives is not True:
            break
    return tuple(found)


def worst(later: tuple[LaterPacket, ...]) -> LaterPacket | None:
    """The one that doesn't get through, or of which that isn't known; None where all do."""
    return next((item for item in later if item.walk.arrives is not True), None)


def all_arrive(later: tuple[LaterPacket, ...]) -> Truth:
    """Whether all of them get through."""
    failing = worst(later)
    return True if failing is None else failing.walk.arrives


def _walked(view: View, forward: Walk, answer: Walk, *, beyond: bool) -> Iterator[LaterPacket]:
    ways = (forward, *forward.others)
    asked = frozenset[str]().union(*(way.asked for way in ways))
    back = frozenset[str]().union(*(way.asked for way in (answer, *answer.others)))
    start = forward.start
    if start.proto != "tcp":
        if asked & OF_STATE:
            yield LaterPacket(kind="second packet", walk=_onward(view, ways, answer, start, beyond=beyond))
        return
    data = replace(start, tcp_flags=DATA_FLAGS, length=start.length or segment(start.family, DATA))
    picked_up, opening = _is_picked_up(answer), forward
    if asked or picked_up or _is_half_seen(ways, answer) or any(way.last.taken_by for way in ways):
        onward = _onward(view, ways, answer, data, beyond=beyond)
        yield LaterPacket(kind="data", walk=onward)
        if picked_up and onward.tracked and onward.arrives:
            opening = onward  # conntrack's connection begins with it
    if back & (OF_SHAPE | _STATUS) or picked_up:
        back_walk = reply(view, opening, beyond=beyond, outside=answer.to_outside, data=DATA)
        yield LaterPacket(kind="data of the answer", walk=back_walk)
    if asked & OF_SHAPE:
        bare = replace(start, tcp_flags=("ACK",), length=segment(start.family, 0))
        yield LaterPacket(kind="acknowledgement", walk=_onward(view, ways, answer, bare, beyond=beyond))


def _is_half_seen(ways: tuple[Walk, ...], answer: Walk) -> bool:
    """Whether conntrack somewhere saw the first packet and not the answer: then it has no connection for data."""
    seen = _known_in(answer)
    return any(place not in seen for way in ways for place, _, _ in way.tracked)


def _is_picked_up(answer: Walk) -> bool:
    """Whether conntrack somewhere saw only the answer: it makes a connection of data, with a translation of its own.

    Of a SYN/ACK it makes none (``first_state``).
    """
    ways = (answer, *answer.others)
    return any(hop.packet.ctstate == "INVALID" for way in ways for hop in way.hops)


def _known_in(answer: Walk) -> set[str]:
    return {place for way in (answer, *answer.others) for place in way.known_in}


def _onward(view: View, ways: tuple[Walk, ...], answer: Walk, packet: Packet, *, beyond: bool) -> Walk:
    """A later packet in the first one's direction, by each of the ways that one may have taken."""
    seen = _known_in(answer)
    found = []
    for way in ways:
        later = walk(
            view,
            replace(packet, later=True, remembered=way.last.remembered, established=_socket(view, way)),
            origin=way.origin,
            arriving=way.came_by,
            outside=way.to_outside,
            beyond=beyond,
            learned=answer.learned,
            continued=tuple((place, before, after, place in seen) for place, before, after in way.tracked),
        )
        found.append(_in_its_connection(later, way))
    if len(found) == 1:
        return found[0]
    same = together([msgspec.structs.replace(way, others=()) for way in found])
    if same is not None:
        return same
    text = "where the packet goes can't be foretold, and not every later one gets there"
    by = Decider(kind="rule", text=text, namespace=found[0].last_namespace)
    return msgspec.structs.replace(found[0], end="unknown", decided_by=by)


def _socket(view: View, opening: Walk) -> Established | None:
    place = view.namespaces.get(opening.last_namespace)
    return established(place, opening.last) if place is not None and opening.end == "delivered" else None


def _in_its_connection(later: Walk, opening: Walk) -> Walk:
    """The walk; what arrives by another tuple than the packet that opened the connection is nobody's there: a reset.

    So it is where no translation was made for a SYN that conntrack didn't see, and one is for what follows it.
    """
    if later.start.proto != "tcp" or later.end not in _GOT_SOMEWHERE or opening.end not in _GOT_SOMEWHERE:
        return later
    was, now = opening.last, later.last
    ports = [(was.sport, now.sport), (was.dport, now.dport)]
    # A port that is drawn for what follows alone is hardly the one that the connection was opened from.
    same = all(old in {None, new} for old, new in ports) and (was.src, was.dst) == (now.src, now.dst)
    strayed = now.taken_by and later.start.established is not None and now.established is None
    if same and later.last_namespace == opening.last_namespace and not strayed:
        return later
    text = f"it gets there as {now.tuple_text()}, but the connection was opened as {was.tuple_text()}"
    if strayed:
        text = f"the transparent proxy's rule doesn't find its connection, opened as {was.tuple_text()}"
    by = Decider(kind="connection", text=text, namespace=later.last_namespace)
    return msgspec.structs.replace(later, decided_by=by, intended=False)


def _as_taken(forward: Walk) -> Walk:
    """A walk as if somebody listened where it ended."""
    ways = tuple(_as_taken(way) for way in forward.others)
    return msgspec.structs.replace(forward, end="delivered" if forward.end == "refused" else forward.end, others=ways)


def _unless_offloaded(later: Walk, opening: tuple[Walk, Walk]) -> Walk:
    """The walk; unknown where it is stopped though a flow table may lead it past the hooks."""
    hops = (hop for way in opening for hop in way.hops)
    if later.arrives is not False or not any(hop.verdict == "offload" for hop in hops):
        return later
    by = Decider(kind="rule", text="whether a flow table leads the packet past the hooks can't be told")
    return msgspec.structs.replace(later, end="unknown", decided_by=by, intended=None)
