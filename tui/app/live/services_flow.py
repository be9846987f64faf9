"""The guided check's services on this host: a flow's packets at several points, real packets, a file.

Runs in worker threads; everything heavy is imported when it is first used.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnet_tui.inspect.errors import ActionFailedError, CannotInspectError
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.live.flow_direction import ICMP, FlowDirection, text
from dnet_tui.tui.app.model.guided import Answered, PointSeen, ProbeLine, SeenPacket
from dnet_tui.tui.app.model.services import FlowBatch

if TYPE_CHECKING:
    from dnet_tui.diagnostics.trace.trace import Trace
    from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
    from dnet_tui.inspect.capture.session import Capture

PROBES = 3
"""Real packets that one request sends, each after the one before it ended."""

LIMIT = 0.7
"""Seconds that each of them waits: less than the second after which a SYN is sent again (RFC 6298, 2.1)."""


def flow_filter(trace: Trace) -> str:
    """A pcap-filter(7) expression for a flow under every address that it has on its way.

    Where one end stands for any place outside, the other one alone is matched.
    """
    walks = [trace.forward, trace.answer]
    if trace.relay is not None:
        walks += [trace.relay.forward, trace.relay.answer]
    packets = [packet for way in walks if way is not None for packet in (way.start, *(hop.packet for hop in way.hops))]
    unknown = {trace.forward.start.dst} if trace.target.kind == "outside" else set()
    unknown |= {trace.forward.start.src} if trace.source.kind == "outside" else set()
    ports = sorted({item.dport for item in packets if item.dport and not item.reply})
    found: dict[str, None] = {}
    for item in packets:
        ends = [end for end in sorted({item.src, item.dst}) if end not in unknown and _is_address(end)]
        hosts = " and ".join(f"host {end}" for end in ends)
        if hosts and len(ends) == 1 and trace.source.kind == "outside" and ports:
            hosts += f" and ({' or '.join(f'port {number}' for number in ports)})"
        if hosts:
            found.setdefault(f"({hosts})")
    return " or ".join(found)


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def open_flow(answered: Answered) -> FlowCapture:
    """Capture a flow's packets at the links of its way.

    Raises:
        DnetError: it can't be captured there.
    """
    from dnet_tui.inspect.capture.points import point_of  # noqa: PLC0415  only when something is captured
    from dnet_tui.inspect.capture.session import Capture  # noqa: PLC0415  as above
    from dnet_tui.inspect.capture.tap import CaptureOptions  # noqa: PLC0415  as above

    view = View(answered.snapshot)
    points = [point for link in answered.links.links if (point := point_of(view, link)) is not None]
    if not points:
        raise CannotInspectError("No link of this flow's way is known, so that its packets can't be captured.")
    trace = answered.why.trace
    capture = Capture(view, points, CaptureOptions(filter=flow_filter(trace), ring_bytes=_RING))
    capture.open()
    return FlowCapture(capture, FlowDirection(trace, view))


_RING = 2 << 20
"""Bytes of kernel memory for each point: a flow that does not pass has few packets."""


class FlowCapture:
    """A flow's packets, each one joined across the points, before and after NAT."""

    def __init__(self, capture: Capture, direction: FlowDirection) -> None:
        from dnet_tui.inspect.capture.correlation.correlator import Correlator  # noqa: PLC0415  as in open_flow

        self._capture = capture
        self._correlator = Correlator(len(capture.points))
        self.points = tuple(point.label for point in capture.points)
        self._direction = direction

    def poll(self, timeout: float) -> FlowBatch:
        """See :class:`~dnet_tui.tui.app.model.services.FlowSource`."""
        deadline = time.monotonic() + timeout
        found: list[SeenPacket] = []
        while not self._capture.finished and (left := deadline - time.monotonic()) > 0:
            for packet in self._capture.poll(min(left, 0.1)):
                self._correlator.feed(packet)
            rows = self._correlator.finished(self._capture.seen_until_ns(), everything=self._capture.finished)
            found += [item for row in rows if (item := self._seen(row)) is not None]
        ended = (self._capture.notes or ["the capture ended"])[-1] if self._capture.finished else ""
        return FlowBatch(packets=tuple(found), ended=ended)

    def _seen(self, row: PacketRow) -> SeenPacket | None:
        from dnet_tui.inspect.capture.decode import summarise  # noqa: PLC0415  as in open_flow

        summary = summarise(row.packet, "")
        there = self._direction.is_there(row)
        if not there and not self._direction.is_back(row):
            return None
        sightings = []
        for item in row.sightings:
            src, dst, ports = summary.src, summary.dst, (summary.sport, summary.dport)
            if item.ends is not None:
                src, dst = text(item.ends.src), text(item.ends.dst)
                ports = (item.ends.sport, item.ends.dport) if item.ends.proto not in ICMP else (None, None)
            ends = f"{_end(src, ports[0])} → {_end(dst, ports[1])}"
            delay = item.time_ns - row.packet.time_ns
            sightings.append(PointSeen(point=item.point, ends=ends, source=src, delay=delay))
        return SeenPacket(
            number=row.number,
            time=row.packet.time_ns,
            text=f"{summary.proto} {summary.info}".strip(),
            kind=_kind(summary.proto, summary.info),
            there=there,
            sightings=tuple(sightings),
        )

    def close(self) -> None:
        """See :class:`~dnet_tui.tui.app.model.services.FlowSource`."""
        self._capture.close()


