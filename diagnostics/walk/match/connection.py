"""Conditions on a packet's connection.  Three-valued and pure.

Sources: the kernel's xt_conntrack.c and nft_ct.c; nf_nat_core.c for the reply
tuple, which changes in the moment that the packet is rewritten.
"""

from __future__ import annotations

from typing import assert_never

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.values import Test, contains, in_ports, in_span, masked, protocol_name
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.match_fields import ConnectionField
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

_LONGEST = 0xFFFFFFFF // 100
"""Seconds: the kernel counts ticks in 32 bits, of which at least 100 make a second."""


def _ctstate(value: str, packet: Packet, _: MatchContext) -> Truth:
    if value == "DNAT":
        return packet.dnatted
    if value == "SNAT":
        return packet.snatted
    return value == packet.ctstate


def _ctstatus(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Status bits of the connection; what only traffic over time shows (ASSURED, of UDP) isn't known."""
    known = {
        "NONE": False,  # no bit is asked for, and none found
        "DNAT": packet.dnatted,
        "SNAT": packet.snatted,
        "SEEN_REPLY": packet.reply or packet.ctstate == "ESTABLISHED",
        "CONFIRMED": packet.ctstate != "NEW",
    }
    if packet.ctstate == "NEW":
        known["ASSURED"] = known["EXPECTED"] = False
    elif packet.proto == "tcp" and (packet.later or "SYN" in packet.tcp_flags):
        # Since the handshake's last packet (nf_conntrack_tcp_packet).
        known["ASSURED"] = packet.later and packet.ctstate == "ESTABLISHED"
    elif packet.proto in {"icmp", "icmpv6"}:
        known["ASSURED"] = False
    return known.get(value)


def _ctproto(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The connection's protocol; an ICMP error belongs to that of the packet it is about."""
    return protocol_name(value) == protocol_name(packet.ctproto or packet.proto)


def _l3proto(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The connection's family, which is its packets'; ARP is in no connection (nft_ct.c)."""
    return None if packet.arp_op else value == ("ipv6" if packet.family == "ip6" else "ipv4")


Tuple = tuple[str, str, int | None, int | None]
"""Source, destination and their ports."""


def _original(packet: Packet) -> Tuple | None:
    if packet.original is None:
        return None
    src, dst, dport = packet.original
    return src, dst, packet.orig_sport, dport


def _replied(packet: Packet) -> Tuple | None:
    """The tuple that answers carry: of a first packet, the inverse of what it has become by now."""
    if packet.answered is not None or packet.original is None or packet.reply:
        return packet.answered
    return packet.dst, packet.src, packet.dport, packet.sport


def _part(*, reply: bool, index: int) -> Test:
    def test(value: str, packet: Packet, _: MatchContext) -> Truth:
        found = _replied(packet) if reply else _original(packet)
        if found is None:
            return None
        if index < 2:
            return contains(value, str(found[index]))
        if (packet.ctproto or packet.proto) not in PORT_PROTOCOLS:
            return None  # ICMP's type, code and id stand there
        port = found[index]
        return in_ports(value, port if isinstance(port, int) else None)

    return test


def _label(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Without a connection there is no label, and ``!`` holds (connlabel_mt)."""
    if packet.ctstate in {"INVALID", "UNTRACKED"}:
        return False
    return None if packet.labels is None else value in packet.labels


def _helper(_value: str, packet: Packet, _: MatchContext) -> Truth:
    """The helper that expected the connection; without one ``!`` holds (helper_mt)."""
    if packet.ctstate in {"INVALID", "UNTRACKED"} or packet.expected is False:
        return False
    return None


def _zone(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The connection's zone, whichever of its directions is in it."""
    if packet.zone is None or packet.reply_zone is None:
        return None
    number = packet.zone or packet.reply_zone
    return in_span(value, number, number)


def connection_test(field: ConnectionField) -> Test:  # noqa: C901, PLR0912 - the table of fields
    """The test of a value of a field."""
    match field:
        case "ctstate":
            return _ctstate
        case "ctstatus":
            return _ctstatus
        case "ctmark":
            return lambda value, packet, _: masked(value, packet.ctmark)
        case "ctdir":
            return lambda value, packet, _: value.upper() == ("REPLY" if packet.reply else "ORIGINAL")
        case "ctproto":
            return _ctproto
        case "ct-l3proto":
            return _l3proto
        case "ctorigsrc":
            return _part(reply=False, index=0)
        case "ctorigdst":
            return _part(reply=False, index=1)
        case "ctorigsrcport":
            return _part(reply=False, index=2)
        case "ctorigdstport":
            return _part(reply=False, index=3)
        case "ct-label":
            return _label
        case "ct-helper":
            return _helper
        case "ct-expires":
            return lambda value, *_: in_span(value, 0, _LONGEST)
        case "ct-zone":
            return _zone
        case "ctreplsrc":
            return _part(reply=True, index=0)
        case "ctrepldst":
            return _part(reply=True, index=1)
        case "ctreplsrcport":
            return _part(reply=True, index=2)
        case "ctrepldstport":
            return _part(reply=True, index=3)
        case _:
            assert_never(field)
