"""A trace for a person at a terminal: hop by hop, the packet's tuple wherever it changes.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS
from dnet_tui.diagnostics.walk.packet import Decider, Hop, Packet, RuleRef, Walk
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.cells import pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import VERDICTS, headline
from dnet_tui.tui.reports.wrapping import paragraph

_LIMIT = 4096
_MOST_HEDGES = 5
_STAGE = 13  # cells of the widest stage, and one
_MARKS = {True: "ok", False: "!!", None: "??"}


def trace_text(trace: Trace, view: View, paper: OutputStyle, *, next_step: tuple[str, ...] = ()) -> str:
    """The trace with a final line break: the verdict, the hops there, the hops back.

    ``next_step``: the command that explains why it doesn't pass, for one that doesn't.
    """
    prose = paper.for_prose()
    title = f"{clean(trace.source.label)} → {clean(trace.target.label)}  {clean(trace.forward.start.tuple_text())}"
    title += _size(trace.forward.start)
    fails = trace.arrives is not True or trace.forward.end == "refused"
    step = [f"  Next: {clean(shlex.join(next_step), _LIMIT)}"] if next_step and fails else []
    lines = [prose.bold(title), *_verdict(trace, view, prose), *step, "", *_way(trace.forward, view, prose)]
    if trace.answer is not None:
        lines += ["", prose.bold(f"The answer  {clean(trace.answer.start.tuple_text())}")]
        lines += _way(trace.answer, view, prose)
    relay = trace.relay
    while relay is not None:
        lines += ["", prose.bold(f"The proxy's own connection  {clean(relay.forward.start.tuple_text())}")]
        lines += _way(relay.forward, view, prose)
        if relay.answer is not None and relay.answer.arrives is not True:
            lines += ["", prose.bold(f"Its answer  {clean(relay.answer.start.tuple_text())}")]
            lines += _way(relay.answer, view, prose)
        relay = relay.next
    later = trace.stopped_later
    if later is not None:
        start = later.walk.start
        name = f"{later.kind[0].upper()}{later.kind[1:]}"
        lines += ["", prose.bold(f"{name}  {clean(start.tuple_text())}{_size(start)}"), *_way(later.walk, view, prose)]
    if trace.told is not None:
        lines += ["", prose.bold(f"The message to the sender  {clean(trace.told.start.tuple_text())}")]
        lines += _way(trace.told, view, prose)
    return "\n".join(lines) + "\n"


def _size(packet: Packet) -> str:
    if not packet.length:
        return ""
    rule = {True: ", not to be fragmented", False: ", may be fragmented", None: ""}[packet.df]
    return f"  {packet.length} bytes{rule}"


def _verdict(trace: Trace, view: View, paper: OutputStyle) -> Iterator[str]:
    words = headline(trace, view)
    colour = {True: paper.good, False: paper.bad, None: paper.warn}[trace.arrives]
    for line in paragraph(words, paper.width):
        yield colour(line)
    if trace.decided_by is not None and trace.verdict not in {"delivered", "left"}:
        yield from paragraph(_decision(trace), paper.width, "  Decided by: ", " " * 14)
    yield from _hedges(trace, paper)
    if trace.why:
        yield from paragraph(clean(trace.why, _LIMIT), paper.width, "  Why: ", " " * 7)
    if trace.assumed:
        yield from paragraph(clean(trace.assumed, _LIMIT), paper.width, "  Assumed: ", " " * 11)


def _decision(trace: Trace) -> str:
    """What decides a trace, in one line."""
    if trace.decided_by is None:
        return ""
    if trace.answer is not None and _by_nobody(trace.answer):
        return clean(trace.decided_by.text, _LIMIT)
    return deciding(trace.decided_by)


def _by_nobody(answer: Walk) -> bool:
    """Whether an answer ends before it begins: the packet left as somebody whom nobody outside can answer."""
    return bool(answer.obstacles) and answer.obstacles[0].stage == NOBODY_ANSWERS


def _hedges(trace: Trace, paper: OutputStyle) -> Iterator[str]:
    """What the verdict rests on that was taken for granted."""
    for hedge in trace.hedges[:_MOST_HEDGES]:
        yield from paragraph(clean(hedge.text, _LIMIT), paper.width, "  Provided: ", " " * 12)
    if len(trace.hedges) > _MOST_HEDGES:
        yield f"  Provided: {len(trace.hedges) - _MOST_HEDGES} more conditions (--format json has all)"


def deciding(by: Decider) -> str:
    """What decides, in one line: a rule with where it stands, a sysctl with its value."""
    value = f" = {by.value}" if by.kind == "sysctl" else ""
    if by.rule is None:
        return clean(f"{by.kind} {by.text}{value}", _LIMIT)
    return clean(rule_words(by.rule), _LIMIT)


def rule_words(ref: RuleRef) -> str:
    """A rule with where it stands; a policy when it has no number."""
    place = f"{ref.backend} {ref.table} {ref.chain}"
    return f"{place} {ref.text}" if ref.number == 0 else f"{place} rule {ref.number}: {ref.text}"


def _way(walk: Walk, view: View, paper: OutputStyle) -> Iterator[str]:
    namespace = tuple_shown = ""
    for hop in walk.hops:
        label = clean(view.label(hop.namespace))
        if label != namespace:
            namespace = label
            yield f"  {paper.bold(label)}"
        yield from _hop(hop, paper)
        shown = hop.packet.tuple_text()  # inside a tunnel: that of its outer packet
        if tuple_shown and shown != tuple_shown:
            yield from paragraph(f"now {clean(shown)}", paper.width, " " * (5 + _STAGE))
        tuple_shown = shown
    if walk.arrives is not True and walk.decided_by is not None:
        mark = _MARKS[walk.arrives]
        line = f"{mark}  {VERDICTS.get(walk.end, walk.end)}: {deciding(walk.decided_by)}"
        if _by_nobody(walk):
            line = f"{mark}  {clean(walk.decided_by.text, _LIMIT)}"
        colour = paper.bad if walk.arrives is False else paper.warn
        for text in paragraph(line, paper.width, "    ", " " * 8):
            yield colour(text)


def _hop(hop: Hop, paper: OutputStyle) -> list[str]:
    words = [clean(hop.verdict, _LIMIT)]
    if hop.interface and hop.stage != "routing":
        words.insert(0, f"[{clean(hop.interface)}]")
    if hop.rule is not None:
        words.append(f"by {clean(rule_words(hop.rule), _LIMIT)}")
    if hop.note:
        words.append(f"({clean(hop.note, _LIMIT)})")
    return paragraph(" ".join(words), paper.width, f"    {pad(hop.stage, _STAGE)} ", " " * (5 + _STAGE))
