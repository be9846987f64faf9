"""The small text and byte formats: /proc files, cgroups, sysctl names, ethtool's statistics, odd bytes."""

from __future__ import annotations

import struct

import msgspec
import pytest

from dnet_tui.inspect.kernel.cgroups import CgroupContainer, container_of, short_id
from dnet_tui.inspect.kernel.ethtool import parse_peer_ifindex
from dnet_tui.inspect.kernel.procfs import NamespaceFile, parse_mountinfo, parse_stat
from dnet_tui.inspect.kernel.sockets.proc_net import parse_sockets
from dnet_tui.inspect.kernel.sysctl import dotted
from dnet_tui.inspect.model import Socket
from dnet_tui.inspect.text.encoding import storable, text

ID = "5720c6174531e39ab81b7ef609f9c66674cdaa885f551b33f9cb1fdb3a1f0c79"
OTHER = "a" * 64

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101913 1 0000000000617376
   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101897 1 000000002c4752ec
   2: 0100007F:1F92 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 101898 1 000000002c4752ed
   3: broken
"""
TCP6 = """\
  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 101918 1 0
   1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 101919 1 0
"""
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  1: 0B00007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0 0
  2: 0B00007F:8000 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 8 2 0 0
"""


def test_only_listening_tcp_sockets_are_told() -> None:
    assert list(parse_sockets(TCP, "tcp")) == [
        Socket(proto="tcp", address="0.0.0.0", port=8080, inode=101913),  # noqa: S104
        Socket(proto="tcp", address="127.0.0.1", port=8081, inode=101897),
    ]


def test_ipv6_addresses_are_read_word_by_word() -> None:
    assert [(item.address, item.port) for item in parse_sockets(TCP6, "tcp")] == [("::", 8080), ("2001:db8::1", 80)]


def test_a_connected_udp_socket_does_not_listen() -> None:
    assert [(item.address, item.port) for item in parse_sockets(UDP, "udp")] == [("127.0.0.11", 53)]


@pytest.mark.parametrize(
    ("path", "engine", "container"),
    [
        (f"/docker/{ID}", "docker", ID),
        (f"/system.slice/docker-{ID}.scope", "docker", ID),
        (f"/machine.slice/libpod-{ID}.scope/container", "podman", ID),
        (f"/libpod_parent/libpod-{ID}", "podman", ID),
        (f"/libpod_parent/{OTHER}/conmon/libpod_parent/{OTHER}/libpod-{ID}", "podman", ID),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "containerd", ID),
        (f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/docker-{ID}.scope", "docker", ID),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container", "podman", ID),
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope", "docker", ID),
        (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope", "podman", ID),
        (f"/system.slice/nerdctl-{ID}.scope", "containerd", ID),
        ("/lxc.payload.web", "lxc", "web"),
        ("/machine.slice/systemd-nspawn@web.service/payload/system.slice/sshd.service", "systemd-nspawn", "web"),
        (r"/machine.slice/systemd-nspawn@my\x2dweb.service/payload", "systemd-nspawn", "my-web"),
        (r"/machine.slice/machine-my\x2dweb.scope/payload/init.scope", "systemd-nspawn", "my-web"),
        ("/machine.slice/machine-web.scope/init.scope", "systemd-nspawn", "web"),
        (f"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}", "containerd", ID),
        (f"/kubepods.slice/crio-{ID}.scope", "cri-o", ID),
        ("/lxc/web", "lxc", "web"),
        ("/lxc.payload.web/init.scope", "lxc", "web"),
        ("/lxc.payload/web/system.slice", "lxc", "web"),
        (f"/dnet-lab/{ID}", "unknown", ID),
        (f"/../../docker/{ID}", "docker", ID),
        (f"/docker/{OTHER}/docker/{ID}", "docker", ID),
    ],
)
def test_a_cgroups_path_names_its_container(path: str, engine: str, container: str) -> None:
    assert container_of(f"0::{path}\n") == CgroupContainer(id=container, engine=engine)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/user.slice/user-0.slice/session-1.scope",
        "/system.slice/docker.service",
        f"/machine.slice/libpod-conmon-{ID}.scope",
        f"/machine.slice/crio-conmon-{ID}.scope",
        "/lxc.monitor.web",
        f"/libpod_parent/{ID}/conmon",
        "/machine.slice/systemd-nspawn@web.service/supervisor",
        "/machine.slice/systemd-nspawn@web.service",
        r"/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator",
        r"/machine.slice/machine-qemu\x2d1\x2dvm.scope",
        f"/machine.slice/machine-libpod_pod_{ID}.slice",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice",
        f"/docker/{ID[:-1]}",
        f"/docker/{ID.upper()}",
        f"/docker/{ID}0",
    ],
)
def test_what_is_no_containers_cgroup_names_none(path: str) -> None:
    assert container_of(f"0::{path}\n") is None


