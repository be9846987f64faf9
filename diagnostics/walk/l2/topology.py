"""Layer 2 over the snapshot: which link a frame arrives at.  Pure.

A frame goes to the MAC that its sender remembers for the next hop, and
otherwise to whoever answers for the next hop's address.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.walk.l2 import vlan_ports
from dnet_tui.diagnostics.walk.l2.answering import is_mute, may_stand_in
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.reach import is_plain, is_plain_end, reach
from dnet_tui.diagnostics.walk.l2.stacks import sharers, vlan_above
from dnet_tui.diagnostics.walk.l3.namespace_context import MAC_LENGTH
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Neighbour, NotSeen
from dnet_tui.inspect.model.links import PAIRS
from dnet_tui.inspect.model.view import View

_UNANSWERED = frozenset({"FAILED", "INCOMPLETE", "NONE", ""})


def down(ns: Namespace, link: Link) -> Decider | None:
    """The decider when a link is administratively down, or has no carrier: then its queue is one that drops all.

    A bridge, and a veth whose other end is seen, have none because of what
    lies behind them: that says more.  Source: dev_deactivate
    (net/sched/sch_generic.c).
    """
    if not link.up:
        return Decider(kind="link", text=f"{link.name} is down", namespace=ns.id, value="DOWN", interface=link.name)
    if link.kind == "bridge" or (link.peer is not None and link.kind in PAIRS):
        return None
    return without_carrier(ns, link)


def lacks_carrier(link: Link) -> bool:
    """Whether a link that is up has no carrier; False for a device that doesn't tell.

    ``operstate`` doesn't have to say so: it follows the flag by up to a second.
    Source: linkwatch_schedule_work (net/core/link_watch.c).
    """
    return not link.carrier and link.operstate != "UNKNOWN"


def without_carrier(ns: Namespace, link: Link) -> Decider | None:
    """The decider when nothing is at a link's other end, or that is down."""
    if not lacks_carrier(link):
        return None
    text = f"{link.name} has no carrier"
    return Decider(kind="link", text=text, namespace=ns.id, value="NO-CARRIER", interface=link.name)


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
    return item if item is not None and item.state not in _UNANSWERED and len(item.mac) == MAC_LENGTH else None


def owner_ports(view: View, ns: Namespace, bridge: Link, frame: Frame) -> tuple[Link, ...]:
    """The bridge ports behind which somebody takes a frame; several when an address or a MAC is taken twice.

    Raises:
        NotSeen: somebody behind a port may take it as well, or alone, and it isn't known.  That somebody has the
            very MAC address that another one certainly has is not reckoned with.
    """
    found = []
    unseen: NotSeen | None = None
    plain = is_plain(view, ns, bridge)
    ports = view.ports_of(ns.id, bridge.ifindex)
    if plain:  # most ports of a big bridge are told apart by the address alone
        owners = view.once(BridgeOwners, bridge)
        ports = owners.with_mac(view, ports, frame.mac) if frame.mac else owners.ports(view, ports, frame.next_hop)
    for port in ports:
        try:
            if plain or is_plain_end(view, port):
                took = _is_behind(view, bridge, port, frame)
            else:
                took = _is_reached(view, ns, bridge, port, frame)
            if took:
                found.append(port)
        except NotSeen as missing:
            unseen = unseen or missing
    if unseen is not None and not (found and frame.mac):
        raise unseen
    return tuple(found)


def ports_beside(view: View, ns: Namespace, bridge: Link, frame: Frame) -> Iterator[Link]:
    """The ports behind which somebody would take a frame, were they members of its VLAN; the bridge itself likewise."""
    if not vlan_ports.is_member(bridge, bridge, frame.vlan) and frame.is_for(index_of(view, ns), bridge):
        yield bridge
    for port in view.ports_of(ns.id, bridge.ifindex):
        if not vlan_ports.is_member(bridge, port, frame.vlan):
            heard = reach(view, ns, port, tags=frame.tags, mac=frame.mac).hearers
            if any(frame.is_for(index_of(view, item.ns), item.link) for item in heard):
                yield port


def _is_behind(view: View, bridge: Link, port: Link, frame: Frame) -> bool:
    """Whether the other end of a veth takes a frame, which has nothing beneath or above it."""
    if port.peer is None or not vlan_ports.is_member(bridge, port, frame.vlan):
        return False
    if not frame.mac and _is_stranger(view, port.peer.namespace, frame.next_hop):
        return False  # most ports of a big bridge are told apart by this alone
    far = view.links.get(port.peer)
    return far is not None and frame.is_for(index_of(view, view.namespaces[port.peer.namespace]), far)


def _is_reached(view: View, ns: Namespace, bridge: Link, port: Link, frame: Frame) -> bool:
    """Whether anybody who hears what leaves by a port takes a frame."""
    if not vlan_ports.is_member(bridge, port, frame.vlan):
        return False
    found = reach(view, ns, port, tags=vlan_ports.tags_out(bridge, port, frame.vlan, frame.tags), mac=frame.mac)
    took = any(
        (frame.mac or not _is_stranger(view, item.ns.id, frame.next_hop))
        and frame.is_for(index_of(view, item.ns), item.link)
        for item in found.hearers
    )
    if not took and found.unseen is not None:
        raise found.unseen
    return took


