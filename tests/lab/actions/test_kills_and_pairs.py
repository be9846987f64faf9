"""Every changing command killed at each of its syncs, and pairs of them at once: nothing half-made stays.

``DNET_KILLS=all`` tries every moment and every pair; otherwise each run takes
every fourth, another fourth with each commit.
"""

from __future__ import annotations

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.actions import private_etc
from lab.actions.test_fix_and_undo import picture
from lab.actions.test_persist import files, own_etc
from lab.actions.test_without_iptables import without_iptables
from lab.machines.hosts import DemoHost, LabHost, dnet_argv, python_argv
from lab.sampling import commits
from lab.sequences.sequences import difference, portrait

_KILLED_AT = """
import os, sys
from dnet_tui.actions.journal import journal
from dnet_tui.tui import main

left = int(sys.argv[1])
sync = os.fsync

def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    sync(descriptor)

os.fsync = fsync
sys.argv = ["dnet-tui", *sys.argv[2:], "--yes"]
main.main()
"""
"""Kills itself when the journal is synced for the Nth time: before a change, or just after it."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "create": ("net", "create", "side", "--engine", "linux", "--subnet", "10.33.0.0/24", "--subnet", "fd00:33::/64"),
    "rm": ("net", "rm", "spare"),
    "publish": ("port", "publish", "api", "9090:80", "--localhost"),
    "route": ("route", "add", "10.60.0.0/24", "via", "203.0.113.1"),
    "connect": ("net", "connect", "spare", "guest"),
    "fix": ("fix",),
}
STRIDE = 1 if os.environ.get("DNET_KILLS") == "all" else 4
if STRIDE == 1:
    ACTIONS |= {"attach": ("net", "attach", "spare", "fresh"), "persist": ("persist",)}

NATIVE: dict[str, tuple[str, ...]] = {
    "create": ACTIONS["create"],
    "rm": ("net", "rm", "spare"),
    "publish": ACTIONS["publish"],
    "unpublish": ("port", "unpublish", "web", "9191"),
    "route": ACTIONS["route"],
}
"""The changes that make or delete tables of nftables on a host without iptables."""


def prepared(host: LabHost, action: str) -> None:
    """Put on the host what the action needs."""
    if action == "persist":
        own_etc(host)
    if action == "attach":
        private_etc.own_etc(host)
    if action in ("rm", "connect", "attach", "persist"):
        made = host.dnet("net", "create", "spare", "--engine", "linux", "--subnet", "10.44.0.0/24", "--yes")
        assert made.returncode == 0, made.stderr.decode()
    if action == "connect":
        host.run("ip", "netns", "add", "guest")
        host.run("ip", "-n", "guest", "link", "set", "lo", "up")
    if action == "fix":
        host.run("sysctl", "-w", "net.ipv4.ip_forward=0")
        host.run("iptables-nft", "-t", "nat", "-F", "POSTROUTING")


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_at_any_sync_the_undo_restores(demo_host: DemoHost, action: str) -> None:
    prepared(demo_host, action)
    entries = len(json.loads(demo_host.dnet("journal", "--format", "json").stdout))
    before, written = picture(demo_host), kept_files(demo_host, action)
    for moment in itertools.count(1 + commits() % STRIDE, STRIDE):
        ran = demo_host.run(*python_argv(_KILLED_AT), str(moment), *ACTIONS[action], check=False)
        for _ in range(4):  # `fix` may have made several entries
            journal = json.loads(demo_host.dnet("journal", "--format", "json").stdout)[entries:]
            if all(entry["status"] == "undone" or not standing(entry) for entry in journal):
                break
            undone = demo_host.dnet("undo", "--yes")
            assert undone.returncode == 0, (moment, undone.stderr.decode())
        assert (picture(demo_host), kept_files(demo_host, action)) == (before, written), moment
        if ran.returncode in (0, 1):
            break  # it got through
    else:
        pytest.fail("it never got through")


@pytest.mark.parametrize("action", NATIVE)
def test_killed_at_any_sync_a_table_of_nftables_is_restored(demo_host: DemoHost, action: str) -> None:
    without_iptables(demo_host)
    for words in (("net", "create", "spare", "--engine", "linux"), ("port", "publish", "web", "9191:80")):
        made = demo_host.dnet(*words, "--yes")
        assert made.returncode == 0, made.stderr.decode()
    if action == "rm":  # what is deleted stands last: then the order of the tables is restored too
        demo_host.dnet("port", "unpublish", "web", "9191", "--yes")
    before = portrait(demo_host)
    moments = 0
    for moment in itertools.count(1 + commits() % STRIDE, STRIDE):
        ran = demo_host.run(*python_argv(_KILLED_AT), str(moment), *NATIVE[action], check=False)
        undone = demo_host.dnet("undo", "--yes") if difference(before, portrait(demo_host)) else None
        assert undone is None or undone.returncode == 0, (moment, undone.stderr.decode())
        assert difference(before, portrait(demo_host)) == "", moment
        moments += 1
        if ran.returncode in (0, 1):
            break  # it got through
    assert moments > 1


def kept_files(host: LabHost, action: str) -> list[str]:
    """What is below /etc of what starts with the host; only looked for where it is the host's own."""
    return files(host) if action == "persist" else []


def standing(entry: dict[str, object]) -> bool:
    changes = entry["changes"]
    assert isinstance(changes, list)
    return any(change["before"] is not None and not change["taken_back"] for change in changes)


pytestmark = pytest.mark.timeout(1800 if STRIDE == 1 else 180)
"""Seconds for one action's whole row of kills: each takes two to four programs' starts."""

PAIRS = tuple(itertools.combinations(("create", "create2", "rm", "publish", "route", "fix", "undo"), 2))[
    commits() % STRIDE :: STRIDE
]
MORE: dict[str, tuple[str, ...]] = ACTIONS | {
    "create2": ("net", "create", "other", "--engine", "linux", "--subnet", "10.55.0.0/24"),
    "undo": ("undo",),
}


def result(host: LabHost) -> dict[str, object]:
    """What is there in the end, without what differs from host to host."""
    seen = picture(host)
    links = json.loads(host.run("ip", "-j", "link").stdout)
    return {
        "rules": sorted(seen["rules"].splitlines()),
        "addresses": seen["addresses"],
        "links": sorted(link["ifname"] for link in links),
        "sysctls": seen["sysctls"],
        "routes": sorted(host.run("ip", "route").stdout.decode().splitlines()),
    }


def after_both(one: str, two: str, *, at_once: bool) -> dict[str, object]:
    with DemoHost.start() as host:
        for action in {"rm", *({one, two} & {"fix"})}:
            prepared(host, action)
        commands = [dnet_argv(*MORE[action], "--yes") for action in (one, two)]
        if at_once:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda argv: host.run(*argv, check=False), commands))
        else:
            for argv in commands:
                host.run(*argv, check=False)
        return result(host)


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=["+".join(pair) for pair in PAIRS])
def test_two_at_once_end_as_one_after_the_other(one: str, two: str) -> None:
    serial = [after_both(one, two, at_once=False), after_both(two, one, at_once=False)]
    assert after_both(one, two, at_once=True) in serial
