"""Which ``iptables`` an engine's daemon would run, and for which backend: found by looking, never by running it.

A daemon looks ``iptables`` up in its own PATH once, and runs what is found
there ever after (libnetwork's ``detectIptables``).  What that leads to is told
by links alone: every distribution's ``iptables`` is a link, or a chain of
them, to one of two programs that serve a backend each.

Source: execve(2) and Go's ``exec.LookPath`` for the search; iptables' own
Makefile and Debian's alternatives for the links.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from pathlib import Path
from typing import Literal, NamedTuple

from dnet_tui.inspect.kernel.read_file import read_beginning
from dnet_tui.inspect.text.encoding import text

Served = Literal["iptables-nft", "iptables-legacy", ""]

_PROGRAM = "iptables"
_LARGEST = 1 << 18
_MOST_LINKS = 40
"""As many as the kernel follows (MAXSYMLINKS)."""

_BACKENDS: dict[str, Served] = {
    "xtables-nft-multi": "iptables-nft",
    "iptables-nft": "iptables-nft",
    "xtables-legacy-multi": "iptables-legacy",
    "iptables-legacy": "iptables-legacy",
    "xtables-multi": "iptables-legacy",  # until 1.8 there was no other
}


class DaemonProgram(NamedTuple):
    """A program by its path in the daemon's file system, and the backend it serves; empty for what isn't known."""

    path: str = ""
    backend: Served = ""


def find_iptables(pid: int, root: str) -> DaemonProgram:
    """The program that a process would run as ``iptables``.

    Args:
        pid: the process; of its environment only PATH is looked at.
        root: where its file system is seen from here; empty when it is ours.
    """
    for folder in _search_path(pid):
        if not folder.startswith("/"):
            continue  # Go refuses to run what it finds so
        found = _follow(root, f"{folder.rstrip('/')}/{_PROGRAM}")
        if found is not None and _is_program(root + found[-1]):
            served = (_BACKENDS.get(step.rpartition("/")[2], "") for step in reversed(found))
            return DaemonProgram(found[0], next((backend for backend in served if backend), ""))
    return DaemonProgram()


def _search_path(pid: int) -> list[str]:
    try:
        raw = read_beginning(f"/proc/{pid}/environ", _LARGEST)
    except OSError:
        return []
    value = next((item for item in raw.split(b"\0") if item.startswith(b"PATH=")), b"")
    return [text(folder) for folder in value.removeprefix(b"PATH=").split(b":")]


def _follow(root: str, path: str) -> list[str] | None:
    """The path and every step its links lead to, the file last; None when it leads nowhere.

    Links are followed by hand, because an absolute one means a place below
    ``root`` and not one of ours.
    """
    steps = [path]
    here, rest = "", deque(path.split("/"))
    links = 0
    while rest:
        part = rest.popleft()
        if part in {"", "."}:
            continue
        if part == "..":
            here = here.rpartition("/")[0]
            continue
        try:
            target = os.fspath(Path(f"{root}{here}/{part}").readlink())
        except OSError:  # not a link; whether it is there at all shows at the end
            here = f"{here}/{part}"
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        if target.startswith("/"):
            here = ""
        if not rest:
            steps.append(target)
        rest.extendleft(reversed(target.split("/")))
    return [*steps, here]


def _is_program(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)
