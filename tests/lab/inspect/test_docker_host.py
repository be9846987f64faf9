"""A snapshot of a host with a real Docker, compared with what the kernel, iproute2 and Docker themselves say."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from dnet_tui.inspect.model import Container, LinkRef, Namespace, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from lab.machines.docker_host import SOCKET, DockerHost
from lab.machines.hosts import python_argv

BRIDGED = {"web": "docker0", "app1": "br-app", "app2": "br-app", "db": "br-db", "quiet1": "br-quiet"}
"""Some containers and the bridges they must hang on."""


@pytest.fixture(scope="module")
def snapshot(any_docker: DockerHost) -> Snapshot:
    return any_docker.snapshot()


@pytest.fixture(scope="module")
def view(snapshot: Snapshot) -> View:
    return View(snapshot)


def container(snapshot: Snapshot, name: str) -> Container:
    return next(item for item in known_items(snapshot.containers) if item.name == name)


def host_of(view: View) -> Namespace:
    assert view.host is not None
    return view.host


def said_by_containers(any_docker: DockerHost, names: list[str]) -> dict[int, tuple[str, int]]:
    """For each host ifindex: the container whose own ``ip link`` names it as the peer, and that end's ifindex."""
    found: dict[int, tuple[str, int]] = {}
    for name in names:
        told = any_docker.docker("exec", name, "ip", "link")
        for own, peer in re.findall(r"^(\d+): \S+@if(\d+):", told, re.MULTILINE):
            found[int(peer)] = (name, int(own))
    return found


def test_nothing_is_missing_on_a_healthy_host(snapshot: Snapshot) -> None:
    assert snapshot.gaps == ()


def test_every_host_veth_leads_where_the_containers_say(any_docker: DockerHost, snapshot: Snapshot, view: View) -> None:
    owners = [item.name for item in known_items(snapshot.containers) if item.mode == "bridge"]
    said = said_by_containers(any_docker, owners)
    ours: dict[int, tuple[str, int]] = {}
    for link in host_of(view).links:
        if link.kind == "veth" and link.master is not None:
            assert link.peer is not None, (link.name, link.peer_note)
            assert link.peer_note == ""
            ours[link.ifindex] = (view.label(link.peer.namespace), link.peer.ifindex)
    assert ours == said
    assert {name for name, _ in ours.values()} == set(owners)


def test_peers_agree_from_both_ends(view: View) -> None:
    veths = {ref: link for ref, link in view.links.items() if link.kind == "veth"}
    for ref, link in veths.items():
        assert link.peer is not None
        assert veths[link.peer].peer == ref


def test_containers_hang_on_the_bridges_of_their_networks(snapshot: Snapshot, view: View) -> None:
    for name, bridge in BRIDGED.items():
        found = container(snapshot, name)
        space = view.namespaces[found.netns or ""]
        (eth0,) = (link for link in space.links if link.kind == "veth")
        assert eth0.peer is not None
        port = view.links[eth0.peer]
        master = view.links[LinkRef(namespace=eth0.peer.namespace, ifindex=port.master or 0)]
        assert master.name == bridge
        assert port.port is not None
        assert port.port.state == "forwarding"
        network = view.network_of_bridge(bridge)
        assert network is not None
        (endpoint,) = found.endpoints
        assert endpoint.network == network.id
        assert endpoint.mac == eth0.mac
        mine = [item.cidr for item in space.addresses if item.ifindex == eth0.ifindex and item.family == "ip"]
        assert mine == list(endpoint.addresses)
        assert endpoint.gateway in [item.gateway for item in network.subnets]


def test_containers_are_as_docker_says(any_docker: DockerHost, snapshot: Snapshot) -> None:
    names = any_docker.docker("ps", "-a", "--format", "{{.Names}}").split()
    told = {item["Name"].lstrip("/"): item for item in json.loads(any_docker.docker("inspect", *names))}
    assert {item.name for item in known_items(snapshot.containers) if item.engine == "docker"} == set(told)
    for name, item in told.items():
        found = container(snapshot, name)
        assert (found.id, found.pid, found.image) == (item["Id"], item["State"]["Pid"], item["Config"]["Image"])
        inode = any_docker.run("stat", "-L", "-c", "%i", f"/proc/{found.pid}/ns/net").stdout.decode().strip()
        assert found.netns == f"net:[{inode}]"


