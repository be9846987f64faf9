"""Packets on the wire: the probes as bytes, and headers read back.  Pure.

A probe is recognised wherever it is seen by something that NAT leaves alone:
the sequence number of a SYN, the first bytes of a datagram's or an echo's
data, the IP id (flow label) in the header that an ICMP error quotes.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from lab.differential.spec import Direction, Probe

LAST_NUMBER = 0x4FFF
"""The highest number of a probe that all its marks can carry."""

_SEQUENCE = 0x5A000000
_IDENT = 0xB000
_TOS = 4
"""Tells a probe that an ICMP error quotes from an answer whose IP id happens to be the same."""

_THERE, _BACK = b"DNp>", b"DNr<"
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
_SYN, _RST, _ACK = 0x02, 0x04, 0x10


class Read(NamedTuple):
    """What a packet turned out to be."""

    probe: int
    direction: Direction
    kind: str
    src: str
    dst: str
    sport: int
    dport: int
    icmp: tuple[int, int]


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def _addresses(probe: Probe) -> bytes:
    family = socket.AF_INET6 if probe.family == "ip6" else socket.AF_INET
    return socket.inet_pton(family, probe.src) + socket.inet_pton(family, probe.dst)


def _transport(probe: Probe, proto: int) -> bytes:
    token = _THERE + struct.pack("!I", probe.number)
    if probe.proto == "tcp":
        sequence = _SEQUENCE + probe.number
        body = struct.pack("!HHIIBBHHH", probe.sport, probe.dport, sequence, 0, 5 << 4, _SYN, 8192, 0, 0)
        place = 16
    elif probe.proto == "udp":
        body = struct.pack("!HHHH", probe.sport, probe.dport, 8 + len(token), 0) + token
        place = 6
    else:
        body = struct.pack("!BBHHH", 128 if probe.family == "ip6" else 8, 0, 0, _IDENT + probe.number, 1) + token
        place = 2
    pseudo = b""
    if probe.family == "ip6":
        pseudo = _addresses(probe) + struct.pack("!II", len(body), proto)
    elif probe.proto != "icmp":
        pseudo = _addresses(probe) + struct.pack("!BBH", 0, proto, len(body))
    return body[:place] + struct.pack("!H", checksum(pseudo + body)) + body[place + 2 :]


def packet(probe: Probe) -> bytes:
    """The probe with its IP header, for a raw socket with IP_HDRINCL."""
    if probe.family == "ip6":
        proto = 58 if probe.proto == "icmp" else _PROTOCOLS[probe.proto]
        body = _transport(probe, proto)
        return struct.pack("!IHBB", 0x60000000 | probe.number, len(body), proto, 64) + _addresses(probe) + body
    proto = _PROTOCOLS[probe.proto]
    body = _transport(probe, proto)
    head = struct.pack("!BBHHHBBH", 0x45, _TOS, 20 + len(body), _IDENT + probe.number, 0, 64, proto, 0)
    head += _addresses(probe)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def answer(data: bytes) -> bytes | None:
    """What a listener says to a probe's datagram; None when it isn't one."""
    return _BACK + data[4:8] if data[:4] == _THERE else None


def read(network: bytes, transport: bytes) -> Read | None:
    """Recognise a packet from its headers (20 bytes of transport are enough); None when it is nobody's probe."""
    if len(network) >= 40 and network[0] >> 4 == 6:
        src, dst = (socket.inet_ntop(socket.AF_INET6, network[at : at + 16]) for at in (8, 24))
        proto = 58 if len(transport) >= 8 and network[6] == 58 else network[6]
    elif len(network) >= 20 and network[0] >> 4 == 4:
        src, dst = (socket.inet_ntop(socket.AF_INET, network[at : at + 4]) for at in (12, 16))
        proto = network[9]
    else:
        return None
    found = _tcp(transport) if proto == 6 else _udp(transport) if proto == 17 else _icmp(transport, proto)
    if found is None:
        return None
    probe, direction, kind = found
    sport, dport = struct.unpack("!HH", transport[:4]) if proto in {6, 17} else (0, 0)
    icmp = (transport[0], transport[1]) if proto in {1, 58} else (0, 0)
    return Read(probe, direction, kind, src, dst, sport, dport, icmp)


def _tcp(data: bytes) -> tuple[int, Direction, str] | None:
    if len(data) < 14:
        return None
    sequence, acknowledged = struct.unpack("!II", data[4:12])
    flags = data[13]
    if flags & (_SYN | _ACK) == _SYN and sequence >> 16 == _SEQUENCE >> 16:
        return sequence - _SEQUENCE, "there", "syn"
    if flags & _ACK and acknowledged >> 16 == _SEQUENCE >> 16 and flags & (_SYN | _RST):
        return acknowledged - _SEQUENCE - 1, "back", "rst" if flags & _RST else "synack"
    return None


def _token(data: bytes) -> tuple[int, Direction] | None:
    if len(data) < 16 or data[8:12] not in {_THERE, _BACK}:
        return None
    return int.from_bytes(data[12:16], "big"), "there" if data[8:12] == _THERE else "back"


def _udp(data: bytes) -> tuple[int, Direction, str] | None:
    found = _token(data)
    return None if found is None else (*found, "udp" if found[1] == "there" else "udp-reply")


def _icmp(data: bytes, proto: int) -> tuple[int, Direction, str] | None:
    echo, reply = (8, 0) if proto == 1 else (128, 129)
    if len(data) < 8:
        return None
    if data[0] in {echo, reply}:
        found = _token(data)
        if found is None:
            return None
        return (found[0], "there", "echo") if data[0] == echo else (found[0], "back", "echo-reply")
    errors = {3, 11, 12} if proto == 1 else {1, 2, 3, 4}
    if data[0] not in errors or len(data) < 16 or (proto == 1 and data[9] != _TOS):
        return None
    ident = int.from_bytes(data[12:14], "big") - _IDENT if proto == 1 else int.from_bytes(data[8:12], "big") & 0xFFFFF
    return (ident, "back", "icmp-error") if 0 < ident <= LAST_NUMBER else None
