"""A lab host that a real systemd starts: Debian 13, with its own /etc and /var, which outlive a reboot.

Each boot has new namespaces, so that nothing of the kernel's memory comes
over: no link, rule or parameter.  What was written stays in a layer over the
root folder, on the private host's own tmpfs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dnet_tui.actions.demo.faults import FaultTarget
from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.errors import ActionFailedError
from lab.machines.cgroups import new_cgroup, remove_cgroups
from lab.machines.hosts import LAB_ID, LAB_VARIABLE, LabHost
from lab.releases import boot_root
from lab.releases.debian_root import debian_root

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "iproute2", "nftables", "iptables", "procps", "kmod"),
    *("busybox-static", "iputils-ping", "python3"),
)
PATIENCE = 60.0
"""Seconds until systemd has started everything; it takes about three."""

REPOSITORY = Path(__file__).parents[3]


@dataclass
class BootedHost(LabHost):
    """The host.  ``python`` is this machine's interpreter, lent like the repository."""

    root: Path = Path("/")
    cgroup: str = field(default_factory=new_cgroup)
    machine: subprocess.Popen[bytes] | None = None
    init: str = ""
    """Process 1's number among the sandbox's."""

    @classmethod
    def prepare(cls) -> Self:
        """The host before its first boot.  Needs root.

        Raises:
            DnetError: The root can't be made, or no private host be had.
        """
        root = debian_root("trixie", PACKAGES, name="machine")
        sandbox = Sandbox.start("booted", environment={LAB_VARIABLE: LAB_ID})
        host = cls(sandbox=sandbox, addresses={}, target=FaultTarget(bridge="", subnet=""), root=root)
        host.environment["DNET_TUI_STATE"] = "/var/lib/dnet-tui"  # what is below /run goes with a boot
        try:
            host.outside("mount", "-t", "tmpfs", "tmpfs", "/mnt")
            host.outside("mkdir", "/mnt/layer", "/mnt/work", "/mnt/root")
            layers = f"lowerdir={root},upperdir=/mnt/layer,workdir=/mnt/work"
            host.outside("mount", "-t", "overlay", "overlay", "-o", layers, "/mnt/root")
        except BaseException:
            host.stop()
            raise
        return host

    def outside(self, *argv: str, stdin: bytes = b"") -> str:
        """Run something beside the host; its files are below /mnt/root there."""
        return self.sandbox.run(argv, check=True, stdin=stdin).stdout.decode()

    def boot(self) -> None:
        """Start it, and wait until systemd says that it runs.

        Raises:
            ActionFailedError: It didn't come up, or a unit failed.
        """
        lent = [word for path in _lent() for word in ("--lend", str(path))]
        inner = [sys.executable, "-I", "-S", boot_root.__file__, "/mnt/root", *lent]
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
        join = 'echo $$ > "$0/cgroup.procs"; echo $$ > /mnt/unshare.pid; exec "$@"'
        argv = ["sh", "-c", join, str(self._folder()), "unshare", *spaces, "--propagation", "private", "--", *inner]
        self.machine = self.sandbox.popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, new_session=True
        )
        assert self.machine.stdout is not None
        said = self.machine.stdout.readline().decode()
        if said.strip() != boot_root.READY:
            raise ActionFailedError(f"the host did not boot: {said}{self.machine.stdout.read().decode()}")
        number = self.outside("cat", "/mnt/unshare.pid").strip()
        self.init = self.outside("cat", f"/proc/{number}/task/{number}/children").strip()
        deadline = time.monotonic() + PATIENCE
        state = ""
        while time.monotonic() < deadline:
            state = self.run("systemctl", "is-system-running", check=False).stdout.decode().strip()
            if state in ("running", "degraded"):
                break
            time.sleep(0.05)
        if state != "running":
            failed = self.run("systemctl", "--failed", "--no-pager", "--plain", check=False).stdout.decode()
            raise ActionFailedError(f"the host is {state or 'silent'} {PATIENCE:g} s after it was booted: {failed}")

    def settle(self) -> None:
        """Wait until systemd has nothing left to do: what follows from a command goes on when that has returned."""
        deadline = time.monotonic() + PATIENCE
        while b"No jobs" not in self.run("systemctl", "list-jobs").stdout and time.monotonic() < deadline:
            time.sleep(0.05)

    def power_off(self) -> None:
        """End it at once, as a power failure would."""
        if self.machine is not None:
            self.sandbox.run(["kill", "-9", self.init])
            self.machine.wait()
            assert self.machine.stdout is not None
            self.machine.stdout.close()
            self.machine = None

    def run(
        self, *argv: str, check: bool = True, stdin: bytes = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the booted host."""
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup"]
        # The virtual environment's link would lead to the root's own Python.
        words = [_python() if word == sys.executable else word for word in argv]
        enter = ["nsenter", "-t", self.init, *spaces, "--", "env", f"PYTHONPATH={_python_path()}", *words]
        return self.sandbox.run(enter, check=check, stdin=stdin, timeout=timeout, environment=self.environment)

    def stop(self) -> None:
        """End it for good."""
        self.power_off()
        super().stop()
        remove_cgroups(self.cgroup)

    def _folder(self) -> Path:
        unified = Path("/sys/fs/cgroup/unified")
        folder = (unified if unified.is_dir() else unified.parent) / self.cgroup
        folder.mkdir(exist_ok=True)
        return folder


def _lent() -> Sequence[Path]:
    """This machine's Python, with what is installed for it, and the repository."""
    library = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    shared = Path(str(sysconfig.get_config_var("LIBDIR")), str(sysconfig.get_config_var("INSTSONAME")))
    places = {Path(_python()), *library, REPOSITORY, *({shared.resolve()} if shared.is_file() else ())}
    return sorted(place for place in places if not any(other in place.parents for other in places))


def _python() -> str:
    return os.path.realpath(sys.executable)


def _python_path() -> str:
    packages = {str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib")}
    return os.pathsep.join([str(REPOSITORY / "src"), *sorted(packages)])
