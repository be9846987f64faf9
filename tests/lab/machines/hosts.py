"""The lab's hosts: what every one of them can do, and the one without an engine."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import msgspec

from dnet_tui.actions.demo import host as demo
from dnet_tui.actions.demo.faults import FaultTarget, fault
from dnet_tui.actions.demo.sandbox import Sandbox, module_argv
from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.inspect.model import Snapshot

LAB_ID = f"{os.getpid()}-{secrets.token_hex(3)}"
"""Names everything this process makes, so that parallel test runs don't mistake each other's things for leaks."""

LAB_VARIABLE = "DNET_LAB_ID"

OUTSIDE_SERVER = DEMO.outside_server
"""The address on the "internet" that answers over TCP 80, as ``internet``, and UDP 53."""

UPLINK_ADDRESS = DEMO.uplink_address.partition("/")[0]
"""The host's address as seen from outside."""

_JUDGES = frozenset({"doctor", "why"})

_TENTATIVE, _IN_TRIAL = 0x40, 0x48
"""``IFA_F_TENTATIVE``, and with it ``IFA_F_DADFAILED`` (linux/if_addr.h): an address that failed stays tentative."""

_DETECTION = 5.0
"""Seconds that the detection of duplicates takes at most: a random second, then one (RFC 4862, 5.4.2)."""

_SNAPSHOT = """
import sys
import msgspec
from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot
sys.stdout.buffer.write(msgspec.json.encode(take_snapshot()))
"""


@dataclass
class LabHost:
    """A private host with containers on it."""

    sandbox: Sandbox
    addresses: dict[str, str]
    """The first address of each container that has one."""
    target: FaultTarget
    """The network that faults are put into."""
    environment: dict[str, str] = field(default_factory=dict)
    addresses6: dict[str, str] = field(default_factory=dict)
    """The first global IPv6 address of each container that has one."""

    def run(
        self, *argv: str, check: bool = True, stdin: bytes = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the host."""
        return self.sandbox.run(argv, check=check, stdin=stdin, timeout=timeout, environment=self.environment)

    def dnet(self, *arguments: str, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        """Run dnet-tui on the host, whatever its exit code; what it prints as JSON must fit its schema.

        What judges the host comes once its addresses are in use: one that is being tried is rightly unknown.
        """
        if arguments and arguments[0] in _JUDGES:
            self.addresses_settled()
        done = self.run(*dnet_argv(*arguments), check=False, stdin=stdin, timeout=timeout)
        if "json" in arguments and done.stdout:
            _fits_its_schema(arguments, done.stdout)
        return done

    def addresses_settled(self) -> None:
        """Wait until none of the host's IPv6 addresses is being tried for duplicates; without carrier that waits."""
        table, deadline = Path(f"/proc/{self.sandbox.pid}/net/if_inet6"), time.monotonic() + _DETECTION
        while time.monotonic() < deadline and table.exists():
            if not any(int(line.split()[4], 16) & _IN_TRIAL == _TENTATIVE for line in table.read_text().splitlines()):
                return
            links = msgspec.json.decode(self.run("ip", "-6", "-j", "address", "show", "tentative").stdout or b"[]")
            if not any("LOWER_UP" in link.get("flags", ()) for link in links):
                return
            time.sleep(0.1)

    def snapshot(self) -> Snapshot:
        """Take a snapshot on the host."""
        result = self.run(*python_argv(_SNAPSHOT))
        return msgspec.json.decode(result.stdout, type=Snapshot)

    def enter(self, place: str) -> list[str]:
        """Return the command prefix that runs a program in the network of a container, of ``host`` or ``outside``."""
        if place == "host":
            return []
        return ["nsenter", f"--net=/run/netns/{DEMO.outside if place == 'outside' else place}", "--"]

    def rules(self) -> str:
        """Return ``iptables-nft-save`` without counters and dates."""
        saved = self.run("iptables-nft-save").stdout.decode()
        lines = (re.sub(r"\[\d+:\d+\]", "", line) for line in saved.splitlines() if not line.startswith("#"))
        return "\n".join(lines)

    def sysctls(self) -> str:
        """Return every readable value below ``net.ipv4`` and ``net.bridge``."""
        return self.run("sysctl", "-a", "-e", "-r", r"^net\.(ipv4|bridge)\.").stdout.decode()

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Put a fault in, and take it out again."""
        chosen, usual = fault(name), self.target
        # Where the rules stand now: another fault may have put its own above them.
        now = FaultTarget.on(self.rules(), bridge=usual.bridge, subnet=usual.subnet, uplink=usual.uplink)
        target = replace(
            usual, masquerade=now.masquerade or usual.masquerade, isolation=now.isolation or usual.isolation
        )
        demo.inject(self.sandbox, chosen, target)
        try:
            yield
        finally:
            demo.restore(self.sandbox, chosen, target)

    def stop(self) -> None:
        """End the host and all that is on it."""
        self.sandbox.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class DemoHost(LabHost):
    """The host of ``dnet-tui demo``: named namespaces as containers, Docker-like rules, no engine."""

    @classmethod
    def start(cls, *, user: bool | None = None, environment: Mapping[str, str] | None = None) -> Self:
        """Build it; takes some 0.2 s.  ``user`` True uses a user namespace even as root."""
        extra = {LAB_VARIABLE: LAB_ID, **(environment or {})}
        sandbox = demo.start_demo(user=user, environment=extra)
        try:
            return cls(
                sandbox=sandbox,
                addresses={member.name: member.address.partition("/")[0] for member in DEMO.members},
                target=demo.target(sandbox, DEMO.nets[0], DEMO),
            )
        except BaseException:
            sandbox.stop()
            raise


def dnet_argv(*arguments: str) -> Sequence[str]:
    """Return the command that runs this dnet-tui."""
    return module_argv("dnet_tui.tui.main", *arguments, site=True)


def python_argv(code: str) -> Sequence[str]:
    """Return the command that runs a piece of Python with this program's packages."""
    return [sys.executable, "-P", "-c", code]


def _fits_its_schema(arguments: tuple[str, ...], printed: bytes) -> None:
    # Where only what runs dnet-tui is installed, a host can still be had by hand.
    if importlib.util.find_spec("jsonschema") is None:
        return
    from unit.builders.published import misfits, schema_of  # noqa: PLC0415 - of the tests' own packages

    found = misfits(schema_of(arguments), printed)
    assert not found, f"{' '.join(arguments)}: {found[:3]}"
