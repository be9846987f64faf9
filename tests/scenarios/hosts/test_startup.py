"""The checks about failed starts, links that others took and the kernel: each on its fault alone, on no near miss."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.checks.subjects.address_pools import Room, room
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.engines.docker.address_pools import DEFAULT_POOLS, parse_pools
from dnet_tui.inspect.model import AddressPool, Link, Snapshot, Unread, Vlan
from scenarios.hosts.reported import is_all_that_is_wrong, serious
from unit.builders.factories import (
    APP1,
    BR_APP,
    HOST,
    UPLINK,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_links import HELD, adding, network, port
from unit.builders.factories_startup import (
    MASQ,
    NO_POOL,
    PORT,
    RAW,
    VETH,
    WAITS,
    checksums,
    default_over,
    ended,
    failed,
    kernel,
    logged,
    on_veth,
    pools,
    vlans,
    without_table,
)
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.startup import FAULTS
from unit.diagnostics.checks.cases.startup import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    check, severity, build = FAULTS[fault]
    is_all_that_is_wrong(build(), check, severity)


TOLD: dict[str, tuple[str, Callable[[], Snapshot]]] = {
    "a port of another container that made a start fail": (
        "port-taken",
        lambda: failed(PORT.replace("9099", "8080"), base=_wanting_8080()),
    ),
    "pools that have no room, and nothing failed yet": ("pool-exhausted", lambda: pools("10.200.0.0/22", networks=4)),
    "a held port that is not the one that failed": ("port-taken", lambda: failed(PORT.replace("9099", "9100"), HELD)),
    "pools that have little room, and a failure that is over": (
        "pool-exhausted",
        lambda: logged(NO_POOL, pools("10.200.0.0/20", networks=15)),
    ),
    "pools that have little room": ("pool-exhausted", lambda: pools("10.200.0.0/20", networks=15)),
    "a replaced kernel, and nothing failed yet": ("kernel-not-rebooted", lambda: kernel(False)),
    "wrong checksums": ("csum-offload", lambda: checksums(WEB, bad=400)),
}


def _wanting_8080() -> Snapshot:
    """``late`` is to have web's port."""
    base = failed(PORT.replace("9099", "8080"))
    late = base.containers[-1]
    wish = msgspec.structs.replace(late.wanted[0], host_port=8080)
    late = msgspec.structs.replace(late, id="late8080", name="late8080", wanted=(wish,))
    return msgspec.structs.replace(base, containers=(*base.containers[:-1], late))


@pytest.mark.parametrize("fact", TOLD)
def test_what_is_no_fault_yet_is_information(fact: str) -> None:
    check, build = TOLD[fact]
    report = run_checks(build())
    assert {(item.check, item.severity) for item in report.findings} == {(check, "info")}
    assert report.summary.verdict == "healthy"


def _container_vlans() -> Snapshot:
    """app2 makes VLAN tags of its own over its interface."""
    base = vlans(app2=0)
    return adding(
        base, "net:[4026532401]", "links", Link(ifindex=77, name="eth0.7", kind="vlan", up=True, detail=Vlan(vid=7))
    )


def _router_on_the_bridge() -> Snapshot:
    """app1 is the host's router on purpose: it forwards, and the host learnt its default route from it."""
    base = default_over(BR_APP, metric=50, gateway="10.10.0.2")
    return with_sysctl(base, "net.ipv4.ip_forward", "1", APP1)


def _bridge_with_an_uplink() -> Snapshot:
    """br-app has a network card too: that the host has its address by DHCP over it is ordinary."""
    base = default_over(BR_APP, metric=50, gateway="10.10.0.254")
    card = Link(ifindex=30, name="eth1", up=True, carrier=True, master=BR_APP)
    return adding(base, HOST, "links", card)


@pytest.mark.parametrize("near", NEAR_MISSES)
def test_a_near_miss_is_no_fault(near: str) -> None:
    report = run_checks(NEAR_MISSES[near]())
    assert report.findings == ()
    assert "crashed" not in {result.outcome for result in report.checks}


def test_a_default_route_over_a_networks_bridge_is_named_first() -> None:
    report = run_checks(default_over(BR_APP, metric=50, gateway="10.10.0.254"))
    assert (report.findings[0].check, report.findings[0].subject.name) == ("link-hijack", "br-app")


@pytest.mark.parametrize("build", [_router_on_the_bridge, _bridge_with_an_uplink])
def test_a_router_on_a_bridge_has_not_taken_it_over(build: Callable[[], Snapshot]) -> None:
    assert "link-hijack" not in {item.check for item in run_checks(build()).findings}


def _unread_vlans() -> Snapshot:
    """The bridge filters, and nothing is known of its VLANs."""
    base = vlans(bridge=(), app1=0, app2=0)
    return with_link(base, HOST, "br-app", vlans=())


GROWTH = {
    "more of them": (checksums(WEB, bad=400), checksums(WEB, bad=430, good=10_100), ["warning"]),
    "no more of them": (checksums(WEB, bad=400), checksums(WEB, bad=400, good=10_100), []),
    "a few more": (checksums(WEB, bad=400), checksums(WEB, bad=419, good=10_100), []),
    "a container that began anew": (checksums(WEB, bad=400, good=20_000), checksums(WEB, bad=430), []),
    "a container that is new": (
        with_namespace(docker_like_snapshot(), WEB, checksums=Unread(reason="it was not there")),
        checksums(WEB, bad=400),
        [],
    ),
}


@pytest.mark.parametrize("case", GROWTH)
def test_with_an_earlier_snapshot_wrong_checksums_count_since_then(case: str) -> None:
    before, after, expected = GROWTH[case]
    found = [item for item in run_checks(after, before=before).findings if item.check == "csum-offload"]
    assert [item.severity for item in found] == expected


