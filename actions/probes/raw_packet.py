"""One packet as bytes, IP header and all, for a raw socket.  Pure.

Sources: RFC 791, 792, 768, 9293, 4443, 8200; raw(7) for what the kernel
still fills in (an IP id of zero, never one that is given).
"""

from __future__ import annotations

import struct
from ipaddress import IPv6Address, ip_address
from typing import Literal

from dnet_tui.actions.probes.probe import internet_checksum
from dnet_tui.inspect.model.protocols import NUMBERS

_ICMP6 = 58
_SYN = 0x02
_WINDOW = 8192
_HOPS = 64


def raw_packet(
    *,
    src: str,
    dst: str,
    proto: Literal["tcp", "udp", "icmp"],
    sport: int = 0,
    dport: int = 0,
    sequence: int = 0,
    ident: int = 0,
    payload: bytes = b"",
    tos: int = 0,
) -> bytes:
    """Return a SYN, a datagram or an echo request (its number is ``ident & 0xffff``) with its IP header.

    ``ident`` is also the IPv4 identification, or IPv6's flow label (20 bits).
    """
    ours, theirs = ip_address(src), ip_address(dst)
    addresses = ours.packed + theirs.packed
    number = _ICMP6 if proto == "icmp" and isinstance(ours, IPv6Address) else NUMBERS[proto]
    if proto == "tcp":
        body = struct.pack("!HHIIBBHHH", sport, dport, sequence, 0, 5 << 4, _SYN, _WINDOW, 0, 0)
        place = 16
    elif proto == "udp":
        body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
        place = 6
    else:
        body = struct.pack("!BBHHH", 128 if number == _ICMP6 else 8, 0, 0, ident & 0xFFFF, 1) + payload
        place = 2
    pseudo = b""
    if isinstance(ours, IPv6Address):
        pseudo = addresses + struct.pack("!II", len(body), number)
    elif proto != "icmp":
        pseudo = addresses + struct.pack("!BBH", 0, number, len(body))
    # RFC 768: a checksum of zero is sent as all ones, since zero says that there is none.
    total = internet_checksum(pseudo + body) or 0xFFFF
    body = body[:place] + struct.pack("!H", total) + body[place + 2 :]
    if isinstance(ours, IPv6Address):
        return struct.pack("!IHBB", 0x60000000 | ident & 0xFFFFF, len(body), number, _HOPS) + addresses + body
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), ident & 0xFFFF, 0, _HOPS, number, 0) + addresses
    return head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:] + body
