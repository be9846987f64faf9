"""What may not be looked into: said with the true reason, and decided by the evidence of what could be seen."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from dnet_tui.actions.demo.topology import DEMO
from lab.machines.hosts import DemoHost, dnet_argv
from lab.machines.nobody import NOBODY, program_open_to_all

WITHOUT_ADMIN = ("setpriv", "--bounding-set=-sys_admin")
WITHOUT_PTRACE = ("setpriv", "--bounding-set=-sys_ptrace")
WITHOUT_BOTH = ("setpriv", "--bounding-set=-sys_admin,-sys_ptrace")
BRIDGE = DEMO.nets[0].bridge


class Told(NamedTuple):
    """What the doctor said: its exit code, verdict and findings, and the gaps by section, each a scope and reason."""

    code: int
    verdict: str
    found: list[str]
    gaps: dict[str, list[tuple[str, str]]]
    outcomes: dict[str, str]

    def reasons(self, section: str) -> str:
        return "\n".join(reason for _, reason in self.gaps.get(section, []))


def doctor(host: DemoHost, *prefix: str) -> Told:
    ran = host.run(*prefix, *dnet_argv("doctor", "--format", "json"), check=False)
    report = json.loads(ran.stdout)
    gaps: dict[str, list[tuple[str, str]]] = {}
    for gap in report["gaps"]:
        gaps.setdefault(gap["section"], []).append((gap["scope"], gap["reason"]))
    outcomes = {item["id"]: item["outcome"] for item in report["checks"]}
    found = sorted({item["check"] for item in report["findings"]})
    return Told(ran.returncode, report["summary"]["verdict"], found, gaps, outcomes)


@contextmanager
def no_default_route(host: DemoHost, name: str) -> Iterator[None]:
    """A container without its default route, which the doctor finds where it may look."""
    route = f"default via {DEMO.nets[0].router} dev eth0".split()
    host.run("ip", "-n", name, "route", "del", "default")
    try:
        yield
    finally:
        host.run("ip", "-n", name, "route", "add", *route)


@pytest.mark.parametrize("prefix", [WITHOUT_ADMIN, WITHOUT_BOTH], ids=["sys_admin", "both"])
def test_without_the_right_to_enter_namespaces_nothing_is_called_healthy(
    demo_host: DemoHost, prefix: tuple[str, ...]
) -> None:
    with no_default_route(demo_host, "web"):
        assert "ctr-no-gw" in doctor(demo_host).found, "the fault is there to be found"
        told = doctor(demo_host, *prefix)
    assert (told.code, told.verdict) == (3, "incomplete")
    assert told.outcomes["ctr-no-gw"] == "unknown"
    assert told.outcomes["kernel-not-rebooted"] == "ok", "which no container has to do with"
    assert "veth-web" in told.reasons("namespaces")
    assert "CAP_SYS_ADMIN is missing, though this is root" in told.reasons("namespaces")


def test_without_the_right_to_look_into_processes_named_namespaces_decide_all_the_same(demo_host: DemoHost) -> None:
    told = doctor(demo_host, *WITHOUT_PTRACE)
    assert (told.code, told.verdict) == (0, "healthy")
    assert "CAP_SYS_PTRACE is missing, though this is root" in told.reasons("processes")
    assert "every link leads to what was read" in told.reasons("processes")
    assert set(told.gaps) == {"processes"}
    with no_default_route(demo_host, "web"):
        broken = doctor(demo_host, *WITHOUT_PTRACE)
    assert (broken.code, broken.found) == (1, ["ctr-no-gw"])


@contextmanager
def held_by_a_process(host: DemoHost) -> Iterator[int]:
    """A namespace on the first bridge that nothing but a process holds; yields its PID."""
    command = ["unshare", "--net", "sh", "-c", "echo $$ > /run/held.pid; exec sleep 1000"]
    running = host.sandbox.popen(command)
    try:
        for _ in range(200):
            told = host.run("cat", "/run/held.pid", check=False).stdout.strip()
            if told:
                break
            time.sleep(0.02)
        host.run(*f"ip link add vheld type veth peer name eth0 netns {int(told)}".split())
        host.run(*f"ip link set vheld master {BRIDGE} up".split())
        yield int(told)
    finally:
        host.run("kill", told.decode())
        running.wait(10)
        host.run("rm", "/run/held.pid")


def test_without_it_a_bridges_port_that_leads_into_such_a_process_is_unknown(demo_host: DemoHost) -> None:
    with held_by_a_process(demo_host) as pid:
        assert doctor(demo_host).code == 0
        told = doctor(demo_host, *WITHOUT_PTRACE)
    assert (told.code, told.verdict) == (3, "incomplete")
    reason = told.reasons("namespaces")
    assert reason.startswith("vheld leads to a namespace that could not be found: not permitted to look into")
    assert f"({pid})" in reason or "more: CAP_SYS_PTRACE is missing" in reason


def test_nobody_learns_what_only_root_sees(demo_host: DemoHost) -> None:
    with program_open_to_all(demo_host):
        told = doctor(demo_host, *NOBODY)
    assert (told.code, told.verdict) == (3, "incomplete")
    assert "CAP_SYS_ADMIN is missing, which root has" in told.reasons("namespaces")
    assert "no permission to read them" in told.reasons("firewall")


@pytest.fixture
def hiding(demo_host: DemoHost) -> Iterator[DemoHost]:
    """A host whose /proc hides other users' processes."""
    demo_host.run("mount", "-o", "remount,hidepid=2", "/proc")
    yield demo_host
    demo_host.run("mount", "-o", "remount,hidepid=0", "/proc")


