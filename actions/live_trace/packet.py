"""The one packet of a live trace: how it is made, marked for the trace, and recognised wherever it is seen.  Pure.

It carries something that NAT leaves alone: a TCP sequence number nobody else
uses, or random bytes as payload, and a random IP id (or flow label) that an
ICMP error about it quotes.  So it, and nothing else, is traced in every
namespace, whatever became of its addresses and ports on the way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from random import SystemRandom
from typing import Literal, Self

import msgspec

from dnet_tui.actions.probes.raw_packet import raw_packet
from dnet_tui.diagnostics.trace.trace_events import Recognised
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.protocols import NUMBERS
from dnet_tui.inspect.nftables.trace_events import Headers, headers

_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_RANDOM = SystemRandom()
_LOWEST, _HIGHEST = 61001, 65500
"""Above what the kernel gives out itself (``ip_local_port_range`` ends at 60999), so that nobody else's is met."""

_TOKEN = 12
"""Bytes of payload that a trace event shows of a datagram or an echo."""

_ECHO = {"ip": (8, 0), "ip6": (128, 129)}
_ERRORS = {"ip": {3, 11, 12}, "ip6": {1, 2, 3, 4}}


class LivePacket(msgspec.Struct, frozen=True, kw_only=True):
    """One packet to send.  ``ident`` is its IP id or flow label, ``token`` its payload."""

    family: Literal["ip", "ip6"]
    src: str
    dst: str
    proto: Literal["tcp", "udp", "icmp"]
    sport: int
    dport: int
    sequence: int
    ident: int
    token: bytes

    @classmethod
    def of(cls, packet: Packet) -> Self:
        """Make the packet that a walk began with, with marks of its own."""
        return cls(
            family="ip6" if packet.family == "ip6" else "ip",
            src=packet.src,
            dst=packet.dst,
            proto="tcp" if packet.proto == "tcp" else "udp" if packet.proto == "udp" else "icmp",
            sport=packet.sport or 0,
            dport=packet.dport or 0,
            sequence=_RANDOM.randrange(1, 1 << 32),
            ident=_RANDOM.randrange(1, 1 << 16),
            token=_RANDOM.randbytes(_TOKEN),
        )

    def data(self) -> bytes:
        """The packet as bytes, from its IP header on."""
        return raw_packet(
            src=self.src,
            dst=self.dst,
            proto=self.proto,
            sport=self.sport,
            dport=self.dport,
            sequence=self.sequence,
            ident=self.ident,
            payload=self.token,
        )

    def marks(self, answers: Iterable[Packet] = ()) -> tuple[str, ...]:
        """The conditions, in nft's words, that this packet, its answer and errors about it meet, and nothing else.

        ``answers`` are the tuples that a datagram's answer may have: what is
        in it is up to the other side.
        """
        family = f"meta nfproto {'ipv6' if self.family == 'ip6' else 'ipv4'}"
        icmp = "icmpv6" if self.family == "ip6" else "icmp"
        token = f"@th,64,64 0x{self.token[:8].hex()}"
        if self.proto == "tcp":
            expected = (self.sequence + 1) % (1 << 32)
            found = [
                f"{family} tcp sequence {self.sequence} tcp flags & (syn | ack) == syn",
                f"{family} tcp ackseq {expected} tcp flags & ack == ack",
            ]
        elif self.proto == "udp":
            found = [f"{family} meta l4proto udp {token}", *dict.fromkeys(filter(None, map(_by_tuple, answers)))]
        else:
            found = [f"{family} {icmp} type {{ echo-request, echo-reply }} {token}"]
        if self.family == "ip6":
            # The quoted header's first 32 bits: version, traffic class, flow label.
            errors = "destination-unreachable, packet-too-big, time-exceeded, parameter-problem"
            quoted = f"@th,64,32 & 0xfffff == {self.ident}"
        else:
            errors = "destination-unreachable, time-exceeded, parameter-problem"
            quoted = f"@th,96,16 {self.ident}"
        return (*found, f"{family} {icmp} type {{ {errors} }} {quoted}")

    def recognise(self, network: bytes, transport: bytes) -> Recognised | None:
        """Whether headers are this packet's, its answer's or of an error about it."""
        seen = headers(network, transport)
        if seen is None or (":" in seen.src) != (self.family == "ip6"):
            return None
        proto = "tcp" if seen.proto == NUMBERS["tcp"] else "udp" if seen.proto == NUMBERS["udp"] else "icmp"
        kind = self._error(seen) if proto == "icmp" else ""
        if not kind and proto == self.proto:
            kind = {"tcp": self._tcp, "udp": self._udp, "icmp": self._echo}[proto](seen)
        if not kind:
            return None
        there = kind in {"syn", "udp", "echo"}
        return Recognised(1, "there" if there else "back", kind, seen.src, seen.dst, seen.sport, seen.dport, seen.icmp)

    def _tcp(self, seen: Headers) -> str:
        if len(seen.body) < 14:
            return ""
        sequence, acknowledged = struct.unpack("!II", seen.body[4:12])
        flags = seen.body[13]
        if flags & (_SYN | _ACK) == _SYN and sequence == self.sequence:
            return "syn"
        if flags & _ACK and acknowledged == (self.sequence + 1) % (1 << 32) and flags & (_SYN | _RST):
            return "rst" if flags & _RST else "synack"
        return ""

    def _udp(self, seen: Headers) -> str:
        # Only what was marked is traced: what doesn't carry the token is an answer; so is an echo of it.
        carries = seen.body[8:20] == self.token
        return "udp" if carries and seen.dport != self.sport else "udp-reply"

    def _echo(self, seen: Headers) -> str:
        request, reply = _ECHO[self.family]
        if seen.icmp[0] not in {request, reply} or seen.body[8:20] != self.token:
            return ""
        return "echo" if seen.icmp[0] == request else "echo-reply"

    def _error(self, seen: Headers) -> str:
        if seen.icmp[0] not in _ERRORS[self.family] or len(seen.body) < 14:
            return ""
        at = slice(8, 12) if self.family == "ip6" else slice(12, 14)
        return "icmp-error" if int.from_bytes(seen.body[at]) & 0xFFFFF == self.ident else ""


def own_port() -> int:
    """A source port that nobody is likely to use, another each time: an earlier packet's connection is remembered."""
    return _RANDOM.randint(_LOWEST, _HIGHEST)


def _by_tuple(packet: Packet) -> str:
    """A condition on a packet's tuple; empty unless its addresses are some: they come from rules, and go to nft."""
    try:
        # A zone ("fe80::1%…") may hold anything, so it is left out with the address.
        src, dst = (ip_address(item if "%" not in item else "") for item in (packet.src, packet.dst))
    except ValueError:
        return ""
    family = "ip6" if src.version == 6 else "ip"
    words = [f"{family} saddr {src} {family} daddr {dst} meta l4proto udp"]
    words += [f"udp sport {packet.sport:d}"] if packet.sport else []
    words += [f"udp dport {packet.dport:d}"] if packet.dport else []
    return " ".join(words)
