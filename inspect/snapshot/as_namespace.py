"""Puts what was read of one namespace into the model; a section that was not asked for is unread there.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from dnet_tui.inspect.model import Namespace, NamespaceKind
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.coverage.needs import SectionName
from dnet_tui.inspect.model.coverage.sections import NOT_ASKED, NOT_READ, Settings, Unread
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate
from dnet_tui.inspect.text.encoding import storable

T = TypeVar("T")

_LEFT_OUT = Unread(reason=NOT_ASKED)
_UNREAD = Unread(reason=NOT_READ)


def as_namespace(
    kind: NamespaceKind,
    place: NamespaceCandidate,
    contents: NamespaceReading,
    asked: Collection[SectionName],
    *,
    tracked: bool,
) -> Namespace:
    """The namespace.

    Args:
        kind: what kind of namespace it is.
        place: what it was found by.
        contents: what was read of it, with its links' peers and its sockets' processes filled in.
        asked: the sections that were asked for.
        tracked: whether its tracked connections were, besides.
    """

    def told(section: SectionName, value: T) -> T | Unread:
        return value if section in asked else _LEFT_OUT

    return Namespace(
        id=place.id,
        inode=place.handle.inode,
        kind=kind,
        names=place.names,
        processes=place.processes,
        path=storable(place.handle.path),
        links=contents.links,
        addresses=told(SectionName.ADDRESSES, contents.addresses),
        routes=told(SectionName.ROUTES, contents.routes),
        policy_rules=told(SectionName.POLICY_RULES, contents.policy_rules),
        neighbours=told(SectionName.NEIGHBOURS, contents.neighbours),
        proxied=told(SectionName.NEIGHBOURS, contents.proxied),
        fdb=told(SectionName.FDB, contents.fdb),
        sysctls=told(SectionName.SYSCTLS, Settings(values=contents.sysctls)),
        sockets=told(SectionName.SOCKETS, contents.sockets),
        firewall=told(SectionName.FIREWALL, contents.firewall or _UNREAD),
        conntrack=contents.conntrack if tracked else told(SectionName.CONNTRACK, contents.conntrack),
        conntrack_udp=contents.conntrack_udp,
        conntrack_counts=told(SectionName.CONNTRACK, contents.conntrack_counts),
        nat_ports=_LEFT_OUT if contents.nat_ports is None else contents.nat_ports,
        checksums=told(SectionName.CHECKSUMS, contents.checksums or Unread(reason="the kernel reports none")),
        traffic_control=told(SectionName.TRAFFIC_CONTROL, contents.traffic_control),
        xfrm_policies=told(SectionName.XFRM, _UNREAD if contents.xfrm_policies is None else contents.xfrm_policies),
        xfrm=told(SectionName.XFRM, _UNREAD if contents.xfrm_policies is None else contents.xfrm),
        wireguard=told(SectionName.WIREGUARD, contents.wireguard),
        read_at=contents.read_at,
        firewall_at=contents.firewall_at,
    )
