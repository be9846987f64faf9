"""``doctor`` for a person at a terminal.  Pure.

The verdict first; then each cause with what it breaks, the proof, the exact
commands and their undo, and beneath it what it causes; last what wasn't seen.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

from dnet_tui.diagnostics.operations.remedy import AnyOperation
from dnet_tui.diagnostics.report.finding import SYMPTOMS, Evidence, Finding
from dnet_tui.diagnostics.report.report import CheckSkipped, OwnChange, PolicyLine, Report
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.doctor.probe_lines import probe_line, probes_line
from dnet_tui.tui.reports.doctor.report_order import CausalGroup, stories
from dnet_tui.tui.reports.remedy_terms import fix_command, terms
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

Label = Callable[[str], str]

_LIMIT = 4096  # characters of one line of a report
_WANTED = 3
_HANGING = " " * 10  # beneath the text that follows "  Breaks: "


def doctor_text(report: Report, paper: OutputStyle, label: Label = str) -> str:
    """The report as text with a final line break.  ``label`` turns a gap's scope into what a person calls it."""
    prose = paper.for_prose()
    lines = [*_title(report, prose), "", *_verdict(report, prose)]
    for story in stories(report):
        lines += ["", *_story(story, prose)]
    if report.probes is not None:
        items = [probes_line(report.probes), *map(probe_line, report.probes)]
        lines += _section("Probes", items, prose)
    if report.policy is not None:
        lines += _section("Policy", policy_items(report.policy), prose)
    lines += _section("Changed by dnet-tui", [own_change_line(item) for item in report.own_changes], prose)
    lines += _section("Left out", [skipped_line(item) for item in report.skipped], prose)
    lines += _section("Not decided", _undecided(report), prose)
    lines += _section("Not seen", [gap_line(gap, label) for gap in report.gaps], prose)
    return "\n".join(lines) + "\n"


def own_change_line(item: OwnChange) -> str:
    """What a change of dnet-tui's own means for the host, and the command that deals with it."""
    what = clean(item.title, _LIMIT)
    if item.state == "left-behind":
        return f"left behind by entry {item.entry} ({what}): `dnet-tui undo {item.entry}` takes it out"
    return f"lost at a reboot, unless `dnet-tui persist {item.entry}` can keep it: entry {item.entry} ({what})"


def skipped_line(item: CheckSkipped) -> str:
    """``snat-ports (/etc/dnet-tui.toml: the load balancer limits connections)``."""
    return clean(f"{item.id} ({item.by}{': ' if item.reason else ''}{item.reason})", _LIMIT)


