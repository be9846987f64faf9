"""A private host: its own network, mount, PID and UTS namespaces, gone without trace when it stops.

Touches nothing of the machine's own namespaces.  Without root a user
namespace comes first, in which the caller is root.  Everything inside hangs
on one process (see :mod:`dnet_tui.actions.demo.init_process`); the kernel removes
the rest when that one ends, also when this program is killed.

Needs ``unshare`` and ``nsenter`` (util-linux) and ``mount``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from dnet_tui.actions.demo.explain_failure import explain_refusal, read_settings
from dnet_tui.actions.demo.requirements import require, search_path
from dnet_tui.inspect.errors import ActionFailedError, DnetError

START_LIMIT = 10.0
"""Seconds until the holder must have answered; it takes some 50 ms."""

FOREIGN_ENVIRONMENT = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "CONTAINER_HOST", "XDG_RUNTIME_DIR"),
    "DNET_TUI_STATE",
)
"""Variables that would lead a program inside to an engine, or to a journal, outside."""


def module_argv(module: str, *arguments: str, site: bool = False) -> list[str]:
    """Return the command that runs one of this program's modules with this interpreter.

    ``site`` False skips site-packages, which makes start-up faster for
    modules that need only the standard library.
    """
    return [sys.executable, "-P", *([] if site else ["-S"]), "-m", module, *arguments]


def inner_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for programs inside: finds this package and the system's programs, and no engine."""
    import dnet_tui  # noqa: PLC0415 - a namespace package, whose places are only known at run time

    places = [str(Path(place).parent) for place in dnet_tui.__path__]
    env = {key: value for key, value in os.environ.items() if key not in FOREIGN_ENVIRONMENT}
    env["PYTHONPATH"] = os.pathsep.join([*places, *filter(None, [env.get("PYTHONPATH", "")])])
    env["PATH"] = search_path()
    env["XDG_STATE_HOME"] = "/run/state"  # journals of a disposable host vanish with it
    return env | dict(extra or {})


@dataclass
class Sandbox:
    """A running private host.  Make one with :meth:`start`, end it with :meth:`stop` or as a context manager."""

    pid: int
    """PID of the holder, as seen from the caller."""
    user: bool
    """Whether it lives in a user namespace of its own."""
    holder: subprocess.Popen[bytes] = field(repr=False)
    lifeline: socket.socket = field(repr=False)
    extra_environment: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def start(
        cls, hostname: str = "demo", *, user: bool | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Start a private host.

        Args:
            hostname: its name, up to 64 bytes.
            user: whether to use a user namespace; None does so only when not root.
            environment: variables for everything that runs inside.

        Raises:
            DnetError: a program is missing (with the package), or the kernel refuses (with the setting to look at).
        """
        require("unshare", "nsenter", "mount")
        in_user = os.geteuid() != 0 if user is None else user
        # In two steps: of a network namespace that is made before its root is mapped, some files below /proc/net
        # belong to the machine's root for good, and nobody inside can read them (xt_proto_init in x_tables.c).
        argv = ["unshare", "--user", "--map-root-user", "--"] if in_user else []
        argv += ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--"]
        extra = dict(environment or {})
        ours, theirs = socket.socketpair()
        with theirs:
            # SCM_CREDENTIALS carries the sender's PID translated into the receiver's namespace (unix(7)).
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            holder = subprocess.Popen(
                [*argv, *module_argv("dnet_tui.actions.demo.init_process", hostname)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=inner_environment(extra),
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C must reach the program inside, not the holder
            )
        sandbox = cls(pid=0, user=in_user, holder=holder, lifeline=ours, extra_environment=extra)
        try:
            sandbox.pid = _await_ready(ours, holder, in_user=in_user)
        except BaseException:
            sandbox.stop()
            raise
        return sandbox

    def enter_argv(self, argv: Sequence[str], *, cwd: str | None = None) -> list[str]:
        """Return the command that runs ``argv`` inside, in ``cwd`` (default: ``/``)."""
        user = ["--user", "--preserve-credentials"] if self.user else []
        place = ["env", "-C", cwd] if cwd else []
        spaces = ["--net", "--mount", "--pid", "--uts"]
        return ["nsenter", "-t", str(self.pid), *user, *spaces, "--", *place, *argv]

    def popen(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        stdin: int | IO[bytes] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        environment: Mapping[str, str] | None = None,
        new_session: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start ``argv`` inside.  With ``new_session`` it gets no signal from the caller's terminal."""
        return subprocess.Popen(
            self.enter_argv(argv, cwd=cwd),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=inner_environment(self.extra_environment | dict(environment or {})),
            start_new_session=new_session,
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        stdin: bytes = b"",
        check: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``argv`` inside and return its output.

        Raises:
            ActionFailedError: it took longer than ``timeout`` seconds (it is killed then), or with ``check`` it failed.
        """
        pipe = subprocess.PIPE
        process = self.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, environment=environment, new_session=True)
        with process:
            try:
                out, err = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired:
                raise ActionFailedError(
                    f"{argv[0]} inside the private host took longer than {timeout:g} s", " ".join(argv)
                ) from None
            finally:
                if process.returncode is None:
                    # nsenter forks for the PID namespace: end the group, or its child would go on.
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        if check and process.returncode:
            words = err.decode(errors="replace").strip() or out.decode(errors="replace").strip()
            raise ActionFailedError(f"{' '.join(argv)} failed: {words or process.returncode}")
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def stop(self) -> None:
        """End the private host and wait until its processes are gone.  Safe to repeat."""
        self.lifeline.close()
        try:
            # The kernel lets PID 1 end only after it has killed and reaped everything else in the namespace.
            self.holder.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.holder.kill()
            self.holder.wait()
        if self.holder.stderr is not None:
            self.holder.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _await_ready(ours: socket.socket, holder: subprocess.Popen[bytes], *, in_user: bool) -> int:
    """Return the holder's PID once it says it is ready; raises DnetError when it went away or said nothing in time."""
    ours.settimeout(START_LIMIT)
    data = b""
    ancillary: list[tuple[int, int, bytes]] = []
    with contextlib.suppress(TimeoutError):
        data, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(struct.calcsize("3i")))
    for level, kind, payload in ancillary if data == b"ready" else ():
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(struct.unpack("3i", payload)[0])  # struct ucred: pid, uid, gid
    raise _refused(holder, in_user=in_user)


def _refused(holder: subprocess.Popen[bytes], *, in_user: bool) -> DnetError:
    """End a holder that never got ready, and return why."""
    holder.kill()
    _, words = holder.communicate()
    return explain_refusal(
        words.decode(errors="replace"), in_user=in_user, root=os.geteuid() == 0, settings=read_settings()
    )
