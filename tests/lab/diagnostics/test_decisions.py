"""Decisions of others on a real Docker host: named with their owner, and left alone by ``fix --yes``.

kube-router, Weave, ufw and csf aren't here: their chains are made as they make them, by name and shape.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.faults.machinery import differing, doctor, roots, state
from lab.machines.docker_host import DockerHost
from lab.packets.plans import EGRESS, FROM_HOST, OTHER_EGRESS, PUBLISHED
from lab.packets.traffic import Went, expect

OK, TIMEOUT, REFUSED = Went.OK, Went.TIMEOUT, Went.REFUSED
WEB = "172.17.0.2"
_POD = "-m mark ! --mark 0x10000/0x10000 -j REJECT"


@dataclass(frozen=True)
class Decision:
    """What somebody decided, how it is taken back, what packets show of it, and what the doctor must say."""

    make: tuple[str, ...]
    undo: tuple[str, ...]
    egress: Went
    check: str
    severity: str
    owner: str
    words: str = ""


def _rule(chain: str, spec: str, table: str = "filter") -> tuple[tuple[str, ...], tuple[str, ...]]:
    head = f"iptables -w -t {table}"
    return (f"{head} -I {chain} {spec}",), (f"{head} -D {chain} {spec}",)


def _chained(chain: str, spec: str, first: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    lead = f"FORWARD {first} -j {chain}"
    return (
        (f"iptables -w -N {chain}", f"iptables -w -A {chain} {spec}", f"iptables -w -I {lead}"),
        (f"iptables -w -D {lead}", f"iptables -w -F {chain}", f"iptables -w -X {chain}"),
    )


DECISIONS: dict[str, Decision] = {
    "a quarantined container in FORWARD": Decision(
        *_rule("FORWARD", f"-s {WEB} -m comment --comment QUARANTINE -j DROP"),
        TIMEOUT,
        "policy-drop",
        "info",
        "administrator",
        "made for web",
    ),
    "a quarantined container in DOCKER-USER": Decision(
        *_rule("DOCKER-USER", f"-s {WEB} -m comment --comment QUARANTINE -j DROP"),
        TIMEOUT,
        "policy-drop",
        "info",
        "administrator",
        "made for web",
    ),
    "kube-router's firewall of a pod": Decision(
        *_chained("KUBE-POD-FW-X", _POD, f"-s {WEB}"),
        REFUSED,
        "policy-drop",
        "info",
        "kube-router",
        "kube-router's policy KUBE-POD-FW-X (chain of pod web)",
    ),
    "Weave's policy for a whole bridge": Decision(
        *_chained("WEAVE-NPC-EGRESS", "-m mark ! --mark 0x40000/0x40000 -j DROP", "-i docker0"),
        TIMEOUT,
        "policy-drop",
        "warning",
        "Weave",
    ),
    "ufw denies all ways out": Decision(
        *_chained("ufw-user-forward", "-i docker0 -o eth0 -m conntrack --ctstate NEW -j REJECT"),
        REFUSED,
        "policy-drop",
        "warning",
        "ufw",
    ),
    "csf denies one address": Decision(
        *_chained("DENYOUT", "-d 198.51.100.0/24 -p tcp --dport 80 -j DROP"), TIMEOUT, "policy-drop", "info", "csf"
    ),
    "everything rejected above the engine": Decision(
        *_rule("FORWARD", "-j REJECT"), REFUSED, "drop-before-docker", "warning", "administrator"
    ),
    "an exempt bridge": Decision(
        *_rule("PREROUTING", "-i docker0 -j CT --notrack", "raw"), TIMEOUT, "notrack", "warning", "administrator"
    ),
    "web traffic redirected": Decision(
        *_rule("PREROUTING", "-p tcp --dport 80 -j REDIRECT --to-ports 20559", "nat"),
        REFUSED,
        "hijack",
        "warning",
        "administrator",
    ),
    "an IPsec policy": Decision(
        ("ip xfrm policy add dir fwd src 172.17.0.0/16 dst 0.0.0.0/0 action block",),
        ("ip xfrm policy delete dir fwd src 172.17.0.0/16 dst 0.0.0.0/0",),
        TIMEOUT,
        "xfrm-block",
        "warning",
        "administrator",
    ),
    "a banned range": Decision(
        ("ip rule add pref 90 iif docker0 to 198.51.100.0/24 blackhole",),
        ("ip rule del pref 90 iif docker0 to 198.51.100.0/24 blackhole",),
        TIMEOUT,
        "blackhole",
        "info",
        "administrator",
    ),
}


@contextmanager
def decided(host: DockerHost, decision: Decision) -> Iterator[None]:
    """The host with the decision in force."""
    for line in decision.make:
        host.run(*line.split())
    try:
        yield
    finally:
        for line in decision.undo:
            host.run(*line.split())


def found(report: dict[str, Any], check: str) -> list[dict[str, Any]]:
    """A check's findings in a report."""
    return [item for item in report["findings"] if item["check"] == check]


