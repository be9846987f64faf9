"""Hosts that change between the question and the answer: by another dnet-tui, or by anybody else."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

from lab.actions.test_fix_and_undo import forward_texts, picture, undo
from lab.machines.hosts import DemoHost, LabHost, python_argv

_CREATE = """
import subprocess, sys
from dnet_tui.tui import main
from dnet_tui.tui.commands.host_changes import carry_out

asked, most, happens = [], int(sys.argv[1]), sys.argv[2:]

def ask(question, *, yes):
    asked.append(question)
    if len(asked) == 1:
        subprocess.run(happens, check=True)
    return len(asked) <= most

carry_out.ask = ask
sys.argv = ["dnet-tui", "net", "create", "side", "--engine", "linux", "--yes"]
try:
    main.main()
finally:
    print("asked", len(asked), flush=True)
"""


def create_while(host: LabHost, *happens: str, yes: int = 9) -> str:
    """Create a network while something happens between question and answer; ``yes`` to so many questions."""
    ran = host.run(*python_argv(_CREATE), str(yes), *happens, check=False)
    return ran.stdout.decode() + ran.stderr.decode()


def addresses(host: LabHost) -> dict[str, str]:
    links = json.loads(host.run("ip", "-j", "-4", "address").stdout)
    return {
        link["ifname"]: f"{ip['local']}/{ip['prefixlen']}"
        for link in links
        for ip in link["addr_info"]
        if link["ifname"].startswith("br-")
    }


def test_rules_stay_below_docker_user_whatever_is_inserted_meanwhile(demo_host: DemoHost) -> None:
    assert forward_texts(demo_host)[0] == "-j DOCKER-USER"
    said = create_while(demo_host, "iptables-nft", "-I", "FORWARD", "1", "-s", "203.0.113.9/32", "-j", "DROP")
    assert "the plan was made anew" in said
    assert "asked 2" in said
    texts = forward_texts(demo_host)
    assert texts[:2] == ["-s 203.0.113.9/32 -j DROP", "-j DOCKER-USER"]
    assert texts[2].startswith("-i br-side")


def test_no_to_the_plan_made_anew_changes_nothing(demo_host: DemoHost) -> None:
    intruder = ("iptables-nft", "-I", "FORWARD", "1", "-s", "203.0.113.9/32", "-j", "DROP")
    demo_host.run(*intruder)
    before = picture(demo_host)
    demo_host.run("iptables-nft", "-D", "FORWARD", "1")
    said = create_while(demo_host, *intruder, yes=1)
    assert "left as it is" in said
    assert picture(demo_host) == before


def test_a_name_that_was_taken_meanwhile_is_said(demo_host: DemoHost) -> None:
    said = create_while(demo_host, "ip", "link", "add", "br-side", "type", "bridge")
    assert "asked 2" in said, said
    assert "br-side-1" in said, "another name for the bridge"


def test_two_networks_created_at_once_share_no_subnet_and_are_kept_apart(demo_host: DemoHost) -> None:
    before = picture(demo_host)
    names = ("left", "right")
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda name: demo_host.dnet("net", "create", name, "--engine", "linux", "--yes"), names))
    assert [ran.returncode for ran in runs] == [0, 0], [ran.stderr.decode() for ran in runs]
    made = addresses(demo_host)
    assert len({made["br-left"], made["br-right"]}) == 2
    texts = forward_texts(demo_host)
    assert {"-i br-left -o br-right -j DROP", "-i br-right -o br-left -j DROP"} <= set(texts)
    accepts = [number for number, text in enumerate(texts) if re.search(r"-i br-(left|right) ! -o \S+ -j ACCEPT", text)]
    assert texts.index("-i br-left -o br-right -j DROP") < min(accepts)
    assert texts.index("-i br-right -o br-left -j DROP") < min(accepts)
    undo(demo_host)
    undo(demo_host)
    assert picture(demo_host) == before