def test_a_proc_that_hides_processes_is_told(hiding: DemoHost) -> None:
    with program_open_to_all(hiding):
        told = doctor(hiding, *NOBODY)
    assert (told.code, told.verdict) == (3, "incomplete")
    assert "/proc hides processes here (hidepid=" in told.reasons("processes")


def test_root_is_not_bothered_by_a_proc_that_hides_processes(hiding: DemoHost) -> None:
    told = doctor(hiding)
    assert (told.code, told.gaps) == (0, {})


@pytest.fixture
def ghost(demo_host: DemoHost) -> Iterator[str]:
    """A namespace on the first bridge that nothing but its name holds."""
    demo_host.run("ip", "netns", "add", "ghost")
    demo_host.run(*["ip", "link", "add", "vghost", "type", "veth", "peer", "name", "eth0", "netns", "ghost"])
    demo_host.run(*f"ip link set vghost master {BRIDGE} up".split())
    yield "/run/netns/ghost"
    demo_host.run("ip", "netns", "del", "ghost")


def test_a_named_namespace_under_another_mount_is_told_as_that(demo_host: DemoHost, ghost: str) -> None:
    assert doctor(demo_host).code == 0, "while its file leads there it is read"
    demo_host.run("mount", "--bind", "/dev/null", ghost)
    told = doctor(demo_host)
    demo_host.run("umount", ghost)
    assert (told.code, told.verdict) == (3, "incomplete")
    assert f"its file {ghost} is covered by another mount" in told.reasons("namespaces")
    assert "vghost leads to" in told.reasons("namespaces")


def test_a_folder_of_names_under_another_mount_is_told_as_that(demo_host: DemoHost, ghost: str) -> None:
    demo_host.run("mount", "-t", "tmpfs", "none", "/run/netns")
    told = doctor(demo_host)
    demo_host.run("umount", "/run/netns")
    assert told.code == 3
    assert f"its file {ghost} is covered by another mount" in told.reasons("namespaces")
    assert "veth-web" not in told.reasons("namespaces"), "a process leads into that one"


def test_a_covered_name_of_a_namespace_that_a_process_leads_into_takes_nothing_away(demo_host: DemoHost) -> None:
    demo_host.run("mount", "--bind", "/dev/null", "/run/netns/web")
    told = doctor(demo_host)
    demo_host.run("umount", "/run/netns/web")
    assert (told.code, told.gaps) == (0, {})


def test_a_plain_file_among_the_names_is_no_namespace_and_hides_none(demo_host: DemoHost) -> None:
    demo_host.run("touch", "/run/netns/plain")
    demo_host.run("mkfifo", "/run/netns/pipe")
    told = doctor(demo_host)
    demo_host.run("rm", "/run/netns/plain", "/run/netns/pipe")
    assert (told.code, told.verdict) == (0, "healthy")
    assert "/run/netns/plain is an ordinary file: no namespace is bound to it" in told.reasons("namespace-files")


def test_a_covered_name_that_nothing_leads_to_takes_nothing_away(demo_host: DemoHost) -> None:
    demo_host.run("ip", "netns", "add", "lonely")
    demo_host.run("mount", "--bind", "/dev/null", "/run/netns/lonely")
    told = doctor(demo_host)
    demo_host.run("umount", "/run/netns/lonely")
    demo_host.run("ip", "netns", "del", "lonely")
    assert (told.code, told.verdict) == (0, "healthy")
    assert "/run/netns/lonely is covered by another mount" in told.reasons("namespaces")


def test_a_name_that_is_no_text_is_entered_all_the_same(demo_host: DemoHost) -> None:
    script = r"""
name=$(printf 'odd\377')
ip netns add "$name"
ip link add vodd type veth peer name eth0 netns "$name"
ip link set vodd master "$1" up
"""
    demo_host.run("sh", "-ec", script, "sh", BRIDGE)
    told = doctor(demo_host)
    listed = json.loads(demo_host.run(*dnet_argv("ls", "veths", "--format", "json")).stdout)
    demo_host.run("sh", "-c", r"""ip netns del "$(printf 'odd\377')" """)
    assert (told.code, told.gaps) == (0, {})
    assert next(row["peer"]["owner"] for row in listed if row["name"] == "vodd") == "odd\\xff"


@pytest.fixture
def confined_host() -> Iterator[DemoHost]:
    """A host in a user namespace of its own, where a process of the machine's root may not be looked into."""
    with DemoHost.start(user=True) as host:
        argv = ["nsenter", "-t", str(host.sandbox.pid), "--pid", "--net", "--", "sleep", "1000"]
        foreign = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        time.sleep(0.3)
        yield host
        foreign.kill()
        foreign.wait(10)


def test_one_process_that_root_may_not_look_into_does_not_taint_everything(confined_host: DemoHost) -> None:
    told = doctor(confined_host)
    assert (told.code, told.verdict) == (0, "healthy")
    assert "not permitted to look into process" in told.reasons("processes")
    with no_default_route(confined_host, "web"):
        assert doctor(confined_host).found == ["ctr-no-gw"]
