"""A live trace for a person: at every hook what the walk says, and under it what the kernel did.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.diagnostics.trace.live_trace import Live, LiveHop, Met
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace_events import STAGES
from dnet_tui.diagnostics.walk.packet import Hop
from dnet_tui.inspect.text.cells import pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import VERDICTS
from dnet_tui.tui.reports.trace.trace_text import deciding, rule_words
from dnet_tui.tui.reports.wrapping import paragraph

_LIMIT = 4096
_STAGE, _WHO = 13, 7  # cells of the widest stage and of "kernel", and one each
_ANSWERS = {
    "synack": "A SYN-ACK",
    "rst": "A reset",
    "udp-reply": "A datagram",
    "echo-reply": "An echo reply",
    "icmp-error": "An ICMP error",
}


def live_text(live: Live, trace: Trace, paper: OutputStyle) -> str:
    """The live trace with a final line break: the verdict, whether the walk agrees, the hooks there and back."""
    prose = paper.for_prose()
    title = f"{clean(trace.source.label)} → {clean(trace.target.label)}  {clean(trace.forward.start.tuple_text())}"
    lines = [prose.bold(title), *_verdict(live, trace, prose), "", *_way(live.hops, prose)]
    if live.back:
        lines += ["", prose.bold("The answer"), *_way(live.back, prose)]
    return "\n".join(lines) + "\n"


def _verdict(live: Live, trace: Trace, paper: OutputStyle) -> Iterator[str]:
    words = f"The real packet {_ended(live)}."
    if live.verdict.startswith("answer "):
        words += f" Its answer {VERDICTS.get(live.verdict.removeprefix('answer '), 'is never sent')}."
    elif live.answered:
        words += f" {_ANSWERS.get(live.answered, live.answered)} came back."
    colour = paper.good if live.delivered else paper.bad
    for line in paragraph(words, paper.width):
        yield colour(line)
    if live.decided:
        yield from paragraph(clean(live.decided, _LIMIT), paper.width, "  Kernel: ", " " * 10)
    if not live.delivered and trace.decided_by is not None:
        yield from paragraph(deciding(trace.decided_by), paper.width, "  Walk:   ", " " * 10)
    yield from _agreement(live, paper)
    for note in live.notes:
        yield from paragraph(clean(note, _LIMIT), paper.width, "  Note: ", " " * 8)


def _agreement(live: Live, paper: OutputStyle) -> Iterator[str]:
    if live.agrees is False:
        for text in live.contradictions:
            for line in paragraph(clean(text, _LIMIT), paper.width, "!! CONTRADICTION: ", "   "):
                yield paper.bad(line)
        yield from paragraph(
            "The walk is wrong here, or the host changed meanwhile: please report it with a snapshot.", paper.width
        )
    elif live.agrees is None:
        yield paper.warn("?? The walk could not decide this; the kernel has.")
    else:
        yield paper.good("ok The walk says the same.")


def _ended(live: Live) -> str:
    end = "delivered" if live.verdict.startswith("answer ") else live.verdict
    if end == "delivered":
        return "arrives"
    return "could not be sent" if end == "not-sent" else VERDICTS.get(end, end)


def _way(hops: Sequence[LiveHop], paper: OutputStyle) -> Iterator[str]:
    place = shown = ""
    for hop in hops:
        if hop.place != place:
            place = hop.place
            yield f"  {paper.bold(clean(place))}"
        stage = hop.stage
        words = f"{hop.src}:{hop.sport} → {hop.dst}:{hop.dport}" if hop.sport or hop.dport else f"{hop.src} → {hop.dst}"
        if hop.seen and shown not in {"", words}:
            yield from _line(stage, "now", words, paper)
            stage = ""
        shown = words if hop.seen else shown
        if hop.said:
            yield from _line(stage, "walk", "; ".join(map(_hop, hop.said)), paper)
            stage = ""
        if hop.seen:
            for line in _line(stage, "kernel", _seen(hop), paper):
                yield line if hop.passed else paper.bad(line)
        elif hop.stage in STAGES:
            yield from _line("", "kernel", "NOT SEEN HERE", paper)


def _line(stage: str, who: str, words: str, paper: OutputStyle) -> list[str]:
    first = f"    {pad(stage, _STAGE)}{pad(who, _WHO)}"
    return paragraph(clean(words, _LIMIT), paper.width, first, " " * (4 + _STAGE + _WHO))


def _hop(hop: Hop) -> str:
    words = hop.verdict
    if hop.rule is not None:
        words += f" by {rule_words(hop.rule)}"
    return f"{words} ({hop.note})" if hop.note else words


def _seen(hop: LiveHop) -> str:
    """The rules in the order in which they were met, table by table."""
    parts: list[str] = []
    table = ""
    for item in hop.met:
        name = f"{item.backend} {item.table}"
        parts.append((f"{name}: " if name != table else "") + _met(item))
        table = name
    end = "passes" if hop.passed else "ENDS HERE"
    return f"{end}; {', '.join(parts)}" if parts else f"{end}; no rule is met"


def _met(item: Met) -> str:
    if item.number == 0:
        return f"{item.chain} policy {item.verdict}"
    number = "new rule" if item.number is None else str(item.number)
    verdict = f"{item.verdict} {item.to}" if item.to else item.verdict
    words = f"{item.chain} {number} {verdict}"
    return f"{words} [{item.text}]" if item.verdict == "drop" and item.text else words
