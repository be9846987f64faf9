"""Points a packet was not seen at though it should have been, and what stopped it by the walk.

Whether a packet should have been somewhere is the walk's word, for exactly
this packet, or that of earlier packets of its flow.  Where neither can say,
nothing is said: a packet between two containers never was to leave.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

from dnet_tui.diagnostics.capture.packet_fate import CapturedAt, PacketFate, established, fate_of, fate_of_answer
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.capture.correlation.drop_windows import DropWindows
from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
from dnet_tui.inspect.capture.correlation.packet_identity import ICMP, ICMP6, TCP, FlowEnds, PacketIdentity
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.packet import OUTGOING
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.protocols import PROTOCOLS
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.capture.missing_point import MissingPoint

_MOST_KEPT = 4096
_SHARE = 0.2
"""The part of the time that may be spent on walks: a flood of different packets must not stop the capture."""

_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"), (0x20, "URG"))
_GROUP, _ALL = "224.", "255.255.255.255"


class MissingPoints:
    """Finds them for finished rows.  ``view`` None: only what earlier packets of the flow did is known."""

    def __init__(
        self, points: Sequence[CapturePoint], view: View | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._view = view
        self.widen(points)
        self._clock = clock
        self._fates: dict[object, PacketFate | None] = {}
        self._seen: dict[int, set[int]] = {}
        self._began = clock()
        self._spent = 0.0
        self.drops = DropWindows()
        self.unsure = 0
        """Rows that may have been at points where the kernel dropped packets just then."""
        self.unasked = 0
        """Rows whose fate was not looked up because there were too many."""

    def widen(self, points: Sequence[CapturePoint]) -> None:
        """These are the points from now on."""
        self._refs = [LinkRef(namespace=point.namespace, ifindex=point.ifindex) for point in points]

    def of(self, row: PacketRow) -> list[MissingPoint]:
        """The points that a row should have been seen at and wasn't."""
        points = row.points()
        ends, flow = row.identity.ends, row.flow
        if ends is None or flow is None or row.apart or row.hurried:
            return []
        known = self._seen.setdefault(flow.number, set())
        if len(self._seen) > _MOST_KEPT:
            self._seen.pop(next(iter(self._seen)))
        lacking = [point for point in range(len(self._refs)) if point not in points]
        if lacking and any(self.drops.covers(point, row.packet.time_ns) for point in lacking):
            self.unsure += 1
            lacking = []
        found = self._lacking(row, ends, flow, lacking, known) if lacking else []
        known |= points
        return found

    def _lacking(
        self, row: PacketRow, ends: FlowEnds, flow: CapturedFlow, lacking: list[int], known: set[int]
    ) -> list[MissingPoint]:
        fate = self._fate(row, ends, flow)
        found: list[MissingPoint] = []
        for point in lacking:
            ref = self._refs[point]
            if fate is not None and ref in fate.blocked and fate.end not in {"unknown", "left", "delivered"}:
                found.append(MissingPoint(point, fate.reason, fate.rule.text if fate.rule is not None else ""))
            elif fate is not None and ref in fate.passed and fate.end != "unknown" and not row.identity.later:
                found.append(MissingPoint(point, "no rule or route that was read stops it"))
            elif point in known and (fate is None or fate.end == "unknown"):
                found.append(MissingPoint(point, "earlier packets of its flow were seen there"))
        if not found and fate is not None and fate.is_stopped and not row.identity.later:
            here = {self._refs[point] for point in row.points()}
            beyond = any(self._refs[point] not in fate.passed for point in lacking)
            if beyond and here <= fate.passed:
                found.append(MissingPoint(None, fate.reason, fate.rule.text if fate.rule is not None else ""))
        return found

    def _fate(self, row: PacketRow, ends: FlowEnds, flow: CapturedFlow) -> PacketFate | None:
        view = self._view
        if view is None or row.identity.about is not None:
            return None
        back = flow.reverse
        answer = back is not None and back.number < flow.number
        identity = row.identity
        first = row.sightings[0]
        at = CapturedAt(link=self._refs[first.point], outgoing=first.reception == OUTGOING)
        known = back is not None and back.packets > 0
        key = (ends, identity.flags & 0x17, identity.kind, at, known, answer)
        if key in self._fates:
            return self._fates[key]
        began = self._clock()
        if self._spent > 1 + _SHARE * (began - self._began):
            self.unasked += 1
            return None
        packet = walk_packet(ends, identity)
        if packet is None:
            fate = None
        elif answer and back is not None:
            fate = self._answer_fate(view, back)
        else:
            fate = fate_of(view, established(packet) if known else packet, at)
        self._spent += self._clock() - began
        self._fates[key] = fate
        if len(self._fates) > _MOST_KEPT:
            self._fates.pop(next(iter(self._fates)))
        return fate

    def _answer_fate(self, view: View, asker: CapturedFlow) -> PacketFate | None:
        question = walk_packet(asker.tuples[0], None)
        if question is None or asker.began is None:
            return None
        point, reception = asker.began
        return fate_of_answer(view, question, CapturedAt(link=self._refs[point], outgoing=reception == OUTGOING))


def walk_packet(ends: FlowEnds, identity: PacketIdentity | None) -> Packet | None:
    """The packet as the walk takes it; None for what it can't follow (multicast, broadcast)."""
    six = len(ends.src) == 16
    family = socket.AF_INET6 if six else socket.AF_INET
    src, dst = socket.inet_ntop(family, ends.src), socket.inet_ntop(family, ends.dst)
    if dst == _ALL or (ends.dst[0] == 0xFF if six else 224 <= ends.dst[0] < 240):
        return None
    icmp = ends.proto in (ICMP, ICMP6)
    kind = identity.kind if identity is not None else 128 if six else 8
    flags = tuple(name for bit, name in _FLAGS if identity.flags & bit) if identity is not None else ("SYN",)
    return Packet(
        family="ip6" if six else "ip",
        src=src,
        dst=dst,
        proto=PROTOCOLS.get(ends.proto, str(ends.proto)),
        sport=0 if icmp else ends.sport,
        dport=0 if icmp else ends.dport,
        icmp_type=max(kind, 0) if icmp else 0,
        tcp_flags=flags if ends.proto == TCP else (),
    )
