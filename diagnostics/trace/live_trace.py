"""A live trace judged: what the walk says beside what the kernel did with the real packet.  Pure."""

from __future__ import annotations

import errno as errnos
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

import msgspec

from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace_events import (
    MARKED,
    PacketOutcome,
    TraceDirection,
    TracePoint,
    account,
    sent_answer,
)
from dnet_tui.diagnostics.trace.walk_vs_kernel import Agreement, LegacyCounts, answer_kind
from dnet_tui.diagnostics.walk.packet import Hop, Truth, Walk
from dnet_tui.inspect.model.view import View

LiveEnd = Literal["delivered", "left", "refused", "dropped", "rejected", "no-route", "unreachable", "not-sent"]
OUTSIDE = "outside"


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel did with the packet: its sights, or the errno with which it refused to send it.

    ``source`` is the address it would have chosen as the source itself.
    ``counts`` tells of legacy rules, ``watched`` names the watched namespaces
    by their ids.
    """

    sights: tuple[TracePoint, ...]
    errno: int = 0
    source: str = ""
    counts: LegacyCounts = {}
    watched: dict[str, str] = {}


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """A rule the packet met, or a chain's policy (``number`` 0), and its verdict; ``to`` is the chain of a jump."""

    backend: str
    family: str
    table: str
    chain: str
    number: int | None
    """None for a rule that the snapshot doesn't have."""
    text: str
    verdict: str
    to: str = ""


class LiveHop(msgspec.Struct, frozen=True, kw_only=True):
    """One hook of one namespace: the packet as it came there, the rules it met, and whether it got through.

    ``said`` are the walk's hops at the same stage; ``seen`` is False when
    only the walk has it there.
    """

    place: str
    stage: str
    seen: bool = True
    passed: bool = False
    kind: str = ""
    src: str = ""
    dst: str = ""
    sport: int = 0
    dport: int = 0
    met: tuple[Met, ...] = ()
    said: tuple[Hop, ...] = ()


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement.  ``agrees`` is None where the walk can't say, and the kernel doesn't contradict the rest.

    ``delivered`` says whether the packet got there (or out of the host), and
    its answer back if there was one, or could have come back by the walk if
    there was none; ``answered`` is the kind of the answer.
    """

    verdict: str
    delivered: bool
    agrees: Truth
    contradictions: tuple[str, ...]
    decided: str
    answered: str
    hops: tuple[LiveHop, ...]
    back: tuple[LiveHop, ...]
    notes: tuple[str, ...] = ()


def watched(view: View, trace: Trace) -> tuple[str, ...]:
    """The ids of the namespaces of the packet's way, in its order; what isn't in the snapshot can't be watched."""
    walks = [trace.forward] + ([trace.answer] if trace.answer is not None else [])
    ids = [trace.forward.origin, *(hop.namespace for hop in trace.forward.hops), trace.target.namespace]
    ids += [item for walk in walks for item in (*(hop.namespace for hop in walk.hops), walk.last_namespace)]
    return tuple(dict.fromkeys(item for item in ids if item in view.namespaces))


def place_names(view: View, trace: Trace) -> dict[str, str]:
    """What to call each watched namespace, no two the same."""
    names: dict[str, str] = {}
    for item in watched(view, trace):
        label = view.label(item)
        names[item] = f"{label} ({item})" if label in names.values() else label
    return names