def test_every_mode_is_seen(snapshot: Snapshot, view: View) -> None:
    modes = {name: container(snapshot, name).mode for name in ("web", "hostmode", "none", "joined", "vault")}
    assert modes == {"web": "bridge", "hostmode": "host", "none": "none", "joined": "container", "vault": "bridge"}
    web, joined = container(snapshot, "web"), container(snapshot, "joined")
    assert (joined.joined, joined.netns) == (web.id, web.netns)
    assert container(snapshot, "hostmode").netns == host_of(view).id
    assert [link.name for link in view.namespaces[container(snapshot, "none").netns or ""].links] == ["lo"]


def test_networks_have_the_intentions_they_were_made_with(snapshot: Snapshot) -> None:
    found = {item.name: item for item in known_items(snapshot.networks)}
    assert (found["quiet"].icc, found["app"].icc) == (False, True)
    assert (found["vault"].internal, found["vault"].masquerade) == (True, False)
    assert (found["app"].masquerade, found["app"].isolated) == (True, True)


def test_ports_are_published_as_asked(snapshot: Snapshot) -> None:
    ports = {(item.host_ip, item.host_port, item.container_port) for item in container(snapshot, "web").published}
    assert {("0.0.0.0", 8080, 80), ("127.0.0.1", 8081, 80)} <= ports  # noqa: S104


def test_the_docker_proxy_is_seen_by_its_processes(any_docker: DockerHost, snapshot: Snapshot, view: View) -> None:
    (engine,) = known_items(snapshot.engines)
    assert (engine.reachable, engine.userland_proxy, engine.version) == (True, True, any_docker.version)
    listening = {(item.address, item.port): item.process for item in host_of(view).sockets if item.proto == "tcp"}
    assert listening["0.0.0.0", 8080] == "docker-proxy"  # noqa: S104
    assert listening["127.0.0.1", 8081] == "docker-proxy"


def test_a_containers_listener_is_seen_in_its_own_namespace(snapshot: Snapshot, view: View) -> None:
    web = container(snapshot, "web")
    (socket,) = (item for item in view.namespaces[web.netns or ""].sockets if item.port == 80)
    assert (socket.proto, socket.pid, socket.process) == ("tcp", web.pid, "httpd")


def json_of(any_docker: DockerHost, place: str, *argv: str) -> list[dict[str, Any]]:
    answer = any_docker.run(*any_docker.enter(place), *argv).stdout.decode()
    found: list[dict[str, Any]] = json.loads(answer or "[]")
    return found


def told_by_iproute2(any_docker: DockerHost, place: str) -> dict[str, list[Any]]:
    """What ``ip -j`` says of links, addresses and routes, in the words of the model."""
    links = [
        (
            item["ifindex"],
            item["ifname"],
            item.get("linkinfo", {}).get("info_kind", "loopback" if item["link_type"] == "loopback" else ""),
            item["address"],
            item["mtu"],
            item["operstate"],
            item.get("master"),
            item.get("link_netnsid"),
            item.get("link_index") or item["ifindex"] if "link_netnsid" in item else None,
        )
        for item in json_of(any_docker, place, "ip", "-d", "-j", "link")
    ]
    addresses = [
        (item["ifindex"], info["local"], info["prefixlen"], info["scope"])
        for item in json_of(any_docker, place, "ip", "-j", "addr")
        for info in item["addr_info"]
    ]
    routes = [
        (
            family,
            item["type"] if item["type"] != "unicast" else "",
            whole(item["dst"], family),
            item.get("dev"),
            item.get("gateway"),
            item.get("prefsrc"),
            item.get("metric", 0),
        )
        for family, flag in (("ip", "-4"), ("ip6", "-6"))
        for item in json_of(any_docker, place, "ip", flag, "-d", "-j", "route", "show", "table", "all")
    ]
    return {"links": links, "addresses": sorted(addresses), "routes": sorted(routes, key=str)}


def whole(dst: str, family: str) -> str:
    """A route's destination with its prefix length, which ``ip`` leaves out for hosts and the default."""
    if dst == "default":
        return "0.0.0.0/0" if family == "ip" else "::/0"
    return dst if "/" in dst else f"{dst}/{32 if family == 'ip' else 128}"


