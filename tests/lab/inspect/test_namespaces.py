"""Finding, entering and relating namespaces, on a host without an engine."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import msgspec
import pytest

from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.inspect.model import LinkRef, Namespace, Snapshot
from dnet_tui.inspect.model.coverage.sections import known_items
from dnet_tui.inspect.model.view import View
from lab.machines.hosts import DemoHost, python_argv


def run_python(host: DemoHost, code: str) -> object:
    """Run a piece of Python on the host and return what it printed as JSON."""
    answer: object = json.loads(host.run(*python_argv(code)).stdout)
    return answer


def named(snapshot: Snapshot, name: str) -> Namespace:
    return next(item for item in snapshot.namespaces if name in item.names)


def test_the_demo_host_is_seen_whole(demo_host: DemoHost) -> None:
    snapshot = demo_host.snapshot()
    view = View(snapshot)
    assert snapshot.gaps == ()
    assert snapshot.engines == ()
    assert {(item.name, item.engine, item.mode) for item in snapshot.containers} == {
        (member.name, "netns", "bridge") for member in DEMO.members
    }
    assert {item.name: (item.bridge, item.internal, item.masquerade) for item in snapshot.networks} == {
        net.name: (net.bridge, net.internal, not net.internal) for net in DEMO.nets
    }
    for net in DEMO.nets:
        network = next(item for item in snapshot.networks if item.name == net.name)
        assert [(item.cidr, item.gateway) for item in network.subnets] == [(str(net.subnet), net.router)]
        for member in net.members:
            found = next(item for item in snapshot.containers if item.name == member.name)
            (endpoint,) = found.endpoints
            assert (endpoint.network, endpoint.addresses) == (network.id, (member.address,))
            assert view.host is not None
            port = view.link_named(view.host.id, member.veth)
            assert port is not None
            assert port.peer is not None
            assert port.peer.namespace == found.netns


def test_a_namespace_on_no_bridge_is_only_a_namespace(demo_host: DemoHost) -> None:
    snapshot = demo_host.snapshot()
    assert named(snapshot, DEMO.outside).kind == "named"
    assert DEMO.outside not in {item.name for item in snapshot.containers}


def test_what_runs_inside_is_inside_and_the_rest_stays_outside(demo_host: DemoHost) -> None:
    answer = run_python(
        demo_host,
        """
import json, os, subprocess, threading
from dnet_tui.inspect.kernel.netns import NsHandle, run_in
inode = os.stat("/run/netns/web").st_ino
before = os.readlink("/proc/self/ns/net")
def inside():
    child = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True).stdout.strip()
    return [os.readlink("/proc/thread-self/ns/net"), child]
seen = run_in(NsHandle(inode=inode, path="/run/netns/web"), inside)
print(json.dumps({"inode": inode, "seen": seen, "before": before, "after": os.readlink("/proc/self/ns/net"),
                  "threads": threading.active_count()}))
""",
    )
    assert isinstance(answer, dict)
    assert answer["seen"] == [f"net:[{answer['inode']}]"] * 2
    assert answer["before"] == answer["after"] != answer["seen"][0]
    assert answer["threads"] == 1


def test_a_namespace_whose_process_ended_is_gone(demo_host: DemoHost) -> None:
    answer = run_python(
        demo_host,
        """
import json, os, subprocess, time
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, inode_of, own_handle, run_in, start_time
child = subprocess.Popen(["unshare", "--net", "sleep", "100"])
while inode_of(child.pid) == own_handle().inode:
    time.sleep(0.01)
handle = NsHandle(inode=inode_of(child.pid), pid=child.pid, start=start_time(child.pid))
alive = run_in(handle, lambda: os.readlink("/proc/thread-self/ns/net"))
child.kill(); child.wait()
try:
    run_in(handle, lambda: None)
    said = "entered"
except NamespaceGoneError:
    said = "gone"
print(json.dumps([alive == handle.id, said]))
""",
    )
    assert answer == [True, "gone"]


def test_snapshots_leave_no_descriptor_and_no_thread(demo_host: DemoHost) -> None:
    answer = run_python(
        demo_host,
        """
import json, os, threading
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
take_snapshot()
before = sorted(os.listdir("/proc/self/fd"))
for _ in range(5):
    take_snapshot()
