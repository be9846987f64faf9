"""What a test run has on the machine, so that anything left behind is noticed.

Only things of this run count: what carries its id, or appears where nothing
but a fault of the lab would put it (a named namespace, a namespace mount or a
link in the machine's own namespaces).
"""

from __future__ import annotations

import socket
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

from lab.machines.cgroups import cgroup_folders
from lab.machines.hosts import LAB_VARIABLE


@dataclass(frozen=True)
class Census:
    """What was seen at one time, in words."""

    processes: frozenset[str]
    mounts: frozenset[str]
    namespaces: frozenset[str]
    settings: frozenset[str]
    """Folders of named namespaces' own configuration (ip-netns(8))."""
    links: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]


def census(lab_id: str) -> Census:
    """Look around from the namespaces this process is in."""
    return Census(
        processes=frozenset(_processes(lab_id)),
        mounts=frozenset(_mounts(lab_id)),
        namespaces=_names_in(Path("/run/netns")),
        settings=_names_in(Path("/etc/netns")),
        links=frozenset(name for _, name in socket.if_nameindex()),
        cgroups=frozenset(str(path) for path in cgroup_folders(f"dnet-lab-{lab_id}*")),
        files=frozenset(str(path) for path in Path(tempfile.gettempdir()).glob(f"*{lab_id}*")),
    )


def left_behind(before: Census, lab_id: str, limit: float = 3.0) -> list[str]:
    """Return what is there now and was not before; waits up to ``limit`` seconds for the kernel to finish."""
    deadline = time.monotonic() + limit
    while True:
        after = census(lab_id)
        found = [
            f"{item.name}: {thing}"
            for item in fields(Census)
            for thing in sorted(getattr(after, item.name) - getattr(before, item.name))
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _names_in(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _processes(lab_id: str) -> list[str]:
    """Processes whose environment carries the id: the holders and all that runs on the hosts, engines included.

    A container's own processes don't carry it, but can't outlive the holder of their PID namespace.
    """
    mark = f"{LAB_VARIABLE}={lab_id}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.append(f"{path.name} {words}")
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return found


def _mounts(lab_id: str) -> list[str]:
    """Mounts of namespaces (``nsfs``), and those whose place carries the id."""
    with Path("/proc/self/mounts").open(encoding="utf-8", errors="replace") as lines:
        words = [line.split() for line in lines]
    return [f"{item[2]} on {item[1]}" for item in words if item[2] == "nsfs" or lab_id in item[1]]
