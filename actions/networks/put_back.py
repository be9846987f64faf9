"""What makes a plain namespace's veth pair again as it was, and what of it can't be made again.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import route_spec
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.bridge_port import own_flags
from dnet_tui.diagnostics.operations.link import AddVeth, SetLinkMaster, SetLinkUp
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope
from dnet_tui.diagnostics.operations.remedy import ByProgram
from dnet_tui.diagnostics.operations.route import AddRoute
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.model import Container, Link, LinkRef, Namespace, Network, Route, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_BY_ITSELF = ("kernel", "ra")
"""Who makes routes that come back unasked: the kernel with an address, and routers that announce them."""


def put_back(
    snapshot: Snapshot, network: Network, container: Container, inside: Namespace, port: Link
) -> Iterator[ByProgram]:
    """What makes the pair again as it is now, with its addresses and routes.

    Raises:
        CannotInspectError: The other end was not seen.
    """
    view = View(snapshot)
    far = _far(view, port)
    scope = NetnsScope(id=inside.id, name=container.name)
    yield AddVeth(
        link=port.name,
        peer=far.name,
        inside=container.name,
        mac=port.mac,
        peer_mac=far.mac,
        mtu=port.mtu,
        alias=port.alias,
        peer_alias=far.alias,
        group=port.group or 0,
        peer_group=far.group or 0,
    )
    yield SetLinkMaster(link=port.name, master=network.bridge)
    yield from own_flags(port)
    for item in known_items(view.addresses_of(LinkRef(namespace=inside.id, ifindex=far.ifindex))):
        if item.scope != "link":
            cidr = item.address if item.peer else item.cidr
            yield AddAddress(link=far.name, cidr=cidr, inside=scope, scope=item.scope)
    if far.up:
        yield SetLinkUp(link=far.name, inside=scope)
    if port.up:
        yield SetLinkUp(link=port.name)
    for route in _in_order(_routes(inside, far)):
        spec = route_spec(inside, route)
        if spec is not None:
            yield AddRoute(route=spec, inside=scope)


def not_put_back(snapshot: Snapshot, inside: Namespace, port: Link) -> Iterator[str]:
    """What goes with the pair and doesn't come back with it, for people."""
    far = _far(View(snapshot), port)
    lost = [route for route in _routes(inside, far) if route_spec(inside, route) is None]
    lost += [
        route
        for route in known_items(inside.routes)
        if len(route.hops) > 1 and any(hop.ifindex == far.ifindex for hop in route.hops)
    ]
    if lost:
        names = ", ".join(clean(route.dst) for route in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        yield f"undo does not put back routes with several ways or conditions: {names}{more}"
    addresses = known_items(View(snapshot).addresses_of(LinkRef(namespace=inside.id, ifindex=far.ifindex)))
    passing = [item.address for item in addresses if "permanent" not in item.flags and item.scope != "link"]
    if passing:
        yield f"the time that {', '.join(passing[:3])} has left stands still until undo puts it back"


def _far(view: View, port: Link) -> Link:
    far = view.links.get(port.peer) if port.peer is not None else None
    if far is None:
        raise CannotInspectError(f"the other end of {port.name} was not seen", "run it as root: sudo dnet-tui …")
    return far


def _routes(inside: Namespace, far: Link) -> Sequence[Route]:
    """The routes by this link alone that somebody has set."""
    return [
        route
        for route in known_items(inside.routes)
        if len(route.hops) == 1
        and route.hops[0].ifindex == far.ifindex
        and route.protocol not in _BY_ITSELF
        and route.type not in ("local", "broadcast", "multicast", "anycast")
    ]


def _in_order(routes: Sequence[Route]) -> Sequence[Route]:
    """Those without a gateway first: the others' gateways may be reached by them."""
    return sorted(routes, key=lambda route: route.hops[0].gateway is not None)