def told_by_us(space: Namespace) -> dict[str, list[Any]]:
    names = {link.ifindex: link.name for link in space.links}
    links = [
        (
            link.ifindex,
            link.name,
            link.kind,
            link.mac,
            link.mtu,
            link.operstate,
            names.get(link.master or 0),
            link.lower_nsid,
            link.lower if link.lower_nsid is not None else None,
        )
        for link in space.links
    ]
    addresses = [(item.ifindex, item.address, item.prefixlen, item.scope) for item in space.addresses]
    routes = [
        (
            route.family,
            route.type if route.type != "unicast" else "",
            route.dst,
            names[hop.ifindex or 0],
            hop.gateway,
            route.source,
            route.metric,
        )
        for route in space.routes
        for hop in route.hops
    ]
    return {"links": links, "addresses": sorted(addresses), "routes": sorted(routes, key=str)}


def space_of(snapshot: Snapshot, place: str) -> Namespace:
    """The namespace of the host, of a container, or of the only named one: the outside."""
    if place in ("host", "outside"):
        kind = "host" if place == "host" else "named"
        return next(item for item in known_items(snapshot.namespaces) if item.kind == kind)
    netns = container(snapshot, place).netns
    return next(item for item in known_items(snapshot.namespaces) if item.id == netns)


@pytest.mark.parametrize("place", ["host", "web", "vault", "outside"])
def test_links_addresses_and_routes_are_as_iproute2_says(any_docker: DockerHost, place: str) -> None:
    for _ in range(20):  # IPv6 addresses come up by themselves for some seconds
        before = told_by_iproute2(any_docker, place)
        ours = told_by_us(space_of(any_docker.snapshot(), place))
        if told_by_iproute2(any_docker, place) == before:
            break
    assert ours == before
    assert all(before.values())


def test_bridge_ports_are_as_the_bridge_tool_says(any_docker: DockerHost, view: View) -> None:
    theirs = {item["ifname"]: item for item in json_of(any_docker, "host", "bridge", "-d", "-j", "link")}
    ours = {link.name: link.port for link in host_of(view).links if link.port is not None}
    assert ours.keys() == theirs.keys()
    for name, port in ours.items():
        told = theirs[name]
        assert (port.state, port.hairpin, port.isolated, port.guard, port.learning, port.flood) == (
            told["state"],
            told["hairpin"],
            told["isolated"],
            told["guard"],
            told["learning"],
            told["flood"],
        )


def test_sysctls_are_each_namespaces_own(any_docker: DockerHost, snapshot: Snapshot, view: View) -> None:
    for place, space in (
        ("host", host_of(view)),
        ("none", view.namespaces[container(snapshot, "none").netns or ""]),
        ("web", view.namespaces[container(snapshot, "web").netns or ""]),
    ):
        for key, value in space.sysctls.items():
            if key == "net.netfilter.nf_conntrack_count":
                continue
            path = "/proc/sys/" + key.replace(".", "/")
            told = any_docker.run(*any_docker.enter(place), "cat", path).stdout.decode()
            assert told.strip() == value, (place, key)
    assert host_of(view).sysctls["net.ipv4.ip_forward"] == "1"
    assert host_of(view).sysctls["net.ipv4.conf.br-app.forwarding"] == "1"


def test_the_rules_of_the_host_are_read(view: View) -> None:
    firewall = host_of(view).firewall
    assert firewall is not None
    chains = {(table.name, chain.name): chain for table in firewall.tables for chain in table.chains}
    assert any("MASQUERADE" in rule.text for rule in chains["nat", "POSTROUTING"].rules)


@contextmanager
def stopped_daemon(any_docker: DockerHost) -> Iterator[None]:
    assert any_docker.daemon is not None
    pid = any_docker.run("cat", "/run/docker.pid").stdout.decode().strip()
    any_docker.run("kill", "-STOP", pid)
    try:
        yield
    finally:
        any_docker.run("kill", "-CONT", pid)
        any_docker.daemon.send_signal(signal.SIGCONT)  # nsenter stopped itself together with its child


