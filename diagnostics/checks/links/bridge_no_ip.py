"""A network's bridge has lost the gateway's address.

What it finds
    The bridge of a network that is not internal lacks the IPv4 address that
    its containers use as their gateway, and nobody else has it; or it has it
    with so long a prefix that the host has no route to some of the containers.

Why it matters
    Containers of this network still reach each other, but nothing beyond: no
    one answers for their gateway.  The host has no route to them either, since
    that route comes with the address.

How we know
    The network's definition (its gateway), or where only the bridge itself
    said it, the one gateway that all its containers use; against the addresses
    on the bridge, on the host and on its containers.

Remedy
    Put the address back on the bridge; the kernel adds the route.

When it is harmless
    On internal and isolated networks, where ``inhibit_ipv4`` is set, on
    unmanaged networks, and where the gateway is a machine behind another port
    of the bridge; it is not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    bridge_addresses,
    bridge_of,
    missing_gateway,
    narrow_gateway,
    of_link,
    on_host,
    symptoms,
)
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import cause_of
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext, family_of
from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Address, Family, Network

ID = "bridge-no-ip"
_WORDS: dict[Family, str] = {"ip": "IPv4", "ip6": "IPv6"}


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The unanswered question for the gateway, and packets that are routed elsewhere for want of the route."""
    asked = obstacle.by.value if obstacle.by.kind == "neighbour" and on_host(case, obstacle) else ""
    if asked and any(asked == cidr.partition("/")[0] for _, _, cidr in case.once(_bare)):
        return True
    return cause_of(case, obstacle) == ID


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    for network, family, cidr in ctx.case.once(_bare):
        has = [item.cidr for item in bridge_addresses(ctx.case, network, family) if item.scope != "link"]
        narrow = narrow_gateway(ctx.case, network, cidr.partition("/")[0], family)
        steps = tuple(_steps(network, family, cidr, narrow))
        blocked = [item for item in ctx.blocked_by(ID) if family_of(item.obstacle.packet) == family]
        what = f"lacks its network's gateway address {cidr}"
        if narrow is not None:
            what = f"has its gateway address with a wrong prefix length, {narrow.cidr} instead of {cidr}"
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="bridge", name=iptables_layout.named(network.bridge, family)),
            summary=f"The bridge {network.bridge} {what}",
            symptoms=symptoms(blocked, ("egress", "published", "host-to-container")),
            evidence=(
                of_link(network.bridge, ", ".join(has) or f"no {_WORDS[family]} address", cidr, source="ip address"),
                *(of_flows(item) for item in blocked[:2]),
            ),
            remedy=Remedy(
                summary=f"Put {cidr} back on {network.bridge}",
                steps=steps,
                undo=tuple(step.inverse() for step in reversed(steps)),
                risk="safe",
                note="Find what changed it: a network manager or a DHCP client that believes the bridge is its own",
            ),
        )


def _steps(network: Network, family: Family, cidr: str, narrow: Address | None) -> Iterator[AddAddress | DeleteAddress]:
    """What puts the address back; IPv6 has one address once alone, whatever its prefix (ipv6_add_addr)."""
    if narrow is not None and family == "ip6":
        yield DeleteAddress(link=network.bridge, cidr=narrow.cidr, scope=narrow.scope)
    yield AddAddress(link=network.bridge, cidr=cidr, as_gateway=True)


def _bare(case: HostContext) -> list[tuple[Network, Family, str]]:
    def of(place: tuple[Network, Family]) -> Iterator[tuple[Network, Family, str]]:
        network, family = place
        cidr = missing_gateway(case, network, family) if case.members(network, family) else ""
        if cidr and _is_up(case, network):
            yield network, family, cidr

    return list(case.severally(product(case.networks, _WORDS), of))


def _is_up(case: HostContext, network: Network) -> bool:
    bridge = bridge_of(case, network)
    return bridge is not None and bridge.up


CHECK = Check(
    id=ID,
    title="Bridges hold their networks' gateway addresses",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
