"""What every lab host with a real container engine has: containers with PIDs and addresses, a cgroup of its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from lab.machines.cgroups import new_cgroup, remove_cgroups
from lab.machines.hosts import LabHost

READY_LIMIT = 30.0
"""Seconds until an engine must answer; it takes about one."""


@dataclass
class EngineHost(LabHost):
    """A private host with an engine.  ``pids`` are those inside the host's PID namespace."""

    pids: dict[str, int] = field(default_factory=dict)
    version: str = ""
    cgroup: str = field(default_factory=new_cgroup)
    """Parent of the containers' cgroups."""
    restless: set[str] = field(default_factory=set)
    """Containers that may be started anew at any time, so that their PID is asked for each time."""
    daemon: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """What else runs on the host until it ends."""

    @property
    def release(self) -> tuple[int, ...]:
        """The engine's version as numbers, to compare with."""
        numbers = self.version.partition("+")[0].partition("-")[0].split(".")
        return tuple(int(number) for number in numbers if number.isdigit())

    def enter(self, place: str) -> list[str]:
        """Return the command prefix that runs a program in a container's network, never in its file system."""
        if place in self.restless:
            self.pids[place] = self.pid_of(place)
        if place in self.pids:
            return ["nsenter", "-t", str(self.pids[place]), "--net", "--"]
        return super().enter(place)

    def pid_of(self, container: str) -> int:
        """Ask the engine for a running container's PID."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the host; remove its cgroups."""
        super().stop()
        for process in self.helpers:
            process.wait()
        if self.daemon is not None:
            self.daemon.wait()
        if self.log is not None:
            self.log.close()
        remove_cgroups(self.cgroup)

    def note_containers(self, described: Iterable[dict[str, Any]]) -> None:
        """Remember PIDs and addresses from what the engine's ``inspect`` says."""
        for item in described:
            name = item["Name"].removeprefix("/")
            self.pids[name] = item["State"]["Pid"]
            for network in (item["NetworkSettings"].get("Networks") or {}).values():
                if network["IPAddress"]:
                    self.addresses.setdefault(name, network["IPAddress"])
                if network["GlobalIPv6Address"]:
                    self.addresses6.setdefault(name, network["GlobalIPv6Address"])

    def write(self, path: str, text: str) -> None:
        """Write a file on the host; for places that only exist there."""
        self.run("cp", "/dev/stdin", path, stdin=text.encode())

    def answers(self, path: str) -> bool:
        """Ask ``/_ping`` of the API at a socket, through the holder's view of the file system."""
        with socket.socket(socket.AF_UNIX) as sock, suppress(OSError):
            sock.settimeout(1.0)
            sock.connect(f"/proc/{self.sandbox.pid}/root{path}")
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in sock.recv(64)
        return False


def side_by_side(*jobs: Callable[[], object]) -> None:
    """Do all at the same time; raises the first error once all are done."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        waits = [pool.submit(job) for job in jobs]
    for wait in waits:
        wait.result()
