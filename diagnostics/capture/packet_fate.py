"""Where a captured packet goes by the rules, and what stops it.  Pure: walks over a snapshot."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.capture.path_points import links_passed
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, RuleRef, Walk, replace
from dnet_tui.inspect.model import LinkRef, NotSeen, known_items
from dnet_tui.inspect.model.view import View

_ENDS: dict[End, str] = {
    "dropped": "dropped by",
    "rejected": "rejected by",
    "no-route": "no route:",
    "unreachable": "next hop unreachable:",
    "too-big": "too big for",
    "looped": "goes round in a loop:",
}


class CapturedAt(msgspec.Struct, frozen=True, kw_only=True):
    """Where a packet was seen first: a link, and whether its namespace sent it through that link."""

    link: LinkRef
    outgoing: bool


class PacketFate(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk says of one packet.

    ``passed`` are the links it gets to, ``blocked`` those beyond what stops
    it.  ``reason`` is what stops it in words, with the rule's text; empty
    where nothing does.  ``end`` ``unknown``: it can't be decided.
    """

    end: End
    passed: frozenset[LinkRef]
    blocked: frozenset[LinkRef] = frozenset()
    reason: str = ""
    rule: RuleRef | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether something certainly stops it on its way."""
        return self.end in _ENDS and bool(self.reason)


def fate_of(view: View, packet: Packet, at: CapturedAt) -> PacketFate | None:
    """What becomes of a packet that was seen at a point; None where nobody can say where it came from."""
    start = _start(view, packet, at)
    if start is None:
        return None
    try:
        real = _walked(view, packet, start, beyond=False)
        further = _walked(view, packet, start, beyond=True) if real.arrives is not True else real
    except (NotSeen, KeyError):
        return None
    return _fate(view, real, further)


def fate_of_answer(view: View, question: Packet, at: CapturedAt) -> PacketFate | None:
    """What becomes of the answer to a packet that was seen at a point; None where the walk doesn't get so far."""
    start = _start(view, question, at)
    if start is None:
        return None
    try:
        forward = _walked(view, question, start, beyond=False)
        if forward.arrives is not True:
            return None
        real = reply(view, forward)
        further = reply(view, forward, beyond=True) if real.arrives is not True else real
    except (NotSeen, KeyError):
        return None
    return _fate(view, real, further)


def _walked(view: View, packet: Packet, start: tuple[str, LinkRef | None], *, beyond: bool) -> Walk:
    origin, arriving = start
    return walk(view, packet, origin=origin, arriving=arriving, outside=arriving is None, beyond=beyond)


def _fate(view: View, real: Walk, further: Walk) -> PacketFate:
    passed = frozenset(links_passed(view, real))
    blocked = frozenset(links_passed(view, further)) - passed
    by = real.decided_by
    reason = f"{_ENDS[real.end]} {_words(by)}" if real.end in _ENDS and by is not None else ""
    return PacketFate(
        end=real.end, passed=passed, blocked=blocked, reason=reason, rule=by.rule if by is not None else None
    )


def _words(by: Decider) -> str:
    return f"{by.text} = {by.value}" if by.kind == "sysctl" and by.value else by.text


def _start(view: View, packet: Packet, at: CapturedAt) -> tuple[str, LinkRef | None] | None:
    """The namespace that sent it, or the link it came in by."""
    link = view.links.get(at.link)
    if link is None:
        return None
    owner = _holder(view, packet.src)
    if at.outgoing:
        home = view.namespaces.get(at.link.namespace)
        own = home is not None and any(item.address == packet.src for item in known_items(home.addresses))
        return (at.link.namespace, None) if own else (owner, None) if owner else None
    if owner:
        return owner, None
    if link.peer is not None and link.peer.namespace != at.link.namespace and link.peer in view.links:
        return link.peer.namespace, None
    return "", at.link


def _holder(view: View, address: str) -> str:
    """The only namespace that has an address; empty where none or several do."""
    holders = [
        ns.id
        for ns in known_items(view.snapshot.namespaces)
        if any(item.address == address for item in known_items(ns.addresses))
    ]
    return holders[0] if len(holders) == 1 else ""


def established(packet: Packet) -> Packet:
    """The packet as one of a connection that is known to both sides already."""
    return replace(packet, ctstate="ESTABLISHED")
