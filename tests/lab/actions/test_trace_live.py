"""``trace --live``: the real packet beside the walk, on every kind of host, and nothing left of it afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost, LabHost, python_argv
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import require_lab

FAULTS = ("masq-missing", "user-chain-drop", "drop-before-docker")
_COUNTERS = re.compile(r"counter packets \d+ bytes \d+")
_SET_UP = """
import os, sys
from dnet_tui.actions.live_trace import run as live
from dnet_tui.actions.journal.journal import state_folder
from dnet_tui.actions.live_trace.packet import own_port
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.live_trace import judge, place_names
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot

case = HostContext(take_snapshot())
found = trace(case, find(case, sys.argv[1]), find(case, sys.argv[2]), sport=own_port())
planned = live.plan_live(case.view, found)
names = place_names(case.view, found)
"""
_DIE = (
    _SET_UP
    + """
live._observe = lambda *_: os.kill(os.getpid(), 9)
live.carry_out(planned, names, state_folder())
"""
)
_CHANGE_FIRST = (
    _SET_UP
    + """
import subprocess
subprocess.run(["iptables-nft", "-w", "-I", "FORWARD", "1", "-p", "tcp", "-j", "DROP"], check=True)
seen = live.carry_out(planned, names, state_folder())
said = judge(case.view, found, seen)
print(said.agrees, said.verdict, *said.contradictions, sep="\\n")
"""
)
_TERMINATED = """
import os, signal, subprocess, sys, time
argv = sys.argv[1:]
process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
end = time.monotonic() + 60
while time.monotonic() < end and process.poll() is None:
    if "dnet_tui_" in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout:
        process.send_signal(signal.SIGTERM)
        break
    time.sleep(0.01)
print(process.wait(timeout=30))
"""


def live(host: LabHost, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the ``live`` part of the answer."""
    ran = host.dnet("trace", *arguments, "--live", "--yes", "--format", "json")
    assert ran.stdout, ran.stderr.decode()
    data = json.loads(ran.stdout)
    assert data["format"] == 1
    return ran.returncode, data["live"]


def rulesets(host: LabHost, *places: str) -> str:
    """The whole ruleset of some places in nft's words, without the counters, and which legacy tables there are."""
    found = []
    for place in ("host", "outside", *places):
        ruleset = host.run(*host.enter(place), "nft", "list", "ruleset").stdout.decode()
        legacy = host.run(*host.enter(place), "cat", "/proc/thread-self/net/ip_tables_names", check=False)
        found.append(f"{place}: {_COUNTERS.sub('', ruleset)} {legacy.stdout.decode()}")
    return "\n".join(found)


@contextmanager
def unchanged(host: LabHost, *places: str) -> Iterator[None]:
    before = rulesets(host, *places)
    yield
    assert rulesets(host, *places) == before


def standing(host: LabHost) -> list[str]:
    journal = json.loads(host.dnet("journal", "--format", "json").stdout)
    return [entry["title"] for entry in journal if entry["status"] != "undone"]


@pytest.mark.parametrize("proto", ["tcp", "udp", "icmp"])
def test_a_healthy_flow_is_delivered_and_agrees(demo_host: DemoHost, proto: str) -> None:
    with unchanged(demo_host, "web"):
        code, said = live(
            demo_host, "web", OUTSIDE_SERVER, "--proto", proto, "--port", "80" if proto == "tcp" else "53"
        )

    assert (code, said["verdict"], said["agrees"], said["contradictions"]) == (0, "delivered", True, [])
    assert said["answered"] == {"tcp": "synack", "udp": "udp-reply", "icmp": "echo-reply"}[proto]
    masquerade = [rule for hop in said["hops"] for rule in hop["rules"] if "MASQUERADE" in rule["text"]]
    assert [(rule["chain"], rule["number"], rule["verdict"]) for rule in masquerade] == [("POSTROUTING", 1, "accept")]
    assert standing(demo_host) == []


