"""Reads pcap and pcapng files as the packets of a capture: plain or compressed, from a file or a pipe.

A file is read once from its beginning to its end and never as a whole.  Its
numbers may lie: every length is bounded before it is believed, and what ends
too early ends the reading with a note, after all that came before it.

Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; link types as in
LINKTYPE_* of tcpdump.org, brought to Ethernet or raw IP.
"""

from __future__ import annotations

import gzip
import importlib
import struct
import sys
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

import msgspec

from dnet_tui.inspect.capture.files.file_errors import cannot_read
from dnet_tui.inspect.capture.files.pcapng_blocks import reception_of
from dnet_tui.inspect.capture.packet import ETHERNET, OUTGOING, RAW_IP, CapturedPacket
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.text.sanitize import clean

MOST_BYTES = 16 << 20
"""No block and no packet is larger."""

MOST_POINTS = 4096
_ZSTD_MODULES = ("compression.zstd", "zstandard", "pyzstd")
_NANOSECONDS = 1_000_000_000
_LATEST = 253_000_000_000 * _NANOSECONDS  # in the year 9987: a calendar ends soon after
_RAW = frozenset({12, 14, 101, 228, 229})
_NULL, _SLL, _SLL2 = 0, 113, 276
_KNOWN = _RAW | {ETHERNET, _NULL, _SLL, _SLL2}


class FilePoint(msgspec.Struct, frozen=True):
    """An interface of a file: what it is called there, and what is said of it."""

    label: str
    description: str = ""


class _Interface(msgspec.Struct, frozen=True):
    point: int
    linktype: int
    units: int  # per second
    offset: int  # seconds


