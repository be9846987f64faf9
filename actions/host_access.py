"""The few ways in which this room touches the host.

Everything that writes goes through here, so that tests put another host in
its place.  It acts on the network namespace of the calling thread: ``/proc/sys/net``
shows the namespace of whoever opens it (sysctl files are resolved per task,
see proc(5)), and programs inherit it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.kernel.run_program import find_program, run_program

TIME_LIMIT = 30.0
"""Seconds a host program may take: ``iptables -w`` waits for the lock of others."""

_ROOT_HINT = "changing the host's network needs root (CAP_NET_ADMIN): try sudo"


class Ran(NamedTuple):
    """How a program ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


class HostAccess(Protocol):
    """What the executors need of a host."""

    def sysctl(self, key: str) -> str | None:
        """The value of a dotted key, None when the kernel has no such key."""

    def set_sysctl(self, key: str, value: str) -> None:
        """Write a key.

        Raises:
            ActionFailedError: The kernel refused, or there is no such key.
        """

    def interfaces(self, family: str) -> tuple[str, ...]:
        """The names below ``net.FAMILY.conf`` (``ipv4`` or ``ipv6``), as in the kernel's folder."""

    def sysctls_below(self, key: str) -> tuple[str, ...]:
        """The dotted keys directly below a dotted key, such as all of ``net.ipv4.conf.br0``; none if it isn't there."""

    def run(self, argv: Sequence[str], *, limit: float = TIME_LIMIT, given: bytes = b"") -> Ran:
        """Run a program without a shell; ``given`` is its standard input.

        Raises:
            ActionFailedError: It isn't there, or it did not end within ``limit`` seconds.
        """

    def has(self, program: str) -> bool:
        """True when ``program`` is installed, found as :meth:`run` finds it."""

    def has_package(self, name: str) -> bool:
        """True when Python can import the package ``name``; it is not imported."""

    def read(self, path: str) -> str | None:
        """The text of a small kernel file, None when it can't be read."""


class LocalHost:
    """The real one."""

    def sysctl(self, key: str) -> str | None:
        """See :class:`HostAccess`."""
        return self.read(str(sysctl_path(key)))

    def set_sysctl(self, key: str, value: str) -> None:
        """See :class:`HostAccess`."""
        path = sysctl_path(key)
        if "\n" in value or "\0" in value:
            msg = f"{key}: not a sysctl's value: {value!r}"
            raise ActionFailedError(msg)
        try:
            # Unbuffered and in one write(2): the kernel parses each write on its own.
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, value.encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            msg = f"could not set {key} to {value}: {error.strerror}"
            hint = _ROOT_HINT if isinstance(error, PermissionError) else f"see {path}"
            raise ActionFailedError(msg, hint) from error

    def interfaces(self, family: str) -> tuple[str, ...]:
        """See :class:`HostAccess`."""
        try:
            return tuple(sorted(item.name for item in Path("/proc/sys/net", family, "conf").iterdir()))
        except OSError:
            return ()  # no IPv6 in this kernel

    def sysctls_below(self, key: str) -> tuple[str, ...]:
        """See :class:`HostAccess`."""
        try:
            return tuple(sorted(f"{key}.{item.name}" for item in sysctl_path(key).iterdir()))
        except OSError:
            return ()

    def run(self, argv: Sequence[str], *, limit: float = TIME_LIMIT, given: bytes = b"") -> Ran:
        """See :class:`HostAccess`."""
        done = run_program(argv, stdin=given, seconds=limit)
        if done.code is not None:
            return Ran(
                done.code,
                done.output.decode(errors="backslashreplace"),
                done.complaint.decode(errors="backslashreplace"),
            )
        hints = {
            "absent": f"install the package that brings {argv[0]}, then try again",
            "denied": _ROOT_HINT,
            "late": "something else may hold the xtables lock; see `fuser /run/xtables.lock`",
        }
        raise ActionFailedError(done.error, hints.get(done.trouble, ""))

    def has(self, program: str) -> bool:
        """See :class:`HostAccess`."""
        return find_program(program) is not None

    def has_package(self, name: str) -> bool:
        """See :class:`HostAccess`."""
        return importlib.util.find_spec(name) is not None

    def read(self, path: str) -> str | None:
        """See :class:`HostAccess`."""
        try:
            return Path(path).read_text(errors="backslashreplace").rstrip("\n")
        except OSError:
            return None


def sysctl_path(key: str) -> Path:
    """Return the file of a dotted key; ``/`` inside a part stands for a dot of a device's name.

    Only ``net.`` keys have a path here: nothing else is per namespace, and nothing else is this tool's to change.

    Raises:
        ActionFailedError: ``key`` is no network parameter.
    """
    parts = [part.replace("/", ".") for part in key.split(".")]
    if parts[0] != "net" or len(parts) < 3 or any(part in ("", ".", "..") or "\0" in part for part in parts):
        msg = f"not a network parameter: {key}"
        raise ActionFailedError(msg)
    return Path("/proc/sys", *parts)
