"""What is taken for granted of a packet, where a condition can't be decided otherwise, and in which words.  Pure.

A *plain* packet is one as nearly all are: the first of its connection, from a
program that asks for nothing special.  A decision that rests on that names it.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.match.state_fields import clock_words, recent_words
from dnet_tui.diagnostics.walk.match.values import in_span
from dnet_tui.diagnostics.walk.packet import Packet, replace
from dnet_tui.inspect.model.firewall import Match

USUAL_TTL = 64
"""The hop limit that Linux and most others send with."""
_LENGTHS = {("tcp", "ip"): 60, ("tcp", "ip6"): 80, ("icmp", "ip"): 84, ("icmpv6", "ip6"): 104}
"""Linux' SYN with its usual options, and ping's echo; anything else is taken to be as short as a SYN."""
_MSS = {"ip": 1460, "ip6": 1440}
"""Ethernet's."""


def plain(packet: Packet) -> Packet:
    """The packet with what isn't known of it as in a plain one."""
    return replace(
        packet,
        plain=True,
        ttl=USUAL_TTL if packet.ttl is None else packet.ttl,
        tos=0 if packet.tos is None else packet.tos,
        length=packet.length or _length(packet),
        mss=_MSS[packet.family] if packet.mss is None else packet.mss,
        priority=0 if packet.priority is None else packet.priority,
        uid=0 if packet.uid is None and not packet.by_kernel and packet.bare is False else packet.uid,
    )


_CONSTANTS: dict[str, Callable[[Packet], int]] = {
    "ip hdrlength": lambda _: 5,
    "tcp ackseq": lambda _: 0,
    "tcp urgptr": lambda _: 0,
    "tcp doff": lambda packet: 10 if packet.length in {60, 80} else 5,
    "udp length": lambda packet: packet.length - (20 if packet.family == "ip" else 40),
}
"""Fields that are as good as constant in a plain first packet: without IP options, TCP's usual ones."""


def _length(packet: Packet) -> int:
    return _LENGTHS.get((packet.proto, packet.family), 60 if packet.family == "ip" else 80)


def assumed(match: Match, packet: Packet, context: MatchContext) -> tuple[bool, str] | None:
    """What a match that can't be decided is for a plain packet, and what that rests on; None where not even that."""
    ordinary = plain(packet)
    truth = matches(match, ordinary, context)
    if match.field in _CONSTANTS and not packet.later:
        number = _CONSTANTS[match.field](ordinary)
        found = {in_span(value, number, number) for value in match.values}
        truth = None if None in found else (True in found) != match.negate
    return None if truth is None else (truth, _words(match, ordinary, context))


def _words(match: Match, packet: Packet, context: MatchContext) -> str:  # noqa: C901, PLR0912 - the table of fields
    """What is taken for granted."""
    match match.field:
        case "ttl":
            return f"a hop limit of {packet.ttl} is assumed"
        case "length":
            return f"a packet of {packet.length} bytes is assumed"
        case "mss":
            return f"a maximum segment size of {packet.mss} is assumed"
        case "tcp-flags":
            return "a packet without ECN is assumed"
        case "tcp-option":
            return "the usual TCP options are assumed"
        case "owner-uid" | "owner-gid" | "owner-socket" | "skuid" | "skgid":
            return "a program of root (user 0) is assumed to send it"
        case "cgroup":
            group = match.values[0]
            return f"a sender {'in' if group in {'', '/', '0'} else 'outside of'} cgroup {group or '/'} is assumed"
        case "chunks":
            return f"SCTP's {'INIT ACK' if packet.reply else 'INIT'} chunk is assumed"
        case "dccp-type":
            return f"a DCCP {'response' if packet.reply else 'request'} is assumed"
        case "spi":
            return f"an index of security parameters other than the few of {match.values[0]} is assumed"
        case "contents":
            size = match.values[0].split(" ")[2]
            return f"it looks for a text of {size} bytes; a packet that opens a connection has none, later ones others"
        case "recent":
            return recent_words(match.values[0])
        case "time":
            return clock_words(context)
        case _:
            return "a plain packet is assumed"
