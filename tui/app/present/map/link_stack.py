"""What an interface lies on, what lies on it, and where a tunnel leads: as facts of its detail.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.inspect.model import Bond, Geneve, Link, LinkRef, Namespace, Tunnel, Vlan, Vxlan, known_items
from dnet_tui.inspect.model.links import PAIRS, TUNNELS, Ipvlan, Macvlan
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.styled_text import Paragraph, fact, say

_SHOWN = 8


def stack(view: View, ns: Namespace, link: Link) -> Iterator[Paragraph]:
    """Yield its parent, its slaves or what lies on it, and a tunnel's other ends."""
    if link.peer is not None and link.kind not in PAIRS:
        lower = view.links.get(link.peer)
        name = lower.name if lower is not None else f"index {link.peer.ifindex}"
        yield fact("lies on", say(name, "name"), f" in {view.label(link.peer.namespace)}{_how(link)}")
    if isinstance(link.detail, Bond):
        active = view.links.get(LinkRef(namespace=ns.id, ifindex=link.detail.active)) if link.detail.active else None
        which = f", active {active.name}" if active is not None else ""
        yield fact("bond", f"{link.detail.mode}{which}")
    above = view.known_above(LinkRef(namespace=ns.id, ifindex=link.ifindex))
    for index, ref in enumerate(above[:_SHOWN]):
        upper = view.links[ref]
        text = f" {upper.kind}{_how(upper)} of {view.label(ref.namespace)}"
        yield fact("" if index else "below", say(upper.name, "name"), text)
    if len(above) > _SHOWN:
        yield fact("", f"and {len(above) - _SHOWN} more")
    if link.kind in TUNNELS:
        yield from _tunnel(view, ns, link)


def _how(link: Link) -> str:
    detail = link.detail
    if isinstance(detail, Macvlan | Ipvlan):
        return f", mode {detail.mode}" if detail.mode else ""
    return f", VLAN {detail.vid}" if isinstance(detail, Vlan) else ""


def _tunnel(view: View, ns: Namespace, link: Link) -> Iterator[Paragraph]:
    detail = link.detail
    if isinstance(detail, Vxlan | Geneve):
        yield fact(
            "tunnel", f"{link.kind} {detail.vni} to {detail.remote or 'whom its entries name'}, port {detail.port}"
        )
    elif isinstance(detail, Tunnel):
        yield fact("tunnel", f"{link.kind} from {detail.local or 'any address'} to {detail.remote or 'any address'}")
    if link.underlay:
        yield fact("underlay", view.label(link.underlay) if link.underlay in view.namespaces else "not seen")
    for device in known_items(ns.wireguard):
        if device.ifindex != link.ifindex:
            continue
        for index, peer in enumerate(device.peers[:_SHOWN]):
            where = f"{peer.endpoint}:{peer.port}" if peer.endpoint else "no endpoint known"
            yield fact("" if index else "peers", say(peer.key, "name"), f" at {where}, for {', '.join(peer.allowed)}")
        if len(device.peers) > _SHOWN:
            yield fact("", f"and {len(device.peers) - _SHOWN} more")
