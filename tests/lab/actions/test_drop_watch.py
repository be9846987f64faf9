"""``capture --drops``: real packets that a rule drops, and a table that never outlives its command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnet_tui.tui.exit_codes import Exit
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost, dnet_argv
from lab.packets.traffic import Probe, went
from unit.builders.published import misfits

RULE = ["FORWARD", "-p", "icmp", "-j", "DROP"]


@contextmanager
def watching(host: DemoHost, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = dnet_argv("capture", "--drops", *arguments)
    pipe = subprocess.PIPE
    process = host.sandbox.popen(argv, stdout=pipe, stderr=pipe, environment=host.environment, new_session=True)
    with process:
        try:
            assert process.stderr
            first = process.stderr.readline().decode()
            assert first.startswith("watching what this host drops"), first + process.stderr.read().decode()
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def own_tables(host: DemoHost, *inside: str) -> list[str]:
    tables = host.run(*inside, "nft", "list", "tables").stdout.decode().splitlines()
    return [line for line in tables if "dnet_tui_drops" in line]


def test_a_dropped_packet_is_shown_with_its_rule_and_others_are_not(demo_host: DemoHost) -> None:
    demo_host.run("iptables-nft", "-I", *RULE)
    try:
        with watching(demo_host, "web", "--count", "1", "--duration", "60", "--format", "json") as process:
            assert len(own_tables(demo_host)) == 1
            went(demo_host, Probe("web", OUTSIDE_SERVER, port=80, answers="internet"))
            went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))
            out, err = process.communicate(timeout=90)
    finally:
        demo_host.run("iptables-nft", "-D", *RULE)
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert misfits("capture-drops", out) == []
    assert process.returncode == Exit.OK, err.decode()
    assert (row["proto"], row["src_name"], row["dst"]) == ("icmp", "web", OUTSIDE_SERVER)
    assert (row["dropped_in"], row["table"], row["chain"], row["number"]) == ("host", "filter", "FORWARD", 1)
    assert "1 packet dropped by filter FORWARD rule 1" in err.decode()
    assert own_tables(demo_host) == []


def test_a_packet_that_a_container_drops_itself_is_shown_with_the_container_s_rule(demo_host: DemoHost) -> None:
    inside = ["ip", "netns", "exec", "web", "iptables-nft"]
    rule = ["OUTPUT", "-p", "icmp", "-j", "DROP"]
    demo_host.run(*inside, "-I", *rule)
    try:
        with watching(demo_host, "web", "--count", "1", "--duration", "60", "--format", "json") as process:
            assert len(own_tables(demo_host, "ip", "netns", "exec", "web")) == 1
            went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))
            out, err = process.communicate(timeout=90)
    finally:
        demo_host.run(*inside, "-D", *rule)
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == Exit.OK, err.decode()
    assert (row["dropped_in"], row["table"], row["chain"], row["number"]) == ("web", "filter", "OUTPUT", 1)
    assert "1 packet dropped by filter OUTPUT rule 1" in err.decode()
    assert "(in web)" in err.decode()
    assert own_tables(demo_host, "ip", "netns", "exec", "web") == own_tables(demo_host) == []


def test_nothing_of_it_stays_when_it_is_killed(demo_host: DemoHost) -> None:
    with watching(demo_host, "web") as process:
        assert len(own_tables(demo_host)) == 1
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        process.wait(20)
    deadline = time.monotonic() + 60
    inside = "ip", "netns", "exec", "web"
    while (own_tables(demo_host) or own_tables(demo_host, *inside)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert own_tables(demo_host) == own_tables(demo_host, *inside) == []


def test_readonly_forbids_it(demo_host: DemoHost) -> None:
    done = demo_host.dnet("--readonly", "capture", "--drops", "web")
    assert done.returncode == Exit.USAGE
    assert own_tables(demo_host) == []
