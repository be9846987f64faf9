"""The checks on another Python: which one, what it is given, and what is run."""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dnet_tui.inspect.errors import DnetError
from lab.machines.debs import locked
from lab.releases import pip_settings
from lab.releases.debian_root import debian_root, run_inside

RELEASES = {"trixie": (3, 13), "bookworm": (3, 11)}
"""Debian's releases and their Python."""

PACKAGES = ("ca-certificates", "iproute2", "iptables", "nftables", "procps", "python3", "python3-venv", "tcpdump")
CHECKOUT, VENV, KEPT = "/srv/checkout", "/srv/venv", "/srv/kept"
"""Inside: the copy of the sources, its environment, and what tools keep for the next run."""
LOCK = "script/dev.lock"
"""What is installed, to the byte; where an index hasn't all of it, what pyproject.toml allows."""


def other_release() -> tuple[str, str]:
    """Return the name of a release of which the Python isn't ours, and that Python's version."""
    return next((name, f"{v[0]}.{v[1]}") for name, v in RELEASES.items() if v != sys.version_info[:2])


def remove() -> None:
    """Remove the roots."""
    with locked() as cache:
        for path in cache.glob("root-*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def check(sources: Path, words: Sequence[str]) -> int:
    """Run all checks, or pytest with ``words``, and return the first exit code that isn't 0.

    Raises:
        DnetError: the other Python can't be had here.
    """
    if os.geteuid() != 0:
        raise DnetError("the other release's root is entered as root", "sudo script/second-python")
    release, version = other_release()
    say(f"Python {version} of Debian's {release}; it is prepared if it isn't there yet …")
    root = debian_root(release, PACKAGES)
    copy(sources, root / CHECKOUT.lstrip("/"))
    install(root)
    python = f"{VENV}/bin/python"
    pytest = [python, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider"]
    mypy = [python, "-m", "mypy", "--python-version", version, "--cache-dir", f"{KEPT}/mypy"]
    everything = (
        [python, "-m", "ruff", "check", "--quiet", "--no-cache", "."],
        [python, "-m", "ruff", "format", "--check", "--quiet", "--no-cache", "."],
        [*mypy, "-p", "dnet_tui"],
        [*mypy, "tests"],
        [*pytest, "tests/unit", "tests/scenarios/hosts", "tests/contracts", "tests/ui"],
    )
    for argv in [[*pytest, *words]] if words else everything:
        start = time.monotonic()
        shown = " ".join(argv[2:])
        code = run_inside(root, argv, environment=_environment(), folder=CHECKOUT)
        if code:
            say(f"on Python {version} this failed ({code}): {shown}")
            return code
        say(f"{shown}: {time.monotonic() - start:.0f} s")
    return 0


def say(text: str) -> None:
    """Tell the person what is done."""
    print(f"second Python: {text}", file=sys.stderr, flush=True)


def copy(sources: Path, target: Path) -> None:
    """Copy the files that git knows, or would add; what is the same already keeps its time, for those that compile it.

    Raises:
        DnetError: git doesn't know this folder.
    """
    argv = ["git", "-C", str(sources), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise DnetError(f"{sources} isn't a checkout: {listed.stderr.strip()}")
    names = {name for name in listed.stdout.split("\0") if name and os.path.lexists(sources / name)}
    for folder, _, files in os.walk(target):
        for file in files:
            path = Path(folder, file)
            made = path.suffix == ".pyc" or ".egg-info" in folder
            if not made and str(path.relative_to(target)) not in names:
                path.unlink()
    for name in sorted(names):
        before, after = sources / name, target / name
        if after.is_symlink() or after.is_file():
            if before.is_symlink() == after.is_symlink() and _same(before, after):
                continue
            after.unlink()
        after.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(before, after, follow_symlinks=False)


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink():
        return one.readlink() == other.readlink()
    return one.stat().st_mode == other.stat().st_mode and filecmp.cmp(one, other, shallow=False)


def install(root: Path) -> None:
    """Install the Python packages inside, unless they are there.

    Raises:
        DnetError: pip couldn't.
    """
    checkout = root / CHECKOUT.lstrip("/")
    made_of = (checkout / "pyproject.toml", checkout / LOCK)
    stamp = root / VENV.lstrip("/") / "made-of"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    say("installing Python packages …")
    settings = pip_settings.of_this_machine()
    environment = {**_environment(), **settings.environment, "PIP_CACHE_DIR": f"{KEPT}/pip"}
    pip = [f"{VENV}/bin/python", "-m", "pip", "install", "-qq"]
    for argv, needed in (
        (["python3", "-m", "venv", "--clear", VENV], True),
        ([*pip, "--require-hashes", "-r", LOCK], False),
        ([*pip, "-e", ".[dev]"], True),
    ):
        failed = run_inside(root, argv, lend=settings.paths, environment=environment, folder=CHECKOUT)
        if failed and not needed:
            say(f"{LOCK} could not be installed: the newest allowed versions are taken instead")
        elif failed:
            raise DnetError(f"inside the other release this failed: {' '.join(argv)}", "what it said is above")
    stamp.write_text(wanted, encoding="ascii")


def _environment() -> dict[str, str]:
    """The variables that programs inside get."""
    ours = {name: os.environ[name] for name in ("TERM", "HYPOTHESIS_PROFILE") if name in os.environ}
    return {**ours, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(Path.home()), "LANG": "C.UTF-8"}
