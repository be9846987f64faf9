"""Which Podman there is to ask on this host, found without running it.

Merely running ``podman ps`` where Podman never ran makes its folders, locks
and database, and connecting to its socket has systemd start it.  So it is
asked only where it has been at work since the machine started: where it
left its mark in /run, or one of its conmon processes runs.

A conmon is told, in its arguments, with which global options podman is to
be called when the container ends: its storage, its backend.  Podman is asked
with these same options, so that another storage than the usual is seen too.
Only a conmon in this program's own PID and mount namespace, run by the same
user, is believed: a container's processes and other users can say anything.

Sources: podman(1), conmon(8), containers-storage.conf(5).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.kernel.procfs import ProcessSeen, read_argv
from dnet_tui.inspect.text.encoding import text

_MARK = "/run/libpod/alive"
"""Made by the first podman after the start of the machine."""

_CONFIGURATIONS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_USUAL_STORE = "/var/lib/containers/storage"

_KEPT = frozenset(
    {
        *("--root", "--runroot", "--tmpdir", "--imagestore", "--storage-driver", "--storage-opt", "--db-backend"),
        *("--network-backend", "--network-config-dir", "--volumepath", "--runtime", "--cgroup-manager"),
        *("--events-backend", "--transient-store"),
    }
)
"""The global options that decide which containers podman sees, and how."""


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """One Podman to ask: the global options to call it with; none for the usual one."""

    options: tuple[str, ...] = ()


def find_stores(processes: Iterable[ProcessSeen], environment: Mapping[str, str]) -> tuple[Store, ...]:
    """The stores that this user's Podman works with; none where it hasn't run since the machine started."""
    near = read_spaces("self")
    found = {Store(options=parse_options(read_argv(item.pid))) for item in processes if is_believed(item, near)}
    if found:
        return tuple(sorted(found, key=lambda store: store.options))
    if os.geteuid() == 0 and Path(_MARK).exists() and _usual_store_exists(environment):
        return (Store(),)
    return ()


class Spaces(NamedTuple):
    """A process's PID and mount namespace, as the kernel writes them; empty when they may not be looked at."""

    pid: str
    mount: str


def read_spaces(pid: int | str) -> Spaces:
    """The namespaces of a process by its PID, or of this one by ``self``."""
    try:
        return Spaces(*(str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in ("pid", "mnt")))
    except OSError:
        return Spaces("", "")


def is_believed(process: ProcessSeen, near: Spaces) -> bool:
    """Whether a process is a conmon of this user, among the processes and mounts ``near`` this program."""
    if process.name != "conmon" or process.container is not None:
        return False
    try:
        status = Path(f"/proc/{process.pid}/status").read_bytes()
    except OSError:
        return False
    spaces, user = read_spaces(process.pid), os.geteuid()
    # A rootless podman has mounts of its own; root's would be a container's.
    is_near = bool(spaces.pid) and spaces.pid == near.pid and (spaces.mount == near.mount or user != 0)
    return is_near and parse_uids(status) == {user}


def parse_uids(status: bytes) -> set[int]:
    """The user ids of a process (real, effective, saved, of the file system) in /proc/PID/status."""
    for line in status.splitlines():
        if line.startswith(b"Uid:"):
            return {int(word) for word in line.decode("ascii", "replace").split()[1:] if word.isdecimal()}
    return set()


def parse_options(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The global options in a conmon's arguments: ``--exit-command-arg --root --exit-command-arg /var/lib/…``."""
    words = [argv[index + 1] for index, word in enumerate(argv[:-1]) if word == "--exit-command-arg"]
    kept: list[str] = []
    position = 0
    while position < len(words) and words[position].startswith("--"):
        name, equals, value = words[position].partition("=")
        position += 1
        if not equals and name not in _FLAGS and position < len(words):
            value = words[position]
            position += 1
        if name in _KEPT:
            kept.append(f"{name}={value}" if name not in _FLAGS or equals else name)
    return tuple(kept)


_FLAGS = frozenset({"--syslog", "--transient-store", "--remote", "--log-compression"})
"""Global options without a value, or with one only behind ``=``."""


def _usual_store_exists(environment: Mapping[str, str]) -> bool:
    """Whether the storage that a plain ``podman`` would use holds Podman's database already."""
    root = Path(_graph_root(environment))
    try:
        return (root / "libpod").is_dir() or (root / "db.sql").is_file()
    except OSError:
        return False


def _graph_root(environment: Mapping[str, str]) -> str:
    given = environment.get("CONTAINERS_STORAGE_CONF", "")
    for path in (given,) if given else _CONFIGURATIONS:
        try:
            return parse_graph_root(Path(path).read_bytes())
        except OSError:
            continue
    return _USUAL_STORE


def parse_graph_root(raw: bytes) -> str:
    """``graphroot`` of a storage.conf; the usual place where it doesn't say, or isn't readable as TOML."""
    try:
        storage = tomllib.loads(text(raw)).get("storage")
    except (tomllib.TOMLDecodeError, RecursionError):
        return _USUAL_STORE
    root = storage.get("graphroot") if isinstance(storage, dict) else None
    return root if isinstance(root, str) and root else _USUAL_STORE
