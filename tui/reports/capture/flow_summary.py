"""The end of a capture at several points: what was seen of each flow, answered and lost.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
from dnet_tui.inspect.capture.correlation.packet_identity import ICMP, ICMP6
from dnet_tui.inspect.capture.correlation.row_text import address_text, end_text
from dnet_tui.inspect.model.protocols import protocol_title
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.capture.packet_table import duration

MOST_FLOWS = 20


def flow_lines(flows: Sequence[CapturedFlow], names: Mapping[str, str], most: int = MOST_FLOWS) -> Iterator[str]:
    """A line for each connection, the busiest first."""
    begun = [flow for flow in flows if flow.reverse is None or flow.number < flow.reverse.number]
    begun.sort(key=_packets, reverse=True)
    for flow in islice(begun, most):
        yield _line(flow, names)
    if len(begun) > most:
        yield f"and {len(begun) - most} more flows"


def _packets(flow: CapturedFlow) -> int:
    return flow.packets + (flow.reverse.packets if flow.reverse is not None else 0)


def _line(flow: CapturedFlow, names: Mapping[str, str]) -> str:
    back = flow.reverse
    ends = flow.tuples[0]
    ports = ends.proto not in (ICMP, ICMP6)
    source, target = _end(ends.src, ends.sport * ports, names), _end(ends.dst, ends.dport * ports, names)
    words = [f"{protocol_title(ends.proto)} {source} > {target}:", _count(flow)]
    words.append(f"out, {_count(back)} back" if back is not None else "out, none back")
    if back is None and flow.syn_only:
        words.append("(SYN unanswered)")
    parts = [" ".join(words)]
    if flow.answered:
        parts.append(f"{flow.answered} answered")
    for one in (flow, back):
        if one is not None:
            parts += [f"{number} lost: {clean(why, 512)}" for why, number in one.lost.items()]
    if flow.round_trip_count:
        mean = flow.round_trip_sum // flow.round_trip_count
        parts.append(f"round trip {duration(flow.round_trip_min)} / {duration(mean)} / {duration(flow.round_trip_max)}")
    return ", ".join(parts)


def _end(address: bytes, port: int, names: Mapping[str, str]) -> str:
    name = names.get(address_text(address), "")
    return end_text(address, port) + (f" ({name})" if name else "")


def _count(flow: CapturedFlow) -> str:
    return f"{flow.packets} packet{'s' if flow.packets != 1 else ''} ({flow.size} bytes)"
