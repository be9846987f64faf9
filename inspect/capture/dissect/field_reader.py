"""Reads named fields off a packet's bytes, one behind the other.  Pure."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from dnet_tui.inspect.text.sanitize import clean

MOST_FIELDS: Final = 1000
"""Fields of one layer: what a packet says of their number is not believed beyond it."""

_SHOWN = 32  # bytes of a value that is shown in hex
_TEXT = 512


class CutOffError(Exception):
    """The packet, or what was kept of it, ends before the field does."""


class PacketField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a packet.

    ``value`` is cleaned text and may be empty; ``start`` and ``end`` are the bytes of the captured frame that hold it
    (``end`` excluded; fields of bits share their byte); ``fields`` are those within it.
    """

    name: str
    value: str = ""
    start: int
    end: int
    fields: tuple[PacketField, ...] = ()


class NextLayer(NamedTuple):
    """What follows a layer: whose reader it is for, and its bytes."""

    layer: str
    at: int
    end: int


class FieldReader:
    """A place in a packet and the fields read so far.  ``summary`` is what a person reads of the layer at a glance."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.start = at
        self.at = at
        self.end = min(end, len(data))
        self.fields: list[PacketField] = []
        self.summary = ""

    def skip(self, size: int) -> int:
        """Go past some bytes; where they begin.

        Raises:
            CutOffError: there are not so many.
        """
        start = self.at
        if size < 0 or start + size > self.end or len(self.fields) > MOST_FIELDS:
            raise CutOffError
        self.at = start + size
        return start

    def add(self, name: str, value: str, start: int, fields: tuple[PacketField, ...] = ()) -> None:
        """Note a field that ends where the reader stands.  Its name may be the packet's own (a header of HTTP)."""
        self.fields.append(
            PacketField(name=clean(name, 64), value=clean(value, _TEXT), start=start, end=self.at, fields=fields)
        )

    def number(
        self, name: str, size: int, show: Callable[[int], str] = str, *, names: Mapping[int, str] | None = None
    ) -> int:
        """A number of ``size`` bytes, as the network writes it; ``names`` are those of values."""
        start = self.skip(size)
        value = int.from_bytes(self.data[start : self.at], "big")
        text = show(value)
        if names and value in names:
            text = f"{text} ({names[value]})"
        self.add(name, text, start)
        return value

    def bits(self, name: str, value: str, size: int) -> None:
        """A part of the last ``size`` bytes that were read."""
        self.fields.append(
            PacketField(name=name, value=clean(value, _TEXT), start=max(self.at - size, self.start), end=self.at)
        )

    def address(self, name: str, size: int) -> str:
        """An IPv4 (4), IPv6 (16) or MAC (6) address."""
        start = self.skip(size)
        raw = self.data[start : self.at]
        text = raw.hex(":") if size == 6 else socket.inet_ntop(socket.AF_INET6 if size == 16 else socket.AF_INET, raw)
        self.add(name, text, start)
        return text

    def raw(self, name: str, size: int) -> bytes:
        """Bytes, shown in hex."""
        start = self.skip(size)
        value = self.data[start : self.at]
        self.add(name, hex_text(value), start)
        return value

    def text(self, name: str, size: int) -> str:
        """Bytes, shown as text."""
        start = self.skip(size)
        value = self.data[start : self.at].decode("utf-8", "replace")
        self.add(name, value, start)
        return value

    def within(self, size: int) -> FieldReader:
        """A reader of the next bytes alone; :meth:`put` takes what it read.

        Raises:
            CutOffError: there are not so many.
        """
        start = self.skip(size)
        return FieldReader(self.data, start, start + size)

    def put(self, name: str, value: str, inner: FieldReader) -> None:
        """Note a field with the fields that an inner reader read."""
        if inner.at < inner.end and inner.fields:
            inner.raw("more bytes", inner.end - inner.at)
        self.fields.append(
            PacketField(
                name=name, value=clean(value, _TEXT), start=inner.start, end=inner.end, fields=tuple(inner.fields)
            )
        )

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return self.end - self.at


def hex_text(raw: bytes) -> str:
    """Bytes in hex, the first of them where there are many."""
    more = f" … ({len(raw)} bytes)" if len(raw) > _SHOWN else ""
    return raw[:_SHOWN].hex(" ") + more


def as_hex(value: int) -> str:
    """A number such as ``0x1f``."""
    return f"0x{value:x}"
