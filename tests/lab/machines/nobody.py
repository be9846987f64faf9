"""Running this program as a user without any privilege, wherever its interpreter lies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .hosts import LabHost

_CHECKOUT = Path(__file__).parents[3]

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
"""The command prefix that runs a program as that user."""


@contextmanager
def program_open_to_all(host: LabHost) -> Iterator[None]:
    """Let every user of the host run this program, though its folders may lie in one that is root's alone.

    Only the host's own mounts change: the closed folder is covered by one
    in which nothing but the program's folders is.
    """
    covered = _covered(_places())
    shelf = f"/run/open-to-all-{os.getpid()}"
    mounted: list[str] = []

    def mount(*arguments: str) -> None:
        host.run("mount", *arguments)
        mounted.append(arguments[-1])

    try:
        for number, (closed, places) in enumerate(covered.items()):
            for index, place in enumerate(places):
                aside = f"{shelf}/{number}.{index}"
                host.run("mkdir", "-p", aside)
                mount("--bind", str(place), aside)
            mount("-t", "tmpfs", "-o", "mode=0755", "none", str(closed))
            for index, place in enumerate(places):
                host.run("mkdir", "-p", str(place))
                mount("--bind", f"{shelf}/{number}.{index}", str(place))
        yield
    finally:
        for target in reversed(mounted):
            host.run("umount", target)
        if covered:
            host.run("rm", "-r", shelf)


def _places() -> list[Path]:
    """Return the folders of the interpreter, its packages and this program, each once and without those inside."""
    found = {Path(place).resolve() for place in (sys.base_prefix, sys.prefix, str(_CHECKOUT))}
    return sorted(one for one in found if not any(other in one.parents for other in found))


def _covered(places: list[Path]) -> dict[Path, list[Path]]:
    """Return the closed folders on the way to the places, each with those that lie in it."""
    covered: dict[Path, list[Path]] = {}
    for place in places:
        if (closed := _closed(place)) is not None:
            covered.setdefault(closed, []).append(place)
    return covered


def _closed(place: Path) -> Path | None:
    """Return the outermost folder on the way to a place that others may not pass through."""
    for folder in [*reversed(place.parents), place]:
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
