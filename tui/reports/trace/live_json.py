"""The ``live`` part of ``trace --format json``.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.trace.live_trace import Live, LiveHop, Met
from dnet_tui.tui.reports.trace.trace_types import LiveData, LiveHopData, LivePacketData, MetData


def live_data(live: Live) -> LiveData:
    """What the kernel did with the real packet, and whether the walk agrees (null: the walk couldn't say)."""
    return {
        "verdict": live.verdict,
        "delivered": live.delivered,
        "agrees": live.agrees,
        "contradictions": list(live.contradictions),
        "decided_by": live.decided,
        "answered": live.answered,
        "hops": [_hop(hop) for hop in live.hops],
        "reply": [_hop(hop) for hop in live.back],
        "notes": list(live.notes),
    }


def _hop(hop: LiveHop) -> LiveHopData:
    packet: LivePacketData = {"kind": hop.kind, "src": hop.src, "dst": hop.dst, "sport": hop.sport, "dport": hop.dport}
    return {
        "namespace": hop.place,
        "stage": hop.stage,
        "seen": hop.seen,
        "passed": hop.passed,
        "packet": packet if hop.seen else None,
        "rules": [_met(item) for item in hop.met],
        "walk": [{"verdict": item.verdict, "note": item.note} for item in hop.said],
    }


def _met(item: Met) -> MetData:
    return {
        "backend": item.backend,
        "family": item.family,
        "table": item.table,
        "chain": item.chain,
        "number": item.number,
        "text": item.text,
        "verdict": item.verdict,
        "to": item.to,
    }
