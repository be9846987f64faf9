"""Small numbers, flags and addresses out of the kernel's bytes.  Pure.

Each number's reader takes None or a wrong length for "not told" and then
returns its default.  Native byte order, as netlink uses.
"""

from __future__ import annotations

import socket
import struct

from dnet_tui.inspect.model import Family

_U16 = struct.Struct("=H")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")


def u8(raw: bytes | None, default: int = 0) -> int:
    """An unsigned byte."""
    return raw[0] if raw else default


def u16(raw: bytes | None, default: int = 0) -> int:
    """An unsigned 16-bit number."""
    return int(_U16.unpack(raw)[0]) if raw is not None and len(raw) == 2 else default


def u32(raw: bytes | None, default: int = 0) -> int:
    """An unsigned 32-bit number."""
    return int(_U32.unpack(raw)[0]) if raw is not None and len(raw) == 4 else default


def s32(raw: bytes | None, default: int = 0) -> int:
    """A signed 32-bit number."""
    return int(_S32.unpack(raw)[0]) if raw is not None and len(raw) == 4 else default


def be16(raw: bytes | None, default: int = 0) -> int:
    """An unsigned 16-bit number in network byte order."""
    return int.from_bytes(raw, "big") if raw is not None and len(raw) == 2 else default


def be32(raw: bytes | None, default: int = 0) -> int:
    """An unsigned 32-bit number in network byte order."""
    return int.from_bytes(raw, "big") if raw is not None and len(raw) == 4 else default


def flag_names(value: int, names: tuple[tuple[int, str], ...]) -> tuple[str, ...]:
    """The names of the bits that are set, in the table's order."""
    return tuple([name for bit, name in names if value & bit]) if value else ()


def family_of(number: int) -> Family | None:
    """``ip`` for AF_INET, ``ip6`` for AF_INET6, None for every other family."""
    if number == socket.AF_INET:
        return "ip"
    return "ip6" if number == socket.AF_INET6 else None


def mac(raw: bytes | None) -> str:
    """An Ethernet address; empty for the other lengths that tunnels use."""
    return raw.hex(":") if raw is not None and len(raw) == 6 else ""


def ip(raw: bytes | None) -> str:
    """An IPv4 or IPv6 address in its usual text; empty when the length is neither's."""
    if raw is None:
        return ""
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return socket.inet_ntop(socket.AF_INET6, raw) if len(raw) == 16 else ""
