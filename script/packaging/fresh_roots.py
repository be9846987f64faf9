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
    with locked() as cache, tempfile.TemporaryDirectory(prefix=f"trial-{release}-", dir=cache) as name:
        root = Path(name) / "root"
        run("cp", "--archive", "--reflink=auto", base, root)
        for used in ("srv/checkout", "srv/venv", "srv/kept"):
            shutil.rmtree(root / used, ignore_errors=True)
        place = root / "srv/dist"
        shutil.copytree(dist, place)
        shutil.copy(TRIAL, root / "srv/trial.py")
        log = root / "srv/trial.log"
        script = (
            "import runpy, sys; sys.stdout = open('/srv/trial.log', 'w', buffering=1); sys.argv[1:] = ['/srv/dist']; "
        )
        argv = ["python3", "-c", script + "runpy.run_path('/srv/trial.py')"]
        environment = {
            **settings.environment,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
        }
        code = run_inside(root, argv, lend=settings.paths, environment=environment)
        told = log.read_text() if log.exists() else ""
    sys.stdout.write(told)
    return 1 if code or '"wrong": ""' not in told or any('"wrong": ""' not in line for line in told.splitlines()) else 0
