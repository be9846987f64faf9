"""Tunnels: where one sends a packet or frame, and which tunnel at the other end takes it.  Pure.

Sources: drivers/net/vxlan/vxlan_core.c (vxlan_xmit, vxlan_find_mac,
vxlan_rcv), geneve.c (geneve_lookup), net/ipv4/ip_tunnel.c (ip_tunnel_lookup),
drivers/net/wireguard/allowedips.c, receive.c (a source is taken from the peer
alone that it is allowed for).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.inspect.model import Geneve, Link, LinkRef, Namespace, Snapshot, Tunnel, Vxlan, known_items
from dnet_tui.inspect.model.links import TUNNELS, UNDERLAY_UNSEEN, WireGuardDevice, WireGuardPeer
from dnet_tui.inspect.model.view import View

FRAMES = frozenset({"vxlan", "geneve", "gretap", "ip6gretap", "erspan", "ip6erspan"})
"""Tunnels of frames; the others carry IP packets."""

_UDP = frozenset({"vxlan", "geneve", "wireguard"})
_PROTOS = {"ipip": "ipencap", "sit": "ipv6", "ip6tnl": "ipv6"}
_EVERYBODY = "00:00:00:00:00:00"
"""The MAC address of a VXLAN's entries for what it has no other entry for."""
_ETHERNET, _UDP_HEADER, _VXLAN_HEADER, _GRE_HEADER, _WIREGUARD = 14, 8, 8, 4, 32


class Remote(NamedTuple):
    """An end that a tunnel sends to: its address, and what tells there which tunnel is meant."""

    address: str
    port: int = 0
    vni: int = 0
    peer: str = ""
    """WireGuard's: the peer's public key."""

    @property
    def where(self) -> str:
        """The end in words: ``203.0.113.5:51820``, with the peer's key where it has one."""
        host = f"[{self.address}]" if ":" in self.address and self.port else self.address
        place = f"{host}:{self.port}" if self.port else host
        return f"peer {self.peer} at {place}" if self.peer else place


def is_tunnel(link: Link) -> bool:
    """Whether a link's packets travel inside of others."""
    return link.kind in TUNNELS


def underlay(view: View, ns: Namespace, link: Link) -> Namespace | None:
    """The namespace in which a tunnel's outer packets travel; None for one that wasn't read."""
    if link.underlay == UNDERLAY_UNSEEN:
        return None
    return view.namespaces.get(link.underlay or ns.id)


def remotes(ns: Namespace, link: Link, mac: str) -> tuple[Remote, ...]:
    """Where a tunnel of one end, or a VXLAN, sends a frame for a MAC address (empty: for everybody)."""
    detail = link.detail
    if isinstance(detail, Vxlan):
        return tuple(_by_entries(ns, link, detail, mac))
    if isinstance(detail, Geneve):
        return (Remote(detail.remote, detail.port, detail.vni),) if detail.remote else ()
    if isinstance(detail, Tunnel):
        return (Remote(detail.remote),) if detail.remote else ()
    return ()


def is_external(link: Link) -> bool:
    """Whether routes or programs choose each packet's end."""
    return isinstance(link.detail, Vxlan | Geneve | Tunnel) and link.detail.external


def _by_entries(ns: Namespace, link: Link, detail: Vxlan, mac: str) -> Iterator[Remote]:
    """vxlan_find_mac, then the default entry; the one configured with the device is among those, where FDB has it."""
    own = [item for item in ns.fdb if item.ifindex == link.ifindex and item.remote]
    found = [item for item in own if mac and item.mac.lower() == mac]
    found = found or [item for item in own if item.mac == _EVERYBODY]
    seen = dict.fromkeys(Remote(item.remote, item.port or detail.port, item.vni or detail.vni) for item in found)
    if not seen and detail.remote:
        seen = {Remote(detail.remote, detail.port, detail.vni): None}
    yield from seen


def wireguard(ns: Namespace, link: Link) -> WireGuardDevice | None:
    """What a WireGuard interface is set to.

    Raises:
        NotSeen: it was not read.
    """
    return next((item for item in ns.wireguard if item.ifindex == link.ifindex), None)


