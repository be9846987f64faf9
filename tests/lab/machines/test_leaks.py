"""The leak check notices what is planted, and a host leaves nothing however its owner ends."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dnet_tui.actions.demo.sandbox import inner_environment
from lab.actions.private_etc import own_etc
from lab.machines.cgroups import cgroup_folders, remove_cgroups
from lab.machines.hosts import LAB_VARIABLE, DemoHost, python_argv
from lab.machines.leaks import Census, census, left_behind
from lab.machines.requirements import decline, require_lab

TESTS = str(Path(__file__).parents[2])

OWNER = """
import sys, time
from lab.machines.hosts import DemoHost
host = DemoHost.start(environment={"DNET_LAB_ID": sys.argv[1]})
print(host.sandbox.pid, flush=True)
time.sleep(60)
"""
"""A program that starts a host and would keep it for a minute."""

PLANT = """
import json, subprocess
from lab.machines.leaks import census, left_behind
before = census("x")
assert left_behind(before, "x", limit=0) == []
subprocess.run(["ip", "netns", "add", "forgotten"], check=True)
subprocess.run(["ip", "link", "add", "br-forgotten", "type", "bridge"], check=True)
subprocess.run(["mkdir", "-p", "/etc/netns/forgotten"], check=True)
print(json.dumps(left_behind(before, "x", limit=0)))
"""
"""Plants a namespace, its settings and a link where it runs."""


@pytest.fixture
def other_id() -> str:
    """An id that the session's own leak check doesn't look for, to plant things under."""
    return f"planted-{secrets.token_hex(4)}"


def test_a_process_left_behind_is_noticed(other_id: str) -> None:
    before = census(other_id)
    with subprocess.Popen(["sleep", "30"], env={**os.environ, LAB_VARIABLE: other_id}) as process:
        found = left_behind(before, other_id, limit=0)
        process.kill()
    assert found == [f"processes: {process.pid} sleep 30"]
    assert left_behind(before, other_id) == []


def test_a_process_of_another_run_is_not_ours(other_id: str) -> None:
    before = census(other_id)
    with subprocess.Popen(["sleep", "30"], env={**os.environ, LAB_VARIABLE: other_id + "0"}) as process:
        found = left_behind(before, other_id, limit=0)
        process.kill()
    assert found == []


def test_a_file_left_behind_is_noticed(other_id: str) -> None:
    before = census(other_id)
    with tempfile.NamedTemporaryFile(prefix=f"dnet-lab-{other_id}") as file:
        assert left_behind(before, other_id, limit=0) == [f"files: {file.name}"]
    assert left_behind(before, other_id, limit=0) == []


def test_a_cgroup_left_behind_is_noticed_and_can_be_removed(other_id: str) -> None:
    require_lab(root=True)
    name = f"dnet-lab-{other_id}"
    home = next(path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if path.is_dir())
    if not os.access(home, os.W_OK):
        decline("no cgroup hierarchy can be written here")
    before = census(other_id)
    (home / name / "inner").mkdir(parents=True)
    try:
        assert left_behind(before, other_id, limit=0) == [f"cgroups: {home / name}"]
    finally:
        remove_cgroups(name)
    assert cgroup_folders(name) == []


def test_namespaces_their_settings_mounts_and_links_left_behind_are_noticed(demo_host: DemoHost) -> None:
    # Planted on a private host, never in the machine's own namespaces or its /etc.
    own_etc(demo_host)
    found = json.loads(demo_host.run("env", f"PYTHONPATH={_paths()}", *python_argv(PLANT)).stdout)
    names = ["namespaces: forgotten", "settings: forgotten", "links: br-forgotten"]
    assert found == ["mounts: nsfs on /run/netns/forgotten", *names]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_host_vanishes_with_its_owner(other_id: str, signum: signal.Signals) -> None:
    require_lab()
    before = census(other_id)
    environment = inner_environment({"PYTHONPATH": _paths()})
    with subprocess.Popen([*python_argv(OWNER), other_id], stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout is not None
        holder = int(owner.stdout.readline())
        assert _names(census(other_id), "init_process"), "the host is there"
        owner.send_signal(signum)
    assert left_behind(before, other_id, limit=10) == []
    assert not Path(f"/proc/{holder}").exists()


LEAKY = """
import os, subprocess
from lab.machines.hosts import LAB_ID, LAB_VARIABLE

def test_forgets_a_process():
    nowhere = subprocess.DEVNULL
    environment = {**os.environ, LAB_VARIABLE: LAB_ID}
    sleeper = subprocess.Popen(["sleep", "31"], stdout=nowhere, stderr=nowhere, env=environment)
    print("SLEEPER", sleeper.pid)
    sleeper.returncode = 0  # Python itself must not complain
"""
"""A test module that leaves something behind."""


def test_a_session_that_leaves_something_behind_fails(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    argv = [sys.executable, "-m", "pytest", "-p", "lab.conftest", "-c", os.devnull, "-s", "--rootdir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": _paths(), "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    result = subprocess.run([*argv, str(tmp_path)], capture_output=True, text=True, env=environment, check=False)
    sleeper = re.search(r"SLEEPER (\d+)", result.stdout)
    assert sleeper is not None, result.stdout
    os.kill(int(sleeper[1]), signal.SIGKILL)
    assert result.returncode == 1, result.stdout
    assert "1 passed, 1 error" in re.sub(r", \d+ warnings?", "", result.stdout)
    assert f"the lab left this behind:\nE         processes: {sleeper[1]} sleep 31" in result.stdout


def test_a_stopped_host_leaves_nothing(other_id: str) -> None:
    require_lab()
    before = census(other_id)
    with DemoHost.start(environment={LAB_VARIABLE: other_id}):
        assert _names(census(other_id), "service"), "its listeners run"
    assert left_behind(before, other_id, limit=0) == []


def _names(seen: Census, word: str) -> list[str]:
    return [process for process in seen.processes if word in process]


def _paths() -> str:
    return os.pathsep.join([TESTS, *(path for path in sys.path if path)])
