"""Programs of another Debian suite, unpacked into a cache and never installed.

The packages come through apt from the mirror that this machine is configured
with, checked against Debian's keyring; apt's own lists and cache aren't
touched, nor are the hooks of its configuration run.  The cache is
``$XDG_CACHE_HOME/dnet-tui-lab`` (default ``~/.cache``); what is there is used
as it is: remove it to have what the suite serves now.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from dnet_tui.inspect.errors import ActionFailedError, DnetError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEEDED = ("apt-get", "dpkg", "dpkg-deb")
PATIENCE = 120.0
"""Seconds for one of apt's commands; some 60 MB come in all."""


def unpacked(name: str, suite: str, packages: Sequence[str]) -> Path:
    """Return the folder with the unpacked ``packages`` of ``suite``; the first one's version becomes part of its name.

    Downloads them unless an earlier call did.  Several processes may call it
    at the same time.

    Raises:
        DnetError: this isn't Debian, or a download failed.
    """
    with locked() as cache:
        current = cache / f"{name}-{suite}"
        if not current.is_dir():
            folder = _download(cache, name, suite, packages)
            link = cache / "link"
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name)
            link.rename(current)
        return current.resolve()


@contextmanager
def locked() -> Iterator[Path]:
    """Hold the cache for this process, and give its folder; wait for others."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dnet-tui-lab"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob("partial-*"):  # of a process that was killed: nobody else is at work now
            shutil.rmtree(left)
        yield cache


def source_files(package: str, pattern: str) -> Path:
    """Return the folder with those files of a source package, of this machine's release, whose path fits ``pattern``.

    Downloads it unless an earlier call did.

    Raises:
        DnetError: this isn't Debian, or a download failed.
    """
    with locked() as cache:
        suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
        folder = cache / f"source-{package}-{suite}"
        if not folder.is_dir():
            with _workplace(cache, "deb-src", suite) as work:
                _run(work, "apt-get", "-c", "apt.conf", "-qq", "--download-only", "--only-source", "source", package)
                (archive,) = work.glob(f"{package}_*.orig.tar.*[!c]")  # its signature (.asc) may lie beside it
                _run(work, "tar", "-C", "root", "-xf", str(archive), "--wildcards", pattern)
                (work / "root").rename(folder)
        return folder


def _download(cache: Path, name: str, suite: str, packages: Sequence[str]) -> Path:
    with _workplace(cache, "deb", suite) as work:
        _run(work, "apt-get", "-c", "apt.conf", "-qq", "download", *packages)
        archives = {item.name.partition("_")[0]: item for item in work.glob("*.deb")}
        for archive in archives.values():
            _run(work, "dpkg", "-x", str(archive), "root")
        version = _run(work, "dpkg-deb", "-f", str(archives[packages[0]]), "Version")
        folder = cache / f"{name}-{version.partition(':')[2] or version}"
        shutil.rmtree(folder, ignore_errors=True)
        return (work / "root").rename(folder)


@contextmanager
def _workplace(cache: Path, kind: Literal["deb", "deb-src"], suite: str) -> Iterator[Path]:
    """A folder in which apt has lists of its own, and a folder ``root`` for what is unpacked; it is removed again."""
    source = mirror()
    with tempfile.TemporaryDirectory(prefix="partial-", dir=cache) as made:
        work = Path(made)
        for part in ("state/lists/partial", "cache/archives/partial", "root"):
            (work / part).mkdir(parents=True)
        (work / "status").touch()
        (work / "sources.list").write_text(f"{kind} [signed-by={KEYRING}] {source} {suite} main\n", encoding="ascii")
        (work / "apt.conf").write_text(_configuration(work), encoding="utf-8")
        # Given by -c it is read last; $APT_CONFIG would come before the machine's own.
        _run(work, "apt-get", "-c", "apt.conf", "-qq", "update")
        yield work


def _configuration(work: Path) -> str:
    """Return apt's configuration, which is read after the machine's: so its proxy still counts, and its hooks don't."""
    return f"""
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
"""


def mirror() -> str:
    """Return the URI of the Debian archive that this machine installs from."""
    release = platform.freedesktop_os_release()
    absent = [program for program in NEEDED if shutil.which(program) is None]
    if release.get("ID") != "debian" or absent or not KEYRING.exists():
        raise DnetError("packages of another Debian suite can only be had on Debian", "as the programs may not run")
    words = "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT)"
    argv = ["apt-get", "indextargets", "--format", words, "Created-By: Packages"]
    listed = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
    code = release.get("VERSION_CODENAME", "")
    for line in listed.splitlines():
        # Debian's security archive, and its updates, have other codenames.
        uri, *names, component = line.split()
        if code in names and component == "main":
            return uri
    raise DnetError("apt has no source for this Debian itself", "see /etc/apt/sources.list and sources.list.d")


def _run(work: Path, *argv: str) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    said = f"{argv[0]} {argv[-1]}"
    try:
        done = subprocess.run(
            argv, cwd=work, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ActionFailedError(f"{said} took longer than {PATIENCE:g} s") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or str(done.returncode)).splitlines()
        why = next((line for line in lines if line.startswith("E: ")), lines[0])
        raise ActionFailedError(f"{said} failed: {why}", "the network is needed once: what was downloaded is kept")
    return done.stdout.strip()
