"""A swarm of one node: its overlay network, its sandboxes and its service by their names, and its packets.

``DNET_RECORD=1`` writes the host that was seen to tests/scenarios/swarm.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import Snapshot, known_items
from lab.machines.docker_host import DockerHost
from lab.machines.swarm_host import MEMBERS, NETWORK, PUBLISHED, SERVICE, begin_swarm, end_swarm, inside
from lab.recordings import swarm_records

FIRST, SECOND = MEMBERS


@pytest.fixture(scope="module", params=["docker_host", "docker28_host"])
def swarm(request: pytest.FixtureRequest) -> Iterator[DockerHost]:
    host = request.getfixturevalue(request.param)
    begin_swarm(host)
    try:
        yield host
    finally:
        end_swarm(host)


def traced(snapshot: Snapshot, source: str, target: str, port: int = 80) -> Trace:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), port=port)


def answers(host: DockerHost, place: str, address: str, port: int = 80) -> bool:
    """Whether a TCP connection from a place is accepted; the kernel's word for what the trace says."""
    code = f"import socket; socket.create_connection(({address!r}, {port}), 1.5)"
    return host.run(*host.enter(place), "python3", "-c", code, check=False).returncode == 0


def test_its_networks_and_sandboxes_have_names(swarm: DockerHost) -> None:
    shown = swarm.dnet("ls").stdout.decode()
    assert f"br0 in overlay network {NETWORK}" in shown
    assert "br0 in overlay network ingress" in shown
    assert "ingress sandbox" in shown
    assert f"load balancer of {NETWORK}" in shown
    assert "net:[" not in shown
    rows = {row["name"]: row for row in json.loads(swarm.dnet("ls", "containers", "--format=json").stdout)}
    places = {item["name"]: item["network"] for item in rows[FIRST]["interfaces"] if item["name"] != "lo"}
    assert places == {"eth0": NETWORK, "eth1": "docker_gwbridge"}
    assert rows[FIRST]["mode"] == "overlay"
    task = next(row for name, row in rows.items() if name.startswith(f"{SERVICE}."))
    assert (task["mode"], {item["network"] for item in task["interfaces"]}) == (
        "overlay",
        {None, "ingress", NETWORK, "docker_gwbridge"},
    )


def test_nothing_of_it_is_out_of_sight(swarm: DockerHost) -> None:
    report = swarm.dnet("doctor").stdout.decode()
    assert "Not seen" not in report, report
    assert "Healthy" in report


def test_packets_between_its_containers_pass_its_own_namespace(swarm: DockerHost) -> None:
    snapshot = swarm.snapshot()
    found = traced(snapshot, FIRST, SECOND)
    labels = {HostContext(snapshot).view.label(hop.namespace) for hop in found.forward.hops}
    assert found.arrives is True
    assert labels == {FIRST, f"overlay network {NETWORK}", SECOND}
    assert answers(swarm, FIRST, swarm.addresses[SECOND])


@pytest.mark.parametrize("fault", ["down", "isolated"])
def test_a_fault_in_there_is_found_and_is_real(swarm: DockerHost, fault: str) -> None:
    ports = [line.split(":")[1].split("@")[0].strip() for line in inside(swarm, "ip", "-o", "link").splitlines()]
    veths = [name for name in ports if name.startswith("veth")]
    words = {
        "down": (["ip", "link", "set", "{}", "down"], ["ip", "link", "set", "{}", "up"]),
        "isolated": (["bridge", "link", "set", "dev", "{}", "isolated", "on"],) * 2,
    }
    make, mend = words[fault]
    undo = [word.replace("on", "off") if word == "on" else word for word in mend]
    for veth in veths:
        inside(swarm, *(word.format(veth) for word in make))
    try:
        found = traced(swarm.snapshot(), FIRST, SECOND)
        assert found.arrives is False
        assert found.decided_by is not None
        assert "veth" in found.decided_by.text or "br0" in found.decided_by.text
        assert not answers(swarm, FIRST, swarm.addresses[SECOND])
    finally:
        for veth in veths:
            inside(swarm, *(word.format(veth) for word in undo))
    assert traced(swarm.snapshot(), FIRST, SECOND).arrives is True


def test_what_ipvs_would_do_is_unknown_and_named(swarm: DockerHost) -> None:
    snapshot = swarm.snapshot()
    virtual = {item.address for net in known_items(snapshot.networks) for item in net.virtual if net.name == NETWORK}
    assert len(virtual) == 1
    for target in (SERVICE, *virtual):
        found = traced(snapshot, FIRST, target)
        assert (found.arrives, found.verdict) == (None, "unknown")
        assert found.decided_by is not None
        assert f"virtual address of service {SERVICE}: IPVS leads" in found.decided_by.text


def test_the_way_outside_is_by_the_gateway_bridge(swarm: DockerHost) -> None:
    found = traced(swarm.snapshot(), FIRST, "outside")
    assert (found.verdict, found.forward.exits) == ("left", "eth0")
    assert (
        answers(swarm, FIRST, "198.51.100.10", 80)
        or swarm.run(*swarm.enter(FIRST), "ping", "-c1", "-W2", "203.0.113.1", check=False).returncode == 0
    )


def test_its_published_port_fares_as_the_kernel_says(swarm: DockerHost) -> None:
    """Without IPVS the engine can't lead it anywhere: the trace says so, or that nobody can tell."""
    found = traced(swarm.snapshot(), "outside", "host", PUBLISHED)
    reached = answers(swarm, "outside", "203.0.113.2", PUBLISHED)
    assert found.arrives is None or (found.arrives and found.forward.end != "refused") == reached


def test_the_host_is_recorded(swarm: DockerHost) -> None:
    snapshot = swarm.snapshot()
    if os.environ.get("DNET_RECORD") == "1":
        swarm_records.write(swarm.release, snapshot)
    name = swarm_records.name_of(swarm.release)
    assert swarm_records.said(snapshot, mapped=False) == swarm_records.said(swarm_records.snapshot(name), mapped=False)
