"""What the kernel changes along with a link or an address: shared by the operations on them.  Pure."""

from __future__ import annotations

import ipaddress

import msgspec

from dnet_tui.diagnostics.operations.base import UnknownEffectError
from dnet_tui.inspect.model import Address, Link, Namespace, NextHop, Route
from dnet_tui.inspect.model.default_routes import LOCAL, MAIN


def link_named(ns: Namespace, name: str) -> Link:
    """The link of that name.

    Raises:
        UnknownEffectError: There is none.
    """
    found = next((link for link in ns.links if link.name == name), None)
    if found is None:
        msg = f"there is no link {name}"
        raise UnknownEffectError(msg)
    return found


def with_link(ns: Namespace, changed: Link) -> Namespace:
    """The namespace with one of its links changed."""
    links = tuple(changed if link.ifindex == changed.ifindex else link for link in ns.links)
    return msgspec.structs.replace(ns, links=links)


def raised(ns: Namespace, link: Link) -> Namespace:
    """The namespace after ``link`` was brought up."""
    ns = with_link(ns, msgspec.structs.replace(link, up=True, carrier=True, operstate="UP"))
    # A port starts to forward when both it and its bridge are up (br_stp_enable_bridge, br_stp_enable_port).
    for item in [item for item in ns.links if link.ifindex in {item.ifindex, item.master}]:
        port = item.port and msgspec.structs.replace(item.port, state="forwarding")
        ns = with_link(ns, msgspec.structs.replace(item, port=port)) if item.up else ns
    for address in ns.addresses:
        ns = with_connected(ns, address) if address.ifindex == link.ifindex else ns
    return ns


def with_carrier(ns: Namespace, ifindex: int) -> Namespace:
    """The namespace after the other end of a link that is up came up too."""
    link = next((item for item in ns.links if item.ifindex == ifindex), None)
    if link is None or not link.up:
        return ns
    port = link.port and msgspec.structs.replace(link.port, state="forwarding")
    return with_link(ns, msgspec.structs.replace(link, carrier=True, operstate="UP", port=port))


def with_connected(ns: Namespace, address: Address) -> Namespace:
    """Add the routes that the kernel makes for an address of a link that is up.

    Source: fib_add_ifaddr (net/ipv4/fib_frontend.c), addrconf_prefix_route (net/ipv6/addrconf.c).
    """
    span = str(ipaddress.ip_network(address.cidr, strict=False))
    hops = (NextHop(ifindex=address.ifindex),)
    own = f"{address.address}/{32 if address.family == 'ip' else 128}"
    source = address.address if address.family == "ip" else None
    wanted = (
        Route(family=address.family, table=LOCAL, type="local", dst=own, hops=hops, source=source, protocol="kernel"),
        Route(
            family=address.family,
            table=MAIN,
            type="unicast",
            dst=span,
            hops=hops,
            source=source,
            metric=0 if address.family == "ip" else 256,
            scope="link" if address.family == "ip" else "global",
            protocol="kernel",
        ),
    )

    def has(route: Route) -> bool:
        return any(
            (item.table, item.dst) == (route.table, route.dst)
            and any(hop.ifindex == address.ifindex for hop in item.hops)
            for item in ns.routes
        )

    return msgspec.structs.replace(ns, routes=(*ns.routes, *(route for route in wanted if not has(route))))


def with_address(ns: Namespace, link: Link, cidr: str, scope: str = "") -> Namespace:
    """Put an address on a link, with its routes where the link is up."""
    parsed = ipaddress.ip_interface(cidr)
    address = Address(
        ifindex=link.ifindex,
        family="ip6" if parsed.version == 6 else "ip",
        address=str(parsed.ip),
        prefixlen=parsed.network.prefixlen,
        scope=scope or "global",
    )
    ns = msgspec.structs.replace(ns, addresses=(*ns.addresses, address))
    return with_connected(ns, address) if link.up else ns


def without_address(ns: Namespace, link: Link, cidr: str) -> Namespace:
    """Take an address from a link, and the routes that the kernel had made for it.

    Raises:
        UnknownEffectError: The link hasn't got it.
    """
    gone = next((item for item in ns.addresses if (item.ifindex, item.cidr) == (link.ifindex, cidr)), None)
    if gone is None:
        msg = f"{link.name} has no address {cidr}"
        raise UnknownEffectError(msg)
    made = {str(ipaddress.ip_network(cidr, strict=False)), str(ipaddress.ip_network(gone.address))}
    routes = tuple(
        item
        for item in ns.routes
        if not (item.protocol == "kernel" and item.dst in made and any(h.ifindex == link.ifindex for h in item.hops))
    )
    return msgspec.structs.replace(ns, addresses=tuple(at for at in ns.addresses if at is not gone), routes=routes)