class BridgeOwners:
    """Behind which ports of a bridge an address may be, found once for each address."""

    def __init__(self, bridge: Link) -> None:
        self._bridge = bridge  # by whose identity this is kept
        self._found: dict[str, tuple[Link, ...]] = {}
        self._with_mac: dict[str, tuple[Link, ...]] = {}

    def with_mac(self, view: View, every: tuple[Link, ...], mac: str) -> tuple[Link, ...]:
        """The ports behind which nobody certainly has another MAC address."""
        found = self._with_mac.get(mac)
        if found is None:
            found = tuple(port for port in every if _far_mac(view, port) in {None, "", mac})
            self._with_mac[mac] = found
        return found

    def ports(self, view: View, every: tuple[Link, ...], address: str) -> tuple[Link, ...]:
        """The ports behind which nobody is certainly a stranger to the address."""
        found = self._found.get(address)
        if found is None:
            found = self._found[address] = tuple(
                port for port in every if port.peer is None or not _is_stranger(view, port.peer.namespace, address)
            )
        return found


def _far_mac(view: View, port: Link) -> str | None:
    """The MAC address of a veth's other end; None where that wasn't seen."""
    try:
        far = view.links.get(port.peer) if port.peer is not None else None
    except NotSeen:
        return None
    return far.mac.lower() if far is not None else None


def _is_stranger(view: View, namespace: str, address: str) -> bool:
    """Whether a namespace neither has an address nor may answer for it in somebody else's place."""
    ns = view.namespaces.get(namespace)
    return view.is_stranger(namespace, address) and ns is not None and not view.once(_stands_in, ns)


def _stands_in(ns: Namespace) -> bool:
    return may_stand_in(NamespaceIndex(ns))


def is_for_bridge(view: View, ns: Namespace, bridge: Link, frame: Frame) -> bool:
    """Whether a bridge hands a frame up to its own host: it has the bridge's MAC, or that of one of its ports.

    Or it is for a device above the bridge: a VLAN's, a macvlan's.
    """
    ref = LinkRef(namespace=ns.id, ifindex=bridge.ifindex)
    tags = vlan_ports.tags_out(bridge, bridge, frame.vlan, frame.tags)
    upper = vlan_above(view, ref, tags[-1]) if tags else None
    if upper is not None:
        return frame.is_for(index_of(view, upper[0]), upper[1])
    if not tags and frame.is_for(index_of(view, ns), bridge):
        return True
    if not tags and any(frame.is_for(index_of(view, space), link) for space, link in sharers(view, ref)):
        return True
    return bool(frame.mac) and any(port.mac.lower() == frame.mac for port in view.ports_of(ns.id, bridge.ifindex))


def foreign_ends(view: View, ns: Namespace, bridge: Link, mac: str) -> Iterator[tuple[Namespace, Link]]:
    """The links by which frames of a bridge go out of sight: physical devices, tunnels, veths without a known peer."""
    for port in view.ports_of(ns.id, bridge.ifindex):
        if not is_plain_end(view, port):
            yield from reach(view, ns, port, mac=mac).edges
        elif port.peer is None:
            yield ns, port


def told_ports(view: View, ns: Namespace, bridge: Link, mac: str) -> tuple[Link, ...]:
    """The VXLANs among a bridge's ports that were told of a MAC address: an entry of theirs says where it is."""
    named = {item.ifindex for item in ns.fdb if item.remote and item.mac.lower() == mac}
    return tuple(port for port in view.ports_of(ns.id, bridge.ifindex) if port.ifindex in named)


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
    if came_by.ifindex == port.ifindex and not (port.port is not None and port.port.hairpin):
        text = f"bridge port {port.name} has hairpin mode off: nothing goes back where it came from"
        return Decider(kind="link", text=text, namespace=ns.id, value="hairpin off", interface=port.name)
    if came_by.port and port.port and came_by.port.isolated and port.port.isolated:
        both = f"bridge ports {came_by.name} and {port.name} are both isolated"
        text = f"bridge port {port.name} is isolated, from itself too" if came_by.ifindex == port.ifindex else both
        return Decider(kind="link", text=text, namespace=ns.id, value="isolated on", interface=port.name)
    return None


def calls_iptables(ns: Namespace, bridge: Link, family: str) -> bool:
    """Whether bridged packets pass the IP hooks (br_netfilter): the namespace's sysctl or the bridge's own switch."""
    suffix = "iptables" if family == "ip" else "ip6tables"
    if ns.sysctls.get(f"net.bridge.bridge-nf-call-{suffix}") == "1":
        return True
    info = bridge.bridge
    return info is not None and (info.nf_call_iptables if family == "ip" else info.nf_call_ip6tables)
