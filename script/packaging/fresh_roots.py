"""Tries what was built in fresh roots of Debian 12 and 13, with nothing set up and an empty HOME."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from packaging_steps import run

from lab.machines.debs import locked
from lab.releases import pip_settings
from lab.releases.debian_root import debian_root, run_inside
from lab.releases.second_python import PACKAGES, RELEASES

TRIAL = Path(__file__).with_name("trial.py")


def try_all(dist: Path) -> int:
    """Run every trial in every release's root; 1 when one of them says that something was wrong."""
    return max(_try(release, dist) for release in RELEASES)


def _try(release: str, dist: Path) -> int:
    print(f"Debian {release}:", flush=True)
    settings = pip_settings.of_this_machine()
    base = debian_root(release, PACKAGES)
    with locked() as cache:
        place = Path(tempfile.mkdtemp(prefix=f"trial-{release}-", dir=cache))
        # Others may use the cache while this root is tried.
        run("cp", "--archive", "--reflink=auto", base, place / "root")
    try:
        root = place / "root"
        for used in ("srv/checkout", "srv/venv", "srv/kept", "root"):
            shutil.rmtree(root / used, ignore_errors=True)
        (root / "root").mkdir(mode=0o700)
        _lend_apt_settings(root)
        shutil.copytree(dist, root / "srv/dist")
        shutil.copy(TRIAL, root / "srv/trial.py")
        log = root / "srv/trial.log"
        environment = {
            **settings.environment,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
        }
        argv = ["python3", "/srv/trial.py", "/srv/dist", "/srv/trial.log"]
        code = run_inside(root, argv, lend=settings.paths, environment=environment)
        told = log.read_text() if log.exists() else ""
    finally:
        shutil.rmtree(place)
    sys.stdout.write(told)
    return 1 if code or '"wrong": ""' not in told or any('"wrong": ""' not in line for line in told.splitlines()) else 0


def _lend_apt_settings(root: Path) -> None:
    """Let apt inside reach the archive as it does here, by a proxy for example; nothing else of its settings."""
    lines = run("apt-config", "dump").splitlines()
    wanted = "".join(f"{line}\n" for line in lines if line.startswith("Acquire::"))
    (root / "etc/apt/apt.conf.d/90of-the-machine").write_text(wanted)
