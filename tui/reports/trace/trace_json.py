"""A trace as data, in the shape of the published ``trace --format json`` contract.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.trace.reception import Relay, way_out
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.walk.l2.tunnels import ref_text
from dnet_tui.diagnostics.walk.later_packets import LaterPacket
from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Hop, Packet, RuleRef, Walk
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.trace.headline import headline
from dnet_tui.tui.reports.trace.trace_types import (
    BeyondData,
    DeciderData,
    HedgeData,
    HopData,
    LeavingData,
    LeftData,
    RelayData,
    SizedData,
    TraceData,
    TracePacketData,
    TraceRuleData,
    WayData,
)

FORMAT = 1
"""Version of ``trace --format json``."""


def trace_data(trace: Trace, view: View) -> TraceData:
    """The trace: its verdict, what decides, every hop, the answer's way back and what could not be decided."""
    walks = [trace.forward] + ([trace.answer] if trace.answer is not None else [])
    walks += [item.walk for item in trace.later]
    relay = trace.relay
    while relay is not None:
        walks += [way for way in (relay.forward, relay.answer) if way is not None]
        walks += [item.walk for item in relay.later]
        relay = relay.next
    return {
        "format": FORMAT,
        "from": trace.source.label,
        "to": trace.target.label,
        "verdict": trace.verdict,
        "summary": headline(trace, view),
        "why": trace.why,
        "assumed": trace.assumed,
        "end": trace.forward.end,
        "received_by": trace.received_by,
        "intended": trace.intended,
        "answer": trace.answer_state,
        "decided_by": _decider(trace.decided_by, view),
        **_way_out(trace.forward, view),
        "hops": [_hop(hop, view) for hop in trace.forward.hops],
        "reply": _reply(trace.answer, view) if trace.answer is not None else None,
        **_later(trace.later, view),
        **_relay(trace.relay, view),
        **_size(trace, view),
        "hedges": [_hedge(hedge, view) for hedge in trace.hedges],
        "unknowns": [
            {"stage": item.stage, "text": item.by.text}
            for walk in walks
            for item in walk.obstacles
            if item.end == "unknown"
        ],
    }


def _hedge(hedge: Hedge, view: View) -> HedgeData:
    """What was taken for granted: a rate that isn't exceeded, a list as it was; with the rule that asks for it."""
    rule = _rule(hedge.rule) if hedge.rule is not None else None
    return {"text": hedge.text, "namespace": view.label(hedge.namespace), "rule": rule}


def _relay(relay: Relay | None, view: View) -> BeyondData:
    """The connection of a proxy that took this one; nothing where none did."""
    if relay is None:
        return {}
    data: RelayData = {
        "pid": relay.proxy.pid,
        "program": relay.program,
        "certain": relay.certain,
        "to": relay.to,
        **_reply(relay.forward, view),
        "reply": _reply(relay.answer, view) if relay.answer is not None else None,
        **_later(relay.later, view),
        **_relay(relay.next, view),
    }
    return {"relay": data}


def _later(later: tuple[LaterPacket, ...], view: View) -> BeyondData:
    """The connection's later packets that were walked; nothing where none had to be."""
    if not later:
        return {}
    return {
        "later": [{"packet": item.kind, "size": item.walk.start.length, **_reply(item.walk, view)} for item in later]
    }


def _size(trace: Trace, view: View) -> SizedData:
    """What is said of a packet with a size; nothing of one that has none."""
    start = trace.forward.start
    if not start.length:
        return {}
    told = _reply(trace.told, view) if trace.told is not None else None
    return {"size": start.length, "df": start.df, "told": told}


def _reply(walk: Walk, view: View) -> WayData:
    return {
        "verdict": walk.end,
        "decided_by": _decider(walk.decided_by, view),
        **_way_out(walk, view),
        "hops": [_hop(hop, view) for hop in walk.hops],
    }


def _way_out(walk: Walk, view: View) -> LeavingData:
    """By what it left what can be seen, and in which tunnels; nothing of one that didn't."""
    if walk.end != "left":
        return {}
    link, where = way_out(view, walk)
    data: LeftData = {"interface": link, "to": where.removeprefix("to ").removeprefix("into ")}
    if walk.wire is not None:
        data["tunnels"] = [{"interface": ref_text(view, item.tunnel), "to": item.where} for item in walk.carried]
        data["outer"] = _packet(walk.wire)
    return {"left": data}


def _decider(by: Decider | None, view: View) -> DeciderData | None:
    if by is None:
        return None
    data: DeciderData = {"kind": by.kind, "text": by.text, "namespace": view.label(by.namespace)}
    if by.value:
        data["value"] = by.value
    if by.link:
        data["interface"] = by.link
    if by.rule is not None:
        data["rule"] = _rule(by.rule)
    return data


def _hop(hop: Hop, view: View) -> HopData:
    data: HopData = {
        "namespace": view.label(hop.namespace),
        "interface": hop.interface,
        "stage": hop.stage,
        "packet": _packet(hop.packet),
        "verdict": hop.verdict,
        "rule": _rule(hop.rule) if hop.rule is not None else None,
        "note": hop.note,
    }
    if hop.outer:
        data["outer"] = True
    return data


def _packet(packet: Packet) -> TracePacketData:
    return {
        "src": packet.src,
        "dst": packet.dst,
        "proto": packet.proto,
        "sport": packet.sport,
        "dport": packet.dport,
    }


def _rule(ref: RuleRef) -> TraceRuleData:
    return {
        "backend": ref.backend,
        "family": ref.family,
        "table": ref.table,
        "chain": ref.chain,
        "number": ref.number,
        "text": ref.text,
    }
