"""Layer 2 over the snapshot: which link a frame arrives at.  Pure.

A frame goes to the MAC that its sender remembers for the next hop, and
otherwise to whoever answers for the next hop's address.
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.walk.l2.answering import answers, is_mute, may_stand_in
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Neighbour, NotSeen
from dnet_tui.inspect.model.view import View

_UNANSWERED = frozenset({"FAILED", "INCOMPLETE", "NONE", ""})
_STACKED = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap"})
"""Kinds that share another link, below it with their siblings: who gets a frame there is not followed."""
_MAC_LENGTH = 17
_LOWER_DOWN = frozenset({"DOWN", "LOWERLAYERDOWN"})
_FADING = frozenset({"STALE", "DELAY", "PROBE"})


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Where a frame gets to.

    ``kind``: ``link`` (received by ``ref``), ``left`` (out of what can be
    seen), ``blocked`` (``by`` says what stops it) or ``unknown``.
    """

    kind: str
    ref: LinkRef | None = None
    by: Decider | None = None


def cross(view: View, ns: Namespace, link: Link) -> Arrival:
    """Send a frame out of a plain link: to a veth's other end, or out of sight."""
    stopped = down(ns, link)
    if stopped is not None:
        return Arrival(kind="blocked", by=stopped)
    if link.kind in _STACKED:
        return Arrival(kind="unknown", by=_seen(ns, link))
    if link.kind != "veth":
        return Arrival(kind="left" if ns.kind == "host" or not link.kind else "unknown", by=_seen(ns, link))
    far = view.links.get(link.peer) if link.peer is not None else None
    if link.peer is None or far is None:
        reason = link.peer_note or "its peer was not found"
        return Arrival(
            kind="unknown", by=Decider(kind="link", text=f"{link.name}: {reason}", namespace=ns.id, interface=link.name)
        )
    stopped = down(view.namespaces[link.peer.namespace], far)
    return Arrival(kind="blocked", by=stopped) if stopped else Arrival(kind="link", ref=link.peer)


def down(ns: Namespace, link: Link) -> Decider | None:
    """The decider when a link is administratively down, or has no carrier: then its queue is one that drops all.

    A bridge, and a veth whose other end is seen, have none because of what
    lies behind them: that says more.  Source: dev_deactivate
    (net/sched/sch_generic.c).
    """
    if not link.up:
        return Decider(kind="link", text=f"{link.name} is down", namespace=ns.id, value="DOWN", interface=link.name)
    if link.carrier or link.operstate not in _LOWER_DOWN or link.kind == "bridge" or link.peer is not None:
        return None
    text = f"{link.name} has no carrier"
    return Decider(kind="link", text=text, namespace=ns.id, value="NO-CARRIER", interface=link.name)


def _seen(ns: Namespace, link: Link) -> Decider:
    return Decider(kind="link", text=f"{link.name} ({link.kind or 'device'})", namespace=ns.id, interface=link.name)


def muted(view: View, ns: Namespace, bridge: Link, address: str) -> Decider | None:
    """The decider when the owner of an address behind a bridge, or the bridge itself, doesn't answer to ARP."""
    far = [(port.peer, view.links.get(port.peer)) for port in view.ports_of(ns.id, bridge.ifindex) if port.peer]
    ends = [(ns, bridge), *((view.namespaces[ref.namespace], link) for ref, link in far if link is not None)]
    for space, link in ends:
        if is_mute(link) and any(item.ifindex == link.ifindex and item.address == address for item in space.addresses):
            return mute(space, link)
    return None


def mute(ns: Namespace, link: Link) -> Decider:
    """The decider for a device that ARP is turned off on."""
    return Decider(
        kind="link", text=f"{link.name} has ARP turned off", namespace=ns.id, value="NOARP", interface=link.name
    )


def remembered(index: NamespaceIndex, link: Link, address: str) -> Neighbour | None:
    """The entry by which a namespace knows a neighbour's MAC; None when it would have to ask.

    An entry is used in every state but those without an answer (NUD_VALID).
    """
    item = index.neighbours.get((link.ifindex, address))
    return item if item is not None and item.state not in _UNANSWERED and len(item.mac) == _MAC_LENGTH else None


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame for the owner of ``next_hop``, sent to ``mac`` where the sender has it in mind already."""

    next_hop: str
    mac: str = ""
    state: str = ""
    """The state of the sender's neighbour entry with that MAC."""
    asker: str = ""
    """The address by which the sender asks, where it has to."""

    @property
    def is_fading(self) -> bool:
        """Whether the sender makes sure of its entry soon: a wrong one fails its probes, and is asked for anew.

        neigh_event_send and neigh_timer_handler of net/core/neighbour.c:
        STALE becomes DELAY with the first packet, then PROBE, then FAILED.
        """
        return bool(self.mac) and self.state in _FADING

    def asked(self) -> Frame:
        """The frame as it would be had the sender to ask."""
        return Frame(next_hop=self.next_hop, asker=self.asker)

    def is_for(self, index: NamespaceIndex, link: Link) -> bool:
        """Whether a link takes the frame: it has the MAC, or would have answered."""
        return (
            self.mac == link.mac.lower() if self.mac and link.mac else answers(index, link, self.next_hop, self.asker)
        )


def stacked_owner(view: View, ns: Namespace, link: Link, address: str) -> Decider | None:
    """The decider when a macvlan or ipvlan above a link has the address that a frame leaves by the link for."""
    for ref in view.stacked_on(LinkRef(namespace=ns.id, ifindex=link.ifindex)):
        upper = view.links[ref]
        if upper.kind in _STACKED and any(item.address == address for item in view.addresses_of(ref)):
            text = f"{address} is at {upper.name}, a {upper.kind} above {link.name}, which the walk does not follow"
            return Decider(kind="link", text=text, namespace=ns.id, interface=link.name)
    return None


