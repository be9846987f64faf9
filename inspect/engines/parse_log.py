"""An engine's log → the known network failures in it.  Pure.

Two forms: what ``journalctl --output=json`` prints (one object per line), and
the daemon's own lines in a file (logrus' text format: ``time="…" level=… msg="…"``).

Sources: systemd's Journal Export Formats (JSON), systemd.journal-fields(7);
sirupsen/logrus text_formatter.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from dnet_tui.inspect.model import LogLine
from dnet_tui.inspect.model.engine_kinds.startup_errors import recognise
from dnet_tui.inspect.text.encoding import text

_MOST = 40
"""Different failures that are kept."""

_TIME = re.compile(r'\btime="?(\d{4}-\d\d-\d\dT[0-9:.+Z-]{8,30})')


class _Entry(msgspec.Struct):
    """The fields of a journal entry that count here."""

    message: msgspec.Raw = msgspec.field(name="MESSAGE", default=msgspec.Raw(b"null"))
    unit: str | None = msgspec.field(name="_SYSTEMD_UNIT", default=None)
    moment: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="")


_DECODER = msgspec.json.Decoder(_Entry)


def parse_journal(raw: bytes) -> tuple[LogLine, ...]:
    """The failures in journalctl's JSON; lines that aren't such an object are passed over."""
    return gathered(_from_journal(raw.splitlines()))


def _from_journal(lines: Iterable[bytes]) -> Iterator[LogLine]:
    for line in lines:
        try:
            entry = _DECODER.decode(line)
            said = _message(entry.message)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        failure = recognise(said)
        if failure is not None:
            yield LogLine(kind=failure.kind, text=failure.text, time=_moment(entry.moment), unit=entry.unit or "")


def _message(raw: msgspec.Raw) -> str:
    """A message: text, or the list of its bytes where it isn't UTF-8."""
    value = json.loads(bytes(raw))
    if isinstance(value, list):
        return text(bytes(item for item in value if isinstance(item, int) and 0 <= item < 256))
    return value if isinstance(value, str) else ""


def _moment(microseconds: str) -> str:
    """Microseconds since 1970 as ISO 8601, empty when they aren't that."""
    try:
        return datetime.fromtimestamp(int(microseconds) // 1_000_000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def parse_lines(raw: bytes, since: datetime) -> tuple[LogLine, ...]:
    """The failures in a daemon's log file from ``since`` on; lines without a time count."""
    return gathered(_from_lines(raw.splitlines(), since))


def _from_lines(lines: Iterable[bytes], since: datetime) -> Iterator[LogLine]:
    for line in lines:
        said = text(line)
        failure = recognise(said)
        if failure is None:
            continue
        moment = _stated(said)
        if moment is None or moment >= since:
            time = "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
            yield LogLine(kind=failure.kind, text=failure.text, time=time)


def _stated(line: str) -> datetime | None:
    """When a line says it was written; None when it doesn't."""
    found = _TIME.search(line)
    try:
        moment = datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def gathered(lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
    """Each text of a unit once, with its latest time, in the order of these; the latest of them if there are many."""
    latest: dict[tuple[str, str], LogLine] = {}
    for line in lines:
        key = (line.unit, line.text)
        latest.pop(key, None)
        latest[key] = line
    return tuple(latest.values())[-_MOST:]
