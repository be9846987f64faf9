"""A snapshot of a host with a real Podman, compared with what the kernel, iproute2 and Podman themselves say."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.inspect.model import Container, LinkRef, Namespace, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from lab.machines.hosts import DemoHost, python_argv
from lab.machines.image import IMAGE, SLEEP
from lab.machines.podman_host import SOCKET, PodmanHost
from lab.machines.requirements import require_podman

POD = "pod1"
EXTRA_NETWORKS: tuple[tuple[str, ...], ...] = (
    ("--subnet=10.181.0.0/24", "--gateway=10.181.0.77", "--opt=mtu=1400", "odd"),
    ("--driver=macvlan", "--subnet=10.190.0.0/24", f"--opt=parent={DEMO.uplink}", "macvlan1"),
)
EXTRA_CONTAINERS: dict[str, tuple[str, ...]] = {
    "range": ("--publish=7000-7003:80-83/udp", "--publish=127.0.0.1:9000:99"),
    "odd1": ("--network=odd",),
    "macvlan1": ("--network=macvlan1",),
    "inpod": (f"--pod={POD}",),
}
"""What the layout of the host has not, but this reader must read."""


def populate(host: PodmanHost) -> None:
    for arguments in EXTRA_NETWORKS:
        host.podman("network", "create", *arguments)
    infra = (f"--infra-image={IMAGE}", f"--infra-command={' '.join(SLEEP)}")
    host.podman("pod", "create", f"--name={POD}", f"--cgroup-parent={host.cgroup}", "--publish=9090-9092:90-92", *infra)
    for name, options in EXTRA_CONTAINERS.items():
        place = () if name == "inpod" else (f"--cgroup-parent={host.cgroup}",)
        host.podman("run", "--detach", f"--name={name}", "--stop-timeout=0", *place, *options, IMAGE, *SLEEP)
    host.podman("create", "--name=made", "--publish=81:80", IMAGE, *SLEEP)
    host.podman("pause", "app2")


@pytest.fixture(scope="module")
def host(podman_host: PodmanHost) -> Iterator[PodmanHost]:
    """The host without a service, and more on it.  Nobody else has this module's host, so nothing is taken back."""
    populate(podman_host)
    yield podman_host
    podman_host.podman("unpause", "app2")  # what is frozen could not be ended


@pytest.fixture(scope="module")
def snapshot(host: PodmanHost) -> Snapshot:
    return host.snapshot()


@pytest.fixture(scope="module")
def view(snapshot: Snapshot) -> View:
    return View(snapshot)


@pytest.fixture(scope="module")
def told(host: PodmanHost) -> dict[str, dict[str, Any]]:
    """What ``podman inspect`` says of every container, by its name."""
    ids = host.podman("ps", "--all", "--quiet", "--no-trunc").split()
    return {item["Name"]: item for item in json.loads(host.podman("inspect", "--type=container", *ids))}


def container(snapshot: Snapshot, name: str) -> Container:
    return next(item for item in known_items(snapshot.containers) if item.name == name)


def host_of(view: View) -> Namespace:
    assert view.host is not None
    return view.host


def test_nothing_is_missing_on_a_healthy_host(snapshot: Snapshot) -> None:
    assert snapshot.gaps == ()


def test_the_engine_is_as_podman_says(host: PodmanHost, snapshot: Snapshot) -> None:
    info = json.loads(host.podman("info", "--format=json"))
    (engine,) = known_items(snapshot.engines)
    assert (engine.name, engine.reachable, engine.rootless, engine.socket) == ("podman", True, False, "")
    assert (engine.version, engine.network_backend) == (info["version"]["Version"], info["host"]["networkBackend"])