def test_a_hung_daemon_costs_the_names_and_nothing_else(any_docker: DockerHost, snapshot: Snapshot) -> None:
    with stopped_daemon(any_docker):
        began = time.monotonic()
        blind = any_docker.snapshot()
        took = time.monotonic() - began
    assert took < 30  # the limit is 3 s; without one it never ends
    assert [(item.name, item.reachable) for item in known_items(blind.engines)] == [("docker", False)]
    assert ("engine", "docker", "the Docker daemon did not answer within 3 s") in [
        (gap.section, gap.scope, gap.reason) for gap in blind.gaps
    ]
    known = {item.id: item for item in known_items(snapshot.containers)}
    assert {item.id for item in known_items(blind.containers)} == set(known)
    for item in known_items(blind.containers):
        before = known[item.id]
        assert item.name == item.id[:12]
        assert (item.engine, item.pid, item.netns) == ("docker", before.pid, before.netns)
        assert (item.mode, item.joined) == (before.mode, before.joined), before.name
    seeing, unseeing = View(snapshot), View(blind)
    assert {ref: link.peer for ref, link in unseeing.links.items()} == {
        ref: link.peer for ref, link in seeing.links.items()
    }


def test_a_host_without_a_socket_still_shows_its_containers(any_docker: DockerHost, snapshot: Snapshot) -> None:
    any_docker.run("mv", SOCKET, f"{SOCKET}.away")
    try:
        blind = any_docker.snapshot()
    finally:
        any_docker.run("mv", f"{SOCKET}.away", SOCKET)
    assert known_items(blind.engines) == ()
    assert {item.id for item in known_items(blind.containers)} == {item.id for item in known_items(snapshot.containers)}
    assert [(gap.section, gap.scope) for gap in blind.gaps] == [("engine", "docker")]


def test_a_stopped_container_has_no_namespace(any_docker: DockerHost) -> None:
    any_docker.docker("run", "-d", "--name", "brief", "--network", "app", "lab/busybox:1", "/bin/sleep", "1000")
    try:
        any_docker.docker("kill", "brief")
        after = any_docker.snapshot()
    finally:
        any_docker.docker("rm", "-f", "brief")
    brief = container(after, "brief")
    assert (brief.running, brief.status, brief.netns, brief.pid) == (False, "exited", None, None)
    assert after.gaps == ()


def test_containers_that_come_and_go_never_break_a_snapshot(any_docker: DockerHost) -> None:
    churn = "for i in 1 2 3 4; do docker run --rm --network app lab/busybox:1 /bin/sleep 0.1 & done; wait"
    busy = any_docker.sandbox.popen(["sh", "-c", churn])
    try:
        taken = [any_docker.snapshot() for _ in range(4)]
    finally:
        busy.wait(60)
    for one in taken:
        assert {"web", "app1", "db"} <= {item.name for item in known_items(one.containers)}
        for ref, link in View(one).links.items():
            assert link.kind != "veth" or link.peer is not None or link.peer_note, ref
        settled = {item.scope for item in one.gaps if item.section == "containers"}
        for item in known_items(one.containers):
            assert item.netns is not None or not item.running or item.name in settled


_UNPRIVILEGED = """
import ctypes, os, sys
import msgspec
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
take_snapshot()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: else /proc/self stays root's, which it isn't for a user's own process
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot()))
"""
"""The first snapshot brings in all that is imported late: the interpreter's own folder may be root's."""


def test_without_privilege_the_own_namespace_is_read_and_the_rest_is_said(any_docker: DockerHost) -> None:
    raw = any_docker.run(*python_argv(_UNPRIVILEGED)).stdout
    one = msgspec.json.decode(raw, type=Snapshot)
    (space,) = known_items(one.namespaces)
    assert space.kind == "host"
    assert {"docker0", "br-app"} <= {link.name for link in space.links}
    assert any(item.cidr == "10.10.0.1/24" for item in space.addresses)
    assert space.routes
    veths = [link for link in space.links if link.kind == "veth"]
    assert veths
    assert all(link.peer is None and "run as root" in link.peer_note for link in veths)
    said = [(gap.section, gap.scope, gap.reason, gap.hint) for gap in one.gaps]
    assert any(gap[:2] == ("engine", "docker") and "no permission to use the Docker socket" in gap[2] for gap in said)
    assert any(gap[0] == "namespaces" and "sudo" in gap[3] for gap in said), said
    assert any(gap[:2] == ("containers", "docker") for gap in said), said
    assert "docker" in {gap[1] for gap in said if gap[0] == "networks"}, said


def test_taking_a_snapshot_changes_nothing(any_docker: DockerHost) -> None:
    before = (any_docker.rules(), any_docker.sysctls(), any_docker.run("nft", "list", "tables").stdout)
    any_docker.snapshot()
    assert (any_docker.rules(), any_docker.sysctls(), any_docker.run("nft", "list", "tables").stdout) == before
