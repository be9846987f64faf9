"""The doctor where somebody else filters too: firewalld, and what Docker's nftables backend leaves in iptables.

Neither firewalld nor Docker 29 is here.  Their rulesets are constructed (see ``zoo/constructed.py``) and loaded into a
real kernel; a process that is called firewalld sees a folder of settings of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from lab.diagnostics.test_doctor import doctor
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, LabHost, python_argv
from lab.machines.requirements import require_lab
from lab.packets.plans import EGRESS, FROM_HOST, OTHER_EGRESS, PUBLISHED
from lab.packets.traffic import Probe, Went, expect
from lab.zoo import constructed
from lab.zoo.constructed import BACK, FRONT, VAULT

OK, TIMEOUT, UNREACHABLE = Went.OK, Went.TIMEOUT, Went.UNREACHABLE
HEALTHY = {EGRESS: OK, PUBLISHED: OK, FROM_HOST: OK, OTHER_EGRESS: OK}

_FIREWALLD = """
import os, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/etc"], check=True)
os.makedirs("/etc/firewalld/zones")
for name, said in {files!r}.items():
    with open("/etc/firewalld/" + name, "w") as file:
        file.write(said)
with open("/proc/self/comm", "w") as file:
    file.write("firewalld")
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def firewalld(host: LabHost, files: Mapping[str, str]) -> Iterator[None]:
    """A process called firewalld, with these files below its own /etc/firewalld."""
    argv = ["unshare", "--mount", "--propagation=private", *python_argv(_FIREWALLD.format(files=dict(files)))]
    with host.sandbox.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.communicate()


def load(host: LabHost, *rulesets: str) -> None:
    """Load rulesets of nft."""
    for text in rulesets:
        host.run("nft", "-f", "-", stdin=text.encode())


def without_docker(host: LabHost) -> None:
    """Take the demo's iptables rules away."""
    for command in constructed.WITHOUT_DOCKER:
        host.run(*command.split())


