"""Real ufw and real firewalld beside a real Docker: healthy hosts, others' decisions, what breaks Docker's rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from lab.faults.machinery import differing, state
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import LabHost
from lab.machines.image import HTTPD, run_arguments
from lab.machines.managed_firewalls import Firewalld, Ufw, firewalld_started, install_ufw
from lab.machines.requirements import DOCKER_PROGRAMS, require_lab
from lab.packets.plans import EGRESS, FROM_HOST, OTHER_EGRESS, PUBLISHED
from lab.packets.traffic import Went, expect
from lab.zoo.engine_hosts import Configured, OwnRules

OK, TIMEOUT, REFUSED, UNREACHABLE = Went.OK, Went.TIMEOUT, Went.REFUSED, Went.UNREACHABLE
HEALTHY = {EGRESS: OK, PUBLISHED: OK, FROM_HOST: OK, OTHER_EGRESS: OK}


def report_of(host: LabHost) -> dict[str, Any]:
    """What the doctor says."""
    done = host.dnet("doctor", "--format", "json")
    assert done.stdout, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def roots(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Errors and warnings that nothing else brought about, the first one first: check, severity, owner."""
    return [
        (item["check"], item["severity"], (item["owner"] or {}).get("name", ""))
        for item in report["findings"]
        if item["severity"] != "info" and item["caused_by"] is None
    ]


def owners_of_notes(report: dict[str, Any]) -> set[str]:
    """The owners of the informations; the empty word for one without."""
    return {(item["owner"] or {}).get("name", "") for item in report["findings"] if item["severity"] == "info"}


def is_left_alone(host: LabHost) -> None:
    """Assert that a repair of everything changes nothing."""
    before = state(host)
    fixed = host.dnet("fix", "--yes")
    assert differing(before, state(host)) == [], fixed.stdout.decode()


# -- ufw -------------------------------------------------------------------------------------------

UFW_DOCKER = """
*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -m conntrack --ctstate INVALID -j DROP
-A DOCKER-USER -s 10.0.0.0/8 -j RETURN
-A DOCKER-USER -s 172.16.0.0/12 -j RETURN
-A DOCKER-USER -m conntrack --ctstate NEW -d 10.0.0.0/8 -j ufw-docker-logging-deny
-A DOCKER-USER -m conntrack --ctstate NEW -d 172.16.0.0/12 -j ufw-docker-logging-deny
-A DOCKER-USER -j RETURN
-A ufw-docker-logging-deny -j DROP
COMMIT
"""
"""What people add to after.rules so that ufw decides over published ports as well: new connections from outside."""


@pytest.fixture(scope="module")
def ufw_host() -> Iterator[tuple[DockerHost, Ufw]]:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with Configured.start() as host:
        ufw = install_ufw(host)
        ufw("--force", "enable")
        yield host, ufw


@pytest.mark.docker
def test_ufw_beside_docker_is_named_in_notes_only_before_and_after_a_reload(ufw_host: tuple[DockerHost, Ufw]) -> None:
    host, ufw = ufw_host
    for policy in ("DROP", "REJECT", "DROP"):  # Docker's rules come before ufw's: neither keeps anything from it
        ufw.forward_policy(policy)
        ufw("reload")
        expect(host, HEALTHY)
        report = report_of(host)
        assert roots(report) == []
        assert owners_of_notes(report) == {"ufw"}


@pytest.mark.docker
def test_ports_that_are_reached_past_ufw_are_told_until_ufw_lets_them_in(ufw_host: tuple[DockerHost, Ufw]) -> None:
    host, ufw = ufw_host
    expect(host, HEALTHY)
    past = [item for item in report_of(host)["findings"] if item["check"] == "past-firewall"]
    assert [(item["severity"], item["owner"]["name"]) for item in past] == [("info", "ufw")]
    assert "8080/tcp" in past[0]["summary"]
    is_left_alone(host)
    ufw("allow", "8080/tcp")
    try:
        assert not [item for item in report_of(host)["findings"] if item["check"] == "past-firewall"]
    finally:
        ufw("delete", "allow", "8080/tcp")


