"""The closing page of a guided check: where it stops, whose decision, what was seen, the fix.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from dnet_tui.diagnostics.guided.why import Why, is_for_fix
from dnet_tui.diagnostics.operations.remedy import commands
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.tui.app.model.guided import Answered, GuidedView, Proof
from dnet_tui.tui.app.model.timeline import TimelineEntry
from dnet_tui.tui.app.present.guided import proof as proofs
from dnet_tui.tui.app.present.styled_text import (
    BLANK,
    CROSS,
    TICK,
    Paragraph,
    TextRole,
    bullet,
    fact,
    heading,
    line,
    say,
)
from dnet_tui.tui.reports.remedy_terms import fix_command, terms
from dnet_tui.tui.reports.trace.headline import VERDICTS


def title(answered: Answered) -> str:
    """Return the flow that was asked about."""
    trace = answered.why.trace
    return f"{trace.source.label} → {trace.target.label}"


def verdict(answer: Why) -> tuple[str, TextRole]:
    """Return the answer in one sentence."""
    trace = answer.trace
    word = trace.verdict
    end = VERDICTS.get(word.removeprefix("answer ").removeprefix("proxy "), word)
    if answer.passes is True:
        whom = f", received by {trace.received_by}" if trace.received_by else ""
        return f"{TICK} It passes: it {end}{whom}.", "good"
    if answer.passes is None:
        return f"? It can't be told: {'the answer' if word.startswith('answer ') else 'it'} {end}.", "warn"
    if trace.answer_state == "unanswerable":
        return f"{CROSS} It leaves as {trace.forward.last.src}, which nobody outside can answer.", "bad"
    later = trace.stopped_later
    if later is not None:
        end = VERDICTS.get(later.walk.end, later.walk.end)
        return f"{CROSS} The first packet passes, a later one ({later.kind}) does not: it {end}.", "bad"
    who = "the answer" if word.startswith("answer ") else "a proxy's own connection" if word[:5] == "proxy" else "it"
    return f"{CROSS} It does not pass: {who} {end}.", "bad"


def fixable(answered: Answered | None) -> Finding | None:
    """The finding whose remedy dnet-tui may apply after a yes; None where that is somebody else's to decide."""
    if answered is None or answered.why.passes is True:
        return None
    found, remedy = answered.why.explained_by, answered.why.remedy
    if found is None or remedy is None or found.remedy != remedy or not remedy.steps or not is_for_fix(remedy):
        return None
    return found


def page(guided: GuidedView, timeline: Sequence[TimelineEntry] = ()) -> tuple[Paragraph, ...]:
    """Return the whole closing page; of a flow that fails also what changed since the app was opened."""
    answered = guided.answered
    if answered is None:
        return ()
    first = guided.was or answered
    text, role = verdict(answered.why)
    out = [
        Paragraph(line(say(title(answered), "name"), say(f"  {answered.why.trace.forward.start.tuple_text()}", "dim"))),
        Paragraph(line(say(text, role)), hang=2),
    ]
    if guided.was is None:
        changed = tuple(_changed(timeline)) if answered.why.passes is not True else ()
        rest = (BLANK, heading("Seen"), *_proof(guided.proof, briefly=True), *_fix(answered), *_points(guided.proof))
        # Who asks what changed reads that first.
        last = (*changed, *rest) if guided.wish.question == BEFORE else (*rest, *changed)
        return (*out, *_where(first.why), *last)
    before = guided.before or Proof()
    out += [BLANK, heading("Before the fix"), *_proof(before, briefly=True)]
    again = stops_again(guided)
    out += [BLANK, heading("After it"), *_proof(guided.proof)]
    out += [Paragraph(line(say(again, "bad")), hang=2)] if again else []
    return (*out, *_where(first.why, was=True))


def stops_again(guided: GuidedView) -> str:
    """Say that the flow fails though a fix was made: what was counted after that tells nothing of now; else empty."""
    if guided.was is None or guided.answered is None or guided.answered.why.passes is not False:
        return ""
    if guided.answered.why.cause == guided.was.why.cause:
        return f"{CROSS} What stopped it before stops it now: the fix was undone, or somebody else has undone it."
    return f"{CROSS} Something else stops it now; 4 shows its way."


def _where(answer: Why, *, was: bool = False) -> Iterator[Paragraph]:
    step = next((item for item in answer.steps if item.outcome != "ok"), None)
    if step is None:
        return
    yield BLANK
    if was:
        yield heading("What it was, before the fix")
    yield fact("stopped at" if was else "stops at", f"{step.place}: {step.title}")
    for text in step.found[:3]:
        yield fact("", say(text, "info"))
    if answer.cause:
        yield fact("cause", answer.cause)
    yield fact("decided by", say(answer.owner or "nobody, as far as is known", "name"))
    if answer.findings:
        yield fact("checks", ", ".join(dict.fromkeys(item.check for item in answer.findings)))


def _proof(proof: Proof, *, briefly: bool = False) -> Iterator[Paragraph]:
    seen = proofs.counted(proof)
    yield from seen[:1] if briefly else seen
    for item in proof.probes:
        role: TextRole = "good" if item.good else "bad" if item.good is False else "warn"
        yield bullet(say(item.text, role), mark=say(TICK if item.good else CROSS, role))
    if not seen and not proof.probes:
        none = "no packet of this flow yet" if proof.points else "no packets were watched"
        yield Paragraph(line(say(none, "dim")))


def _points(proof: Proof) -> Iterator[Paragraph]:
    """What was seen at each point."""
    seen = proofs.counted(proof)
    if len(seen) > 1:
        yield BLANK
        yield heading("Seen at each point")
        yield from seen[1:]


def _changed(timeline: Sequence[TimelineEntry]) -> Iterator[Paragraph]:
    """The latest changes, newest first; of one moment first those whose author is known, and last the findings."""
    if not timeline:
        return
    yield BLANK
    yield heading("Changed since the app was opened (6 has all)")
    ordered = sorted(timeline, key=lambda item: (item.time, item.section != "findings", bool(item.by)), reverse=True)
    for item in ordered[:_SHOWN]:
        by = say(f"  by {', '.join(item.by)}", "name") if item.by else ""
        yield bullet(say(f"{item.time[11:19]} {item.scope}: {item.text}"), by)


_SHOWN = 8
BEFORE = "before"
"""The question whose answer is what changed."""


def _fix(answered: Answered) -> Iterator[Paragraph]:
    answer = answered.why
    if answer.passes is True:
        return
    yield BLANK
    yield heading("Fix")
    remedy = answer.remedy
    if remedy is None:
        yield Paragraph(line(say("None is known to dnet-tui: whoever decided this can change it.", "dim")))
        return
    ours = fixable(answered) is not None
    yield Paragraph(line(remedy.summary, say(f"  ({terms(remedy)})", "dim")))
    if not ours and remedy.steps and answer.owner:
        yield Paragraph(line(say(f"For {answer.owner} to decide:", "warn")))
    for words in commands(remedy.steps):
        yield Paragraph(line(say("$ ", "dim"), say(shlex.join(words), "info")), hang=4)
    found = answer.explained_by
    if found is not None and found.remedy == remedy and (command := fix_command(found.check, remedy)):
        yield fact("or", say(command, "info"))
    if remedy.undo:
        yield fact("undo", say("; ".join(shlex.join(words) for words in commands(remedy.undo)), "info"))
    if remedy.note:
        yield fact("note", remedy.note)
