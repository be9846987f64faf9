"""Flows that a person means: one that fails is an error with its cause and its remedy.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.why import Why, why
from dnet_tui.diagnostics.report.causality import SEVERITIES, ordered
from dnet_tui.diagnostics.report.finding import Affected, CheckResult, Evidence, Finding, Subject
from dnet_tui.diagnostics.report.report import Report, summarise
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import trace as run_trace
from dnet_tui.inspect.errors import DnetError, UsageError

CHECK = "flow-blocked"
"""The check whose finding a flow is that fails."""

_FORM = re.compile(
    r"(?P<source>(?!->|→)\S+?)(?:\s*(?:->|→)\s*|\s+)(?P<target>(?!->|→)[^\s/]+)(?:/(?P<proto>tcp|udp|icmp))?"
)
_SHOWN = 4


class MeantFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as a person wrote it: ``web -> db:5432/tcp``."""

    text: str
    source: str
    target: str
    proto: TraceProtocol = "tcp"
    declared_by: str = ""
    """The file that demands it; one of its places may not be there today."""
    reason: str = ""


def parse(text: str) -> MeantFlow:
    """Read a flow.

    Raises:
        UsageError: it isn't of the form ``FROM -> TO[:PORT][/PROTO]``.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"not a flow: {text!r}", 'write it as "web -> db:5432" or "web -> 203.0.113.10:53/udp"')
    proto = found["proto"]
    chosen: TraceProtocol = "udp" if proto == "udp" else "icmp" if proto == "icmp" else "tcp"
    return MeantFlow(text=text.strip(), source=found["source"], target=found["target"], proto=chosen)


def with_flows(case: HostContext, report: Report, flows: Iterable[MeantFlow]) -> Report:
    """A report with a finding for each of these flows that fails, and "unknown" where that can't be told.

    Raises:
        UsageError, CannotInspectError: a place of a flow isn't there, or was not seen.
    """
    findings = list(report.findings)
    unsure: list[str] = []
    failing = False
    for flow in flows:
        try:
            ends = find(case, flow.source), find(case, flow.target)
        except DnetError as error:
            if not flow.declared_by:
                raise
            unsure.append(f"{flow.text} ({flow.declared_by}): {error}")
            continue
        trace = run_trace(case, *ends, proto=flow.proto)
        answer = why(case, trace, report)
        if answer.passes is None:
            unsure.append(f"{flow.text}: {answer.cause}")
        elif not answer.passes:
            failing = True
            findings.append(_finding(flow, answer))
    checks = list(report.checks)
    if failing or unsure:
        result = CheckResult(id=CHECK, outcome="found" if failing else "unknown", reason="" if failing else unsure[0])
        known = next((item for item in checks if item.id == CHECK), None)
        checks = [item for item in checks if item.id != CHECK]
        checks.append(known if known is not None and known.outcome == "found" and not failing else result)
    return msgspec.structs.replace(
        report,
        findings=tuple(ordered(findings)),
        checks=tuple(checks),
        summary=summarise(checks, findings),
    )


def _gravity(finding: Finding) -> int:
    return SEVERITIES[finding.severity]


def _finding(flow: MeantFlow, answer: Why) -> Finding:
    stops = [step for step in answer.steps if step.outcome != "ok"]
    causes = [answer.explained_by] if answer.explained_by is not None else sorted(answer.findings, key=_gravity)
    roots = [item for item in causes if item.check != CHECK]
    containers = (answer.trace.source.container, answer.trace.target.container)
    shown = [
        Evidence(source=step.looked_at, what=f"{step.place}: {step.title}", value="; ".join(step.found[:_SHOWN]))
        for step in stops
    ]
    if flow.declared_by:
        shown.append(Evidence(source=flow.declared_by, what="must pass", value=flow.reason or flow.text))
    shown += [Evidence(source="rule owners", what="decided by", value=answer.owner)] if answer.owner else []
    return Finding(
        check=CHECK,
        severity="error",
        subject=Subject(kind="flow", name=flow.text),
        summary=f"{flow.text}, which is meant to pass, does not: {answer.cause}",
        evidence=tuple(shown),
        # `fix` examines the host without this flow: what helps is for a person to run.
        remedy=msgspec.structs.replace(answer.remedy, risk="manual") if answer.remedy is not None else None,
        caused_by=roots[0].check if roots else None,
        affects=tuple(Affected(kind="container", name=item.name) for item in containers if item is not None),
    )
