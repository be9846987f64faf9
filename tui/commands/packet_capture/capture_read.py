"""``dnet-tui capture --read``: files in the same views as what is captured now."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path

import msgspec

from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.files.capture_reader import CaptureReader, FilePoint
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.points import CapturePoint, resolve
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.commands.packet_capture.capture_output import (
    CaptureFormat,
    CaptureOutput,
    CorrelatedOutput,
    LineOutput,
    names_of,
    say,
)
from dnet_tui.tui.commands.snapshot_source import snapshot_from

_TIME = attrgetter("time_ns")
_SPREAD_NS = 500_000_000
"""A capture's points may be written one behind the other by so much."""

_HELD = 20_000
_BATCH = 256


class FileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How files are shown."""

    output: CaptureFormat
    show: str = ""
    count: int | None = None
    detail: bool = False
    packet: int | None = None


def read_files(paths: list[str], options: FileOptions, snapshot: Path | None = None) -> None:
    """Print what is in the files; several are read as the points of one capture.

    Raises:
        DnetError: one can't be read, or is no capture.
    """
    view = View(snapshot_from(snapshot)) if snapshot is not None else None
    found: list[FilePoint] = []
    readers: list[CaptureReader] = []
    try:
        readers += [CaptureReader(path, found) for path in paths]
        stream = heapq.merge(*(in_order(reader.packets()) for reader in readers), key=_TIME)
        shown = FileView(found, readers, view, options)
        batch: list[CapturedPacket] = []
        for packet in stream:
            batch.append(packet)
            if len(batch) == _BATCH or shown.wider:
                shown.take(batch)
                batch = []
                if shown.done:
                    break
        shown.take(batch)
        shown.end()
        shown.check_found()
    finally:
        for reader in readers:
            reader.close()
    for reader in readers:
        for note in reader.notes:
            say(note)


def in_order(packets: Iterable[CapturedPacket]) -> Iterator[CapturedPacket]:
    """A file's packets in the order of their time, as far as they are not further out of order than half a second."""
    held: list[tuple[int, int, CapturedPacket]] = []
    latest = 0
    for number, packet in enumerate(packets):
        heapq.heappush(held, (packet.time_ns, number, packet))
        latest = max(latest, packet.time_ns)
        while held and (len(held) > _HELD or latest - held[0][0] > _SPREAD_NS):
            yield heapq.heappop(held)[2]
    while held:
        yield heapq.heappop(held)[2]


class FileView:
    """The output of files whose points are met while they are read."""

    def __init__(
        self, found: list[FilePoint], readers: list[CaptureReader], view: View | None, options: FileOptions
    ) -> None:
        self._found, self._readers, self._view, self._options = found, readers, view, options
        self._known = 0
        self._printing: CaptureOutput | None = None
        self._last = 0

    @property
    def done(self) -> bool:
        """Whether as many packets as were asked for have been shown."""
        count = 1 if self._options.packet is not None else self._options.count
        return count is not None and self._printing is not None and self._printing.shown >= count

    @property
    def wider(self) -> bool:
        """Whether points were met that the output doesn't know."""
        return len(self._found) > self._known

    def take(self, batch: list[CapturedPacket]) -> None:
        """Print packets in the order of their time."""
        printing = self._output()
        if isinstance(printing, LineOutput) and self._options.count is not None:
            batch = batch[: self._options.count - printing.shown]
        self._last = batch[-1].time_ns if batch else self._last
        printing.take(batch, self._last)

    def end(self) -> None:
        """Print what is left, and the summary."""
        printing = self._output()
        printing.end()
        for line in printing.summary() if self._options.packet is None else ():
            say(line)

    def check_found(self) -> None:
        """Raise :class:`UsageError` where the packet that was asked for isn't there."""
        printing, number = self._printing, self._options.packet
        if number is not None and isinstance(printing, CorrelatedOutput) and not printing.shown:
            msg = f"There is no packet #{number}: there are {printing.rows}."
            raise UsageError(msg, "Rows end with their number; of one point, the first line is packet #1.")

    def _output(self) -> CaptureOutput:
        if self._printing is not None and not self.wider:
            return self._printing
        options = self._options
        points = [_point(self._view, index, item) for index, item in enumerate(self._found)]
        self._known = len(points)
        if isinstance(self._printing, CorrelatedOutput):
            self._printing.widen(points)
            return self._printing
        names = names_of(self._view) or {key: value for reader in self._readers for key, value in reader.names.items()}
        if len(points) == 1 and not options.show and options.packet is None and not (options.detail and _json(options)):
            self._printing = LineOutput([points[0].label], names, options.output, detail=options.detail)
        else:
            correlator = Correlator(len(points))
            self._printing = CorrelatedOutput(
                points,
                self._view,
                options.output,
                correlator=correlator,
                names=names,
                show=options.show if options.packet is None else "",
                count=options.count if options.packet is None else 1,
                detail=options.detail,
                only=options.packet,
            )
        return self._printing


def _json(options: FileOptions) -> bool:
    return options.output == "json"


def _point(view: View | None, index: int, item: FilePoint) -> CapturePoint:
    """A file's point; with a snapshot, the link of that name, so that walks can be asked."""
    if view is not None:
        try:
            return resolve(view, item.label)
        except DnetError:
            pass
    return CapturePoint(namespace="", ifindex=-index, interface=item.label, label=item.label)
