"""Which Docker a lab host runs: the system's, or the newest that Debian has, unpacked and not installed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dnet_tui.actions.demo.requirements import search_path
from dnet_tui.inspect.errors import DnetError
from lab.machines.debs import unpacked

PACKAGES = ("docker.io", "docker-cli", "containerd")
"""Not runc: a newer one wants a newer C library, while the system's works with any of these."""

SUITES = ("sid", "testing", "stable")
"""From the newest on.  Debian 12's own is 20.10; with 28 came DOCKER-FORWARD and the drops in the raw table."""


@dataclass(frozen=True)
class DockerEngine:
    """The programs of one Docker.  ``root`` is where its packages were unpacked; None means the system's."""

    root: Path | None = None

    @property
    def search_path(self) -> str:
        """PATH with this Docker's programs first."""
        if self.root is None:
            return search_path()
        return os.pathsep.join([str(self.root / "usr/bin"), str(self.root / "usr/sbin"), search_path()])

    @property
    def daemon_options(self) -> tuple[str, ...]:
        """Options of dockerd that lead to what belongs to it."""
        proxies = [] if self.root is None else [self.root / place for place in ("usr/sbin", "usr/libexec/docker")]
        return tuple(f"--userland-proxy-path={place}/docker-proxy" for place in proxies if place.is_dir())[:1]

    @property
    def runs(self) -> bool:
        """Whether its programs run here; a newer suite's may want a newer C library."""
        environment = {**os.environ, "PATH": self.search_path}
        return all(
            subprocess.run([program, "--version"], capture_output=True, env=environment, check=False).returncode == 0
            for program in ("dockerd", "docker", "containerd")
        )


SYSTEM = DockerEngine()


def newest_docker() -> DockerEngine:
    """Return the newest Docker of Debian's that runs here, downloaded when there is none yet.

    Raises:
        DnetError: there is none, or it couldn't be downloaded.
    """
    for suite in SUITES:
        engine = DockerEngine(unpacked("docker", suite, PACKAGES))
        if engine.runs:
            return engine
    raise DnetError(f"no Docker of Debian's {', '.join(SUITES)} runs on this machine")
