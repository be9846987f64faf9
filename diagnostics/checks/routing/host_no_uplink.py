"""The host itself has no way to the internet.

What it finds
    Networks promise their containers a way out, but the host has no route to
    anywhere outside, or its router did not answer when it was last asked for.

Why it matters
    Containers can get no further than their host does.  The network of the
    host is at fault here, not that of the containers.

How we know
    The routing decision for an address outside, as the packet walk makes it,
    through all policy rules and tables; the state of the host's interfaces
    that have an address; the neighbour entry of the router.

Remedy
    Repair the host's own network: its interface, its address, its default
    route.

When it is harmless
    On a host that is meant to have no way out: therefore a missing route is
    only information, unless an interface with an address is down, and with it
    the routes it had.  A router that did not answer may do so by now
    (``doctor --probe`` tells): that too is only information.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Link, Namespace

ID = "host-no-uplink"
_REFUSALS = {"none", "unreachable", "prohibit", "blackhole"}
_INNER = {"bridge", "loopback", "tun", "tap", "wireguard", "dummy", "ifb", "vxlan"}
"""Kinds of link that lead out only over another one, or nowhere."""


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    case = ctx.case
    host = case.view.host
    wanting = [network for network in case.networks if network.internal is False and case.members(network)]
    if host is None or not wanting:
        return
    ways = [
        routing.lookup(
            index_of(case.view, host),
            Packet(src=case.members(network)[0].address, dst=case.outside(), proto="tcp", iif=network.bridge),
        )
        for network in wanting
    ]
    names = ", ".join(network.name for network in wanting[:4])
    if any(way.type not in _REFUSALS for way in ways):
        yield from _silent_router(host, ways, names)
        return
    by4 = "IPv4 " if case.uplinks6 else ""
    downed = [link for link in host.links if _lost(case, host, link)]
    yield Finding(
        check=ID,
        severity="warning" if downed else "info",
        subject=Subject(kind="host", name="route to the outside"),
        summary=f"The host has no {by4}route to the outside, so the containers of {names} have none either",
        symptoms=("egress",),
        evidence=(
            Evidence(source="ip route get", what=case.outside(), value=ways[0].by.text, expected="a default route"),
            *(
                Evidence(source="ip link", what=link.name, value="no carrier" if link.up else "not UP", expected="up")
                for link in downed
            ),
        ),
        remedy=Remedy(
            summary=f"Bring {' and '.join(link.name for link in downed)} up, and back the routes it had",
            steps=tuple(SetLinkUp(link=link.name) for link in downed if not link.up),
            risk="manual",
            note="The kernel took its routes away when it went down: the host's network service puts them back",
        )
        if downed
        else None,
    )


def _lost(case: HostContext, host: Namespace, link: Link) -> bool:
    """Whether a link could be the way out, has an address, and is down or without carrier."""
    if (link.up and link.carrier) or link.kind in _INNER or link.master is not None:
        return False
    if link.peer is not None and case.view.containers_in(link.peer.namespace):
        return False
    return any(item.ifindex == link.ifindex and item.scope == "global" for item in host.addresses)


def _silent_router(host: Namespace, ways: Iterable[RouteAnswer], names: str) -> Iterator[Finding]:
    """The host's own next hop towards the outside, where the kernel asked for it and nobody answered."""
    hops = {(way.gateway, way.ifindex) for way in ways if way.type == "unicast" and way.gateway}
    for entry in host.neighbours:
        if (entry.address, entry.ifindex) not in hops or entry.state not in {"FAILED", "INCOMPLETE"}:
            continue
        what = f"{entry.address} dev {next((link.name for link in host.links if link.ifindex == entry.ifindex), '?')}"
        yield Finding(
            check=ID,
            severity="info",
            subject=Subject(kind="host", name=f"router {entry.address}"),
            summary=f"The host's router {entry.address} did not answer when it was last asked for ({names} go by it)",
            symptoms=("egress",),
            evidence=(Evidence(source="ip neigh", what=what, value=entry.state, expected="an answer"),),
        )


CHECK = Check(
    id=ID,
    title="The host itself has a way out",
    severity="warning",
    doc=__doc__,
    find=find,
)
