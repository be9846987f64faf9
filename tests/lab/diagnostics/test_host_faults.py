"""Faults of the host itself: each breaks real traffic, is named first with what follows, and leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnet_tui.actions.demo.fault import Fault
from dnet_tui.actions.demo.host_faults import HOST_FAULTS
from lab.faults.machinery import doctor, roots, serious
from lab.machines.hosts import DemoHost
from lab.packets.plans import EGRESS, PUBLISHED, plan_of
from lab.packets.traffic import expect


@pytest.fixture(scope="module")
def host() -> Iterator[DemoHost]:
    with DemoHost.start() as started:
        yield started


@pytest.mark.parametrize("fault", HOST_FAULTS, ids=lambda fault: fault.id)
def test_a_fault_of_the_host_is_named_first_with_whom_it_hits_and_gone_without_it(host: DemoHost, fault: Fault) -> None:
    plan = plan_of(host)
    assert serious(doctor(host)) == []
    with host.fault(fault.id):
        report = doctor(host)
        assert roots(report) == [fault.id]
        assert serious(report)[0]["check"] == fault.id
        assert serious(report)[0]["affects"] or fault.id == "guest-drop"
        if "egress" in fault.breaks:
            with pytest.raises(AssertionError):
                expect(host, {EGRESS: plan.healthy[EGRESS]})
        else:
            expect(host, {probe: plan.healthy[probe] for probe in (EGRESS, PUBLISHED)})
    expect(host, plan.healthy)
    assert serious(doctor(host)) == []
