"""What real packets say of a repair: which of them tell, what is wrong, and what was not tried."""

from __future__ import annotations

import pytest

from dnet_tui.actions.probes import repair_probe
from dnet_tui.actions.probes.repair_probe import RepairProof, proof
from dnet_tui.actions.probes.send_probes import Probing
from dnet_tui.diagnostics.flows.probes import Judgement, PlannedProbe, ProbeAnswer, Probed, Sent
from dnet_tui.diagnostics.report.finding import Finding, FlowName, Subject
from unit.builders.factories import docker_like_snapshot

FLOW = FlowName(label="web → outside", source="web", target="outside", proto="tcp", port=443)


def finding(*symptoms: str, flows: tuple[FlowName, ...] = (FLOW,)) -> Finding:
    subject = Subject(kind="host", name="h")
    return Finding(check="c", severity="error", subject=subject, summary="", symptoms=symptoms, flows=flows)


def probed(
    kind: str, *, expected: bool = True, answer: ProbeAnswer = "answered", judgement: Judgement = "agrees"
) -> Probed:
    probe = PlannedProbe(
        kind=kind,
        source="web",
        target="db",
        namespace="net:[2]",
        method="ping",
        address="10.0.0.2",
        prediction="answered" if expected else "blocked",
        expected=expected,
    )
    return Probed(probe=probe, sent=Sent(answer=answer), judgement=judgement)


def said(monkeypatch: pytest.MonkeyPatch, what: Finding, *probes: Probed) -> RepairProof:
    snapshot = docker_like_snapshot()
    monkeypatch.setattr(repair_probe, "probe_host", lambda *_, **__: Probing(snapshot=snapshot, probes=probes))
    monkeypatch.setattr(repair_probe, "egress_text", lambda *_: "")
    return proof(snapshot, what, lambda: snapshot)


def test_what_lies_beyond_the_gateway_is_said_not_to_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch, finding("egress"), probed("egress")).text.splitlines()
    assert lines[-1] == "not tried: what lies beyond the gateway, where dnet-tui sends nothing"
    assert "not tried" not in said(monkeypatch, finding("same-network"), probed("same-network")).text


@pytest.mark.parametrize("flows", [(FLOW,), ()])
def test_where_nothing_could_be_tried_that_is_said(
    monkeypatch: pytest.MonkeyPatch, flows: tuple[FlowName, ...]
) -> None:
    assert said(monkeypatch, finding("published", flows=flows)).text.startswith("not tried with packets")


def test_of_what_no_flow_hangs_on_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, finding(flows=())) == RepairProof()


@pytest.mark.parametrize(
    ("probe", "failed", "words"),
    [
        (probed("cross-network", expected=False, answer="timeout"), False, "no answer, as it should be (timeout)"),
        (probed("cross-network", expected=False, judgement="contradicts"), True, "answered in"),
        (probed("same-network", expected=False, answer="timeout"), False, "no answer, as it should be"),
        (probed("egress"), False, "not tried with packets"),
        (probed("cross-network"), False, "not tried with packets"),
        (probed("cross-network", expected=False, judgement="proves-nothing"), False, "not tried with packets"),
    ],
)
def test_networks_that_are_kept_apart_again_are_tried_too(
    monkeypatch: pytest.MonkeyPatch, probe: Probed, failed: bool, words: str
) -> None:
    found = said(monkeypatch, finding("exposure", flows=()), probe)
    assert found.failed is failed
    assert words in found.text


def test_what_must_pass_and_does_not_fails_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = probed("egress", answer="timeout", judgement="contradicts")
    assert said(monkeypatch, finding("egress"), lost).failed
    stopped = probed("egress", expected=False, answer="timeout")
    assert not said(monkeypatch, finding("egress"), stopped).failed
