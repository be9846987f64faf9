"""A captured packet as the kernel handed it over, and what its numbers mean.  Pure.

Decoding is somebody else's work (:mod:`dnet_tui.inspect.capture.decode`): a
packet that nobody looks at costs one copy of its bytes and nothing else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ETHERNET = 1
"""``LINKTYPE_ETHERNET``: frames begin with an Ethernet header (also on ``lo``)."""

RAW_IP = 101
"""``LINKTYPE_RAW``: frames begin with the IP header (tun, WireGuard, ipip)."""

SNAPLEN = 262_144
"""Bytes kept of each packet unless told otherwise; libpcap's own limit."""

OUTGOING = 4
"""``PACKET_OUTGOING`` of ``sll_pkttype`` (linux/if_packet.h); 0 host, 1 broadcast, 2 multicast, 3 another host."""

CaptureDirection = Literal["in", "out"]


class CapturedPacket(msgspec.Struct, frozen=True, gc=False):
    """One packet at one point.

    ``time_ns`` is the kernel's time of it (nanoseconds since 1970, one clock
    for every point of the host), ``point`` the index of the point in its
    capture, ``reception`` the kernel's ``sll_pkttype``, ``length`` its size on
    the wire in bytes; ``data`` may hold less (the snap length).
    """

    time_ns: int
    point: int
    reception: int
    linktype: int
    length: int
    data: bytes

    @property
    def direction(self) -> CaptureDirection:
        """``out`` when the interface's own namespace sends it through the interface, else ``in``."""
        return "out" if self.reception == OUTGOING else "in"
