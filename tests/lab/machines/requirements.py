"""What the lab needs of a machine.  Where it can't run, tests are skipped with the reason.

With ``DNET_LAB=1`` in the environment, as in CI, that is a failure: a skip
must not look like a pass.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from dnet_tui.actions.demo.host import PROGRAMS
from dnet_tui.actions.demo.requirements import missing
from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.errors import DnetError

DOCKER_PROGRAMS = ("dockerd", "docker", "runc", "busybox")
PODMAN_PROGRAMS = ("podman", "conmon", "runc", "busybox")
HELPERS = ("/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman")
"""Where Podman looks for netavark (containers.conf(5), helper_binaries_dir)."""


@cache
def _obstacle() -> str:
    """Return why no private host can be started here; empty when one can."""
    try:
        Sandbox.start("probe").stop()
    except DnetError as error:
        return f"{error.message} ({error.hint})"
    return ""


def require_podman() -> None:
    """Skip the test, or with DNET_LAB=1 fail it, unless hosts with Podman and netavark can be had."""
    require_lab(*PODMAN_PROGRAMS, root=True)
    if not any(Path(place, "netavark").exists() for place in HELPERS):
        decline("not installed: netavark")


def require_lab(*programs: str, root: bool = False) -> None:
    """Skip the test, or with DNET_LAB=1 fail it, unless private hosts and ``programs`` can be had (as ``root``)."""
    absent = missing(*PROGRAMS, *programs)
    if absent:
        decline(f"not installed: {', '.join(absent)}")
    if root and os.geteuid() != 0:
        decline("needs root")
    if obstacle := _obstacle():
        decline(obstacle)


def decline(reason: str) -> NoReturn:
    """Skip the test with a reason; with DNET_LAB=1 fail it."""
    if os.environ.get("DNET_LAB") == "1":
        pytest.fail(f"DNET_LAB=1, but the lab can't run: {reason}", pytrace=False)
    pytest.skip(f"the lab can't run: {reason}")