def roots(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The serious findings that nothing else brought about."""
    return [
        (item["check"], item["severity"])
        for item in report["findings"]
        if item["severity"] != "info" and item["caused_by"] is None
    ]


def test_a_policy_that_docker_29_left_in_iptables_is_named_repaired_and_the_repair_undone(demo_host: DemoHost) -> None:
    without_docker(demo_host)
    load(demo_host, constructed.native_docker())
    expect(demo_host, HEALTHY)
    demo_host.run("iptables-nft", "-P", "FORWARD", "DROP")
    broken = {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, FROM_HOST: OK, OTHER_EGRESS: TIMEOUT}
    expect(demo_host, broken)
    rules = demo_host.rules()
    _, report = doctor(demo_host)
    assert roots(report) == [("nftmode-iptables-drop", "error")]

    fixed = demo_host.dnet("fix", "nftmode-iptables-drop", "--yes")
    assert fixed.returncode == 0, fixed.stderr.decode() + fixed.stdout.decode()
    expect(demo_host, {**HEALTHY, Probe("web", "db", 80): TIMEOUT})
    code, report = doctor(demo_host)
    assert (code, report["findings"]) == (0, [])

    undone = demo_host.dnet("undo", "--yes")
    assert undone.returncode == 0, undone.stderr.decode() + undone.stdout.decode()
    assert demo_host.rules() == rules
    expect(demo_host, broken)


def test_a_bridge_that_firewalld_was_not_told_is_named(demo_host: DemoHost) -> None:
    load(demo_host, constructed.firewalld(BACK, VAULT))
    expect(demo_host, {EGRESS: UNREACHABLE, PUBLISHED: OK, FROM_HOST: OK, OTHER_EGRESS: OK})
    _, report = doctor(demo_host)
    assert roots(report) == [("zone-missing", "error")]
    assert report["findings"][0]["subject"]["name"] == FRONT


@contextmanager
def firewalld_rules(host: LabHost, ruleset: str) -> Iterator[None]:
    """The table of firewalld, on a host that others use too."""
    load(host, ruleset)
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "firewalld")


def bridges_of(host: LabHost) -> list[str]:
    """The names of the host's bridges."""
    spaces = [space for space in host.snapshot().namespaces if space.kind == "host"]
    return [link.name for space in spaces for link in space.links if link.kind == "bridge"]


@pytest.mark.docker
def test_ports_that_strict_forward_ports_refuses_are_named(docker_host: DockerHost) -> None:
    bridges = bridges_of(docker_host)
    with firewalld_rules(docker_host, constructed.firewalld(*bridges)):
        expect(docker_host, {EGRESS: OK, PUBLISHED: OK, FROM_HOST: OK})
        # What the zones keep from the host itself is firewalld's to decide: a word, no fault.
        assert [item for item in doctor(docker_host)[1]["findings"] if item["severity"] != "info"] == []
    with firewalld_rules(docker_host, constructed.firewalld(*bridges, strict=True)):
        expect(docker_host, {EGRESS: OK, PUBLISHED: UNREACHABLE, FROM_HOST: OK})
        _, report = doctor(docker_host)
        assert roots(report) == [("strict-fwd-ports", "warning")]
        steps = [step[-1] for step in report["findings"][0]["remedy"]["steps"]]
        web = docker_host.addresses["web"]
        assert f"--add-forward-port=port=8080:proto=tcp:toport=80:toaddr={web}" in steps


def test_a_running_firewalld_is_read_as_it_sees_its_own_files(demo_host: DemoHost) -> None:
    require_lab("unshare")
    files = {
        "firewalld.conf": "DefaultZone=work\nStrictForwardPorts=yes\n",
        "zones/acme.xml": f'<zone target="DROP"><interface name="{FRONT}"/><source address="192.0.2.0/24"/></zone>',
    }
    with firewalld(demo_host, files):
        found = demo_host.snapshot()
        assert found.firewalld is not None
        assert (found.firewalld.default_zone, found.firewalld.strict_forward_ports) == ("work", True)
        assert found.firewalld.zones_of(FRONT) == ("acme",)
        assert [gap for gap in found.gaps if gap.section == "firewalld"] == []
        code, report = doctor(demo_host)
        assert (code, report["findings"]) == (0, []), "it only runs: nothing of it is in anybody's way"
    assert demo_host.snapshot().firewalld is None


@pytest.mark.docker
def test_a_bridge_bound_to_another_zone_is_told_to_a_docker_that_works_with_firewalld(any_docker: DockerHost) -> None:
    with firewalld(any_docker, {"zones/trusted.xml": '<zone><interface name="docker0"/></zone>'}):
        _, report = doctor(any_docker)
        # Since 28.1 Docker says whether it does; before that it always did where one ran.
        expected = [("zone-conflict", "warning")] if any_docker.release < (28,) else []
        assert roots(report) == expected
    with firewalld(any_docker, {"zones/docker.xml": '<zone><interface name="docker0"/></zone>'}):
        code, report = doctor(any_docker)
        assert (code, report["findings"]) == (0, [])


@pytest.mark.docker
def test_a_reload_that_docker_did_not_hear_of_is_told_from_a_flush(docker_host: DockerHost) -> None:
    saved = docker_host.run("nft", "list", "ruleset").stdout
    with firewalld(docker_host, {}):
        docker_host.run("nft", "flush", "ruleset")
        try:
            assert roots(doctor(docker_host)[1]) == [("rules-flushed", "error")]
            load(docker_host, constructed.firewalld())
            report = json.loads(docker_host.dnet("doctor", "--format", "json").stdout)
            assert roots(report) == [("firewalld-reload", "error")]
        finally:
            docker_host.run("nft", "flush", "ruleset")
            docker_host.run("nft", "-f", "-", stdin=saved)
