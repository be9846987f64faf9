"""A disk that is full from some moment of a change on: what was made is taken back, or stands and is undone later.

``DNET_KILLS=all`` tries every moment; otherwise each run takes every fourth,
another fourth with each commit.
"""

from __future__ import annotations

import itertools
import json

import pytest

from lab.actions.test_fix_and_undo import picture
from lab.actions.test_kills_and_pairs import ACTIONS, STRIDE, prepared, standing
from lab.machines.hosts import DemoHost, python_argv
from lab.sampling import commits

_FULL_AT = """
import os, sys
from dnet_tui.actions.journal import journal
from dnet_tui.tui import main

left = int(sys.argv[1])
sync = os.fsync

def fsync(descriptor):
    global left
    sync(descriptor)
    left -= 1
    if left == 0:
        with open("/mnt/fill", "wb", buffering=0) as fill:
            try:
                while True:
                    fill.write(bytes(4096))
            except OSError:
                pass

os.fsync = fsync
sys.argv = ["dnet-tui", *sys.argv[2:], "--yes"]
main.main()
"""
"""Fills the disk, for good, when the journal has been synced for the Nth time."""

pytestmark = pytest.mark.timeout(1800 if STRIDE == 1 else 300)

CHANGES = ("create", "rm", "publish", "route", "connect", "fix")


@pytest.mark.parametrize("action", CHANGES)
def test_a_disk_that_is_full_from_some_moment_on(demo_host: DemoHost, action: str) -> None:
    demo_host.run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", "/mnt")
    demo_host.environment["DNET_TUI_STATE"] = "/mnt/dnet-tui"
    prepared(demo_host, action)
    entries = len(json.loads(demo_host.dnet("journal", "--format", "json").stdout))
    before = picture(demo_host)
    for moment in itertools.count(1 + commits() % STRIDE, STRIDE):
        ran = demo_host.run(*python_argv(_FULL_AT), str(moment), *ACTIONS[action], check=False)
        filled = demo_host.run("test", "-e", "/mnt/fill", check=False).returncode == 0
        assert b"Traceback" not in ran.stderr, (moment, ran.stderr.decode())
        assert ran.returncode in (0, 1), (moment, ran.stderr.decode())
        if ran.returncode == 1 and filled:
            assert b"No space left" in ran.stdout + ran.stderr, (moment, ran.stderr.decode())
            # What `fix` made before the finding at which the disk was full stands.
            assert action == "fix" or picture(demo_host) == before, (moment, ran.stderr.decode())
        for _ in range(4):  # `fix` may have made several entries
            journal = json.loads(demo_host.dnet("journal", "--format", "json").stdout)[entries:]
            if all(entry["status"] == "undone" or not standing(entry) for entry in journal):
                break
            undone = demo_host.dnet("undo", "--yes")
            assert undone.returncode == 0, (moment, undone.stderr.decode())
        assert picture(demo_host) == before, moment
        demo_host.run("rm", "-f", "/mnt/fill")
        if not filled:
            break  # it got through
    else:
        pytest.fail("it never got through")
