"""The lab's hosts are what they say: healthy as built, broken by each fault as it claims, healed without trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.actions.demo.faults import FAULTS
from dnet_tui.actions.demo.topology import DEMO, rules
from lab.machines.cgroups import cgroup_folders
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE, OUTSIDE_SERVER6, UPLINK_ADDRESS6
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, LabHost
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import require_lab
from lab.packets.plans import (
    CLASSIC,
    CROSS,
    CROSS_ISOLATED,
    CROSS_OPEN,
    DOCKER_28,
    EGRESS,
    FROM_HOST,
    OK,
    OTHER_EGRESS,
    PODMAN,
    PUBLISHED,
    REFUSED,
    TIMEOUT,
    UNREACHABLE,
    Plan,
    plan_of,
)
from lab.packets.traffic import Probe, expect, went

DEMO_TRAFFIC = {
    EGRESS: OK,
    Probe("web", OUTSIDE_SERVER, 53, "udp"): OK,
    Probe("web", OUTSIDE_SERVER, proto="icmp"): OK,
    OTHER_EGRESS: OK,
    Probe("web", "api", 80): OK,
    Probe("web", "api", 53, "udp"): OK,
    Probe("web", "api", proto="icmp"): OK,
    Probe("web", "api", 81): REFUSED,
    Probe("web", "api", 81, "udp"): REFUSED,
    CROSS: TIMEOUT,
    Probe("web", "db", 53, "udp"): TIMEOUT,
    Probe("web", "db", proto="icmp"): TIMEOUT,
    Probe("web", "vault", 80): TIMEOUT,
    Probe("vault", OUTSIDE_SERVER, 80): UNREACHABLE,
    Probe("vault", OUTSIDE_SERVER, proto="icmp"): UNREACHABLE,
    FROM_HOST: OK,
    Probe("host", "vault", 80): OK,
    PUBLISHED: OK,
    Probe("outside", UPLINK_ADDRESS, 8081): REFUSED,
    Probe("outside", "web", 80): UNREACHABLE,
}

DOCKER_TRAFFIC = {
    EGRESS: OK,
    Probe("web", OUTSIDE_SERVER, 53, "udp"): OK,
    Probe("app1", OUTSIDE_SERVER, proto="icmp"): OK,
    OTHER_EGRESS: OK,
    Probe("app1", "app2", 80): OK,
    Probe("app1", "app2", proto="icmp"): OK,
    Probe("app1", "app2", 81): REFUSED,
    CROSS: TIMEOUT,
    Probe("app1", "db", proto="icmp"): TIMEOUT,
    Probe("quiet1", "quiet2", 80): TIMEOUT,
    Probe("quiet1", "quiet2", proto="icmp"): TIMEOUT,
    Probe("quiet1", OUTSIDE_SERVER, 80, answers="internet"): OK,
    Probe("app1", "vault", 80): TIMEOUT,
    Probe("joined", "127.0.0.1", 80, answers="web"): OK,
    Probe("hostmode", "web", 80): OK,
    Probe("none", OUTSIDE_SERVER, 80): UNREACHABLE,
    FROM_HOST: OK,
    Probe("host", "127.0.0.1", 8081, answers="web"): OK,
    PUBLISHED: OK,
    Probe("outside", UPLINK_ADDRESS, 8081): REFUSED,
    Probe("outside", "web", 80): UNREACHABLE,
}


MODES_TRAFFIC = {
    # routed: what is published is reached at the container's own address, from other networks too.
    Probe("outside", "routed", 80): OK,
    Probe("outside", "routed", proto="icmp"): OK,
    Probe("outside", "routed", 81): TIMEOUT,
    Probe("web", "routed", 80): OK,
    Probe("web", "routed", 81): TIMEOUT,
    Probe("routed", OUTSIDE_SERVER, 80, answers="internet"): OK,
    # nat-unprotected: every port of the container is reached from outside; published ones at the host's too.
    Probe("outside", "open", 80): OK,
    Probe("outside", "open", 81): REFUSED,
    Probe("outside", UPLINK_ADDRESS, 8060, answers="open"): OK,
    CROSS_OPEN: TIMEOUT,
    # nat: knowing the way is not enough.
    Probe("outside", "app1", 80): TIMEOUT,
    Probe("outside", "app1", proto="icmp"): TIMEOUT,
    # isolated: not even the host has an address there.
    Probe("sealed1", "sealed2", 80): OK,
    Probe("sealed1", OUTSIDE_SERVER, 80): UNREACHABLE,
    Probe("host", "sealed1", 80): TIMEOUT,
    # one container on two networks
    Probe("both", "app1", 80): OK,
    Probe("both", "db", 80): OK,
    Probe("app1", "both", 80): OK,
    Probe("both", OUTSIDE_SERVER, 80, answers="internet"): OK,
    # IPv6
    Probe("six1", "six2", 80): OK,
    Probe("six1", "six2", 80, family="ip6"): OK,
    Probe("six1", "six2", 81, family="ip6"): REFUSED,
    Probe("six1", "six2", proto="icmp", family="ip6"): OK,
    Probe("host", "six2", 80, family="ip6"): OK,
    Probe("six1", OUTSIDE_SERVER6, proto="icmp"): OK,
    Probe("outside", UPLINK_ADDRESS6, 8070, answers="six1"): OK,
    Probe("outside", UPLINK_ADDRESS, 8070, answers="six1"): OK,
    Probe("outside", "six1", 80, family="ip6"): UNREACHABLE,
}
"""What Docker has since 28 besides."""

PODMAN_TRAFFIC = {
    EGRESS: OK,
    Probe("web", OUTSIDE_SERVER, 53, "udp"): OK,
    Probe("app1", OUTSIDE_SERVER, proto="icmp"): OK,
    OTHER_EGRESS: OK,
    Probe("app1", "app2", 80): OK,
    Probe("app1", "app2", proto="icmp"): OK,
    Probe("app1", "app2", 81): REFUSED,
    CROSS: OK,
    Probe("app1", "iso1", 80): OK,
    CROSS_ISOLATED: TIMEOUT,
    Probe("iso1", "iso2", proto="icmp"): TIMEOUT,
    Probe("iso1", OUTSIDE_SERVER, 80, answers="internet"): OK,
    Probe("host", "vault", 80): OK,
    Probe("vault", OUTSIDE_SERVER, 80): UNREACHABLE,
    Probe("app1", "vault", 80): TIMEOUT,
    Probe("six1", "six2", 80): OK,
    Probe("six1", "six2", 80, family="ip6"): OK,
    Probe("six1", "six2", proto="icmp", family="ip6"): OK,
    Probe("host", "six2", 80, family="ip6"): OK,
    Probe("both", "app1", 80): OK,
    Probe("both", "db", 80): OK,
    Probe("joined", "127.0.0.1", 80, answers="web"): OK,
    Probe("hostmode", "web", 80): OK,
    Probe("none", OUTSIDE_SERVER, 80): UNREACHABLE,
    FROM_HOST: OK,
    Probe("host", "127.0.0.1", 8081, answers="web"): OK,
    PUBLISHED: OK,
    Probe("outside", UPLINK_ADDRESS, 8081): REFUSED,
    Probe("outside", "web", 80): UNREACHABLE,
}


def test_traffic_on_the_demo_host_is_as_its_networks_promise(demo_host: DemoHost) -> None:
    expect(demo_host, DEMO_TRAFFIC)


def test_traffic_on_a_docker_host_is_as_its_networks_promise(any_docker: DockerHost) -> None:
    expect(any_docker, DOCKER_TRAFFIC)


def test_gateway_modes_and_ipv6_of_newer_dockers_are_as_promised(docker28_host: DockerHost) -> None:
    if docker28_host.release < MODES_SINCE:
        pytest.skip(f"the newest Docker that runs here is {docker28_host.version}")
    expect(docker28_host, MODES_TRAFFIC)


def test_traffic_on_the_podman_host_is_as_its_networks_promise(podman_host: PodmanHost) -> None:
    expect(podman_host, PODMAN_TRAFFIC)


def test_an_internal_docker_network_reaches_nothing_outside(any_docker: DockerHost) -> None:
    # Docker 20.10 gives its containers a default route all the same, and drops their packets; later ones do not.
    assert went(any_docker, Probe("vault", OUTSIDE_SERVER, 80)) in (TIMEOUT, UNREACHABLE)


@pytest.fixture
def user_host() -> Iterator[DemoHost]:
    require_lab()
    with DemoHost.start(user=True) as host:
        yield host


def test_the_demo_host_works_in_a_user_namespace(user_host: DemoHost) -> None:
    expect(user_host, CLASSIC.healthy)
    assert user_host.run("readlink", "/proc/self/ns/user").stdout != _own_user_namespace()
    with user_host.fault("masq-missing"):
        expect(user_host, {**CLASSIC.healthy, EGRESS: TIMEOUT})


def _own_user_namespace() -> bytes:
    return str(Path("/proc/self/ns/user").readlink()).encode() + b"\n"


def test_a_wrong_answer_is_not_taken_for_ok(demo_host: DemoHost) -> None:
    with pytest.raises(AssertionError, match="wrong"):
        went(demo_host, Probe("host", "web", 80, answers="api"))


def test_an_expectation_that_fails_names_the_probe(demo_host: DemoHost) -> None:
    with pytest.raises(AssertionError, match=r"(?s)db.*wanted ok, went timeout"):
        expect(demo_host, {CROSS: OK, EGRESS: OK})


def test_the_kernel_has_the_rules_the_topology_renders(demo_host: DemoHost) -> None:
    rendered = [line.replace("[0:0]", "") for line in rules(DEMO).splitlines()]
    assert demo_host.rules().splitlines() == rendered


def test_the_engines_files_stay_on_the_private_host(docker_host: DockerHost, podman_host: PodmanHost) -> None:
    for host, place in ((docker_host, "/run/lab/docker"), (podman_host, "/run/lab/containers")):
        assert cgroup_folders(host.cgroup), "the containers' cgroups carry the lab's name"
        mounts = host.run("findmnt", "-n", "-o", "FSTYPE", "-T", place).stdout
        assert mounts.split() == [b"tmpfs"]


def test_the_newest_docker_is_newer_than_the_systems(docker_host: DockerHost, docker28_host: DockerHost) -> None:
    assert docker28_host.release >= docker_host.release
    assert str(docker28_host.engine.root) in docker28_host.run("which", "dockerd").stdout.decode()
    running = docker28_host.run("ps", "-ww", "-eo", "args").stdout.decode()
    assert f"{docker28_host.engine.root}/usr/sbin/docker-proxy -proto tcp" in running


def test_podmans_service_tells_what_its_command_line_tells(podman_service_host: PodmanHost) -> None:
    local = json.loads(podman_service_host.podman("ps", "--format=json"))
    remote = json.loads(podman_service_host.podman("--remote", "ps", "--format=json"))
    assert {item["Id"] for item in local} == {item["Id"] for item in remote}
    assert len(local) == len(podman_service_host.pids)


@pytest.mark.parametrize("plan", [CLASSIC, DOCKER_28, PODMAN])
def test_every_fault_has_its_traffic_stated(plan: Plan) -> None:
    assert set(plan.broken) == {fault.id for fault in FAULTS} - ({"user-chain-drop"} if plan is PODMAN else set())
    for fault in FAULTS:
        assert fault.breaks, fault.id
        for symptom in fault.breaks if fault.id in plan.broken else ():
            assert plan.symptoms[symptom] in plan.broken[fault.id], f"{fault.id} claims {symptom}"


@pytest.mark.parametrize("name", CLASSIC.broken)
def test_a_fault_breaks_the_demo_host_and_leaves_no_trace(demo_host: DemoHost, name: str) -> None:
    _break_and_heal(demo_host, name)


@pytest.mark.parametrize("name", CLASSIC.broken)
def test_a_fault_breaks_the_docker_host_and_leaves_no_trace(docker_host: DockerHost, name: str) -> None:
    _break_and_heal(docker_host, name)


@pytest.mark.parametrize("name", ["masq-missing", "isolation-missing", "drop-before-docker"])
def test_a_fault_in_the_rules_of_newer_dockers_breaks_them_and_leaves_no_trace(
    docker28_host: DockerHost, name: str
) -> None:
    _break_and_heal(docker28_host, name)


@pytest.mark.parametrize("name", PODMAN.broken)
def test_a_fault_breaks_the_podman_host_and_leaves_no_trace(podman_host: PodmanHost, name: str) -> None:
    _break_and_heal(podman_host, name)


def _break_and_heal(host: LabHost, name: str) -> None:
    plan = plan_of(host)
    rules_before, sysctls_before = host.rules(), host.sysctls()
    assert "net.ipv4.ip_forward = 1" in sysctls_before
    with host.fault(name):
        expect(host, {**plan.healthy, **plan.broken[name]})
    assert host.rules() == rules_before
    assert host.sysctls() == sysctls_before
    expect(host, plan.healthy)
