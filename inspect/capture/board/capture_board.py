"""What the panes of a capture show, from packets in the order of their time.  Pure: no clock, no I/O, no widgets.

Packets go in (:meth:`CaptureBoard.take`), a :class:`BoardView` comes out:
frozen data, the same object as long as nothing changed.  A packet is one row
whatever the points and whatever NAT made of it; :func:`pane` gives the rows
of one point, each with the packet as it was there.  The one selected packet's
fields and bytes are :mod:`dnet_tui.inspect.capture.dissect.packet_tree`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from dnet_tui.inspect.capture.board.display_filter import RowTest, display_filter
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.correlation.packet_identity import TCP
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow, Sighting
from dnet_tui.inspect.capture.correlation.row_text import end_text, relative, row_remarks
from dnet_tui.inspect.capture.decode import PacketSummary, summarise
from dnet_tui.inspect.capture.packet import OUTGOING, CaptureDirection, CapturedPacket

ROWS_KEPT: Final = 2000
"""The newest rows, of which the display filter chooses."""

BYTES_KEPT: Final = 32 << 20
"""Bytes of their packets: offloaded frames have up to 64 KiB each."""


class MissedPoint(Protocol):
    """A point that a packet did not come to (None: nobody can say which), and what stopped it."""

    @property
    def point(self) -> int | None:
        """The point's index."""

    @property
    def reason(self) -> str:
        """In words; may be empty."""


class BoardSighting(msgspec.Struct, frozen=True, kw_only=True):
    """A packet as it was at one point: ``delay_ns`` after its first sighting, its ends there as text."""

    point: int
    time_ns: int
    delay_ns: int
    direction: CaptureDirection
    src: str
    dst: str
    length: int
    pieces: int


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One packet.

    ``number`` counts from the capture's beginning and stays; ``sightings`` are in the order of their time.
    ``missed`` has (point or None, reason).  ``answers`` is the number of the row that it answers (0: none known),
    ``round_trips`` (point, nanoseconds).  ``remarks`` are words such as ``retransmission``.  ``translated``: its ends
    are not the same at all points.  ``packet`` is what was captured at its first point.
    """

    number: int
    proto: str
    info: str
    sightings: tuple[BoardSighting, ...]
    missed: tuple[tuple[int | None, str], ...]
    answers: int
    round_trips: tuple[tuple[int, int], ...]
    remarks: tuple[str, ...]
    translated: bool
    packet: CapturedPacket


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to see: ``rows`` that the filter lets through, oldest first.

    ``total`` rows came since the beginning or the last clearing, ``kept`` of them are still here; ``waiting`` came
    since it was paused.  ``follow``: the newest row is to be shown.
    """

    points: tuple[str, ...]
    rows: tuple[BoardRow, ...] = ()
    total: int = 0
    kept: int = 0
    waiting: int = 0
    paused: bool = False
    follow: bool = True
    filter: str = ""


class _Kept:
    """A row with what was found of it, made fit for showing when it is first looked at."""

    __slots__ = ("made", "missed", "row")

    def __init__(self, row: PacketRow, missed: Sequence[MissedPoint]) -> None:
        self.row, self.missed = row, missed
        self.made: BoardRow | None = None


def _nothing_missed(_: PacketRow) -> Sequence[MissedPoint]:
    return ()


