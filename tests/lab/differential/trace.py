"""The kernel's own account of a packet: nftables' trace events and the legacy tables' TRACE log, over netlink.

One reader per namespace.  An own table marks every packet at the head of a
hook and watches it at the hook's end; it is added *after* the snapshot, so
that the walk doesn't see it.

Sources: linux/netfilter/nfnetlink_log.h; the trace events are read as
``dnet-tui trace --live`` reads them (:mod:`dnet_tui.inspect.nftables.trace_events`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from dnet_tui.diagnostics.trace.trace_events import FIRST, Recognised, Sightings, TracePoint, own_table
from dnet_tui.inspect.nftables.trace_events import attributes, messages, text
from dnet_tui.inspect.watch.nft_trace_watch import NETLINK_NETFILTER, events, watching
from lab.differential import wire

TABLE = "dnetlab"
_BUFFER = 32 << 20
_SO_RCVBUFFORCE = 33
_MSG_LOG, _MSG_LOG_CONFIG = 0x0400, 0x0401


_BRIDGE_TABLE = f"""table bridge {TABLE} {{
 chain mark-prerouting {{ type filter hook prerouting priority {FIRST}; meta nftrace set 1; }}
 chain mark-output {{ type filter hook output priority {FIRST}; meta nftrace set 1; }}
}}
"""


def ruleset() -> str:
    """The tables that make every packet of a namespace traced, for ``nft -f``: also by a bridge's own rules."""
    return own_table(TABLE, [""]) + "\n" + _BRIDGE_TABLE


class Reader:
    """The trace of the namespace that the calling thread is in when this is made."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.trace = watching(_BUFFER)
        self.log = _open()
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                Path(f"/proc/sys/net/netfilter/nf_log/{int(family)}").write_text("nfnetlink_log", encoding="ascii")
        self.log.send(_log_config(1, struct.pack("!B", 1)))  # NFULNL_CFG_CMD_BIND to group 0
        self.log.send(_log_config(2, struct.pack("!IBx", 0xFFFF, 2)))  # NFULNL_COPY_PACKET
        self.log.send(_log_config(5, struct.pack("!I", 1)))  # one packet per message
        self._sightings = Sightings(place, TABLE, wire.read)

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """What to poll."""
        return self.trace, self.log

    def read(self) -> Iterator[tuple[int, TracePoint]]:
        """The (probe, sight) pairs that are there now."""
        traced, lost = events(self.trace)
        assert not lost, "the kernel's account has holes"
        yield from (seen for event in traced if (seen := self._sightings.take(event)) is not None)
        while True:
            try:
                data = self.log.recv(1 << 18)
            except BlockingIOError:
                return
            for kind, body in messages(data):
                if kind == _MSG_LOG:
                    yield from self._logged(attributes(body[4:]))

    def _logged(self, found: dict[int, bytes]) -> Iterator[tuple[int, TracePoint]]:
        words = text(found.get(10)).split()
        payload = found.get(9, b"")
        if words[:1] != ["TRACE:"] or not payload:
            return
        size = 40 if payload[0] >> 4 == 6 else (payload[0] & 15) * 4
        packet = wire.read(payload[:size], payload[size : size + 20])
        if packet is None:
            return
        # The chain's name may hold colons; the others can't.
        table, rest = words[1].split(":", 1)
        chain, kind, number = rest.rsplit(":", 2)
        yield (
            packet.probe,
            _logged_sight(
                self.place,
                packet,
                family="ip6" if size == 40 else "ip",
                point="policy" if kind == "policy" else "rule",
                table=table,
                chain=chain,
                number=int(number),
                verdict=kind,
            ),
        )


def _logged_sight(place: str, packet: Recognised, **more: object) -> TracePoint:
    common = {"src": packet.src, "dst": packet.dst, "sport": packet.sport, "dport": packet.dport, "icmp": packet.icmp}
    return TracePoint(place=place, direction=packet.direction, kind=packet.kind, backend="legacy", **common, **more)  # type: ignore[arg-type]


def _open() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    sock = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    sock.bind((0, 0))
    return sock


def _log_config(kind: int, value: bytes) -> bytes:
    attribute = struct.pack("HH", 4 + len(value), kind) + value
    attribute += b"\0" * (-len(attribute) % 4)
    body = struct.pack("!BBH", 0, 0, 0) + attribute
    return struct.pack("IHHII", 16 + len(body), _MSG_LOG_CONFIG, 1, 0, 0) + body
