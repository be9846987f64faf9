"""Why a flow does not pass, or that it does: steps, cause, whose decision it is, and what to do about it.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.checks.host.app_listen import ID as NOBODY_LISTENS
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.explaining import Explanation, explanation, led_by, names_rule, stopping
from dnet_tui.diagnostics.guided.kept_apart import by_networks, is_by_design, whose_design
from dnet_tui.diagnostics.guided.steps import Step, decider_words, starting_step, steps_of
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import PROGRAMS
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS
from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Truth
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

_ADMINISTRATOR = "the administrator of this host"
_NOBODYS = "nobody: it is the kernel's setting, which nobody else manages"


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """A guided check's answer.

    ``passes`` is None where it can't be told.  ``owner`` says whose decision
    stops it, in words; empty where nobody decided that.  ``explained_by`` is
    the doctor's finding that ``cause`` and ``remedy`` come from, if one does;
    ``findings`` are that one and those that name the same element.
    """

    trace: Trace
    steps: tuple[Step, ...]
    passes: Truth
    cause: str = ""
    owner: str = ""
    remedy: Remedy | None = None
    explained_by: Finding | None = None
    findings: tuple[Finding, ...] = ()


def why(case: HostContext, trace: Trace, report: Report) -> Why:
    """Explain a trace, with what the doctor found on the same snapshot."""
    passes = trace.arrives if trace.forward.end != "refused" else False
    steps = tuple(_steps(case, trace))
    if passes is True:
        return Why(trace=trace, steps=steps, passes=True)
    by = trace.decided_by
    walk = stopping(trace)
    packet = walk.obstacles[0].packet if walk.obstacles else walk.last
    found = explanation(case, trace, report) if not is_by_design(trace) else None
    remedy = by_networks(case, trace) or (found.remedy if found is not None else None)
    if remedy is None and by is not None and by.rule is not None and walk.obstacles and passes is False:
        remedy = _command(by.rule, packet) if walk.obstacles[0].stage != NOBODY_ANSWERS else None
    if remedy is None and found is None and trace.forward.end == "refused" and led_by(trace) is None:
        remedy = _listening(trace)
    named = [item for item in report.findings if by is not None and _names(item, by)]
    related = [found.finding, *(item for item in named if item != found.finding)] if found is not None else named
    return Why(
        trace=trace,
        steps=steps,
        passes=passes,
        cause=found.finding.summary if found is not None else _cause(trace, by),
        owner=_owner(case, trace, found),
        remedy=remedy,
        explained_by=found.finding if found is not None else None,
        findings=tuple(related),
    )


def _steps(case: HostContext, trace: Trace) -> list[Step]:
    every = [step for place in (trace.source, trace.target) if (step := starting_step(case, place)) is not None]
    every += steps_of(case, trace.forward)
    if trace.relay is not None:
        every += steps_of(case, trace.relay.forward, way="Proxy: ", leg="proxy")
        if trace.relay.answer is not None:
            every += steps_of(case, trace.relay.answer, way="Answer to the proxy: ", leg="proxy-answer")
    if trace.answer is not None and trace.forward.end != "refused":
        every += steps_of(case, trace.answer, way="Answer: ", leg="answer")
    stopped = trace.stopped_later
    if stopped is not None:
        every += steps_of(case, stopped.walk, way=f"{stopped.kind.capitalize()}: ", leg="later")
    return every


def _cause(trace: Trace, by: Decider | None) -> str:
    text = decider_words(by) if by is not None else trace.verdict
    return f"{trace.why} ({text})" if trace.why and text else trace.why or text


def _names(finding: Finding, by: Decider) -> bool:
    """Whether a finding's evidence or subject is the element that decides."""
    if by.rule is not None:
        return names_rule(finding, by.rule)
    link = by.link
    subject = finding.subject
    return (
        any(by.text in {item.what, item.value} for item in finding.evidence)
        or by.text == subject.name
        or (bool(link) and subject.kind == "link" and subject.name == link)
    )


def _owner(case: HostContext, trace: Trace, found: Explanation | None) -> str:
    """Whose decision it is that stops the packet; empty where nobody's is."""
    if is_by_design(trace):
        return whose_design(case, trace)
    by = trace.decided_by
    rule = (by.rule if by is not None else None) or led_by(trace)
    if rule is not None and (found is None or found.finding.check != NOBODY_LISTENS):
        return iptables_layout.owner_of(case, rule) or _ADMINISTRATOR
    if found is not None and found.finding.owner is not None:
        return _ADMINISTRATOR if found.finding.owner == ADMINISTRATOR else found.finding.owner.whose
    if by is not None and by.kind == "sysctl":
        ours = found is not None and found.remedy is not None and is_for_fix(found.remedy)
        return _NOBODYS if ours else f"{_ADMINISTRATOR} (sysctl)"
    return ""


def is_for_fix(remedy: Remedy) -> bool:
    """Whether ``fix`` applies a remedy without that it changes what somebody decided."""
    return remedy.risk != "manual" and remedy.overrides is None


def _command(rule: RuleRef, packet: Packet) -> Remedy | None:
    """The narrowest accept before the rule that stops it: for its owner to decide."""
    program = PROGRAMS.get((rule.backend, rule.family))
    chain, number = rule.chain, rule.number or 1
    words = ["-s", packet.src, "-d", packet.dst, "-p", packet.proto]
    words += ["--dport", str(packet.dport)] if packet.proto in {"tcp", "udp"} and packet.dport else []
    words += ["-j", "ACCEPT"]
    if program is None:
        note = f"In table {rule.family} {rule.table}, before that rule of chain {chain}"
        return Remedy(summary="Yours to decide: accept it before the rule that stops it", risk="manual", note=note)
    argv = (program, "-w", "-t", rule.table, "-I", chain, str(number), *words)
    return Remedy(
        summary="Yours to decide: accept it before the rule that stops it",
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
