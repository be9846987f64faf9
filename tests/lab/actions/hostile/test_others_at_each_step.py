"""Somebody else's rule that comes at any step of a change: it stays, and undo takes back the rest exactly.

``DNET_KILLS=all`` tries every moment; otherwise each run takes every fourth,
another fourth with each commit.
"""

from __future__ import annotations

import itertools

import pytest

from lab.actions.test_fix_and_undo import picture, undo
from lab.actions.test_kills_and_pairs import ACTIONS, STRIDE, prepared
from lab.machines.hosts import DemoHost, python_argv
from lab.sampling import commits

_CHANGED_AT = """
import os, subprocess, sys
from dnet_tui.actions.journal import journal
from dnet_tui.tui import main

left, words = int(sys.argv[1]), sys.argv[2].split()
sync = os.fsync

def fsync(descriptor):
    global left
    sync(descriptor)
    left -= 1
    if left == 0:
        subprocess.run(words, check=True)
        print("SOMEBODY WAS HERE", flush=True)

os.fsync = fsync
sys.argv = ["dnet-tui", *sys.argv[3:], "--yes"]
main.main()
"""
"""Has somebody else put a rule in when the journal has been synced for the Nth time."""

_KILLED_THERE = _CHANGED_AT.replace("print(", "os.kill(os.getpid(), 9)  # print(")
"""The same, and dnet-tui is killed then."""

RULES = {
    "forward": ("filter", "FORWARD", "-s 203.0.113.9/32 -j DROP"),
    "postrouting": ("nat", "POSTROUTING", "-s 203.0.113.9/32 -j ACCEPT"),
}

pytestmark = pytest.mark.timeout(1800 if STRIDE == 1 else 300)


@pytest.mark.parametrize("theirs", RULES)
@pytest.mark.parametrize("action", ["create", "rm", "publish", "route"])
def test_a_rule_that_comes_between_two_steps(demo_host: DemoHost, action: str, theirs: str) -> None:
    prepared(demo_host, action)
    table, chain, spec = RULES[theirs]
    insert = f"iptables-nft -t {table} -I {chain} 1 {spec}"
    demo_host.run(*insert.split())
    before = picture(demo_host)  # as it has to be in the end: with their rule, and nothing of ours
    assert f"-A {chain} {spec}" in before["rules"]
    delete = ("iptables-nft", "-t", table, "-D", chain, *spec.split())
    for moment in itertools.count(1 + commits() % STRIDE, STRIDE):
        demo_host.run(*delete)
        ran = demo_host.run(*python_argv(_CHANGED_AT), str(moment), insert, *ACTIONS[action], check=False)
        assert b"Traceback" not in ran.stderr, (moment, ran.stderr.decode())
        assert ran.returncode in (0, 1), (moment, ran.stderr.decode())
        if b"SOMEBODY WAS HERE" not in ran.stdout:
            demo_host.run(*insert.split())
        assert picture(demo_host)["rules"].count(f"-A {chain} {spec}") == 1, moment
        if ran.returncode == 0:
            undo(demo_host)
        assert picture(demo_host) == before, (moment, ran.stderr.decode())
        if b"SOMEBODY WAS HERE" not in ran.stdout:
            break  # it got through
    else:
        pytest.fail("it never got through")


@pytest.mark.parametrize("theirs", RULES)
def test_a_rule_that_comes_when_it_is_killed_is_not_taken_for_its_own(demo_host: DemoHost, theirs: str) -> None:
    table, chain, spec = RULES[theirs]
    insert = f"iptables-nft -t {table} -I {chain} 1 {spec}"
    demo_host.run(*insert.split())
    before = picture(demo_host)
    for moment in (7, 8, 9, 10):  # before and after the first rules are made
        demo_host.run("iptables-nft", "-t", table, "-D", chain, *spec.split())
        demo_host.run(*python_argv(_KILLED_THERE), str(moment), insert, *ACTIONS["route"], check=False)
        undone = demo_host.dnet("undo", "--yes")
        assert undone.returncode in (0, 2), undone.stderr.decode()
        assert picture(demo_host) == before, moment
