"""Write captures as pcapng: one file, several points, true nanoseconds, names, who dropped what.

Format: draft-ietf-opsawg-pcapng.  One section; one interface description per
point with the interface's name and what is behind it; a name resolution
block; enhanced packet blocks with the direction; interface statistics at the
end.  ``tcpdump -r`` and
Wireshark open it.

Blocks are written whole: when the disk is full, the file is cut back to the
last whole block, so that what was captured stays readable.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dnet_tui.inspect.capture.files.file_errors import cannot_write
from dnet_tui.inspect.capture.files.pcapng_blocks import (
    PACKET,
    FileInterface,
    FileStatistics,
    interface_description,
    name_resolution,
    packet_block,
    section_header,
    statistics_block,
)
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.text.sanitize import clean

_BUFFER = 256 << 10


class PcapngWriter:
    """A file being written.  ``path`` ``-`` is standard output.  A new file is readable by its owner only."""

    def __init__(
        self,
        path: str,
        interfaces: Sequence[FileInterface],
        *,
        application: str = "dnet-tui",
        comment: str = "",
        names: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> None:
        """Open the file and write what comes before the packets; ``names`` are those of addresses.

        An existing file is replaced only with ``force``.

        Raises:
            DnetError: it can't be opened or written, or is there already.
        """
        self.path = path
        self.packets = 0
        """Packets in the file, counting those still in the buffer."""
        self._count = len(interfaces)
        self._first = 0
        self._last = 0
        self._fd = opened_file(path, force=force)
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode) and path != "-"
        self._good = 0  # size of the file up to its last whole block
        self._buffer: list[bytes] = [
            section_header(application, comment),
            *map(interface_description, interfaces),
        ]
        if names and (block := name_resolution(names)):
            self._buffer.append(block)
        self._buffered = 0
        try:
            self.flush()
        except DnetError:
            os.close(self._fd)
            self._fd = -1
            raise

    def write(self, packets: Iterable[CapturedPacket]) -> None:
        """Append packets; ``packet.point`` is the index of its interface.

        Raises:
            DnetError: the disk is full or failing; the file ends with its last whole packet.
        """
        for packet in packets:
            block = packet_block(packet)
            self._buffer.append(block)
            self._buffered += len(block)
            self.packets += 1
            self._first = min(self._first or packet.time_ns, packet.time_ns)
            self._last = max(self._last, packet.time_ns)
            if self._buffered >= _BUFFER:
                self.flush()

    def write_blocks(self, data: bytes | memoryview, count: int, first_ns: int, last_ns: int) -> None:
        """Append ``count`` packet blocks that are made already, of packets between two times.

        Raises:
            DnetError: as in :meth:`write`.
        """
        if self._buffer:
            self.flush()
        self.packets += count
        self._first = min(self._first or first_ns, first_ns)
        self._last = max(self._last, last_ns)
        self._put(data)

    @property
    def size(self) -> int:
        """Bytes of the file, but for those still in the buffer."""
        return self._good

    def flush(self) -> None:
        """Hand everything to the kernel."""
        blocks, self._buffer, self._buffered = self._buffer, [], 0
        self._put(b"".join(blocks))

    def _put(self, data: bytes | memoryview) -> None:
        data = memoryview(data)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except BrokenPipeError:
            raise
        except OSError as error:
            self._cut_back(data, written)
            kept = "what was captured before is whole" if self._regular else "the output is incomplete"
            raise DnetError(
                f"Can't write {clean(self.path)}: {error.strerror}; {kept}.",
                "Free some space, write elsewhere, or capture less (--filter, --count).",
            ) from error
        self._good += len(data)

    def _cut_back(self, data: memoryview, written: int) -> None:
        whole, lost = _whole_blocks(data, written)
        self.packets -= lost
        self._good += whole
        if self._regular:
            os.ftruncate(self._fd, self._good)
            os.lseek(self._fd, self._good, os.SEEK_SET)  # or a later write would leave a hole

    def close(self, statistics: Sequence[FileStatistics] = ()) -> None:
        """Write the statistics of every interface and close; calling it again does nothing.

        Raises:
            DnetError: as in :meth:`write`.
        """
        if self._fd < 0:
            return
        try:
            for index, item in enumerate(statistics[: self._count]):
                self._buffer.append(statistics_block(index, item, self._first, self._last))
            self.flush()
        finally:
            os.close(self._fd)
            self._fd = -1


def _whole_blocks(data: memoryview, written: int) -> tuple[int, int]:
    """How many bytes of blocks are whole when only so many were written, and how many packets are not."""
    at = whole = lost = 0
    while at < len(data):
        kind, total = struct.unpack_from("=II", data, at)
        at += total
        if at <= written:
            whole = at
        else:
            lost += kind == PACKET
    return whole, lost


def opened_file(path: str, *, force: bool) -> int:
    """A file descriptor to write to (``-``: stdout's); a regular file is new, or was given up with ``force``.

    Raises:
        UsageError: it can't be opened, or is there already.
    """
    if path == "-":
        return os.dup(1)
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        special = not stat.S_ISREG(Path(path).stat().st_mode)  # a pipe or /dev/null
    except OSError:
        special = False
    try:
        descriptor = os.open(path, flags | (0 if special else os.O_TRUNC if force else os.O_EXCL), 0o600)
        if force and not special:
            os.fchmod(descriptor, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from error
    return descriptor
