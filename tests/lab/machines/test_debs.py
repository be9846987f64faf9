"""Programs of another suite: downloaded once, no halves left behind, declined with a reason.  Needs no network."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from dnet_tui.inspect.errors import ActionFailedError, DnetError
from lab.machines import debs
from lab.machines.docker_engines import SYSTEM, DockerEngine


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dnet-tui-lab"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for apt and dpkg: serves version 1:28.5-1 of anything; collects the commands."""
    commands: list[list[str]] = []

    def run(work: Path, *argv: str) -> str:
        commands.append(list(argv))
        if "download" in argv:
            for package in argv[argv.index("download") + 1 :]:
                (work / f"{package}_1%3a28.5-1_amd64.deb").touch()
        if argv[:2] == ("dpkg", "-x"):
            (work / "root" / Path(argv[2]).name.partition("_")[0]).touch()
        return "1:28.5-1" if "-f" in argv else ""

    monkeypatch.setattr(debs, "_run", run)
    monkeypatch.setattr(debs, "mirror", lambda: "http://mirror.example/debian")
    return commands


def test_what_a_suite_serves_is_unpacked_under_its_version(cache: Path, served: list[list[str]]) -> None:
    folder = debs.unpacked("docker", "sid", ("docker.io", "containerd"))
    assert folder == cache / "docker-28.5-1"
    assert {item.name for item in folder.iterdir()} == {"docker.io", "containerd"}
    assert not list(cache.glob("partial-*"))
    assert len(served) == 5


def test_it_is_downloaded_only_once(cache: Path, served: list[list[str]]) -> None:
    first = debs.unpacked("docker", "sid", ("docker.io",))
    served.clear()
    assert debs.unpacked("docker", "sid", ("docker.io",)) == first
    assert not served
    debs.unpacked("docker", "stable", ("docker.io",))
    assert served, "another suite is another download"
    assert (cache / "docker-stable").resolve() == first, "which may well serve the same version"


def test_the_halves_of_a_killed_download_are_removed(cache: Path, served: list[list[str]]) -> None:
    (cache / "partial-killed" / "root").mkdir(parents=True)
    debs.unpacked("docker", "sid", ("docker.io",))
    assert served
    assert not list(cache.glob("partial-*"))


def test_a_download_that_fails_leaves_nothing_and_says_so(
    cache: Path, served: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, *argv: str) -> str:
        raise ActionFailedError(f"{argv[0]} failed: no route to host")

    monkeypatch.setattr(debs, "_run", fail)
    with pytest.raises(DnetError, match="no route to host"):
        debs.unpacked("docker", "sid", ("docker.io",))
    assert [item.name for item in cache.iterdir()] == ["lock"]
    assert not served


def test_only_debian_has_debians_packages(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    with pytest.raises(DnetError, match="only be had on Debian"):
        debs.unpacked("docker", "sid", ("docker.io",))
    assert not (cache / "docker-sid").exists()


def test_the_machines_hooks_and_lists_are_left_out(tmp_path: Path) -> None:
    text = debs._configuration(tmp_path)
    assert "#clear APT::Update::Post-Invoke;" in text
    assert f'Dir::State "{tmp_path}/state";' in text
    assert 'Dir::Etc::sourceparts "-";' in text


def test_an_unpacked_docker_comes_first_and_brings_its_own_proxy(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    engine = DockerEngine(tmp_path)
    assert engine.search_path.split(":")[:2] == [f"{tmp_path}/usr/bin", f"{tmp_path}/usr/sbin"]
    assert engine.daemon_options == (f"--userland-proxy-path={tmp_path}/usr/sbin/docker-proxy",)
    assert SYSTEM.daemon_options == ()


def test_programs_that_do_not_run_here_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "usr/bin"
    folder.mkdir(parents=True)
    for program in ("dockerd", "docker", "containerd"):
        (folder / program).write_text("#!/bin/sh\nexit 0\n")
        (folder / program).chmod(0o755)
    assert DockerEngine(tmp_path).runs
    (folder / "containerd").write_text("#!/bin/sh\necho 'GLIBC_2.99 not found' >&2\nexit 1\n")
    assert not DockerEngine(tmp_path).runs
