"""``doctor --format prometheus``: the report for node_exporter's textfile collector.  Pure.

The names of metrics and labels are a contract, as the JSON is.  A time of
writing is not a metric: node_exporter adds ``node_textfile_mtime_seconds``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from dnet_tui.diagnostics.report.report import Report

_SEVERITIES = ("error", "warning", "info")
_VERDICTS = ("healthy", "problems", "incomplete")

_HELP = {
    "dnet_tui_report_timestamp_seconds": "When the host was read, in seconds since 1970.",
    "dnet_tui_build_info": "The version of dnet-tui that made the report.",
    "dnet_tui_verdict": "1 for what the report says of the host as a whole.",
    "dnet_tui_findings": "Findings by severity; consequences of others are not counted.",
    "dnet_tui_finding": "1 for each finding: its check, what it is about, whose decision it is.",
    "dnet_tui_checks": "Checks by how they ended.",
    "dnet_tui_flows": "Flows that somebody promised: ok, broken or unknown.",
    "dnet_tui_gaps": "What could not be read.",
}


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _sample(name: str, value: float, **labels: str) -> str:
    inside = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:.0f}"


def _samples(report: Report) -> Iterator[tuple[str, Iterable[str]]]:
    roots = [item for item in report.findings if item.caused_by is None]
    stamp = datetime.fromisoformat(report.taken_at).timestamp()
    yield "dnet_tui_report_timestamp_seconds", [_sample("dnet_tui_report_timestamp_seconds", stamp)]
    yield "dnet_tui_build_info", [_sample("dnet_tui_build_info", 1, version=report.tool_version)]
    yield (
        "dnet_tui_verdict",
        [_sample("dnet_tui_verdict", report.summary.verdict == word, verdict=word) for word in _VERDICTS],
    )
    yield (
        "dnet_tui_findings",
        [
            _sample("dnet_tui_findings", sum(item.severity == word for item in roots), severity=word)
            for word in _SEVERITIES
        ],
    )
    each = (
        _sample(
            "dnet_tui_finding", 1, check=item.check, severity=item.severity, kind=item.subject.kind,
            subject=item.subject.name, owner=item.owner.name if item.owner is not None else "",
        )
        for item in roots
    )  # fmt: skip
    yield "dnet_tui_finding", dict.fromkeys(each)  # two of one check and subject would be one sample twice
    yield (
        "dnet_tui_checks",
        [_sample("dnet_tui_checks", count, outcome=outcome) for outcome, count in report.summary.checks.items()],
    )
    if report.flows is not None:
        counts = (("ok", report.flows.ok), ("broken", report.flows.broken), ("unknown", report.flows.unknown))
        yield "dnet_tui_flows", [_sample("dnet_tui_flows", count, state=state) for state, count in counts]
    yield "dnet_tui_gaps", [_sample("dnet_tui_gaps", len(report.gaps))]


def doctor_prometheus(report: Report) -> str:
    """The report in Prometheus' text format, ending in a line feed."""
    lines = []
    for name, samples in _samples(report):
        lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge", *samples]
    return "\n".join(lines) + "\n"
