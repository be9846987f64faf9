"""``doctor --format json``: the published contract, every key always present.  Pure.

The contract is these types; ``docs/doctor.schema.json`` is generated from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from dnet_tui.diagnostics.flows.probes import Judgement, Method, Prediction, ProbeAnswer, Probed
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy, Risk, commands
from dnet_tui.diagnostics.report.finding import Finding, Outcome, Severity
from dnet_tui.diagnostics.report.report import FlowCounts, PolicyLine, Report, VerdictWord
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner, OwnerKind

Json = dict[str, Any]


class HostData(msgspec.Struct, frozen=True, kw_only=True):
    """The host that was examined."""

    hostname: str
    kernel: str


class EngineData(msgspec.Struct, frozen=True, kw_only=True):
    """A container engine; ``firewall`` is its backend, empty when unknown."""

    name: str
    version: str
    firewall: str


class SummaryData(msgspec.Struct, frozen=True, kw_only=True):
    """The report in numbers; ``checks`` counts by outcome."""

    verdict: VerdictWord
    errors: int
    warnings: int
    checks: dict[str, int]


class SkippedData(msgspec.Struct, frozen=True, kw_only=True):
    """A check that a person left out; ``by`` is the option or the file that said so."""

    id: str
    reason: str
    by: str


class FlowsData(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the flows that somebody promised pass, are stopped, or can't be decided."""

    ok: int
    broken: int
    unknown: int


class CheckData(msgspec.Struct, frozen=True, kw_only=True):
    """How one check ended."""

    id: str
    outcome: Outcome
    reason: str


