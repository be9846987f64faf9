"""The unfinished rows of one key, oldest first.  Pure.

A flood of packets that are all alike gives thousands of rows one key: those
that a point has seen already are passed over once, not for every packet.
"""

from __future__ import annotations

from dnet_tui.inspect.capture.correlation.packet_row import PacketRow

_MOST = 32
"""Rows that one sighting is compared with."""


class AlikeRows:
    """Rows in the order in which they began, which is also the order in which they end."""

    __slots__ = ("_forgotten", "_skip", "rows")

    def __init__(self, row: PacketRow) -> None:
        self.rows = [row]
        self._forgotten = 0
        self._skip: dict[int, int] = {}  # by passage: how many rows, counted from the first ever, have it for sure

    def without(self, passage: int) -> list[PacketRow]:
        """The oldest rows that were not seen in this passage."""
        rows, forgotten = self.rows, self._forgotten
        if len(rows) == 1:
            return rows if passage not in rows[0].passages else []
        start = max(self._skip.get(passage, 0) - forgotten, 0)
        while start < len(rows) and passage in rows[start].passages:
            start += 1
        self._skip[passage] = start + forgotten
        return [row for row in rows[start : start + _MOST] if passage not in row.passages]

    def forget_oldest(self) -> bool:
        """Drop the oldest row; whether it was the last."""
        self.rows.pop(0)
        self._forgotten += 1
        return not self.rows
