"""Builds the one file: dnet-tui with all it needs as a Python text that runs from anywhere, also from stdin.

Not a zip: ``ssh host 'sudo python3 - snapshot save -' < dnet-tui.pyz`` reads it
as a program, and a program may hold no zero bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from packaging_steps import run

PYTHONS = ("3.11", "3.12", "3.13")
"""Whose compiled parts are carried: Debian 12's, Ubuntu 24.04's and Debian 13's."""

ARCHITECTURES = ("x86_64", "aarch64")
_TAGS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
COMPILED = ("msgspec", "psutil")
"""The packages with compiled parts; everything else is pure Python."""

HEAD = Path(__file__).with_name("run_from_cache.py")
_UNWANTED = (
    *("__pycache__", "*.pyc", "*.pyx", "*.c", "tests", "bin"),
    *("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"),
)


def pip(*words: str | Path) -> None:
    """Run pip of this environment."""
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words)


def install_pure(wheel: Path, folder: Path) -> None:
    """Install a wheel of dnet-tui and what it needs into a folder, without what has compiled parts."""
    pip("install", "--target", folder, "--no-compile", wheel)
    for name in COMPILED:
        for found in folder.glob(f"{name}*"):
            shutil.rmtree(found)
    compiled = sorted(str(item.relative_to(folder)) for item in folder.rglob("*.so"))
    if compiled:
        msg = f"a package with compiled parts is not listed in COMPILED: {', '.join(compiled)}"
        raise SystemExit(msg)


def install_compiled(version: str, architecture: str, folder: Path) -> None:
    """Install the packages with compiled parts for one Python and one processor."""
    platforms = [f"--platform={tag}_{architecture}" for tag in _TAGS]
    words = ("--no-deps", "--no-compile", "--only-binary=:all:", f"--python-version={version}", "--implementation=cp")
    pip("install", "--target", folder, *words, *platforms, *COMPILED)


def tree(wheel: Path, folder: Path, architecture: str | None) -> Path:
    """Lay out what the one file unpacks: ``pure`` and, for an architecture, ``compiled/cpNNN``."""
    install_pure(wheel, folder / "pure")
    if architecture:
        for version in PYTHONS:
            install_compiled(version, architecture, folder / "compiled" / f"cp{version.replace('.', '')}")
    for pattern in _UNWANTED:
        for found in list(folder.rglob(pattern)):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
    return folder


def archive(folder: Path) -> bytes:
    """Pack a folder, the same bytes from the same files: sorted, without times and owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tar.gettarinfo(path, str(path.relative_to(folder)))
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "root", "root"
            info.mode = 0o755 if info.isdir() else 0o644
            if info.isfile():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            elif info.isdir():
                tar.addfile(info)
    return lzma.compress(packed.getvalue(), preset=9)


def write(data: bytes, to: Path) -> Path:
    """Write the file that carries an archive, executable."""
    text = HEAD.read_text()
    payload = base64.b64encode(data).decode()
    digest = hashlib.sha256(data).hexdigest()
    # -I: neither the folder it lies in nor the caller's environment says what is imported.
    to.write_text(f'#!/usr/bin/python3 -I\nPAYLOAD = "{payload}"\nDIGEST = "{digest}"\n{text}')
    to.chmod(0o755)
    return to


def build(wheel: Path, out: Path, scratch: Path, architectures: Sequence[str | None]) -> list[Path]:
    """Build one file per architecture; None stands for the one that uses the host's own compiled packages."""
    made = []
    for architecture in architectures:
        name = f"dnet-tui-{architecture}.pyz" if architecture else "dnet-tui-pure.pyz"
        folder = tree(wheel, scratch / (architecture or "pure"), architecture)
        made.append(write(archive(folder), out / name))
    return made


def smoke_test(file: Path, python: str = sys.executable) -> str:
    """Run a file's ``--version``, from a path and from stdin; returns what it printed."""
    told = run(python, file, "--version")
    with file.open("rb") as stdin:
        done = subprocess.run([python, "-", "--version"], stdin=stdin, capture_output=True, text=True, check=True)
    piped = done.stdout
    if told != piped or not told.startswith("dnet-tui "):
        msg = f"{file.name} says {told!r} from a path and {piped!r} from stdin"
        raise SystemExit(msg)
    return told.strip()
