"""The kernel's own account of a packet: nftables' trace events and the legacy tables' TRACE log, over netlink.

One reader per namespace.  An own table marks every packet at the head of a
hook and watches it at the hook's end; it is added *after* the snapshot, so
that the walk doesn't see it.

Sources: linux/netfilter/nf_tables.h (NFTA_TRACE_*), nfnetlink_log.h, and
nf_tables_trace.c: the first event of each base chain carries the headers.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from lab.differential import wire
from lab.differential.spec import Sight

TABLE = "dnetlab"
_FIRST, _LAST = -350, 2147483000
_STAGES = ("prerouting", "input", "forward", "output", "postrouting")
_NFNETLINK, _SOL_NETLINK, _ADD_MEMBERSHIP = 12, 270, 1
_SO_RCVBUFFORCE = 33
_GROUP_TRACE = 9
_MSG_TRACE, _MSG_LOG, _MSG_LOG_CONFIG = 0x0A11, 0x0400, 0x0401
_VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return"}
_FAMILIES = {1: "inet", 2: "ip", 7: "bridge", 10: "ip6"}
_KINDS = {1: "policy", 2: "return", 3: "rule"}


def ruleset() -> str:
    """The table that makes every packet of a namespace traced, for ``nft -f``."""
    lines = [f"table inet {TABLE} {{"]
    for stage in _STAGES:
        mark = "meta nftrace set 1;" if stage in {"prerouting", "output"} else ""
        lines.append(f" chain head-{stage} {{ type filter hook {stage} priority {_FIRST}; {mark} }}")
        lines.append(f" chain tail-{stage} {{ type filter hook {stage} priority {_LAST}; }}")
    return "\n".join([*lines, "}", ""])


class Reader:
    """The trace of the namespace that the calling thread is in when this is made."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.trace = _open()
        self.trace.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_TRACE)
        self.log = _open()
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                Path(f"/proc/sys/net/netfilter/nf_log/{int(family)}").write_text("nfnetlink_log", encoding="ascii")
        self.log.send(_log_config(1, struct.pack("!B", 1)))  # NFULNL_CFG_CMD_BIND to group 0
        self.log.send(_log_config(2, struct.pack("!IBx", 0xFFFF, 2)))  # NFULNL_COPY_PACKET
        self.log.send(_log_config(5, struct.pack("!I", 1)))  # one packet per message
        self._headers: dict[int, wire.Read] = {}
        self._stages: dict[int, str] = {}

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """What to poll."""
        return self.trace, self.log

    def read(self) -> Iterator[tuple[int, Sight]]:
        """The (probe, sight) pairs that are there now."""
        for sock in self.sockets:
            while True:
                try:
                    data = sock.recv(1 << 18)
                except BlockingIOError:
                    break
                for kind, body in _messages(data):
                    if kind == _MSG_TRACE:
                        yield from self._traced(_FAMILIES.get(body[0], ""), _attributes(body[4:]))
                    elif kind == _MSG_LOG:
                        yield from self._logged(_attributes(body[4:]))

    def _traced(self, family: str, found: dict[int, bytes]) -> Iterator[tuple[int, Sight]]:
        ident = _number(found.get(6))
        if 8 in found:
            seen = wire.read(found[8], found.get(9, b""))
            if seen is None:
                self._headers.pop(ident, None)
            else:
                self._headers[ident] = seen
        packet = self._headers.get(ident)
        if packet is None:
            return
        table, chain = _text(found.get(1)), _text(found.get(2))
        kind = _KINDS.get(_number(found.get(4)), "")
        if table == TABLE:
            point, _, stage = chain.partition("-")
            if kind == "policy":
                yield packet.probe, self._sight(packet, family, found, point=point, stage=stage)
            return
        if kind not in {"rule", "policy"}:
            return
        code = _attributes(found.get(5, b"")).get(1, found.get(16, b"\0\0\0\1"))
        yield (
            packet.probe,
            self._sight(
                packet,
                family,
                found,
                point=kind,
                backend="nft",
                table=table,
                chain=chain,
                handle=_number(found.get(3)),
                verdict=_VERDICTS.get(struct.unpack("!i", code)[0], "accept"),
            ),
        )

    def _sight(self, packet: wire.Read, family: str, found: dict[int, bytes], **more: object) -> Sight:
        seen = {"iif": _number(found.get(10)), "oif": _number(found.get(12)), "mark": _number(found.get(14))}
        return _sight(self.place, packet, family, **more, **seen)

    def _logged(self, found: dict[int, bytes]) -> Iterator[tuple[int, Sight]]:
        words = _text(found.get(10)).split()
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
        point = "policy" if kind == "policy" else "rule"
        family = "ip6" if size == 40 else "ip"
        yield (
            packet.probe,
            _sight(
                self.place,
                packet,
                family,
                point=point,
                backend="legacy",
                table=table,
                chain=chain,
                number=int(number),
                verdict=kind,
            ),
        )


def _sight(place: str, packet: wire.Read, family: str, **more: object) -> Sight:
    common = {"src": packet.src, "dst": packet.dst, "sport": packet.sport, "dport": packet.dport, "icmp": packet.icmp}
    return Sight(place=place, direction=packet.direction, kind=packet.kind, family=family, **common, **more)  # type: ignore[arg-type]


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NFNETLINK)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 32 << 20)
    sock.bind((0, 0))
    return sock


def _log_config(kind: int, value: bytes) -> bytes:
    attribute = struct.pack("HH", 4 + len(value), kind) + value
    attribute += b"\0" * (-len(attribute) % 4)
    body = struct.pack("!BBH", 0, 0, 0) + attribute
    return struct.pack("IHHII", 16 + len(body), _MSG_LOG_CONFIG, 1, 0, 0) + body


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("IH", data, at)
        if size < 16:
            return
        yield kind, data[at + 16 : at + size]
        at += (size + 3) & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("utf-8", "replace")
