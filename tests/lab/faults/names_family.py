"""The faults of names and proxies, as cases of the matrix: names really stop resolving, and resolve again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from lab.faults.machinery import Case, commanded
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE
from lab.machines.engine_host import EngineHost
from lab.machines.hosts import UPLINK_ADDRESS, LabHost, python_argv
from lab.machines.image import HTTPD, run_arguments
from lab.machines.names import NAME_SERVER, name_servers
from lab.machines.podman_host import PodmanHost
from lab.packets.plans import OK, REFUSED, TIMEOUT, Traffic
from lab.packets.traffic import Probe, Went, expect, went

_ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 5353))
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(500)
    sock.sendto(data, peer)
"""

SOME_NAME = "name.example"
EMBEDDED = "127.0.0.11"
EXTRA = "extra"
"""The container that some cases start for themselves."""

FLUSHES_SINCE = (23, 0)
"""Docker's releases that delete the tracked connections to a UDP port when they publish it."""

_PROXIED, _ECHOED = 8091, 5353
_PATIENCE = 10.0
"""Seconds that a container which was started anew gets to be there again."""

APP_NAMES = Probe("app1", EMBEDDED, 53, "dns", answers=SOME_NAME)
EXTRA_NAMES = Probe(EXTRA, EMBEDDED, 53, "dns", answers=SOME_NAME)
PODMAN_NAMES = Probe("app1", "10.110.0.1", 53, "dns", answers=SOME_NAME)
OLD_CLIENT = Probe("outside", UPLINK_ADDRESS, _ECHOED, "udp", sport=40001)
NEW_CLIENT = Probe("outside", UPLINK_ADDRESS, _ECHOED, "udp")
LOCAL_PORT = Probe("host", "127.0.0.1", _PROXIED, answers=EXTRA)


@contextmanager
def extra_container(host: LabHost, *options: str, ready: Probe | None = None) -> Iterator[None]:
    """Run one more container, which a repair may restart; with ``ready`` wait until that probe passes."""
    assert isinstance(host, EngineHost)
    client, cgroup = ("podman", host.cgroup) if isinstance(host, PodmanHost) else ("docker", "")
    host.run(client, *run_arguments(EXTRA, options, HTTPD, cgroup=cgroup))
    host.restless.add(EXTRA)
    try:
        if ready is not None:
            until(host, ready, Went.OK)
        yield
    finally:
        host.restless.discard(EXTRA)
        host.pids.pop(EXTRA, None)
        host.run(client, "rm", "--force", "--volumes", EXTRA)


def until(host: LabHost, probe: Probe, wanted: Went) -> None:
    """Wait until a probe goes as wanted."""
    deadline = time.monotonic() + _PATIENCE
    while went(host, probe) is not wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    expect(host, {probe: wanted})


def _around(
    probe: Probe, inner: Callable[[LabHost], AbstractContextManager[None]]
) -> Callable[..., AbstractContextManager[None]]:
    """Put a fault in between two proofs that names resolve."""

    @contextmanager
    def both(host: LabHost) -> Iterator[None]:
        expect(host, {probe: OK})
        with inner(host):
            yield
        until(host, probe, OK)

    return both


def _questions_dropped(host: LabHost) -> AbstractContextManager[None]:
    words = ("OUTPUT", "-p", "udp", "-m", "udp", "--dport", "53", "-j", "DROP")
    return commanded(host, [("iptables-nft", "-w", "-I", *words)], [("iptables-nft", "-w", "-D", *words)])


@contextmanager
def _unled(host: LabHost) -> Iterator[None]:
    with extra_container(host, "--network=app", ready=EXTRA_NAMES):
        host.run(*host.enter(EXTRA), "nft", "flush", "ruleset")
        yield


@contextmanager
def _nameless(host: LabHost) -> Iterator[None]:
    assert isinstance(host, EngineHost)
    name_servers(host)
    try:
        with extra_container(host, "--network=app"):
            name_servers(host, NAME_SERVER)
            yield
    finally:
        name_servers(host, NAME_SERVER)


@contextmanager
def _proxy_gone(host: LabHost) -> Iterator[None]:
    with extra_container(host, f"--publish={_PROXIED}:80", ready=LOCAL_PORT):
        pids = [item.pid for item in host.snapshot().proxies if item.host_port == _PROXIED]
        assert pids
        host.run("kill", "-KILL", *map(str, pids))
        until(host, LOCAL_PORT, Went.REFUSED)
        yield


