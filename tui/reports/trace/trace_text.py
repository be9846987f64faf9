"""A trace for a person at a terminal: hop by hop, the packet's tuple wherever it changes.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.trace.reception import way_out
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.walk.packet import Decider, Hop, Packet, RuleRef, Walk
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.cells import pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_LIMIT = 4096
_STAGE = 13  # cells of the widest stage, and one
_MARKS = {True: "ok", False: "!!", None: "??"}

VERDICTS = {
    "delivered": "arrives: somebody listens",
    "left": "leaves the host",
    "refused": "arrives, but no process listens there",
    "dropped": "is dropped",
    "rejected": "is rejected",
    "no-route": "finds no route",
    "unreachable": "can't get to the next hop",
    "looped": "goes round in a loop",
    "too-big": "is too big for a link on its way",
    "unknown": "can't be decided",
}


def trace_text(trace: Trace, view: View, paper: OutputStyle) -> str:
    """The trace with a final line break: the verdict, the hops there, the hops back."""
    prose = paper.for_prose()
    title = f"{clean(trace.source.label)} → {clean(trace.target.label)}  {clean(trace.forward.start.tuple_text())}"
    title += _size(trace.forward.start)
    lines = [prose.bold(title), *_verdict(trace, view, prose), "", *_way(trace.forward, view, prose)]
    if trace.answer is not None:
        lines += ["", prose.bold(f"The answer  {clean(trace.answer.start.tuple_text())}")]
        lines += _way(trace.answer, view, prose)
    if trace.relay is not None:
        lines += ["", prose.bold(f"The proxy's own connection  {clean(trace.relay.forward.start.tuple_text())}")]
        lines += _way(trace.relay.forward, view, prose)
        if trace.relay.answer is not None and trace.relay.answer.arrives is not True:
            lines += ["", prose.bold(f"Its answer  {clean(trace.relay.answer.start.tuple_text())}")]
            lines += _way(trace.relay.answer, view, prose)
    if trace.told is not None:
        lines += ["", prose.bold(f"The message to the sender  {clean(trace.told.start.tuple_text())}")]
        lines += _way(trace.told, view, prose)
    return "\n".join(lines) + "\n"


def _size(packet: Packet) -> str:
    if not packet.length:
        return ""
    rule = {True: ", not to be fragmented", False: ", may be fragmented", None: ""}[packet.df]
    return f"  {packet.length} bytes{rule}"


def _ending(walk: Walk, view: View) -> str:
    """How a walk ends, in words; of one that leaves by a tunnel or to a program, by which and to whom."""
    by, where = way_out(view, walk)
    if walk.end == "left" and where:
        return clean(f"leaves by {by} {where}", _LIMIT)
    return VERDICTS.get(walk.end, walk.end)


def _verdict(trace: Trace, view: View, paper: OutputStyle) -> Iterator[str]:
    walk = trace.forward
    words = f"The packet {_ending(walk, view)}."
    if trace.answer is not None:
        back = trace.answer.arrives
        if back:
            words += " An answer is expected." if trace.forward.end == "left" else " Its answer gets back."
        elif trace.answer.intended is False and way_out(view, trace.answer)[1]:
            words += f" Its answer {_ending(trace.answer, view)}, where nobody awaits it."
        elif trace.answer.intended is False:
            words += " Its answer comes to somebody who doesn't await it."
        else:
            words += f" Its answer {_ending(trace.answer, view)}."
    if trace.relay is not None and trace.relay.failing is not None:
        words += " It is taken by a proxy, whose own connection fails."
    if trace.intended is False and trace.received_by:
        words += f" It is received by {clean(trace.received_by)}, for whom it wasn't meant."
    colour = {True: paper.good, False: paper.bad, None: paper.warn}[trace.arrives]
    for line in paragraph(words, paper.width):
        yield colour(line)
    if trace.decided_by is not None and trace.verdict not in {"delivered", "left"}:
        yield from paragraph(deciding(trace.decided_by), paper.width, "  Decided by: ", " " * 14)
    if trace.why:
        yield from paragraph(clean(trace.why, _LIMIT), paper.width, "  Why: ", " " * 7)


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
