"""One namespace whose drops are watched: its marking table, its trace events, its counters.

A container's own rules drop in the container's network namespace, where the
host's table and the host's trace events see nothing: each namespace has its
own.  Only the network namespace is entered; ``nft`` is the host's.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from dnet_tui.actions.drop_watch.drop_counters import moved, read_drop_counters
from dnet_tui.actions.drop_watch.watch_table import WatchTable
from dnet_tui.diagnostics.capture.dropped_packets import DroppedPacket, DroppedPackets
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, handle_of, run_in
from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.watch.nft_trace_watch import events, watching

_HERE = "/proc/thread-self/net"


class WatchedNamespace:
    """A context manager.  ``label`` is the container's name, empty for the host."""

    def __init__(self, namespace: Namespace, addresses: Sequence[str], *, label: str = "") -> None:
        self.label = label
        self._namespace = namespace
        self._addresses = addresses

    def __enter__(self) -> Self:
        """Add the table and listen.

        Raises:
            CannotInspectError: the namespace can't be entered, or the kernel's trace can't be had there.
        """
        where = f" in {self.label}" if self.label else ""
        try:
            run_in(handle_of(self._namespace), self._open)
        except NamespaceGoneError as error:
            raise CannotInspectError(f"Drops{where} can't be watched: its namespace is gone.") from error
        except OSError as error:
            msg = f"The kernel's trace can't be watched{where}: {error.strerror}."
            raise CannotInspectError(msg, "Run it as root.") from error
        return self

    def _open(self) -> None:
        self._socket = watching()
        try:
            self._table = WatchTable(self._addresses).__enter__()
        except BaseException:
            self._socket.close()
            raise
        self._before = read_drop_counters(_HERE)
        self._tracker = DroppedPackets(self._namespace, self._table.name)

    @property
    def socket(self) -> socket.socket:
        """Readable when there are events."""
        return self._socket

    @property
    def table(self) -> str:
        """The marking table's name."""
        return self._table.name

    def dropped(self) -> tuple[list[DroppedPacket], bool]:
        """The packets that were dropped since the last call, and whether some events were lost."""
        found, lost = events(self._socket)
        return [packet for event in found if (packet := self._tracker.take(event)) is not None], lost

    def counters(self) -> dict[str, int]:
        """By how much the namespace's counters of drops grew since the beginning; none once it is gone."""
        try:
            return moved(self._before, run_in(handle_of(self._namespace), lambda: read_drop_counters(_HERE)))
        except (NamespaceGoneError, OSError):
            return {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.__exit__(kind, error, trace)
        self._socket.close()
