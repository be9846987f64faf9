"""The host's own way out: a warning where an interface took it down, information where it may be meant or may heal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.model import Link, Neighbour, Snapshot
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


@pytest.mark.parametrize("build", [lambda: cut(up=False, carrier=False), lambda: cut(up=True, carrier=False)])
def test_an_interface_that_went_down_and_took_the_way_out_with_it_is_a_warning(build: Callable[[], Snapshot]) -> None:
    finding = run_checks(build()).findings[0]
    assert (finding.check, finding.severity) == ("host-no-uplink", "warning")
    assert [item.what for item in finding.evidence] == ["198.51.100.77", "eth0"]
    assert finding.remedy is not None
    assert finding.remedy.risk == "manual"


@pytest.mark.parametrize(
    "build",
    [
        cut,
        with_spare,  # down, but it has no address: nobody uses it
        lambda: with_link(cut(), HOST, "docker0", carrier=False),
        lambda: asked("FAILED"),
        lambda: asked("INCOMPLETE"),
    ],
)
def test_what_may_be_meant_or_may_heal_is_information(build: Callable[[], Snapshot]) -> None:
    found = [item for item in run_checks(build()).findings if item.check == "host-no-uplink"]
    assert [item.severity for item in found] == ["info"]


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
    assert "host-no-uplink" not in {item.check for item in run_checks(build()).findings}
