"""The outside as one end of a trace: its addresses, the link it is behind, which addresses are like it.  Pure.

An address that nobody on this host has is as far as can be seen like any
other that goes by the same route: a trace to it says what one to ``outside``
says.
"""

from __future__ import annotations

import difflib
from contextlib import suppress

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.outside import KnownRanges, beyond_gateways, near_ranges, outside_address
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer, lookup
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Family, Link, LinkRef, NotSeen
from dnet_tui.inspect.text.sanitize import clean

_BLANK: dict[Family, str] = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104 - no address yet, as in the kernel's own look-up


def outside_addresses(case: HostContext) -> tuple[str, ...]:
    """The addresses that stand for outside, IPv4 first.

    Of a host without a default route they are behind one of its gateways, if
    it has any: other hosts outside it doesn't know.
    """
    return case.kept("outside addresses", lambda: tuple(_address(case, family) for family in _BLANK))


def _address(case: HostContext, family: Family) -> str:
    way, host = _way(case, family), case.view.host
    link = case.view.link_named(host.id, way) if way and host is not None else None
    if link is None or host is None or case.ways_out(family):
        return case.outside(family)
    beyond = [dst for dst, ifindex in beyond_gateways(host, family) if ifindex == link.ifindex]
    return outside_address(case.snapshot, family, beyond=beyond)


def _way(case: HostContext, family: Family) -> str:
    with suppress(NotSeen):
        way = case.way_outside(family)
        return way.link if way is not None else ""
    return ""


def arrival(case: HostContext, address: str) -> LinkRef:
    """The link by which packets from an address outside arrive: that by which the host's answers would go.

    Raises:
        CannotInspectError: nothing leads outside.
    """
    host = case.view.host
    family: Family = "ip6" if ":" in address else "ip"
    if host is not None:
        answer = _route(case, address)
        by_route = [link for index in _devices(answer) if (link := _link(case, index)) is not None]
        for link in by_route:
            if not case.leads_inside(link):
                return LinkRef(namespace=host.id, ifindex=link.ifindex)
        way = case.way_outside(family) or case.way_outside("ip")
        found = case.view.link_named(host.id, way.link) if way is not None else None
        if found is not None:
            return LinkRef(namespace=host.id, ifindex=found.ifindex)
    raise CannotInspectError(
        "this host has no default route and no uplink, so nothing is outside", "name a container or the host instead"
    )


def named_arrival(case: HostContext, name: str) -> LinkRef:
    """The link of the host with a name, by which packets from outside arrive.

    Raises:
        UsageError: there is none, or nothing arrives by it.
    """
    host = case.view.host
    link = case.view.link_named(host.id, name) if host is not None else None
    if host is None or link is None:
        known = [item.name for item in host.links] if host is not None else []
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(clean, near))}?" if near else "`dnet-tui ls` shows the host's uplinks"
        raise UsageError(f"the host has no interface called {clean(name)!r}", hint)
    if link.kind == "loopback" or link.name == "lo":
        raise UsageError(
            "nothing from outside arrives by the loopback", "leave --in-interface out, and trace from host"
        )
    master = case.view.links.get(LinkRef(namespace=host.id, ifindex=link.master)) if link.master else None
    if master is not None and master.kind != "vrf":
        msg = f"{clean(name)} belongs to {master.kind} {clean(master.name)}, by which its packets arrive"
        raise UsageError(msg, f"--in-interface {clean(master.name)}")
    return LinkRef(namespace=host.id, ifindex=link.ifindex)


def _route(case: HostContext, address: str) -> RouteAnswer | None:
    host = case.view.host
    family: Family = "ip6" if ":" in address else "ip"
    with suppress(NotSeen):  # the walk comes to it as well, and says so
        if host is not None:
            return lookup(
                index_of(case.view, host), Packet(family=family, src=_BLANK[family], dst=address, proto="tcp")
            )
    return None


def _devices(answer: RouteAnswer | None) -> tuple[int, ...]:
    if answer is None or answer.type not in {"unicast", "unknown"}:
        return ()
    return answer.devices or ((answer.ifindex,) if answer.ifindex is not None else ())


def _link(case: HostContext, ifindex: int) -> Link | None:
    host = case.view.host
    link = case.view.links.get(LinkRef(namespace=host.id, ifindex=ifindex)) if host is not None else None
    return link if link is not None and link.kind != "loopback" and link.name != "lo" else None


def is_outside(case: HostContext, address: str) -> bool:
    """Whether an address is nobody's here and on no subnet at hand, so that it is any host outside."""
    return not case.kept("near ranges", lambda: KnownRanges(near_ranges(case.snapshot))).holds(address)


def assumption(case: HostContext, *, address: str, arriving: LinkRef | None, leaves: str) -> str:
    """That a link stands for the way outside though no default route says so; empty where nothing was assumed."""
    family: Family = "ip6" if ":" in address else "ip"
    way = case.way_outside(family) or case.way_outside("ip")
    host = case.view.host
    if way is None or not way.chosen or host is None:
        return ""
    link = case.view.links[arriving].name if arriving is not None else leaves or way.link
    if link != way.link:
        return ""
    return f"this host has no default route; {way.link} stands for its way outside, {address} for a host there"
