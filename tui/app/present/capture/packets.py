"""Captured packets as rows: one for each packet, whatever the points and whatever NAT made of it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dnet_tui.inspect.capture.board.capture_board import BoardRow, BoardView
from dnet_tui.inspect.capture.decode import clock
from dnet_tui.tui.app.model.state import CaptureView, FilterProblem
from dnet_tui.tui.app.present.styled_text import CROSS, LateRow, Row, StyledLine, TextSpan, line, say

_MICRO, _MILLI = 1_000, 1_000_000


def rows(view: BoardView, *, brief: bool) -> tuple[Row, ...]:
    """Return packets like tcpdump's lines; ``brief`` shows only the seconds, for a small pane.

    Where there are several points each row says at which of them its packet was seen, by their numbers, and what NAT
    made of its ends.  Ids count from the capture's first packet, so a row keeps its id while newer ones arrive.
    """
    count = len(view.points)
    return tuple(LateRow.of(f"packet:{row.number}", partial(_row, row, count, brief=brief)) for row in view.rows)


def _row(row: BoardRow, points: int, *, brief: bool) -> StyledLine:
    first, last = row.sightings[0], row.sightings[-1]
    time = clock(first.time_ns)
    where = (*_seen_at(row, points), say(" ")) if points > 1 else (say(f"{first.direction:<3} ", "key"),)
    became = (last.src, last.dst) if row.translated else ()
    return line(
        say(f"{time[6:12] if brief else time[:12]} ", "dim"),
        *where,
        say(f"{row.proto} ", "head"),
        *_ends(first.src, first.dst),
        *((say(" ⇒ ", "key"), *_ends(*became)) if became else ()),
        f" {row.info}",
        *_remarks(row),
    )


def pane_rows(view: BoardView, point: int) -> tuple[Row, ...]:
    """Return the rows of one point's pane: each packet as it was there, or that it did not come there.

    Rows have the ids of :func:`rows`: the same packet has the same one in every pane.
    """
    return tuple(
        LateRow.of(f"packet:{row.number}", partial(_row_at, row, point))
        for row in view.rows
        if any(item.point == point for item in row.sightings) or any(missed == point for missed, _ in row.missed)
    )


def _row_at(row: BoardRow, point: int) -> StyledLine:
    number = say(f"{row.number:>3} ", "dim")
    seen = next((item for item in row.sightings if item.point == point), None)
    if seen is None:
        reason = next((text for missed, text in row.missed if missed == point), "")
        told = f"{CROSS} not here" + (f": {reason}" if reason else "")
        return line(number, say(told, "bad"))
    return line(
        number,
        say(f"{clock(seen.time_ns)[6:12]} ", "dim"),
        say(f"{seen.direction:<3} ", "key"),
        say(f"{row.proto} ", "head"),
        *_ends(seen.src, seen.dst),
        f" {row.info}",
        *(say(f"  [{word}]", "warn") for word in row.remarks),
    )


def _seen_at(row: BoardRow, points: int) -> tuple[TextSpan, ...]:
    """A cell for each point: its number where the packet was seen, a cross where it was missed, else a dot."""
    seen = {item.point for item in row.sightings}
    missed = {point for point, _ in row.missed}
    marks = tuple(
        say(str((point + 1) % 10), "name")
        if point in seen
        else say(CROSS, "bad")
        if point in missed
        else say("·", "dim")
        for point in range(points)
    )
    return (*marks, say(CROSS if None in missed else " ", "bad"))


def _remarks(row: BoardRow) -> tuple[TextSpan, ...]:
    lost = [reason for _, reason in row.missed if reason]
    return (
        *(say(f"  [{word}]", "warn") for word in row.remarks),
        *((say(f"  {CROSS} {lost[0]}", "bad"),) if lost else ()),
    )


def _ends(src: str, dst: str) -> StyledLine:
    return line(say(src, "name"), " → " if dst else "", say(dst, "name"))


def delay(nanoseconds: int) -> str:
    """Return a delay as a person reads it: ``+0``, ``+12 µs``, ``+1.5 ms``."""
    if abs(nanoseconds) < _MICRO:
        return f"+{nanoseconds} ns" if nanoseconds else "+0"
    if abs(nanoseconds) < _MILLI:
        return f"+{nanoseconds / _MICRO:.0f} µs"
    return f"+{nanoseconds / _MILLI:.1f} ms"


def points_line(labels: Sequence[str]) -> StyledLine:
    """Return where it is captured: the points' numbers, as the rows have them, and their names."""
    if len(labels) == 1:
        return line(say("at ", "dim"), say(labels[0] or "?", "info"))
    named = (part for at, name in enumerate(labels) for part in (say(f" {at + 1} ", "name"), say(name, "info")))
    return line(say("at", "dim"), *named)


def status(
    capture: CaptureView, wanted: Sequence[str], *, frozen: bool, can_capture: bool, other: Sequence[str] = ()
) -> StyledLine:
    """Return the pane's line of state: what runs and what was lost, or why nothing runs.

    It would start at the points that are ``wanted``; where these are not those of the rows, they are ``other`` ones.
    """
    if not can_capture:
        return line(say("no live host: packets can't be captured from a saved snapshot", "dim"))
    if capture.trouble is not None:
        hint = f"  {capture.trouble.hint}" if capture.trouble.hint else ""
        return line(say(f"{CROSS} ", "bad"), say(capture.trouble.message, "bad"), say(hint, "plain"))
    lost = say(f", {capture.dropped} dropped", "bad" if capture.dropped else "dim")
    count = (say(f"{capture.received} received", "name"), lost, *_chosen(capture.board))
    if capture.running:
        return line(say("frozen  " if frozen else "• running  ", "warn" if frozen else "good"), *count)
    if capture.received:
        then = (say("  c: at ", "dim"), say(", ".join(other), "info")) if other else ()
        return line(say("stopped  ", "dim"), *count, *then)
    if not wanted:
        return line(say("choose a point with ", "dim"), say("p", "key"))
    return line(
        say("press ", "dim"),
        say("c", "key"),
        say(" to capture here, ", "dim"),
        say("p", "key"),
        say(" for another point", "dim"),
    )


def _chosen(view: BoardView) -> tuple[TextSpan, ...]:
    """What the view leaves out: by its filter, because it is paused, because nothing is followed."""
    parts = []
    if view.filter:
        parts.append(say(f"  {len(view.rows)} of {view.kept} shown", "key"))
    if view.waiting:
        parts.append(say(f"  {view.waiting} waiting", "warn"))
    if not view.follow:
        parts.append(say("  not following", "warn"))
    return tuple(parts)


def problem_line(problem: FilterProblem | None, indent: int, width: int) -> StyledLine:
    """Return a mark under the characters of a display filter that are wrong, and why; ``indent`` cells stand before it.

    Where there is no room to the right of the mark the reason stands before it.
    """
    if problem is None:
        return ()
    at, mark = indent + problem.position, "^" * max(problem.length, 1)
    why = problem.message.partition(": ")[2] or problem.message
    if at + len(mark) + 1 + len(why) <= width or at < len(why) + 1:
        return line(" " * at, say(mark, "bad"), " ", say(why, "bad"))
    return line(say(f"{why:>{at - 1}}", "bad"), " ", say(mark, "bad"))
