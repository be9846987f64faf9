"""Makes a folder the root of this process, and runs a program in it.  Uses nothing but the standard library.

Started by :mod:`lab.releases.debian_root` as process 1 of new mount and
process namespaces: what is mounted here vanishes with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path


def mount(*words: str) -> None:
    """Mount something in this namespace."""
    subprocess.run(["mount", *words], check=True)


def lend(root: Path, path: Path) -> None:
    """Show a file or folder of the machine inside, at the same place, read-only."""
    place = root / path.relative_to("/")
    if path.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # it may be a link to what isn't there
        place.touch()
    mount("--bind", str(path), str(place))
    mount("-o", "remount,bind,ro", str(place))


def enter(root: Path, lent: list[Path]) -> None:
    """Become a process of that root.  A plain chroot could be left, and is one to container engines."""
    mount("--bind", str(root), str(root))
    mount("--rbind", "/dev", str(root / "dev"))
    mount("--rbind", "/sys", str(root / "sys"))
    mount("-t", "proc", "proc", str(root / "proc"))
    for name in ("run", "tmp"):
        mount("-t", "tmpfs", "tmpfs", str(root / name))
    for path in lent:
        lend(root, path)
    old = root / "run" / "machine"
    old.mkdir()
    os.chdir(root)
    subprocess.run(["pivot_root", ".", "run/machine"], check=True)
    os.chroot(".")
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/run/machine"], check=True)
    Path("/run/machine").rmdir()


def run(argv: list[str]) -> int:
    """Run the program and return its exit code; bury everybody else whose parent died."""
    child = os.spawnvp(os.P_NOWAIT, argv[0], argv)  # noqa: S606 - no shell is wanted
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--folder", default="/")
    parser.add_argument("--lend", action="append", type=Path, default=[])
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args()
    enter(options.root, options.lend)
    os.chdir(options.folder)
    code = run(options.argv)
    raise SystemExit(code if code >= 0 else 128 - code)
