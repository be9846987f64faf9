"""What changed since the app was opened, and what dnet-tui itself did, on one clock.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from dnet_tui.diagnostics.difference.base import DifferenceItem
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.tui.reports.difference_text import folded

TIMELINE_KEPT = 1000
"""So many entries are kept; older ones are gone."""

TimelineKind = Literal["added", "removed", "changed", "broken", "mended"]


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change, or a finding that came or went.

    ``time`` is when the host was read that shows it (ISO 8601, UTC); ``by``
    names the processes that wrote rules since the host was read before, where
    the kernel says so.
    """

    number: int
    time: str
    kind: TimelineKind
    section: str
    scope: str
    text: str
    before: str = ""
    after: str = ""
    by: tuple[str, ...] = ()
    subject: tuple[str, str, str] | None = None
    """Of a finding: its check, and its subject's kind and name."""


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A change that dnet-tui made.  ``undo`` are the commands that take it back; without any it can't be."""

    entry: str
    time: str
    title: str
    status: str
    reason: str = ""
    undo: tuple[str, ...] = ()


def news(
    changes: Iterable[DifferenceItem],
    was: Report | None,
    now: Report | None,
    *,
    time: str,
    by: tuple[str, ...],
    first: int,
) -> tuple[TimelineEntry, ...]:
    """Return what one look at the host adds to the timeline, numbered from ``first`` on."""
    found = [*_changes(changes, time, by), *_findings(was, now, time)]
    return tuple(msgspec.structs.replace(item, number=first + index) for index, item in enumerate(found))


def _changes(changes: Iterable[DifferenceItem], time: str, by: tuple[str, ...]) -> Iterator[TimelineEntry]:
    scopes: dict[str, list[DifferenceItem]] = {}
    for change in changes:
        scopes.setdefault(change.scope, []).append(change)
    for item in (one for scope in scopes.values() for one in folded(scope)):
        yield TimelineEntry(
            number=0,
            time=time,
            kind="changed" if item.kind == "moved" else item.kind,
            section=item.section,
            scope=item.scope,
            text=item.text,
            before=item.before,
            after=item.after,
            by=by if item.section == "firewall" and item.scope == "host" else (),
        )


def _findings(was: Report | None, now: Report | None, time: str) -> Iterator[TimelineEntry]:
    if was is None or now is None:
        return
    before, after = {_key(item): item for item in was.findings}, {_key(item): item for item in now.findings}
    for key, item in after.items():
        if key not in before and item.severity != "info":
            yield _finding(item, "broken", time)
    decided = {item.id for item in now.checks if item.outcome not in {"unknown", "crashed"}}
    for key, item in before.items():
        # Of a check that can't decide any more, silence says nothing.
        if key not in after and item.severity != "info" and item.check in decided:
            yield _finding(item, "mended", time)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.check, finding.subject.kind, finding.subject.name


def _finding(item: Finding, kind: TimelineKind, time: str) -> TimelineEntry:
    return TimelineEntry(
        number=0,
        time=time,
        kind=kind,
        section="findings",
        scope=item.subject.name,
        text=f"{item.check}: {item.summary}",
        subject=_key(item),
    )
