"""Docker 28 on a host without iptables: it starts only when it is told to write no rules; then ours are nftables'."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnet_tui.inspect.errors import ActionFailedError, DnetError
from lab.actions.private_etc import own_etc
from lab.actions.settled_bridges import bridges_settled
from lab.actions.test_fix_and_undo import undo
from lab.actions.test_publish import shown
from lab.actions.test_routes import no_other_host, other_host, seen_from
from lab.actions.test_without_iptables import changed, settled
from lab.machines.docker_engines import DockerEngine, newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS
from lab.machines.requirements import DOCKER_PROGRAMS, decline, require_lab
from lab.packets.traffic import Probe, Went, expect
from lab.releases.podman_engines import IPTABLES
from lab.sequences.docker_sequences import portrait
from lab.sequences.sequences import difference


class NativeDocker(DockerHost):
    """A host with Docker and without iptables."""

    native = True
    settings = "{}"

    def _start_daemon(self) -> None:
        self.run("mkdir", "/run/lab")
        for program in IPTABLES:
            self.run("mount", "--bind", "/dev/null", f"/usr/sbin/{program}")
        self.write("/run/lab/daemon.json", self.settings)
        self._run_daemon()


class RulelessDocker(NativeDocker):
    """The same, and Docker is told to write no rules."""

    settings = '{"iptables": false, "ip6tables": false}'


@pytest.fixture(scope="module")
def engine() -> DockerEngine:
    require_lab(*DOCKER_PROGRAMS, root=True)
    try:
        return newest_docker()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")


@pytest.fixture(scope="module")
def host(engine: DockerEngine) -> Iterator[DockerHost]:
    with RulelessDocker.start(engine) as made:
        own_etc(made)
        bridges_settled(made)
        yield made


def test_it_does_not_start_by_itself(engine: DockerEngine) -> None:
    with pytest.raises(ActionFailedError, match="iptables not found"):
        NativeDocker.start(engine)


@pytest.mark.parametrize("localhost", [False, True])
def test_a_port(host: DockerHost, *, localhost: bool) -> None:
    before, order = portrait(host), host.run("nft", "-s", "list", "ruleset").stdout
    said = changed(host, "port", "publish", "app1", "9090:80", *(("--localhost",) if localhost else ()))
    assert "outside → port 9090: arrives at app1, and the answer gets back" in said
    assert "its isolation above" not in said
    wanted = {
        Probe(name, UPLINK_ADDRESS, 9090, answers="app1"): Went.OK for name in ("outside", "host", "app2", "db", "app1")
    }
    own = Probe("host", "127.0.0.1", 9090, answers="app1")
    expect(host, wanted | {own: Went.OK if localhost else Went.REFUSED})
    assert shown(host, 9090) == [("app1", "dnet-tui")]
    undo(host)
    assert difference(before, portrait(host)) == ""
    assert host.run("nft", "-s", "list", "ruleset").stdout == order


def test_a_port_in_ipv6(host: DockerHost) -> None:
    before = portrait(host)
    changed(host, "port", "publish", "six2", "9090:80")
    wanted = {Probe(name, "fd00:70::1", 9090, family="ip6", answers="six2"): Went.OK for name in ("six1", "host")}
    expect(host, wanted)
    undo(host)
    assert difference(before, portrait(host)) == ""


def test_a_plain_network_reaches_the_outside_and_is_kept_apart(host: DockerHost) -> None:
    before = portrait(host)
    subnets = ("--subnet", "10.77.0.0/24", "--subnet", "fd00:77::/64")
    changed(host, "net", "create", "red", "--engine", "linux", *subnets, "--namespace", "n1")
    settled(host, "n1")
    expect(
        host,
        {
            Probe("n1", OUTSIDE_SERVER, 80, answers="internet"): Went.OK,
            Probe("n1", host.addresses["app1"], 80, answers="app1"): Went.TIMEOUT,
            Probe("app1", "10.77.0.2", 80, answers="n1"): Went.TIMEOUT,
            Probe("six1", "fd00:77::2", 80, answers="n1", family="ip6"): Went.TIMEOUT,
        },
    )
    undo(host)
    assert difference(before, portrait(host)) == ""


def test_docker_makes_a_network_and_connects_a_container(host: DockerHost) -> None:
    before = portrait(host)
    changed(host, "net", "create", "green", "--engine", "docker", "--subnet", "10.78.0.0/24")
    changed(host, "net", "connect", "green", "app1")
    expect(host, {Probe("host", host.addresses["app1"], 80, answers="app1"): Went.OK})
    undo(host)
    undo(host)
    assert difference(before, portrait(host)) == ""


def test_a_route_keeps_the_sources(host: DockerHost) -> None:
    before, subnets = portrait(host), ("10.10.0.0/24",)
    other_host(host, subnets)
    try:
        changed(host, "route", "add", "10.99.0.0/24", "via", "203.0.113.1")
        assert seen_from(host, "app1") == host.addresses["app1"]
        undo(host)
    finally:
        no_other_host(host, subnets)
    assert difference(before, portrait(host)) == ""
