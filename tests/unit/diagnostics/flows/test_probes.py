"""Which probes are planned, what is expected of them, and how their answers are judged."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import examination, run_checks
from dnet_tui.diagnostics.flows.probes import (
    Judgement,
    Method,
    PlannedProbe,
    Prediction,
    ProbeAnswer,
    Probed,
    Sent,
    judge,
)
from dnet_tui.diagnostics.probing.probe_plan import MOST, allowed, plan, predict
from dnet_tui.inspect.model import Snapshot, Socket
from dnet_tui.inspect.model.firewall import Chain, Firewall, Opaque, Rule, Table, Verdict
from unit.builders.factories import APP1, HOST, WEB, docker_like_snapshot, with_namespace
from unit.diagnostics.checks.cases.rules import FAULTS, insert, with_table

GATEWAY = "203.0.113.1"


def planned(snapshot: Snapshot, **options: object) -> tuple[PlannedProbe, ...]:
    return plan(examination(snapshot), **options)  # type: ignore[arg-type]


def one(snapshot: Snapshot, kind: str, source: str) -> PlannedProbe:
    return next(probe for probe in planned(snapshot) if (probe.kind, probe.source) == (kind, source))


def test_on_a_healthy_host_every_kind_of_flow_is_tried_and_expected_to_do_as_it_should() -> None:
    probes = planned(docker_like_snapshot())
    kinds = {"egress", "same-network", "cross-network", "published", "host-to-container", "container-to-host"}
    assert {probe.kind for probe in probes} >= kinds
    for probe in probes:
        crosses = probe.kind == "cross-network"
        assert probe.prediction == ("blocked" if crosses else "answered"), probe
        assert (probe.confirms, probe.risk) == ("", ""), probe


def test_nothing_but_containers_the_host_and_its_gateway_is_probed() -> None:
    snapshot = docker_like_snapshot()
    may = allowed(examination(snapshot).case)
    assert GATEWAY in may
    assert "198.51.100.77" not in may
    assert {probe.address for probe in planned(snapshot)} <= may


def test_the_way_out_is_a_ping_of_the_gateway_and_the_host_vouches_for_it_first() -> None:
    pings = [probe for probe in planned(docker_like_snapshot()) if probe.address == GATEWAY]
    assert pings[0].source == "host"
    assert {probe.method for probe in pings} == {"ping"}
    assert {probe.source for probe in pings} == {"host", "web", "app1", "app2"}
    assert {probe.hops for probe in pings} == {1}, "no farther than the gateway itself"


def test_the_number_is_bounded_and_broken_flows_come_first() -> None:
    probes = planned(FAULTS["masq-missing"](), limit=2)
    assert [(probe.source, probe.address) for probe in probes] == [("host", GATEWAY), ("web", GATEWAY)]
    assert len(planned(docker_like_snapshot())) <= MOST


def test_a_focus_keeps_what_starts_or_ends_there() -> None:
    probes = planned(docker_like_snapshot(), focus="web")
    assert probes
    assert all("web" in probe.label or probe.source == "host" for probe in probes)
    assert not any("app1" in probe.label for probe in probes if probe.kind == "same-network")


@pytest.mark.parametrize(
    ("fault", "kind", "source"),
    [
        ("ip-forward-off", "egress", "web"),
        ("fwd-off-bridge", "egress", "app1"),
        ("fwd-off-uplink", "egress", "web"),
        ("masq-missing", "egress", "web"),
        ("drop-before-docker", "egress", "web"),
        ("user-chain-drop", "egress", "web"),
        ("two-backends", "egress", "web"),
        ("foreign-base-drop", "egress", "web"),
        ("fwd-jump-missing", "egress", "web"),
    ],
)
def test_what_a_finding_breaks_is_expected_to_fail_and_names_the_finding(fault: str, kind: str, source: str) -> None:
    probe = one(FAULTS[fault](), kind, source)
    assert (probe.prediction, probe.confirms) == ("blocked", fault)
    assert probe.by


def test_what_is_exposed_is_expected_to_get_through() -> None:
    probe = one(FAULTS["isolation-missing"](), "cross-network", "web")
    assert (probe.prediction, probe.confirms) == ("answered", "isolation-missing")


def test_where_nothing_listens_a_ping_is_sent() -> None:
    silent = with_namespace(docker_like_snapshot(), APP1, sockets=())
    probe = next(item for item in planned(silent) if (item.source, item.target) == ("host", "app1"))
    assert (probe.method, probe.port) == ("ping", 0)


def test_a_resolver_inside_the_host_is_asked_for_the_container_itself() -> None:
    sockets = (Socket(proto="udp", address="127.0.0.11", port=41234), Socket(proto="tcp", address="127.0.0.11", port=1))
    base = with_namespace(docker_like_snapshot(), APP1, sockets=sockets)
    names = [probe for probe in planned(base) if probe.kind == "names"]
    assert [(item.source, item.address, item.port, item.query, item.method) for item in names] == [
        ("app1", "127.0.0.11", 53, "app1", "dns")
    ]


def test_what_would_be_led_beyond_the_host_is_not_sent() -> None:
    spec = "-d 203.0.113.2/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.30.0.77:80"
    probes = [item for item in planned(insert(spec, "OUTPUT", "nat")) if item.port == 8080 and item.source == "host"]
    assert [probe.risk for probe in probes] == [
        "it would go to 172.30.0.77, which is neither a container, the host nor its gateway"
    ]


def test_a_rule_that_nobody_can_evaluate_makes_it_unknown_but_forward_does_not_change_where_it_goes() -> None:
    rule = Rule(number=1, text="strange", exprs=(Opaque(text="-m strange", role="match"), Verdict(kind="drop")))
    chain = Chain(name="fwd", hook="forward", priority=-10, type="filter", policy="accept", rules=(rule,))
    odd = with_table(Table(family="inet", name="other", backend="nftables", chains=(chain,)))
    probe = one(odd, "egress", "web")
    assert (probe.prediction, probe.risk) == ("unknown", "")
    assert judge([(probe, Sent(answer="timeout"))], HOST)[0].judgement == "proves-nothing"


def test_a_probe_is_predicted_anew_over_another_snapshot() -> None:
    probe = one(docker_like_snapshot(), "egress", "web")
    again = predict(examination(FAULTS["masq-missing"]()), probe)
    assert again is not None
    assert (again.key, again.prediction) == (probe.key, "blocked")


def test_a_probe_of_what_is_gone_can_not_be_predicted() -> None:
    snapshot = docker_like_snapshot()
    probe = one(snapshot, "egress", "web")
    rest = tuple(item for item in snapshot.containers if item.name != "web")
    spaces = tuple(ns for ns in snapshot.namespaces if ns.id != WEB)
    assert predict(examination(msgspec.structs.replace(snapshot, containers=rest, namespaces=spaces)), probe) is None


# -- judgement ----------------------------------------------------------------------------------


def probe(prediction: Prediction = "answered", method: Method = "tcp", **more: object) -> PlannedProbe:
    settings: dict[str, object] = {
        "kind": "same-network", "source": "a", "target": "b", "namespace": APP1, "address": "10.10.0.3", "port": 80,
    }  # fmt: skip
    return PlannedProbe(prediction=prediction, method=method, **(settings | more))  # type: ignore[arg-type]


def judged(what: PlannedProbe, answer: ProbeAnswer, *others: tuple[PlannedProbe, Sent]) -> Judgement:
    return judge([(what, Sent(answer=answer)), *others], HOST)[0].judgement


@pytest.mark.parametrize(
    ("prediction", "answer", "judgement"),
    [
        ("answered", "answered", "agrees"),
        ("answered", "timeout", "contradicts"),
        ("answered", "refused", "contradicts"),
        ("answered", "unreachable", "contradicts"),
        ("refused", "refused", "agrees"),
        ("refused", "answered", "contradicts"),
        ("refused", "timeout", "contradicts"),
        ("blocked", "timeout", "agrees"),
        ("blocked", "unreachable", "agrees"),
        ("blocked", "answered", "contradicts"),
        ("blocked", "refused", "contradicts"),
        ("unknown", "answered", "proves-nothing"),
        ("unknown", "timeout", "proves-nothing"),
        ("answered", "not-sent", "not-sent"),
        ("blocked", "not-sent", "not-sent"),
    ],
)
def test_prediction_and_answer_are_compared(prediction: Prediction, answer: ProbeAnswer, judgement: Judgement) -> None:
    assert judged(probe(prediction), answer) == judgement


def test_a_rejection_is_a_refusal() -> None:
    assert judged(probe("blocked", rejected=True), "refused") == "agrees"


@pytest.mark.parametrize("prediction", ["answered", "blocked"])
@pytest.mark.parametrize("method", ["ping", "dns"])
def test_silence_counts_only_where_the_host_itself_is_answered(prediction: Prediction, method: Method) -> None:
    what = probe(prediction, method)
    own = msgspec.structs.replace(what, namespace=HOST, source="host", prediction="answered")
    counts: Judgement = "contradicts" if prediction == "answered" else "agrees"
    assert judged(what, "timeout") == "proves-nothing"
    assert judged(what, "timeout", (own, Sent(answer="timeout"))) == "proves-nothing"
    assert judged(what, "timeout", (own, Sent(answer="answered"))) == counts


# -- the check ----------------------------------------------------------------------------------


def contradicting(prediction: Prediction, answer: ProbeAnswer) -> tuple[Probed, ...]:
    return judge([(probe(prediction, by="rule 3"), Sent(answer=answer))], HOST)


def test_a_contradiction_is_the_first_finding_whatever_else_there_is() -> None:
    report = run_checks(FAULTS["ip-forward-off"](), probes=contradicting("blocked", "answered"))
    assert [item.check for item in report.findings][:2] == ["model-contradicted", "ip-forward-off"]
    first = report.findings[0]
    assert (first.severity, first.caused_by) == ("error", None)
    assert (first.evidence[0].value, first.evidence[0].expected) == ("answered", "no answer: rule 3")
    assert report.summary.verdict == "problems"


def test_both_directions_are_told_apart() -> None:
    both = (*contradicting("blocked", "answered"), *contradicting("answered", "timeout"))
    summaries = [item.summary for item in run_checks(docker_like_snapshot(), probes=both).findings]
    assert len(summaries) == 2
    assert any("got through" in text for text in summaries)


@pytest.mark.parametrize(
    ("prediction", "answer"), [("answered", "answered"), ("unknown", "timeout"), ("answered", "not-sent")]
)
def test_what_agrees_proves_nothing_or_was_not_sent_is_no_finding(prediction: Prediction, answer: ProbeAnswer) -> None:
    report = run_checks(docker_like_snapshot(), probes=contradicting(prediction, answer))
    assert report.findings == ()
    assert {item.id: item.outcome for item in report.checks}["model-contradicted"] == "ok"


def test_without_probes_the_check_says_nothing_at_all() -> None:
    report = run_checks(docker_like_snapshot())
    assert report.probes is None
    assert "model-contradicted" not in {item.id for item in report.checks}


def test_a_repair_of_something_else_is_never_held_for_the_cause_of_a_contradiction() -> None:
    report = run_checks(FAULTS["masq-missing"](), probes=contradicting("answered", "timeout"))
    assert [(item.check, item.caused_by) for item in report.findings] == [
        ("model-contradicted", None),
        ("masq-missing", None),
    ]


def test_the_firewall_unread_still_lets_probes_be_planned() -> None:
    assert planned(with_namespace(docker_like_snapshot(), HOST, firewall=Firewall()))