@contextmanager
def _held_client(host: LabHost) -> Iterator[None]:
    """A client sends from one port before it is published, and goes on to."""
    expect(host, {OLD_CLIENT: REFUSED})
    with extra_container(host, f"--publish={_ECHOED}:{_ECHOED}/udp"):
        argv = [*host.enter(EXTRA), *python_argv(_ECHO)]
        echo = host.sandbox.popen(argv, stdout=subprocess.PIPE, new_session=True)
        try:
            assert echo.stdout is not None
            echo.stdout.readline()
            expect(host, {NEW_CLIENT: OK})
            yield
        finally:
            os.killpg(echo.pid, signal.SIGKILL)
            echo.communicate()


def _captured(host: LabHost) -> AbstractContextManager[None]:
    words = ("PREROUTING", "-p", "udp", "-m", "udp", "--dport", "53", "-m", "addrtype", "--dst-type", "LOCAL")
    target = ("-j", "DNAT", "--to-destination", f"{host.addresses['web']}:53")
    head = ("iptables-nft", "-w", "-t", "nat")
    return commanded(host, [(*head, "-I", *words, *target)], [(*head, "-D", *words, *target)])


def _asks_from_the_host(host: LabHost) -> str:
    if isinstance(host, DockerHost):
        return "" if host.release >= MODES_SINCE else "its resolver asks from the containers, and doesn't say whom"
    return "only Docker's own resolver asks from the host, and nobody else besides"


def _docker_only(host: LabHost) -> str:
    return "" if isinstance(host, DockerHost) else "only Docker has a resolver within containers, and proxies"


def _notes_servers(host: LabHost) -> str:
    if isinstance(host, DockerHost):
        return "" if host.release >= MODES_SINCE else "it puts in public servers, and doesn't write down whom it asks"
    return _docker_only(host)


def _podman_only(host: LabHost) -> str:
    return "" if isinstance(host, PodmanHost) else "only Podman's name server is on the bridge"


def _proxies_serve(host: LabHost) -> str:
    if isinstance(host, DockerHost):
        return "its proxy serves the clients that no rule leads on"
    return "" if isinstance(host, PodmanHost) else "nobody states which ports are published on a host without an engine"


def _flushes(host: LabHost) -> str:
    since = isinstance(host, DockerHost) and host.release >= FLUSHES_SINCE
    return "it forgets the connections to a UDP port that it publishes" if since else ""


def _only(probe: Probe, how: Went) -> Callable[[LabHost], Traffic]:
    return lambda _: {probe: how}


HELD_CLIENT = Case(
    id="udp-stale-ct",
    put=_held_client,
    traffic=_only(OLD_CLIENT, TIMEOUT),
    cured=_only(OLD_CLIENT, OK),
    cannot=_flushes,
    passes=True,
)
"""Where nobody serves what no rule leads on: Podman's conmon only holds the port, a dockerd without proxies too."""

NAMES: tuple[Case, ...] = (
    Case(
        id="dns-upstream",
        put=_around(APP_NAMES, _questions_dropped),
        # A question that may not leave fails at once, and is answered so.
        traffic=_only(APP_NAMES, REFUSED),
        cured=_only(APP_NAMES, OK),
        cannot=_asks_from_the_host,
    ),
    Case(
        id="dns-nat-gone",
        put=_unled,
        traffic=_only(EXTRA_NAMES, REFUSED),
        cured=_only(EXTRA_NAMES, OK),
        cannot=_docker_only,
    ),
    Case(
        id="dns-none",
        put=_nameless,
        traffic=_only(EXTRA_NAMES, REFUSED),
        cured=_only(EXTRA_NAMES, OK),
        cannot=_notes_servers,
    ),
    Case(
        id="aardvark-conflict",
        put=_around(PODMAN_NAMES, _captured),
        traffic=_only(PODMAN_NAMES, REFUSED),
        cannot=_podman_only,
    ),
    replace(HELD_CLIENT, cannot=_proxies_serve),
    Case(
        id="proxy-mismatch",
        put=_proxy_gone,
        traffic=_only(LOCAL_PORT, REFUSED),
        cured=_only(LOCAL_PORT, OK),
        cannot=_docker_only,
    ),
)
"""In the order of the catalogue of faults."""
