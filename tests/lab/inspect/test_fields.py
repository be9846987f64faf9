"""What live hosts fill of the model: checks may rest on that, and on nothing that is never read."""

from __future__ import annotations

from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost
from lab.machines.podman_host import PodmanHost
from unit.builders.filled import filled
from unit.diagnostics.checks.cases.read_live import DEMO, DOCKER, PODMAN


def test_a_host_without_an_engine_fills_what_is_said_of_it(demo_host: DemoHost) -> None:
    assert filled(demo_host.snapshot()) >= DEMO


def test_a_docker_host_fills_what_is_said_of_it(docker_host: DockerHost) -> None:
    assert filled(docker_host.snapshot()) >= DOCKER


def test_a_podman_host_fills_what_is_said_of_it(podman_host: PodmanHost) -> None:
    assert filled(podman_host.snapshot()) >= PODMAN
