"""The whole job on real hosts: health is called health; a fault is named first, repaired, and the repair undone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, LabHost
from lab.packets.plans import CLASSIC, plan_of
from lab.packets.traffic import expect


def doctor(host: LabHost, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run ``dnet-tui doctor --format json`` and return its exit code and report."""
    result = host.dnet("doctor", "--format", "json", *arguments)
    assert result.stdout, result.stderr.decode()
    return result.returncode, json.loads(result.stdout)


def test_a_healthy_demo_host_is_called_healthy(demo_host: DemoHost) -> None:
    _is_healthy(demo_host)


def test_a_healthy_docker_host_is_called_healthy(any_docker: DockerHost) -> None:
    _is_healthy(any_docker)


def _is_healthy(host: LabHost) -> None:
    code, report = doctor(host)
    assert report["findings"] == []
    assert report["summary"]["verdict"] == "healthy"
    assert {check["outcome"] for check in report["checks"]} == {"ok"}
    assert code == 0


@pytest.mark.parametrize("fault", CLASSIC.broken)
def test_a_fault_on_the_demo_host_is_named_repaired_and_the_repair_undone(demo_host: DemoHost, fault: str) -> None:
    _found_repaired_undone(demo_host, fault)


@pytest.mark.matrix
@pytest.mark.parametrize("fault", CLASSIC.broken)
def test_a_fault_on_a_docker_host_is_named_repaired_and_the_repair_undone(any_docker: DockerHost, fault: str) -> None:
    _found_repaired_undone(any_docker, fault)


def _found_repaired_undone(host: LabHost, fault: str) -> None:
    plan = plan_of(host)
    broken = {**plan.healthy, **plan.broken[fault]}
    rules, sysctls = host.rules(), host.sysctls()
    with host.fault(fault):
        expect(host, broken)
        broken_rules, broken_sysctls = host.rules(), host.sysctls()
        code, report = doctor(host)
        assert code == 1
        assert report["findings"][0]["check"] == fault
        assert report["findings"][0]["evidence"]
        serious = [finding for finding in report["findings"] if finding["severity"] != "info"]
        causes = {finding["check"] for finding in serious if finding["caused_by"] is None}
        assert causes == {fault}, "one fault has one cause"

        remedy = report["findings"][0]["remedy"]
        if remedy["risk"] == "manual" or remedy["overrides"] is not None:
            left = host.dnet("fix", fault, "--yes")  # another owner decided so
            assert left.returncode == 1, left.stdout.decode()
            assert (host.rules(), host.sysctls()) == (broken_rules, broken_sysctls)
        if remedy["risk"] == "manual":
            return
        asking = ["--override-owner"] if remedy["overrides"] is not None else []
        fixed = host.dnet("fix", fault, "--yes", *asking)
        assert fixed.returncode == 0, fixed.stderr.decode() + fixed.stdout.decode()
        expect(host, {**plan.healthy, **plan.rightly_blocked.get(fault, {})})
        code, report = doctor(host)
        assert code == 0, report["findings"]

        undone = host.dnet("undo", "--yes")
        assert undone.returncode == 0, undone.stderr.decode() + undone.stdout.decode()
        assert host.rules() == broken_rules
        assert host.sysctls() == broken_sysctls
        expect(host, broken)
    assert host.rules() == rules
    assert host.sysctls() == sysctls


def test_the_text_report_names_the_rule_and_the_commands(docker_host: DockerHost) -> None:
    with docker_host.fault("drop-before-docker"):
        result = docker_host.dnet("doctor")
    text = result.stdout.decode()
    assert result.returncode == 1
    assert "drop-before-docker" in text
    assert "-j REJECT --reject-with icmp-port-unreachable" in text
    assert "iptables-nft -w -t filter -D FORWARD" in text
    assert max(map(len, text.splitlines())) <= 80 or "iptables" in max(text.splitlines(), key=len)