@pytest.mark.parametrize(
    "path",
    [f"/kubepods/besteffort/pod1-2/{ID}", f"/kubepods/pod1-2/{ID}", f"/kubepods.slice/kubepods-pod1.slice/{ID}"],
)
def test_a_bare_id_in_kubelets_folders_is_likely_containerds(path: str) -> None:
    assert container_of(f"0::{path}\n") == CgroupContainer(id=ID, engine="containerd", sure=False)
    both = f"4:pids:{path}\n1:name=systemd:/system.slice/crio-{ID}.scope\n"
    assert container_of(both) == CgroupContainer(id=ID, engine="cri-o")


def test_cgroup_v1_names_the_container_on_every_line() -> None:
    lines = [f"{number}:{name}:/docker/{ID}" for number, name in ((9, "name=systemd"), (8, "cpu,cpuacct"), (3, "pids"))]
    assert container_of("\n".join([*lines, "0::/", ""])) == CgroupContainer(id=ID, engine="docker")
    podman = f"12:pids:/libpod_parent/{OTHER}/libpod-{ID}\n1:name=systemd:/user.slice/user-0.slice\n"
    assert container_of(podman) == CgroupContainer(id=ID, engine="podman")


def test_of_several_controllers_the_one_that_names_the_engine_counts() -> None:
    cgroup = f"9:name=systemd:/x/{ID}\n3:cpuset:/docker/{ID}\n0::/\n"
    assert container_of(cgroup) == CgroupContainer(id=ID, engine="docker")


def test_short_ids_are_for_long_ids() -> None:
    assert short_id(ID) == ID[:12]
    assert short_id("a-container-that-lxc-named") == "a-container-that-lxc-named"


def test_a_process_with_an_odd_name_is_read() -> None:
    raw = b"7 (a) (b\xff) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 55 1 2"
    seen = parse_stat(raw)
    assert (seen.name, seen.state, seen.parent, seen.start) == ("a) (b\\xff", "S", 3, 55)


@pytest.mark.parametrize("raw", [b"", b"7 (x) S 3", b"7 x S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 55 1 2"])
def test_a_malformed_stat_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        parse_stat(raw)


MOUNTS = rb"""
65 46 0:40 / /proc rw,nosuid - proc proc rw
67 66 0:41 /netns /run/netns rw,relatime shared:1 - tmpfs tmpfs rw,mode=755
266 66 0:4 net:[4026532556] /run/docker/netns/77dc3aacc98e rw - nsfs nsfs rw
68 67 0:4 net:[4026532249] /run/netns/inter\040net rw shared:2 - nsfs nsfs rw
69 67 0:4 net:[4026532249] /var/run/netns/inter\040net rw shared:2 - nsfs nsfs rw
70 67 0:4 mnt:[4026532250] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
71 67 0:4 net:[what] /run/netns/odd rw - nsfs nsfs rw
"""


def test_bound_namespaces_are_listed_once_names_first() -> None:
    assert parse_mountinfo(MOUNTS) == (
        NamespaceFile(path="/run/netns/inter net", inode=4026532249, name="inter net"),
        NamespaceFile(path="/run/docker/netns/77dc3aacc98e", inode=4026532556),
    )


def test_a_dot_in_a_devices_name_is_written_as_sysctl_does() -> None:
    assert dotted("ipv4/conf/eth0.10/rp_filter") == "net.ipv4.conf.eth0/10.rp_filter"
    assert dotted("bridge/bridge-nf-call-iptables") == "net.bridge.bridge-nf-call-iptables"


def test_the_peers_index_is_found_among_other_statistics() -> None:
    names = b"".join(name.ljust(32, b"\0") for name in (b"rx_drops", b"peer_ifindex", b"peer_ifindex_x"))
    assert parse_peer_ifindex(names, struct.pack("=3Q", 7, 16, 9)) == 16
    assert parse_peer_ifindex(names, struct.pack("=3Q", 7, 0, 9)) is None
    assert parse_peer_ifindex(names, struct.pack("=Q", 7)) is None
    assert parse_peer_ifindex(b"", b"") is None


@pytest.mark.parametrize("odd", ["\udcff", "\ud800x", "a\udcc3", "grün", "plain"])
def test_whatever_was_read_can_be_written_as_json(odd: str) -> None:
    assert msgspec.json.decode(msgspec.json.encode(storable(odd))) == storable(odd)


def test_the_same_bytes_are_spelt_the_same_however_they_were_read() -> None:
    raw = b"veth\xff\xc3"
    assert storable(raw.decode("utf-8", "surrogateescape")) == text(raw) == "veth\\xff\\xc3"
    assert storable("grün") == text("grün".encode() + b"\0") == "grün"
