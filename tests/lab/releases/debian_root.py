"""A complete Debian of another release, in a folder of the cache: made once, and entered in namespaces of its own.

What a program inside sees is that Debian's own files, this machine's devices
and network, and the paths that are lent to it.  Nothing on this machine is
changed but the folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dnet_tui.inspect.errors import ActionFailedError, DnetError
from lab.machines.debs import KEYRING, locked, mirror

NEEDED = ("mmdebstrap", "unshare", "mount", "umount", "pivot_root")
PATIENCE = 600.0
"""Seconds for the making of a root; it takes half a minute, and downloads 60 MB and more."""

ENTER = Path(__file__).with_name("enter_root.py")


def debian_root(suite: str, packages: Sequence[str], name: str = "") -> Path:
    """Return the root folder of a Debian ``suite`` with ``packages``, made unless an earlier call did.

    ``name`` tells it from other roots of that suite, with other packages.

    Raises:
        DnetError: something needed is missing, or it couldn't be made.
    """
    absent = [program for program in NEEDED if shutil.which(program) is None]
    if absent:
        raise DnetError(f"a Debian root takes {', '.join(absent)}", "script/bootstrap test installs it on Debian")
    wanted = " ".join(sorted(packages))
    with locked() as cache:
        whole = f"{suite}-{name}" if name else suite
        root, made = cache / f"root-{whole}", cache / f"root-{whole}.packages"
        if not root.is_dir() or not made.exists() or made.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(root, ignore_errors=True)
            _make(cache / f"partial-root-{whole}", suite, packages)
            (cache / f"partial-root-{whole}").rename(root)
            made.write_text(wanted, encoding="utf-8")
    return root


def _make(root: Path, suite: str, packages: Sequence[str]) -> None:
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--keyring={KEYRING}", f"--include={','.join(packages)}"]
    try:
        done = subprocess.run(
            [*argv, suite, str(root), mirror()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ActionFailedError(f"making a root of Debian {suite} took longer than {PATIENCE:g} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        why = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise ActionFailedError(f"making a root of Debian {suite} failed: {why}", "the network is needed once")


def run_inside(
    root: Path, argv: Sequence[str], *, lend: Sequence[Path] = (), environment: Mapping[str, str], folder: str = "/"
) -> int:
    """Run a program inside a root, in mount and process namespaces of its own, and return its exit code.

    Args:
        root: what :func:`debian_root` gave.
        argv: the program, as found inside.
        lend: paths of this machine that are there too, read-only.
        environment: all of its variables.
        folder: where it is started.
    """
    lent = [word for path in lend for word in ("--lend", str(path))]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"]
    entered = [sys.executable, "-I", str(ENTER), str(root), "--folder", folder, *lent, "--", *argv]
    done = subprocess.run([*namespaces, *entered], stdin=subprocess.DEVNULL, env=dict(environment), check=False)
    return done.returncode
