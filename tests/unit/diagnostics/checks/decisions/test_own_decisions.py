"""What containers decide by rules and routes of their own, routes into a network, and rules that may decide."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model import Snapshot
from unit.builders.factories import DOCKER0, HOST, VETH_WEB, WEB, docker_like_snapshot, route
from unit.builders.factories_links import adding
from unit.diagnostics.checks.cases.policies import ELSEWHERE, own_rules
from unit.diagnostics.checks.cases.rules import insert


def of(check: str, snapshot: Snapshot) -> list[Finding]:
    return [item for item in run_checks(snapshot).findings if item.check == check]


def test_rules_of_a_container_that_stop_nothing_asked_for_are_information() -> None:
    (found,) = of("ctr-firewall", own_rules(ELSEWHERE))
    assert (found.severity, [item.name for item in found.affects]) == ("info", ["web"])
    assert found.owner is not None
    assert found.owner.kind == "administrator"
    assert of("ctr-firewall", docker_like_snapshot()) == []


@pytest.mark.parametrize(("router", "told"), [("172.17.0.250", True), ("172.17.0.1", False)])
def test_a_containers_route_by_a_router_that_nobody_is_is_told(router: str, *, told: bool) -> None:
    way = route("198.51.100.0/24", ifindex=VETH_WEB - 1, gateway=router)
    found = of("blackhole", adding(docker_like_snapshot(), WEB, "routes", way))
    assert [item.severity for item in found] == ["info"] * told
    assert all("by 172.17.0.250 in web" in item.summary for item in found)


@pytest.mark.parametrize(("protocol", "told"), [("static", True), ("kernel", False)])
def test_a_route_of_the_hosts_into_a_network_where_nobody_is_is_told(protocol: str, *, told: bool) -> None:
    way = route("192.0.2.0/24", ifindex=DOCKER0, scope="link", protocol=protocol)
    assert bool(of("blackhole", adding(docker_like_snapshot(), HOST, "routes", way))) is told


@pytest.mark.parametrize(("user", "outcome"), [("0", "unknown"), ("65534", "ok")])
def test_a_rule_for_root_alone_may_keep_the_host_from_containers_and_one_for_nobody_does_not(
    user: str, outcome: str
) -> None:
    report = run_checks(insert(f"-o docker0 -m owner --uid-owner {user} -j DROP", "OUTPUT"))
    assert next(item.outcome for item in report.checks if item.id == "output-drop") == outcome