class CaptureReader:
    """The packets of one file, in its order; ``points`` grows as interfaces are met, ``notes`` as things are amiss.

    Several files that are read side by side share their ``points``.
    """

    def __init__(self, path: str, points: list[FilePoint]) -> None:
        """Open the file.

        Raises:
            UsageError: it can't be read, or is no capture.
        """
        self.path = path
        self.points = points
        self.notes: list[str] = []
        self.names: dict[str, str] = {}
        """Names by address, as the file has them."""
        self._interfaces: list[_Interface] = []
        self._order = "<"
        self._unknown: set[int] = set()
        self._untimely = 0
        self._label = "standard input" if path == "-" else Path(path).name
        try:
            raw = cast("BufferedReader", sys.stdin.buffer if path == "-" else Path(path).open("rb"))  # noqa: SIM115
        except OSError as error:
            raise cannot_read(path, error) from error
        self._raw = raw
        try:
            self._file: IO[bytes] = raw
            self._file = _decompressed(raw, raw.peek(4)[:4], self._label)
            self._magic = self._file.read(4)
        except DnetError:
            self.close()
            raise
        except (OSError, EOFError, zlib.error) as error:
            self.close()
            if isinstance(error, OSError) and error.errno:
                raise cannot_read(path, error) from error
            msg = f"Can't read {clean(path, 512)}: its compression is damaged: {clean(str(error))}."
            raise UsageError(msg, "Copy it anew, or unpack it first.") from error
        if self._magic != b"\x0a\x0d\x0d\x0a" and self._magic not in _PCAP:
            self.close()
            what = "is empty" if not self._magic else "is no capture file"
            raise UsageError(
                f"{clean(path, 512)} {what}.", "pcap and pcapng are read, also compressed by gzip and zstd."
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def packets(self) -> Iterator[CapturedPacket]:
        """Every packet; what is damaged ends it with a note."""
        made = self._pcapng() if self._magic == b"\x0a\x0d\x0d\x0a" else self._pcap()
        try:
            yield from made
        except (EOFError, OSError, zlib.error, struct.error) as error:
            self.notes.append(f"{self._label}: damaged or cut off; what comes before was read ({clean(str(error))})")
        for number in sorted(self._unknown):
            self.notes.append(f"{self._label}: packets of link type {number} are not shown")
        if self._untimely:
            self.notes.append(f"{self._label}: {self._untimely} packets have times before 1970 or after the year 9987")

    # -- pcap ---------------------------------------------------------------

    def _pcap(self) -> Iterator[CapturedPacket]:
        self._order, units = _PCAP[self._magic]
        *_, linktype = struct.unpack(f"{self._order}HHiIII", self._exactly(20))
        self._add_interface(self._label, "", linktype & 0xFFFF, units, 0)
        header = struct.Struct(f"{self._order}IIII")
        interface = self._interfaces[0]
        while raw := self._file.read(16):
            if len(raw) < 16:
                raise EOFError("a packet's header is cut off")
            seconds, fraction, size, length = header.unpack(raw)
            data = self._exactly(self._bounded(size))
            moment = seconds * _NANOSECONDS + fraction * (_NANOSECONDS // units)
            packet = self._packet(interface, moment, 0, length, data)
            if packet is not None:
                yield packet

    # -- pcapng -------------------------------------------------------------

    def _pcapng(self) -> Iterator[CapturedPacket]:
        self._section()
        while raw := self._file.read(8):
            if len(raw) < 8:
                raise EOFError("a block's header is cut off")
            if raw[:4] == b"\x0a\x0d\x0d\x0a":
                self._section(raw[4:8])
                continue
            kind, total = struct.unpack(f"{self._order}II", raw)
            if total % 4 or total < 12:
                raise EOFError(f"a block says that it has {total} bytes")
            body = self._exactly(self._bounded(total) - 8)[:-4]
            if kind == 1:
                self._interface(body)
            elif kind == 4:
                self._names(body)
            elif kind in (3, 6):
                packet = self._simple(body) if kind == 3 else self._enhanced(body)
                if packet is not None:
                    yield packet

    def _section(self, total: bytes = b"") -> None:
        total = total or self._exactly(4)
        magic = self._exactly(4)
        self._order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(magic, "")
        if not self._order:
            raise EOFError("a section has no byte order")
        (size,) = struct.unpack(f"{self._order}I", total)
        if size % 4 or size < 28:
            raise EOFError(f"a section's header says that it has {size} bytes")
        self._exactly(self._bounded(size) - 12)
        self._interfaces = []  # they are numbered anew in every section

    def _interface(self, body: bytes) -> None:
        linktype, _, _ = struct.unpack_from(f"{self._order}HHI", body)
        options = self._options(body[8:])
        resolution = options.get(9, b"\x06")[:1] or b"\x06"
        units = 1 << (resolution[0] & 0x7F) if resolution[0] & 0x80 else 10 ** min(resolution[0], 18)
        offset = struct.unpack(f"{self._order}q", options[14])[0] if len(options.get(14, b"")) == 8 else 0
        name = options.get(2, b"").decode("utf-8", "replace") or f"interface {len(self._interfaces)}"
        self._add_interface(name, options.get(3, b"").decode("utf-8", "replace"), linktype, units, offset)

    def _add_interface(self, name: str, description: str, linktype: int, units: int, offset: int) -> None:
        if len(self.points) >= MOST_POINTS:
            raise EOFError(f"there are more than {MOST_POINTS} interfaces")
        label = clean(name, 64)
        point = next((index for index, item in enumerate(self.points) if item.label == label), None)
        if point is None or any(item.point == point for item in self._interfaces):
            taken = {item.label for item in self.points}
            if label in taken:
                label = next(text for number in range(2, MOST_POINTS + 3) if (text := f"{label}#{number}") not in taken)
            point = len(self.points)
            self.points.append(FilePoint(label, clean(description)))
        self._interfaces.append(_Interface(point, linktype, units, offset))

    def _enhanced(self, body: bytes) -> CapturedPacket | None:
        number, high, low, size, length = struct.unpack_from(f"{self._order}IIIII", body)
        if number >= len(self._interfaces) or size > len(body) - 20:
            raise EOFError("a packet is longer than its block, or of no interface")
        interface = self._interfaces[number]
        count = high << 32 | low
        moment = interface.offset * _NANOSECONDS + count * _NANOSECONDS // interface.units
        options = self._options(body[20 + size + -size % 4 :])
        flags = struct.unpack(f"{self._order}I", options[2])[0] if len(options.get(2, b"")) == 4 else 0
        return self._packet(interface, moment, reception_of(flags), length, body[20 : 20 + size])

    def _simple(self, body: bytes) -> CapturedPacket | None:
        (length,) = struct.unpack_from(f"{self._order}I", body)
        if not self._interfaces:
            raise EOFError("a packet is of no interface")
        return self._packet(self._interfaces[0], 0, 0, length, body[4 : 4 + length])

    def _names(self, body: bytes) -> None:
        at = 0
        while at + 4 <= len(body):
            kind, size = struct.unpack_from(f"{self._order}HH", body, at)
            value = body[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4
            cut = {1: 4, 2: 16}.get(kind, 0)
            if not kind:
                return
            if cut and len(value) > cut and len(self.names) < MOST_POINTS:
                import ipaddress  # noqa: PLC0415  only for files that have names

                name = value[cut:].split(b"\0")[0].decode("utf-8", "replace")
                self.names[str(ipaddress.ip_address(value[:cut]))] = clean(name, 64)

    def _options(self, data: bytes) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(data):
            code, size = struct.unpack_from(f"{self._order}HH", data, at)
            if not code:
                break
            found[code] = data[at + 4 : at + 4 + size]
            at += 4 + size + -size % 4
        return found

    # -- both ---------------------------------------------------------------

    def _packet(
        self, interface: _Interface, moment: int, reception: int, length: int, data: bytes
    ) -> CapturedPacket | None:
        kind = interface.linktype
        if kind not in _KNOWN:
            self._unknown.add(kind)
            return None
        length = max(length, len(data))
        if not 0 <= moment <= _LATEST:
            self._untimely += 1
            moment = min(max(moment, 0), _LATEST)
        if kind == ETHERNET:
            return CapturedPacket(moment, interface.point, reception, ETHERNET, length, data)
        if kind in _RAW:
            return CapturedPacket(moment, interface.point, reception, RAW_IP, length, data)
        head = {_NULL: 4, _SLL: 16, _SLL2: 20}[kind]
        if kind == _NULL:
            return CapturedPacket(moment, interface.point, reception, RAW_IP, max(length - head, 0), data[head:])
        # Linux "cooked": the sender's address and the protocol are there, the receiver's address is not.
        proto, sender, how = (
            (data[14:16], data[6:12], data[1:2]) if kind == _SLL else (data[:2], data[12:18], data[10:11])
        )
        frame = bytes(6) + sender + proto + data[head:]
        out = OUTGOING if how == b"\x04" else 0
        return CapturedPacket(moment, interface.point, out, ETHERNET, length - head + 14, frame)

    def _bounded(self, size: int) -> int:
        if size > MOST_BYTES:
            raise EOFError(f"something says that it has {size} bytes")
        return size

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError("it ends in the middle of a packet")
        return data


_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
"""Byte order and units of time by a pcap file's first four bytes."""


def _decompressed(raw: IO[bytes], head: bytes, label: str) -> IO[bytes]:
    if head[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if head == b"\x28\xb5\x2f\xfd":
        for name in _ZSTD_MODULES:
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
            return cast("IO[bytes]", module.ZstdFile(raw) if name == "pyzstd" else module.open(raw, "rb"))
        msg = f"{clean(label)} is compressed with zstd, and no library for it is there."
        raise UsageError(msg, f"zstd -dc {clean(label)} | dnet-tui capture --read -")
    return raw
