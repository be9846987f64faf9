"""The cgroups of a lab host's containers: the one thing of theirs that lies on the machine itself."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

from lab.machines.hosts import LAB_ID

ROOT = Path("/sys/fs/cgroup")

_numbers = itertools.count(1)


def new_cgroup() -> str:
    """Return the name of a parent cgroup for one host's containers; it carries the id of this run."""
    return f"dnet-lab-{LAB_ID}-{next(_numbers)}"


def cgroup_folders(pattern: str) -> list[Path]:
    """Return the cgroup folders of that name, which may hold wildcards.

    There is one per hierarchy with version 1, and one in all with version 2.
    """
    return [folder for base in (ROOT, *_folders(ROOT)) for folder in base.glob(pattern) if folder.is_dir()]


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
