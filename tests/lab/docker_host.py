"""A lab host with a real Docker: the system's dockerd in a private host, all kinds of networks and containers.

Image, volumes and sockets live on the private host's own tmpfs and vanish
with it; only the cgroup folders are the machine's, and are removed by name.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from typing import IO, Self

from dnet_tui.actions.demo.faults import Target
from dnet_tui.actions.demo.host import start_demo
from dnet_tui.actions.demo.needs import search_path
from dnet_tui.inspect.errors import ActionFailedError
from lab.hosts import LAB_ID, LAB_VARIABLE, LabHost

IMAGE = "lab/busybox:1"
APPLETS = ("sh", "ping", "httpd", "nc", "wget", "ip", "sleep", "echo", "cat")
CGROUP = f"dnet-lab-{LAB_ID}"
SOCKET = "/run/docker.sock"
READY_LIMIT = 30.0
"""Seconds until dockerd must answer; it takes about one."""

NETWORKS: tuple[tuple[str, ...], ...] = (
    ("--subnet=10.10.0.0/24", "--opt=com.docker.network.bridge.name=br-app", "app"),
    ("--subnet=10.20.0.0/24", "--opt=com.docker.network.bridge.name=br-db", "db"),
    (
        "--subnet=10.30.0.0/24",
        "--opt=com.docker.network.bridge.name=br-quiet",
        "--opt=com.docker.network.bridge.enable_icc=false",
        "quiet",
    ),
    ("--subnet=10.40.0.0/24", "--opt=com.docker.network.bridge.name=br-vault", "--internal", "vault"),
)
"""The arguments of ``docker network create``."""

_SLEEP = ("/bin/sleep", "100000")
# Each container answers over HTTP with /etc/hostname, which Docker writes: so an answer tells who gave it.
_HTTPD = ("/bin/httpd", "-f", "-p", "80", "-h", "/etc")

CONTAINERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "web": (("-p", "8080:80", "-p", "127.0.0.1:8081:80"), _HTTPD),
    "app1": (("--network=app", "--ip=10.10.0.2"), _HTTPD),
    "app2": (("--network=app", "--ip=10.10.0.3"), _HTTPD),
    "db": (("--network=db",), _HTTPD),
    "quiet1": (("--network=quiet", "--ip=10.30.0.2"), _HTTPD),
    "quiet2": (("--network=quiet", "--ip=10.30.0.3"), _HTTPD),
    "vault": (("--network=vault",), _HTTPD),
    "hostmode": (("--network=host",), _SLEEP),
    "none": (("--network=none",), _SLEEP),
}
"""Options and command of each container; started at the same time."""

JOINED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {"joined": (("--network=container:web",), _SLEEP)}
"""Those that need another one to run already."""


@dataclass
class DockerHost(LabHost):
    """A private host with dockerd and the containers above.  ``pids`` are those inside the host's PID namespace."""

    pids: dict[str, int] = field(default_factory=dict)
    version: str = ""
    daemon: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None

    @classmethod
    def start(cls) -> Self:
        """Start dockerd and everything on it; takes a few seconds.  Needs root."""
        sandbox = start_demo("dockerhost", bare=True, environment={LAB_VARIABLE: LAB_ID})
        target = Target(bridge="docker0", subnet="172.17.0.0/16")
        host = cls(sandbox=sandbox, addresses={}, target=target)
        try:
            host._start_daemon()
            host._populate()
        except BaseException:
            host.stop()
            raise
        return host

    def enter(self, place: str) -> list[str]:
        """Return the command prefix that runs a program in a container's network, never in its file system."""
        if place in self.pids:
            return ["nsenter", "-t", str(self.pids[place]), "--net", "--"]
        return super().enter(place)

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run a docker command on the host and return what it printed."""
        return self.run("docker", *arguments, stdin=stdin).stdout.decode().strip()

    def stop(self) -> None:
        """End the host; remove its cgroups."""
        super().stop()
        if self.daemon is not None:
            self.daemon.wait()
        if self.log is not None:
            self.log.close()
        remove_cgroups(CGROUP)

    def _start_daemon(self) -> None:
        self.run("mkdir", "/run/lab")
        # A configuration of its own: the machine's daemon.json must not leak in.
        self.run("cp", "/dev/stdin", "/run/lab/daemon.json", stdin=b"{}")
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
                f"--cgroup-parent={CGROUP}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            new_session=True,
        )
        deadline = time.monotonic() + READY_LIMIT
        while not self._answers():
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                self.log.seek(0)
                raise ActionFailedError(f"dockerd did not start:\n{self.log.read().decode(errors='replace')[-4000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Ask the API's ``/_ping`` through the holder's view of the file system."""
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(1.0)
            sock.connect(f"/proc/{self.sandbox.pid}/root{SOCKET}")
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(64)
        return False

    def _populate(self) -> None:
        with ThreadPoolExecutor(max_workers=4) as pool:
            image = pool.submit(self.docker, "import", "-", IMAGE, stdin=_image())
            for arguments in NETWORKS:  # one after the other: the rules' order follows from it
                self.docker("network", "create", *arguments)
            image.result()
            for group in (CONTAINERS, JOINED):
                for wait in [pool.submit(self.docker, *_run_arguments(name, *spec)) for name, spec in group.items()]:
                    wait.result()
        described = json.loads(self.docker("inspect", *CONTAINERS, *JOINED))
        for item in described:
            name = item["Name"].removeprefix("/")
            self.pids[name] = item["State"]["Pid"]
            for network in item["NetworkSettings"]["Networks"].values():
                if network["IPAddress"]:
                    self.addresses.setdefault(name, network["IPAddress"])
        self.version = self.docker("version", "--format={{.Server.Version}}")
        saved = self.run("iptables-nft-save").stdout.decode()
        self.target = Target.on(saved, bridge=self.target.bridge, subnet=self.target.subnet)


def _run_arguments(name: str, options: tuple[str, ...], command: tuple[str, ...]) -> Iterator[str]:
    yield from ("run", "--detach", f"--name={name}", "--stop-timeout=0")
    if not any(option.startswith(("--network=container:", "--network=host")) for option in options):
        yield f"--hostname={name}"  # these two share another's host name
    yield from (*options, IMAGE, *command)


def _image() -> bytes:
    """Return a tar of a root file system: busybox and links to it."""
    busybox = which("busybox", path=search_path())
    if busybox is None:
        raise ActionFailedError("busybox is not installed")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(Path(busybox).resolve(), arcname="bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def cgroup_folders(name: str) -> list[Path]:
    """Return the cgroup folders of that name: one per hierarchy with version 1, one in all with version 2."""
    root = Path("/sys/fs/cgroup")
    return [folder for folder in (root / name, *(base / name for base in _folders(root))) if folder.is_dir()]


def remove_cgroups(name: str, limit: float = 5.0) -> None:
    """Remove those folders, deepest first; the kernel frees them a moment after the last process has gone."""
    deadline = time.monotonic() + limit
    while (left := cgroup_folders(name)) and time.monotonic() < deadline:
        for folder in left:
            for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    path.rmdir()
            with contextlib.suppress(OSError):
                folder.rmdir()
        if left := cgroup_folders(name):
            time.sleep(0.05)


def _folders(root: Path) -> Iterable[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]
