"""Every probe is judged: one that fails without a finding is a finding, and who answered counts."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import examination, run_checks
from dnet_tui.diagnostics.flows.probes import PlannedProbe, Prediction, ProbeAnswer, Probed, Sent, judge
from dnet_tui.diagnostics.probing.probe_plan import plan
from dnet_tui.inspect.model import Snapshot
from unit.builders.factories import APP2, HOST, WEB, docker_like_snapshot
from unit.diagnostics.checks.cases.rules import insert

REDIRECT = "-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080"


def pinged(
    prediction: Prediction, answer: ProbeAnswer, *, confirms: str = "", expected: bool = True
) -> tuple[Probed, ...]:
    """A ping of web's to somewhere, as the model had it and as it went."""
    probe = PlannedProbe(
        kind="container-to-host",
        namespace=WEB,
        source="web",
        target="host",
        method="ping",
        address="172.17.0.1",
        prediction=prediction,
        by="rule 3 of a chain",
        confirms=confirms,
        expected=expected,
    )
    vouching = msgspec.structs.replace(
        probe, namespace=HOST, source="host", prediction="answered", by="", confirms="", expected=True
    )
    return judge([(vouching, Sent(answer="answered")), (probe, Sent(answer=answer))], HOST)


def said(probes: tuple[Probed, ...]) -> list[str]:
    return [item.summary for item in run_checks(docker_like_snapshot(), probes=probes).findings]


def test_a_probe_that_fails_as_the_model_says_and_that_no_finding_explains_is_one() -> None:
    assert said(pinged("blocked", "timeout")) == ["web → host gets no answer"]


@pytest.mark.parametrize(
    "probes",
    [
        pinged("answered", "answered"),
        pinged("blocked", "timeout", expected=False),  # kept apart by design
        pinged("blocked", "not-sent"),
    ],
)
def test_what_goes_as_it_should_is_none(probes: tuple[Probed, ...]) -> None:
    assert said(probes) == []


def redirected() -> Snapshot:
    return insert(REDIRECT, "PREROUTING", "nat")


def test_a_probe_that_a_rule_leads_to_the_host_names_it_and_confirms_no_lack_of_isolation() -> None:
    crossed = [probe for probe in plan(examination(redirected())) if probe.kind == "cross-network"]
    led = [probe for probe in crossed if probe.prediction == "answered"]
    assert led
    assert {probe.confirms for probe in led} == {""}
    assert all(probe.stranger.startswith("host at port 8080 by nat PREROUTING rule 1") for probe in led)
    assert all(probe.stranger == "" for probe in plan(examination(docker_like_snapshot())))


def test_containers_that_a_redirect_takes_the_packets_of_are_not_told_to_reach_each_other() -> None:
    assert "isolation-missing" not in {item.check for item in run_checks(redirected()).findings}


@pytest.mark.parametrize(("receiver", "judgement"), [(APP2, "agrees"), (HOST, "contradicts"), ("", "agrees")])
def test_who_answered_counts_where_connection_tracking_tells(receiver: str, judgement: str) -> None:
    probe = PlannedProbe(
        kind="same-network",
        namespace=WEB,
        source="app1",
        target="app2",
        method="tcp",
        address="10.10.0.3",
        port=80,
        prediction="answered",
        receiver=APP2,
    )
    (result,) = judge([(probe, Sent(answer="answered", by="10.10.0.1:8080", receiver=receiver))], HOST)
    assert result.judgement == judgement
