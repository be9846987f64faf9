"""Packets on the wire: the probes as bytes, and headers read back.  Pure.

A probe is recognised wherever it is seen by something that NAT leaves alone:
the sequence number of a SYN, the first bytes of a datagram's or an echo's
data, the IP id (flow label) in the header that an ICMP error quotes.
"""

from __future__ import annotations

import struct

from dnet_tui.actions.probes.raw_packet import raw_packet
from dnet_tui.diagnostics.trace.trace_events import Recognised, TraceDirection
from dnet_tui.inspect.nftables.trace_events import headers
from lab.differential.spec import Probe

LAST_NUMBER = 0x4FFF
"""The highest number of a probe that all its marks can carry."""

_SEQUENCE = 0x5A000000
_IDENT = 0xB000
TOS = 4
"""Tells a probe that an ICMP error quotes from an answer whose IP id happens to be the same."""

_THERE, _BACK = b"DNp>", b"DNr<"
_SYN, _RST, _ACK = 0x02, 0x04, 0x10

_PING = 56
"""Bytes of data in ping's echo, as the walk takes it."""


def packet(probe: Probe) -> bytes:
    """The probe with its IP header, for a raw socket with IP_HDRINCL."""
    payload = b"" if probe.proto == "tcp" else _THERE + struct.pack("!I", probe.number)
    payload = payload.ljust(_PING, b"\0") if probe.proto == "icmp" else payload
    return raw_packet(
        src=probe.src,
        dst=probe.dst,
        proto=probe.proto,
        sport=probe.sport,
        dport=probe.dport,
        sequence=_SEQUENCE + probe.number,
        ident=probe.number if probe.family == "ip6" else _IDENT + probe.number,
        payload=payload,
        tos=TOS,
    )


def answer(data: bytes) -> bytes | None:
    """What a listener says to a probe's datagram; None when it isn't one."""
    return _BACK + data[4:8] if data[:4] == _THERE else None


def read(network: bytes, transport: bytes) -> Recognised | None:
    """Recognise a packet from its headers (20 bytes of transport are enough); None when it is nobody's probe."""
    seen = headers(network, transport)
    if seen is None:
        return None
    proto = seen.proto
    found = _tcp(transport) if proto == 6 else _udp(transport) if proto == 17 else _icmp(transport, proto)
    if found is None:
        return None
    return Recognised(*found, seen.src, seen.dst, seen.sport, seen.dport, seen.icmp)


def _tcp(data: bytes) -> tuple[int, TraceDirection, str] | None:
    if len(data) < 14:
        return None
    sequence, acknowledged = struct.unpack("!II", data[4:12])
    flags = data[13]
    if flags & (_SYN | _ACK) == _SYN and sequence >> 16 == _SEQUENCE >> 16:
        return sequence - _SEQUENCE, "there", "syn"
    if flags & _ACK and acknowledged >> 16 == _SEQUENCE >> 16 and flags & (_SYN | _RST):
        return acknowledged - _SEQUENCE - 1, "back", "rst" if flags & _RST else "synack"
    return None


def _token(data: bytes) -> tuple[int, TraceDirection] | None:
    if len(data) < 16 or data[8:12] not in {_THERE, _BACK}:
        return None
    return int.from_bytes(data[12:16], "big"), "there" if data[8:12] == _THERE else "back"


def _udp(data: bytes) -> tuple[int, TraceDirection, str] | None:
    found = _token(data)
    return None if found is None else (*found, "udp" if found[1] == "there" else "udp-reply")


def _icmp(data: bytes, proto: int) -> tuple[int, TraceDirection, str] | None:
    echo, reply = (8, 0) if proto == 1 else (128, 129)
    if len(data) < 8:
        return None
    if data[0] in {echo, reply}:
        found = _token(data)
        if found is None:
            return None
        return (found[0], "there", "echo") if data[0] == echo else (found[0], "back", "echo-reply")
    errors = {3, 11, 12} if proto == 1 else {1, 2, 3, 4}
    if data[0] not in errors or len(data) < 16 or (proto == 1 and data[9] != TOS):
        return None
    ident = int.from_bytes(data[12:14], "big") - _IDENT if proto == 1 else int.from_bytes(data[8:12], "big") & 0xFFFFF
    return (ident, "back", "icmp-error") if 0 < ident <= LAST_NUMBER else None
