"""The doctor: all checks over one snapshot, into one report.  Pure."""

from __future__ import annotations

from collections.abc import Collection

from dnet_tui.diagnostics.checks.base import Check, Undecided
from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import CheckResult, Finding
from dnet_tui.diagnostics.probes import Probed
from dnet_tui.diagnostics.ranking import with_causes
from dnet_tui.diagnostics.report import REPORT_FORMAT, Report, summarise
from dnet_tui.inspect.firewall import Firewall, Opaque
from dnet_tui.inspect.model import Snapshot


def examine(
    snapshot: Snapshot,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    focus: str = "",
    catalogue: tuple[Check, ...] = CATALOGUE,
    probes: tuple[Probed, ...] | None = None,
) -> Report:
    """Run the checks (``only`` those, without ``skip``) and report.

    ``focus`` keeps the findings whose subject, evidence or summary speaks of
    that container or network; the checks' outcomes stay those of the host.
    ``probes`` is what real packets said; None when none were sent, and then
    the checks that judge them are left out.
    """
    chosen = tuple(
        check
        for check in catalogue
        if (not only or check.id in only) and check.id not in skip and (probes is not None or not check.probing)
    )
    sent = probes or ()
    results, findings = _findings(snapshot, catalogue, chosen, sent)
    explains = {check.id: check.explains for check in catalogue}
    findings = with_causes(
        findings,
        lambda check: explains.get(check, ()),
        snapshot,
        lambda other: _findings(other, catalogue, chosen, sent)[1],
    )
    if focus:
        findings = [finding for finding in findings if _speaks_of(finding, focus)]
    return Report(
        format=REPORT_FORMAT,
        tool_version=snapshot.tool_version,
        taken_at=snapshot.taken_at,
        host=snapshot.host,
        engines=snapshot.engines,
        summary=summarise(results, findings),
        checks=tuple(results),
        findings=tuple(findings),
        gaps=snapshot.gaps,
        probes=probes,
    )


def examination(
    snapshot: Snapshot, catalogue: tuple[Check, ...] = CATALOGUE, probes: tuple[Probed, ...] = ()
) -> Examination:
    """A snapshot's examination; obstacles are shared out among the whole catalogue."""
    owners = tuple((check.id, check.owns) for check in catalogue if check.owns is not None)
    return Examination(snapshot, owners, probes)


def _findings(
    snapshot: Snapshot, catalogue: tuple[Check, ...], chosen: tuple[Check, ...], probes: tuple[Probed, ...]
) -> tuple[list[CheckResult], list[Finding]]:
    """The chosen checks' results, whoever else of the catalogue would have had something to say."""
    exam = examination(snapshot, catalogue, probes)
    results: list[CheckResult] = []
    findings: list[Finding] = []
    for check in chosen:
        result, found = _run(check, exam)
        results.append(result)
        findings += found
    return results, findings


def _run(check: Check, exam: Examination) -> tuple[CheckResult, list[Finding]]:
    """One check, contained: whatever goes wrong in it concerns it alone."""
    missing = _missing(check, exam)
    if not exam.case.networks and not missing:
        return CheckResult(id=check.id, outcome="not-applicable", reason="no container bridge network here"), []
    try:
        said = list(check.find(exam))
    except Exception as error:  # noqa: BLE001 - a check that crashes is a result, the others go on
        return CheckResult(id=check.id, outcome="crashed", reason=f"{type(error).__name__}: {error}"), []
    found = [item for item in said if isinstance(item, Finding)]
    unsure = [item.reason for item in said if isinstance(item, Undecided)]
    if found:
        return CheckResult(id=check.id, outcome="found", reason=""), found
    if missing or unsure:
        return CheckResult(id=check.id, outcome="unknown", reason=(unsure or missing)[0]), []
    return CheckResult(id=check.id, outcome="ok"), []


def _missing(check: Check, exam: Examination) -> list[str]:
    """The gaps that cover what a check needs: sections of the host's namespace, and the engines' intentions."""
    view = exam.case.view
    scope = view.host.id if view.host is not None else ""
    if view.host is None:
        return ["the host's own namespace is not in the snapshot"]
    # What is undecidable within a firewall is marked there, rule by rule and table by table: the walk respects it.
    needs = [section for section in check.needs if section != "firewall" or not _says_what_it_lacks(view.host.firewall)]
    reasons = [f"{section}: {gap.reason}" for section in needs for gap in view.gaps(section, scope)]
    intentions = [
        f"{gap.scope or gap.section}: {gap.reason}"
        for gap in exam.case.snapshot.gaps
        if gap.section in {"engine", "networks"} or (gap.section in {"containers", "namespaces"} and not gap.scope)
    ]
    return reasons + intentions


def _says_what_it_lacks(firewall: Firewall | None) -> bool:
    """Whether a firewall with gaps carries them itself: as tables, sets or rules that can't be decided."""
    if firewall is None:
        return False
    every = (*firewall.ipsets, *(item for table in firewall.tables for item in table.sets))
    if firewall.unread or any(item.elements is None for item in every):
        return True
    chains = (chain for table in firewall.tables for chain in table.chains)
    return any(isinstance(expr, Opaque) for chain in chains for rule in chain.rules for expr in rule.exprs)


def _speaks_of(finding: Finding, name: str) -> bool:
    texts = [finding.subject.name, finding.summary, *(f"{item.what} {item.value}" for item in finding.evidence)]
    return any(name in text.replace(",", " ").replace("(", " ").split() for text in texts)