def allowed_peer(device: WireGuardDevice, address: str) -> WireGuardPeer | None:
    """The peer to which an address belongs: by the longest prefix of all peers."""
    best: tuple[int, WireGuardPeer] | None = None
    for peer in device.peers:
        for cidr in peer.allowed:
            length = ipaddress.ip_network(cidr, strict=False).prefixlen
            if contains(cidr, address) is True and (best is None or length > best[0]):
                best = length, peer
    return best[1] if best is not None else None


def outer_protocol(link: Link) -> str:
    """The protocol of a tunnel's outer packets."""
    return "udp" if link.kind in _UDP else _PROTOS.get(link.kind, "gre")


def outer_length(link: Link, length: int, *, six: bool) -> int:
    """The bytes of the outer packet, of an inner one's; 0 stays 0."""
    if not length:
        return 0
    header = 40 if six else 20
    extra = {"vxlan": _UDP_HEADER + _VXLAN_HEADER, "geneve": _UDP_HEADER + _VXLAN_HEADER, "wireguard": 8 + _WIREGUARD}
    more = extra.get(link.kind, 0 if link.kind in _PROTOS else _GRE_HEADER)
    return length + header + more + (_ETHERNET if link.kind in FRAMES else 0)


def local_ends(view: View, mine: LinkRef, remote: Remote) -> Iterator[tuple[Namespace, Link]]:
    """The tunnels on this host that may be the other end: wherever somebody has the remote's address."""
    for ns, other in _likely(view, mine, remote):
        home = underlay(view, ns, other)
        if home is not None and remote.address in index_of(view, home).addresses:
            yield ns, other


def taker(view: View, home: Namespace, mine: LinkRef, remote: Remote, source: str) -> tuple[Namespace, Link] | None:
    """The tunnel that takes an outer packet from ``source`` that was delivered in ``home``, sent by ``mine``."""
    best: tuple[int, tuple[Namespace, Link]] | None = None
    for ns, other in _likely(view, mine, remote):
        there = underlay(view, ns, other)
        if there is None or there.id != home.id:
            continue
        score = _score(other, remote, source)
        if score is not None and (best is None or score > best[0]):
            best = score, (ns, other)
    return best[1] if best is not None else None


def others(view: View, mine: LinkRef) -> Iterator[tuple[Namespace, Link]]:
    """The other tunnels of a link's kind, wherever they are."""
    kind = view.links[mine].kind
    for ns, other in _tunnels_of(view):
        if other.kind == kind and (ns.id, other.ifindex) != (mine.namespace, mine.ifindex):
            yield ns, other


def _likely(view: View, mine: LinkRef, remote: Remote) -> Iterator[tuple[Namespace, Link]]:
    link = view.links[mine]
    return ((ns, other) for ns, other in others(view, mine) if _is_meant(ns, other, link, remote))


def _is_meant(ns: Namespace, other: Link, link: Link, remote: Remote) -> bool:
    detail, mine = other.detail, link.detail
    if isinstance(detail, Vxlan | Geneve):
        return detail.external or (detail.vni, detail.port) == (remote.vni, remote.port)
    if isinstance(detail, Tunnel) and isinstance(mine, Tunnel):
        return detail.ikey == mine.okey
    if link.kind == "wireguard":
        device = wireguard(ns, other)
        return device is not None and (device.key, device.port) == (remote.peer, remote.port)
    return False


def _score(other: Link, remote: Remote, source: str) -> int | None:
    """How well a tunnel's ends fit an outer packet's; None where they don't."""
    detail = other.detail
    if isinstance(detail, Geneve):
        return 1 if detail.external or detail.remote == source else None
    if not isinstance(detail, Tunnel):
        return 0
    ends = ((detail.remote, source), (detail.local, remote.address))
    if any(mine and mine != theirs for mine, theirs in ends):
        return None
    return sum(1 for mine, _ in ends if mine)


def _tunnels_of(view: View) -> Iterable[tuple[Namespace, Link]]:
    return view.once(_tunnels, view.snapshot)


def _tunnels(snapshot: Snapshot) -> tuple[tuple[Namespace, Link], ...]:
    return tuple(
        (ns, link) for ns in known_items(snapshot.namespaces) for link in known_items(ns.links) if is_tunnel(link)
    )


def ref_text(view: View, ref: LinkRef) -> str:
    """A link's name, with its namespace where that isn't the host's."""
    link = view.links.get(ref)
    name = link.name if link is not None else str(ref.ifindex)
    label = view.label(ref.namespace)
    return name if label == "host" else f"{name} of {label}"
