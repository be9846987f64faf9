"""Rootless engines are recognised by their processes, and never mixed up with the host's own."""

from __future__ import annotations

import os

from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.rootless import ArgvCache, Rootless, find_rootless, place, shared_path
from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Container, Engine, Network

HOST, INNER = 1, 2


def process(pid: int, name: str, *, parent: int = 1, inode: int = HOST, container: str = "") -> ProcessSeen:
    inside = CgroupContainer(id=container, engine="docker") if container else None
    return ProcessSeen(pid=pid, parent=parent, start=pid, name=name, inode=inode, container=inside)


class Made(ArgvCache):
    """Glances at processes that don't exist."""

    def __init__(self, uids: dict[int, int], argvs: dict[int, tuple[str, ...]], files: dict[str, int]) -> None:
        super().__init__(lambda pid: argvs.get(pid, ()))
        self._uids, self._files = uids, files

    def uid(self, pid: int) -> int | None:
        return self._uids.get(pid, 0)

    def inode_at(self, pid: int, path: str) -> int | None:
        assert pid == 20  # the conmon, whose mounts have the file
        return self._files.get(path)

    def socket(self, name: str, uid: int | None) -> str:
        return f"/run/user/{uid}/{name}.sock"


def glance(
    uids: dict[int, int] | None = None,
    argvs: dict[int, tuple[str, ...]] | None = None,
    files: dict[str, int] | None = None,
) -> Made:
    return Made(uids or {}, argvs or {}, files or {})


DOCKER = (
    process(10, "rootlesskit"),
    process(11, "exe", parent=10, inode=INNER),
    process(12, "dockerd", parent=11, inode=INNER),
    process(13, "containerd", parent=12, inode=INNER),
    process(14, "slirp4netns", parent=10),
)
SLIRP = (
    *("/usr/bin/slirp4netns", "--disable-host-loopback", "--mtu=65520", "--enable-sandbox", "-c", "-r", "3"),
    *("--netns-type=path", "/run/user/1000/netns/rootless-netns-d22c9e57319a3da30a7f", "tap0"),
)
PASTA = (
    *("/usr/bin/pasta", "--config-net", "--pid"),
    "/run/user/1000/containers/networks/rootless-netns/rootless-netns-conn.pid",
    *("--dns-forward", "169.254.1.1", "-t", "none", "--quiet", "--netns"),
    "/run/user/1000/containers/networks/rootless-netns/rootless-netns",
)


def test_a_rootless_docker_is_where_its_daemon_is() -> None:
    (found,) = find_rootless(DOCKER, glance({12: 1000}))
    assert found == Rootless(name="docker", uid=1000, netns=INNER, pid=12, socket="/run/user/1000/docker.sock")


def test_an_ordinary_docker_is_not_rootless() -> None:
    ordinary = (process(5, "dockerd"), process(6, "containerd"), process(7, "containerd", parent=5))
    assert find_rootless(ordinary, glance()) == ()


def test_a_rootless_docker_inside_a_container_is_the_containers_business() -> None:
    inside = [process(item.pid, item.name, parent=item.parent, inode=3, container="a" * 64) for item in DOCKER]
    assert find_rootless(inside, glance({12: 1000})) == ()


def test_a_rootless_containerd_alone_is_recognised() -> None:
    (found,) = find_rootless(
        (process(10, "rootlesskit"), process(13, "containerd", parent=10, inode=INNER)), glance({13: 1000})
    )
    assert (found.name, found.netns) == ("containerd", INNER)


def test_a_rootless_podmans_bridges_are_where_its_name_server_is() -> None:
    seen = (process(20, "conmon"), process(21, "aardvark-dns", inode=INNER))
    (found,) = find_rootless(seen, glance({20: 1000, 21: 1000}))
    assert (found.name, found.uid, found.netns, found.pid) == ("podman", 1000, INNER, 21)


def test_without_a_name_server_the_connector_tells_the_namespaces_file() -> None:
    for name, argv in (("slirp4netns", SLIRP), ("pasta", PASTA), ("pasta.avx2", PASTA)):
        seen = (process(20, "conmon"), process(22, name))
        path = shared_path(argv)
        (found,) = find_rootless(seen, glance({20: 1000, 22: 1000}, {22: argv}, {path: INNER}))
        assert (found.uid, found.netns, found.pid) == (1000, INNER, None), name


def test_a_podman_without_bridges_has_no_namespace_of_its_own() -> None:
    single = ("/usr/bin/pasta", "--netns", "/run/user/1000/netns/netns-1")
    seen = (process(20, "conmon"), process(22, "pasta"))
    (found,) = find_rootless(seen, glance({20: 1000, 22: 1000}, {22: single}))
    assert (found.name, found.uid, found.netns) == ("podman", 1000, None)


