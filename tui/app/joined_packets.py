"""The packets of a capture for two threads: one adds them, the other looks at them, chooses, pauses and clears."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from dnet_tui.inspect.capture.board.capture_board import BoardView, CaptureBoard
from dnet_tui.inspect.capture.packet import CapturedPacket

PACKETS_SAVED: Final = 50_000
"""The newest packets, of all points, that are kept to be saved."""

BYTES_SAVED: Final = 32 << 20


class JoinedPackets:
    """A board that two threads may use, and the packets themselves, to be saved."""

    def __init__(self, board: CaptureBoard) -> None:
        self._board = board
        self._lock = threading.Lock()
        self._packets: deque[CapturedPacket] = deque()
        self._bytes = 0

    def take(self, packets: Sequence[CapturedPacket], until_ns: int) -> None:
        """Add packets, every one up to ``until_ns`` having been given."""
        with self._lock:
            self._packets.extend(packets)
            self._bytes += sum(len(packet.data) for packet in packets)
            while len(self._packets) > PACKETS_SAVED or self._bytes > BYTES_SAVED:
                self._bytes -= len(self._packets.popleft().data)
            self._board.take(packets, until_ns)

    def end(self) -> None:
        """No more packets come."""
        with self._lock:
            self._board.end()

    def view(self) -> BoardView:
        """What there is to see; the same object as long as nothing changed."""
        with self._lock:
            return self._board.view()

    def choose(self, text: str) -> None:
        """See :meth:`CaptureBoard.choose`."""
        with self._lock:
            self._board.choose(text)

    def pause(self, wanted: bool) -> None:  # noqa: FBT001  a state, not a switch
        """Leave the rows as they are, or go on with what came meanwhile."""
        with self._lock:
            if wanted:
                self._board.pause()
            else:
                self._board.resume()

    def follow(self, wanted: bool) -> None:  # noqa: FBT001  a state, not a switch
        """See :meth:`CaptureBoard.follow`."""
        with self._lock:
            self._board.follow(wanted)

    def clear(self) -> None:
        """Forget the rows and the packets."""
        with self._lock:
            self._board.clear()
            self._packets.clear()
            self._bytes = 0

    def packets(self) -> tuple[CapturedPacket, ...]:
        """The packets that are kept, of all points, oldest first."""
        with self._lock:
            return tuple(self._packets)
