"""Findings, remedies and outcomes as paragraphs, shared by the map's and the doctor's detail panes.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.report.finding import SYMPTOMS, Finding
from dnet_tui.tui.app.present.findings_of import mark
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, bullet, fact, heading, line, say
from dnet_tui.tui.reports.doctor.report_text import wanted_by

RISKS = {
    "safe": "safe: may be applied at once",
    "ask": "apply after a look at the commands",
    "manual": "by hand only: dnet-tui won't do this",
}
"""What a remedy's risk means for the reader."""


def finding_id(finding: Finding) -> str:
    """Return the row id of a finding: its check and its subject name it across reports."""
    return f"finding:{finding.check}:{finding.subject.kind}:{finding.subject.name}"


def briefly(findings: Iterable[Finding]) -> Iterator[Paragraph]:
    """Yield a section that lists findings by their summary, where there are any."""
    found = tuple(findings)
    if not found:
        return
    yield BLANK
    yield heading("Findings")
    for finding in found:
        yield bullet(finding.summary, " ", say(f"({finding.check})", "dim"), mark=mark(finding.severity))


def in_full(finding: Finding) -> Iterator[Paragraph]:
    """Yield everything a finding says: proof first, then remedy and undo."""
    yield Paragraph(line(mark(finding.severity, word=True), "  ", say(finding.check, "dim")))
    yield Paragraph(line(say(finding.summary, "name")))
    yield BLANK
    yield fact("subject", f"{finding.subject.kind} {finding.subject.name}")
    for index, symptom in enumerate(finding.symptoms):
        yield fact("" if index else "breaks", SYMPTOMS.get(symptom, symptom))
    if finding.owner is not None:
        yield fact("decided by", finding.owner.whose)
    for number, wanted in enumerate(wanted_by(finding)):
        yield fact("" if number else "wanted by", wanted)
    if finding.caused_by:
        yield fact("caused by", say(finding.caused_by, "info"))
    yield from _evidence(finding)
    if finding.remedy is None:
        yield BLANK
        yield heading("Remedy")
        known = f"Put its cause right: {finding.caused_by}." if finding.caused_by else "None known to dnet-tui."
        yield Paragraph(line(say(known, "dim")))
        return
    yield from remedy(finding.remedy)


def _evidence(finding: Finding) -> Iterator[Paragraph]:
    if not finding.evidence:
        return
    if finding.affects:
        yield fact("hits", ", ".join(dict.fromkeys(item.name for item in finding.affects)))
    yield BLANK
    yield heading("Evidence")
    for item in finding.evidence:
        expected = (say("  expected ", "dim"), say(item.expected, "good")) if item.expected else ()
        yield bullet(f"{item.what}: ", say(item.value, "bad" if item.expected else "plain"), *expected)
        whose = f", {item.owner.whose}'s" if item.owner is not None else ""
        yield Paragraph(line(say(f"  from {item.source}{whose}", "dim")), hang=4)


def remedy(what: Remedy) -> Iterator[Paragraph]:
    """Yield a remedy with its exact commands and how to take them back."""
    yield BLANK
    yield heading("Remedy")
    yield Paragraph(line(what.summary))
    yield from commands(what.steps)
    yield fact("risk", RISKS[what.risk])
    if what.overrides is not None:
        yield fact("changes", f"what {what.overrides.whose} decided: dnet-tui won't do this unless it is told to")
    if what.steps:
        yield fact("persists", "no: lost at a reboot or a restart of the engine" if what.fades else "yes")
    if what.note:
        yield fact("note", what.note)
    if what.undo:
        yield BLANK
        yield heading("Undo")
        yield from commands(what.undo)


def commands(operations: Iterable[AnyOperation]) -> Iterator[Paragraph]:
    """Yield one paragraph per command."""
    for operation in operations:
        for words in operation.commands():
            yield Paragraph(line(say("$ ", "dim"), say(shlex.join(words), "info")), hang=4)
