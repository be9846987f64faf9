"""Which iptables a daemon would run, found by its own PATH in its own file system."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from dnet_tui.inspect.engines.docker import daemon_programs
from dnet_tui.inspect.engines.docker.daemon_programs import DaemonProgram, find_iptables


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system with both backends' programs, as Debian lays them out."""
    monkeypatch.setattr(daemon_programs, "_search_path", lambda _: ["relative", "/opt/bin", "/sbin"])
    for folder in ("usr/sbin", "etc/alternatives", "opt/bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "sbin").symlink_to("usr/sbin")
    for kind in ("nft", "legacy"):
        program = tmp_path / f"usr/sbin/xtables-{kind}-multi"
        program.write_text("")
        program.chmod(0o755)
        (tmp_path / f"usr/sbin/iptables-{kind}").symlink_to(program.name)
    (tmp_path / "usr/sbin/iptables").symlink_to("/etc/alternatives/iptables")
    (tmp_path / "etc/alternatives/iptables").symlink_to("/usr/sbin/iptables-nft")
    return tmp_path


def test_links_are_followed_within_the_daemons_file_system(root: Path) -> None:
    assert find_iptables(1, str(root)) == DaemonProgram("/sbin/iptables", "iptables-nft")


def test_another_one_earlier_in_the_path_shadows_it(root: Path) -> None:
    (root / "opt/bin/iptables").symlink_to("../../usr/sbin/xtables-legacy-multi")
    assert find_iptables(1, str(root)) == DaemonProgram("/opt/bin/iptables", "iptables-legacy")


def test_a_script_serves_nobody_knows_which_backend(root: Path) -> None:
    script = root / "opt/bin/iptables"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert find_iptables(1, str(root)) == DaemonProgram("/opt/bin/iptables", "")


@pytest.mark.parametrize("broken", ["loop", "dangling", "not executable", "folder"])
def test_what_cannot_be_run_is_passed_over(root: Path, broken: str) -> None:
    place = root / "opt/bin/iptables"
    if broken == "loop":
        place.symlink_to("iptables")
    elif broken == "dangling":
        place.symlink_to("/usr/sbin/xtables-multi")
    elif broken == "folder":
        place.mkdir()
    else:
        place.write_text("")
    assert find_iptables(1, str(root)).path == "/sbin/iptables"


def test_the_path_comes_from_the_daemons_own_environment() -> None:
    environment = {"SECRET": "PATH=/no", "PATH": "/x:/y"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as child:
        expected = ["/x", "/y"]
        deadline = time.monotonic() + 60  # until it has begun to run, the process shows its parent's environment
        while (found := daemon_programs._search_path(child.pid)) != expected and time.monotonic() < deadline:
            time.sleep(0.01)
        assert found == expected
        child.communicate(b"\n")
    assert daemon_programs._search_path(child.pid) == []