def judge(view: View, trace: Trace, seen: Observed) -> Live:
    """Compare the walk with what was seen."""
    names = seen.watched
    host = names.get(view.host.id, "") if view.host is not None else ""
    origin = names[trace.forward.origin]
    agreement = Agreement(view, names, counts=seen.counts)
    truth = account(seen.sights, "there", origin, host=host, errno=seen.errno)
    wrong = list(agreement.compare(trace.forward, truth, seen.sights))
    end: str = _end(truth, seen.sights)
    if end == "unreachable" and _leaves(view, trace, truth, host, seen.sights):
        end = "left"
    made, fate = _answer(truth, end, seen.sights, host, silent=trace.forward.start.proto == "udp")
    if truth.where == "arrived":
        wrong += answer_kind(trace.forward, made)
    if end == "unreachable" and trace.forward.end == "left" and not wrong:
        wrong.append(f"the packet is said to leave by {trace.forward.exits}, but the next hop doesn't answer")
    if fate is not None and trace.answer is not None and not wrong:
        wrong += agreement.compare(trace.answer, fate, seen.sights, made or "answer")
    if seen.source and seen.source != trace.forward.start.src and trace.source.kind != "address":
        wrong.append(f"the source is said to be {trace.forward.start.src}, but the kernel would choose {seen.source}")
    back_end: str = "" if fate is None else _end(fate, seen.sights)
    lost_answer = fate is not None and back_end != "delivered"
    if not wrong:
        # What ended it between the hooks is the walk's to name: no event does.
        end = _in_the_walks_word(end, trace.forward)
        back_end = _in_the_walks_word(back_end, trace.answer)
    undecided = trace.forward.end == "unknown" or (trace.answer is not None and trace.answer.end == "unknown")
    decided = ""
    if lost_answer and fate is not None:
        decided = agreement.tell(fate, "its answer")
    elif end not in {"delivered", "left", "refused"}:
        decided = agreement.tell(truth)
    return Live(
        verdict=f"answer {back_end}" if lost_answer else end,
        delivered=end in {"delivered", "left"} and not lost_answer and not _would_be_lost(trace, fate),
        agrees=False if wrong else None if undecided else True,
        contradictions=tuple(wrong),
        decided=decided,
        answered=made,
        hops=tuple(_hops(agreement, view, seen, "there", "", trace.forward)),
        back=tuple(_hops(agreement, view, seen, "back", made, trace.answer)) if fate is not None else (),
        notes=(*_notes(seen, end, answer_due=fate is not None), *_would_be_lost(trace, fate)),
    )


def _in_the_walks_word(end: str, said: Walk | None) -> str:
    return said.end if said is not None and said.arrives is False and end not in {"", "delivered", "left"} else end


def _answer(
    truth: PacketOutcome, end: str, sights: Sequence[TracePoint], host: str, *, silent: bool
) -> tuple[str, PacketOutcome | None]:
    """The kind of the answer, and what became of it; None when there needn't be one (``silent``).

    An answer from outside is first seen where it comes in.
    """
    if end == "left":
        made = next((s.kind for s in sights if (s.place, s.direction, s.stage) == (host, "back", "prerouting")), "")
        return made, account(sights, "back", OUTSIDE, made, host=host) if made else None
    made = sent_answer(sights, truth.place) if truth.where == "arrived" else ""
    if truth.where != "arrived" or (silent and not made):
        return made, None
    return made, account(sights, "back", truth.place, made, host=host)


def _leaves(view: View, trace: Trace, truth: PacketOutcome, host: str, sights: Sequence[TracePoint]) -> bool:
    """Whether a packet that was last seen on its way out of the host's uplink really went.

    The host says it to the sender when the next hop doesn't answer.
    """
    if truth.place != host or truth.last is None or view.host is None or trace.forward.end == "unreachable":
        return False
    names = {link.name for link in view.uplinks(view.host.id)} | {trace.forward.exits}
    out = {link.ifindex for link in view.host.links if link.name in names}
    return truth.last.oif in out and not sent_answer(sights, host)


def _end(truth: PacketOutcome, sights: Sequence[TracePoint]) -> LiveEnd:
    """One word for how it ended, as the walk's ends are called."""
    if truth.where == "arrived":
        if truth.last is not None and truth.last.direction == "back":
            return "delivered"
        refused = sent_answer(sights, truth.place) in {"rst", "icmp-error"}
        return "refused" if refused else "delivered"
    if truth.where == "hook":
        return "rejected" if sent_answer(sights, truth.place) in {"rst", "icmp-error"} else "dropped"
    if truth.where == "link":
        return "unreachable"
    if truth.where == "nowhere":
        return "no-route" if truth.errno in {errnos.ENETUNREACH, errnos.EHOSTUNREACH} else "not-sent"
    return "dropped"


def _notes(seen: Observed, end: str, *, answer_due: bool) -> Iterator[str]:
    if end == "left" and not answer_due:
        yield "it left the host and no answer came in; what is outside can't be watched from here"
    elif end == "delivered" and not answer_due:
        yield "whoever got it sent no answer"
    if seen.counts:
        yield "rules of iptables-legacy are judged by their counters: nftables' trace doesn't show them"