class CaptureBoard:
    """The rows of a capture at ``points``, which are labels; used by one thread.

    Args:
        points: the labels of the capture's points, in its order.
        names: names by address, for the display filter's ``host``.
        correlator: joins the packets; its number of points is that of the labels.
        missed: says of a finished row where it should have been seen; nothing by default.
        most: rows kept, as long as their packets have no more than ``most_bytes``.
    """

    def __init__(
        self,
        points: Sequence[str],
        correlator: Correlator,
        *,
        names: Mapping[str, str] | None = None,
        missed: Callable[[PacketRow], Sequence[MissedPoint]] = _nothing_missed,
        most: int = ROWS_KEPT,
        most_bytes: int = BYTES_KEPT,
    ) -> None:
        self._points = tuple(points)
        self._names = names or {}
        self._correlator = correlator
        self._missed = missed
        self._kept: deque[_Kept] = deque()
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._frozen: tuple[_Kept, ...] | None = None
        self._test: RowTest = display_filter("", self._points, self._names)
        self._changed = True
        self._view = BoardView(points=self._points)

    def take(self, packets: Sequence[CapturedPacket], until_ns: int) -> None:
        """Join packets; every packet up to ``until_ns`` has been given (see ``Capture.seen_until_ns``)."""
        for rows in self._correlator.follow(packets, until_ns):
            self._add(rows)

    def end(self) -> None:
        """No more packets come: nothing is waited for any longer."""
        self._add(self._correlator.finished(0, everything=True))

    def _add(self, rows: Sequence[PacketRow]) -> None:
        if not rows:
            return
        for row in rows:
            self._kept.append(_Kept(row, self._missed(row)))
            self._bytes += len(row.packet.data)
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().row.packet.data)
        waiting = self._view.waiting + len(rows) if self._view.paused else 0
        self._set(total=self._view.total + len(rows), waiting=waiting)

    def choose(self, text: str) -> None:
        """Show only what a display filter lets through; empty shows everything.  Also while paused.

        Raises:
            FilterError: the text is wrong, and where; the filter stays as it was.
        """
        self._test = display_filter(text, self._points, self._names)
        self._set(filter=text.strip())

    def pause(self) -> None:
        """Leave the rows as they are; packets are still taken."""
        if self._frozen is None:
            self._frozen = tuple(self._kept)
            self._set(paused=True, waiting=0)

    def resume(self) -> None:
        """Show what has come meanwhile."""
        self._frozen = None
        self._set(paused=False, waiting=0)

    def follow(self, wanted: bool) -> None:  # noqa: FBT001  a state, not a switch
        """Whether the newest row is to be shown, or the place stays where the person is."""
        self._set(follow=wanted)

    def clear(self) -> None:
        """Forget the rows; numbers go on."""
        self._kept.clear()
        self._bytes = 0
        if self._frozen is not None:
            self._frozen = ()
        self._set(total=0, waiting=0)

    def _set(self, **changes: object) -> None:
        self._view = msgspec.structs.replace(self._view, **changes)
        self._changed = True

    def view(self) -> BoardView:
        """What there is to see now."""
        if self._changed:
            rows = self._kept if self._frozen is None else self._frozen
            shown = tuple(self._made(item) for item in rows if self._test(item.row, item.missed))
            self._view = msgspec.structs.replace(self._view, rows=shown, kept=len(rows))
            self._changed = False
        return self._view

    def _made(self, item: _Kept) -> BoardRow:
        if item.made is None:
            item.made = _board_row(item.row, item.missed, self._points)
        return item.made


def _board_row(row: PacketRow, missed: Sequence[MissedPoint], points: Sequence[str]) -> BoardRow:
    shown = summarise(row.packet, points[row.packet.point])
    ends = row.identity.ends
    return BoardRow(
        number=row.number,
        proto=shown.proto,
        info=relative(shown.info, row) if ends is not None and ends.proto == TCP else shown.info,
        sightings=tuple(_board_sighting(item, row, shown) for item in row.sightings),
        missed=tuple((item.point, item.reason) for item in missed),
        answers=row.answer_to,
        round_trips=tuple(row.round_trips),
        remarks=tuple(row_remarks(row)),
        translated=len({item.ends for item in row.sightings}) > 1,
        packet=row.packet,
    )


def _board_sighting(item: Sighting, row: PacketRow, shown: PacketSummary) -> BoardSighting:
    ends = item.ends
    ports = shown.sport is not None or shown.dport is not None
    return BoardSighting(
        point=item.point,
        time_ns=item.time_ns,
        delay_ns=item.time_ns - row.packet.time_ns,
        direction="out" if item.reception == OUTGOING else "in",
        src=end_text(ends.src, ends.sport if ports else 0) if ends is not None else shown.src,
        dst=end_text(ends.dst, ends.dport if ports else 0) if ends is not None else shown.dst,
        length=item.length,
        pieces=item.pieces,
    )


def pane(view: BoardView, point: int) -> Iterator[tuple[BoardRow, BoardSighting]]:
    """The rows of one point, each with the packet as it was there: the same row's number joins the panes."""
    for row in view.rows:
        for sighting in row.sightings:
            if sighting.point == point:
                yield row, sighting
                break
