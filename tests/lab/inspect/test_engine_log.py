"""Engines' logs, read from a real journal and from where a real daemon logs to."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, python_argv
from lab.machines.requirements import decline, require_lab

JOURNALD = ("/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald")
PATIENCE = 20.0

_SAY = """
import os, time
print('time="2026-11-21T03:45:50Z" level=error msg="x: all predefined address pools have been fully subnetted"')
print("this is process", os.getpid(), flush=True)
time.sleep(60)
"""
_READ = """
import json, sys
from dnet_tui.inspect.engines import read_log
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
read_log._init = lambda: "systemd"  # the private host's process 1 is another, its journal is its own all the same
pids = tuple(int(pid) for pid in sys.argv[1:])
logs = read_log.read_logs((read_log.LogSource(DOCKER.kind, DOCKER.log, pids),))
lines = logs.lines.get(DOCKER.kind)
told = None if lines is None else [line.kind for line in lines]
print(json.dumps({"docker": told, "gaps": [gap.reason for gap in logs.gaps]}))
"""


@contextmanager
def journal(host: DemoHost) -> Iterator[None]:
    """Run a journal of its own on a private host; it is kept in the host's own /run."""
    program = next((path for path in JOURNALD if Path(path).exists()), "")
    if not program:
        decline("systemd-journald isn't installed")
    host.run("mkdir", "-p", "/run/systemd/journal", "/run/log/journal")
    daemon = host.sandbox.popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while host.run("test", "-S", "/run/systemd/journal/stdout", check=False).returncode:
            assert daemon.poll() is None
            assert time.monotonic() < deadline, "the journal does not come up"
            time.sleep(0.1)
        yield
    finally:
        daemon.kill()
        daemon.wait()


def _read(host: DemoHost, *pids: str) -> dict[str, object]:
    result = host.run(*python_argv(_READ), *pids)
    told: dict[str, object] = json.loads(result.stdout)
    return told


def _pid(host: DemoHost) -> str:
    """The PID that the process which was started says it has, once the journal has it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = host.run("journalctl", "--quiet", "--output=cat", check=False).stdout.decode().splitlines()
        found = next((line.split()[-1] for line in lines if line.startswith("this is process ")), "")
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("the journal never had the process's words")


def test_a_daemons_own_entries_are_found_in_a_real_journal(demo_host: DemoHost) -> None:
    require_lab("journalctl", "systemd-cat", root=True)
    with journal(demo_host):
        daemon = demo_host.sandbox.popen(["systemd-cat", *python_argv(_SAY)], new_session=True)
        try:
            pid = _pid(demo_host)
            assert _read(demo_host, pid) == {"docker": ["pool-exhausted"], "gaps": []}
            assert _read(demo_host, "1") == {"docker": None, "gaps": []}
        finally:
            daemon.kill()
            daemon.wait()


def test_a_running_daemons_log_is_found_by_itself(docker_host: DockerHost) -> None:
    """It logs to an unnamed file here, which only the daemon knows."""
    (before,) = docker_host.snapshot().engines
    assert before.log is not None
    docker_host.docker("create", "--name=again", "--publish=8080:80", "lab/busybox:1", "sleep", "9")
    try:
        assert docker_host.run("docker", "start", "again", check=False).returncode != 0
        snapshot = docker_host.snapshot()
        assert snapshot.engines[0].log is not None
        assert [line.kind for line in snapshot.engines[0].log] == ["port-taken"]
        error = next(item.error for item in snapshot.containers if item.name == "again")
        assert error.endswith("port is already allocated")
        assert [gap for gap in snapshot.gaps if gap.section == "log"] == []
    finally:
        docker_host.docker("rm", "--force", "again")
