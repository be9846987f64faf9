"""What was not read is never taken for empty: no check and no trace says anything definite that rests on it.

Generated: of a healthy host, of one with a fault, and of a recorded fault,
every section of every namespace, container, engine and the host is made
unread in turn (``builders/unread.py``).  With ``-s`` the number of cases is
printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import ChecksumCounts, ConntrackCounts, Firewalld, Snapshot, known_items
from dnet_tui.inspect.model.coverage.gaps import HOST_FIELDS, NAMESPACE_FIELDS
from lab.recordings import fault_records
from unit.builders.factories import (
    APP1,
    APP2,
    HOST,
    LONELY,
    WEB,
    docker_like_snapshot,
    route,
    with_namespace,
    with_unread,
)
from unit.builders.factories_names import resolving
from unit.builders.unread import Blinded, Said, cases, said, statement, wrong


def without_default_route() -> Snapshot:
    """The host with a container that has lost its default route."""
    return with_namespace(
        docker_like_snapshot(), WEB, routes=(route("172.17.0.0/16", ifindex=5, source="172.17.0.2", scope="link"),)
    )


@cache
def recorded() -> Snapshot:
    """A recorded host with a fault."""
    return fault_records.snapshot("demo", "ctr-wrong-gw")


def healthy() -> Snapshot:
    """A healthy host of which everything was read."""
    ipsec: dict[str, object] = {"xfrm_policies": 0, "xfrm": (), "wireguard": ()}
    tracked: dict[str, object] = {"conntrack": (), "conntrack_counts": ConntrackCounts(), "nat_ports": ()}
    counted = with_namespace(resolving(), HOST, checksums=ChecksumCounts(), **ipsec, **tracked)
    engines = tuple(msgspec.structs.replace(engine, log=()) for engine in known_items(counted.engines))
    return msgspec.structs.replace(counted, engines=engines, firewalld=Firewalld(pid=7, settled=True, zones=()))


HOSTS: dict[str, Callable[[], Snapshot]] = {"healthy": healthy, "broken": without_default_route, "recorded": recorded}
EVERY = [(name, number) for name, make in HOSTS.items() for number, _ in enumerate(cases(make()))]
CASES = EVERY if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else EVERY[::4]
"""``script/test``, and so CI, tries all of them."""


@cache
def blinded(name: str) -> tuple[Blinded, ...]:
    """Every case of a host."""
    return tuple(cases(HOSTS[name]()))


@cache
def full(name: str) -> Said:
    """What is said of a host that was read in full."""
    return said(HOSTS[name]())


@pytest.mark.parametrize(("name", "number"), CASES, ids=str)
def test_nothing_definite_rests_on_what_was_not_read(name: str, number: int) -> None:
    case = blinded(name)[number]
    assert list(wrong(full(name), case)) == [], case.name


def test_every_section_of_every_scope_is_tried() -> None:
    tried = {(case.kind, case.field) for name in HOSTS for case in blinded(name)}
    print(f"\n{len(CASES)} of {len(EVERY)} sections made unread, one at a time")
    assert {field for kind, field in tried if kind == "namespace"} == set(NAMESPACE_FIELDS)
    assert {field for kind, field in tried if kind == "host"} == {*HOST_FIELDS, "resolver"}
    assert {kind for kind, _ in tried} == {"namespace", "host", "container", "engine"}
    assert len(EVERY) > 200


# -- the other way round: what doesn't rest on it is still said -----------------------------------


@pytest.mark.parametrize("field", NAMESPACE_FIELDS)
@pytest.mark.parametrize("other", [APP1, APP2, LONELY])
def test_a_fault_of_one_container_is_found_whatever_was_not_read_of_another(other: str, field: str) -> None:
    report = run_checks(with_unread(without_default_route(), other, field))
    assert "error ctr-no-gw container web" in {statement(item) for item in report.findings}


# -- the cases that were told wrongly once --------------------------------------------------------


def reach(snapshot: Snapshot, source: str, target: str) -> Trace:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), port=80)


def outcome(report: Report, check: str) -> tuple[str, str]:
    return next((item.outcome, item.reason) for item in report.checks if item.id == check)


def test_a_container_whose_routes_were_not_read_is_not_told_to_lack_one() -> None:
    report = run_checks(with_unread(docker_like_snapshot(), WEB, "routes", reason="the dump failed"))
    assert report.findings == ()
    assert report.summary.verdict == "incomplete"
    for check in ("ctr-no-gw", "rpf-multinet", "masq-missing"):
        assert outcome(report, check)[0] != "found"
    assert outcome(report, "flow-blocked") == ("unknown", "web → outside: routes of web not seen: the dump failed")
    assert outcome(report, "conntrack-full")[0] == "ok"


def test_a_trace_over_routes_that_were_not_read_names_them_and_others_go_on() -> None:
    blind = with_unread(docker_like_snapshot(), WEB, "routes", reason="the dump failed")
    found = reach(blind, "web", "outside").forward
    assert (found.end, found.decided_by and found.decided_by.kind) == ("unknown", "gap")
    assert found.decided_by is not None
    assert found.decided_by.text == "routes of web not seen: the dump failed"
    assert (found.decided_by.value, found.decided_by.namespace) == ("routes", WEB)
    assert reach(blind, "app1", "outside").forward.end == "left"
    assert reach(blind, "app1", "app2").forward.end == "delivered"


def test_sockets_that_were_not_read_neither_listen_nor_refuse() -> None:
    blind = with_unread(docker_like_snapshot(), WEB, "sockets")
    found = reach(blind, "host", "web").forward
    assert (found.end, found.decided_by and found.decided_by.value) == ("unknown", "sockets")
    report = run_checks(blind)
    assert report.findings == ()
    assert outcome(report, "app-listen")[0] == "unknown"
    listening = reach(docker_like_snapshot(), "host", "web").forward
    assert listening.end == "delivered"


@pytest.mark.parametrize("field", ["links", "neighbours", "traffic_control", "firewall"])
def test_what_a_packet_passes_on_the_host_and_was_not_read_makes_its_way_unknown(field: str) -> None:
    blind = with_unread(docker_like_snapshot(), HOST, field)
    if field != "neighbours":  # what leaves the host for good needs none that are seen
        assert reach(blind, "web", "outside").forward.end == "unknown"
    report = run_checks(blind)
    assert (report.findings, report.summary.verdict) == ((), "incomplete")


def test_filters_that_were_not_read_are_an_obstacle_that_a_walk_can_go_beyond() -> None:
    report = run_checks(with_unread(without_forwarding(), HOST, "traffic_control"))
    assert [item.check for item in report.findings] == ["ip-forward-off"]
    assert outcome(report, "flow-blocked")[0] == "unknown"


def without_forwarding() -> Snapshot:
    off = {f"net.ipv4.conf.{name}.forwarding": "0" for name in ("all", "docker0", "br-app", "eth0", "default")}
    host = known_items(docker_like_snapshot().namespaces)[0]
    return with_namespace(docker_like_snapshot(), HOST, sysctls=host.sysctls | {"net.ipv4.ip_forward": "0"} | off)


def test_an_unread_section_that_nobody_needs_leaves_a_host_healthy() -> None:
    report = run_checks(with_unread(docker_like_snapshot(), LONELY, "fdb"))
    assert report.summary.verdict == "healthy"
    assert [(gap.section, gap.scope) for gap in report.gaps] == [("fdb", LONELY)]