def _end(address: str, port: int | None) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


_FLAGS = {"S": "SYN", "S.": "SYN-ACK", "R": "RST", "R.": "RST", "F.": "FIN", ".": "ACK", "P.": "data"}


def _kind(proto: str, info: str) -> str:
    """What a packet is, in a word or two."""
    if proto == "TCP" and "[" in info:
        flags = info.partition("[")[2].partition("]")[0]
        return _FLAGS.get(flags, f"TCP [{flags}]")
    if proto.startswith("ICMP"):
        return (info.partition(" id ")[0].partition(",")[0] or proto)[:24]
    return f"{proto} packet"


def probe(answered: Answered) -> ProbeLine:
    """Send a few real packets along a flow and say what came of them.

    To a target outside that has no address of its own, the default gateway is
    pinged: it is the nearest place outside that answers.

    Raises:
        ActionFailedError: nothing can be sent from there.
    """
    from dnet_tui.actions.probes.probe import ProbeOutcome, dns_query, ping, tcp_connect  # noqa: PLC0415  only to send
    from dnet_tui.diagnostics.probing.probe_targets import default_gateway  # noqa: PLC0415  as above
    from dnet_tui.inspect.kernel.netns import handle_of  # noqa: PLC0415  as above

    trace = answered.why.trace
    view = View(answered.snapshot)
    ns = view.namespaces.get(trace.source.namespace)
    if ns is None:
        raise ActionFailedError("Nothing can be sent from outside.", "Make a request from there; the panes show it.")
    inside = None if ns.kind == "host" else handle_of(ns)
    start = trace.forward.start
    address, port, proto = start.dst, start.dport or 0, start.proto
    if trace.target.kind == "outside":
        gateway = default_gateway(view.host)
        if not gateway:
            raise ActionFailedError("The host has no default gateway to try.", "Ask about an address instead.")
        address, port, proto = gateway, 0, "icmp"
    outcomes = []
    for _ in range(PROBES):
        if proto == "tcp":
            outcomes.append(tcp_connect(address, port, limit=LIMIT, inside=inside))
        elif proto == "udp":
            outcomes.append(dns_query(address, port, "localhost", limit=LIMIT, inside=inside))
        else:
            outcomes.append(ping(address, limit=LIMIT, inside=inside))
    sent = [item for item in outcomes if item.sent]
    if not sent:
        raise ActionFailedError(f"Nothing could be sent: {outcomes[0].note}", "Run dnet-tui as root.")
    what = f"{_WORDS.get(proto, proto)} to {address}" + (f" port {port}" if port else "")
    answers = sum(item.outcome is ProbeOutcome.OK for item in sent)
    others = [f"{item.outcome.value}{f' ({item.note})' if item.note else ''}" for item in sent if item.outcome != "ok"]
    text = f"{len(sent)} {what}: {answers} answered" + (f"; {', '.join(dict.fromkeys(others))}" if others else "")
    return ProbeLine(text=text, good=answers == len(sent))


_WORDS = {"tcp": "TCP connections", "udp": "DNS questions over UDP", "icmp": "pings", "icmpv6": "pings"}


def save(name: str, text: str, folder: Path | None = None, clashes: Sequence[int] = range(2, 100)) -> str:
    """Write a text to a new file of its own, readable by its owner alone; return its path.

    Raises:
        ActionFailedError: it can't be written.
    """
    place = folder or Path.cwd()
    stem, _, suffix = name.rpartition(".")
    for candidate in (name, *(f"{stem}-{number}.{suffix}" for number in clashes)):
        path = place / candidate
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise ActionFailedError(
                f"{path} can't be written: {error.strerror}", "Start dnet-tui in another folder."
            ) from error
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
        return str(path)
    raise ActionFailedError(f"{name} and its numbered names are all taken in {place}", "Move the old ones away.")
