"""Makes a folder the root of this process, and becomes the systemd in it.  Uses nothing but the standard library.

Started by :mod:`lab.releases.booted_host` as process 1 of new mount, process,
network and cgroup namespaces.  What is written goes to a layer over the
folder; of the kernel's parameters only those of the network can be written,
which are this namespace's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import uuid
from pathlib import Path

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READY = "about to start systemd"


def mount(*words: str) -> None:
    """Mount something in this namespace."""
    subprocess.run(["mount", *words], check=True)


def file_systems(root: Path) -> None:
    """Mount what a root needs besides its own files."""
    mount("-t", "proc", "proc", str(root / "proc"))
    for place in ("proc/sys", "proc/sys/net"):
        mount("--bind", str(root / place), str(root / place))
    mount("-o", "remount,bind,ro", str(root / "proc/sys"))
    mount("-t", "sysfs", "-o", "ro", "sysfs", str(root / "sys"))
    mount("-t", "cgroup2", "cgroup2", str(root / "sys/fs/cgroup"))
    for name in ("run", "tmp", "dev"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / name))
    for name in DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", str(root / "dev" / name))
    boot = root / "run/boot_id"
    boot.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    mount("--bind", str(boot), str(root / "proc/sys/kernel/random/boot_id"))
    for name in ("pts", "shm"):
        (root / "dev" / name).mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", str(root / "dev/pts"))
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    (root / "dev/fd").symlink_to("/proc/self/fd")


def lend(root: Path, path: Path) -> None:
    """Show a folder or file of the machine inside, at the same place, read-only."""
    place = root / path.relative_to("/")
    if path.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    mount("--bind", str(path), str(place))
    mount("-o", "remount,bind,ro", str(place))


def main() -> None:
    """Do it; doesn't return."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path, help="the root, writable")
    parser.add_argument("--lend", action="append", type=Path, default=[])
    options = parser.parse_args()
    file_systems(options.root)
    for path in options.lend:
        lend(options.root, path)
    os.chdir(options.root)
    old = options.root / "run/machine"
    old.mkdir()
    subprocess.run(["pivot_root", ".", "run/machine"], check=True)
    os.chroot(".")
    os.chdir("/")
    subprocess.run(["umount", "--lazy", "/run/machine"], check=True)
    Path("/run/machine").rmdir()
    print(READY, flush=True)
    os.execve("/sbin/init", ["/sbin/init"], {"container": "lab", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})  # noqa: S606


if __name__ == "__main__":
    main()