def test_networks_are_as_podman_says(host: PodmanHost, snapshot: Snapshot) -> None:
    names = host.podman("network", "ls", "--quiet").split()
    ours = {item.name: item for item in known_items(snapshot.networks)}
    assert sorted(ours) == sorted(names)
    for item in json.loads(host.podman("network", "inspect", *names)):
        found = ours[item["name"]]
        is_bridge = item["driver"] == "bridge"
        assert (found.id, found.engine, found.driver) == (item["id"], "podman", item["driver"])
        assert found.bridge == (item["network_interface"] if is_bridge else "")
        assert [(net.cidr, net.gateway) for net in found.subnets] == [
            (net["subnet"], net.get("gateway", "")) for net in item["subnets"]
        ]
        assert (found.internal, found.ipv6) == (item["internal"], item["ipv6_enabled"])
        assert (found.options, found.mtu) == (
            item.get("options", {}),
            int(item.get("options", {}).get("mtu", 0)) or None,
        )
        assert found.masquerade is (not item["internal"] if is_bridge else None)


def test_a_bridge_has_its_networks_gateways_once_it_is_used(snapshot: Snapshot, view: View) -> None:
    used = {place.network for item in known_items(snapshot.containers) if item.running for place in item.endpoints}
    addresses: dict[str, set[str]] = {}
    names = {link.ifindex: link.name for link in host_of(view).links}
    for item in host_of(view).addresses:
        addresses.setdefault(names[item.ifindex], set()).add(item.address)
    bridged = [net for net in known_items(snapshot.networks) if net.id in used and net.driver == "bridge"]
    assert len(bridged) >= 7
    for net in bridged:
        assert {subnet.gateway for subnet in net.subnets} <= addresses[net.bridge], net.name


def test_containers_are_as_podman_says(host: PodmanHost, snapshot: Snapshot, told: dict[str, dict[str, Any]]) -> None:
    assert {item.name for item in known_items(snapshot.containers) if item.engine == "podman"} == set(told)
    ids = {net.name: net.id for net in known_items(snapshot.networks)}
    for name, item in told.items():
        found = container(snapshot, name)
        state, settings = item["State"], item["NetworkSettings"]
        assert (found.id, found.pid, found.status) == (item["Id"], state["Pid"] or None, state["Status"])
        assert found.image == item["ImageName"]
        assert found.running is (state["Running"] or state["Paused"])
        if not found.running:
            assert (found.netns, found.published) == (None, ())
            assert {port.host_port for port in found.wanted} == {
                int(port["HostPort"]) for ports in settings["Ports"].values() for port in ports
            }
            continue
        inode = host.run("stat", "-L", "-c", "%i", f"/proc/{found.pid}/ns/net").stdout.decode().strip()
        assert found.netns == f"net:[{inode}]"
        if found.mode == "container":
            assert item["HostConfig"]["NetworkMode"] == f"container:{found.joined}"
            assert (found.endpoints, found.published) == ((), ())
            continue
        assert {
            (
                place.network,
                place.mac,
                place.addresses,
                place.gateway,
                place.gateway6,
            )
            for place in found.endpoints
        } == {
            (
                ids[key],
                place["MacAddress"],
                tuple(
                    f"{address}/{length}"
                    for address, length in (
                        (place["IPAddress"], place["IPPrefixLen"]),
                        (place["GlobalIPv6Address"], place["GlobalIPv6PrefixLen"]),
                    )
                    if address
                ),
                place["Gateway"],
                place["IPv6Gateway"],
            )
            for key, place in (settings.get("Networks") or {}).items()
        }
        assert {(f"{port.container_port}/{port.proto}", port.host_ip, port.host_port) for port in found.published} == {
            (key, port["HostIp"] or "0.0.0.0", int(port["HostPort"]))  # noqa: S104
            for key, ports in settings["Ports"].items()
            for port in ports or ()
        }


def test_every_mode_is_seen(snapshot: Snapshot, view: View) -> None:
    wanted = {
        "web": "bridge",
        "both": "bridge",
        "vault": "bridge",
        "hostmode": "host",
        "none": "none",
        "joined": "container",
        "inpod": "container",
        "macvlan1": "macvlan",
        "made": "bridge",
    }
    assert {name: container(snapshot, name).mode for name in wanted} == wanted
    assert container(snapshot, "hostmode").netns == host_of(view).id
    assert [link.name for link in view.namespaces[container(snapshot, "none").netns or ""].links] == ["lo"]


