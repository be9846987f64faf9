"""Routes to another host's containers: the plan, what is refused, and that removing it takes all out."""

from __future__ import annotations

import pytest

from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.actions.plans.plan import command_lines
from dnet_tui.actions.routes.host_route import add_plan, parse_route, remove_plan
from dnet_tui.actions.routes.routed import routed
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.route import AddRoute
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model.view import View
from unit.builders.factories import docker_like_snapshot

REQUEST = parse_route("10.60.0.0/24", ["via", "203.0.113.7"])


def test_both_ways_are_accepted_and_nothing_is_masqueraded() -> None:
    before = docker_like_snapshot()
    done = after(before, add_plan(before, REQUEST).operations)  # type: ignore[arg-type]
    said = routed(done, REQUEST.subnet).splitlines()
    assert said
    assert all("leaves by eth0 as 172." in line or "leaves by eth0 as 10." in line for line in said)
    assert all(line.endswith("what comes from there reaches it") for line in said)
    assert run_checks(done).findings == run_checks(before).findings


def test_removing_it_takes_route_and_rules_out() -> None:
    before = docker_like_snapshot()
    done = after(before, add_plan(before, REQUEST).operations)  # type: ignore[arg-type]
    back = View(after(done, remove_plan(done, "10.60.0.0/24").operations)).host  # type: ignore[arg-type]
    host = View(before).host
    assert back is not None
    assert host is not None
    assert back.firewall == host.firewall
    assert back.routes == host.routes


def test_one_network_can_be_chosen() -> None:
    request = parse_route("10.60.0.0/24", ["via", "203.0.113.7"], ["app"])
    lines = command_lines(add_plan(docker_like_snapshot(), request))
    assert any("br-app" in line for line in lines)
    assert not any("docker0" in line for line in lines)


@pytest.mark.parametrize("words", [(), ("via",), ("203.0.113.7",), ("dev", "eth0"), ("via", "x"), ("via", "fe80::1")])
def test_what_is_no_way_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        parse_route("10.60.0.0/24", words)


def test_a_route_that_is_not_ours_is_not_removed() -> None:
    with pytest.raises(UsageError, match="has made no route"):
        remove_plan(docker_like_snapshot(), "203.0.113.0/24")


def test_without_iptables_a_table_keeps_the_sources() -> None:
    plan = add_plan(docker_like_snapshot(), REQUEST, native=True)
    table, route = plan.operations
    assert isinstance(table, AddNftTable)
    assert isinstance(route, AddRoute)
    assert table.name == "dnet-tui-route-10_60_0_0_24"
    assert "priority srcnat - 10;" in table.body
    assert (
        'ip saddr 10.10.0.0/24 ip daddr 10.60.0.0/24 oifname "eth0" snat to 10.10.0.0-10.10.0.255 '
        'comment "dnet-tui:route 10.60.0.0/24";'
    ) in table.body
    assert "table ip filter decides over forwarded packets too: what it drops stays dropped" in plan.notes