def _would_be_lost(trace: Trace, fate: PacketOutcome | None) -> tuple[str, ...]:
    """That an answer which never came in would not have got through either, by the walk."""
    answer = trace.answer
    if fate is not None or trace.forward.end != "left" or answer is None or answer.arrives is not False:
        return ()
    by = answer.obstacles[0].by if answer.obstacles else answer.decided_by
    return (f"the walk says that an answer would be stopped: {by.text if by is not None else answer.end}",)


def _hops(
    agreement: Agreement, view: View, seen: Observed, direction: TraceDirection, kind: str, said: Walk | None
) -> Iterator[LiveHop]:
    """The stages in the order of the packet's way: hooks that the kernel told of, and stages that only the walk has."""
    own = [s for s in seen.sights if s.direction == direction and (not kind or s.kind == kind)]
    crossed: defaultdict[str, list[list[LiveHop]]] = defaultdict(list)
    for place in dict.fromkeys(s.place for s in own):
        crossed[place] = list(_crossings(agreement, [s for s in own if s.place == place]))
    visits = [(place, list(group)) for place, group in groupby(_told(view, seen, said), key=lambda item: item[0])]
    left = Counter(place for place, _ in visits)
    for place, group in visits:
        left[place] -= 1
        # A packet to oneself crosses one's hooks twice in what the walk takes for one visit.
        count = 1 if left[place] else len(crossed[place])
        mine, crossed[place] = crossed[place][:count], crossed[place][count:]
        yield from _merged(place, [hop for crossing in mine for hop in crossing], [hop for _, hop in group])
    for crossings in crossed.values():
        yield from (hop for crossing in crossings for hop in crossing)


def _told(view: View, seen: Observed, said: Walk | None) -> Iterator[tuple[str, Hop]]:
    for hop in said.hops if said is not None else ():
        yield seen.watched.get(hop.namespace, view.label(hop.namespace)), hop


def _crossings(agreement: Agreement, here: Sequence[TracePoint]) -> Iterator[list[LiveHop]]:
    """The hooks of one place, one list for each time that the packet came into it."""
    crossing: list[LiveHop] = []
    for stage in dict.fromkeys(s.stage for s in here if s.point == "head"):
        sights = [s for s in here if s.stage == stage]
        first = next(s for s in sights if s.point == "head")
        if stage in MARKED and crossing:
            yield crossing
            crossing = []
        crossing.append(
            LiveHop(
                place=first.place,
                stage=stage,
                passed=sum(s.point == "tail" for s in sights) >= sum(s.point == "head" for s in sights),
                kind=first.kind,
                src=first.src,
                dst=first.dst,
                sport=first.sport,
                dport=first.dport,
                met=tuple(_met(agreement, s) for s in sights if s.point in {"rule", "policy"}),
            )
        )
    if crossing:
        yield crossing


_AFTER = {"martian": "prerouting", "reverse-path": "prerouting", "routing": "prerouting", "forwarding": "prerouting"}
_AT_THE_END = frozenset({"local", "link", "neighbour", "veth"})


def _merged(place: str, kernel: Sequence[LiveHop], walk: Sequence[Hop]) -> Iterator[LiveHop]:
    """One visit of one place: the kernel's hooks with what the walk says of them, the walk's other stages between."""
    at = {hop.stage: number for number, hop in enumerate(kernel)}
    told: defaultdict[int, list[Hop]] = defaultdict(list)
    between: list[tuple[float, Hop]] = []
    key = -0.5
    for hop in walk:
        if hop.stage in at:
            key = float(at[hop.stage])
            told[at[hop.stage]].append(hop)
            continue
        key = len(kernel) if hop.stage in _AT_THE_END else max(key, at.get(_AFTER.get(hop.stage, ""), -1) + 0.5)
        between.append((key, hop))
    hooks = [
        (float(number), msgspec.structs.replace(hop, said=tuple(told[number]))) for number, hop in enumerate(kernel)
    ]
    others = [(key, LiveHop(place=place, stage=hop.stage, seen=False, said=(hop,))) for key, hop in between]
    for _, item in sorted([*hooks, *others], key=lambda pair: pair[0]):  # stable: the walk's order stays
        yield item


def _met(agreement: Agreement, sight: TracePoint) -> Met:
    backend, rule = agreement.named(sight)
    return Met(
        backend=backend,
        family=sight.family,
        table=sight.table,
        chain=sight.chain,
        number=0 if sight.point == "policy" else rule.number if rule is not None else None,
        text="policy" if sight.point == "policy" else rule.text if rule is not None else "",
        verdict=sight.verdict,
        to=sight.to,
    )
