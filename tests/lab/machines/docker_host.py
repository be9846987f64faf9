"""A lab host with a real Docker: a dockerd in a private host, all kinds of networks and containers.

Image, volumes and sockets live on the private host's own tmpfs and vanish
with it; only the cgroup folders are the machine's, and are removed by name.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import ClassVar, Self

from dnet_tui.actions.demo.faults import FaultTarget
from dnet_tui.actions.demo.host import start_demo
from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.docker_engines import SYSTEM, DockerEngine
from lab.machines.docker_layout import JOINED, OUTSIDE_ADDRESS6, OUTSIDE_SERVER6, UPLINK_ADDRESS6, Layout, layout
from lab.machines.engine_host import READY_LIMIT, EngineHost, side_by_side
from lab.machines.hosts import LAB_ID, LAB_VARIABLE, UPLINK_ADDRESS
from lab.machines.image import IMAGE, image_tar, run_arguments
from lab.machines.names import NAME_SERVER, name_servers, start_name_server

SOCKET = "/run/docker.sock"


@dataclass
class DockerHost(EngineHost):
    """A private host with dockerd and what :mod:`lab.machines.docker_layout` puts on it."""

    engine: DockerEngine = SYSTEM
    native: ClassVar[bool] = False
    """Whether it has no iptables."""

    @classmethod
    def start(cls, engine: DockerEngine = SYSTEM) -> Self:
        """Start dockerd and everything on it; takes a few seconds.  Needs root."""
        sandbox = start_demo("dockerhost", bare=True, environment={LAB_VARIABLE: LAB_ID})
        target = FaultTarget(bridge="docker0", subnet="172.17.0.0/16")
        host = cls(sandbox=sandbox, addresses={}, target=target, engine=engine)
        host.environment["PATH"] = engine.search_path
        try:
            start_name_server(host)
            name_servers(host, NAME_SERVER)
            host._start_daemon()
            host.version = host.docker("version", "--format={{.Server.Version}}")
            host._populate(layout(host.release))
        except BaseException:
            host.stop()
            raise
        return host

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a docker command on the host and return what it printed."""
        return self.run("docker", *arguments, stdin=stdin).stdout.decode().strip()

    def pid_of(self, container: str) -> int:
        """See :class:`EngineHost`."""
        return int(self.docker("inspect", "--format={{.State.Pid}}", container))

    def restart_daemon(self) -> None:
        """End dockerd and start it again; its containers go on (live-restore)."""
        self.write("/run/lab/daemon.json", '{"live-restore": true}')
        self.run("sh", "-c", "kill -HUP $(cat /run/docker.pid)")
        deadline = time.monotonic() + READY_LIMIT
        while self.docker("info", "--format={{.LiveRestoreEnabled}}") != "true" and time.monotonic() < deadline:
            time.sleep(0.05)
        self.run("sh", "-c", "kill -TERM $(cat /run/docker.pid)")
        assert self.daemon is not None
        assert self.log is not None
        self.daemon.wait(READY_LIMIT)
        self.log.close()
        self._run_daemon()

    def _start_daemon(self) -> None:
        self.run("mkdir", "/run/lab")
        # A configuration of its own: the machine's daemon.json must not leak in.
        self.write("/run/lab/daemon.json", "{}")
        self._run_daemon()

    def _run_daemon(self) -> None:
        self.log = TemporaryFile()  # noqa: SIM115 - closed by stop()
        self.daemon = self.sandbox.popen(
            [
                "dockerd",
                "--config-file=/run/lab/daemon.json",
                f"--host=unix://{SOCKET}",
                "--data-root=/run/lab/docker",
                "--exec-root=/run/docker",
                "--pidfile=/run/docker.pid",
                "--storage-driver=vfs",
                "--exec-opt=native.cgroupdriver=cgroupfs",
                f"--cgroup-parent={self.cgroup}",
                *self.engine.daemon_options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            environment=self.environment,
            new_session=True,
        )
        deadline = time.monotonic() + READY_LIMIT
        while not self.answers(SOCKET):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                raise ActionFailedError(f"dockerd did not start:\n{self.log.read().decode(errors='replace')[-4000:]}")
            time.sleep(0.05)

    def _populate(self, what: Layout) -> None:
        self._prepare_outside(what)
        side_by_side(
            partial(self.docker, "import", "-", IMAGE, stdin=image_tar()),
            partial(self._create_networks, what.networks),
        )
        for group in (what.containers, JOINED):
            side_by_side(*[partial(self.docker, *run_arguments(name, *spec)) for name, spec in group.items()])
        self.note_containers(json.loads(self.docker("inspect", *what.containers, *JOINED)))
        if self.native:
            return
        saved = self.run("iptables-nft-save").stdout.decode()
        self.target = FaultTarget.on(saved, bridge=self.target.bridge, subnet=self.target.subnet)

    def _create_networks(self, networks: tuple[tuple[str, ...], ...]) -> None:
        for arguments in networks:  # one after the other: the rules' order follows from it
            self.docker("network", "create", *arguments)

    def _prepare_outside(self, what: Layout) -> None:
        """Give the "internet" the ways to some subnets, and both ends IPv6, where the layout wants it."""
        inside, outside = [], [f"route add {subnet} via {UPLINK_ADDRESS}" for subnet in what.routed]
        if what.ipv6:
            inside = [
                f"address add {UPLINK_ADDRESS6}/64 dev {DEMO.uplink} nodad",
                f"route add default via {OUTSIDE_ADDRESS6}",
            ]
            outside += [
                f"address add {OUTSIDE_ADDRESS6}/64 dev eth0 nodad",
                f"address add {OUTSIDE_SERVER6}/128 dev lo nodad",
            ]
        self.run("ip", "-batch", "-", stdin="\n".join([*inside, ""]).encode())
        self.run("ip", "-n", DEMO.outside, "-batch", "-", stdin="\n".join([*outside, ""]).encode())