@pytest.mark.parametrize("name", DECISIONS)
def test_what_somebody_else_decided_is_named_with_its_owner_and_left_alone(docker_host: DockerHost, name: str) -> None:
    decision = DECISIONS[name]
    with decided(docker_host, decision):
        expect(docker_host, {EGRESS: decision.egress})
        before = state(docker_host)
        report = doctor(docker_host)
        mine = found(report, decision.check)
        assert [(item["severity"], item["owner"]["name"]) for item in mine] == [(decision.severity, decision.owner)]
        assert decision.words in mine[0]["summary"]
        assert roots(report)[:1] == ([decision.check] if decision.severity == "warning" else [])
        assert not [item for item in report["findings"] if item["severity"] == "error" and item["caused_by"] is None]
        fixed = docker_host.dnet("fix", "--yes")
        assert differing(before, state(docker_host)) == [], fixed.stdout.decode()
        expect(docker_host, {EGRESS: decision.egress})


def test_a_decision_is_overridden_where_that_is_asked_for_and_taken_back_exactly(docker_host: DockerHost) -> None:
    with decided(docker_host, DECISIONS["everything rejected above the engine"]):
        before = state(docker_host)
        refused = docker_host.dnet("fix", "--yes", "--override-owner")
        assert refused.returncode == 2
        fixed = docker_host.dnet("fix", "drop-before-docker", "--yes", "--override-owner")
        assert fixed.returncode == 0, fixed.stdout.decode()
        expect(docker_host, {EGRESS: OK, PUBLISHED: OK, OTHER_EGRESS: OK, FROM_HOST: OK})
        assert docker_host.dnet("undo", "--yes").returncode == 0
        assert differing(before, state(docker_host)) == []


def test_a_deep_chain_and_a_set_are_asked_and_counted(docker_host: DockerHost) -> None:
    banning = (
        "add table inet guard; add set inet guard bad { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; };"
        " add chain inet guard ways { type filter hook forward priority 5; };"
        " add rule inet guard ways ip daddr @bad counter drop"
    )
    deep = Decision(
        *_chained("corp-fw", "-p tcp -m multiport --dports 79:81 -j DROP", f"-s {WEB}"), TIMEOUT, "policy-drop", "", ""
    )
    docker_host.run("nft", "-f", "-", stdin=banning.encode())
    try:
        with decided(docker_host, deep):
            expect(docker_host, {EGRESS: TIMEOUT})
            report = doctor(docker_host, "--policy")
    finally:
        docker_host.run("nft", "delete", "table", "inet", "guard")
    summaries = [item["summary"] for item in found(report, "policy-drop")]
    assert any("corp-fw" in text and "tcp port 79" in text and "0 packets" not in text for text in summaries), summaries
    assert any("192.0.2." in text and "ways" in text for text in summaries), summaries
    proved = {item["place"]: item["packet"] for item in report["policy"]}
    assert proved["guard ways 1"].startswith("tcp")
    assert proved["filter corp-fw 1"]


def test_an_internal_network_stays_so_while_the_daemon_is_stopped(docker_host: DockerHost) -> None:
    assert docker_host.daemon is not None
    pid = docker_host.run("cat", "/run/docker.pid").stdout.decode().strip()
    before = state(docker_host)
    docker_host.run("kill", "-STOP", pid)
    try:
        report = json.loads(docker_host.dnet("doctor", "--format", "json").stdout)
        assert report["findings"] == []
        assert docker_host.dnet("fix", "--yes").returncode == 3
        assert differing(before, state(docker_host)) == []
    finally:
        docker_host.run("kill", "-CONT", pid)
        docker_host.daemon.send_signal(signal.SIGCONT)  # nsenter stopped itself together with its child
