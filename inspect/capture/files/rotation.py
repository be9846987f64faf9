"""Captures that run for long: a new file when one is large or old enough, and only the last ones kept.

``web.pcapng`` becomes ``web-00001.pcapng``, ``web-00002.pcapng`` …  Every file
is whole by itself: it has the points, the names and its own counts.  Only
files that this run wrote are ever deleted.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.errors import UsageError

_LIMIT = re.compile(r"(\d+(?:\.\d+)?)(k|M|G|s|min|h)", re.ASCII)
_SIZES = {"k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_TIMES = {"s": 1, "min": 60, "h": 3600}


class RotationLimit(msgspec.Struct, frozen=True, kw_only=True):
    """When a file is full: its size in bytes, or its age in seconds (0: not by this)."""

    size: int = 0
    age: float = 0.0


def rotation_limit(text: str) -> RotationLimit:
    """``100M`` or ``10min``.

    Raises:
        UsageError: it is neither.
    """
    found = _LIMIT.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        msg = f"“{text}” is no limit for a file."
        raise UsageError(msg, "A size (500k, 100M, 2G) or a time (30s, 10min, 1h) is wanted.")
    number, unit = float(found[1]), found[2]
    if unit in _SIZES:
        return RotationLimit(size=int(number * _SIZES[unit]))
    return RotationLimit(age=number * _TIMES[unit])


def numbered(path: Path, number: int) -> Path:
    """The name of one of the files: ``web.pcapng`` and 1 make ``web-00001.pcapng``."""
    return path.with_name(f"{path.stem}-{number:05}{path.suffix}")


class RotatingWriter:
    """Writes as :class:`PcapngWriter` does, into one file after the other; keeps ``keep`` of them (0: all)."""

    def __init__(
        self,
        path: str,
        interfaces: Sequence[FileInterface],
        *,
        limit: RotationLimit,
        keep: int,
        counts: Callable[[], Sequence[FileStatistics]],
        comment: str = "",
        names: Mapping[str, str] | None = None,
        force: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pattern = Path(path)
        self._interfaces = interfaces
        self._limit = limit
        self._keep = keep
        self._counts = counts
        self._comment = comment
        self._names = names
        self._force = force
        self._clock = clock
        self._before: Sequence[FileStatistics] = ()
        self._written: deque[Path] = deque()
        self._made = 0
        self._packets = 0
        self._writer = self._next()

    @property
    def packets(self) -> int:
        """Packets written in all, also those in files that were deleted."""
        return self._packets + self._writer.packets

    @property
    def path(self) -> str:
        """What a person may look for: the files' names with the number left open."""
        return str(self._pattern.with_name(f"{self._pattern.stem}-*{self._pattern.suffix}"))

    def write(self, packets: Iterable[CapturedPacket]) -> None:
        """See :meth:`PcapngWriter.write`."""
        self._turn()
        self._writer.write(packets)

    def write_blocks(self, data: bytes | memoryview, count: int, first_ns: int, last_ns: int) -> None:
        """See :meth:`PcapngWriter.write_blocks`."""
        self._turn()
        self._writer.write_blocks(data, count, first_ns, last_ns)

    def flush(self) -> None:
        """See :meth:`PcapngWriter.flush`."""
        self._writer.flush()

    def close(self, statistics: Sequence[FileStatistics] = ()) -> None:
        """Close the last file; the counts it gets are those since it was begun."""
        self._writer.close(self._since(statistics))

    def _turn(self) -> None:
        limit = self._limit
        full = limit.size and self._writer.size >= limit.size
        old = limit.age and self._clock() - self._began >= limit.age
        if not full and not old:
            return
        counts = self._counts()
        self._writer.close(self._since(counts))
        self._before = counts
        self._packets += self._writer.packets
        self._writer = self._next()

    def _next(self) -> PcapngWriter:
        self._made += 1
        self._began = self._clock()
        path = numbered(self._pattern, self._made)
        writer = PcapngWriter(str(path), self._interfaces, comment=self._comment, names=self._names, force=self._force)
        self._written.append(path)
        while self._keep and len(self._written) > self._keep:
            with suppress(OSError):
                self._written.popleft().unlink()
        return writer

    def _since(self, counts: Sequence[FileStatistics]) -> list[FileStatistics]:
        before = self._before or [FileStatistics(received=0, dropped=0)] * len(counts)
        return [
            FileStatistics(received=now.received - then.received, dropped=now.dropped - then.dropped)
            for now, then in zip(counts, before, strict=True)
        ]
