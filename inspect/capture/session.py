"""A capture at several points at once, on one clock.

There is no thread and no queue here: :meth:`Capture.poll` reads the kernel's
rings in the caller's thread and returns raw packets in the order of their
time.  The rings are the bounded buffers; whatever does not fit is counted by
the kernel.  Packets of several points are held for the longest time that
the kernel may sit on a block (:attr:`RingBlocks.surely`), so that no point's packets come after
later ones of another.  That order, the point's index and the whole bytes are
what a reader needs to recognise one packet at several points.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from types import TracebackType
from typing import Self, TypeVar, cast

from dnet_tui.inspect.capture import bpf
from dnet_tui.inspect.capture.capture_span import GRACE_NS, CaptureSpan
from dnet_tui.inspect.capture.enter_namespace import is_in_use
from dnet_tui.inspect.capture.merge import Merger
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.ring_blocks import BlockMaker, PacketBlocks
from dnet_tui.inspect.capture.tap import CaptureOptions, PointStatistics, Tap, open_tap
from dnet_tui.inspect.capture.written_packet import WrittenPacket
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model.view import View

T = TypeVar("T")

_POINT = attrgetter("point")
_GRACE = GRACE_NS / 1e9
_ENOUGH = 64 << 10  # bytes of blocks that are written at once, as long as they are in the processor's cache
_CALM = 0.1  # seconds for which nothing but full blocks is looked at, unless something happens
_AnyPacket = CapturedPacket | WrittenPacket
_PRESENCE = 1.0  # seconds between looks at whether anybody but us still holds a namespace


class Capture:
    """A running capture; a context manager.  Only :meth:`stop` may be called from another thread."""

    def __init__(self, view: View, points: Sequence[CapturePoint], options: CaptureOptions | None = None) -> None:
        self.points = tuple(points)
        self.options = options or CaptureOptions()
        self.notes: list[str] = []
        """What happened to the points, for people: grows while the capture runs."""
        self.finished = False
        self._view = view
        self._taps: list[Tap] = []
        self._several = len(self.points) > 1
        self._hold = self.options.blocks.surely
        self._merger: Merger[_AnyPacket] = Merger(self._hold if self._several else 0.0)
        self._span = CaptureSpan(len(self.points))
        self.began_ns = 0
        """When counting began, at every point at once (nanoseconds since 1970); 0 where there is one point."""
        self._maker: BlockMaker | None = None
        self._makers: dict[int, BlockMaker] | None = None
        self._calm_until = 0.0
        self._delivered = 0
        self._quiet_at: float | None = None
        self._draining_until: float | None = None
        self._opened_at = 0.0
        self._read_at = 0.0
        self._presence_at = 0.0
        self._waker = -1
        self._waking = threading.RLock()  # a signal handler may come in while its own thread holds it
        self._poll = select.poll()

    # -- life ---------------------------------------------------------------

    def open(self) -> None:
        """Open every point, or none.

        Raises:
            UsageError: the filter is wrong, or there is no point.
            DnetError: a point could not be opened; the message names it.
        """
        if not self.points:
            raise UsageError("There is no point to capture at.", "Name an interface or a container.")
        bpf.check_filter(self.options.filter)
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._waker, select.POLLIN)
        try:
            for index, point in enumerate(self.points):
                namespace = self._view.namespaces.get(point.namespace)
                if namespace is None:
                    raise CannotInspectError(f"Can't capture at {point.label}: its namespace was not seen.")  # noqa: TRY301
                self._taps.append(open_tap(index, point, namespace, self.options))
                self._poll.register(self._taps[-1].ring, select.POLLIN)
        except BaseException:
            self.close()
            raise
        if self._several:
            time.sleep(_GRACE)  # for what is on its way now
            self.began_ns = time.time_ns()
            self._span.begin(self.began_ns)
        self._opened_at = time.monotonic()
        self._presence_at = self._opened_at + _PRESENCE

    def stop(self) -> None:
        """Ask the capture to end: what has arrived is still delivered.  From any thread or signal handler."""
        with self._waking:
            if self._waker >= 0:
                os.eventfd_write(self._waker, 1)

    def close(self) -> None:
        """Free everything at once; undelivered packets are lost.  The statistics stay."""
        self.finished = True
        for tap in self._taps:
            tap.close()
        with self._waking:
            if self._waker >= 0:
                os.close(self._waker)
                self._waker = -1

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- reading ------------------------------------------------------------

    def poll(self, timeout: float) -> list[CapturedPacket]:
        """Packets in the order of their time: as soon as there are any, or none after ``timeout`` seconds.

        When the capture has ended and all is delivered, ``finished`` is true
        and every further call returns nothing at once.
        """
        return cast("list[CapturedPacket]", self._polled(timeout, self._release, list[_AnyPacket]()))

    def poll_written(self, timeout: float) -> list[WrittenPacket]:
        """As :meth:`poll`, for packets that are written and not looked at."""
        if self._makers is None:
            self._makers = {tap.index: tap.ring.block_maker(tap.index) for tap in self._taps}
        return cast("list[WrittenPacket]", self._polled(timeout, self._release, list[_AnyPacket]()))

    def seen_until_ns(self) -> int:
        """Every packet up to this moment (nanoseconds since 1970) has been returned by :meth:`poll`."""
        return time.time_ns() - int((time.monotonic() - self._read_at + self._hold) * 1e9)

    def poll_blocks(self, timeout: float) -> PacketBlocks | None:
        """As :meth:`poll`, for the only point of a capture whose packets are written and not looked at.

        They come as blocks of a pcapng file, which hold until the next call.  ``count`` is not looked at.
        """
        tap = self._taps[0]
        if self._maker is None:
            self._maker = tap.ring.block_maker()
        # While nothing is due, a full block costs what is here and no more: this decides how fast a flood is written.
        while (now := time.monotonic()) < self._calm_until:
            tap.ring.read_blocks(self._maker, _ENOUGH)
            if self._maker.size:
                return self._taken(self._maker)
            events = self._poll.poll(min(timeout, self._calm_until - now) * 1000)
            if events and events != [(tap.ring.fileno(), select.POLLIN)]:
                self._attend(events)
                break
        found = self._polled(timeout, self._release_blocks, None)
        calm = self._draining_until is None and tap.state == "open" and not tap.closed
        self._calm_until = min(time.monotonic() + _CALM, self._next_event()) if calm else 0.0
        return found

    def _polled(self, timeout: float, release: Callable[[float], T], nothing: T) -> T:
        """What ``release`` gives at a time, as soon as it gives any; ``nothing`` after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self.finished:
            now = time.monotonic()
            self._keep_time(now)
            found = release(now)
            if found or now >= deadline:
                return found
            self._wait_and_read(min(deadline, self._next_event()) - now)
        return nothing

    def _release_blocks(self, now: float) -> PacketBlocks | None:
        over = not self._live()
        if self._draining_until is not None and now >= self._draining_until:
            self._read(self._live(), now)
            over = True
        if over and not self.finished:
            self._finish()
        return self._taken(self._maker) if self._maker is not None else None

    def _taken(self, maker: BlockMaker) -> PacketBlocks | None:
        """What there is of blocks, counted."""
        blocks = maker.take()
        if blocks is not None:
            self._delivered += blocks.packets
            self._taps[0].received += blocks.packets
        return blocks

    def statistics(self) -> tuple[PointStatistics, ...]:
        """The counters of every point as of now, in the points' order."""
        for tap in self._taps:
            if not tap.closed:
                tap.ring.count_drops()
        return tuple(
            PointStatistics(label=tap.point.label, received=tap.received, dropped=tap.ring.dropped, state=tap.state)
            for tap in self._taps
        )

    def linktype(self, point: int) -> int:
        """The link type of a point's frames, for a file's interface description."""
        return self._taps[point].ring.linktype

    def _wait_and_read(self, seconds: float) -> None:
        self._attend(self._poll.poll(max(0.0, seconds) * 1000))
        self._read_at = time.monotonic()
        self._read(self._live(), self._read_at)

    def _attend(self, events: Iterable[tuple[int, int]]) -> None:
        """Do what events demand, but for reading."""
        by_fd = {tap.ring.fileno(): tap for tap in self._live()}
        for fd, event in events:
            if fd == self._waker:
                os.eventfd_read(fd)
                self._drain()
            elif event & (select.POLLERR | select.POLLHUP):
                self._look_after(by_fd[fd])

    def _read(self, taps: Iterable[Tap], now: float) -> None:
        for tap in taps:
            if self._maker is not None:
                tap.ring.read_blocks(self._maker, sys.maxsize)
                tap.state = "open" if self._maker.size and tap.state == "down" else tap.state
                continue
            packets = (
                tap.ring.read(tap.index)
                if self._makers is None
                else tap.ring.read_written(self._makers[tap.index], tap.index)
            )
            if packets and tap.state == "down":
                tap.state = "open"
            self._merger.add(now, packets)

    def _release(self, now: float) -> list[_AnyPacket]:
        """Take what is due, and note the end when there is nothing more to come."""
        over = not self._live()
        if self._draining_until is not None and now >= self._draining_until:
            self._read(self._live(), now)
            over = True
        # What was handed over since the last look at the rings may be older than what is held.
        packets = self._span.inside(self._merger.take(self._read_at, everything=over))
        if self.options.count is not None and self._delivered + len(packets) >= self.options.count:
            packets = packets[: self.options.count - self._delivered]
            over = True
        self._delivered += len(packets)
        for index, number in Counter(map(_POINT, packets)).items():
            self._taps[index].received += number
        if over:
            self._finish()
        return packets

    # -- time and trouble ---------------------------------------------------

    def _live(self) -> list[Tap]:
        return [tap for tap in self._taps if not tap.closed]

    def _next_event(self) -> float:
        moments = [tap.close_at for tap in self._live() if tap.close_at is not None]
        if self._quiet_at is not None:
            moments.append(self._quiet_at)
        elif self._draining_until is not None:
            moments.append(self._draining_until)
        elif self.options.duration is not None:
            moments.append(self._opened_at + self.options.duration)
        if (due := self._merger.next_due()) is not None:
            moments.append(due)
        if any(not tap.home or tap.state == "down" for tap in self._live()):
            moments.append(self._presence_at)
        return min(moments, default=float("inf"))

    def _keep_time(self, now: float) -> None:
        """Do what is due: the end of the duration, the look for vanished namespaces, the end of vanished points."""
        duration = self.options.duration
        if duration is not None and now >= self._opened_at + duration:
            self._drain()
        if self._quiet_at is not None and now >= self._quiet_at:
            self._quieten()
        if now >= self._presence_at:
            self._presence_at = now + _PRESENCE
            for tap in self._live():
                if tap.state == "down" and tap.ring.is_up():
                    tap.state = "open"
                # Our socket keeps a namespace (and its veths) alive after its container ended: let go of it.
                if not tap.home and tap.close_at is None and not is_in_use(tap.namespace):
                    self._lose(tap, "its namespace has ended")
        for tap in self._live():
            if tap.close_at is not None and now >= tap.close_at:
                self._read((tap,), now)
                self._poll.unregister(tap.ring)
                tap.close()

    def _look_after(self, tap: Tap) -> None:
        """A ring reported an error: its interface is down, or gone."""
        if tap.ring.is_gone():
            self._lose(tap, "the interface is gone")
        elif tap.state == "open":
            tap.state = "down"
            self.notes.append(f"{tap.point.label}: the interface is down; the capture goes on when it comes up.")

    def _lose(self, tap: Tap, why: str) -> None:
        if tap.close_at is None:
            tap.state = "gone"
            tap.close_at = time.monotonic() + self._hold  # until its last block is handed over
            self.notes.append(f"{tap.point.label}: {why}.")

    def _drain(self) -> None:
        """End the span: let in only what is on its way already, and wait for the kernel to hand it over."""
        if self._draining_until is not None:
            return
        now = time.monotonic()
        self._draining_until = now + self._hold
        if not self._several:
            self._quieten()
            return
        self._span.end(time.time_ns())
        self._quiet_at = now + _GRACE
        self._draining_until += _GRACE

    def _quieten(self) -> None:
        self._quiet_at = None
        for tap in self._live():
            tap.ring.quiesce()

    def _finish(self) -> None:
        self.finished = True
        for tap in self._live():
            self._poll.unregister(tap.ring)
            tap.close()