@pytest.mark.docker
def test_what_ufw_denies_above_docker_is_ufws_and_left_alone(ufw_host: tuple[DockerHost, Ufw]) -> None:
    host, ufw = ufw_host
    path = f"{ufw.root}/etc/ufw/after.rules"
    usual = host.run("cat", path).stdout.decode()
    host.write(path, usual + UFW_DOCKER)
    ufw("reload")
    expect(host, {**HEALTHY, PUBLISHED: TIMEOUT})
    assert roots(report_of(host)) == [("policy-drop", "warning", "ufw")]
    is_left_alone(host)

    port = ("allow", "proto", "tcp", "to", host.addresses["web"], "port", "80")
    ufw("route", *port)
    expect(host, HEALTHY)
    assert roots(report_of(host)) == []

    one = ("deny", "from", host.addresses["web"])
    ufw("route", "prepend", *one)
    expect(host, {EGRESS: TIMEOUT, OTHER_EGRESS: OK})
    found = report_of(host)
    assert roots(found) == []
    denied = [item for item in found["findings"] if item["check"] == "policy-drop" and "web" in item["summary"]]
    assert [(item["severity"], item["owner"]["name"]) for item in denied] == [("info", "ufw")]
    is_left_alone(host)
    ufw("route", "delete", *one)

    all_of = ("reject", "in", "on", "docker0", "out", "on", "eth0")
    ufw("route", "prepend", *all_of)
    expect(host, {EGRESS: REFUSED, OTHER_EGRESS: OK})
    assert roots(report_of(host)) == [("policy-drop", "warning", "ufw")]
    is_left_alone(host)
    ufw("route", "delete", *all_of)
    ufw("route", "delete", *port)

    host.write(path, usual)
    host.run("iptables", "-F", "DOCKER-USER")
    ufw("reload")
    expect(host, HEALTHY)


@pytest.mark.docker
def test_a_reload_of_ufw_that_empties_the_built_in_chains_is_one_cause(ufw_host: tuple[DockerHost, Ufw]) -> None:
    host, ufw = ufw_host
    saved = host.run("iptables-save").stdout
    host.run("sed", "-i", "s/^MANAGE_BUILTINS=.*/MANAGE_BUILTINS=yes/", f"{ufw.root}/etc/default/ufw")
    ufw("reload")
    try:
        expect(host, {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT, FROM_HOST: OK})
        report = report_of(host)
        # It is ufw's policy that drops, for want of Docker's rules.
        assert roots(report) == [("rules-flushed", "error", "ufw")]
        assert "leads to the firewall rules of docker" in report["findings"][0]["summary"]
        assert report["findings"][0]["remedy"]["steps"] == [["systemctl", "restart", "docker"]]
        is_left_alone(host)
    finally:
        host.run("sed", "-i", "s/^MANAGE_BUILTINS=.*/MANAGE_BUILTINS=no/", f"{ufw.root}/etc/default/ufw")
        host.run("iptables-restore", stdin=saved)
    expect(host, HEALTHY)
    assert roots(report_of(host)) == []


@pytest.mark.docker
def test_a_docker_without_rules_under_ufws_forward_policy() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with OwnRules.start() as host:
        ufw = install_ufw(host)
        ufw("--force", "enable")
        expect(host, {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT})
        report = report_of(host)
        assert [check for check, _, _ in roots(report)] == ["iptables-false"]
        assert report["findings"][0]["owner"]["name"] == "ufw"
        is_left_alone(host)

        ufw.forward_policy("ACCEPT")
        ufw("reload")
        # docker-proxy takes published ports as a program of the host: ufw's INPUT decides over them.
        expect(host, {EGRESS: OK, OTHER_EGRESS: OK, PUBLISHED: TIMEOUT})
        report = report_of(host)
        assert roots(report) == []
        kept = [item for item in report["findings"] if item["check"] == "input-drop"]
        assert [(item["owner"]["name"], "the outside" in item["summary"]) for item in kept] == [("ufw", True)]

        ufw("allow", "8080/tcp")
        expect(host, {EGRESS: OK, OTHER_EGRESS: OK, PUBLISHED: OK})
        assert roots(report_of(host)) == []


# -- firewalld -------------------------------------------------------------------------------------


@dataclass
class WithFirewalld(Configured):
    """A Docker that was started after firewalld, and hears of nothing that it does, as without a bus."""

    backend: ClassVar[str] = "iptables"
    strict: ClassVar[bool] = False
    manager: Firewalld | None = field(default=None, init=False)

    def _start_daemon(self) -> None:
        self.manager = firewalld_started(self, self.backend, strict=self.strict)
        super()._start_daemon()

    def stop(self) -> None:
        """End firewalld, then the host."""
        if self.manager is not None:
            self.manager.process.communicate()
        super().stop()

    def __call__(self, *words: str) -> None:
        """Ask firewalld for something."""
        assert self.manager is not None
        self.manager(*words)


class OverNftables(WithFirewalld):
    """With firewalld's table of its own, whose rejects come after everybody's accepts."""

    backend = "nftables"


class Strict(OverNftables):
    """One that lets in only what it translated itself."""

    strict = True


