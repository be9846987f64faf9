"""A live trace judged: on packets that the kernel really carried (the walk's scenarios), and turned round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import msgspec
import pytest

from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.live_trace import Observed, _would_be_lost, judge, place_names, watched
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace_events import TracePoint
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.live_json import live_data
from dnet_tui.tui.reports.trace.live_text import live_text
from lab.differential import scenario
from lab.differential.judge import first_packet
from lab.recordings import recording

NAMES = scenario.names()
Recorded = tuple[View, Trace, Observed]


@cache
def recorded(name: str) -> tuple[Recorded, ...]:
    """The packets of a scenario that were watched, each with its trace and what was seen of it."""
    return tuple(_recorded(name))


def _recorded(name: str) -> Iterator[Recorded]:
    kept = scenario.load(name)
    view = View(recording.snapshot(kept.seen.snapshot))
    names = {ident: place for place, ident in kept.seen.namespaces.items()}
    outcomes = {outcome.probe: outcome for outcome in kept.seen.outcomes}
    for probe in kept.probes:
        if probe.connects:
            continue  # a whole connection was made, of which no single packet was watched
        packet = first_packet(probe)
        namespace = kept.seen.namespaces[probe.origin]
        forward = walk(view, packet, origin=namespace)
        trace = Trace(
            source=TraceEndpoint(kind="container", label=probe.origin, namespace=namespace, addresses=(probe.src,)),
            target=TraceEndpoint(kind="address", label=probe.dst, addresses=(probe.dst,)),
            forward=forward,
            answer=reply(view, forward) if forward.arrives else None,
            why="",
        )
        outcome = outcomes[probe.number]
        yield view, trace, Observed(sights=tuple(staged(outcome.sights)), errno=outcome.errno, watched=names)


def staged(sights: Iterable[TracePoint]) -> Iterator[TracePoint]:
    """The sights with the hook of each rule, which the records leave out."""
    at: dict[tuple[str, str], str] = {}
    for sight in sights:
        key = (sight.place, sight.kind)
        if sight.point == "head":
            at[key] = sight.stage
        yield sight if sight.stage else msgspec.structs.replace(sight, stage=at.get(key, ""))


def dropped() -> tuple[Recorded, TracePoint]:
    """A packet that a rule of iptables-nft drops on the host, and the sight of that."""
    for name in NAMES:
        for view, trace, seen in recorded(name):
            for sight in seen.sights if trace.forward.end == "dropped" else ():
                if (sight.verdict, sight.point, sight.place, sight.direction) == ("drop", "rule", "host", "there"):
                    return (view, trace, seen), sight
    raise AssertionError("no scenario has a drop by a rule")


def delivered() -> Recorded:
    for name in NAMES:
        for view, trace, seen in recorded(name):
            live = judge(view, trace, seen)
            if live.delivered and live.answered == "synack" and len({hop.place for hop in live.hops}) > 1:
                return view, trace, seen
    raise AssertionError("no scenario delivers a SYN")


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_what_really_happened(name: str) -> None:
    for view, trace, seen in recorded(name):
        live = judge(view, trace, seen)
        assert live.agrees is True, live.contradictions
        ended = {"delivered", "left"} >= {trace.forward.end}
        if not ended:
            assert live.delivered is False


def test_what_was_delivered_is_shown_hook_by_hook_with_the_walk_beside_it() -> None:
    live = judge(*delivered())

    assert live.verdict == "delivered"
    stages = [(hop.place, hop.stage) for hop in live.hops if hop.seen]
    assert stages[0][1] == "output"
    assert stages[-1][1] == "input"
    assert all(hop.passed for hop in (*live.hops, *live.back) if hop.seen)
    assert [hop.stage for hop in live.hops if hop.said][-1] == "local"
    assert live.back


def test_where_the_walk_ends_is_watched_even_if_it_has_no_hop_there() -> None:
    view, trace, _ = delivered()
    other = next(ns.id for ns in view.snapshot.namespaces if ns.id not in watched(view, trace))
    ended = msgspec.structs.replace(trace.forward, end="dropped", last_namespace=other)

    assert other in watched(view, msgspec.structs.replace(trace, forward=ended))


def test_namespaces_of_one_name_are_told_apart() -> None:
    view, trace, _ = delivered()
    names = place_names(view, trace)

    assert len(set(names.values())) == len(names) > 1


def test_a_drop_names_its_rule() -> None:
    (view, trace, seen), _ = dropped()
    live = judge(view, trace, seen)

    assert (live.verdict, live.delivered, live.agrees) == ("dropped", False, True)
    assert "rule" in live.decided
    ended = [hop for hop in live.hops if hop.seen and not hop.passed]
    assert [hop.met[-1].verdict for hop in ended] == ["drop"]


def test_another_rule_than_the_walks_is_a_contradiction_that_names_both() -> None:
    (view, trace, seen), culprit = dropped()
    by = trace.forward.decided_by
    assert by is not None
    assert by.rule is not None
    turned = [msgspec.structs.replace(s, handle=99999) if s is culprit else s for s in seen.sights]
    live = judge(view, trace, msgspec.structs.replace(seen, sights=tuple(turned)))

    assert live.agrees is False
    assert by.text in live.contradictions[0]
    assert "handle 99999" in live.contradictions[0]
    assert next(hop for hop in live.hops if not hop.passed and hop.seen).met[-1].number is None


def test_a_packet_that_vanished_contradicts_a_delivery() -> None:
    view, trace, seen = delivered()
    short = tuple(s for s in seen.sights if s.direction == "there" and s.stage != "input")
    live = judge(view, trace, msgspec.structs.replace(seen, sights=short))

    assert (live.agrees, live.delivered) == (False, False)
    assert "is said to be delivered" in live.contradictions[0]


def test_an_answer_that_was_never_made_contradicts_one_that_gets_back() -> None:
    view, trace, seen = delivered()
    there = tuple(s for s in seen.sights if s.direction == "there")
    live = judge(view, trace, msgspec.structs.replace(seen, sights=there))

    assert (live.agrees, live.delivered, live.answered) == (False, False, "")
    assert "the answer" in live.contradictions[0]


def test_a_silent_receiver_of_a_datagram_is_no_contradiction() -> None:
    view, trace, seen = next(
        item
        for name in NAMES
        for item in recorded(name)
        if item[1].forward.start.proto == "udp" and item[1].forward.end == "delivered" and item[1].arrives
    )
    there = tuple(s for s in seen.sights if s.direction == "there")
    live = judge(view, trace, msgspec.structs.replace(seen, sights=there))

    assert (live.agrees, live.delivered, live.verdict) == (True, True, "delivered")
    assert live.notes == ("whoever got it sent no answer",)


def test_where_the_walk_is_undecided_the_kernel_decides() -> None:
    (view, trace, seen), _ = dropped()
    unknown = msgspec.structs.replace(trace.forward, end="unknown", decided_by=Decider(kind="gap", text="not read"))
    live = judge(view, msgspec.structs.replace(trace, forward=unknown), seen)

    assert (live.agrees, live.delivered, live.verdict) == (None, False, "dropped")


def test_a_source_that_the_kernel_would_not_choose_is_said() -> None:
    view, trace, seen = delivered()
    own = msgspec.structs.replace(seen, source=trace.forward.start.src)
    other = msgspec.structs.replace(seen, source="192.0.2.1")

    assert judge(view, trace, own).agrees is True
    assert "192.0.2.1" in judge(view, trace, other).contradictions[0]


def test_a_legacy_rule_is_judged_by_its_counter() -> None:
    (view, trace, seen), culprit = dropped()
    by = trace.forward.decided_by
    assert by is not None
    assert by.rule is not None
    rule = msgspec.structs.replace(by.rule, backend="iptables-legacy")
    forward = msgspec.structs.replace(trace.forward, decided_by=msgspec.structs.replace(by, rule=rule))
    untold = tuple(s for s in seen.sights if s is not culprit)
    key = ("host", rule.family, rule.table, rule.chain, rule.number)

    def agrees(counts: dict[tuple[str, str, str, str, int], bool]) -> bool | None:
        observed = msgspec.structs.replace(seen, sights=untold, counts=counts)
        return judge(view, msgspec.structs.replace(trace, forward=forward), observed).agrees

    assert agrees({key: True}) is True
    assert agrees({}) is True
    assert agrees({key: False}) is False


def test_the_text_fits_80_columns_and_shouts_a_contradiction() -> None:
    (view, trace, seen), culprit = dropped()
    turned = tuple(msgspec.structs.replace(s, handle=99999) if s is culprit else s for s in seen.sights)
    good = live_text(judge(view, trace, seen), trace, OutputStyle(width=80))
    bad = live_text(judge(view, trace, msgspec.structs.replace(seen, sights=turned)), trace, OutputStyle(width=80))

    assert all(len(line) <= 80 for line in (good + bad).splitlines())
    assert "ok The walk says the same." in good
    assert "CONTRADICTION" not in good
    assert "!! CONTRADICTION: the packet is said to be dropped" in bad
    assert "ENDS HERE" in good


def test_what_others_named_is_made_harmless() -> None:
    view, trace, seen = delivered()
    evil = "web\x1b[2J"
    renamed = msgspec.structs.replace(trace, source=msgspec.structs.replace(trace.source, label=evil))
    told = live_text(judge(view, trace, seen), renamed, OutputStyle(width=80))

    assert "\x1b" not in told


def test_the_data_is_json_with_the_promised_keys() -> None:
    data = live_data(judge(*delivered()))

    assert {"verdict", "hops", "agrees", "contradictions"} <= set(data)
    assert data["agrees"] is True
    assert data["contradictions"] == []
    assert {"namespace", "stage", "rules", "passed", "packet", "walk"} <= set(data["hops"][0])
    assert to_json(data)


def test_an_answer_that_could_not_have_come_back_is_said_where_none_came() -> None:
    _, trace, _ = delivered()
    by = Decider(kind="rule", text="filter DOCKER-USER rule 1: -j DROP", namespace=trace.forward.origin)
    stop = Obstacle(end="dropped", stage="forward", by=by, packet=trace.forward.last)
    stopped = msgspec.structs.replace(trace.forward, end="dropped", obstacles=(stop,))
    away = msgspec.structs.replace(trace, forward=msgspec.structs.replace(trace.forward, end="left"))

    (said,) = _would_be_lost(msgspec.structs.replace(away, answer=stopped), None)
    assert "DOCKER-USER rule 1" in said
    assert not _would_be_lost(msgspec.structs.replace(away, answer=None), None)
    assert not _would_be_lost(away, None)
