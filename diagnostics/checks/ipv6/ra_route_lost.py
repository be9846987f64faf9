"""IPv6 forwarding makes the host ignore the router advertisements it lives on.

What it finds
    IPv6 forwarding is on, ``accept_ra`` of an uplink is 1, and the host has
    its IPv6 address there from router advertisements: its default route is
    gone, or came from them and will not be renewed.

Why it matters
    A host that forwards counts as a router, and a router does not listen to
    advertisements unless ``accept_ra`` is 2.  Engines turn forwarding on; some
    time later, when the route's lifetime ends, the host loses IPv6.

How we know
    The two switches, the addresses that the kernel made by itself on the
    uplink (they are marked dynamic), and the IPv6 default routes with their
    origin.

Remedy
    Set ``accept_ra`` of that interface to 2.

When it is harmless
    Where a program (systemd-networkd, NetworkManager, dhcpcd) handles the
    advertisements itself; the kernel's switch is 0 then, and it is not
    reported.  Nor on a host without IPv6 of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.inspect.model import Link, Namespace, Route
from dnet_tui.inspect.model.default_routes import ways_out

ID = "ra-route-lost"
_FORWARDING = "net.ipv6.conf.all.forwarding"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per uplink."""
    host = ctx.case.view.host
    if host is None or ctx.case.sysctl(_FORWARDING) != "1" or not any(net.ipv6 for net in ctx.case.networks):
        return
    bridges = {network.bridge for network in ctx.case.networks}
    for link in host.links:
        key = f"net.ipv6.conf.{sysctl_name(link.name)}.accept_ra"
        addresses = _from_router(host, link)
        if link.name in bridges or link.kind == "bridge" or ctx.case.sysctl(key) != "1" or not addresses:
            continue
        routes = ways_out(host, "ip6")
        if routes and not any(_by_router(route, link) for route in routes):
            continue  # a route that somebody set stays
        lost = not routes
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="link", name=link.name),
            summary=f"{link.name} no longer listens to router advertisements: the host's IPv6 default route "
            + ("is gone" if lost else "will expire"),
            symptoms=("ipv6",),
            evidence=(
                of_sysctl(_FORWARDING, "1", ""),
                of_sysctl(key, "1", "2"),
                Evidence(source="ip -6 address", what=link.name, value=", ".join(addresses)),
                Evidence(
                    source="ip -6 route",
                    what="default",
                    value="none" if lost else "from a router advertisement",
                    expected="a default route that is renewed",
                ),
            ),
            remedy=Remedy(
                summary=f"Let {link.name} accept router advertisements although the host forwards",
                steps=(SetSysctl(key=key, value="2"),),
                undo=(SetSysctl(key=key, value="1"),),
                risk="ask",
                note="To keep it over a reboot, write it to /etc/sysctl.d; the route comes with the next advertisement",
            ),
        )


def _from_router(host: Namespace, link: Link) -> list[str]:
    """The global addresses that the kernel made from advertisements: they have a lifetime."""
    return [
        item.cidr
        for item in host.addresses
        if item.ifindex == link.ifindex
        and item.family == "ip6"
        and item.scope == "global"
        and item.prefixlen < 128
        and "permanent" not in item.flags
    ]


def _by_router(route: Route, link: Link) -> bool:
    return route.protocol in {"ra", "kernel"} and any(hop.ifindex == link.ifindex for hop in route.hops)


CHECK = Check(
    id=ID,
    title="The host keeps its IPv6 default route",
    severity="warning",
    doc=__doc__,
    find=find,
)
