"""The report as metrics: what Prometheus' text format asks for, and no sample twice."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.report import FlowCounts, Report
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.reports.doctor.report_json import doctor_data
from dnet_tui.tui.reports.doctor.report_prometheus import doctor_prometheus
from dnet_tui.tui.reports.output_file import replace_file
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace, with_sysctl

SAMPLE = re.compile(r'^[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)*\})? [0-9.e+-]+$')
FORWARD_OFF = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.docker0.forwarding", "0")


def samples(report: Report) -> list[str]:
    return [line for line in doctor_prometheus(report).splitlines() if not line.startswith("#")]


def test_every_line_is_a_sample_of_a_metric_with_help_and_type() -> None:
    text = doctor_prometheus(run_checks(FORWARD_OFF))
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for line in text.splitlines():
        assert line.startswith("#") or SAMPLE.match(line), line
        assert line.startswith("#") or re.split(r"[{ ]", line)[0] in named
    assert text.endswith("\n")


def test_a_broken_host_counts_its_findings_and_flows() -> None:
    report = run_checks(FORWARD_OFF)
    told = samples(report)
    assert 'dnet_tui_findings{severity="error"} 1' in told
    assert 'dnet_tui_verdict{verdict="problems"} 1' in told
    assert 'dnet_tui_verdict{verdict="healthy"} 0' in told
    assert report.flows is not None
    assert report.flows.broken > 0
    assert f'dnet_tui_flows{{state="broken"}} {report.flows.broken}' in told
    assert any('check="fwd-off-bridge",severity="error"' in line for line in told)


def test_a_healthy_host_has_flows_that_pass_and_no_finding() -> None:
    report = run_checks(docker_like_snapshot())
    assert report.flows is not None
    assert (report.flows.broken, report.flows.unknown) == (0, 0)
    assert report.flows.ok > 0
    assert not [line for line in samples(report) if line.startswith("dnet_tui_finding{")]
    assert doctor_data(report)["flows"] == {"ok": report.flows.ok, "broken": 0, "unknown": 0}


def test_names_are_quoted_and_told_once() -> None:
    report = run_checks(FORWARD_OFF)
    first = report.findings[0]
    hostile = msgspec.structs.replace(first, subject=msgspec.structs.replace(first.subject, name='a"b\\c\nd'))
    twice = msgspec.structs.replace(report, findings=(hostile, hostile), flows=FlowCounts())
    told = [line for line in samples(twice) if line.startswith("dnet_tui_finding{")]
    assert len(told) == 1
    assert SAMPLE.match(told[0])
    assert r'subject="a\"b\\c\nd"' in told[0]


def test_flows_that_nobody_could_work_out_are_no_zeroes() -> None:
    report = msgspec.structs.replace(run_checks(with_namespace(docker_like_snapshot(), HOST)), flows=None)
    assert not [line for line in samples(report) if line.startswith("dnet_tui_flows")]
    assert doctor_data(report)["flows"] is None


def test_a_file_is_replaced_as_a_whole_or_kept(tmp_path: Path) -> None:
    file = tmp_path / "dnet.prom"
    file.write_text("old")
    replace_file(file, "new\n")
    assert file.read_text() == "new\n"
    assert file.stat().st_mode & 0o777 == 0o644
    with pytest.raises(UsageError, match="can't be written"):
        replace_file(tmp_path / "nowhere" / "dnet.prom", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["dnet.prom"]


def test_a_link_stays_one_and_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "dnet.prom", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    replace_file(link, "by the link\n")
    assert link.is_symlink()
    assert file.read_text() == "by the link\n"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        replace_file(pipe, "into the pipe\n")
        assert os.read(reader, 100) == b"into the pipe\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(UsageError, match="Is a directory"):
        replace_file(tmp_path, "x")
