"""The table that marks packets, and that can't outlive us.

It belongs to a process of ``nft`` that waits for input (``flags owner``,
Linux 5.12): the kernel deletes it when that process ends, and it ends when
its input does, so also when we are killed.  It only marks for the trace: no
rule of it accepts or drops, and nobody else's table is touched.  Marking is
limited to so many packets per second.
"""

from __future__ import annotations

import ipaddress
import subprocess
import time
from collections.abc import Iterable
from secrets import token_hex
from types import TracebackType
from typing import Self

from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.kernel.run_program import find_program, program_environment, run_program

PACKETS_PER_SECOND = 50
"""Of each address family and direction."""

_FIRST = -2147483000
_PATIENCE = 5.0


def watch_table(name: str, addresses: Iterable[str]) -> str:
    """The table in nft's words: packets from and to the addresses are traced, at the head of the first hooks. Pure."""
    rules = []
    found = [ipaddress.ip_address(address) for address in addresses]
    for family, version in (("ip", 4), ("ip6", 6)):
        chosen = ", ".join(str(item) for item in found if item.version == version)
        rules += [
            f"{family} {end} {{ {chosen} }} limit rate {PACKETS_PER_SECOND}/second meta nftrace set 1;"
            for end in ("saddr", "daddr")
            if chosen
        ]
    body = " ".join(rules)
    hooks = " ".join(
        f"chain {hook} {{ type filter hook {hook} priority {_FIRST}; {body} }};" for hook in ("prerouting", "output")
    )
    return f"add table inet {name} {{ flags owner; {hooks} }}"


class WatchTable:
    """The table while it is there; a context manager, entered in the namespace that is watched."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.name = f"dnet_tui_drops_{token_hex(4)}"
        self._text = watch_table(self.name, addresses)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Add it.

        Raises:
            CannotInspectError: it can't be added here.
        """
        program = find_program("nft")
        if program is None:
            raise CannotInspectError(
                "The kernel's trace is asked for by nft, which was not found.", "Install nftables."
            )
        self._process = subprocess.Popen(
            [program, "-i"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=program_environment(),
        )
        if self._process.stdin is not None:
            self._process.stdin.write(self._text.encode() + b"\n")
            self._process.stdin.flush()
        deadline = time.monotonic() + _PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            if run_program([program, "list", "table", "inet", self.name], seconds=_PATIENCE).code == 0:
                return self
            time.sleep(0.02)
        self._end()
        raise CannotInspectError(
            "The table that marks packets could not be added.", "Run dnet-tui as root, on Linux 5.12 or newer."
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Let the process go, and the table with it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