class SubjectData(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding is about."""

    kind: str
    name: str


class OwnerData(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided something: an engine's network or port, a manager such as kube-router, the administrator."""

    kind: OwnerKind
    name: str


class FlowData(msgspec.Struct, frozen=True, kw_only=True, rename={"source": "from", "target": "to"}):
    """A flow that a finding concerns; ``wanted_by`` is who says that it ought to pass."""

    source: str
    target: str
    proto: str
    port: int | None
    wanted_by: OwnerData | None


class EvidenceData(msgspec.Struct, frozen=True, kw_only=True):
    """One observation; ``owner`` is whose rule it is, where it is one."""

    source: str
    what: str
    value: str
    expected: str
    owner: OwnerData | None


class RemedyData(msgspec.Struct, frozen=True, kw_only=True):
    """How to put it right; steps and undo are argument vectors.

    ``overrides`` is whose decision it would change: ``fix`` leaves it to that one unless told otherwise.
    """

    summary: str
    risk: Risk
    persists: bool
    steps: list[list[str]]
    undo: list[list[str]]
    overrides: OwnerData | None


class AffectedData(msgspec.Struct, frozen=True, kw_only=True):
    """A container, a network or a published port that a finding hits; ``kind`` says which."""

    kind: Literal["container", "network", "port"]
    name: str


class FindingData(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; ``caused_by`` is the id of the check whose fault brings it about.

    ``owner`` is who made the rule that decides, where one does; ``flows`` are those that it concerns.
    """

    check: str
    severity: Severity
    subject: SubjectData
    summary: str
    symptoms: list[str]
    evidence: list[EvidenceData]
    remedy: RemedyData | None
    caused_by: str | None
    affects: list[AffectedData]
    owner: OwnerData | None
    flows: list[FlowData]


class GapData(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read."""

    section: str
    scope: str
    reason: str
    hint: str


class ProbeData(msgspec.Struct, frozen=True, kw_only=True):
    """One real packet that was sent, or could not be: what the model predicted, and what came of it.

    ``port`` is 0 for a ping.  ``seconds`` is None when it wasn't sent.
    ``confirms`` is the id of the check that says the same, empty where the
    packet passes as it should.  ``answered_by`` is the address and port that
    answered a connection, where connection tracking on the host tells.
    """

    kind: str
    source: str
    target: str
    method: Method
    address: str
    port: int
    predicted: Prediction
    answer: ProbeAnswer
    seconds: float | None
    judgement: Judgement
    confirms: str
    reason: str
    answered_by: str = ""


class PolicyData(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that drops, rejects or redirects containers' packets.

    ``packets`` is its counter, None where it has none; ``lately`` the same in words, since an earlier snapshot.
    ``packet`` is one that it was proved to decide over, from ``sender``: both empty where it was not asked.
    """

    owner: OwnerData
    effect: str
    place: str
    text: str
    packets: int | None
    lately: str
    sender: str
    packet: str


class OwnChangeData(msgspec.Struct, frozen=True, kw_only=True):
    """A change of dnet-tui's own that a reboot would take away (lost-at-reboot) or that is left (left-behind)."""

    entry: str
    title: str
    state: str


class DoctorData(msgspec.Struct, frozen=True, kw_only=True):
    """The report of ``dnet-tui doctor --format json``, format 1.

    ``probes`` is there only with ``--probe``, ``policy`` only with ``--policy``, ``own_changes`` only where the
    journal of this host has any.
    """

    format: int
    tool_version: str
    taken_at: str
    host: HostData
    engines: list[EngineData]
    summary: SummaryData
    checks: list[CheckData]
    findings: list[FindingData]
    gaps: list[GapData]
    skipped: list[SkippedData]
    flows: FlowsData | None
    probes: list[ProbeData] | msgspec.UnsetType = msgspec.UNSET
    policy: list[PolicyData] | msgspec.UnsetType = msgspec.UNSET
    own_changes: list[OwnChangeData] | msgspec.UnsetType = msgspec.UNSET


def doctor_data(report: Report) -> Json:
    """The report as JSON-ready data in the contract's shape (``format`` 1)."""
    summary = report.summary
    data = DoctorData(
        format=report.format,
        tool_version=report.tool_version,
        taken_at=report.taken_at,
        host=HostData(hostname=report.host.hostname, kernel=report.host.kernel),
        engines=[EngineData(name=item.name, version=item.version, firewall=item.firewall) for item in report.engines],
        summary=SummaryData(
            verdict=summary.verdict, errors=summary.errors, warnings=summary.warnings, checks=summary.checks
        ),
        checks=[CheckData(id=item.id, outcome=item.outcome, reason=item.reason) for item in report.checks],
        findings=[_finding(finding) for finding in report.findings],
        gaps=[GapData(section=gap.section, scope=gap.scope, reason=gap.reason, hint=gap.hint) for gap in report.gaps],
        skipped=[SkippedData(id=item.id, reason=item.reason, by=item.by) for item in report.skipped],
        flows=_flows(report.flows),
        probes=msgspec.UNSET if report.probes is None else [_probe(item) for item in report.probes],
        policy=msgspec.UNSET if report.policy is None else [_policy(item) for item in report.policy],
        own_changes=[OwnChangeData(entry=item.entry, title=item.title, state=item.state) for item in report.own_changes]
        or msgspec.UNSET,
    )
    built: Json = msgspec.to_builtins(data)
    return built


def _flows(counts: FlowCounts | None) -> FlowsData | None:
    return None if counts is None else FlowsData(ok=counts.ok, broken=counts.broken, unknown=counts.unknown)


def _policy(item: PolicyLine) -> PolicyData:
    return PolicyData(
        owner=OwnerData(kind=item.owner.kind, name=item.owner.name),
        effect=item.effect,
        place=item.place,
        text=item.text,
        packets=item.packets,
        lately=item.counted,
        sender=item.sender,
        packet=item.packet,
    )


def _finding(finding: Finding) -> FindingData:
    return FindingData(
        check=finding.check,
        severity=finding.severity,
        subject=SubjectData(kind=finding.subject.kind, name=finding.subject.name),
        summary=finding.summary,
        symptoms=list(finding.symptoms),
        evidence=[
            EvidenceData(
                source=item.source,
                what=item.what,
                value=item.value,
                expected=item.expected,
                owner=_owner(item.owner),
            )
            for item in finding.evidence
        ],
        remedy=_remedy(finding.remedy) if finding.remedy is not None else None,
        caused_by=finding.caused_by,
        affects=[AffectedData(kind=item.kind, name=item.name) for item in finding.affects],
        owner=_owner(finding.owner),
        flows=[
            FlowData(
                source=flow.source,
                target=flow.target,
                proto=flow.proto,
                port=flow.port,
                wanted_by=_owner(flow.wanted_by),
            )
            for flow in finding.flows
        ],
    )


def _owner(owner: DecisionOwner | None) -> OwnerData | None:
    return OwnerData(kind=owner.kind, name=owner.name) if owner is not None else None


def _probe(item: Probed) -> ProbeData:
    probe, sent = item.probe, item.sent
    return ProbeData(
        kind=probe.kind,
        source=probe.source,
        target=probe.target,
        method=probe.method,
        address=probe.address,
        port=probe.port,
        predicted=probe.prediction,
        answer=sent.answer,
        seconds=None if sent.answer == "not-sent" else round(sent.seconds, 6),
        judgement=item.judgement,
        confirms=probe.confirms,
        reason=item.reason or sent.note,
        answered_by=sent.by,
    )


def _remedy(remedy: Remedy) -> RemedyData:
    return RemedyData(
        summary=remedy.summary,
        risk=remedy.risk,
        persists=remedy.persists,
        steps=_argvs(remedy.steps),
        undo=_argvs(remedy.undo),
        overrides=_owner(remedy.overrides),
    )


def _argvs(operations: Iterable[AnyOperation]) -> list[list[str]]:
    return [list(words) for words in commands(operations)]
