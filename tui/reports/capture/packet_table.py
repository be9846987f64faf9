"""The table of a capture at several points: one packet a row, one point a column.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnet_tui.inspect.capture.correlation.packet_identity import TCP
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.correlation.row_text import address_text, end_text, relative, row_remarks
from dnet_tui.inspect.capture.decode import clock, summarise
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.capture.missing_point import MissingPoint
from dnet_tui.tui.reports.capture.table_layout import TIME_WIDTH, TableLayout

_MOST_KEPT = 8192


class PacketTable:
    """Makes the lines.  ``labels`` are the points', ``names`` those of addresses; ``width`` in cells, None: any."""

    def __init__(self, labels: Sequence[str], names: Mapping[str, str], wait_ms: int, width: int | None = None) -> None:
        self._labels = labels
        self._names = names
        self._wait = wait_ms
        self._ends: dict[tuple[bytes, int], str] = {}
        self._layout = TableLayout(labels, width)
        self.header = self._layout.header

    def line(self, row: PacketRow, missing: Sequence[MissingPoint]) -> str:
        """One packet: its delay at each point, who and to whom (⇒ where that changes), what, what it answers."""
        first = row.packet.time_ns
        texts = ["-"] * len(self._labels)
        for item in missing:
            if item.point is not None:
                texts[item.point] = "NOT"
        for seen in reversed(row.sightings):  # the first one counts
            text = "0" if seen.time_ns == first else delay(seen.time_ns - first)
            texts[seen.point] = f"{text}/{seen.pieces}" if seen.pieces > 1 else text
        packet = f"{self.packet(row)}  {self.remarks(row, missing)}"
        return self._layout.row(clock(first)[:TIME_WIDTH], texts, packet)

    def packet(self, row: PacketRow) -> str:
        """Protocol, ends and content."""
        shown = summarise(row.packet, self._labels[row.packet.point])
        ends = row.identity.ends
        if ends is None:
            return f"{shown.proto} {shown.src} > {shown.dst} {shown.info}"
        forms = [item.ends for item in row.sightings if item.ends is not None]
        port = shown.sport is not None or shown.dport is not None
        source = self._changing([(form.src, form.sport if port else 0) for form in forms])
        target = self._changing([(form.dst, form.dport if port else 0) for form in forms])
        info = relative(shown.info, row) if ends.proto == TCP else shown.info
        return f"{shown.proto} {source} > {target} {info}".rstrip()

    def remarks(self, row: PacketRow, missing: Sequence[MissingPoint]) -> str:
        """What there is to say beside the packet itself."""
        found = row_remarks(row)
        if row.answer_to:
            trips = ", ".join(f"{self._labels[point]} {duration(took)}" for point, took in row.round_trips)
            found.append(f"answers #{row.answer_to}" + (f" after {trips}" if trips else ""))
        for reason in dict.fromkeys(item.reason for item in missing):
            points = [item.point for item in missing if item.reason == reason]
            labels = ", ".join(self._labels[point] for point in points if point is not None)
            where = f"NOT at {labels}" if labels else "NOT any further"
            found.append(f"{where} within {self._wait} ms" + (f": {clean(reason, 512)}" if reason else ""))
        return f"[#{row.number}; {'; '.join(found)}]" if found else f"[#{row.number}]"

    def _changing(self, ends: Sequence[tuple[bytes, int]]) -> str:
        """An end, and what it becomes."""
        if ends.count(ends[0]) == len(ends):
            return self._end(*ends[0])
        different = list(dict.fromkeys(ends))
        if len(different) > 1 and all(port == 0 for _, port in different):
            different = [(address, 0) for address in dict.fromkeys(address for address, _ in different)]
        return " ⇒ ".join(self._end(address, port) for address, port in different)

    def _end(self, address: bytes, port: int) -> str:
        kept = self._ends.get((address, port))
        if kept is None:
            name = self._names.get(address_text(address), "")
            kept = end_text(address, port) + (f" ({name})" if name else "")
            if len(self._ends) >= _MOST_KEPT:
                self._ends.clear()
            self._ends[address, port] = kept
        return kept


def delay(nanoseconds: int) -> str:
    """Such as ``+21µs``."""
    return f"{'+' if nanoseconds >= 0 else '-'}{duration(abs(nanoseconds))}"


def duration(nanoseconds: int) -> str:
    """With three digits that matter: ``840ns``, ``21µs``, ``1.25ms``, ``2.10s``."""
    if nanoseconds < 1000:
        return f"{nanoseconds}ns"
    for unit, size in (("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)):
        value = nanoseconds / size
        if value < 1000 or unit == "s":
            return f"{value:.0f}{unit}" if value >= 100 else f"{value:.3g}{unit}"
    return ""
