"""Ports of running containers, published by dnet-tui: shown by traffic, seen as healthy, taken back whole."""

from __future__ import annotations

import json
import subprocess

import pytest

from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS, DemoHost, LabHost, python_argv
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import Probe, Went, expect


def publish(host: LabHost, *arguments: str) -> str:
    ran = host.dnet("port", "publish", *arguments, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def refused(host: LabHost, *arguments: str) -> str:
    ran = host.dnet("port", "publish", *arguments, "--yes")
    assert ran.returncode == 2, ran.stdout.decode() + ran.stderr.decode()
    return ran.stderr.decode()


def shown(host: LabHost, port: int) -> list[tuple[str, str]]:
    rows = json.loads(host.dnet("ls", "ports", "--format", "json").stdout)
    rows = rows["ports"] if isinstance(rows, dict) else rows
    return [(row["container"], row["by"]) for row in rows if row["host_port"] == port]


def check(host: LabHost, container: str, neighbour: str, stranger: str, *, localhost: bool = True) -> None:
    """Publish port 80 of a container as 9090, send to it from everywhere, look at it, and take it back."""
    healthy = host.dnet("doctor").returncode
    before = picture(host)
    expect(host, {Probe("outside", UPLINK_ADDRESS, 9090, answers=container): Went.REFUSED})
    said = publish(host, container, "9090:80", *(("--localhost",) if localhost else ()))
    assert f"outside → port 9090: arrives at {container}, and the answer gets back" in said
    sources = ("outside", "host", neighbour, stranger, container)
    wanted = {Probe(source, UPLINK_ADDRESS, 9090, answers=container): Went.OK for source in sources}
    expect(host, wanted | {Probe("host", "127.0.0.1", 9090, answers=container): Went.OK if localhost else Went.REFUSED})
    assert shown(host, 9090) == [(container, "dnet-tui")]
    doctor = host.dnet("doctor", "--format", "json")
    assert doctor.returncode == healthy, doctor.stdout.decode()
    report = json.loads(doctor.stdout)
    assert "9090" not in json.dumps(report["findings"])
    assert [item["state"] for item in report["own_changes"]] == ["lost-at-reboot"]
    during = picture(host)
    stopped = host.dnet("port", "unpublish", container, "9090", "--yes")
    assert stopped.returncode == 0, stopped.stderr.decode()
    expect(host, {Probe("outside", UPLINK_ADDRESS, 9090, answers=container): Went.REFUSED})
    assert shown(host, 9090) == []
    undo(host)
    assert picture(host) == during
    undo(host)
    assert picture(host) == before


def test_a_plain_namespaces_port(demo_host: DemoHost) -> None:
    check(demo_host, "api", "web", "db")


@pytest.mark.parametrize("localhost", [False, True])
def test_a_containers_port_beside_docker_s_own(any_docker: DockerHost, *, localhost: bool) -> None:
    check(any_docker, "app1", "app2", "db", localhost=localhost)


def test_a_port_outlives_a_restart_of_dockerd(docker_host: DockerHost) -> None:
    before = picture(docker_host)
    said = publish(docker_host, "app1", "9090:80", "--localhost")
    assert "a restart of Docker may put its isolation above these rules" in said
    sources = ("outside", "host", "app2", "app1")  # Docker 20 puts its isolation above DOCKER-USER when it restarts
    wanted = {Probe(source, UPLINK_ADDRESS, 9090, answers="app1"): Went.OK for source in sources}
    expect(docker_host, wanted)
    docker_host.restart_daemon()
    expect(docker_host, wanted)
    assert shown(docker_host, 9090) == [("app1", "dnet-tui")]
    undo(docker_host)
    expect(docker_host, {Probe("outside", UPLINK_ADDRESS, 9090, answers="app1"): Went.REFUSED})
    ours = [line for line in picture(docker_host)["rules"].splitlines() if "dnet-tui:" in line]
    assert ours == [line for line in before["rules"].splitlines() if "dnet-tui:" in line]


def test_both_families(docker28_host: DockerHost) -> None:
    before = picture(docker28_host)
    healthy = docker28_host.dnet("doctor").returncode
    publish(docker28_host, "six2", "9090:80")
    sources = ("six1", "six2", "host")
    expect(
        docker28_host,
        {Probe(name, "fd00:70::1", 9090, family="ip6", answers="six2"): Went.OK for name in sources}
        | {Probe(name, "10.70.0.1", 9090, answers="six2"): Went.OK for name in (*sources, "app1")},
    )
    assert shown(docker28_host, 9090) == [("six2", "dnet-tui")] * 2
    assert docker28_host.dnet("doctor").returncode == healthy
    undo(docker28_host)
    assert picture(docker28_host) == before


def test_a_containers_port_beside_netavark_s_own(podman_host: PodmanHost) -> None:
    check(podman_host, "app1", "app2", "web")


def test_udp_on_one_address(demo_host: DemoHost) -> None:
    said = publish(demo_host, "db", f"{UPLINK_ADDRESS}:5353:53/udp")
    assert "nobody listens on udp port 53 in db yet" in said or "arrives" in said
    assert shown(demo_host, 5353) == [("db", "dnet-tui")]
    rules = demo_host.rules()
    assert f"-A PREROUTING -d {UPLINK_ADDRESS}/32 -p udp" in rules
    undo(demo_host)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone", "9090:80"), "no container named gone"),
        (("web", "8080"), "not a port to publish"),
        (("web", "0:80"), "not a port to publish"),
        (("web", "192.0.2.77:9090:80"), "no address of this host"),
        (("web", "[::1]:9090:80"), "forwards nothing from ::1"),
        (("vault", "9090:80"), "no default route"),
        (("api", "9191:80"), "published already, for web port 80"),
        (("web", "9191:80"), "there is nothing to do"),
    ],
)
def test_what_can_not_be_published_is_said_and_changes_nothing(
    demo_host: DemoHost, arguments: tuple[str, str], words: str
) -> None:
    if arguments[1].startswith("9191"):
        publish(demo_host, "web", "9191:80")
    before = picture(demo_host)
    assert words in refused(demo_host, *arguments)
    assert picture(demo_host) == before


_LISTEN = """
import signal, socket
with socket.create_server(("0.0.0.0", 9292)):
    print("listening", flush=True)
    signal.pause()
"""


def test_a_port_that_a_program_of_the_host_holds_is_refused(demo_host: DemoHost) -> None:
    with demo_host.sandbox.popen(python_argv(_LISTEN), stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"listening\n"
            assert "is taken: python" in refused(demo_host, "web", "9292:80")
        finally:
            program.kill()