print(json.dumps([before == sorted(os.listdir("/proc/self/fd")), threading.active_count()]))
""",
    )
    assert answer == [True, 1]


@pytest.fixture
def sandboxes(demo_host: DemoHost) -> Iterator[dict[str, int]]:
    """Two namespaces that only a process holds: one without links, one joined to the host by a veth.  Their PIDs."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    pids: dict[str, int] = {}
    for name in ("empty", "joined"):
        command = ["unshare", "--net", "sh", "-c", f"echo $$ > /run/{name}.pid; exec sleep 1000"]
        running[name] = demo_host.sandbox.popen(command)
        for _ in range(200):
            told = demo_host.run("cat", f"/run/{name}.pid", check=False).stdout.strip()
            if told:
                break
            time.sleep(0.02)
        pids[name] = int(told)
    demo_host.run(
        *("ip", "link", "add", "odd", "index", "900", "type", "veth"),
        *("peer", "name", "eth0", "index", "900", "netns", str(pids["joined"])),
    )
    yield pids
    for name, pid in pids.items():
        demo_host.run("kill", str(pid))
        running[name].wait(10)


def test_a_process_in_a_namespace_of_its_own_counts_when_it_is_connected(
    demo_host: DemoHost, sandboxes: dict[str, int]
) -> None:
    snapshot = demo_host.snapshot()
    assert snapshot.gaps == ()
    processes = [item for item in snapshot.namespaces if item.kind == "process"]
    assert [[held.pid for held in item.processes] for item in processes] == [[sandboxes["joined"]]]


def test_a_pair_with_the_same_index_at_both_ends_is_found(demo_host: DemoHost, sandboxes: dict[str, int]) -> None:
    assert sandboxes
    snapshot = demo_host.snapshot()
    view = View(snapshot)
    (space,) = (item for item in snapshot.namespaces if item.kind == "process")
    assert view.host is not None
    here, there = LinkRef(namespace=view.host.id, ifindex=900), LinkRef(namespace=space.id, ifindex=900)
    assert view.links[here].peer == there
    assert view.links[there].peer == here


def test_what_lies_on_a_link_of_another_namespace_points_there(demo_host: DemoHost) -> None:
    demo_host.run("ip", "link", "add", "mv0", "link", DEMO.uplink, "type", "macvlan", "mode", "bridge")
    demo_host.run("ip", "link", "set", "mv0", "netns", "web")
    snapshot = demo_host.snapshot()
    view = View(snapshot)
    assert view.host is not None
    uplink = view.link_named(view.host.id, DEMO.uplink)
    macvlan = view.link_named(named(snapshot, "web").id, "mv0")
    assert uplink is not None
    assert macvlan is not None
    assert macvlan.peer == LinkRef(namespace=view.host.id, ifindex=uplink.ifindex)


def test_a_name_that_was_removed_leaves_the_namespace_to_its_process(demo_host: DemoHost) -> None:
    demo_host.run("ip", "netns", "del", "web")
    snapshot = demo_host.snapshot()
    view = View(snapshot)
    assert view.host is not None
    port = view.link_named(view.host.id, "veth-web")
    (space,) = (item for item in snapshot.namespaces if item.kind == "process")
    assert port is not None
    assert port.peer is not None
    assert port.peer.namespace == space.id


_BLIND = """
import sys, msgspec
from dnet_tui.inspect.snapshot import snapshot_run as discover
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
discover.read_namespace_files = lambda: ()
discover.read_processes = lambda known: discover.ProcessTable()
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot()))
"""


def test_veths_whose_other_end_is_out_of_sight_say_so(demo_host: DemoHost) -> None:
    one = msgspec.json.decode(demo_host.run(*python_argv(_BLIND)).stdout, type=Snapshot)
    (space,) = known_items(one.namespaces)
    veths = [link for link in space.links if link.kind == "veth"]
    assert len(veths) == len(DEMO.members) + 1
    for link in veths:
        assert link.peer is None
        assert "could not be seen" in link.peer_note


def test_the_second_witness_agrees_with_the_first(demo_host: DemoHost) -> None:
    answer = run_python(
        demo_host,
        """
import json
from dnet_tui.inspect.kernel.rtnetlink import read_dumps as rtnl
from dnet_tui.inspect.kernel.ethtool import read_peer_ifindex
from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.rtnetlink.parse_links import parse_link_table
with NetlinkSocket() as sock:
    links = parse_link_table(rtnl.read_links(sock).bodies).links
print(json.dumps([[link.name, link.kind, link.lower, read_peer_ifindex(link.name)] for link in links
                  if link.kind in ("veth", "bridge")]))
""",
    )
    assert isinstance(answer, list)
    assert {kind for _, kind, _, _ in answer} == {"veth", "bridge"}
    for name, kind, lower, witness in answer:
        assert witness == (lower if kind == "veth" else None), name