def counted(number: int, word: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def verdict_line(report: Report) -> str:
    """The verdict in one sentence."""
    summary = report.summary
    infos = len(report.findings) - summary.errors - summary.warnings
    notes = f" {counted(infos, 'note')}." if infos else ""
    if summary.verdict == "problems":
        return f"{counted(summary.errors, 'error')}, {counted(summary.warnings, 'warning')}.{notes}"
    if summary.verdict == "incomplete":
        return f"Nothing wrong was found, but not everything could be decided.{notes}"
    return f"Healthy: no problem was found.{notes}"


def checks_line(report: Report) -> str:
    """How the checks ended, in one sentence."""
    counts = report.summary.checks
    words = {"ok": "ok", "found": "found something", "unknown": "undecided", "not_applicable": "not applicable"}
    words["crashed"] = "crashed"
    parts = [f"{counts[key]} {word}" for key, word in words.items() if counts.get(key)]
    return f"{counted(len(report.checks), 'check')}: {', '.join(parts)}." if parts else "No check was run."


def commands(operations: Iterable[AnyOperation]) -> list[str]:
    """Operations as lines that can be pasted into a shell."""
    return [clean(shlex.join(words), _LIMIT) for operation in operations for words in operation.commands()]


def evidence_line(item: Evidence) -> str:
    """``sysctl  net.ipv4.ip_forward = 0  (expected 1)``."""
    value = f" = {item.value}" if item.value else ""
    expected = f"  (expected {item.expected})" if item.expected else ""
    whose = f"  [{item.owner.whose}'s]" if item.owner is not None else ""
    return clean(f"{item.source}: {item.what}{value}{whose}{expected}", _LIMIT)


def wanted_by(finding: Finding) -> list[str]:
    """Who wants the flows that a finding concerns, each once, at most three named."""
    names = list(dict.fromkeys(flow.wanted_by.whose for flow in finding.flows if flow.wanted_by is not None))
    return names if len(names) <= _WANTED else [*names[:_WANTED], f"{len(names) - _WANTED} more"]


def symptoms_line(finding: Finding) -> str:
    """The symptoms in a person's words."""
    return "; ".join(clean(SYMPTOMS.get(symptom, symptom)) for symptom in finding.symptoms)


def affects_line(finding: Finding) -> str:
    """Whom a finding hits, by kind, some of each by name."""
    parts = []
    for kind in ("container", "network", "port"):
        names = [item.name for item in finding.affects if item.kind == kind]
        if names:
            parts.append(f"{kind}{'s' if names[1:] else ''} {_some(names, _NAMED)}")
    return clean("; ".join(parts), _LIMIT)


_NAMED = 6
"""Names of a kind that are shown; JSON has them all."""


def title_line(report: Report) -> str:
    """The host, its engines and the time."""
    engines = [f"{engine.name} {engine.version}".strip() for engine in report.engines]
    when = report.taken_at.replace("T", " ").replace("+00:00", " UTC").replace("Z", " UTC")
    return clean(" · ".join(part for part in (report.host.hostname, *engines, when) if part), 1024)


def _title(report: Report, paper: OutputStyle) -> list[str]:
    return [paper.dim(line) for line in paragraph(title_line(report), paper.width)]


def _verdict(report: Report, paper: OutputStyle) -> list[str]:
    summary = report.summary
    style = paper.bad if summary.errors else paper.warn if summary.verdict != "healthy" else paper.good
    return [
        *(style(line) for line in paragraph(verdict_line(report), paper.width)),
        *paragraph(checks_line(report), paper.width),
    ]


def _story(story: CausalGroup, paper: OutputStyle) -> list[str]:
    finding = story.cause
    lines = _head(finding, paper)
    lines += paragraph(clean(finding.summary, _LIMIT), paper.width, "  ")
    if finding.symptoms:
        lines += paragraph(symptoms_line(finding), paper.width, "  Breaks: ", _HANGING)
    if finding.affects:
        lines += paragraph(affects_line(finding), paper.width, "  Hits:   ", _HANGING)
    if wanted := wanted_by(finding):
        lines += paragraph(clean(", ".join(wanted), _LIMIT), paper.width, "  Wanted: ", _HANGING)
    for item in finding.evidence:
        lines += paragraph(evidence_line(item), paper.width, "  Seen:   ", _HANGING)
    lines += _remedy(finding, paper)
    if story.effects:
        lines.append("  This causes:")
        for effect in story.effects:
            text = f"{effect.severity} {effect.check}: {effect.summary}"
            lines += paragraph(clean(text, _LIMIT), paper.width, "    - ", "      ")
    return lines


def _head(finding: Finding, paper: OutputStyle) -> list[str]:
    style = {"error": paper.bad, "warning": paper.warn, "info": paper.bold}[finding.severity]
    subject = f"{finding.subject.kind} {finding.subject.name}".strip()
    text = clean(f"{finding.severity.upper()}  {finding.check}  {subject}", 1024)
    return [style(line) for line in paragraph(text, paper.width, "", "  ")]


def _remedy(finding: Finding, paper: OutputStyle) -> list[str]:
    remedy = finding.remedy
    if remedy is None:
        return paragraph(f"No repair is known. `dnet-tui explain {finding.check}` says more.", paper.width, "  ")
    lines = paragraph(clean(f"{remedy.summary} ({terms(remedy)})", _LIMIT), paper.width, "  Fix:    ", _HANGING)
    # Commands are never wrapped: a broken line can't be pasted.
    lines += [f"            {line}" for line in commands(remedy.steps)]
    if remedy.undo:
        lines += ["  Undo:", *(f"            {line}" for line in commands(remedy.undo))]
    if remedy.note:
        lines += paragraph(clean(remedy.note, _LIMIT), paper.width, "  Note:   ", _HANGING)
    if command := fix_command(finding.check, remedy):
        lines += paragraph(command, paper.width, "  Or:     ", _HANGING)
    return lines


def gap_line(gap: Gap, label: Label) -> str:
    """``firewall of host: no permission to read it → run dnet-tui as root``."""
    scope = f" of {label(gap.scope)}" if gap.scope else ""
    hint = f" → {gap.hint}" if gap.hint else ""
    return clean(f"{gap.section}{scope}: {gap.reason}{hint}", _LIMIT)


def policy_items(lines: tuple[PolicyLine, ...]) -> list[str]:
    """Every rule that decides over containers' packets, one each."""
    return [policy_line(item) for item in lines] or ["no rule drops or redirects what containers send or get"]


def policy_line(item: PolicyLine) -> str:
    """``ufw: filter ufw-user-forward 3, drop: TEXT (12 packets so far): from web, tcp 172.17.0.2:40000 → …``."""
    proof = f": from {item.sender}, {item.packet}" if item.packet else ": not asked, there are too many"
    so_far = f" ({item.counted})" if item.counted else ""
    return f"{item.owner.whose}: {item.place}, {item.effect}: {item.text}{so_far}{proof}"


def _undecided(report: Report) -> list[str]:
    """The checks without an answer; those with the same reason in one line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for check in report.checks:
        if check.outcome in {"unknown", "crashed"}:
            alike.setdefault((check.outcome, check.reason or "no reason given"), []).append(check.id)
    return [f"{_some(ids)} ({outcome}): {reason}" for (outcome, reason), ids in alike.items()]


def _some(names: list[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def _section(title: str, items: list[str], paper: OutputStyle) -> list[str]:
    if not items:
        return []
    lines = ["", paper.bold(title)]
    for item in items:
        lines += paragraph(clean(item, _LIMIT), paper.width, "  - ", "    ")
    return lines
