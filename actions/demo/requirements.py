"""The host programs a private host needs, and the packages that bring them.  Reads PATH only."""

from __future__ import annotations

import os
import shutil

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.kernel.run_program import SYSTEM_FOLDERS

SYSTEM_PLACES = SYSTEM_FOLDERS
"""An ordinary user's PATH on Debian lacks the ``sbin`` folders, where ``ip`` and ``iptables-nft`` are."""

PACKAGES = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "sysctl": "procps",
    "iptables-nft": "iptables",
    "iptables-nft-save": "iptables",
    "iptables-nft-restore": "iptables",
    "dockerd": "docker.io",
    "docker": "docker.io",
    "runc": "runc",
    "busybox": "busybox-static",
}
"""The Debian package of each program."""


def search_path(path: str | None = None) -> str:
    """Return the absolute folders of ``path`` (default: PATH) followed by the system's program folders it lacks.

    What a person has put first stays first: a private host is made with the programs that they mean.
    """
    places = (os.environ.get("PATH", "") if path is None else path).split(os.pathsep)
    return os.pathsep.join(
        [
            *(place for place in places if place.startswith("/")),
            *(place for place in SYSTEM_PLACES if place not in places),
        ]
    )


def missing(*programs: str, path: str | None = None) -> list[str]:
    """Return those of ``programs`` that aren't installed."""
    where = search_path(path)
    return [program for program in programs if shutil.which(program, path=where) is None]


def require(*programs: str, path: str | None = None) -> None:
    """Raise DnetError, naming the Debian packages to install, unless all ``programs`` are there."""
    absent = missing(*programs, path=path)
    if not absent:
        return
    packages = sorted({PACKAGES.get(program, program) for program in absent})
    raise DnetError(
        f"{', '.join(absent)} not found: a private host can't be built without",
        f"install it: apt-get install {' '.join(packages)}",
    )
