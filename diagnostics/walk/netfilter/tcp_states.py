"""What conntrack makes of TCP's opening packets where a connection with their tuple exists already.  Pure.

Source: nf_conntrack_proto_tcp.c (``tcp_conntracks``, rows ``syn`` and
``synack``; ``nf_conntrack_tcp_packet``), alike since Linux 2.6.31.
"""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.walk.packet import Packet

Fate = Literal["goes on", "invalid", "anew", "goes on or anew", "unknown"]
"""It belongs to the connection; it passes without one; it deletes that one and opens another, or may; anything."""

ENDED = frozenset({"TIME_WAIT", "CLOSE"})
"""States of a connection that is over, and only kept for a while."""
_HALF_OPEN = frozenset({"SYN_SENT", "SYN_SENT2"})
_NAMED = frozenset({*_HALF_OPEN, *ENDED, "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK"})


def fate(packet: Packet, state: str, *, reply: bool, closing: bool = False) -> Fate:
    """What becomes of a packet of a tracked connection in ``state``, in its answers' direction or the first packet's.

    ``closing``: one end has closed it by FIN.
    Of what doesn't open a connection it is taken that it is within the window.
    """
    if packet.proto != "tcp" or "SYN" not in packet.tcp_flags:
        return "goes on"
    second = "ACK" in packet.tcp_flags
    if state not in _NAMED:
        return "unknown" if second or reply else "goes on or anew"
    return _second(state, reply=reply) if second else _first(state, reply=reply, closing=closing)


def _first(state: str, *, reply: bool, closing: bool) -> Fate:
    """A SYN: ignored, and so let through as one of the connection's, wherever it may be the other end that is right.

    An ended connection is reopened where it was closed by FIN, or by RST from the same end; the latter isn't shown.
    """
    again: Fate = "anew" if closing else "goes on or anew"
    if not reply:
        return again if state in ENDED else "goes on"
    if state == "TIME_WAIT":
        return again
    return "goes on" if state in _HALF_OPEN else "invalid"  # half open: both ends open it at once


def _second(state: str, *, reply: bool) -> Fate:
    """A SYN/ACK; where one is awaited it must acknowledge the very SYN, which isn't shown."""
    if reply:
        return "unknown" if state in _HALF_OPEN else "goes on"
    return "unknown" if state in {"SYN_RECV", "SYN_SENT2"} else "invalid"
