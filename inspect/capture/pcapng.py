"""Write captures as pcapng: one file, several points, true nanoseconds, who dropped what.

Format: draft-ietf-opsawg-pcapng.  One section; one interface description per
point with the interface's name and what is behind it; enhanced packet blocks
with the direction; interface statistics at the end.  ``tcpdump -r`` and
Wireshark open it.

Blocks are written whole: when the disk is full, the file is cut back to the
last whole block, so that what was captured stays readable.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Sequence

import msgspec

from dnet_tui.inspect.capture.packet import OUTGOING, CapturedPacket
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.text.sanitize import clean

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER = 0x1A2B3C4D
_NANOSECONDS = b"\x09"  # if_tsresol: 10^-9
_BUFFER = 256 << 10
_EPB = struct.Struct("=IIIIIII")  # type, total length, interface, time high, time low, captured, original
_EPB_END = struct.Struct("=HHIHHI")  # option epb_flags, its length, its value, end of options, total length
_RECEPTION = {0: 0b001, 1: 0b011, 2: 0b010, 3: 0b100}  # unicast, broadcast, multicast, promiscuous


class FileInterface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of the file: ``name`` as in the kernel's namespace, ``description`` what is behind it."""

    name: str
    description: str
    linktype: int
    snaplen: int
    filter: str = ""


class FileStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of an interface at its end: packets written, and those the kernel dropped."""

    received: int
    dropped: int


class PcapngWriter:
    """A file being written.  ``path`` ``-`` is standard output.  A new file is readable by its owner only."""

    def __init__(self, path: str, interfaces: Sequence[FileInterface], *, application: str = "dnet-tui") -> None:
        """Open the file and write what comes before the packets; an existing file is replaced.

        Raises:
            DnetError: it can't be opened or written.
        """
        self.path = path
        self.packets = 0
        """Packets in the file, counting those still in the buffer."""
        self._count = len(interfaces)
        self._first = 0
        self._last = 0
        try:
            self._fd = os.dup(1) if path == "-" else os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise DnetError(f"Can't write {clean(path)}: {error.strerror}.") from error
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode) and path != "-"
        self._good = 0  # size of the file up to its last whole block
        self._buffer: list[bytes] = [section_header(application), *map(interface_description, interfaces)]
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

    def flush(self) -> None:
        """Hand everything to the kernel."""
        blocks, self._buffer, self._buffered = self._buffer, [], 0
        data = memoryview(b"".join(blocks))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except BrokenPipeError:
            raise
        except OSError as error:
            self._cut_back(blocks, written)
            kept = "what was captured before is whole" if self._regular else "the output is incomplete"
            raise DnetError(
                f"Can't write {clean(self.path)}: {error.strerror}; {kept}.",
                "Free some space, write elsewhere, or capture less (--filter, --count).",
            ) from error
        self._good += len(data)

    def _cut_back(self, blocks: list[bytes], written: int) -> None:
        whole = lost = 0
        for block in blocks:
            if whole + len(block) > written:
                lost += struct.unpack_from("=I", block)[0] == _PACKET
                written = 0
            else:
                whole += len(block)
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


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


def section_header(application: str) -> bytes:
    """The section header block: byte order, version 1.0, length unknown, and the writing program."""
    options = _option(4, application.encode()) + _END
    return _block(_SECTION, struct.pack("=IHHq", _BYTE_ORDER, 1, 0, -1) + options)


def interface_description(interface: FileInterface) -> bytes:
    """The description of one interface, with nanosecond time stamps."""
    options = [_option(2, clean(interface.name).encode())]
    if interface.description:
        options.append(_option(3, clean(interface.description).encode()))
    options.append(_option(9, _NANOSECONDS))
    if interface.filter:
        options.append(_option(11, b"\0" + interface.filter.encode("utf-8", "replace")))  # 0: a pcap-filter text
    body = struct.pack("=HHI", interface.linktype, 0, interface.snaplen)
    return _block(_INTERFACE, body + b"".join(options) + _END)


def packet_block(packet: CapturedPacket) -> bytes:
    """An enhanced packet block, with direction and manner of reception."""
    size = len(packet.data)
    padding = -size % 4
    total = _EPB.size + size + padding + _EPB_END.size
    direction = 2 if packet.reception == OUTGOING else 1
    flags = direction | _RECEPTION.get(packet.reception, 0) << 2
    header = _EPB.pack(
        _PACKET, total, packet.point, packet.time_ns >> 32, packet.time_ns & 0xFFFFFFFF, size, max(packet.length, size)
    )
    return b"".join((header, packet.data, b"\0" * padding, _EPB_END.pack(2, 4, flags, 0, 0, total)))


def statistics_block(index: int, statistics: FileStatistics, first_ns: int, last_ns: int) -> bytes:
    """The counters of one interface.

    ``isb_ifdrop`` holds the kernel's drops, as dumpcap writes it and readers show it, though the
    draft would rather have them in ``isb_osdrop``.
    """
    options = b"".join(
        (
            _option(2, _time(first_ns)),
            _option(3, _time(last_ns)),
            _option(4, struct.pack("=Q", statistics.received + statistics.dropped)),
            _option(5, struct.pack("=Q", statistics.dropped)),
        )
    )
    return _block(_STATISTICS, struct.pack("=I", index) + _time(last_ns) + options + _END)


_END = struct.pack("=HH", 0, 0)


def _time(nanoseconds: int) -> bytes:
    return struct.pack("=II", nanoseconds >> 32, nanoseconds & 0xFFFFFFFF)


def _option(code: int, value: bytes) -> bytes:
    value = value[:65_000]  # its length has 16 bits
    return struct.pack("=HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("=II", kind, total) + body + struct.pack("=I", total)
