"""The lab's hosts are what they say: healthy as built, broken by each fault as it claims, healed without trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dnet_tui.actions.demo.faults import FAULTS
from dnet_tui.actions.demo.topology import DEMO, rules
from lab.docker_host import CGROUP, DockerHost, cgroup_folders
from lab.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, LabHost
from lab.requirements import require_lab
from lab.traffic import Probe, Went, expect, went

OK, REFUSED, TIMEOUT, UNREACHABLE = Went.OK, Went.REFUSED, Went.TIMEOUT, Went.UNREACHABLE

EGRESS = Probe("web", OUTSIDE_SERVER, 80, answers="internet")
PUBLISHED = Probe("outside", UPLINK_ADDRESS, 8080, answers="web")
CROSS = Probe("web", "db", 80)
OTHER_EGRESS = Probe("db", OUTSIDE_SERVER, 80, answers="internet")
FROM_HOST = Probe("host", "web", 80)

HEALTHY = {EGRESS: OK, PUBLISHED: OK, CROSS: TIMEOUT, OTHER_EGRESS: OK, FROM_HOST: OK}
"""The traffic that faults change, on either host: ``web`` is in the network they hit, ``db`` in another one."""

BROKEN: Mapping[str, dict[Probe, Went]] = {
    "ip-forward-off": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
    "fwd-off-bridge": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT},
    "fwd-off-uplink": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
    "masq-missing": {EGRESS: TIMEOUT},
    "isolation-missing": {CROSS: OK},
    "drop-before-docker": {EGRESS: REFUSED, PUBLISHED: REFUSED, OTHER_EGRESS: REFUSED, CROSS: REFUSED},
    "user-chain-drop": {EGRESS: TIMEOUT, PUBLISHED: TIMEOUT, OTHER_EGRESS: TIMEOUT},
}
"""What each fault changes; everything else must go on as before."""

SYMPTOMS = {"egress": EGRESS, "published": PUBLISHED, "exposure": CROSS}

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


def test_traffic_on_the_demo_host_is_as_its_networks_promise(demo_host: DemoHost) -> None:
    expect(demo_host, DEMO_TRAFFIC)


def test_traffic_on_the_docker_host_is_as_its_networks_promise(docker_host: DockerHost) -> None:
    expect(docker_host, DOCKER_TRAFFIC)


def test_an_internal_docker_network_reaches_nothing_outside(docker_host: DockerHost) -> None:
    # Docker 20.10 gives its containers a default route all the same, and drops their packets; later ones do not.
    assert went(docker_host, Probe("vault", OUTSIDE_SERVER, 80)) in (TIMEOUT, UNREACHABLE)


@pytest.fixture
def user_host() -> Iterator[DemoHost]:
    require_lab()
    with DemoHost.start(user=True) as host:
        yield host


def test_the_demo_host_works_in_a_user_namespace(user_host: DemoHost) -> None:
    expect(user_host, HEALTHY)
    assert user_host.run("readlink", "/proc/self/ns/user").stdout != _own_user_namespace()
    with user_host.fault("masq-missing"):
        expect(user_host, HEALTHY | {EGRESS: TIMEOUT})


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


def test_dockers_own_files_stay_on_the_private_host(docker_host: DockerHost) -> None:
    assert cgroup_folders(CGROUP), "the containers' cgroups carry the lab's name"
    mounts = docker_host.run("findmnt", "-n", "-o", "FSTYPE", "-T", "/run/lab/docker").stdout
    assert mounts.split() == [b"tmpfs"]


def test_every_fault_has_its_traffic_stated() -> None:
    assert set(BROKEN) == {fault.id for fault in FAULTS}
    for fault in FAULTS:
        assert fault.breaks, fault.id
        for symptom in fault.breaks:
            assert SYMPTOMS[symptom] in BROKEN[fault.id], f"{fault.id} claims {symptom}"


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_breaks_the_demo_host_and_leaves_no_trace(demo_host: DemoHost, name: str) -> None:
    _break_and_heal(demo_host, name)


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_breaks_the_docker_host_and_leaves_no_trace(docker_host: DockerHost, name: str) -> None:
    _break_and_heal(docker_host, name)


def _break_and_heal(host: LabHost, name: str) -> None:
    expect(host, HEALTHY)
    rules_before, sysctls_before = host.rules(), host.sysctls()
    assert "net.ipv4.ip_forward = 1" in sysctls_before
    with host.fault(name):
        expect(host, HEALTHY | BROKEN[name])
        assert (host.rules(), host.sysctls()) != (rules_before, sysctls_before)
    assert host.rules() == rules_before
    assert host.sysctls() == sysctls_before
    expect(host, HEALTHY)
