"""The doctor's report as data, in the shape of the published JSON contract.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.diagnostics.report.finding import CheckResult, Finding
from dnet_tui.inspect.model import Engine, Host
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

REPORT_FORMAT = 1
"""Version of ``doctor --format json``."""

VerdictWord = Literal["healthy", "problems", "incomplete"]

OUTCOMES = ("ok", "found", "unknown", "not-applicable", "crashed")


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The report in numbers.  ``checks`` counts the checks by outcome."""

    verdict: VerdictWord
    errors: int
    warnings: int
    checks: dict[str, int]


class CheckSkipped(msgspec.Struct, frozen=True, kw_only=True):
    """A check that was left out, and why; ``by`` is the option or the file that said so."""

    id: str
    reason: str
    by: str


class FlowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the flows fare that somebody promised: how many pass, are stopped, or can't be decided."""

    ok: int = 0
    broken: int = 0
    unknown: int = 0


class PolicyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that drops, rejects or redirects containers' packets.

    ``packet`` is one that it was proved to decide over, from ``sender``; both
    are empty where it was not asked.  ``packets`` is its counter (None: it has
    none), ``counted`` the same in words, with what it counted lately.
    """

    owner: DecisionOwner
    effect: str
    place: str
    text: str
    packets: int | None
    counted: str
    sender: str
    packet: str


class OwnChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of dnet-tui's own on the host that was examined, which its journal knows of."""

    entry: str
    title: str
    state: Literal["lost-at-reboot", "left-behind"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One examination of one snapshot.  Findings are ordered: root causes first, worst first."""

    format: int
    tool_version: str
    taken_at: str
    host: Host
    engines: tuple[Engine, ...]
    summary: Summary
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    probes: tuple[Probed, ...] | None = None
    """What real packets said; None when none were sent."""
    policy: tuple[PolicyLine, ...] | None = None
    """Every rule that decides over containers' packets; None where they weren't to be listed."""
    skipped: tuple[CheckSkipped, ...] = ()
    """Checks that a person left out."""
    own_changes: tuple[OwnChange, ...] = ()
    """What dnet-tui itself has changed there and a reboot would take away, and what it has left behind."""
    flows: FlowCounts | None = None
    """How what was promised fares; None where it couldn't be worked out."""


def summarise(checks: Iterable[CheckResult], findings: Iterable[Finding]) -> Summary:
    """Count findings and outcomes, and say the verdict.

    ``problems`` when a warning or an error was found; otherwise ``incomplete``
    when a check could not decide; otherwise ``healthy``.
    """
    results = tuple(checks)
    found = tuple(findings)
    errors = sum(finding.severity == "error" for finding in found)
    warnings = sum(finding.severity == "warning" for finding in found)
    undecided = any(result.outcome in {"unknown", "crashed"} for result in results)
    verdict: VerdictWord = "problems" if errors or warnings else "incomplete" if undecided else "healthy"
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in OUTCOMES}
    return Summary(
        verdict=verdict, errors=errors, warnings=warnings, checks={k.replace("-", "_"): v for k, v in counts.items()}
    )
