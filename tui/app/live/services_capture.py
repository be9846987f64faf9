"""The capture's service on this host: packets at several points, joined, looked at and saved.

Everything heavy is imported when it is first used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnet_tui.inspect.capture.board.capture_board import ROWS_KEPT, CaptureBoard
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.joined_packets import JoinedPackets
from dnet_tui.tui.app.model.services import Batch
from dnet_tui.tui.app.present.capture.points import CONTAINER

if TYPE_CHECKING:
    from dnet_tui.inspect.capture.packet import CapturedPacket
    from dnet_tui.inspect.capture.points import CapturePoint
    from dnet_tui.inspect.capture.session import Capture
    from dnet_tui.inspect.capture.tap import PointStatistics

_RING = 4 << 20
"""Bytes of kernel memory for each point where there are several."""

_TICK = 0.03
"""Seconds of packets that are joined in one go: a key waits no longer than that takes."""


def open_capture(points: Sequence[str], expression: str, snapshot: Snapshot) -> LiveCapture:
    """Capture at points, which a container's name stands for as ``dnet-tui capture`` has it.

    Raises:
        DnetError: a point isn't there, the filter is wrong, or nothing may be captured.
    """
    from dnet_tui.inspect.capture.session import Capture  # noqa: PLC0415  only when something is captured
    from dnet_tui.inspect.capture.tap import CaptureOptions  # noqa: PLC0415  as above
    from dnet_tui.tui.reports.capture.address_names import address_names  # noqa: PLC0415  as above

    view = View(snapshot)
    found = resolved(view, points)
    options = CaptureOptions(filter=expression)
    if len(found) > 1:
        options = CaptureOptions(filter=expression, ring_bytes=_RING)
    capture = Capture(view, found, options)
    names = address_names(view)
    capture.open()
    return LiveCapture(capture, _board(view, found, names), names)


def check_filter(expression: str) -> None:
    """Raise where a pcap-filter(7) expression is wrong.

    Raises:
        DnetError: it is, or nothing here can compile it.
    """
    from dnet_tui.inspect.capture import bpf  # noqa: PLC0415  only when something is captured

    bpf.check_filter(expression)


def resolved(view: View, points: Sequence[str]) -> tuple[CapturePoint, ...]:
    """The points of several texts, each once: interfaces as they are called, a container by its links and its way out.

    Raises:
        DnetError: a text names no point.
    """
    from dnet_tui.diagnostics.capture.path_points import container_links  # noqa: PLC0415  only when asked for
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  as above
    from dnet_tui.inspect.capture.points import point_of, resolve  # noqa: PLC0415  as above

    refs: dict[LinkRef, None] = {}
    for text in points:
        container = view.containers.get(text.removeprefix(CONTAINER)) if text.startswith(CONTAINER) else None
        links = container_links(HostContext(view.snapshot), container) if container is not None else ()
        for ref in links:
            refs.setdefault(ref)
        if not links:
            point = resolve(view, container.name if container is not None else text)
            refs.setdefault(LinkRef(namespace=point.namespace, ifindex=point.ifindex))
    found = tuple(item for ref in refs if (item := point_of(view, ref)) is not None)
    if not found:
        raise UsageError("There is no interface to capture at.", "Choose a point with p.")
    return found


def _board(view: View, points: Sequence[CapturePoint], names: Mapping[str, str]) -> CaptureBoard:
    from dnet_tui.inspect.capture.connections import Connections  # noqa: PLC0415  only when something is captured
    from dnet_tui.inspect.capture.correlation.correlator import Correlator  # noqa: PLC0415  as above
    from dnet_tui.tui.reports.capture.missing_points import MissingPoints  # noqa: PLC0415  it brings in the walk

    labels = [point.label for point in points]
    if len(points) == 1:
        return CaptureBoard(labels, Correlator(1), names=names)
    correlator = Correlator(len(points), same_connection=Connections())
    return CaptureBoard(labels, correlator, names=names, missed=MissingPoints(points, view).of)


class LiveCapture(JoinedPackets):
    """A capture on this host; see :class:`~dnet_tui.tui.app.model.services.CaptureSource`."""

    def __init__(self, capture: Capture, board: CaptureBoard, names: Mapping[str, str]) -> None:
        super().__init__(board)
        self._capture = capture
        self._names = names
        self._counts: tuple[PointStatistics, ...] = ()

    def poll(self, timeout: float, give_way: Callable[[], float] = lambda: 0.0) -> Batch:
        """Join what comes in ``timeout`` seconds; of one point only as many of the newest as are shown."""
        deadline = time.monotonic() + timeout
        capture = self._capture
        newest: list[CapturedPacket] = []
        single = len(capture.points) == 1
        while not capture.finished and (left := deadline - time.monotonic()) > 0:
            if (rest := give_way()) > 0:
                time.sleep(rest)
            newest += capture.poll(left if single else min(left, _TICK))
            if single:
                newest = newest[-ROWS_KEPT:]
            else:
                self.take(newest, capture.seen_until_ns())
                newest = []
        if newest or single:
            self.take(newest, capture.seen_until_ns())
        if capture.finished:
            self.end()
        self._counts = counters = capture.statistics()
        return Batch(
            received=sum(item.received for item in counters),
            dropped=sum(item.dropped for item in counters),
            ended=(capture.notes or ["the capture ended"])[-1] if capture.finished else "",
        )

    def close(self) -> None:
        """End the capture; what it brought can still be looked at and saved."""
        self._capture.close()
        self.end()

    def save(self, name: str, folder: Path | None = None) -> str:
        """Write the packets that are kept, of all points, to a new pcapng file; return how many and its path.

        Raises:
            DnetError: there is one of that name, or it can't be written.
        """
        from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics  # noqa: PLC0415  only to save
        from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter  # noqa: PLC0415  as above

        capture, packets = self._capture, self.packets()
        path = (folder or Path.cwd()) / name
        interfaces = [
            FileInterface(
                name=point.label,
                description=point.description,
                linktype=capture.linktype(index),
                snaplen=capture.options.snaplen,
                filter=capture.options.filter,
            )
            for index, point in enumerate(capture.points)
        ]
        comment = f"dnet-tui at {', '.join(point.label for point in capture.points)}"
        writer = PcapngWriter(str(path), interfaces, comment=comment, names=self._names)
        try:
            writer.write(packets)
        finally:
            counts = [FileStatistics(received=item.received, dropped=item.dropped) for item in self._counts]
            writer.close(counts)
        return f"{writer.packets} packets are in {path}"
