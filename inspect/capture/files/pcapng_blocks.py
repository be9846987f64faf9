"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng).  Pure."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping

import msgspec

from dnet_tui.inspect.capture.packet import OUTGOING, CapturedPacket
from dnet_tui.inspect.text.sanitize import clean

_SECTION, _INTERFACE, _NAMES, _STATISTICS, PACKET = 0x0A0D0D0A, 1, 4, 5, 6
_BYTE_ORDER = 0x1A2B3C4D
_NANOSECONDS = b"\x09"  # if_tsresol: 10^-9
_EPB = struct.Struct("=IIIIIII")  # type, total length, interface, time high, time low, captured, original
_EPB_END = struct.Struct("=HHIHHI")  # option epb_flags, its length, its value, end of options, total length
_RECEPTION = {0: 0b001, 1: 0b011, 2: 0b010, 3: 0b100}  # unicast, broadcast, multicast, promiscuous
_RECEIVED = {manner: reception for reception, manner in _RECEPTION.items()}


class FileInterface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of the file: ``name`` as in the kernel's namespace, ``description`` what is behind it."""

    name: str
    description: str
    linktype: int
    snaplen: int
    filter: str = ""
    comment: str = ""


class FileStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of an interface at its end: packets written, and those the kernel dropped."""

    received: int
    dropped: int


def section_header(application: str, comment: str = "") -> bytes:
    """The section header block: byte order, version 1.0, length unknown, a comment, and the writing program."""
    options = (_text(1, comment) if comment else b"") + _text(4, application) + _END
    return _block(_SECTION, struct.pack("=IHHq", _BYTE_ORDER, 1, 0, -1) + options)


def interface_description(interface: FileInterface) -> bytes:
    """The description of one interface, with nanosecond time stamps."""
    options = [_text(1, interface.comment)] if interface.comment else []
    options.append(_text(2, interface.name))
    if interface.description:
        options.append(_text(3, interface.description))
    options.append(_option(9, _NANOSECONDS))
    if interface.filter:
        options.append(_option(11, b"\0" + interface.filter.encode("utf-8", "replace")))  # 0: a pcap-filter text
    body = struct.pack("=HHI", interface.linktype, 0, interface.snaplen)
    return _block(_INTERFACE, body + b"".join(options) + _END)


def name_resolution(names: Mapping[str, str]) -> bytes:
    """Names by address, so that readers show them; empty for no names."""
    records = b"".join(_name_record(address, name) for address, name in names.items())
    return _block(_NAMES, records + _END) if records else b""


def _name_record(address: str, name: str) -> bytes:
    packed = ipaddress.ip_address(address.partition("%")[0]).packed
    value = packed + clean(name).encode()[:255] + b"\0"
    return struct.pack("=HH", 1 if len(packed) == 4 else 2, len(value)) + value + b"\0" * (-len(value) % 4)


def epb_flags(reception: int) -> int:
    """The ``epb_flags`` for the kernel's ``sll_pkttype``: direction, and manner of reception."""
    return (2 if reception == OUTGOING else 1) | _RECEPTION.get(reception, 0) << 2


def reception_of(flags: int) -> int:
    """The kernel's ``sll_pkttype`` for an ``epb_flags``; 0 where it doesn't say."""
    return OUTGOING if flags & 3 == 2 else _RECEIVED.get(flags >> 2 & 7, 0)


def packet_block(packet: CapturedPacket) -> bytes:
    """An enhanced packet block, with direction and manner of reception."""
    size = len(packet.data)
    padding = -size % 4
    total = _EPB.size + size + padding + _EPB_END.size
    flags = epb_flags(packet.reception)
    header = _EPB.pack(
        PACKET, total, packet.point, packet.time_ns >> 32, packet.time_ns & 0xFFFFFFFF, size, max(packet.length, size)
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


def _text(code: int, text: str) -> bytes:
    return _option(code, clean(text, 4096).encode())


def _option(code: int, value: bytes) -> bytes:
    value = value[:65_000]  # its length has 16 bits
    return struct.pack("=HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return struct.pack("=II", kind, total) + body + struct.pack("=I", total)
