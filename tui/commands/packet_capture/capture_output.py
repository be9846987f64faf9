"""What ``dnet-tui capture`` prints: lines of one point, rows of several, and the summary."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from dnet_tui.inspect.capture.board.display_filter import display_filter
from dnet_tui.inspect.capture.correlation.correlator import WAIT_NS, Correlator
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.decode import summarise
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.capture.address_names import address_names
from dnet_tui.tui.reports.capture.flow_summary import flow_lines
from dnet_tui.tui.reports.capture.packet_detail import detail_data, detail_lines
from dnet_tui.tui.reports.capture.packet_json import packet_data, point_packet
from dnet_tui.tui.reports.capture.packet_table import PacketTable
from dnet_tui.tui.reports.json_text import to_json_line
from dnet_tui.tui.reports.terminal import stderr_width, stdout_paper
from dnet_tui.tui.reports.wrapping import paragraph

CaptureFormat = Literal["text", "json"]
WAIT_MS = WAIT_NS // 1_000_000
_MOST_REASONS = 16


def say(text: str) -> None:
    """One line to stderr; on a terminal it is broken between words."""
    print("\n".join(paragraph(clean(text, 1024), stderr_width(), "", "  ")), file=sys.stderr, flush=True)


class LineOutput:
    """One point: a line for each packet, as tcpdump writes it."""

    def __init__(
        self, labels: Sequence[str], names: Mapping[str, str], output: CaptureFormat, *, detail: bool = False
    ) -> None:
        self._detail = detail
        self._labels = labels
        self._names = names
        self._json = output == "json"
        self._width = None if self._json else stdout_paper().width
        self.shown = 0

    def take(self, packets: Sequence[CapturedPacket], until_ns: int) -> None:  # noqa: ARG002  as CorrelatedOutput
        """Print packets."""
        if packets:
            sys.stdout.writelines(self._lines(packets))
            sys.stdout.flush()
            self.shown += len(packets)

    def end(self) -> None:
        """Nothing is held back."""

    def summary(self) -> Iterator[str]:
        """Nothing that the counts don't say."""
        return iter(())

    def _lines(self, packets: Iterable[CapturedPacket]) -> Iterator[str]:
        for packet in packets:
            summary = summarise(packet, self._labels[packet.point])
            if self._json:
                yield to_json_line(point_packet(summary))
            elif self._width is None:
                yield summary.line(self._names) + "\n"
            else:
                yield "\n".join(paragraph(summary.line(self._names), self._width, "", "    ")) + "\n"
            if self._detail and not self._json:
                yield "\n".join(detail_lines(packet, self._width)) + "\n"


class CorrelatedOutput:
    """Several points: a row for each packet, once it was seen everywhere or has been waited for."""

    def __init__(
        self,
        points: Sequence[CapturePoint],
        view: View | None,
        output: CaptureFormat,
        *,
        correlator: Correlator,
        names: Mapping[str, str],
        show: str = "",
        count: int | None = None,
        detail: bool = False,
        only: int | None = None,
    ) -> None:
        """``detail``: each row in full; ``only``: the row of that number alone."""
        from dnet_tui.tui.reports.capture.missing_points import MissingPoints  # noqa: PLC0415  it brings in the walk

        self._detail = detail or only is not None
        self._only = only
        self._show = show
        self._labels = [point.label for point in points]
        self._names = names
        self._test = display_filter(show, self._labels, names)
        self._filtered = bool(show.strip())
        self._count = count
        self._correlator = correlator
        self._missing = MissingPoints(points, view)
        self._json = output == "json"
        self._width = stdout_paper().width
        self._table = PacketTable(self._labels, names, WAIT_MS, self._width)
        self._headed = self._json
        self.rows = 0
        """Rows there were, shown or not."""
        self.shown = 0

    @property
    def full(self) -> bool:
        """Whether as many rows as were asked for have been shown."""
        return self._count is not None and self.shown >= self._count

    def widen(self, points: Sequence[CapturePoint]) -> None:
        """There are more points from now on."""
        self._labels = [point.label for point in points]
        self._test = display_filter(self._show, self._labels, self._names)
        self._correlator.widen(len(points))
        self._missing.widen(points)
        self._table = PacketTable(self._labels, self._names, WAIT_MS, self._width)
        self._headed = self._json

    def look_at_drops(self, dropped: Sequence[int], now_ns: int) -> None:
        """The counters of what the kernel dropped at the points, before :meth:`take`: nothing is missed there then."""
        self._missing.drops.look(dropped, now_ns)

    def take(self, packets: Sequence[CapturedPacket], until_ns: int) -> None:
        """Join packets, and print the rows that are finished: everything up to ``until_ns`` has been given."""
        for rows in self._correlator.follow(packets, until_ns):
            self._print(rows)

    def end(self) -> None:
        """Print what is left."""
        self._print(self._correlator.finished(0, everything=True))

    def summary(self) -> Iterator[str]:
        """The flows, and what was not done for all packets."""
        yield from flow_lines(self._correlator.flows.flows(), self._names)
        if self._correlator.hurried:
            yield (
                f"{self._correlator.hurried} packets were not followed further, for want of memory: "
                "there were too many at once"
            )
        if self._missing.unsure:
            yield (
                f"{self._missing.unsure} packets were not seen at a point where the kernel dropped packets just then: "
                "whether they came there is not known"
            )
        if self._missing.unasked:
            yield f"of {self._missing.unasked} packets it was not looked up where they should go: there were too many"

    def _print(self, rows: Sequence[PacketRow]) -> None:
        if not self._headed:
            sys.stdout.write(self._table.header())
            self._headed = True
            sys.stdout.flush()
        if rows:
            sys.stdout.writelines(self._lines(rows))
            sys.stdout.flush()

    def _lines(self, rows: Sequence[PacketRow]) -> Iterator[str]:
        for row in rows:
            missing = self._missing.of(row)
            if missing and row.flow is not None:
                lost = row.flow.lost
                for item in missing[:1]:
                    where = f"not at {self._labels[item.point]}" if item.point is not None else "no further"
                    why = f"{where}, {item.reason}" if item.reason else where
                    if why in lost or len(lost) < _MOST_REASONS:
                        lost[why] = lost.get(why, 0) + 1
            self.rows += 1
            if self.full or (self._filtered and not self._test(row, missing)):
                continue
            if self._only is not None and row.number != self._only:
                continue
            self.shown += 1
            if self._json:
                data = packet_data(row, self._labels, self._names, missing, WAIT_MS)
                yield to_json_line(detail_data(data, row.packet) if self._detail else data)
                continue
            yield self._table.line(row, missing)
            if self._detail:
                yield "\n".join(detail_lines(row.packet, self._width)) + "\n"


CaptureOutput = LineOutput | CorrelatedOutput


def names_of(view: View | None) -> dict[str, str]:
    """Names by address; none without a view."""
    return address_names(view) if view is not None else {}
