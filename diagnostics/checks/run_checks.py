"""The doctor: all checks over one snapshot, into one report.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.decisions.policy_lines import policy_lines
from dnet_tui.diagnostics.checks.framework.affected import affected
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import FALLBACK, BlockedFlows, CheckContext, element
from dnet_tui.diagnostics.checks.framework.ownership import with_owners
from dnet_tui.diagnostics.checks.host import drops_growing, flow_blocked
from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.diagnostics.report.causality import ordered, with_causes
from dnet_tui.diagnostics.report.families import merged
from dnet_tui.diagnostics.report.finding import CheckResult, Finding
from dnet_tui.diagnostics.report.masked_faults import hidden
from dnet_tui.diagnostics.report.report import REPORT_FORMAT, FlowCounts, Report, summarise
from dnet_tui.diagnostics.walk.packet import Decider, RuleRef
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.sections import NotSeen, known_items, lacks_of
from dnet_tui.inspect.model.view import View


def run_checks(
    snapshot: Snapshot,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    focus: str = "",
    catalogue: tuple[Check, ...] = CATALOGUE,
    probes: tuple[Probed, ...] | None = None,
    before: Snapshot | None = None,
    policy: bool = False,
) -> Report:
    """Run the checks (``only`` those, without ``skip``) and report.

    ``focus`` keeps the findings whose subject, evidence or summary speaks of
    that container or network; the checks' outcomes stay those of the host.
    ``probes`` is what real packets said; None when none were sent, and then
    the checks that judge them are left out.  ``before`` is an earlier snapshot
    of the same host; without one those that judge its counters are.
    ``policy``: list every rule that decides over containers' packets.
    """
    chosen = tuple(
        check
        for check in catalogue
        if (not only or check.id in only)
        and check.id not in skip
        and (probes is not None or not check.probing)
        and (before is not None or not check.comparing)
    )
    sent = probes or ()
    ctx = examination(snapshot, catalogue, sent, before)
    results, findings = _findings(ctx, chosen)
    explains = {check.id: check.explains for check in catalogue}

    def anew(other: Snapshot) -> list[Finding]:
        return _findings(examination(other, catalogue, sent, before, asks_rules=False), chosen)[1]

    def ranked(found: Sequence[Finding], of: Snapshot) -> list[Finding]:
        return with_causes(found, lambda check: explains.get(check, ()), of, anew)

    findings = ranked(findings, snapshot)
    findings = ordered([*findings, *hidden(findings, snapshot, anew, ranked)])
    results = _with_hidden(results, findings)
    if focus:
        findings = [finding for finding in findings if _speaks_of(finding, focus)]
    return Report(
        format=REPORT_FORMAT,
        tool_version=snapshot.tool_version,
        taken_at=snapshot.taken_at,
        host=snapshot.host,
        engines=known_items(snapshot.engines),
        summary=summarise(results, findings),
        checks=tuple(results),
        findings=tuple(findings),
        gaps=snapshot.gaps,
        probes=probes,
        policy=policy_lines(ctx) if policy else None,
        flows=_flow_counts(ctx),
    )


def _flow_counts(ctx: CheckContext) -> FlowCounts | None:
    try:
        ends = Counter(flow.arrives for flow in ctx.flows if flow.expected)
    except NotSeen:
        return None
    return FlowCounts(ok=ends[True], broken=ends[False], unknown=ends[None])


def _with_hidden(results: list[CheckResult], findings: list[Finding]) -> list[CheckResult]:
    """The outcomes, where what is hidden behind another fault counts as found."""
    found = {finding.check for finding in findings}
    return [
        CheckResult(id=result.id, outcome="found") if result.id in found and result.outcome == "ok" else result
        for result in results
    ]


def examination(
    snapshot: Snapshot,
    catalogue: tuple[Check, ...] = CATALOGUE,
    probes: tuple[Probed, ...] = (),
    before: Snapshot | None = None,
    *,
    asks_rules: bool = True,
) -> CheckContext:
    """A snapshot's examination; obstacles are shared out among the whole catalogue."""
    owners = tuple((check.id, check.owns) for check in catalogue if check.owns is not None)
    return CheckContext(snapshot, owners, probes, before, asks_rules=asks_rules)


def _findings(ctx: CheckContext, chosen: tuple[Check, ...]) -> tuple[list[CheckResult], list[Finding]]:
    """The chosen checks' results, whoever else of the catalogue would have had something to say."""
    results: list[CheckResult] = []
    findings: list[Finding] = []
    for check in chosen:
        result, found = _run(check, ctx)
        results.append(result)
        findings += found
    unowned = [item for item in chosen if item.id == FALLBACK]
    if unowned and not all(result.outcome == "not-applicable" for result in results):
        silent = {result.id for result in results if result.outcome == "ok"} - {FALLBACK}
        orphaned: list[Finding] = []
        with ctx.case.noting():
            orphaned += [flow_blocked.finding(ctx.case, blocked) for blocked in _left_unsaid(ctx, silent, findings)]
            named = {finding.check for finding in (*findings, *orphaned)}
            orphaned += flow_blocked.of_probes(ctx.probes, named)
        findings += _with_affected(ctx, [with_owners(ctx.case, item) for item in orphaned])
        results = [
            CheckResult(id=FALLBACK, outcome="found") if orphaned and result.id == FALLBACK else result
            for result in results
        ]
    names: list[str] = []
    with ctx.case.noting():
        names += [network.name for network in ctx.case.networks]
    findings = merged(findings, names)
    kept = drops_growing.unexplained(findings)
    if len(kept) != len(findings) and not any(finding.check == drops_growing.ID for finding in kept):
        results = [CheckResult(id=item.id, outcome="ok") if item.id == drops_growing.ID else item for item in results]
    return results, kept


