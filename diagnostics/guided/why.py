"""Why a flow does not pass, or that it does: steps, cause, whose decision it is, and what to do about it.  Pure."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.kept_apart import by_networks, is_by_design, whose_design
from dnet_tui.diagnostics.guided.steps import Step, decider_words, starting_step, steps_of
from dnet_tui.diagnostics.operations.base import Operation
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import PROGRAMS
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.trace import trace as run_trace
from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Truth
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import NotSeen

_ADMINISTRATOR = "the administrator of this host"


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A guided check's answer.

    ``passes`` is None where it can't be told.  ``owner`` says whose decision
    stops it, in words; empty where nobody decided that.  ``findings`` are
    those of the doctor's that name the same element.
    """

    trace: Trace
    steps: tuple[Step, ...]
    passes: Truth
    cause: str = ""
    owner: str = ""
    remedy: Remedy | None = None
    findings: tuple[Finding, ...] = ()


def why(case: HostContext, trace: Trace, report: Report) -> Why:
    """Explain a trace, with what the doctor found on the same snapshot."""
    passes = trace.arrives if trace.forward.end != "refused" else False
    steps = tuple(_steps(case, trace))
    if passes is True:
        return Why(trace=trace, steps=steps, passes=True)
    by = trace.decided_by
    named = tuple(item for item in report.findings if by is not None and _names(item, by))
    stopping = trace.forward if trace.forward.arrives is not True or trace.answer is None else trace.answer
    packet = stopping.obstacles[0].packet if stopping.obstacles else stopping.last
    remedy = by_networks(case, trace) or _curing(case, trace, named)
    if remedy is None and by is not None and by.rule is not None and passes is False:
        remedy = _command(by.rule, packet)
    if remedy is None and trace.forward.end == "refused":
        remedy = _listening(trace)
    return Why(
        trace=trace,
        steps=steps,
        passes=passes,
        cause=_cause(trace, by),
        owner=_owner(case, trace, by),
        remedy=remedy,
        findings=named,
    )


def _curing(case: HostContext, trace: Trace, named: tuple[Finding, ...]) -> Remedy | None:
    """The remedy of a finding by which this very flow passes; else advice that can't be tried out."""
    advice = None
    for finding in named:
        remedy = finding.remedy
        if remedy is None:
            continue
        if not any(type(step).effect is not Operation.effect for step in remedy.steps):
            advice = advice or remedy  # nothing is known of what it changes
            continue
        with suppress(DnetError, ValueError, NotSeen):
            changed = HostContext(after(case.snapshot, remedy.steps))
            start = trace.forward.start
            proto: TraceProtocol = "tcp" if start.proto == "tcp" else "udp" if start.proto == "udp" else "icmp"
            again = run_trace(changed, trace.source, trace.target, proto=proto, port=start.dport or 0)
            if again.arrives is not False:
                return remedy
    return advice


def _steps(case: HostContext, trace: Trace) -> list[Step]:
    every = [step for place in (trace.source, trace.target) if (step := starting_step(case, place)) is not None]
    every += steps_of(case, trace.forward)
    if trace.relay is not None:
        every += steps_of(case, trace.relay.forward, way="Proxy: ")
        if trace.relay.answer is not None:
            every += steps_of(case, trace.relay.answer, way="Answer to the proxy: ")
    if trace.answer is not None and trace.forward.end != "refused":
        every += steps_of(case, trace.answer, way="Answer: ")
    return every


def _cause(trace: Trace, by: Decider | None) -> str:
    text = decider_words(by) if by is not None else trace.verdict
    return f"{trace.why} ({text})" if trace.why and text else trace.why or text


def _names(finding: Finding, by: Decider) -> bool:
    """Whether a finding's evidence or subject is the element that decides."""
    text = by.rule.text if by.rule is not None else by.text
    if by.rule is not None:
        place = f"{by.rule.table} {by.rule.chain}" + (f" rule {by.rule.number}" if by.rule.number else "")
        return any(item.what == place and item.value.startswith(text) for item in finding.evidence)
    link = by.link
    subject = finding.subject
    return (
        any(text in {item.what, item.value} for item in finding.evidence)
        or text == subject.name
        or (bool(link) and subject.kind == "link" and subject.name == link)
    )


def _owner(case: HostContext, trace: Trace, by: Decider | None) -> str:
    """Whose decision it is that stops the packet."""
    if is_by_design(trace):
        return whose_design(case, trace)
    if by is None:
        return ""
    if by.rule is not None:
        owner = iptables_layout.owner_of(case, by.rule)
        return owner or _ADMINISTRATOR
    if by.kind in {"sysctl", "route"}:
        return f"{_ADMINISTRATOR} ({by.kind})" if by.kind == "sysctl" else ""
    return ""


def _command(rule: RuleRef, packet: Packet) -> Remedy | None:
    """The narrowest accept before the rule that stops it: for its owner to decide."""
    program = PROGRAMS.get((rule.backend, rule.family))
    chain, number = rule.chain, rule.number or 1
    words = ["-s", packet.src, "-d", packet.dst, "-p", packet.proto]
    words += ["--dport", str(packet.dport)] if packet.proto in {"tcp", "udp"} and packet.dport else []
    words += ["-j", "ACCEPT"]
    if program is None:
        note = f"In table {rule.family} {rule.table}, before that rule of chain {chain}"
        return Remedy(summary="Accept it before the rule that stops it", risk="manual", note=note)
    argv = (program, "-w", "-t", rule.table, "-I", chain, str(number), *words)
    return Remedy(
        summary="Accept it before the rule that stops it: this is its owner's to decide",
        steps=(ByHand(argv=argv),),
        undo=(ByHand(argv=(program, "-w", "-t", rule.table, "-D", chain, *words)),),
        risk="manual",
    )


def _listening(trace: Trace) -> Remedy:
    last = trace.forward.last
    return Remedy(
        summary=f"Start what should listen on {last.proto} port {last.dport} there, on {last.dst} or all addresses",
        risk="manual",
        note="Its own configuration decides this (bind, host or listen address)",
    )
