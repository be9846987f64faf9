"""Builds the disposable host, from inside its namespaces: links, routes, rules and listeners.

Run by :func:`dnet_tui.actions.demo.host.start_demo`.  It refuses to run
anywhere but in a private host.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from dnet_tui.actions.demo.init_process import MARKER
from dnet_tui.actions.demo.sandbox import module_argv
from dnet_tui.actions.demo.topology import BARE, DEMO, Service, Topology, host_batch, inner_batches, rules
from dnet_tui.inspect.errors import ActionFailedError, DnetError

NETNS = Path("/run/netns")
READY_LIMIT = 10.0
"""Seconds until every listener must be bound; it takes some 100 ms."""


def build(topology: Topology) -> None:
    """Build ``topology`` in the current namespaces and return when its listeners answer.

    Without networks, forwarding is off and there are no rules: both are then
    the engine's to set up (dockerd sets the FORWARD policy to DROP only where
    it had to switch forwarding on).

    Raises:
        DnetError: not inside a private host, or a program failed (its words are in the message).
    """
    require_private_host()
    _set_forwarding("1" if topology.nets else "0")
    _feed(["ip", "-batch", "-"], host_batch(topology))
    reader = _start_services(topology.services)
    jobs = [_start(["ip", "-n", name, "-batch", "-"], text) for name, text in inner_batches(topology).items()]
    if topology.nets:
        jobs.append(_start(["iptables-nft-restore", "-w"], rules(topology)))
    for job in jobs:
        _finish(job)
    _await_services(reader, set(topology.services))


def require_private_host() -> None:
    """Raise DnetError unless this process runs in a private host."""
    if not Path(MARKER).exists():
        raise DnetError("this is not a disposable host: nothing is built here", "start one with `dnet-tui demo`")


def _set_forwarding(value: str) -> None:
    """Set IPv4 forwarding, also for links to come.

    A new namespace inherits these values from the machine's first one (``net.core.devconf_inherit_init_net``).
    """
    for key in ("ip_forward", "conf/default/forwarding"):
        Path("/proc/sys/net/ipv4", key).write_text(value, encoding="ascii")


def _start(argv: list[str], text: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if process.stdin is not None:
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
    return process


def _finish(process: subprocess.Popen[str]) -> None:
    out, _ = process.communicate(timeout=30)
    if process.returncode:
        raise ActionFailedError(f"{process.args!r} failed: {' '.join(out.split())}")


def _feed(argv: list[str], text: str) -> None:
    _finish(_start(argv, text))


def _start_services(services: dict[str, Service]) -> int:
    """Start one listener per namespace; return the pipe on which each says its name when it is bound."""
    reader, writer = os.pipe()
    for name, service in services.items():
        ports = [f"--tcp={port}" for port in service.tcp] + [f"--udp={port}" for port in service.udp]
        subprocess.Popen(
            [
                *("nsenter", f"--net={NETNS / name}", "--"),
                *module_argv("dnet_tui.actions.demo.service", f"--name={name}", f"--ready={writer}", *ports),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writer],
            start_new_session=True,  # ends with the host, not with this process's terminal
        )
    os.close(writer)
    return reader


def _await_services(reader: int, names: set[str]) -> None:

    deadline = time.monotonic() + READY_LIMIT
    seen = b""
    try:
        while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(reader, 4096)
            if not chunk:
                break
            seen += chunk
    finally:
        os.close(reader)
    silent = names - set(seen.decode().split())
    if silent:
        raise ActionFailedError(f"listeners that did not start: {', '.join(sorted(silent))}")


def main() -> int:
    """Build the demo host here (``--bare``: without networks); complain in one line."""
    try:
        build(BARE if "--bare" in sys.argv[1:] else DEMO)
    except (DnetError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