def _left_unsaid(ctx: CheckContext, silent: set[str], findings: Sequence[Finding]) -> Iterator[BlockedFlows]:
    """Obstacles that a check claimed and then found nothing to say of, though they stop a flow that nothing explains.

    A claim without a finding would hide the obstacle: then the fallback tells it.
    """
    telling = {finding.check for finding in findings}
    seen: set[Decider | RuleRef] = set()
    for flow in ctx.flows:
        owners = [(ctx.owner(obstacle), obstacle) for _, obstacle in flow.obstacles] if flow.expected else []
        if any(owner in telling for owner, _ in owners):
            continue
        for owner, obstacle in owners:
            if owner not in silent or obstacle.end == "unknown" or element(obstacle) in seen | ctx.unexplained:
                continue
            seen.add(element(obstacle))
            yield from (item for item in ctx.blocked_by(owner) if element(item.obstacle) == element(obstacle))


def _run(check: Check, ctx: CheckContext) -> tuple[CheckResult, list[Finding]]:
    """One check, contained: whatever goes wrong in it concerns it alone.

    What it needs follows from what it touches: what it found before it came to something that was not read is
    found all the same, but "nothing found" is not "all well" then.
    """
    said: list[Finding | Undecided] = []
    ctx.case.unseen = []
    try:
        with ctx.case.noting():
            if not check.anywhere and not ctx.case.networks and not _missing(ctx):
                return CheckResult(id=check.id, outcome="not-applicable", reason="no container bridge network here"), []
            said.extend(_owned(ctx, check.find(ctx)))  # item by item: what was said before it stops is kept
    except Exception as error:  # noqa: BLE001 - a check that crashes is a result, the others go on
        return CheckResult(id=check.id, outcome="crashed", reason=f"{type(error).__name__}: {error}"), []
    found = [item for item in said if isinstance(item, Finding)]
    if found:
        return CheckResult(id=check.id, outcome="found", reason=""), _with_affected(ctx, found)
    unsure = [item.reason for item in said if isinstance(item, Undecided)]
    view = ctx.case.view
    unseen = [item.text(view.label(item.scope) if item.scope else "") for item in ctx.case.unseen]
    reasons = [*unsure, *unseen, *ctx.gaps_met(check.hidden_by), *_missing(ctx)]
    return CheckResult(id=check.id, outcome="unknown" if reasons else "ok", reason=next(iter(reasons), "")), []


def _with_affected(ctx: CheckContext, found: Sequence[Finding]) -> list[Finding]:
    """Findings with whom they hit, as far as that was seen."""
    done = []
    for finding in found:
        hit = finding.affects
        with ctx.case.noting():
            hit = tuple(dict.fromkeys((*hit, *affected(ctx, finding, alone=len(found) == 1))))
        done.append(msgspec.structs.replace(finding, affects=hit))
    return done


def _owned(ctx: CheckContext, said: Iterable[Finding | Undecided]) -> Iterator[Finding | Undecided]:
    for item in said:
        yield with_owners(ctx.case, item) if isinstance(item, Finding) else item


def _missing(ctx: CheckContext) -> list[str]:
    """What may be missing altogether: containers and networks of which nobody told, with what they are meant for."""
    snapshot = ctx.case.snapshot
    if ctx.case.view.host is None:
        return ["the host's own namespace is not in the snapshot"]
    whole = (("engine", snapshot.engines), ("networks", snapshot.networks))
    parts = (("containers", snapshot.containers), ("namespaces", snapshot.namespaces))
    lacks = [(section, lack) for section, items in whole for lack in lacks_of(items)]
    lacks += [(section, lack) for section, items in parts for lack in lacks_of(items) if not lack.scope]
    view = ctx.case.view
    # A port that leads out of sight concerns who rests on its bridge's containers (see Case.members); another link all.
    lacks += [("namespaces", lack) for lack in lacks_of(snapshot.namespaces) if _has_loose_link(view, lack.scope)]
    return [f"{view.label(lack.scope) if lack.scope else section}: {lack.reason}" for section, lack in lacks]


def _has_loose_link(view: View, namespace: str) -> bool:
    """Whether a link of a namespace leads out of sight, and is neither its way out nor a port on the host."""
    ns = view.namespaces.get(namespace)
    if ns is None:
        return False
    try:
        ways_out = {link.ifindex for link in view.uplinks(ns.id)}
    except NotSeen:
        ways_out = set()
    return any(
        link.leads_out_of_sight
        and (ns.kind != "host" or link.master is None)
        and (link.master is not None or link.ifindex not in ways_out)
        for link in known_items(ns.links)
    )


def _speaks_of(finding: Finding, name: str) -> bool:
    texts = [finding.subject.name, finding.summary, *(f"{item.what} {item.value}" for item in finding.evidence)]
    return any(name in text.replace(",", " ").replace("(", " ").split() for text in texts)
