"""How many rows are held, and how many bytes they take.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnet_tui.inspect.capture.correlation.packet_row import PacketRow

ROW_BYTES: Final = 2200
"""What a row takes besides its packet's bytes, with its indexes and three sightings (measured)."""


class RowBudget:
    """``most`` rows may be held, and ``most_bytes`` by all of them."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self.rows = 0
        self.bytes = 0

    def add(self, row: PacketRow) -> None:
        """A row is held from now on."""
        self.rows += 1
        self.bytes += ROW_BYTES + len(row.packet.data)

    def remove(self, row: PacketRow) -> None:
        """A row is let go."""
        self.rows -= 1
        self.bytes -= ROW_BYTES + len(row.packet.data)

    @property
    def is_exceeded(self) -> bool:
        """Whether the oldest must go; the only one may stay."""
        return self.rows > self._most or (self.bytes > self._most_bytes and self.rows > 1)
