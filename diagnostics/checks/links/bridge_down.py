"""A network's bridge is down, with containers on it.

What it finds
    The bridge of a network is administratively down (not ``UP``) although
    running containers are attached to it.

Why it matters
    Nothing passes it: not to the internet, not between its containers, not
    from the host.  The kernel also takes the subnet's route away and disables
    every port, so that the symptoms point everywhere else.

How we know
    The bridge's own flag ``UP``, read by netlink.  ``NO-CARRIER`` is another
    thing: that is a bridge without a working port.

Remedy
    ``ip link set BRIDGE up``.  The kernel puts the subnet's route back.

When it is harmless
    On a bridge without containers, where it is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects import bridge_attachments
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of, named, on_host, symptoms
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import cause_of
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Finding, Subject
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Network, known_items

ID = "bridge-down"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The bridge itself, its ports, and wherever its packets get instead."""
    for network in case.once(_down) if on_host(case, obstacle) else ():
        ports = [item.port.name for item in bridge_attachments.attachments(case, network) if item.port.up]
        if named(obstacle.by, network.bridge, *ports):
            return True
    return cause_of(case, obstacle) == ID


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    yield from _gone(ctx.case)
    for network in ctx.case.once(_down):
        names = ", ".join(member.container.name for member in ctx.case.everyone(network)[:6])
        blocked = ctx.blocked_by(ID)
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="bridge", name=network.bridge),
            summary=f"The bridge {network.bridge} of network {network.name} is down",
            symptoms=symptoms(blocked, ("egress", "same-network", "published", "host-to-container")),
            evidence=(
                bridge_attachments.of_link(network.bridge, "not UP", "UP"),
                bridge_attachments.of_link("attached containers", names, "", source="ip link"),
                *(of_flows(item) for item in blocked[:2]),
            ),
            remedy=Remedy(
                summary=f"Bring {network.bridge} up",
                steps=(SetLinkUp(link=network.bridge),),
                undo=(SetLinkUp(link=network.bridge, up=False),),
                risk="safe",
                note="Find what took it down: a network manager that believes the bridge is its own",
            ),
        )


def _gone(case: HostContext) -> Iterator[Finding]:
    """Networks whose bridge isn't there, while their containers run on a link of another name."""
    host = case.view.host
    for network in known_items(case.snapshot.networks) if host is not None else ():
        if host is None or network.driver != "bridge" or not network.bridge:
            continue
        if case.view.link_named(host.id, network.bridge) is not None:
            continue
        found = {
            link.name: member.container.name
            for other in case.networks
            if other.engine == INFERRED
            for member in case.members(other)
            if any(contains(subnet.cidr, member.address) is True for subnet in network.subnets)
            for link in host.links
            if link.name == other.bridge
        }
        for name, container in found.items():
            rename = tuple(
                ByHand(argv=("ip", "link", "set", "dev", *words))
                for words in ((name, "down"), (name, "name", network.bridge), (network.bridge, "up"))
            )
            yield Finding(
                check=ID,
                severity="error",
                subject=Subject(kind="bridge", name=network.bridge),
                summary=f"The bridge {network.bridge} of network {network.name} is called {name} by now, "
                "and the engine's rules are for its old name",
                symptoms=("egress", "published"),
                evidence=(
                    bridge_attachments.of_link(network.bridge, "not there", "a bridge"),
                    bridge_attachments.of_link(f"{container} hangs on", name, network.bridge),
                ),
                remedy=Remedy(
                    summary=f"Give {name} its name back",
                    steps=rename,
                    risk="manual",
                    note="Find what renamed it: a udev rule or a .link file that fits bridges",
                ),
                affects=(Affected(kind="network", name=network.name),),
            )


def _down(case: HostContext) -> list[Network]:
    return [
        network
        for network in case.networks
        if (bridge := bridge_of(case, network)) is not None and not bridge.up and case.everyone(network)
    ]


CHECK = Check(
    id=ID,
    title="Bridges with containers are up",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("flow-blocked", "drop-hits-others"),
)
