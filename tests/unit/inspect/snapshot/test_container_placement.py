"""Which container lives where, with and without an engine's word."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.netns import NsHandle
from dnet_tui.inspect.kernel.procfs import NamespaceFile, ProcessSeen
from dnet_tui.inspect.model import Address, Container, Endpoint, Link, LinkRef, Namespace, Network, NextHop, Route
from dnet_tui.inspect.snapshot.container_placement import (
    Resident,
    assign_namespaces,
    engine_by_ancestor,
    guess_modes,
    matched_by_pid,
    named_containers,
    residents,
)
from dnet_tui.inspect.snapshot.namespace_candidates import find_candidates

HOST = 1
WEB_ID, DB_ID = "a" * 64, "b" * 64


def process(
    pid: int, *, inode: int = HOST, container: str = "", start: int = 0, name: str = "sh", parent: int = 1
) -> ProcessSeen:
    return ProcessSeen(
        pid=pid,
        parent=parent,
        start=start or pid,
        name=name,
        inode=inode,
        container=CgroupContainer(id=container, engine="docker") if container else None,
    )


def seen(*processes: ProcessSeen) -> dict[str, Resident]:
    return residents(processes, None, HOST)


def space(inode: int, *links: Link, names: tuple[str, ...] = (), host: bool = False) -> Namespace:
    return Namespace(id=f"net:[{inode}]", inode=inode, kind="host" if host else "named", names=names, links=links)


def test_a_containers_oldest_process_stands_for_it() -> None:
    found = seen(process(5, inode=2, container=WEB_ID), process(9, inode=3, container=WEB_ID))
    assert {key: (item.process.pid, item.process.inode) for key, item in found.items()} == {WEB_ID: (5, 2)}


def test_the_container_that_we_run_in_is_not_one_of_this_hosts() -> None:
    own = CgroupContainer(id=WEB_ID, engine="docker")
    inside, outside = process(5, container=WEB_ID), process(6, inode=2, container=WEB_ID)
    assert residents([inside], own, HOST) == {}
    assert list(residents([outside], own, HOST)) == [WEB_ID]
    assert list(residents([inside], None, HOST)) == [WEB_ID]


def test_an_engines_container_is_put_where_its_process_is() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=5, mode="bridge")
    (found,), gaps = assign_namespaces([told], seen(process(5, inode=2, container=WEB_ID)), {})
    assert (found.name, found.netns, gaps) == ("web", "net:[2]", ())


def test_without_an_engine_the_short_id_is_the_name() -> None:
    (found,), gaps = assign_namespaces([], seen(process(5, inode=2, container=WEB_ID)), {})
    assert (found.id, found.name, found.engine) == (WEB_ID, WEB_ID[:12], "docker")
    assert (found.pid, found.netns, found.running, gaps) == (5, "net:[2]", True, ())


def test_a_container_told_and_seen_is_one() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=5)
    containers, _ = assign_namespaces(
        [told], seen(process(5, inode=2, container=WEB_ID), process(6, inode=3, container=DB_ID)), {}
    )
    assert [item.name for item in containers] == ["web", DB_ID[:12]]


def test_a_container_that_ended_meanwhile_is_named_in_a_gap() -> None:
    told = [Container(id=WEB_ID, name="web", engine="docker", pid=5), Container(id=DB_ID, name="db", engine="docker")]
    containers, (gap,) = assign_namespaces(told, seen(process(6, inode=3, container=DB_ID)), {})
    assert [(item.name, item.netns) for item in containers] == [("web", None), ("db", "net:[3]")]
    assert (gap.section, gap.scope) == ("containers", "web")


def test_a_stopped_container_has_no_namespace_and_no_gap() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", running=False)
    assert assign_namespaces([told], {}, {}) == ((told,), ())


def test_a_container_in_an_unread_namespace_is_named_in_a_gap() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=5)
    (found,), (gap,) = assign_namespaces(
        [told], seen(process(5, inode=2, container=WEB_ID)), {"net:[2]": "not permitted"}
    )
    assert found.netns is None
    assert (gap.scope, "not permitted" in gap.reason) == ("web", True)


def test_an_engines_pid_finds_a_container_whose_cgroup_is_silent() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=5)
    assert matched_by_pid([told], {5: process(5, inode=2)})[WEB_ID].process.inode == 2


def test_the_engines_word_goes_before_the_oldest_process() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=9)
    setting_up, first = process(5, container=WEB_ID), process(9, inode=2, container=WEB_ID)
    assert matched_by_pid([told], {5: setting_up, 9: first})[WEB_ID].process is first


def test_a_pid_that_is_another_containers_by_now_is_not_taken() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", pid=5)
    assert matched_by_pid([told], {5: process(5, inode=2, container=DB_ID)}) == {}
    assert matched_by_pid([told], {6: process(6, inode=2)}) == {}
    stopped = msgspec.structs.replace(told, running=False)
    assert matched_by_pid([stopped], {5: process(5, inode=2)}) == {}


@pytest.mark.parametrize(
    ("name", "argv", "engine"),
    [
        ("containerd-shim", ("containerd-shim-runc-v2", "-namespace", "moby", "-id", WEB_ID), "docker"),
        ("containerd-shim", ("containerd-shim-runc-v2", "-namespace", "k8s.io"), "containerd"),
        ("dockerd", (), "docker"),
        ("conmon", (), "podman"),
        ("conmon", ("/usr/bin/conmon", "--exit-dir", "/run/libpod/exits"), "podman"),
        ("conmon", ("/usr/libexec/crio/conmon", "-b", "/run/containers/x"), "cri-o"),
        ("conmon", ("conmon", "--exit-dir", "/var/run/crio/exits"), "cri-o"),
        ("[lxc monitor] /", ("[lxc monitor] /var/lib/lxc web",), "lxc"),
        ("[lxc monitor] /", ("[lxc monitor] /var/snap/lxd/common/lxd/containers web",), "lxd"),
        ("[lxc monitor] /", ("[lxc monitor] /run/incus/containers web",), "incus"),
        ("[lxc monitor] /", ("[lxc monitor] /var/lib/lxc lxd",), "lxc"),
        ("bash", (), "unknown"),
    ],
)
def test_who_started_a_container_tells_its_engine(name: str, argv: tuple[str, ...], engine: str) -> None:
    table = {4: process(4, name=name), 5: process(5, parent=4, inode=2)}
    assert engine_by_ancestor(table[5], table, lambda _pid: argv) == engine


def test_a_ring_of_parents_ends() -> None:
    table = {4: process(4, parent=5), 5: process(5, parent=4)}
    assert engine_by_ancestor(table[5], table, lambda _pid: ()) == "unknown"


BRIDGE = Link(ifindex=2, name="br0", kind="bridge")
PORT = Link(ifindex=4, name="v4", kind="veth", master=2, peer=LinkRef(namespace="net:[2]", ifindex=3))
ETH0 = Link(ifindex=3, name="eth0", kind="veth", mac="02:00:00:00:00:02", peer=LinkRef(namespace="net:[1]", ifindex=4))
LO = Link(ifindex=1, name="lo", kind="loopback")


def mode_of(*links: Link, inode: int = 2) -> str:
    spaces = {"net:[1]": space(HOST, BRIDGE, PORT, host=True), "net:[2]": space(2, *links)}
    one = Container(id=WEB_ID, name="web", engine="docker", netns=f"net:[{inode}]")
    (found,) = guess_modes([one], spaces, seen(process(5, inode=inode, container=WEB_ID)), "net:[1]")
    return found.mode


def test_the_mode_is_guessed_from_what_the_namespace_holds() -> None:
    assert mode_of(LO, ETH0) == "bridge"
    assert mode_of(LO) == "none"
    assert mode_of(LO, Link(ifindex=3, name="eth0", kind="macvlan")) == "macvlan"
    assert mode_of(LO, Link(ifindex=3, name="eth0", kind="ipvlan")) == "ipvlan"
    assert mode_of(LO, Link(ifindex=3, name="tun0", kind="tun")) == "unknown"
    assert mode_of(inode=HOST) == "host"


def test_a_mode_that_the_engine_told_is_kept() -> None:
    told = Container(id=WEB_ID, name="web", engine="docker", netns="net:[2]", mode="overlay")
    assert guess_modes([told], {"net:[2]": space(2, LO)}, {}, "net:[1]") == (told,)


def test_of_two_in_one_namespace_the_younger_joined() -> None:
    young = Container(id=WEB_ID, name="web", engine="docker", netns="net:[2]")
    old = Container(id=DB_ID, name="db", engine="docker", netns="net:[2]")
    both = seen(process(5, inode=2, container=DB_ID), process(9, inode=2, container=WEB_ID))
    found = guess_modes([young, old], {"net:[2]": space(2, LO)}, both, "net:[1]")
    assert [(item.name, item.mode, item.joined) for item in found] == [
        ("web", "container", DB_ID),
        ("db", "none", None),
    ]


def test_a_named_namespace_on_a_bridge_is_used_like_a_container() -> None:
    web = msgspec.structs.replace(
        space(2, LO, ETH0, names=("web",)),
        addresses=(
            Address(ifindex=3, family="ip", address="10.10.0.2", prefixlen=24),
            Address(ifindex=3, family="ip6", address="fe80::2", prefixlen=64, scope="link"),
        ),
        routes=(
            Route(
                family="ip",
                table=254,
                type="unicast",
                dst="0.0.0.0/0",
                hops=(NextHop(ifindex=3, gateway="10.10.0.1"),),
            ),
        ),
    )
    spaces = {"net:[1]": space(HOST, BRIDGE, PORT, host=True), web.id: web}
    network = Network(id="linux:br0", name="front", engine="linux", bridge="br0")
    (found,) = named_containers(spaces, "net:[1]", frozenset(), [network])
    assert (found.id, found.name, found.engine, found.mode) == ("netns:web", "web", "netns", "bridge")
    assert found.endpoints == (
        Endpoint(network="linux:br0", mac="02:00:00:00:00:02", addresses=("10.10.0.2/24",), gateway="10.10.0.1"),
    )


def test_a_named_namespace_that_is_on_no_bridge_stays_one() -> None:
    uplink = msgspec.structs.replace(PORT, master=None)
    spaces = {
        "net:[1]": space(HOST, BRIDGE, uplink, host=True),
        "net:[2]": space(2, LO, ETH0, names=("internet",)),
    }
    assert named_containers(spaces, "net:[1]", frozenset(), []) == ()


def test_a_containers_namespace_with_a_name_is_not_counted_twice() -> None:
    spaces = {"net:[1]": space(HOST, BRIDGE, PORT, host=True), "net:[2]": space(2, LO, ETH0, names=("netns-1",))}
    assert named_containers(spaces, "net:[1]", frozenset({"net:[2]"}), []) == ()


def test_a_bridge_elsewhere_does_not_count() -> None:
    spaces = {
        "net:[9]": space(9, host=True),
        "net:[1]": space(HOST, BRIDGE, PORT),
        "net:[2]": space(2, ETH0, names=("x",)),
    }
    assert named_containers(spaces, "net:[9]", frozenset(), []) == ()


def test_every_namespace_is_found_once_with_the_ways_into_it() -> None:
    host = NsHandle(inode=HOST, pid=100, start=100)
    files = (NamespaceFile(path="/run/netns/web", inode=2, name="web"), NamespaceFile(path="/run/x", inode=4))
    places = find_candidates(host, [process(1), process(5, inode=2), process(6, inode=3, container=WEB_ID)], files)
    assert [(item.id, item.handle) for item in places] == [
        ("net:[1]", host),
        ("net:[2]", NsHandle(inode=2, path="/run/netns/web", pid=5, start=5)),
        ("net:[3]", NsHandle(inode=3, pid=6, start=6)),
        ("net:[4]", NsHandle(inode=4, path="/run/x")),
    ]
    assert [item.is_sandbox for item in places] == [False, False, False, True]
    assert [item.kind(frozenset({"net:[3]"})) for item in places] == ["host", "named", "container", "named"]
    assert places[1].kind(frozenset({"net:[2]"})) == "container"


def test_a_namespace_keeps_only_its_oldest_processes() -> None:
    host = NsHandle(inode=HOST)
    places = find_candidates(host, [process(pid, inode=2) for pid in range(10, 60)], ())
    assert [item.pid for item in places[1].processes] == list(range(10, 18))
