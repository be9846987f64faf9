"""Healthy but unusual hosts with real engines: the same Docker under other settings, or beside another engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from shutil import which
from typing import ClassVar

from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import Layout
from lab.machines.image import HTTPD, IMAGE, image_tar, run_arguments
from lab.machines.podman_host import PodmanHost

_SMALL = ("web", "app1", "app2", "db")


@dataclass
class Configured(DockerHost):
    """A Docker host whose daemon has settings of its own, and few containers."""

    settings: ClassVar[dict[str, object]] = {}

    def write(self, path: str, text: str) -> None:
        """Write a file on the host; the daemon's settings as this host has them."""
        super().write(path, json.dumps(self.settings) if path.endswith("daemon.json") else text)

    def _populate(self, what: Layout) -> None:
        networks = tuple(item for item in what.networks if item[-1] in {"app", "db"})
        super()._populate(Layout(networks, {name: what.containers[name] for name in _SMALL}))


class Proxyless(Configured):
    """Without docker-proxy: the kernel alone leads to published ports."""

    settings: ClassVar[dict[str, object]] = {"userland-proxy": False}


class LiveRestore(Configured):
    """Its containers run on while the daemon is away."""

    settings: ClassVar[dict[str, object]] = {"live-restore": True}


class OwnRules(Configured):
    """Docker may write no rules; the administrator wrote what containers need."""

    settings: ClassVar[dict[str, object]] = {"iptables": False, "ip6tables": False}

    def _populate(self, what: Layout) -> None:
        for subnet in ("172.17.0.0/16", "10.10.0.0/24", "10.20.0.0/24"):
            words = ("-s", subnet, "-o", "eth0", "-j", "MASQUERADE")
            self.run("iptables-nft", "-w", "-t", "nat", "-A", "POSTROUTING", *words)
        super()._populate(what)


class Legacy(Configured):
    """Its ``iptables`` is that of the legacy backend."""

    def _start_daemon(self) -> None:
        folder = "/run/legacy"
        self.run("mkdir", folder)
        for name in ("iptables", "ip6tables"):
            for tail in ("", "-save", "-restore"):
                program = which(f"{name}-legacy{tail}", path=self.environment["PATH"])
                self.run("ln", "-s", str(program), f"{folder}/{name}{tail}")
        self.environment["PATH"] = f"{folder}:{self.environment['PATH']}"
        super()._start_daemon()


class Empty(Configured):
    """A daemon and nothing else."""

    def _populate(self, what: Layout) -> None:
        pass


class Both(Configured):
    """Docker and Podman side by side.

    Forwarding is on before Docker starts: otherwise it makes FORWARD drop,
    and then no new connection gets to a port that Podman publishes.
    """

    def _start_daemon(self) -> None:
        self.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        super()._start_daemon()

    def _populate(self, what: Layout) -> None:
        super()._populate(what)
        self.environment["NETAVARK_FW"] = "iptables"
        PodmanHost._configure(self)  # type: ignore[arg-type]
        podman = partial(self.run, "podman")
        podman("import", "-", IMAGE, stdin=image_tar())
        podman("network", "create", "--subnet=10.110.0.0/24", "pods")
        for name, options in {"pod1": ("--network=pods", "-p", "8099:80"), "pod2": ("--network=pods",)}.items():
            podman(*run_arguments(name, options, HTTPD, cgroup=self.cgroup))


class Beside(Both):
    """Docker and Podman where Docker has turned forwarding on, and made FORWARD drop: Podman's port is out of reach."""

    def _start_daemon(self) -> None:
        self.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
        Configured._start_daemon(self)


class NoRules(Configured):
    """Docker may write no rules, and nobody wrote any."""

    settings: ClassVar[dict[str, object]] = {"iptables": False, "ip6tables": False}
