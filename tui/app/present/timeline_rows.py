"""The timeline as rows, newest first, and one entry in full.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnet_tui.tui.app.model.timeline import JournalLine, TimelineEntry, TimelineKind
from dnet_tui.tui.app.present.styled_text import (
    BLANK,
    CROSS,
    TICK,
    Paragraph,
    Row,
    TextRole,
    fact,
    heading,
    line,
    say,
)

_SIGNS: dict[TimelineKind, tuple[str, TextRole, str]] = {
    "added": ("+", "good", "added"),
    "removed": ("-", "bad", "removed"),
    "changed": ("~", "warn", "changed"),
    "broken": (CROSS, "bad", "broken since then"),
    "mended": (TICK, "good", "mended since then"),
}


def rows(timeline: Sequence[TimelineEntry], journal: Sequence[JournalLine]) -> tuple[Row, ...]:
    """Return changes, findings and dnet-tui's own entries, newest first."""
    dated = [(item.time, item.number, _change(item)) for item in timeline]
    dated += [(item.time, -1, _own(item)) for item in journal]
    return tuple(row for _, _, row in sorted(dated, key=lambda item: item[:2], reverse=True))


def _change(item: TimelineEntry) -> Row:
    sign, role, _ = _SIGNS[item.kind]
    by = say(f"  by {', '.join(item.by)}", "info") if item.by else ""
    return Row(
        id=f"change:{item.number}",
        cells=(
            line(say(f"{_clock(item.time)} ", "dim"), say(f"{sign} ", role), say(item.text), by),
            line(say(item.scope, "dim")),
        ),
        search=f"{item.section} {item.before} {item.after}",
    )


def _own(item: JournalLine) -> Row:
    done = item.status == "done"
    return Row(
        id=f"journal:{item.entry}",
        cells=(
            line(say(f"{_clock(item.time)} ", "dim"), say("* ", "key"), say(item.title, "name")),
            line(say(f"dnet-tui {item.entry} {item.status}", "dim" if done else "warn")),
        ),
        search="journal undo",
    )


def _clock(time: str) -> str:
    return time[11:19]


def entry_of(timeline: Sequence[TimelineEntry], row: str) -> TimelineEntry | None:
    """Return the change that a row stands for."""
    return next((item for item in timeline if row == f"change:{item.number}"), None)


def journal_of(journal: Sequence[JournalLine], row: str) -> JournalLine | None:
    """Return dnet-tui's own entry that a row stands for."""
    return next((item for item in journal if row == f"journal:{item.entry}"), None)


def detail(timeline: Sequence[TimelineEntry], journal: Sequence[JournalLine], row: str) -> tuple[Paragraph, ...]:
    """Return a row in full."""
    own = journal_of(journal, row)
    if own is not None:
        return _own_detail(own)
    item = entry_of(timeline, row)
    if item is None:
        return ()
    sign, role, word = _SIGNS[item.kind]
    out = [
        Paragraph(line(say(f"{sign} {word}", role))),
        Paragraph(line(say(item.text, "name"))),
        BLANK,
        fact("seen at", item.time),
        fact("part", item.section),
        fact("of", item.scope),
    ]
    if item.by:
        out.append(fact("by", say(", ".join(item.by), "info")))
    elif item.section == "firewall":
        out.append(fact("by", say("not told: iptables-legacy, or another namespace's", "dim")))
    if item.before:
        out += [BLANK, heading("Before"), Paragraph(line(item.before))]
    if item.after:
        out += [BLANK, heading("After"), Paragraph(line(item.after))]
    return tuple(out)


def _own_detail(own: JournalLine) -> tuple[Paragraph, ...]:
    out = [
        Paragraph(line(say(own.title, "name"))),
        BLANK,
        fact("journal", f"entry {own.entry}, {own.status}"),
        fact("made at", own.time),
    ]
    if own.reason:
        out.append(fact("reason", say(own.reason, "bad")))
    if own.undo:
        out += [BLANK, heading("Undo")]
        out += [Paragraph(line(say("$ ", "dim"), say(text, "info")), hang=4) for text in own.undo]
    return tuple(out)
