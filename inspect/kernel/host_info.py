"""What is told of the machine itself, such as whether its kernel can still load its modules.  Changes nothing.

A package manager that replaces the kernel takes its modules away: until the
restart nothing can be loaded that isn't loaded yet.  Sources: depmod(8),
modprobe(8) (``/lib/modules/VERSION/modules.dep``); proc(5), /proc/modules.
"""

from __future__ import annotations

import os
from pathlib import Path

from dnet_tui.inspect.model import Host, Resolver
from dnet_tui.inspect.text.encoding import storable

_INDEX = "modules.dep"
_MANY = 100


def read_host(resolver: Resolver | None) -> Host:
    """The machine, with its own resolv.conf as it was read."""
    name = os.uname()
    return Host(
        hostname=storable(name.nodename),
        kernel=storable(name.release),
        resolver=resolver,
        modules_present=read_modules_present(name.release),
    )


def read_modules_present(release: str, root: str = "/proc/1/root", loaded: str = "/proc/modules") -> bool | None:
    """Whether there are modules of this kernel; None where it has none to load, or where that can't be told.

    Args:
        release: the running kernel's, as uname(2) says it.
        root: where the host's files are: process 1's, which aren't this program's if that runs in a container.
        loaded: the list of loaded modules: empty or absent with a kernel that has all built in and misses no folder.
    """
    if not release or "/" in release or release.startswith("."):
        return None
    for folder in (f"{root}/lib/modules", f"{root}/usr/lib/modules"):
        try:
            found = sorted(os.listdir(folder))[:_MANY]  # noqa: PTH208 - names alone are wanted
        except OSError:
            continue
        if release in found and (Path(folder) / release / _INDEX).exists():
            return True
        others = [name for name in found if name != release and (Path(folder) / name / _INDEX).exists()]
        if others:
            return False if _has_any(loaded) else None
    return None


def _has_any(loaded: str) -> bool:
    try:
        with open(loaded, "rb") as file:  # noqa: PTH123 - one read of /proc
            return bool(file.read(64))
    except OSError:
        return False
