"""Which Podman is asked: only one that has been at work, with the options it works with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dnet_tui.inspect.engines.podman import stores
from dnet_tui.inspect.kernel.cgroups import CgroupContainer
from dnet_tui.inspect.kernel.procfs import ProcessSeen

PODMAN = (
    *("--root", "/srv/containers", "--runroot", "/run/containers/storage", "--log-level", "warning"),
    *("--cgroup-manager", "cgroupfs", "--tmpdir", "/run/libpod", "--network-config-dir", ""),
    *("--network-backend", "netavark", "--transient-store=false", "--storage-opt", "a=b", "--storage-opt", "c=d"),
    *("--syslog", "container", "cleanup", "--root", "abc"),
)
"""The arguments by which conmon is to call podman; what comes after the first word that is no option isn't one."""

CONMON = (
    *("/usr/bin/conmon", "--api-version", "1", "-c", "abc", "-r", "/usr/bin/runc", "-n", "web"),
    *("--runtime-arg", "--log-format=json", "--exit-command", "/usr/bin/podman"),
    *(word for argument in PODMAN for word in ("--exit-command-arg", argument)),
)

NEAR = stores.read_spaces("self")


def conmon(pid: int, *, name: str = "conmon", container: str = "") -> ProcessSeen:
    inside = CgroupContainer(id=container, engine="docker") if container else None
    return ProcessSeen(pid=pid, parent=1, start=1, name=name, inode=1, container=inside)


def test_a_conmons_arguments_tell_podmans_global_options() -> None:
    assert stores.parse_options(CONMON) == (
        "--root=/srv/containers",
        "--runroot=/run/containers/storage",
        "--cgroup-manager=cgroupfs",
        "--tmpdir=/run/libpod",
        "--network-config-dir=",
        "--network-backend=netavark",
        "--transient-store=false",
        "--storage-opt=a=b",
        "--storage-opt=c=d",
    )


def test_a_conmon_of_another_program_tells_none() -> None:
    assert stores.parse_options(("conmon", "-c", "abc", "--exit-dir", "/var/run/crio/exits")) == ()
    assert stores.parse_options(("conmon", "--exit-command-arg")) == ()
    assert stores.parse_options(()) == ()


def test_a_conmon_of_this_user_in_sight_is_believed() -> None:
    assert stores.is_believed(conmon(os.getpid()), NEAR)


def test_what_only_bears_the_name_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stores.is_believed(conmon(os.getpid(), name="conmonx"), NEAR)
    assert not stores.is_believed(conmon(os.getpid(), container="a" * 64), NEAR)
    assert not stores.is_believed(conmon(1 << 30), NEAR)
    for far in (stores.Spaces("", ""), stores.Spaces("pid:[1]", NEAR.mount)):
        assert not stores.is_believed(conmon(os.getpid()), far)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert not stores.is_believed(conmon(os.getpid()), NEAR)


def test_root_does_not_believe_a_process_with_mounts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = stores.Spaces(NEAR.pid, "mnt:[1]")
    monkeypatch.setattr(stores, "parse_uids", lambda _status: {os.geteuid()})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not stores.is_believed(conmon(os.getpid()), elsewhere)
    assert stores.is_believed(conmon(os.getpid()), NEAR)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert stores.is_believed(conmon(os.getpid()), elsewhere)


def test_a_process_that_runs_as_several_users_is_nobodys() -> None:
    assert stores.parse_uids(b"Name:\tconmon\nUid:\t1000\t0\t0\t0\nGid:\t0\t0\t0\t0\n") == {0, 1000}
    assert stores.parse_uids(b"Name:\tUid:\n") == set()


def test_each_store_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "is_believed", lambda *_: True)
    monkeypatch.setattr(stores, "read_argv", lambda pid: CONMON if pid < 3 else ())
    found = stores.find_stores([conmon(1), conmon(2), conmon(3)], {})
    assert [store.options[:1] for store in found] == [(), ("--root=/srv/containers",)]


def test_without_a_conmon_the_usual_store_counts_only_once_podman_ran(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    mark, settings, root = tmp_path / "alive", tmp_path / "storage.conf", tmp_path / "storage"
    monkeypatch.setattr(stores, "_MARK", str(mark))
    settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{root}"\n')
    environment = {"CONTAINERS_STORAGE_CONF": str(settings)}
    assert stores.find_stores([], environment) == ()
    mark.touch()
    assert stores.find_stores([], environment) == ()  # another store was at work: the usual one would be made
    (root / "libpod").mkdir(parents=True)
    assert stores.find_stores([], environment) == (stores.Store(),)
    mark.unlink()
    assert stores.find_stores([], environment) == ()


@pytest.mark.parametrize(
    ("raw", "root"),
    [
        (b'[storage]\ngraphroot = "/srv"\n', "/srv"),
        (b"[storage]\n", "/var/lib/containers/storage"),
        (b"storage = 1\n", "/var/lib/containers/storage"),
        (b"[storage", "/var/lib/containers/storage"),
        (b"\xff\xfe", "/var/lib/containers/storage"),
        (b"[storage]\ngraphroot = 7\n", "/var/lib/containers/storage"),
    ],
)
def test_the_stores_place_is_read_tolerantly(raw: bytes, root: str) -> None:
    assert stores.parse_graph_root(raw) == root