def owner_ports(view: View, ns: Namespace, bridge: Link, frame: Frame) -> tuple[Link, ...]:
    """The bridge ports behind which somebody takes a frame; several when an address or a MAC is taken twice.

    Raises:
        NotSeen: somebody behind a port may take it as well, or alone, and it isn't known.  That somebody has the
            very MAC address that another one certainly has is not reckoned with.
    """
    found = []
    unseen: NotSeen | None = None
    ports = view.ports_of(ns.id, bridge.ifindex)
    if not frame.mac:  # most ports of a big bridge are told apart by the address alone
        ports = view.once(BridgeOwners, bridge).ports(view, ports, frame.next_hop)
    for port in ports:
        if port.peer is None:
            continue
        try:
            far = view.links.get(port.peer)
            if far is not None and frame.is_for(index_of(view, view.namespaces[port.peer.namespace]), far):
                found.append(port)
        except NotSeen as missing:
            unseen = unseen or missing
    if unseen is not None and not (found and frame.mac):
        raise unseen
    return tuple(found)


class BridgeOwners:
    """Behind which ports of a bridge an address may be, found once for each address."""

    def __init__(self, bridge: Link) -> None:
        self._bridge = bridge  # by whose identity this is kept
        self._found: dict[str, tuple[Link, ...]] = {}

    def ports(self, view: View, every: tuple[Link, ...], address: str) -> tuple[Link, ...]:
        """The ports behind which nobody is certainly a stranger to the address."""
        found = self._found.get(address)
        if found is None:
            found = self._found[address] = tuple(
                port for port in every if port.peer is None or not _is_stranger(view, port.peer.namespace, address)
            )
        return found


def _is_stranger(view: View, namespace: str, address: str) -> bool:
    """Whether a namespace neither has an address nor may answer for it in somebody else's place."""
    ns = view.namespaces.get(namespace)
    return view.is_stranger(namespace, address) and ns is not None and not view.once(_stands_in, ns)


def _stands_in(ns: Namespace) -> bool:
    return may_stand_in(NamespaceIndex(ns))


def is_for_bridge(view: View, ns: Namespace, bridge: Link, frame: Frame) -> bool:
    """Whether a bridge hands a frame up to its own host: it has the bridge's MAC, or that of one of its ports."""
    if frame.is_for(index_of(view, ns), bridge):
        return True
    return bool(frame.mac) and any(port.mac.lower() == frame.mac for port in view.ports_of(ns.id, bridge.ifindex))


def has_foreign_port(view: View, ns: Namespace, bridge: Link) -> bool:
    """Whether a port leads out of sight: a physical device, a tunnel, or a veth without a known peer."""
    return any(port.kind != "veth" or port.peer is None for port in view.ports_of(ns.id, bridge.ifindex))


def vlan_doubt(view: View, ns: Namespace, bridge: Link) -> Decider | None:
    """The decider when a bridge filters VLANs and its ports don't all carry the same untagged one.

    VLANs are not followed; where every port has one and the same VLAN they make no difference.
    """
    if bridge.bridge is None or not bridge.bridge.vlan_filtering:
        return None
    links = (bridge, *view.ports_of(ns.id, bridge.ifindex))
    if links[0].vlans and len({link.vlans for link in links}) == 1 and all(_only_untagged(link) for link in links):
        return None
    text = f"{bridge.name} filters VLANs, which the walk does not follow"
    return Decider(kind="link", text=text, namespace=ns.id, value="vlan_filtering 1", interface=bridge.name)


def _only_untagged(link: Link) -> bool:
    return all(vlan.vid == vlan.last and vlan.pvid and vlan.untagged for vlan in link.vlans)


def port_stop(ns: Namespace, port: Link) -> Decider | None:
    """The decider when a bridge port doesn't pass frames: down, or not in state forwarding."""
    stopped = down(ns, port)
    if stopped is not None:
        return stopped
    state = port.port.state if port.port is not None else "unknown"
    if state in {"forwarding", "unknown"}:
        return None
    return Decider(
        kind="link", text=f"bridge port {port.name} is {state}", namespace=ns.id, value=state, interface=port.name
    )


def delivery_stop(ns: Namespace, came_by: Link, port: Link) -> Decider | None:
    """The decider when a bridge doesn't pass a frame from one port to another (``should_deliver``).

    Both isolated, or the same port without hairpin mode.
    """
    if came_by.ifindex == port.ifindex:
        if port.port is not None and port.port.hairpin:
            return None
        text = f"bridge port {port.name} has hairpin mode off: nothing goes back where it came from"
        return Decider(kind="link", text=text, namespace=ns.id, value="hairpin off", interface=port.name)
    if came_by.port and port.port and came_by.port.isolated and port.port.isolated:
        text = f"bridge ports {came_by.name} and {port.name} are both isolated"
        return Decider(kind="link", text=text, namespace=ns.id, value="isolated on", interface=port.name)
    return None


def calls_iptables(ns: Namespace, bridge: Link, family: str) -> bool:
    """Whether bridged packets pass the IP hooks (br_netfilter): the namespace's sysctl or the bridge's own switch."""
    suffix = "iptables" if family == "ip" else "ip6tables"
    if ns.sysctls.get(f"net.bridge.bridge-nf-call-{suffix}") == "1":
        return True
    info = bridge.bridge
    return info is not None and (info.nf_call_iptables if family == "ip" else info.nf_call_ip6tables)
