"""Containers of one network are in different VLANs of their bridge.

What it finds
    A bridge that filters VLANs (``vlan_filtering 1``) whose container ports
    take frames without a tag into different VLANs although their network says
    that they reach each other; a port that takes none at all; and a port in a
    VLAN in which the bridge itself, which has the network's gateway, is not.

Why it matters
    Frames stay within their VLAN.  The containers don't find each other, or
    not their gateway, while every link is up.

How we know
    The VLANs of each port and of the bridge, read by netlink.  What decides:
    a frame without a tag gets its port's PVID, and leaves only by ports that
    carry it (kernel, net/bridge/br_vlan.c, ``__allowed_ingress`` and
    ``br_allowed_egress``); up to the bridge's own interface without a tag only
    where that is an untagged member (``br_handle_vlan``).

Remedy
    Give the ports the same PVID (``bridge vlan add … pvid untagged``).  Which
    is the right one only who set the VLANs knows.

When it is harmless
    When the VLANs are to keep the containers apart: then say so to the
    network as well (``icc`` off), or use a network for each VLAN.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    Attachment,
    attachments,
    gateway_of,
    of_link,
    on_host,
    symptoms,
)
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.operations.bridge_port import AddPortVlan
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Link, LinkRef, Network, Vlan

ID = "vlan-filter"


class _Parted(msgspec.Struct, frozen=True, kw_only=True):
    """A network's bridge with the ports that are in another VLAN than they should: ``wanted``, None if none is sure."""

    network: Network
    bridge: Link
    apart: tuple[Attachment, ...]
    wanted: int
    reason: str
    kinds: tuple[str, ...]


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What bridges do with VLANs that are known to part their containers."""
    if not on_host(case, obstacle) or obstacle.by.kind != "link" or "VLAN" not in obstacle.by.text:
        return False
    return any(item.bridge.name in obstacle.by.text.split() for item in case.once(_parted))


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    found = ctx.case.once(_parted)
    if not found:
        yield from undecided(ctx, ID)
    for item in found:
        names = ", ".join(one.name for one in item.apart[:6])
        steps = tuple(AddPortVlan(port=one.port.name, vid=item.wanted) for one in item.apart[:6])
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="bridge", name=item.bridge.name),
            summary=f"The bridge {item.bridge.name} keeps {names} {item.reason}",
            symptoms=symptoms(definite(ctx, ID), item.kinds),
            evidence=(
                of_link(f"{item.bridge.name} vlan_filtering", "1", "0, or the same PVID for all"),
                *(
                    of_link(
                        f"{one.port.name} ({one.name})",
                        f"PVID {_pvid(one.port) or 'none'}",
                        f"PVID {item.wanted}",
                        source="bridge vlan",
                    )
                    for one in item.apart[:6]
                ),
                of_link(item.bridge.name, _carried(item.bridge), f"VLAN {item.wanted}", source="bridge vlan"),
            ),
            remedy=Remedy(
                summary=f"Put the ports into one VLAN, such as {item.wanted}",
                steps=steps,
                undo=inverses(steps),
                risk="manual",
                note="Ask first who set the VLANs: they may be meant to keep containers apart",
            ),
        )


def _parted(case: HostContext) -> tuple[_Parted, ...]:
    found = (_of_network(case, network) for network in case.networks if network.engine != INFERRED)
    return tuple(item for item in found if item is not None)


def _of_network(case: HostContext, network: Network) -> _Parted | None:
    items = [item for item in attachments(case, network) if not _tags_itself(case, item)]
    bridge = items[0].bridge if items else None
    if bridge is None or bridge.bridge is None or not bridge.bridge.vlan_filtering:
        return None
    if not bridge.vlans and not any(item.port.vlans for item in items):
        return None  # they weren't read
    own = _own_gateway(case, network, bridge)
    untagged = [vlan for vlan in bridge.vlans if vlan.untagged]
    if own and untagged:
        cut = [item for item in items if not any(vlan.vid <= _pvid(item.port) <= vlan.last for vlan in untagged)]
        if cut:
            wanted = next((vlan.vid for vlan in untagged if vlan.pvid), untagged[0].vid)
            return _made(network, bridge, cut, wanted, "from their gateway: it is in another VLAN")
    if network.icc is not True:
        return None
    usual = Counter(_pvid(item.port) for item in items).most_common(1)[0][0] or 1
    apart = [item for item in items if _pvid(item.port) != usual]
    return _made(network, bridge, apart, usual, "from the others of their network, by VLANs") if apart else None


def _made(network: Network, bridge: Link, apart: list[Attachment], wanted: int, reason: str) -> _Parted:
    kinds = ("egress", "published", "host-to-container") if "gateway" in reason else ("same-network",)
    return _Parted(network=network, bridge=bridge, apart=tuple(apart), wanted=wanted, reason=reason, kinds=kinds)


def _pvid(port: Link) -> int:
    """The VLAN that a port takes frames without a tag into; 0 for none."""
    return next((vlan.vid for vlan in port.vlans if vlan.pvid), 0)


def _carried(link: Link) -> str:
    spans = [str(vlan.vid) if vlan.vid == vlan.last else f"{vlan.vid}-{vlan.last}" for vlan in link.vlans]
    return f"VLANs {', '.join(spans[:8])}" if spans else "no VLAN"


def _tags_itself(case: HostContext, item: Attachment) -> bool:
    """Whether a container makes VLAN tags itself: then its frames without one aren't what counts."""
    ns = case.view.namespaces.get(item.member.namespace)
    return ns is not None and any(isinstance(link.detail, Vlan) for link in ns.links)


def _own_gateway(case: HostContext, network: Network, bridge: Link) -> bool:
    """Whether the bridge's own interface has the gateway's address (and not a VLAN device above it)."""
    host = case.view.host
    gateway = gateway_of(network)
    held = case.view.addresses_of(LinkRef(namespace=host.id, ifindex=bridge.ifindex)) if host is not None else ()
    return bool(gateway) and any(item.address == gateway for item in held)


CHECK = Check(
    id=ID,
    title="Containers of one network are in one VLAN",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
