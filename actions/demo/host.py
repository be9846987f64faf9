"""Starts the disposable host: a private host with the demo's topology in it.  The outer half of the build."""

from __future__ import annotations

from collections.abc import Mapping

from dnet_tui.actions.demo.faults import Fault, FaultTarget
from dnet_tui.actions.demo.requirements import require
from dnet_tui.actions.demo.sandbox import Sandbox, module_argv
from dnet_tui.actions.demo.topology import DemoNetwork, Topology

PROGRAMS = ("unshare", "nsenter", "mount", "ip", "sysctl", "iptables-nft", "iptables-nft-save", "iptables-nft-restore")
"""What the host and its faults need."""


def start_demo(
    hostname: str = "demo",
    *,
    bare: bool = False,
    user: bool | None = None,
    environment: Mapping[str, str] | None = None,
) -> Sandbox:
    """Start a private host and build the demo's topology in it; its listeners answer when this returns.

    Takes well under a second.  With ``bare`` there are only the uplink and the
    "internet", for a real engine to be started there.  The other arguments
    are those of :meth:`Sandbox.start`.

    Raises:
        DnetError: a program is missing, the kernel refuses, or building failed.
    """
    require(*PROGRAMS)
    sandbox = Sandbox.start(hostname, user=user, environment=environment)
    try:
        sandbox.run(
            module_argv("dnet_tui.actions.demo.build", *(["--bare"] if bare else []), site=True), timeout=30, check=True
        )
    except BaseException:
        sandbox.stop()
        raise
    return sandbox


def target(sandbox: Sandbox, net: DemoNetwork, topology: Topology) -> FaultTarget:
    """Return the fault target for one of the host's networks, with its rules' positions as they are now."""
    saved = sandbox.run(["iptables-nft-save"], check=True).stdout.decode(errors="replace")
    return FaultTarget.on(saved, bridge=net.bridge, subnet=str(net.subnet), uplink=topology.uplink)


def inject(sandbox: Sandbox, fault: Fault, where: FaultTarget) -> None:
    """Put a fault into a private host; raises ActionFailedError when a command fails."""
    for argv in fault.inject(where):
        sandbox.run(argv, check=True)


def restore(sandbox: Sandbox, fault: Fault, where: FaultTarget) -> None:
    """Take a fault out again; of several, the last one put in goes first."""
    for argv in fault.restore(where):
        sandbox.run(argv, check=True)
