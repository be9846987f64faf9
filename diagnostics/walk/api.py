"""One packet's trip, there and back: the walk's front door.  Pure."""

from __future__ import annotations

from functools import partial

import msgspec

from dnet_tui.diagnostics.walk.branches import every_way, together
from dnet_tui.diagnostics.walk.loop import run_stages
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.known_connections import Continued, Tracked
from dnet_tui.diagnostics.walk.packet import Carried, Decider, Learned, Obstacle, Packet, Walk, replace
from dnet_tui.diagnostics.walk.state import Awaited, WalkState
from dnet_tui.diagnostics.walk.steps import ComeIn, Send
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.view import View


def walk(
    view: View,
    packet: Packet,
    *,
    origin: str,
    arriving: LinkRef | None = None,
    outside: bool = False,
    beyond: bool = False,
    answers: Tracked = (),
    awaited: Awaited | None = None,
    learned: Learned = Learned(),  # noqa: B008 - frozen
    fresh: bool = False,
    carried: tuple[Carried, ...] = (),
    to: LinkRef | None = None,
    vrf: str = "",
    continued: Continued = (),
    reported: Tracked = (),
) -> Walk:
    """Walk ``packet`` from the namespace ``origin``, or from a neighbour on the link ``arriving``.

    ``outside`` ends the walk as ``left`` when the packet leaves the host by a
    link that isn't a container's.  ``beyond`` goes on past obstacles to find
    the others.  ``answers`` holds the connections of which this is a reply,
    ``continued`` those of which it is a later packet, ``reported`` those on
    whose answers it reports (an ICMP error), ``awaited`` who awaits
    it and the packet that it answers, ``learned`` what that one taught bridges
    and neighbours.  ``fresh`` is a packet that belongs
    to no connection yet, whatever is tracked.  ``carried`` is what it has
    inside, where it is a tunnel's; ``to`` the link that a frame from a
    neighbour is addressed to, where that is known.

    Where NAT chooses by lot, or can't be decided, every way is walked: if all
    end alike that is the answer, otherwise what a plain packet meets is, and
    where that is left to chance, it is unknown from there on.
    """
    budget = Budget()

    def run(choices: tuple[int, ...] | None, *, likeliest: bool = False) -> tuple[Walk, list[int]]:
        state = WalkState(
            view,
            packet,
            outside=outside,
            beyond=beyond,
            answers=answers,
            choices=choices,
            budget=budget,
            awaited=awaited,
            learned=learned,
            fresh=fresh,
            carried=carried,
            vrf=vrf,
            continued=continued,
            reported=reported,
            likeliest=likeliest,
        )
        return run_once(state, origin, arriving, to), state.branch_counts

    for likeliest in (False, True):
        taking = partial(run, likeliest=likeliest)
        first, counts = taking(())
        found = together(every_way(taking, first, counts)) if counts else first
        if found is not None:
            return found
    return run(None)[0]


def run_once(state: WalkState, origin: str, arriving: LinkRef | None, to: LinkRef | None = None) -> Walk:
    """Walk one way: the one that the state's choices say."""
    view, start = state.view, state.packet
    if arriving is None:
        end, by = run_stages(state, Send(view.namespaces[origin]))
    else:
        end, by = run_stages(state, ComeIn(view.namespaces[arriving.namespace], view.links[arriving], to))
    if state.misdelivered is not None:
        state.obstacles.append(Obstacle(end=end, stage="answer", by=state.misdelivered, packet=state.packet))
        by = state.misdelivered if len(state.obstacles) == 1 else by
    host = view.host.id if view.host is not None else ""
    at = next((index for index, item in enumerate(state.carried) if item.tunnel.namespace == host), None)
    return Walk(
        start=start,
        origin=origin if arriving is None else "",
        end=end,
        decided_by=by,
        hops=tuple(state.hops),
        obstacles=tuple(state.obstacles),
        last=state.packet if at is None else state.carried[at].inner,
        last_namespace=state.namespace,
        exits=state.exits,
        left_by=state.left_by,
        left_note=state.left_note,
        carried=tuple(state.carried),
        wire=state.packet if state.carried else None,
        sent_by=LinkRef(namespace=state.sender[0].id, ifindex=state.sender[1].ifindex) if state.sender else None,
        came_by=arriving,
        to_outside=state.outside,
        tracked=tuple(state.tracked),
        answering=tuple(state.answering),
        known_in=tuple(state.known.met),
        asked=frozenset(state.asked),
        learned=state.stations.learned(),
        intended=False if state.misdelivered is not None else None,
        hedges=tuple(dict.fromkeys(state.hedges)),
        receiver=state.receiver,
    )


