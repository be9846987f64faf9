"""Checks about others' networks, Docker's own settings and its protection: each on its fault alone, on no near miss."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import examination, run_checks
from dnet_tui.diagnostics.checks.subjects.foreign_network_policy import is_others
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import by_policy
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.firewalld import Firewalld
from scenarios.hosts.reported import is_all_that_is_wrong, serious
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace
from unit.builders.factories_others import (
    beside,
    engine,
    firewall,
    guarded,
    refused,
    renumbered,
    unruled,
    with_policy,
    with_tables,
)
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.others import FAULTS
from unit.diagnostics.checks.cases.others import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    check, severity, build = FAULTS[fault]
    is_all_that_is_wrong(build(), check, severity)


TYPED = [name for name, (check, _, _) in FAULTS.items() if check.endswith("-others")]


@pytest.mark.parametrize("fault", TYPED)
def test_the_remedy_lets_just_that_traffic_pass_and_the_undo_brings_the_same_host_back(fault: str) -> None:
    broken = FAULTS[fault][2]()
    remedy = run_checks(broken).findings[0].remedy
    assert remedy is not None
    assert {step.chain for step in remedy.steps if isinstance(step, InsertRule)} == {"DOCKER-USER"}
    assert remedy.risk == "ask"
    cured = after(broken, remedy.steps)
    assert serious(cured) == []
    assert after(cured, remedy.undo) == broken


def test_a_published_port_is_let_in_by_its_translation_and_nothing_else_is() -> None:
    remedy = run_checks(beside()).findings[0].remedy
    assert remedy is not None
    assert [step.commands()[0][6:] for step in remedy.steps] == [
        ("1", "-o", "br-app", "-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT")
    ]


def _accepted_behind() -> Snapshot:
    """The administrator dropped a stranger in DOCKER-USER."""
    rule = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="filter",
        chain="DOCKER-USER",
        spec="-s 192.0.2.66/32 -j DROP",
        position=1,
    )
    return after(beside(), [rule])


def test_what_the_administrator_drops_in_docker_user_stays_before_what_is_accepted() -> None:
    remedy = run_checks(_accepted_behind()).findings[0].remedy
    assert remedy is not None
    assert [step.position for step in remedy.steps if isinstance(step, InsertRule)] == [2]


def test_what_follows_from_a_docker_that_may_write_no_rules_is_folded_under_it() -> None:
    found = serious(unruled())
    assert {item.check for item in found[1:]} == {"masq-missing"}
    assert {item.caused_by for item in found[1:]} == {"iptables-false"}


def _undeclared() -> Snapshot:
    """Nobody declares Podman's network, so that nobody says what should reach it."""
    base = beside()
    return msgspec.structs.replace(base, networks=tuple(item for item in base.networks if item.name != "app"))


TOLD: dict[str, tuple[str, Callable[[], Snapshot]]] = {
    "a refused table": ("iptables-incompatible", refused),
    "Docker's policy stops what nobody says should pass": ("drop-hits-others", _undeclared),
}


@pytest.mark.parametrize("fact", TOLD)
def test_what_is_no_fault_yet_is_information(fact: str) -> None:
    check, build = TOLD[fact]
    report = run_checks(build())
    assert {(item.check, item.severity) for item in report.findings} == {(check, "info")}
    assert report.summary.verdict == "healthy"


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_no_finding(case: str) -> None:
    report = run_checks(NEAR_MISSES[case]())
    assert [item for item in report.findings if item.severity != "info"] == []
    assert "crashed" not in {result.outcome for result in report.checks}


def test_a_policy_that_docker_was_told_to_leave_alone_is_not_called_dockers() -> None:
    found = serious(engine(beside(), beside().engines[1], ip_forward=False))
    assert [item.check for item in found] == ["flow-blocked"]


def _stopped(snapshot: Snapshot) -> dict[str, bool]:
    """Whether FORWARD's policy is called Docker's, by the engine of the network that it stops."""
    ctx = examination(snapshot)
    return {
        flow.network.engine: is_others(ctx.case, obstacle, "ip")
        for flow in ctx.flows
        for _, obstacle in flow.obstacles
        if flow.expected and by_policy(obstacle)
    }


def _all_stopped() -> Snapshot:
    """Nothing in FORWARD lets containers pass any more, Podman's or Docker's."""
    return with_tables(
        beside(),
        lambda table: msgspec.structs.replace(
            table, chains=tuple(renumbered(item) if item.name == "FORWARD" else item for item in table.chains)
        ),
    )


def test_only_what_is_not_dockers_own_and_meets_dockers_table_is_others() -> None:
    assert _stopped(_all_stopped()) == {"docker": False, "podman": True}
    without_docker = with_tables(
        _all_stopped(),
        lambda table: msgspec.structs.replace(
            table, chains=tuple(item for item in table.chains if not item.name.startswith("DOCKER"))
        ),
    )
    assert _stopped(without_docker)["podman"] is False


def test_what_docker_keeps_out_is_told_only_where_it_grew_since() -> None:
    report = run_checks(guarded(905, 900), before=guarded(900, 900))
    assert [(item.check, item.severity, item.subject.name) for item in report.findings] == [
        ("direct-blocked", "info", "docker0")
    ]
    assert "5 packets" in report.findings[0].summary
    report = run_checks(guarded(900, 907), before=guarded(900, 900))
    assert [(item.check, item.severity) for item in report.findings] == [("unpublished-drop", "info")]


def test_counters_that_began_anew_tell_nothing() -> None:
    assert run_checks(guarded(3, 0), before=guarded(900, 900)).findings == ()
    assert run_checks(guarded(3, 3), before=docker_like_snapshot()).findings == ()


def test_a_trace_says_that_docker_keeps_strangers_out_by_design() -> None:
    case = HostContext(guarded(0, 0))
    traced = trace(case, find(case, "outside"), find(case, "web"), port=80)
    assert "by design: Docker 28 and later blocks direct access" in traced.why


def test_a_trace_that_another_rule_stops_is_not_called_docker_s_design() -> None:
    case = HostContext(with_policy(docker_like_snapshot(), "drop"))
    traced = trace(case, find(case, "outside"), find(case, "web"), port=81)
    assert (traced.forward.end, traced.why) == ("dropped", "")


def test_a_port_that_is_not_published_is_kept_by_its_own_rule() -> None:
    base = guarded(0, 0)
    tables = firewall(base).tables
    case = HostContext(
        with_namespace(base, HOST, firewall=Firewall(tables=tuple(t for t in tables if t.name != "raw")))
    )
    traced = trace(case, find(case, "outside"), find(case, "web"), port=81)
    assert "that port isn't published" in traced.why


def test_where_firewalld_writes_dockers_rules_its_path_means_nothing() -> None:
    turned = FAULTS["Docker's iptables turned to the other backend"][2]()
    with_firewalld = msgspec.structs.replace(turned, firewalld=Firewalld(pid=1, settled=True, zones=()))
    assert "iptables-shadow" in {item.check for item in run_checks(turned).findings}
    assert "iptables-shadow" not in {item.check for item in run_checks(with_firewalld).findings}
