"""Links that lie on others: who is above a link, who below, and what the one below does with a frame.  Pure.

Sources: __netif_receive_skb_core (net/core/dev.c) for the order: a VLAN's
device first, then the one receive handler; vlan_do_receive (net/8021q);
macvlan_handle_frame and macvlan_queue_xmit (drivers/net/macvlan.c);
ipvlan_core.c and ipvlan_l3s.c; bond_handle_frame (drivers/net/bonding).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.model import Bond, Ipvlan, Link, LinkRef, Macvlan, Namespace, Vlan
from dnet_tui.inspect.model.view import View

MACVLANS = frozenset({"macvlan", "macvtap"})
IPVLANS = frozenset({"ipvlan", "ipvtap"})
TAPS = frozenset({"macvtap", "ipvtap"})
"""Those whose frames a program takes, most often a virtual machine's, if one holds them (tap_handle_frame)."""
SHARING = MACVLANS | IPVLANS
"""Kinds that share one link below them with their siblings."""
BONDS = frozenset({"bond", "team"})
ABOVE = SHARING | {"vlan"}
"""Kinds that lie on one other link, which sends and receives for them."""
_ACTIVE_BACKUP = "active-backup"
_ONE_ACTIVE = frozenset({_ACTIVE_BACKUP})


def ref_of(ns: Namespace, link: Link) -> LinkRef:
    """The link's id."""
    return LinkRef(namespace=ns.id, ifindex=link.ifindex)


def mode(link: Link) -> str:
    """The mode of a macvlan or ipvlan; empty for others, or where it isn't known."""
    return link.detail.mode if isinstance(link.detail, Macvlan | Ipvlan) else ""


def flag(link: Link) -> str:
    """Whether an ipvlan reaches its siblings: ``bridge``, ``private`` or ``vepa``."""
    return link.detail.flag if isinstance(link.detail, Ipvlan) else "bridge"


def routes_below(link: Link) -> bool:
    """Whether what an ipvlan sends is routed in the namespace of the link below it (modes l3 and l3s)."""
    return link.kind in IPVLANS and mode(link) != "l2"


def vid_of(link: Link) -> int:
    """The VLAN of a VLAN's device."""
    return link.detail.vid if isinstance(link.detail, Vlan) else 0


def below(view: View, link: Link) -> tuple[Namespace, Link] | None:
    """The link that another lies on, with its namespace; None where it wasn't seen."""
    lower = view.links.get(link.peer) if link.peer is not None else None
    return (view.namespaces[link.peer.namespace], lower) if link.peer is not None and lower is not None else None


def sharers(view: View, ref: LinkRef) -> tuple[tuple[Namespace, Link], ...]:
    """The macvlans or ipvlans that are known to lie on a link."""
    found = ((upper, view.links[upper]) for upper in view.known_above(ref))
    return tuple((view.namespaces[upper.namespace], link) for upper, link in found if link.kind in SHARING)


def siblings(view: View, ns: Namespace, link: Link) -> tuple[tuple[Namespace, Link], ...]:
    """The others that are known to share the link below a macvlan or ipvlan."""
    if link.peer is None:
        return ()
    mine = ref_of(ns, link)
    return tuple((space, other) for space, other in sharers(view, link.peer) if ref_of(space, other) != mine)


def owner(view: View, among: Iterable[tuple[Namespace, Link]], address: str) -> tuple[Namespace, Link] | None:
    """The one of several ipvlans that has an address: by it they are told apart, their MAC address is one."""
    for ns, link in among:
        if any(item.address == address for item in view.addresses_of(ref_of(ns, link))):
            return ns, link
    return None


def vlan_above(view: View, ref: LinkRef, vid: int) -> tuple[Namespace, Link] | None:
    """The device of a VLAN above a link."""
    for upper in view.known_above(ref):
        link = view.links[upper]
        if link.kind == "vlan" and vid_of(link) == vid:
            return view.namespaces[upper.namespace], link
    return None


def slaves(view: View, ns: Namespace, bond: Link) -> tuple[Link, ...]:
    """The links by which a bond or team sends: the active one, or any that has a carrier."""
    ports = view.ports_of(ns.id, bond.ifindex)
    if isinstance(bond.detail, Bond) and bond.detail.mode in _ONE_ACTIVE:
        return tuple(port for port in ports if port.ifindex == bond.detail.active)
    return tuple(port for port in ports if port.up and port.carrier)


def is_idle_slave(bond: Link, slave: Link) -> bool:
    """Whether a bond takes nothing that comes in by a slave (bond_should_deliver_exact_match)."""
    detail = bond.detail
    return isinstance(detail, Bond) and detail.mode in _ONE_ACTIVE and slave.ifindex != detail.active


def no_slave(ns: Namespace, bond: Link) -> Decider:
    """The decider for a bond without a slave that it could send by."""
    text = f"{bond.name} has no active slave"
    return Decider(kind="link", text=text, namespace=ns.id, value="NO-CARRIER", interface=bond.name)


def is_promiscuous(view: View, ns: Namespace, bridge: Link) -> bool:
    """Whether a bridge takes every frame: it was told to, or a link above it has a MAC address of its own.

    A bridge has no filter for that (IFF_UNICAST_FLT), and no flag shows it (macvlan_open, __dev_set_rx_mode).
    """
    uppers = (view.links[upper] for upper in view.known_above(ref_of(ns, bridge)))
    return "PROMISC" in bridge.flags or any(
        link.up and link.kind in MACVLANS | {"vlan"} and link.mac != bridge.mac for link in uppers
    )


def hears_groups(sender: Link | None, upper: Link) -> bool:
    """Whether a macvlan hears a broadcast that arrives at the link below it; ``sender``: the one above it that sent it.

    macvlan_handle_frame and macvlan_process_broadcast: what comes back of a private or
    passthru one goes to itself alone, of a VEPA one to all but private ones, of a bridge one to VEPA ones.
    """
    if upper.kind in IPVLANS or mode(upper) == "source":
        return upper.kind in IPVLANS
    if sender is None:
        return True
    if mode(sender) == "vepa":
        return mode(upper) in {"vepa", "bridge"}
    return mode(sender) == "bridge" and mode(upper) == "vepa"


def switches(link: Link) -> Iterator[str]:
    """Why a macvlan's or ipvlan's frames for its siblings go out on the wire, where they do."""
    if link.kind in MACVLANS and mode(link) != "bridge":
        yield f"{link.name} is a {link.kind} in mode {mode(link)}: what it sends to its siblings goes out on the wire"
    elif link.kind in IPVLANS and flag(link) != "bridge":
        yield f"{link.name} is an {link.kind} with flag {flag(link)}: it doesn't reach its siblings"