def test_between_containers_the_host_and_oneself(demo_host: DemoHost) -> None:
    for source, target in (("web", "api"), ("host", "web"), ("web", "host"), ("host", "127.0.0.1")):
        with unchanged(demo_host, "web", "api"):
            code, said = live(demo_host, source, target)
        assert said["agrees"] is True, (source, target, said["contradictions"])
        assert said["verdict"] in {"delivered", "refused"}
        assert code == (0 if said["verdict"] == "delivered" else 1)


def test_leaving_the_host_is_delivery_as_far_as_can_be_seen(demo_host: DemoHost) -> None:
    code, said = live(demo_host, "web", "outside")

    assert (code, said["verdict"], said["agrees"]) == (0, "left", True)
    assert any("outside" in note for note in said["notes"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_shown_by_the_kernel_as_the_walk_says(demo_host: DemoHost, fault: str) -> None:
    with demo_host.fault(fault), unchanged(demo_host, "web"):
        code, said = live(demo_host, "web", OUTSIDE_SERVER)

    _assert_shows(fault, code, said)


def _assert_shows(fault: str, code: int, said: dict[str, Any]) -> None:
    assert (code, said["agrees"], said["delivered"]) == (1, True, False), said["contradictions"]
    if fault == "masq-missing":
        assert said["verdict"].startswith("answer ")
    elif fault == "user-chain-drop":
        assert said["verdict"] == "answer dropped"
        assert "DOCKER-USER rule 1: -i eth0 -j DROP" in said["decided_by"]
    else:
        assert said["verdict"] == "rejected"
        assert "FORWARD rule 1: -j REJECT" in said["decided_by"]


def test_real_dockers_flows_and_faults(any_docker: DockerHost) -> None:
    with unchanged(any_docker, "web", "app1"):
        code, said = live(any_docker, "web", OUTSIDE_SERVER)
        assert (code, said["verdict"], said["agrees"]) == (0, "delivered", True), said["contradictions"]
        code, said = live(any_docker, "web", "app1")
        assert (code, said["verdict"], said["agrees"]) == (1, "dropped", True), said["contradictions"]
        code, said = live(any_docker, "host", "host", "--port", "8080")
        assert (code, said["verdict"], said["agrees"]) == (0, "delivered", True), said["contradictions"]
    for fault in FAULTS:
        with any_docker.fault(fault), unchanged(any_docker, "web"):
            code, said = live(any_docker, "web", OUTSIDE_SERVER)
            if fault == "user-chain-drop":  # nobody answers there, but the walk knows what an answer would meet
                silent, unanswered = live(any_docker, "web", "outside")
                assert (silent, unanswered["verdict"], unanswered["agrees"]) == (1, "left", True)
        _assert_shows(fault, code, said)


def test_podmans_flows(podman_host: PodmanHost) -> None:
    with unchanged(podman_host, "web", "app1"):
        for source, target in (("web", OUTSIDE_SERVER), ("app1", "web"), ("six1", podman_host.addresses6["six2"])):
            code, said = live(podman_host, source, target)
            assert (code, said["verdict"], said["agrees"]) == (0, "delivered", True), said["contradictions"]


def test_ipv6_between_containers(docker28_host: DockerHost) -> None:
    assert docker28_host.release >= MODES_SINCE
    for proto in ("tcp", "udp", "icmp"):
        code, said = live(docker28_host, "six1", docker28_host.addresses6["six2"], "--proto", proto)
        assert said["agrees"] is True, said["contradictions"]
        assert said["answered"], proto
        assert code == (1 if proto == "udp" else 0)


def test_without_root_it_works_on_ones_own_host() -> None:
    require_lab()
    with DemoHost.start(user=True) as host:
        code, said = live(host, "web", OUTSIDE_SERVER)

    assert (code, said["agrees"]) == (0, True)


def test_a_rule_that_came_meanwhile_is_a_contradiction_that_names_where_it_ended(demo_host: DemoHost) -> None:
    told = demo_host.run(*python_argv(_CHANGE_FIRST), "web", OUTSIDE_SERVER).stdout.decode().splitlines()

    assert told[:2] == ["False", "dropped"]
    assert "is said to be delivered" in told[2]
    assert "iptables-nft filter FORWARD a rule with handle" in told[2]


def test_a_rule_of_legacy_iptables_is_judged_by_its_counter(demo_host: DemoHost) -> None:
    demo_host.run("iptables-legacy", "-w", "-A", "FORWARD", "-p", "tcp", "--dport", "80", "-j", "DROP")
    try:
        with unchanged(demo_host, "web"):
            code, said = live(demo_host, "web", OUTSIDE_SERVER)
    finally:
        demo_host.run("iptables-legacy", "-w", "-D", "FORWARD", "-p", "tcp", "--dport", "80", "-j", "DROP")

    assert (code, said["verdict"], said["agrees"]) == (1, "dropped", True), said["contradictions"]
    assert any("counters" in note for note in said["notes"])


def test_after_a_kill_undo_takes_the_tables_out(demo_host: DemoHost) -> None:
    with unchanged(demo_host, "web"):
        demo_host.run(*python_argv(_DIE), "web", OUTSIDE_SERVER, check=False)
        assert rulesets(demo_host, "web").count("table inet dnet_tui_") == 3
        assert len(standing(demo_host)) == 1

        undone = demo_host.dnet("undo", "--yes")
        assert undone.returncode == 0, undone.stderr.decode()
    assert standing(demo_host) == []


def test_after_a_kill_doctor_names_the_tables_and_the_next_change_takes_them_out(demo_host: DemoHost) -> None:
    demo_host.run(*python_argv(_DIE), "web", OUTSIDE_SERVER, check=False)
    assert b"left behind" not in demo_host.dnet("doctor").stdout  # it may still be watching
    demo_host.run("sed", "-i", 's/"time":"20../"time":"2019/', "/run/state/dnet-tui/journal.jsonl")
    assert b"left behind by entry 0001" in demo_host.dnet("doctor").stdout
    assert rulesets(demo_host, "web").count("table inet dnet_tui_") == 3
    made = demo_host.dnet("net", "create", "side", "--engine", "linux", "--yes")
    assert made.returncode == 0, made.stderr
    assert "table inet dnet_tui_" not in rulesets(demo_host, "web")
    assert b"left behind" not in demo_host.dnet("doctor").stdout


def test_a_polite_end_leaves_nothing(demo_host: DemoHost) -> None:
    from lab.machines.hosts import dnet_argv  # noqa: PLC0415 - only this test starts the program itself

    argv = dnet_argv("trace", "web", "outside", "--live", "--yes", "--timeout", "20")
    with unchanged(demo_host, "web"):
        ended = demo_host.run(*python_argv(_TERMINATED), *argv).stdout.decode().strip()
    assert ended == str(128 + 15)
    assert standing(demo_host) == []


def test_it_asks_and_can_be_forbidden(demo_host: DemoHost) -> None:
    with unchanged(demo_host, "web"):
        dry = demo_host.dnet("trace", "web", OUTSIDE_SERVER, "--live", "--dry-run")
        assert dry.returncode == 0
        assert b"nft delete table inet dnet_tui_" in dry.stdout
        refused = [
            demo_host.dnet("trace", "web", OUTSIDE_SERVER, "--live"),  # nobody to ask
            demo_host.dnet("--readonly", "trace", "web", OUTSIDE_SERVER, "--live", "--yes"),
            demo_host.dnet("trace", "outside", "web", "--live", "--yes"),
            demo_host.dnet("trace", OUTSIDE_SERVER, "web", "--yes"),
            demo_host.dnet("trace", "--matrix", "--live", "--yes"),
        ]
    assert [ran.returncode for ran in refused] == [2] * len(refused)
    assert b"can't be sent from this host" in refused[2].stderr
    assert standing(demo_host) == []
