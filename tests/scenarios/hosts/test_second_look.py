"""What only one of two looks shows is not said; what both show is; and a healthy host is looked at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.second_look import settled
from dnet_tui.inspect.model import Snapshot
from unit.builders.factories import docker_like_snapshot, with_link
from unit.diagnostics.checks.cases.judged import cut
from unit.diagnostics.checks.cases.rules import FAULTS


def said(*looks: Snapshot) -> tuple[list[str], int]:
    """The serious findings of a doctor to whom the host looks so, time after time; and how often it looked."""
    left: Sequence[Snapshot] = list(looks)
    taken: list[Snapshot] = []

    def look() -> Snapshot:
        taken.append(left[min(len(taken), len(left) - 1)])
        return taken[-1]

    report = settled(lambda: run_checks(look()))
    assert report.summary.verdict == ("problems" if any(f.severity != "info" for f in report.findings) else "healthy")
    return [item.check for item in report.findings if item.severity != "info" and item.caused_by is None], len(taken)


@pytest.mark.parametrize(("host", "pauses"), [("a veth", 1), ("a rule", 0), ("healthy", 0)])
def test_only_what_a_link_may_still_settle_is_waited_for(host: str, pauses: int) -> None:
    hosts = {"a veth": passing(), "a rule": FAULTS["masq-missing"](), "healthy": docker_like_snapshot()}
    paused: list[str] = []
    settled(lambda: run_checks(hosts[host]), lambda: paused.append(host))
    assert len(paused) == pauses


def passing() -> Snapshot:
    """A container's veth that is just coming up."""
    return with_link(docker_like_snapshot(), "net:[4026531840]", "veth5f0a1b2", up=False, carrier=False)


def other() -> Snapshot:
    return with_link(docker_like_snapshot(), "net:[4026531840]", "veth77c3d4e", up=False, carrier=False)


def test_a_healthy_host_is_looked_at_once() -> None:
    assert said(docker_like_snapshot()) == ([], 1)


def test_a_fault_that_stays_is_said_after_a_second_look() -> None:
    assert said(FAULTS["masq-missing"]()) == (["masq-missing"], 2)


def test_what_is_gone_at_the_second_look_is_not_said() -> None:
    assert said(passing(), docker_like_snapshot()) == ([], 2)


def test_what_is_another_thing_each_time_is_not_said_and_the_looks_end() -> None:
    assert said(passing(), other(), passing()) == ([], 3)


def test_a_fault_beside_what_passes_is_said_alone() -> None:
    found, looks = said(cut(), with_link(cut(), "net:[4026531840]", "veth5f0a1b2", up=False), cut())
    assert (found, looks) == (["host-no-uplink"], 3)
