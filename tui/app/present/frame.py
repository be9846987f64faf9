"""What surrounds every screen: the title line, the key hints, the help.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dnet_tui.tui.app.model.state import AppState, ModeId
from dnet_tui.tui.app.present.styled_text import (
    BLANK,
    CROSS,
    TICK,
    Paragraph,
    StyledLine,
    TextRole,
    fit,
    heading,
    line,
    pad,
    say,
    width_of,
)


class Tab(NamedTuple):
    """A mode as the title line shows it; not ``always``: only while it is on show."""

    key: str
    mode: ModeId
    title: str
    always: bool = True


class Hint(NamedTuple):
    """A key and what it does; ``press`` is what the terminal calls it, where a click may press it."""

    key: str
    does: str
    press: str = ""


class KeyZone(NamedTuple):
    """Cells of a bar, from ``start`` up to ``end``, that press a key when they are clicked."""

    start: int
    end: int
    press: str


_ONLY_ONE = 56
"""Below so many cells only the mode on show is named: the verdict is worth more than the others' keys."""


_TELLING = 4
"""Cells from which on a shortened host name tells anything."""


def title(state: AppState, every: Sequence[Tab], mode: ModeId, width: int) -> tuple[StyledLine, StyledLine]:
    """Return the title line's left part (modes, host) and right part (verdict, time), both fitting ``width``."""
    tabs = [part for part, _ in _tabs(every, mode, width)]
    left = line(*tabs)
    rest = width - width_of(left)
    for right in _statuses(state):
        if width_of(right) + 1 <= rest:
            host = line(say(state.snapshot.host.hostname if state.snapshot else "", "dim"))
            room = rest - width_of(right) - 3
            return line(left, "  ", fit(host, room) if room >= _TELLING else ()), right
    return fit(left, width), ()


def _tabs(every: Sequence[Tab], mode: ModeId, width: int) -> Iterable[tuple[StyledLine, str]]:
    """The tabs, each with its key."""
    for key, name, word, always in every:
        if name == mode:
            yield line(say(f"[{key} {word}]", "name")), key
        elif always and width >= _ONLY_ONE:
            # On a narrow terminal the verdict is worth more than the other modes' names.
            yield line(" ", say(key, "key"), f" {word} " if width >= 70 else " "), key


def tab_zones(every: Sequence[Tab], mode: ModeId, width: int, room: int) -> tuple[KeyZone, ...]:
    """Return where a click goes to a mode, but for the one on show; ``room`` cells are left beside the right part."""
    here = {tab.key for tab in every if tab.mode == mode}
    return tuple(zone for zone in _zones(_tabs(every, mode, width), room) if zone.press not in here)


def _zones(parts: Iterable[tuple[StyledLine, str]], width: int) -> Iterable[KeyZone]:
    at = 0
    for part, press in parts:
        end = at + width_of(part)
        if press and end <= width:
            yield KeyZone(at, end, press)
        at = end


def _statuses(state: AppState) -> Iterable[StyledLine]:
    """The right part, from the longest to the shortest form."""
    taken = f"{state.snapshot.taken_at[11:19]}Z" if state.snapshot else ""
    time = line(say(taken, "dim"), " ") if taken else ()
    kind = (
        line(say("offline ", "info")) if state.offline else () if state.may_write else line(say("read-only ", "info"))
    )
    if state.busy:
        yield line(say(f"{state.busy} ", "warn"))
        yield line(say("... ", "warn"))
    ice = line(say("FROZEN ", "warn")) if state.frozen else ()
    yield line(ice, _score(state, words=True), kind, time)
    if kind:
        yield line(ice, _score(state, words=True), kind)
    yield line(ice, _score(state, words=True), time)
    yield line(ice, _score(state, words=False))
    yield line(say("F ", "warn")) if state.frozen else ()


def _score(state: AppState, *, words: bool) -> StyledLine:
    if state.report is None:
        return ()
    summary = state.report.summary
    if summary.errors:
        return line(say(f"{CROSS} {_many(summary.errors, 'error') if words else summary.errors} ", "bad"))
    if summary.warnings:
        return line(say(f"! {_many(summary.warnings, 'warning') if words else summary.warnings} ", "warn"))
    if summary.verdict == "incomplete":
        return line(say("? incomplete " if words else "? ", "warn"))
    return line(say(f"{TICK} healthy " if words else f"{TICK} ", "good"))


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def hints(wanted: Sequence[Hint], width: int) -> StyledLine:
    """Return as many hints as fit; the last two (help and quit) always come along."""
    return fit(line(*map(_hint, _fitting(wanted, width))), width)


def hint_zones(wanted: Sequence[Hint], width: int) -> tuple[KeyZone, ...]:
    """Return where a click presses the keys of the hints that fit."""
    return tuple(_zones(((_hint(hint), hint.press) for hint in _fitting(wanted, width)), width))


def _fitting(wanted: Sequence[Hint], width: int) -> list[Hint]:
    always, others = wanted[-2:], wanted[:-2]
    room = width - sum(width_of(_hint(hint)) for hint in always)
    kept: list[Hint] = []
    for hint in others:
        size = width_of(_hint(hint))
        if size <= room:
            kept.append(hint)
            room -= size
    return [*kept, *always]


def _hint(hint: Hint) -> StyledLine:
    return line(" ", say(hint.key, "key"), " ", say(hint.does, "dim"), " ")


_TWO_COLUMNS = 66


def _in_columns(keys: Sequence[Hint], columns: int, width: int) -> list[Paragraph]:
    """Keys in the order of reading: down the first column, then down the second."""
    if columns == 1:
        return [Paragraph(line(say(f"{hint.key:<14} ", "key"), hint.does), hang=15) for hint in keys]
    half = -(-len(keys) // 2)
    cells = [line(say(f"{hint.key:<11} ", "key"), hint.does) for hint in keys]
    return [
        Paragraph(line(pad(cell, width - 1), " ", *(cells[half + at : half + at + 1])))
        for at, cell in enumerate(cells[:half])
    ]


_SIGNS: tuple[tuple[str, TextRole, str], ...] = (
    (f"{CROSS} error", "bad", "traffic is broken"),
    ("! warning", "warn", "will break, or is exposed"),
    ("i info", "info", "worth knowing"),
    ("? unknown", "warn", "could not be seen or decided"),
    (f"{TICK} ok", "good", "examined, and well"),
)


def help_paras(sections: Sequence[tuple[str, Sequence[Hint]]], width: int = 0) -> tuple[Paragraph, ...]:
    """Return the help: every key that works here, then the signs; in two columns where ``width`` has room for them."""
    columns = 2 if width >= _TWO_COLUMNS else 1
    out: list[Paragraph] = []
    for name, keys in sections:
        if not keys:
            continue
        out += [*([BLANK] if out else []), heading(name)]
        out += _in_columns(keys, columns, width // columns)
    out += [BLANK, heading("Signs")]
    out += [Paragraph(line(say(f"{sign:<14} ", role), text), hang=15) for sign, role, text in _SIGNS]
    return tuple(out)