def test_a_pods_members_share_the_namespace_of_its_infra_container(host: PodmanHost, snapshot: Snapshot) -> None:
    pod = json.loads(host.podman("pod", "inspect", POD))
    infra = next(item for item in known_items(snapshot.containers) if item.id == pod["InfraContainerID"])
    member = container(snapshot, "inpod")
    assert (member.joined, member.netns) == (infra.id, infra.netns)
    assert [(port.host_port, port.container_port) for port in infra.published] == [(9090, 90), (9091, 91), (9092, 92)]


def test_every_host_veth_leads_where_the_containers_say(
    host: PodmanHost, snapshot: Snapshot, view: View, told: dict[str, dict[str, Any]]
) -> None:
    owners = [item for item in known_items(snapshot.containers) if item.mode == "bridge" and item.running]
    said: dict[int, tuple[str, int]] = {}
    for item in owners:
        links = host.run("nsenter", "-t", str(told[item.name]["State"]["Pid"]), "--net", "ip", "-j", "link").stdout
        for link in json.loads(links):
            if "link_netnsid" in link:
                said[link.get("link_index", link["ifindex"])] = (item.netns or "", link["ifindex"])
    ours: dict[int, tuple[str, int]] = {}
    for link in host_of(view).links:
        if link.kind == "veth" and link.master is not None:
            assert link.peer is not None, (link.name, link.peer_note)
            ours[link.ifindex] = (link.peer.namespace, link.peer.ifindex)
    assert ours == said
    assert len(ours) == sum(len(item.endpoints) for item in owners)


def test_containers_hang_on_the_bridges_of_their_networks(snapshot: Snapshot, view: View) -> None:
    networks = {net.id: net for net in known_items(snapshot.networks)}
    for item in known_items(snapshot.containers):
        if item.mode != "bridge" or not item.running:
            continue
        space = view.namespaces[item.netns or ""]
        by_mac = {link.mac: link for link in space.links if link.kind == "veth"}
        assert len(by_mac) == len(item.endpoints)
        for place in item.endpoints:
            link = by_mac[place.mac]
            assert link.peer is not None
            port = view.links[link.peer]
            master = view.links[LinkRef(namespace=link.peer.namespace, ifindex=port.master or 0)]
            assert master.name == networks[place.network].bridge
            mine = {address.cidr for address in space.addresses if address.ifindex == link.ifindex}
            assert set(place.addresses) <= mine


def test_the_service_and_the_command_tell_the_same(podman_service_host: PodmanHost) -> None:
    populate(podman_service_host)
    try:
        asked = podman_service_host.snapshot()
        podman_service_host.run("mv", SOCKET, f"{SOCKET}.away")
        try:
            commanded = podman_service_host.snapshot()
        finally:
            podman_service_host.run("mv", f"{SOCKET}.away", SOCKET)
    finally:
        podman_service_host.podman("unpause", "app2")
    assert (asked.gaps, commanded.gaps) == ((), ())
    assert [(item.name, item.socket) for item in known_items(asked.engines)] == [("podman", SOCKET)]
    assert [(item.name, item.socket) for item in known_items(commanded.engines)] == [("podman", "")]
    assert known_items(commanded.containers) == known_items(asked.containers)
    assert known_items(commanded.networks) == known_items(asked.networks)


def test_a_socket_without_a_service_costs_nothing_where_there_is_the_command(
    host: PodmanHost, snapshot: Snapshot
) -> None:
    stale = "import socket; socket.socket(socket.AF_UNIX).bind('/run/podman/podman.sock')"
    host.run("mkdir", "-p", "/run/podman")
    host.run(*python_argv(stale))
    try:
        after = host.snapshot()
    finally:
        host.run("rm", "-r", "/run/podman")
    assert (after.gaps, known_items(after.containers)) == ((), known_items(snapshot.containers))


@pytest.fixture
def hung(host: PodmanHost) -> Iterator[None]:
    """A podman command that never ends, in place of the real one."""
    real = host.run("sh", "-c", "command -v podman").stdout.decode().strip()
    host.run("mkdir", "-p", "/run/lab/bin")
    host.write("/run/lab/bin/podman", "#!/bin/sh\nsleep 60\n")
    host.run("chmod", "755", "/run/lab/bin/podman")
    host.run("mount", "--bind", "/run/lab/bin/podman", real)
    try:
        yield
    finally:
        host.run("umount", real)
        host.run("rm", "-r", "/run/lab/bin")