def test_roots_own_podman_is_not_rootless() -> None:
    seen = (process(20, "conmon"), process(21, "aardvark-dns"))
    assert find_rootless(seen, glance()) == ()


def test_each_users_podman_is_told_apart() -> None:
    seen = (process(20, "conmon"), process(30, "conmon"), process(31, "aardvark-dns", inode=3))
    found = find_rootless(seen, glance({20: 1000, 30: 1001, 31: 1001}))
    assert [(item.uid, item.netns) for item in found] == [(1000, None), (1001, 3)]


def test_the_shared_namespaces_file_is_told_from_a_single_containers_and_from_a_pid_file() -> None:
    assert shared_path(SLIRP) == "/run/user/1000/netns/rootless-netns-d22c9e57319a3da30a7f"
    assert shared_path(PASTA) == "/run/user/1000/containers/networks/rootless-netns/rootless-netns"
    assert shared_path(("slirp4netns", "--netns-type=path", "/run/user/1000/netns/netns-1", "tap0")) == ""
    assert shared_path(()) == ""


def test_one_that_was_not_asked_is_listed_with_the_way_in() -> None:
    found = Rootless(name="docker", uid=1000, netns=INNER, pid=12, socket="/run/user/1000/docker.sock")
    ours = EngineReading(
        engines=(Engine(name="docker"),), networks=(Network(id="1", name="n", engine="docker", bridge="b"),)
    )
    whole = place(ours, [found], HOST)
    rootful, rootless = whole.engines
    assert rootful == Engine(name="docker")
    assert (rootless.rootless, rootless.reachable, rootless.netns) == (True, False, "net:[2]")
    assert [net.bridge for net in whole.networks] == ["b"]
    (gap,) = whole.gaps
    assert (gap.section, gap.scope) == ("namespaces", "net:[2]")
    assert ("user 1000" in gap.reason, "nsenter -t 12 -n" in gap.hint) == (True, True)


def test_the_networks_of_one_that_answered_have_no_bridge_here() -> None:
    ours = EngineReading(
        engines=(Engine(name="docker", socket="/run/user/1000/docker.sock", rootless=True),),
        networks=(Network(id="1", name="bridge", engine="docker", bridge="docker0"),),
        containers=(Container(id="2", name="web", engine="docker"),),
    )
    found = Rootless(name="docker", uid=1000, netns=INNER, pid=12, socket="/run/user/1000/docker.sock")
    whole = place(ours, [found], HOST)
    assert (whole.engines[0].netns, whole.networks[0].bridge) == ("net:[2]", "")
    assert [(gap.section, gap.scope) for gap in whole.gaps] == [("engine", "docker")]
    unseen = place(ours, [], HOST)
    assert (unseen.engines[0].netns, unseen.networks[0].bridge, len(unseen.gaps)) == (None, "", 1)


def test_from_inside_its_namespace_a_rootless_engine_is_an_ordinary_one() -> None:
    ours = EngineReading(
        engines=(Engine(name="docker", rootless=True),),
        networks=(Network(id="1", name="bridge", engine="docker", bridge="docker0"),),
    )
    found = Rootless(name="docker", uid=1000, netns=INNER, pid=12)
    whole = place(ours, [found], INNER)
    assert (whole.networks[0].bridge, whole.gaps, len(whole.engines)) == ("docker0", (), 1)


def test_of_two_users_engines_the_one_that_answered_is_told_by_its_socket() -> None:
    one = Rootless(name="podman", uid=1000, netns=2, socket="/run/user/1000/podman/podman.sock")
    two = Rootless(name="podman", uid=1001, netns=3, socket="/run/user/1001/podman/podman.sock")
    ours = EngineReading(engines=(Engine(name="podman", rootless=True, socket="/run/user/1001/podman/podman.sock"),))
    whole = place(ours, [one, two], HOST)
    assert [(item.netns, item.reachable) for item in whole.engines] == [("net:[3]", True), ("net:[2]", False)]


def test_a_glance_at_this_process_tells_what_is_so() -> None:
    real = ArgvCache(lambda _pid: ())
    assert real.uid(os.getpid()) == os.getuid()
    assert real.uid(1 << 30) is None
    assert real.inode_at(os.getpid(), "/etc/passwd") is None
    assert real.inode_at(os.getpid(), "/nowhere") is None
    assert real.socket("docker", None) == ""