def reply(view: View, forward: Walk, *, beyond: bool = False, outside: bool = False, data: int = 0) -> Walk:
    """Walk the answer to ``forward`` back to where it started.

    Where nothing listens that is the refusal: a reset, or an ICMP error.
    ``outside`` ends it as ``left`` where it leaves the host, though it is
    awaited on it; for what came from outside that is so anyway.  ``data``: not
    the first answer, but one with so many bytes in an open connection of TCP.
    """
    first = _reply(view, forward, beyond=beyond, outside=outside, data=data)
    if not forward.others:
        return first
    ways = [first, *(_reply(view, way, beyond=beyond, outside=outside, data=data) for way in forward.others)]
    ways = [msgspec.structs.replace(one, others=()) for way in ways for one in (way, *way.others)]
    same = together(ways)
    if same is not None:
        return same
    text = "where the packet goes can't be foretold, and not every answer comes back"
    by = Decider(kind="rule", text=text, namespace=first.last_namespace)
    stop = Obstacle(end="unknown", stage="answer", by=by, packet=first.start)
    return msgspec.structs.replace(first, end="unknown", decided_by=by, obstacles=(stop,))


def _reply(view: View, forward: Walk, *, beyond: bool, outside: bool, data: int) -> Walk:
    """The answer to one way."""
    arriving = forward.left_by
    host = view.host
    if arriving is None and (forward.end == "left" or forward.exits):
        link = view.link_named(host.id, forward.exits) if host else None
        if host is not None and link is not None:
            arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    through = forward.carried and arriving is not None
    packet, carried = _outer_answer(forward) if through else (_answer(forward, data), ())
    return walk(
        view,
        packet,
        origin=forward.last_namespace,
        arriving=arriving,
        outside=outside or not forward.origin,
        beyond=beyond,
        answers=forward.tracked,
        awaited=(forward.origin, forward.start),
        learned=forward.learned,
        carried=carried,
        to=forward.sent_by if arriving is not None else None,
        vrf=forward.last.iif if arriving is None else "",
        reported=forward.answering,
    )


def _outer_answer(forward: Walk) -> tuple[Packet, tuple[Carried, ...]]:
    """The packet that comes back by the tunnels that one left in, and what it has inside.

    VXLAN and GENEVE send each way to their port, from one that their flows choose.
    """
    wire = forward.wire or forward.last
    layers = [*(item.inner for item in forward.carried), wire]
    inner = _answer(msgspec.structs.replace(forward, last=layers[0], end="delivered"))
    answers = [inner]
    for item, outer in zip(forward.carried, layers[1:], strict=True):
        ports = (outer.dport, outer.sport) if item.peer or outer.proto != "udp" else (None, outer.dport)
        answers.append(
            Packet(family=outer.family, src=outer.dst, dst=outer.src, proto=outer.proto, sport=ports[0], dport=ports[1])
        )
    carried = tuple(
        msgspec.structs.replace(
            item,
            inner=answers[index],
            to=item.tunnel,
            next_hop=answers[index].dst,
            mac="",
            sender=None,
            answers=item.sender,
        )
        for index, item in enumerate(forward.carried)
    )
    return answers[-1], carried


DATA_FLAGS = ("ACK", "PSH")
"""The flags of a TCP segment with data."""
_TCP_HEADERS = {"ip": 52, "ip6": 72}
"""Bytes before a TCP segment's data in an open connection: both headers, and the timestamps that Linux adds."""


def segment(family: str, data: int) -> int:
    """The bytes of a packet with so many bytes of data, in an open connection of TCP."""
    return _TCP_HEADERS[family] + data


_NETWORK_CONTROL = 0xC0
"""The precedence of ICMP errors (icmp_send)."""


def _answer(forward: Walk, data: int = 0) -> Packet:
    """The packet that the one who got the last one sends back."""
    last = forward.last
    refused = forward.end == "refused"
    echo = last.proto in {"icmp", "icmpv6"}
    answer = Packet(
        family=last.family,
        src=last.dst,
        dst=last.src,
        proto=last.proto,
        # An echo has what it answers, and so has a reset (icmp_reply, tcp_v4_send_reset).
        tos=last.tos if echo or (refused and last.proto == "tcp") else 0,
        uid=forward.receiver,
        by_kernel=refused or echo,
        taken_by=last.taken_by,
        remembered=last.remembered,  # sets and lists are the host's: what was put there is there for the answer
    )
    if last.proto in {"icmp", "icmpv6"}:
        # An echo is as long as what it answers; the kernel lets it be fragmented (icmp_sk_init).
        kind = {8: 0, 128: 129}.get(last.icmp_type, last.icmp_type)
        return replace(answer, icmp_type=kind, length=last.length, df=False if last.length else None)
    if forward.end == "refused" and last.proto != "tcp":
        # Port unreachable: ICMP's type 3 code 3, ICMPv6's type 1 code 4.
        kind, code = (3, 3) if last.family == "ip" else (1, 4)
        tos = _NETWORK_CONTROL if last.family == "ip" else None if last.tos else 0
        answer = replace(answer, tos=tos)
        return replace(answer, proto="icmp" if last.family == "ip" else "icmpv6", icmp_type=kind, icmp_code=code)
    flags = ("RST", "ACK") if forward.end == "refused" else ("SYN", "ACK")
    answer = replace(answer, sport=last.dport, dport=last.sport)
    if data:
        return replace(answer, tcp_flags=DATA_FLAGS, length=segment(last.family, data), later=True)
    return replace(answer, tcp_flags=flags) if last.proto == "tcp" else answer
