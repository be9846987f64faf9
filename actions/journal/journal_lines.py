"""The journal's lines: each is read by itself, and one that can't be read still tells whose it is.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from dnet_tui.actions.journal.entries import FORMAT, AnyRecord, Begin, StepLocation, UnreadableRecord

_DECODER = msgspec.json.Decoder(AnyRecord)
_ID = re.compile(rb'"id":"(\d{1,9})"')


class _Outline(msgspec.Struct, kw_only=True):
    """What can be told of a line whose details are of another version."""

    event: str
    id: str
    time: str = ""
    title: str = ""
    format: int = FORMAT
    place: StepLocation = StepLocation(netns=0)


class JournalLines(NamedTuple):
    """What a journal's file holds.

    ``records`` are in the file's order; ``torn`` counts the lines that can't
    be understood; ``highest`` is the highest number of an entry that any line
    names, readable or not: ids are never reused.
    """

    records: tuple[AnyRecord | UnreadableRecord, ...]
    torn: int
    highest: int


def parse_lines(data: bytes) -> JournalLines:
    """Read a journal's lines.

    Zeros, a file system's way to end a file after a crash, are no part of a line: what was appended after them counts.
    """
    records: list[AnyRecord | UnreadableRecord] = []
    torn = 0
    lines = [text.strip(b"\0 ") for text in data.split(b"\n")]
    for text in lines:
        if not text:
            continue
        try:
            record: AnyRecord = _DECODER.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            torn += 1
            if (outline := _outline(text)) is not None:
                records.append(outline)
            continue
        records.append(record)
        if isinstance(record, Begin) and record.format > FORMAT:
            torn += 1
            records.append(_unreadable(record.id, record.format, record.time, record.title, record.place))
    return JournalLines(tuple(records), torn, _highest(lines))


def _outline(text: bytes) -> UnreadableRecord | None:
    """The beginning of an entry of another version; None where a line tells nothing."""
    try:
        found = msgspec.json.decode(text, type=_Outline)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if found.event != "begin":
        return None
    return _unreadable(found.id, found.format, found.time, found.title, found.place)


def _unreadable(identity: str, written: int, time: str, title: str, place: StepLocation) -> UnreadableRecord:
    newer = f" (format {written}; this one knows {FORMAT})" if written > FORMAT else ""
    why = f"it was written by another version of dnet-tui{newer}"
    return UnreadableRecord(id=identity, time=time, title=title, place=place, reason=why)


def _highest(lines: Iterable[bytes]) -> int:
    return max((int(found[1]) for text in lines if (found := _ID.search(text))), default=0)
