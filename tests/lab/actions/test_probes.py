"""``doctor --probe`` on real hosts: packets agree with a right model, contradict a wrong one, and go nowhere else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.demo.faults import FAULTS
from dnet_tui.actions.demo.topology import DEMO
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS, DemoHost, LabHost, python_argv
from lab.machines.podman_host import PodmanHost

GATEWAY = DEMO.outside_address.partition("/")[0]
EVERY_FAULT = pytest.mark.parametrize("fault", [item.id for item in FAULTS])


def probed(host: LabHost) -> dict[str, Any]:
    """Run ``doctor --probe`` and return its report."""
    result = host.dnet("doctor", "--probe", "--format", "json")
    assert result.stdout, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def judgements(report: dict[str, Any]) -> dict[str, int]:
    words = [item["judgement"] for item in report["probes"]]
    return {word: words.count(word) for word in set(words)}


def agree(host: LabHost, kinds: set[str]) -> None:
    report = probed(host)
    wrong = [item for item in report["probes"] if item["judgement"] != "agrees"]
    assert wrong == []
    assert report["findings"] == []
    assert {item["kind"] for item in report["probes"]} >= kinds
    assert len(report["probes"]) <= 40


def test_all_probes_agree_on_a_healthy_host_without_an_engine(demo_host: DemoHost) -> None:
    agree(demo_host, {"egress", "same-network", "cross-network", "host-to-container", "container-to-host"})


def test_all_probes_agree_on_a_healthy_docker_host(any_docker: DockerHost) -> None:
    agree(any_docker, {"egress", "same-network", "cross-network", "host-to-container", "published", "names"})


def test_all_probes_agree_on_a_healthy_podman_host(podman_host: PodmanHost) -> None:
    agree(podman_host, {"egress", "same-network", "host-to-container", "published"})


@EVERY_FAULT
def test_probes_confirm_a_fault_on_a_host_without_an_engine(demo_host: DemoHost, fault: str) -> None:
    confirmed(demo_host, fault)


@EVERY_FAULT
def test_probes_confirm_a_fault_on_a_docker_host(docker_host: DockerHost, fault: str) -> None:
    confirmed(docker_host, fault)


BY_OTHERS = {
    "hijack": "somebody answers, and the probe says who; that a rule leads there is the walk's to say",
    "notrack": "what fails is the answer: its own finding is confirmed, which this one explains",
}
"""Faults that no probe confirms by their name, and why."""


def confirmed(host: LabHost, fault: str) -> None:
    with host.fault(fault):
        report = probed(host)
    assert set(judgements(report)) <= {"agrees", "proves-nothing"}
    if fault not in BY_OTHERS:
        assert fault in {item["confirms"] for item in report["probes"] if item["judgement"] == "agrees"}
    assert report["findings"][0]["check"] == fault


_WRONG = """
import sys
import msgspec
from dnet_tui.actions.probes.send_probes import probe_host
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.model import Snapshot
wrong = msgspec.json.decode(sys.stdin.buffer.read(), type=Snapshot)
probing = probe_host(wrong, lambda: wrong)
report = run_checks(wrong, probes=probing.probes)
sys.stdout.buffer.write(msgspec.json.encode([[item.check, item.summary, item.symptoms] for item in report.findings]))
"""
"""Examines and probes this host by a picture of it that isn't true, however often one looks."""


def believing(host: LabHost, picture: bytes) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = json.loads(host.run(*python_argv(_WRONG), stdin=picture).stdout)
    return found


def test_a_rule_that_the_model_misses_is_contradicted_by_what_passes(demo_host: DemoHost) -> None:
    with demo_host.fault("masq-missing"):
        wrong = _picture(demo_host)
    (first, *others) = believing(demo_host, wrong)
    assert first[0] == "model-contradicted"
    assert "got through" in first[1]
    assert first[2] == ["egress"]
    assert [item[0] for item in others] == ["masq-missing"]


@pytest.mark.parametrize("fault", ["ip-forward-off", "drop-before-docker", "masq-missing"])
def test_a_host_that_only_looks_healthy_is_contradicted_by_what_does_not_arrive(
    demo_host: DemoHost, fault: str
) -> None:
    wrong = _picture(demo_host)
    with demo_host.fault(fault):
        found = believing(demo_host, wrong)
    assert [item[0] for item in found] == ["model-contradicted"]
    assert "egress" in found[0][2]


def test_what_the_snapshot_does_not_hold_is_contradicted_not_called_healthy(demo_host: DemoHost) -> None:
    rule = ("INPUT", "-s", "172.30.1.2", "-p", "icmp", "-j", "DROP")
    wrong = _picture(demo_host)
    demo_host.run("iptables-nft", "-w", "-I", *rule)
    found = believing(demo_host, wrong)
    demo_host.run("iptables-nft", "-w", "-D", *rule)
    assert [(item[0], item[2]) for item in found] == [("model-contradicted", ["container-to-host"])]


def _picture(host: LabHost) -> bytes:
    return msgspec.json.encode(host.snapshot())


_LISTEN = """
import socket, struct, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
sock.bind(("eth0", 3))
print("ready", flush=True)
while True:
    data, sender = sock.recvfrom(65535)
    if sender[1] == 0x0800:
        print(socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[8], flush=True)
"""


@contextmanager
def listening(host: LabHost) -> Iterator[list[list[str]]]:
    """Collect source, destination and TTL of every IPv4 packet on the uplink."""
    heard: list[list[str]] = []
    argv = host.sandbox.enter_argv(python_argv(_LISTEN))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield heard
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # nsenter forks for the PID namespace: end its group
            out, _ = process.communicate()
    heard += [line.split() for line in out.decode().splitlines()]


@pytest.mark.parametrize("fault", ["", "masq-missing", "drop-before-docker", "bridge-down"])
def test_nothing_is_sent_beyond_the_gateway(demo_host: DemoHost, fault: str) -> None:
    with listening(demo_host) as heard:
        if fault == "bridge-down":
            demo_host.run("ip", "link", "set", "br-front", "down")  # its route goes, so the default route takes over
            probed(demo_host)
        elif fault:
            with demo_host.fault(fault):
                probed(demo_host)
        else:
            probed(demo_host)
    assert heard, "not even the gateway was asked"
    places = {address for packet in heard for address in packet[:2]}
    inside = {"172.30.1.2", "172.30.1.3"} if fault == "masq-missing" else set()
    assert places <= {GATEWAY, UPLINK_ADDRESS} | inside
    assert {packet[1] for packet in heard} <= {GATEWAY, UPLINK_ADDRESS}
    assert {packet[2] for packet in heard if packet[1] == GATEWAY} == {"1", "2"} or fault, "no farther than the gateway"
