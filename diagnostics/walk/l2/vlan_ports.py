"""A bridge that filters by VLAN: in which one a frame is, by which ports it leaves, tagged or not.  Pure.

Source: net/bridge/br_vlan.c (__allowed_ingress, br_allowed_egress, br_handle_vlan).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.model import Link, Namespace, PortVlan


def filters(bridge: Link) -> bool:
    """Whether a bridge looks at VLANs at all; one that doesn't passes tagged frames like others."""
    return bridge.bridge is not None and bridge.bridge.vlan_filtering


def is_seen(bridge: Link, ports: tuple[Link, ...]) -> bool:
    """Whether the VLANs of a bridge and its ports are known: where none carries any, they weren't read."""
    return bool(bridge.vlans) or any(port.vlans for port in ports)


def vlan_in(bridge: Link, port: Link, tags: tuple[int, ...]) -> int | None:
    """The VLAN that a frame belongs to that comes in by a port (or from the bridge's host); None: it isn't let in.

    0 where the bridge doesn't filter.
    """
    if not filters(bridge):
        return 0
    if tags:
        return tags[-1] if _membership(port, tags[-1]) is not None else None
    return next((item.vid for item in port.vlans if item.pvid), None)


def is_member(bridge: Link, port: Link, vlan: int) -> bool:
    """Whether a frame of a VLAN leaves by a port, or is handed up to the bridge's host."""
    return not filters(bridge) or _membership(port, vlan) is not None


def tags_inside(bridge: Link, tags: tuple[int, ...]) -> tuple[int, ...]:
    """What a frame carries inside the bridge besides its VLAN: a bridge that filters takes the outermost tag off."""
    return tags[:-1] if filters(bridge) and tags else tags


def tags_out(bridge: Link, port: Link, vlan: int, inner: tuple[int, ...]) -> tuple[int, ...]:
    """The tags with which a frame of a VLAN leaves by a port."""
    member = _membership(port, vlan) if filters(bridge) else None
    return inner if member is None or member.untagged else (*inner, vlan)


def not_let_in(ns: Namespace, bridge: Link, port: Link, tags: tuple[int, ...]) -> Decider:
    """The decider where a port doesn't let a frame in."""
    what = f"VLAN {tags[-1]} is not allowed on" if tags else "frames without a VLAN tag are not allowed on"
    whose = f"{bridge.name} itself" if port is bridge else f"bridge port {port.name} of {bridge.name}"
    return Decider(
        kind="link",
        text=f"{what} {whose}",
        namespace=ns.id,
        value=f"vlan {tags[-1] if tags else 0}",
        interface=port.name,
    )


def not_let_out(ns: Namespace, bridge: Link, port: Link, vlan: int) -> Decider:
    """The decider where a port isn't a member of a frame's VLAN."""
    whose = f"{bridge.name} itself" if port is bridge else f"bridge port {port.name} of {bridge.name}"
    text = f"{whose} is not a member of VLAN {vlan}"
    return Decider(kind="link", text=text, namespace=ns.id, value=f"vlan {vlan}", interface=port.name)


def _membership(port: Link, vlan: int) -> PortVlan | None:
    return next((item for item in port.vlans if item.vid <= vlan <= item.last), None)
