"""The host's own way out: an error where it is dead, a warning where there is none, as it may be meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.model import Link, Neighbour, Route, Snapshot
from unit.builders.factories import DOCKER0, HOST, UPLINK, docker_like_snapshot, with_link
from unit.builders.factories_links import adding, without


def cut(**uplink: Any) -> Snapshot:
    """The host without a default route, its uplink changed."""
    base = without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    return with_link(base, HOST, "eth0", **uplink)


def asked(state: str, address: str = "203.0.113.1", ifindex: int = UPLINK) -> Snapshot:
    """The host with what came of asking for a neighbour."""
    entry = Neighbour(ifindex=ifindex, family="ip", address=address, state=state)
    return adding(docker_like_snapshot(), HOST, "neighbours", entry)


def with_spare(**changes: Any) -> Snapshot:
    """The host without a default route, its uplink well, and another interface."""
    spare = Link(ifindex=90, name="spare", mtu=1500)
    return adding(cut(), HOST, "links", msgspec.structs.replace(spare, **changes))


def dead(**changes: Any) -> Snapshot:
    """The host with its default route, its uplink changed."""
    return with_link(docker_like_snapshot(), HOST, "eth0", **changes)


@pytest.mark.parametrize(
    "build",
    [
        lambda: cut(up=False, carrier=False),
        lambda: cut(up=True, carrier=False),
        lambda: dead(up=False, carrier=False, operstate="DOWN"),
        lambda: dead(up=True, carrier=False, operstate="DOWN"),
        lambda: asked("FAILED"),
        lambda: asked("INCOMPLETE"),
    ],
)
def test_a_dead_way_out_is_one_error_with_whom_it_cuts_off(build: Callable[[], Snapshot]) -> None:
    serious = [item for item in run_checks(build()).findings if item.severity != "info" and item.caused_by is None]
    assert [(item.check, item.severity) for item in serious] == [("uplink-down", "error")]
    assert {"web", "app1", "app2"} <= {item.name for item in serious[0].affects}
    assert serious[0].remedy is not None
    assert serious[0].remedy.risk == "manual"
    assert "3 containers" in serious[0].summary


def test_a_carrier_just_lost_is_lost_before_the_interfaces_state_says_so() -> None:
    assert "uplink-down" in {item.check for item in run_checks(dead(up=True, carrier=False, operstate="UP")).findings}


def test_a_way_out_that_is_idle_but_alive_is_no_dead_one() -> None:
    unknown = dead(up=True, carrier=False, operstate="UNKNOWN")  # a device that does not tell of a carrier
    assert "uplink-down" not in {item.check for item in run_checks(unknown).findings}


@pytest.mark.parametrize(
    "build",
    [
        cut,
        with_spare,  # down, but it has no address: nobody uses it
        lambda: with_link(cut(), HOST, "docker0", carrier=False),
    ],
)
def test_no_way_out_at_all_may_be_meant_and_is_a_warning(build: Callable[[], Snapshot]) -> None:
    found = [item for item in run_checks(build()).findings if item.check in {"host-no-uplink", "uplink-down"}]
    assert [(item.check, item.severity) for item in found] == [("host-no-uplink", "warning")]


@pytest.mark.parametrize(
    "build",
    [
        docker_like_snapshot,
        lambda: asked("REACHABLE"),
        lambda: asked("STALE"),
        lambda: asked("FAILED", address="203.0.113.9"),
        lambda: asked("FAILED", ifindex=DOCKER0),
    ],
)
def test_a_host_with_a_way_out_is_left_alone(build: Callable[[], Snapshot]) -> None:
    assert {"host-no-uplink", "uplink-down"}.isdisjoint(item.check for item in run_checks(build()).findings)


def test_a_default_route_that_refuses_is_called_what_it_is() -> None:
    black = adding(cut(), HOST, "routes", Route(family="ip", table=254, type="blackhole", dst="0.0.0.0/0"))
    for build, words in ((black, "is a blackhole"), (cut(), "has no route")):
        found = [item.summary for item in run_checks(build).findings if item.check == "host-no-uplink"]
        assert len(found) == 1
        assert words in found[0]
