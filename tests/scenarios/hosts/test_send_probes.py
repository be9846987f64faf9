"""Sending the doctor's probes: where to, how many, twice where they contradict; without any network."""

from __future__ import annotations

import threading
import time

import pytest

from dnet_tui.actions.probes import send_probes
from dnet_tui.actions.probes.probe import Probe, ProbeOutcome, dns_question
from dnet_tui.actions.probes.send_probes import Probing, probe_host
from dnet_tui.diagnostics.checks.run_checks import examination
from dnet_tui.diagnostics.flows.probes import PlannedProbe
from dnet_tui.diagnostics.probing.probe_plan import allowed, plan
from dnet_tui.inspect.kernel.netns import NsHandle
from dnet_tui.inspect.model import Snapshot
from unit.builders.factories import WEB, docker_like_snapshot
from unit.diagnostics.checks.cases.rules import FAULTS, insert

ENDS = {
    "answered": ProbeOutcome.OK,
    "refused": ProbeOutcome.REFUSED,
    "blocked": ProbeOutcome.TIMEOUT,
    "unknown": ProbeOutcome.TIMEOUT,
}


class Wire:
    """Answers as the model of ``truth`` says, and remembers what was sent."""

    def __init__(self, truth: Snapshot) -> None:
        self.sent: list[PlannedProbe] = []
        self.truth = {probe.key: probe for probe in plan(examination(truth))}
        self.lock = threading.Lock()

    def __call__(self, probe: PlannedProbe, _: NsHandle) -> Probe:
        with self.lock:
            self.sent.append(probe)
        real = self.truth.get(probe.key, probe)
        return Probe(outcome=ENDS[real.prediction], seconds=0.001)


def never() -> Snapshot:
    raise AssertionError("nobody should look again")


def judgements(result: Probing) -> set[str]:
    return {item.judgement for item in result.probes}


def test_a_healthy_host_agrees_and_is_looked_at_once() -> None:
    healthy = docker_like_snapshot()
    wire = Wire(healthy)
    result = probe_host(healthy, never, sender=wire)
    assert judgements(result) == {"agrees"}
    assert {probe.address for probe in wire.sent} <= allowed(examination(healthy).case)


@pytest.mark.parametrize("fault", ["ip-forward-off", "masq-missing", "drop-before-docker"])
def test_a_finding_is_confirmed(fault: str) -> None:
    broken = FAULTS[fault]()
    result = probe_host(broken, never, sender=Wire(broken))
    assert judgements(result) == {"agrees"}
    assert fault in {item.probe.confirms for item in result.probes}


def test_a_wrong_model_is_contradicted_twice_before_it_is_said() -> None:
    model, truth = docker_like_snapshot(), FAULTS["masq-missing"]()
    looks = []

    def look() -> Snapshot:
        looks.append(1)
        return model

    wire = Wire(truth)
    result = probe_host(model, look, sender=wire)
    wrong = [item.probe.source for item in result.probes if item.judgement == "contradicts"]
    assert (wrong, looks) == (["web"], [1])
    assert len([probe for probe in wire.sent if probe.source == "web" and probe.method == "ping" and
                probe.kind == "egress"]) == 2  # fmt: skip


def test_a_host_that_changed_meanwhile_contradicts_nothing() -> None:
    truth = FAULTS["masq-missing"]()
    result = probe_host(docker_like_snapshot(), lambda: truth, sender=Wire(truth))
    assert "contradicts" not in judgements(result)
    assert result.snapshot is truth


def test_a_container_that_ended_meanwhile_contradicts_nothing() -> None:
    before, truth = docker_like_snapshot(), FAULTS["masq-missing"]()
    gone = Snapshot(
        namespaces=tuple(ns for ns in before.namespaces if ns.id != WEB),
        networks=before.networks,
        containers=tuple(item for item in before.containers if item.name != "web"),
    )
    result = probe_host(before, lambda: gone, sender=Wire(truth))
    assert [item.reason for item in result.probes if item.probe.source == "web" and item.probe.kind == "egress"] == [
        "one end of it is gone by now"
    ]
    assert "contradicts" not in judgements(result)


def test_what_can_not_be_sent_is_said_with_its_reason() -> None:
    def refuse(_: PlannedProbe, __: NsHandle) -> Probe:
        return Probe(
            outcome=ProbeOutcome.UNREACHABLE, seconds=0.0, note="the namespace could not be entered", sent=False
        )

    result = probe_host(docker_like_snapshot(), never, sender=refuse)
    assert judgements(result) == {"not-sent"}
    assert {item.reason for item in result.probes} == {"the namespace could not be entered"}


def test_what_must_not_be_sent_is_not() -> None:
    spec = "-d 203.0.113.2/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.30.0.77:80"
    led_astray = insert(spec, "OUTPUT", "nat")
    wire = Wire(led_astray)
    result = probe_host(led_astray, never, sender=wire)
    assert not [probe for probe in wire.sent if probe.port == 8080 and probe.source == "host"]
    assert any("172.30.0.77" in item.reason for item in result.probes)


def test_the_limit_holds() -> None:
    wire = Wire(docker_like_snapshot())
    probe_host(docker_like_snapshot(), never, limit=3, sender=wire)
    assert len(wire.sent) == 3


def test_a_probe_that_never_comes_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_probes, "PATIENCE", 0.05)
    release = threading.Event()

    def stuck(_: PlannedProbe, __: NsHandle) -> Probe:
        release.wait(60)
        return Probe(outcome=ProbeOutcome.OK, seconds=0.0)

    start = time.monotonic()
    result = probe_host(docker_like_snapshot(), never, sender=stuck)
    release.set()
    assert time.monotonic() - start < 30
    assert {item.reason for item in result.probes} == {"it took too long"}


def test_a_dns_query_asks_for_one_name_and_no_recursion() -> None:
    query = dns_question(0xABCD, "web")
    assert query == b"\xab\xcd" + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"\x03web\x00" + bytes([0, 1, 0, 1])
    assert query[2] & 1 == 0, "recursion desired"
