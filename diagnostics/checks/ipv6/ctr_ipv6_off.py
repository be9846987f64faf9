"""A container on a network with IPv6 has IPv6 switched off inside.

What it finds
    The engine gave a container an IPv6 address, and in the container's
    namespace ``disable_ipv6`` is 1, for all links or for the one on that
    network: the kernel has taken the address away.

Why it matters
    By IPv6 nobody reaches the container: a port that is published for IPv6
    too is refused or times out, names of it are answered with an address that
    nobody has, and what it sends itself goes by IPv4 alone.  IPv4 works, so
    that it looks like a fault of the network.

How we know
    The container's own kernel parameters, beside the address that the engine
    tells of.

Remedy
    The container, or who starts it, has decided (``--sysctl``, an
    entrypoint): leave it out there, and start the container anew.  Setting
    the parameter back by hand doesn't bring the address back.

When it is harmless
    Where nobody should reach the container by IPv6.  On networks without IPv6
    it is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import ipv6_switched_off
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.inspect.model import Container, Namespace, Network, known_items

ID = "ctr-ipv6-off"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container."""
    known = {network.id: network for network in ctx.case.networks if network.ipv6}
    for container in known_items(ctx.case.snapshot.containers):
        namespace = ctx.case.view.namespaces.get(container.netns or "")
        if namespace is None or not container.running or container.joined is not None:
            continue
        with ctx.case.noting():
            yield from _of(container, namespace, known)


def _of(container: Container, namespace: Namespace, known: dict[str, Network]) -> Iterator[Finding]:
    given = [
        (known[end.network], cidr.partition("/")[0])
        for end in container.endpoints
        if end.network in known
        for cidr in end.addresses
        if ":" in cidr
    ]
    held = {item.address for item in namespace.addresses}
    lost = [(network, address) for network, address in given if address not in held]
    key = ipv6_switched_off(namespace) if lost else ""
    if not key:
        return
    networks = ", ".join(dict.fromkeys(network.name for network, _ in lost))
    yield Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="container", name=container.name),
        summary=f"{container.name} has IPv6 switched off, though its network {networks} has it",
        symptoms=("egress", "published", "ipv6"),
        evidence=(
            of_sysctl(f"{key} in {container.name}", "1", "0"),
            Evidence(source="engine", what=f"addresses of {container.name}", value=", ".join(item for _, item in lost)),
        ),
        remedy=Remedy(
            summary=f"Yours to decide: start {container.name} without {key}=1, if IPv6 should reach it",
            risk="manual",
            note="The address comes back when the container is started anew, or connected to the network again",
        ),
        affects=(Affected(kind="container", name=container.name),),
    )


CHECK = Check(
    id=ID,
    title="Containers of networks with IPv6 have it switched on",
    severity="warning",
    doc=__doc__,
    find=find,
    hidden_by=("sysctls",),
)
