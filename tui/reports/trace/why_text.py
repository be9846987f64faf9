"""A guided check for a person at a terminal: one paragraph per step, then cause, owner and fix.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dnet_tui.diagnostics.guided.steps import Step
from dnet_tui.diagnostics.guided.why import Why
from dnet_tui.diagnostics.operations.remedy import Remedy, commands
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.remedy_terms import fix_command, terms
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import VERDICTS
from dnet_tui.tui.reports.wrapping import paragraph

_LIMIT = 4096
_MARKS = {"ok": "ok   ", "stop": "STOP ", "unknown": "?    "}
_HANGING = " " * 10


def why_text(answer: Why, paper: OutputStyle) -> str:
    """The answer with a final line break."""
    prose = paper.for_prose()
    trace = answer.trace
    title = f"{clean(trace.source.label)} → {clean(trace.target.label)}  {clean(trace.forward.start.tuple_text())}"
    lines = [*(prose.bold(line) for line in paragraph(title, prose.width)), *_verdict(answer, prose), ""]
    for step in answer.steps:
        lines += _step(step, prose)
    lines += _end(answer, prose)
    return "\n".join(lines) + "\n"


def _verdict(answer: Why, paper: OutputStyle) -> Iterator[str]:
    trace = answer.trace
    word = trace.verdict
    back = word.startswith("answer ")
    end = VERDICTS.get(word.removeprefix("answer ").removeprefix("proxy "), word)
    whom = f", received by {trace.received_by}" if trace.received_by else ""
    if answer.passes is True:
        text = f"Yes: it {end}{whom}, and the answer gets back."
        if trace.forward.end == "left":
            text = f"Yes: it {end}{whom}, with an address that can be answered."
    elif answer.passes is None:
        text = f"It can't be told: {'the answer' if back else 'it'} {end}."
    elif word.startswith("proxy "):
        text = f"No: a proxy takes it, and its own connection {end}."
    elif trace.answer_state == "unanswerable":
        text = f"No: it leaves the host as {trace.forward.last.src}, which nobody outside can answer."
    elif trace.intended is False and trace.received_by:
        text = f"No: it {end}, and is received by {trace.received_by}, for whom it wasn't meant."
    else:
        text = f"No: {'the answer' if back else 'it'} {end}{whom if not back else ''}."
    style = paper.good if answer.passes else paper.bad if answer.passes is False else paper.warn
    yield from (style(line) for line in paragraph(clean(text, _LIMIT), paper.width))


def _step(step: Step, paper: OutputStyle) -> Iterator[str]:
    head = f"{_MARKS[step.outcome]}{step.place}: {step.title}"
    for line in paragraph(clean(head, _LIMIT), paper.width, "  ", _HANGING):
        yield line if step.outcome == "ok" else paper.bad(line) if step.outcome == "stop" else paper.warn(line)
    for text in step.found:
        yield from paragraph(clean(text, _LIMIT), paper.width, "         ", "           ")
    if step.outcome != "ok":
        yield from paragraph(clean(f"looked at: {step.looked_at}", _LIMIT), paper.width, "         ", "           ")


def _end(answer: Why, paper: OutputStyle) -> Iterator[str]:
    if answer.passes is True:
        return
    yield ""
    if answer.cause:
        yield from paragraph(clean(answer.cause, _LIMIT), paper.width, "Cause:  ", " " * 8)
    if answer.owner:
        yield from paragraph(clean(answer.owner, _LIMIT), paper.width, "Owner:  ", " " * 8)
    if answer.remedy is not None:
        yield from _fix(answer.remedy, paper)
        found = answer.explained_by
        if found is not None and (command := fix_command(found.check, answer.remedy)):
            yield from paragraph(command, paper.width, "Or:     ", " " * 8)
    if answer.findings:
        names = ", ".join(dict.fromkeys(item.check for item in answer.findings))
        yield from paragraph(f"dnet-tui explain {names}", paper.width, "More:   ", " " * 8)


def _fix(remedy: Remedy, paper: OutputStyle) -> Iterator[str]:
    text = clean(f"{remedy.summary} ({terms(remedy)})", _LIMIT)
    yield from paragraph(text, paper.width, "Fix:    ", " " * 8)
    # Commands are never wrapped: a broken line can't be pasted.
    yield from (f"          {clean(shlex.join(words), _LIMIT)}" for words in commands(remedy.steps))
    if remedy.undo:
        yield "Undo:"
        yield from (f"          {clean(shlex.join(words), _LIMIT)}" for words in commands(remedy.undo))
    if remedy.note:
        yield from paragraph(clean(remedy.note, _LIMIT), paper.width, "Note:   ", " " * 8)
