"""The steps of a guided check as rows, and one of them in full.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.guided.steps import Step
from dnet_tui.tui.app.model.guided import Answered
from dnet_tui.tui.app.present.styled_text import (
    BLANK,
    CROSS,
    TICK,
    Paragraph,
    Row,
    TextRole,
    bullet,
    fact,
    heading,
    line,
    say,
)

RESULT = "result"
"""The id of the last row, which leads to the closing page."""

_SIGNS: dict[str, tuple[str, TextRole]] = {"ok": (TICK, "good"), "stop": (CROSS, "bad"), "unknown": ("?", "warn")}
_WORDS = {"ok": "nothing stops it here", "stop": "it stops here", "unknown": "can't be told"}


def row_id(index: int) -> str:
    """Return the id of a step's row."""
    return f"step:{index}"


def index_of(row: str) -> int:
    """Return the step that a row stands for; -1 for another row."""
    return int(row.removeprefix("step:")) if row.startswith("step:") else -1


def rows(answered: Answered) -> tuple[Row, ...]:
    """Return the steps in the packet's order, each with where it is and its sign, and the way to the closing page."""
    out = [_row(index, step) for index, step in enumerate(answered.why.steps)]
    passes = answered.why.passes
    sign, role = _SIGNS["ok" if passes else "stop" if passes is False else "unknown"]
    out.append(Row(id=RESULT, cells=(line(say(f"{sign} ", role), say("Result: cause, owner, fix", "name")),)))
    return tuple(out)


def _row(index: int, step: Step) -> Row:
    sign, role = _SIGNS[step.outcome]
    title = say(step.title, "plain" if step.outcome == "ok" else "name")
    return Row(
        id=row_id(index),
        cells=(line(say(f"{sign} ", role), title), line(say(step.place, "dim"))),
        search=" ".join((step.section, *step.found)),
    )


def detail(answered: Answered, index: int) -> tuple[Paragraph, ...]:
    """Return one step in full: where, what was found, how to look at it oneself."""
    if not 0 <= index < len(answered.why.steps):
        return ()
    step = answered.why.steps[index]
    sign, role = _SIGNS[step.outcome]
    out = [
        Paragraph(line(say(f"{sign} ", role), say(step.title, "name"), say(f"  {_WORDS[step.outcome]}", role)), hang=2),
        fact("at", say(step.place, "info")),
    ]
    out += [bullet(text) for text in step.found]
    if step.outcome != "ok" and answered.why.cause:
        out += [BLANK, heading("Why"), Paragraph(line(answered.why.cause))]
        if answered.why.owner:
            out.append(fact("decided by", say(answered.why.owner, "name")))
        out += [fact("" if number else "goes on", text) for number, text in enumerate(answered.further)]
    out += [BLANK, fact("look", say(step.looked_at, "info"))]
    return tuple(out)
