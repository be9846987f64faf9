"""A lab host with a real Podman in a private host: its networks, and containers in every mode.

Podman's configuration is replaced on the host, so that a plain ``podman``
there, as the tool under test runs it, sees this host's containers and no
others.  Storage, locks, networks and sockets live on the private host's own
tmpfs and vanish with it; only the cgroup folders are the machine's.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import Self

from dnet_tui.actions.demo.faults import FaultTarget
from dnet_tui.actions.demo.host import start_demo
from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.engine_host import READY_LIMIT, EngineHost, side_by_side
from lab.machines.hosts import LAB_ID, LAB_VARIABLE
from lab.machines.image import HTTPD, IMAGE, SLEEP, Containers, image_tar, run_arguments
from lab.machines.names import NAME_SERVER, name_servers, start_name_server
from lab.releases.podman_engines import IPTABLES, SYSTEM_PODMAN, PodmanEngine

SOCKET = "/run/podman/podman.sock"

CONFIGURATION = {
    # crun, systemd and the usual limits are not to be had on every machine that runs the lab.
    "containers.conf": """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
{firewall}
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
""",
    "storage.conf": """
[storage]
driver = "vfs"
graphroot = "/run/lab/containers"
runroot = "/run/containers/storage"
""",
    "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
}
"""The files of /etc/containers."""

NETWORKS: tuple[tuple[str, ...], ...] = (
    ("--subnet=10.110.0.0/24", "app"),
    ("--subnet=10.120.0.0/24", "db"),
    ("--subnet=10.140.0.0/24", "--internal", "vault"),
    ("--subnet=10.150.0.0/24", "--opt=isolate=true", "iso1"),
    ("--subnet=10.160.0.0/24", "--opt=isolate=true", "iso2"),
    ("--subnet=10.170.0.0/24", "--ipv6", "--subnet=fd00:170::/64", "--disable-dns", "six"),
)
"""The arguments of ``podman network create``; their bridges are podman1, podman2 … in this order."""

VAULT_BRIDGE = "podman3"

CONTAINERS: Containers = {
    "web": (("-p", "8080:80", "-p", "127.0.0.1:8081:80"), HTTPD),
    "app1": (("--network=app", "--ip=10.110.0.2"), HTTPD),
    "app2": (("--network=app", "--ip=10.110.0.3"), HTTPD),
    "db": (("--network=db",), HTTPD),
    "vault": (("--network=vault",), HTTPD),
    "iso1": (("--network=iso1",), HTTPD),
    "iso2": (("--network=iso2",), HTTPD),
    "six1": (("--network=six:ip=10.170.0.2,ip=fd00:170::2",), HTTPD),
    "six2": (("--network=six:ip=10.170.0.3,ip=fd00:170::3",), HTTPD),
    "both": (("--network=app:ip=10.110.0.9", "--network=db:ip=10.120.0.9"), HTTPD),
    "hostmode": (("--network=host",), SLEEP),
    "none": (("--network=none",), SLEEP),
}
"""Options and command of each container; started at the same time."""

JOINED: Containers = {"joined": (("--network=container:web",), SLEEP)}
"""Those that need another one to run already."""


@dataclass
class PodmanHost(EngineHost):
    """A private host with Podman and the containers above.  It has no daemon unless its API service is asked for."""

    engine: PodmanEngine = SYSTEM_PODMAN

    @classmethod
    def start(cls, *, service: bool = False, engine: PodmanEngine = SYSTEM_PODMAN) -> Self:
        """Start everything; takes a few seconds.  Needs root.  ``service`` starts the API at :data:`SOCKET` as well."""
        sandbox = start_demo("podmanhost", bare=True, environment={LAB_VARIABLE: LAB_ID})
        target = FaultTarget(bridge="podman0", subnet="10.88.0.0/16")
        host = cls(sandbox=sandbox, addresses={}, target=target, engine=engine)
        host.environment["NETAVARK_FW"] = engine.firewall  # newer ones prefer nftables, and then differ in everything
        try:
            host._install()
            start_name_server(host)
            name_servers(host, NAME_SERVER)
            host._configure()
            if service:
                host._start_service()
            host._populate()
        except BaseException:
            host.stop()
            raise
        return host

    def podman(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a podman command on the host and return what it printed."""
        return self.run("podman", *arguments, stdin=stdin).stdout.decode().strip()

    def pid_of(self, container: str) -> int:
        """See :class:`EngineHost`."""
        return int(self.podman("inspect", "--format={{.State.Pid}}", container))

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Put a fault in, and take it out again."""
        try:
            with super().fault(name):
                yield
        finally:
            # netavark keeps it off for the internal network, while ip_forward=1 switches it on for every link.
            self.run("sysctl", "-q", "-w", f"net.ipv4.conf.{VAULT_BRIDGE}.forwarding=0")

    def _install(self) -> None:
        if self.engine.root is not None:
            self.run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={self.engine.root}/usr:/usr", "/usr")
        if self.engine.firewall == "nftables":
            for program in IPTABLES:
                self.run("mount", "--bind", "/dev/null", f"/usr/sbin/{program}")

    def _configure(self) -> None:
        # Locks lie in /dev/shm.  /var/lib is made read-only, since the image library would keep a cache there.
        for place in ("/etc/containers", "/dev/shm"):
            self.run("mount", "-t", "tmpfs", "tmpfs", place)
        self.run("mount", "--rbind", "/var/lib", "/var/lib")
        self.run("mount", "-o", "remount,bind,ro", "/var/lib")
        for name, text in CONFIGURATION.items():
            driver = f'firewall_driver = "{self.engine.firewall}"' if self.engine.root is not None else ""
            self.write(f"/etc/containers/{name}", text.replace("{firewall}", driver))

    def _start_service(self) -> None:
        self.run("mkdir", "-p", "/run/podman")
        self.log = TemporaryFile()  # noqa: SIM115 - closed by stop()
        self.daemon = self.sandbox.popen(
            ["podman", "system", "service", "--time=0", f"unix://{SOCKET}"],
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
                raise ActionFailedError(f"podman's service did not start:\n{self.log.read().decode(errors='replace')}")
            time.sleep(0.05)

    def _populate(self) -> None:
        self.podman("import", "-", IMAGE, stdin=image_tar())
        for arguments in NETWORKS:  # one after the other: the bridges' numbers follow from it
            self.podman("network", "create", *arguments)
        for group in (CONTAINERS, JOINED):
            side_by_side(
                *[partial(self.podman, *run_arguments(name, *spec, cgroup=self.cgroup)) for name, spec in group.items()]
            )
        self.note_containers(json.loads(self.podman("inspect", *CONTAINERS, *JOINED)))
        self.version = self.podman("version", "--format={{.Client.Version}}")
        if self.engine.firewall == "nftables":
            return
        saved = self.run("iptables-nft-save").stdout.decode()
        self.target = FaultTarget.on(saved, bridge=self.target.bridge, subnet=self.target.subnet)