@pytest.mark.usefixtures("hung")
def test_a_hung_podman_costs_the_names_and_nothing_else(host: PodmanHost, snapshot: Snapshot) -> None:
    began = time.monotonic()
    blind = host.snapshot()
    assert time.monotonic() - began < 30  # it sleeps for 60 s
    assert host.run("pgrep", "-fx", "sleep 60", check=False).stdout == b""
    assert [(item.name, item.reachable) for item in known_items(blind.engines)] == [("podman", False)]
    assert {(gap.section, gap.scope) for gap in blind.gaps} == {
        (section, "podman") for section in ("engine", "networks", "containers")
    }
    known = {item.id: item for item in known_items(snapshot.containers) if item.running}
    assert {item.id for item in known_items(blind.containers)} == set(known)
    for item in known_items(blind.containers):
        before = known[item.id]
        assert item.name == item.id[:12]
        assert (item.engine, item.pid, item.netns) == ("podman", before.pid, before.netns)
        assert (item.mode, item.joined) == (before.mode, before.joined), before.name
    assert {ref: link.peer for ref, link in View(blind).links.items()} == {
        ref: link.peer for ref, link in View(snapshot).links.items()
    }


def files(host: DemoHost | PodmanHost) -> set[str]:
    places = [place for place in ("/run", "/etc/containers", "/etc/cni", "/dev/shm") if Path(place).exists()]
    argv = ["find", *places, "/var/lib/containers", "-not", "-path", "/run/netns/*"]
    return set(host.run(*argv, check=False).stdout.decode().splitlines())


def test_taking_a_snapshot_changes_nothing(host: PodmanHost) -> None:
    before = (host.rules(), host.sysctls(), files(host))
    host.snapshot()
    assert (host.rules(), host.sysctls(), files(host)) == before


def test_where_podman_never_ran_asking_leaves_no_trace_of_it(demo_host: DemoHost) -> None:
    require_podman()
    before = files(demo_host)
    found = demo_host.snapshot()
    assert files(demo_host) == before
    assert (known_items(found.engines), found.gaps) == ((), ())


_UNPRIVILEGED = """
import ctypes, os, sys
import msgspec
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
take_snapshot()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: else /proc/self stays root's, which it isn't for a user's own process
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot()))
"""


def test_without_privilege_podman_is_said_to_be_out_of_reach(podman_service_host: PodmanHost) -> None:
    raw = podman_service_host.run(*python_argv(_UNPRIVILEGED)).stdout
    one = msgspec.json.decode(raw, type=Snapshot)
    said = [gap for gap in one.gaps if (gap.section, gap.scope) == ("engine", "podman")]
    assert any("no permission to use Podman" in gap.reason and "root" in gap.hint for gap in said), said


_ROOTLESS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
def called(name):
    libc.prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
called("rootlesskit")
if os.fork() == 0:
    libc.unshare(0x40000000)  # CLONE_NEWNET
    called("dockerd")
    os.write(1, b"ready\\n")
sys.stdin.read()
"""
"""Processes as a rootless Docker has them: its real kit can't be had on every machine that runs the lab."""


def test_a_rootless_engine_by_its_processes_is_said_to_be_elsewhere(demo_host: DemoHost) -> None:
    process = demo_host.sandbox.popen(python_argv(_ROOTLESS), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        pid = demo_host.run("pgrep", "-x", "dockerd").stdout.decode().strip()
        inode = demo_host.run("stat", "-L", "-c", "%i", f"/proc/{pid}/ns/net").stdout.decode().strip()
        found = demo_host.snapshot()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
    (engine,) = known_items(found.engines)
    assert (engine.name, engine.rootless, engine.reachable) == ("docker", True, False)
    assert engine.netns == f"net:[{inode}]"
    (gap,) = found.gaps
    assert (gap.section, gap.scope) == ("namespaces", f"net:[{inode}]")
    assert f"nsenter -t {pid} -n" in gap.hint
