"""A lab host whose Docker is a swarm of one node: overlay networks, the ingress sandbox, a service.

IPVS, which leads from a service's virtual address to its tasks, isn't in
every kernel: without it nobody answers there, and the rest works.
"""

from __future__ import annotations

import time

from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS
from lab.machines.image import HTTPD, IMAGE, run_arguments

NETWORK, SUBNET = "ov", "10.77.0.0/24"
MEMBERS = ("ov1", "ov2")
SERVICE, PUBLISHED = "svc", 9090
_TASK_LIMIT = 60.0
_LEFT = "/run/docker/netns"


def begin_swarm(host: DockerHost) -> None:
    """Make a host a swarm with an overlay network, two containers in it, and a service with a published port."""
    host.docker("swarm", "init", f"--advertise-addr={UPLINK_ADDRESS}")
    host.docker("network", "create", "--driver=overlay", "--attachable", f"--subnet={SUBNET}", NETWORK)
    for name in MEMBERS:
        host.docker(*run_arguments(name, (f"--network={NETWORK}",), HTTPD))
        host.pids[name] = host.pid_of(name)
        address = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
        host.addresses[name] = host.docker("inspect", f"--format={address}", name)
    service = ("service", "create", "--detach", "--no-resolve-image", f"--name={SERVICE}", f"--network={NETWORK}")
    host.docker(*service, f"--publish={PUBLISHED}:80", IMAGE, *HTTPD)
    deadline = time.monotonic() + _TASK_LIMIT
    while "Running" not in (said := host.docker("service", "ps", SERVICE, "--format={{.CurrentState}} {{.Error}}")):
        if time.monotonic() > deadline:
            raise ActionFailedError(f"the service did not start: {said}")
        time.sleep(0.2)  # nothing tells when a task has started


def inside(host: DockerHost, *command: str) -> str:
    """Run a command inside of the overlay network's own namespace, and return what it printed."""
    network = host.docker("network", "inspect", "--format={{.Id}}", NETWORK)
    names = host.run("ls", _LEFT).stdout.decode().split()
    name = next(item for item in names if item.partition("-")[2] == network[:10])
    return host.run("nsenter", f"--net={_LEFT}/{name}", *command).stdout.decode()


def end_swarm(host: DockerHost) -> None:
    """Leave the swarm: what it made in namespaces of its own goes with it."""
    host.docker("service", "rm", SERVICE)
    host.docker("rm", "--force", *MEMBERS)
    host.docker("swarm", "leave", "--force")