def test_vlans_that_were_not_read_leave_it_open() -> None:
    report = run_checks(_unread_vlans())
    assert [finding for finding in report.findings if finding.severity != "info"] == []
    assert report.summary.verdict == "incomplete"


ON_PURPOSE: dict[str, Callable[[], Snapshot]] = {
    "VLANs on purpose": lambda: network(vlans(bridge=(1, 2), app2=2), "app", icc=None),
    "a container that makes its own tags": _container_vlans,
}


@pytest.mark.parametrize("case", ON_PURPOSE)
def test_vlans_that_may_be_meant_are_no_error_and_what_they_stop_is_said(case: str) -> None:
    findings = [item for item in run_checks(ON_PURPOSE[case]()).findings if item.severity != "info"]
    assert {(item.check, item.severity) for item in findings} == {("flow-blocked", "warning")}
    assert all("VLAN" in item.subject.name for item in findings)


@pytest.mark.parametrize("kept", [VETH, RAW])
def test_a_failure_of_another_container_is_named_with_it(kept: str) -> None:
    finding, *others = serious(kernel(False, failed(kept)))
    assert {item.caused_by for item in others} <= {"kernel-not-rebooted"}
    assert "late" in finding.summary
    assert finding.symptoms == ("start-up",)


def test_a_daemon_that_ended_tells_even_where_nothing_else_is_known() -> None:
    report = run_checks(ended(MASQ, without_table("nat", docker_like_snapshot())))
    (finding,) = [item for item in report.findings if item.check == "no-xt-masq"]
    assert "docker's daemon" in finding.summary


def test_a_port_that_waits_is_told_with_what_the_log_says_of_it() -> None:
    (finding,) = serious(logged(WAITS, port(docker_like_snapshot(), "veth77c3d4e", state="listening")))
    assert finding.check == "port-not-fwd"
    assert ("docker's log", WAITS) in [(item.source, item.value) for item in finding.evidence]


def test_what_a_client_put_on_a_link_is_taken_from_it_and_can_be_put_back() -> None:
    base = default_over(VETH_WEB, metric=50, base=on_veth())
    remedy = serious(base)[0].remedy
    assert remedy is not None
    assert [" ".join(step.commands()[0]) for step in (*remedy.steps, *remedy.undo)] == [
        "ip route del default dev veth5f0a1b2 proto dhcp metric 50",
        "ip address del 169.254.7.9/16 dev veth5f0a1b2",
        "ip address add 169.254.7.9/16 dev veth5f0a1b2 scope link",
        "ip route add default dev veth5f0a1b2 proto dhcp metric 50",
    ]


def test_the_port_apart_is_named_with_the_vlan_that_the_others_have() -> None:
    (finding,) = serious(vlans(bridge=(1, 2), app2=0))
    assert "app2" in finding.summary
    assert "app1" not in finding.summary
    assert finding.remedy is not None
    assert [" ".join(step.commands()[0]) for step in finding.remedy.steps] == [
        "bridge vlan add dev veth99e5f60 vid 1 pvid untagged"
    ]


ROOMS = {
    "the built-in pools": (DEFAULT_POOLS, "28.5.2", (), Room(total=31, free=30)),
    "a route on the link": (DEFAULT_POOLS, "28.5.2", (("172.20.0.0/14", "link"),), Room(total=31, free=26)),
    "a route by a gateway, since 23": (
        DEFAULT_POOLS,
        "23.0.1",
        (("172.20.0.0/14", "global"),),
        Room(total=31, free=30),
    ),
    "a route by a gateway, before": (
        DEFAULT_POOLS,
        "20.10.24",
        (("172.20.0.0/14", "global"),),
        Room(total=31, free=26),
    ),
    "half of everything by a VPN, before": (
        DEFAULT_POOLS,
        "20.10.24",
        (("128.0.0.0/1", "global"),),
        Room(total=31, free=0),
    ),
    "many small ones": ((AddressPool(base="10.0.0.0/8", size=24),), "28.5.2", (), Room(total=65536, free=65535)),
    "overlapping routes are counted once": (
        (AddressPool(base="10.200.0.0/16", size=24),),
        "28.5.2",
        (("10.200.0.0/23", "link"), ("10.200.1.0/24", "link"), ("10.200.1.7/32", "link")),
        Room(total=256, free=254),
    ),
    "a narrow route within a wide one": (
        (AddressPool(base="10.200.0.0/16", size=24),),
        "28.5.2",
        (("10.200.0.0/22", "link"), ("10.200.1.0/24", "link")),
        Room(total=256, free=252),
    ),
    "what isn't one": (
        (AddressPool(base="fd00::/48", size=64), AddressPool(base="x", size=8)),
        "28",
        (),
        Room(total=0, free=0),
    ),
}


@pytest.mark.parametrize("case", ROOMS)
def test_the_room_is_counted_as_the_engine_does(case: str) -> None:
    given, version, routes, expected = ROOMS[case]
    base = adding(
        docker_like_snapshot(), HOST, "routes", *(route(dst, ifindex=UPLINK, scope=scope) for dst, scope in routes)
    )
    engine = msgspec.structs.replace(base.engines[0], address_pools=given, version=version)
    assert room(HostContext(base), engine) == expected


def test_pools_are_taken_from_what_the_engine_says() -> None:
    assert parse_pools(None) is None
    assert parse_pools({"Name": "lab"}) == DEFAULT_POOLS
    assert parse_pools({"DefaultAddressPools": [{"Base": "10.1.0.0/16", "Size": 24}, {"Base": 7}, 7]}) == (
        AddressPool(base="10.1.0.0/16", size=24),
    )