@pytest.mark.docker
def test_ports_that_a_strict_firewalld_was_not_told_of() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with Strict.start() as host:
        for link in ("docker0", "br-app", "br-db", "br-quiet"):
            host("zone", "docker", link)
        host("zone", "public", "eth0")
        expect(host, {**HEALTHY, PUBLISHED: UNREACHABLE})
        report = report_of(host)
        assert roots(report) == [("strict-fwd-ports", "warning", "firewalld")]
        web = host.addresses["web"]
        port = f"port=8080:proto=tcp:toport=80:toaddr={web}"
        assert [f"--add-forward-port={port}"] == [step[-1] for step in report["findings"][0]["remedy"]["steps"]]
        is_left_alone(host)
        for step in report["findings"][0]["remedy"]["steps"]:
            host(*step)
        expect(host, HEALTHY)
        assert roots(report_of(host)) == []


@pytest.mark.docker
def test_firewalld_with_its_iptables_backend_beside_docker() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with WithFirewalld.start() as host:
        host("zone", "public", "eth0")
        host("zone", "docker", "docker0")
        expect(host, HEALTHY)
        report = report_of(host)
        assert roots(report) == []
        assert owners_of_notes(report) <= {"firewalld"}

        host("reload")
        expect(host, {EGRESS: REFUSED, PUBLISHED: REFUSED, OTHER_EGRESS: REFUSED, FROM_HOST: OK})
        assert [check for check, _, _ in roots(report_of(host))] == ["firewalld-reload"]
        is_left_alone(host)


@pytest.mark.docker
def test_firewalld_with_its_own_table_beside_docker() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with OverNftables.start() as host:
        expect(host, {EGRESS: UNREACHABLE, PUBLISHED: OK, OTHER_EGRESS: UNREACHABLE})
        assert set(roots(report_of(host))) == {("zone-missing", "error", "firewalld")}

        for link in ("docker0", "br-app", "br-db"):
            host("zone", "docker", link)
        host("zone", "work", "eth0")
        expect(host, HEALTHY)
        report = report_of(host)
        assert roots(report) == []
        assert owners_of_notes(report) <= {"firewalld"}

        host("leave", "docker", "docker0")
        expect(host, {EGRESS: UNREACHABLE, PUBLISHED: OK, OTHER_EGRESS: OK})
        report = report_of(host)
        assert roots(report) == [("zone-missing", "error", "firewalld")]
        assert report["findings"][0]["remedy"]["steps"] == [
            ["firewall-cmd", "--zone=docker", "--add-interface=docker0"]
        ]
        host(*report["findings"][0]["remedy"]["steps"][0])
        expect(host, HEALTHY)

        host("direct", "FORWARD", "-s", host.addresses["web"], "-j", "DROP")
        expect(host, {EGRESS: TIMEOUT, OTHER_EGRESS: OK})
        report = report_of(host)
        assert roots(report) == []
        assert [item["owner"]["kind"] for item in report["findings"] if item["check"] == "policy-drop"] == [
            "administrator"
        ]
        is_left_alone(host)

        host("reload")  # direct rules are in use: iptables' chains are flushed too
        expect(host, {EGRESS: TIMEOUT, PUBLISHED: UNREACHABLE, OTHER_EGRESS: TIMEOUT, FROM_HOST: OK})
        assert [check for check, _, _ in roots(report_of(host))] == ["firewalld-reload"]
        is_left_alone(host)


# -- a network with icc=false in a zone ------------------------------------------------------------

_QUIET = (
    "--subnet=10.30.0.0/24",
    "--opt=com.docker.network.bridge.name=br-still",
    "--opt=com.docker.network.bridge.enable_icc=false",
    "still",
)
_CALLS = "import socket; socket.create_connection(('{}', 80), 3)"


@pytest.mark.docker
@pytest.mark.parametrize(("kind", "reached"), [(WithFirewalld, True), (OverNftables, False)])
def test_a_zone_that_accepts_before_dockers_drop_opens_a_network_with_icc_off(
    kind: type[WithFirewalld], *, reached: bool
) -> None:
    """Docker appends that drop: in one table with firewalld's accept it is never reached, in two both decide."""
    require_lab(*DOCKER_PROGRAMS, root=True)
    with kind.start() as host:
        host.docker("network", "create", *_QUIET)
        for name in ("still1", "still2"):
            host.docker(*run_arguments(name, ("--network=still",), HTTPD))
        for link in ("docker0", "br-app", "br-db", "br-still"):
            host("zone", "docker", link)
        told = host.docker("inspect", "--format={{.NetworkSettings.Networks.still.IPAddress}}", "still2").strip()
        inside = ("nsenter", "-t", str(host.pid_of("still1")), "-n", "/usr/bin/python3", "-c", _CALLS.format(told))
        assert (host.run(*inside, check=False).returncode == 0) is reached
        found = [item for item in report_of(host)["findings"] if item["severity"] != "info"]
        assert [(item["check"], "still" in item["summary"]) for item in found] == (
            [("isolation-missing", True)] if reached else []
        )
        is_left_alone(host)  # firewalld's accept is firewalld's
