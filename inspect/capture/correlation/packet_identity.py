"""What of a packet stays the same on its way through a host, and what NAT may change.  Pure.

Netfilter's NAT rewrites addresses, ports (an echo's id) and checksums; routing
lowers the hop count.  IPv4's identification, TCP's sequence and
acknowledgement numbers, ICMP's sequence number and every payload stay
(nf_nat_proto.c).  Those make the ``key``: two sightings with different keys
are different packets.  Packets are hostile: nothing here raises, whatever the
bytes; what can't be read is recognised by its bytes alone.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from dnet_tui.inspect.capture.packet import RAW_IP, CapturedPacket

ICMP, TCP, UDP, ICMP6, SCTP = 1, 6, 17, 58, 132
_VLAN = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
_EXTENSIONS = frozenset({0, 43, 60, 135})
_NESTING = 8
_TELLING = 12
"""Payload of so many bytes is not the same by accident."""

_IPV4 = struct.Struct("!BxHHHBB2x4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_PORTS = struct.Struct("!HH")
_TCP = struct.Struct("!HHIIBB")
_ICMP = struct.Struct("!BB2xHH")


class FlowEnds(NamedTuple):
    """One direction of a flow as seen somewhere: addresses packed, ports (0: none; an echo's id is its asker's)."""

    proto: int
    src: bytes
    sport: int
    dst: bytes
    dport: int

    def reverse(self) -> FlowEnds:
        """The same with the ends swapped."""
        return FlowEnds(self.proto, self.dst, self.dport, self.src, self.sport)


class PacketIdentity(NamedTuple):
    """What correlation knows of one packet.

    ``key`` is equal wherever the same packet is seen.  ``telling``: an equal
    key is no accident between different packets (a payload, or numbers drawn
    at random).  ``size`` is the payload's, ``about`` the packet that an ICMP
    error quotes.  ``fragment`` is 0 for a whole packet, else its offset in units of 8
    bytes, with bit 13 for more to come.  ``ends`` is None for what isn't IP.  ``later`` fragments
    have no ports.
    """

    key: int
    ends: FlowEnds | None
    ttl: int
    telling: bool
    size: int = 0
    flags: int = 0
    seq: int = 0
    ack: int = 0
    ident: int = 0
    fragment: int = 0
    later: bool = False
    kind: int = -1
    about: PacketIdentity | None = None


def identify(packet: CapturedPacket) -> PacketIdentity:
    """The identity of a captured packet.  Never raises."""
    data = packet.data
    whole = len(data) >= packet.length
    try:
        if packet.linktype == RAW_IP:
            kind, at, version = b"", 0, data[0] >> 4
        else:
            kind, at = data[12:14], 14
            for _ in range(_NESTING):
                if kind not in _VLAN:
                    break
                kind, at = data[at + 2 : at + 4], at + 4
            version = 4 if kind == b"\x08\x00" else 6 if kind == b"\x86\xdd" else 0
        if version == 4:
            return _ipv4(data, at, whole=whole)
        if version == 6:
            return _ipv6(data, at, whole=whole)
        return PacketIdentity(hash((kind, data[at:])), None, 0, telling=False)
    except (struct.error, IndexError):
        return PacketIdentity(hash(data), None, 0, telling=False)


def _ipv4(data: bytes, at: int, *, whole: bool, quoted: bool = False) -> PacketIdentity:
    first, total, ident, fragment, ttl, proto, src, dst = _IPV4.unpack_from(data, at)
    end = at + total if total else len(data)
    body = at + (first & 15) * 4
    fragment &= 0x3FFF  # without Don't Fragment, which a rule may clear
    return _transport(data, body, end, (4, proto, ident, fragment), src, dst, ttl, whole=whole, quoted=quoted)


def _ipv6(data: bytes, at: int, *, whole: bool, quoted: bool = False) -> PacketIdentity:
    _, size, proto, ttl, src, dst = _IPV6.unpack_from(data, at)
    end = at + 40 + size if size else len(data)
    at += 40
    ident = fragment = 0
    for _ in range(_NESTING):
        if proto in _EXTENSIONS:
            proto, at = data[at], at + (data[at + 1] + 1) * 8
        elif proto == 44:
            proto, fragment, ident = struct.unpack_from("!BxHI", data, at)
            fragment = (fragment >> 3) | (fragment & 1) << 13
            at += 8
            if fragment & 0x1FFF:
                break
        else:
            break
    return _transport(data, at, end, (6, proto, ident, fragment), src, dst, ttl, whole=whole, quoted=quoted)


def _transport(
    data: bytes,
    at: int,
    end: int,
    head: tuple[int, int, int, int],
    src: bytes,
    dst: bytes,
    ttl: int,
    *,
    whole: bool,
    quoted: bool,
) -> PacketIdentity:
    """``data[at:end]`` is what IP carries; ``whole``: all of the frame was captured."""
    _, proto, ident, fragment = head
    size = end - at
    if fragment & 0x1FFF:
        digest = hash(data[at:end]) if whole else 0
        return PacketIdentity(
            hash((head, size, digest)), FlowEnds(proto, src, 0, dst, 0), ttl, whole and size >= _TELLING, size,
            ident=ident, fragment=fragment, later=True,
        )  # fmt: skip
    if proto == TCP:
        sport, dport, seq, ack, offset, flags = _TCP.unpack_from(data, at)
        body = at + (offset >> 4) * 4
        # ECE and CWR may change on the way; a reset of the kernel's own has neither numbers nor a payload.
        digest = hash(data[body:end]) if whole and end > body else 0
        key = hash((head, seq, ack, flags & 0x3F, end - body, digest))
        ends = FlowEnds(TCP, src, sport, dst, dport)
        return PacketIdentity(key, ends, ttl, bool(seq | ack), end - body, flags, seq, ack, ident, fragment)
    if proto in (UDP, SCTP):
        sport, dport = _PORTS.unpack_from(data, at)
        body = at + (8 if proto == UDP else 12)
        digest = hash(data[body:end]) if whole else 0
        telling = whole and (end - body >= _TELLING or proto == SCTP)
        ends = FlowEnds(proto, src, sport, dst, dport)
        return PacketIdentity(
            hash((head, size, digest)), ends, ttl, telling, end - body, ident=ident, fragment=fragment
        )
    if proto in (ICMP, ICMP6):
        return _icmp(data, at, end, head, src, dst, ttl, whole=whole, quoted=quoted)
    digest = hash(data[at:end]) if whole else 0
    return PacketIdentity(hash((head, size, digest)), FlowEnds(proto, src, 0, dst, 0), ttl, telling=False, size=size)


_ASKS: Final = {(ICMP, 8), (ICMP, 13), (ICMP6, 128)}
_ANSWERS: Final = {(ICMP, 0), (ICMP, 14), (ICMP6, 129)}
_ERRORS: Final = {(ICMP, 3), (ICMP, 4), (ICMP, 5), (ICMP, 11), (ICMP, 12), *((ICMP6, kind) for kind in (1, 2, 3, 4))}


def _icmp(
    data: bytes,
    at: int,
    end: int,
    head: tuple[int, int, int, int],
    src: bytes,
    dst: bytes,
    ttl: int,
    *,
    whole: bool,
    quoted: bool,
) -> PacketIdentity:
    proto = head[1]
    kind, code, high, low = _ICMP.unpack_from(data, at)
    size = end - at - 8
    if (proto, kind) in _ASKS or (proto, kind) in _ANSWERS:
        asks = (proto, kind) in _ASKS
        digest = hash(data[at + 8 : end]) if whole else 0
        ends = FlowEnds(proto, src, high if asks else 0, dst, 0 if asks else high)
        key = hash((head, kind, code, low, size, digest))
        return PacketIdentity(
            key, ends, ttl, whole and size >= _TELLING, size, seq=low, ident=head[2], fragment=head[3], kind=kind
        )
    if (proto, kind) in _ERRORS and not quoted:
        # The quotation is translated like the packet: only what NAT leaves alone may be compared.
        inner = _quoted(data, at + 8)
        key = hash((head, kind, code, high, low, inner.key if inner is not None else 0))
        ends = FlowEnds(proto, src, 0, dst, 0)
        return PacketIdentity(key, ends, ttl, inner is not None, size, ident=head[2], kind=kind, about=inner)
    # Neighbour discovery and the rest: never translated.
    digest = hash(data[at:end]) if whole else 0
    ends = FlowEnds(proto, src, 0, dst, 0)
    return PacketIdentity(hash((head, src, dst, digest)), ends, ttl, telling=False, size=size, kind=kind)


def _quoted(data: bytes, at: int) -> PacketIdentity | None:
    """The packet that an ICMP error is about.

    Only its first 8 bytes beyond IP are sure to be there: its key is made of what they hold.
    """
    try:
        if data[at] >> 4 == 6:
            _, _, proto, _, src, dst = _IPV6.unpack_from(data, at)
            body, ident = at + 40, 0
        else:
            first, _, ident, fragment, _, proto, src, dst = _IPV4.unpack_from(data, at)
            body = at + (first & 15) * 4
            if fragment & 0x1FFF:
                return PacketIdentity(
                    hash((proto, ident)), FlowEnds(proto, src, 0, dst, 0), 0, telling=False, ident=ident
                )
        if proto == TCP:
            sport, dport, seq = struct.unpack_from("!HHI", data, body)
            ends = FlowEnds(proto, src, sport, dst, dport)
            return PacketIdentity(hash((proto, ident, seq)), ends, 0, telling=True, seq=seq, ident=ident)
        if proto in (UDP, SCTP):
            sport, dport, size = struct.unpack_from("!HHH", data, body)
            ends = FlowEnds(proto, src, sport, dst, dport)
            return PacketIdentity(hash((proto, ident, size)), ends, 0, telling=bool(ident), size=size - 8, ident=ident)
        kind, code, high, low = _ICMP.unpack_from(data, body)
    except (struct.error, IndexError):
        return None
    asks = (proto, kind) in _ASKS
    ends = FlowEnds(proto, src, high if asks else 0, dst, 0 if asks or (proto, kind) not in _ANSWERS else high)
    key = hash((proto, ident, kind, code, low))
    return PacketIdentity(key, ends, 0, telling=False, seq=low, ident=ident, kind=kind)
