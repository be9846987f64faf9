"""``doctor --format markdown``: a report to paste into a ticket.  Pure.

Everything that comes from the host stands in code spans or is escaped, so
that no container's name can become a link, an image or HTML.
"""

from __future__ import annotations

import re

from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.doctor.probe_lines import probe_line, probes_line
from dnet_tui.tui.reports.doctor.report_order import CausalGroup, stories
from dnet_tui.tui.reports.doctor.report_text import (
    Label,
    affects_line,
    checks_line,
    commands,
    evidence_line,
    gap_line,
    own_change_line,
    policy_items,
    skipped_line,
    symptoms_line,
    title_line,
    verdict_line,
)
from dnet_tui.tui.reports.remedy_terms import persistence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#!|~@&]|^[-+=]|(?<=^\d)[.)])")
_LIMIT = 4096


def doctor_markdown(report: Report, label: Label = str) -> str:
    """The report as Markdown (CommonMark) with a final line break; ``label`` as in the text."""
    lines = ["# dnet-tui doctor", "", plain(title_line(report)), ""]
    lines += [f"**{plain(verdict_line(report))}** {plain(checks_line(report))}", ""]
    for story in stories(report):
        lines += _story(story)
    if report.probes is not None:
        lines += ["## Probes", "", plain(probes_line(report.probes)), ""]
        lines += [*(f"- {plain(probe_line(item))}" for item in report.probes), *([""] if report.probes else [])]
    if report.policy is not None:
        lines += ["## Policy", "", *(f"- {plain(item)}" for item in policy_items(report.policy)), ""]
    undecided = [check for check in report.checks if check.outcome in {"unknown", "crashed"}]
    if undecided:
        lines += ["## Not decided", ""]
        lines += [f"- {code(check.id)} ({plain(check.outcome)}): {plain(check.reason)}" for check in undecided]
        lines.append("")
    if report.own_changes:
        lines += ["## Changed by dnet-tui", ""]
        lines += [*(f"- {plain(own_change_line(item))}" for item in report.own_changes), ""]
    if report.skipped:
        lines += ["## Left out", "", *(f"- {plain(skipped_line(item))}" for item in report.skipped), ""]
    if report.gaps:
        lines += ["## Not seen", "", *(f"- {plain(gap_line(gap, label))}" for gap in report.gaps), ""]
    return "\n".join(lines).rstrip() + "\n"


def plain(text: str) -> str:
    """Text with every character escaped that Markdown could take for markup."""
    return _SPECIAL.sub(r"\\\1", clean(text, _LIMIT))


def code(text: str) -> str:
    """Text as a code span; its fence is longer than any run of backticks in it (CommonMark §6.1)."""
    safe = clean(text, _LIMIT)
    longest = max((len(run) for run in re.findall("`+", safe)), default=0)
    fence = "`" * (longest + 1)
    space = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{space}{safe}{space}{fence}"


def _story(story: CausalGroup) -> list[str]:
    finding = story.cause
    lines = [
        f"## {finding.severity}: {code(finding.check)}: {plain(finding.subject.kind)} {code(finding.subject.name)}",
        "",
        plain(finding.summary),
        "",
    ]
    if finding.symptoms:
        lines += [f"Breaks: {plain(symptoms_line(finding))}", ""]
    if finding.affects:
        lines += [f"Hits: {plain(affects_line(finding))}", ""]
    if finding.evidence:
        lines += ["Seen:", "", *(f"- {code(evidence_line(item))}" for item in finding.evidence), ""]
    if finding.remedy is not None:
        lines += _remedy(finding.remedy)
    if story.effects:
        lines += ["This causes:", "", *(_effect(effect) for effect in story.effects), ""]
    return lines


def _remedy(remedy: Remedy) -> list[str]:
    lasts = persistence(remedy)
    if remedy.overrides is not None:
        lasts = "; ".join(filter(None, (f"yours to decide: it changes what {remedy.overrides.whose} decided", lasts)))
    head = f"Fix ({plain(lasts)})" if lasts else "Fix"
    lines = [f"{head}: {plain(remedy.summary)}", "", *_block(commands(remedy.steps))]
    if remedy.undo:
        lines += ["Undo:", "", *_block(commands(remedy.undo))]
    return [*lines, plain(remedy.note), ""] if remedy.note else lines


def _block(lines: list[str]) -> list[str]:
    """An indented code block: nothing in it can end it."""
    return [*(f"    {line}" for line in lines), ""] if lines else []


def _effect(finding: Finding) -> str:
    return f"- {finding.severity} {code(finding.check)}: {plain(finding.summary)}"
