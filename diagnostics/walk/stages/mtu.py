"""How long a packet may be at each link it crosses: MTUs, Don't Fragment, fragments.  Pure.

Only packets with a length are asked; what is modelled is one packet on the
wire, not the big ones (GSO) that the kernel cuts up in the end, which pass
everywhere.  What a sender has learnt of a path's MTU isn't known.

Sources: net/ipv4/ip_forward.c (``ip_exceeds_mtu``), ip_output.c
(``__ip_finish_output``, ``ip_fragment``), include/net/ip.h
(``ip_dst_mtu_maybe_forward``); net/ipv6/ip6_output.c (``ip6_forward``,
``ip6_fragment``), include/net/ip6_route.h (``ip6_dst_mtu_maybe_forward``) for
IP, which tells the sender.  Frames are dropped without a word:
``is_skb_forwardable`` (include/linux/netdevice.h) where a bridge sends by a
port (net/bridge/br_forward.c) and where the far end of a veth receives
(``__dev_forward_skb``); br_netfilter_hooks.c (``br_nf_dev_queue_xmit``).
"""

from __future__ import annotations

import re

from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer, sysctl_name
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, replace
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace, Unread

STAGE = "mtu"
"""The stage at which the IP layer stops a packet that is too long, and tells its sender."""

SHORTEST = {"tcp": 20, "udp": 8, "icmp": 8, "icmpv6": 8}
"""Bytes of the header that follows IP's, of what the walk models."""
HEADER = {"ip": 20, "ip6": 40}
LONGEST = 65535

_VLAN_HEADER = 4
"""Frames may be this much longer than the MTU, VLAN header or not (VLAN_HLEN in is_skb_forwardable)."""
_FRAGMENT_HEADER = 8
_FORMER_BRIDGE_MTU = 1500
"""What br_netfilter took for the MTU of any bridge when it fragments, up to Linux 6.14 (br_nf_core.c)."""
_BRIDGE_MTU_SINCE = (6, 15)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


def size_of(packet: Packet) -> int:
    """The bytes of the longest piece it travels in; 0 for a packet that is short enough for any link."""
    return packet.fragment or packet.length


def piece(family: str, mtu: int) -> int:
    """The longest fragment that an MTU allows: all but the last carry a multiple of 8 bytes."""
    header = HEADER[family] + (_FRAGMENT_HEADER if family == "ip6" else 0)
    return header + max(mtu - header, 8) // 8 * 8


def made(state: WalkState, ns: Namespace, out: Link, answer: RouteAnswer) -> None:
    """A packet is made here: its sender may not send more than fits if it must not be fragmented (EMSGSIZE).

    Without a wish it goes as Linux sends by itself (IP_PMTUDISC_WANT): TCP
    never fragments, others do what is too long for their own way out.
    """
    packet = state.packet
    if not packet.length:
        return
    if packet.df is None and packet.proto == "tcp":
        state.packet = packet = replace(packet, df=not _sends_without_df(ns, packet, answer))
    if packet.df:
        _refuse(state, ns, out, answer, forwarded=False)


def forwarded(state: WalkState, ns: Namespace, out: Link, answer: RouteAnswer) -> None:
    """A packet is about to be forwarded: what must not be fragmented is refused before FORWARD."""
    if state.packet.length and not _may_fragment(state):
        _refuse(state, ns, out, answer, forwarded=True)


def sent(state: WalkState, ns: Namespace, out: Link, answer: RouteAnswer, *, made_here: bool) -> None:
    """A packet leaves the IP layer, after POSTROUTING: here it is fragmented."""
    packet = state.packet
    if not packet.length:
        return
    mtu, _ = _limit(ns, out, answer, packet, forwarded=packet.family == "ip" and not made_here)
    if size_of(packet) > mtu:
        if _may_fragment(state) or (made_here and not packet.df):
            shorter = replace(packet, fragment=piece(packet.family, mtu), df=False)
            state.packet = shorter
            state.hop(
                ns, out.name, STAGE, f"fragmented to {shorter.fragment}", note=f"{packet.length} bytes, mtu {mtu}"
            )
        elif not _told_already(state, ns):
            _refuse(state, ns, out, answer, forwarded=packet.family == "ip" and not made_here)
    elif packet.df is None:
        state.packet = replace(packet, df=not (made_here and _sends_without_df(ns, packet, answer)))
    if out.kind not in {"veth", "bridge", "loopback"} and size_of(state.packet) > out.mtu > 0:
        _driver_decides(state, ns, out)


def join(state: WalkState, ns: Namespace) -> None:
    """A bridge has shown its host's IP hooks a frame and hands it up: fragments that conntrack put together stay so.

    IP forgets how long they were (ip_rcv_core and ip6_rcv_core clear the
    control block), and may fragment the whole again, IPv6 too (``ignore_df``).
    """
    if not state.packet.fragment:
        return
    ways = _joined(ns, state.packet)
    state.joined = ways[0] if len(ways) == 1 else None
    if state.joined:
        state.packet = replace(state.packet, fragment=0)


def out_of_port(state: WalkState, ns: Namespace, bridge: Link, port: Link, *, called: bool, kernel: str) -> None:
    """A frame leaves a bridge by a port; ``called``: br_netfilter may cut it up before."""
    if not state.packet.length or not port.mtu:
        return
    if called:
        _cut_up(state, ns, bridge, port, kernel)
    if size_of(state.packet) > port.mtu + _VLAN_HEADER:
        _lose(state, ns, port, "bridge", f"{bridge.name} sends no more by {port.name}")


def received(state: WalkState, ns: Namespace, link: Link) -> None:
    """A frame comes out of the far end of a veth, whose own MTU counts."""
    if link.mtu and size_of(state.packet) > link.mtu + _VLAN_HEADER:
        _lose(state, ns, link, "link", f"{link.name} receives no more")


def came_in(state: WalkState, ns: Namespace, link: Link) -> None:
    """A packet comes from outside, by a link whose MTU is its neighbours' too."""
    packet = state.packet
    if not link.mtu or packet.length <= link.mtu:
        return
    if packet.df is False:
        state.packet = replace(packet, fragment=piece(packet.family, link.mtu))
        return
    text = f"whether {packet.length} bytes come in by {link.name} (mtu {link.mtu}) is up to the network outside"
    state.obstacle("unknown", "link", _by_link(ns, link, text))


# -- IP ---------------------------------------------------------------------------------------


def _may_fragment(state: WalkState) -> bool:
    """Whether a router may: of IPv6 none may, and Linux' packets have Don't Fragment unless it is told otherwise."""
    return state.joined is True or (state.packet.family == "ip" and state.packet.df is False)


def _sends_without_df(ns: Namespace, packet: Packet, answer: RouteAnswer) -> bool:
    """Whether sockets here leave Don't Fragment out by themselves (inet_create, ip_dont_fragment)."""
    without = ns.sysctls.get("net.ipv4.ip_no_pmtu_disc", "0") != "0"
    return packet.family == "ip" and (without or (answer.mtu is not None and answer.mtu_locked))


def _limit(ns: Namespace, out: Link, answer: RouteAnswer, packet: Packet, *, forwarded: bool) -> tuple[int, Decider]:
    """The MTU for what the IP layer sends by a route, and whose it is.

    IPv6 looks at a route's own MTU only when it sends, not yet when it
    decides to forward, unless it is locked.
    """
    own = answer.mtu if packet.family == "ip" or not forwarded or answer.mtu_locked else None
    if own is not None:
        text = f"{answer.by.text} mtu {'lock ' if answer.mtu_locked else ''}{own}"
        return min(own, LONGEST), Decider(kind="route", text=text, namespace=ns.id, value=str(own))
    mtu, text = out.mtu or LONGEST, f"{out.name} has mtu {out.mtu}"
    if packet.family == "ip6":
        told = ns.sysctls.get(f"net.ipv6.conf.{sysctl_name(out.name)}.mtu") or ""
        if told.isdecimal() and 0 < int(told) < mtu:
            mtu, text = int(told), f"{out.name} has mtu {told} for IPv6"
    mtu = min(mtu, LONGEST)
    return mtu, Decider(kind="link", text=text, namespace=ns.id, value=str(mtu), interface=out.name)


def _refuse(state: WalkState, ns: Namespace, out: Link, answer: RouteAnswer, *, forwarded: bool) -> None:
    """Stop what is too long for the way out; its sender is told."""
    packet = state.packet
    mtu, by = _limit(ns, out, answer, packet, forwarded=forwarded)
    if size_of(packet) <= mtu:
        return
    word = "packet too big" if packet.family == "ip6" else "fragmentation needed"
    told = f"ICMP “{word}”, mtu {mtu}, to {packet.src}" if state.made_in != ns.id else "its sender gets EMSGSIZE"
    if state.joined is None and packet.family == "ip6":
        text = f"whether {ns.id} puts the fragments together, and cuts up anew what is too long for {out.name}"
        state.obstacle("unknown", STAGE, _by_link(ns, out, text))
        return
    # What is that long isn't the first packet of a connection: conntrack knows it.
    state.track(ns)
    state.hop(ns, out.name, STAGE, "too big", note=f"{size_of(packet)} bytes, mtu {mtu}; {told}")
    state.obstacle("too-big", STAGE, by)


def _told_already(state: WalkState, ns: Namespace) -> bool:
    """Whether a walk that goes on past obstacles has met this one before."""
    return any(item.end == "too-big" and item.stage == STAGE and item.by.namespace == ns.id for item in state.obstacles)


def _driver_decides(state: WalkState, ns: Namespace, out: Link) -> None:
    text = f"whether {out.name} (mtu {out.mtu}) sends the {size_of(state.packet)} bytes that the route allows"
    state.obstacle("unknown", "link", _by_link(ns, out, text))


# -- frames -----------------------------------------------------------------------------------


def _by_link(ns: Namespace, link: Link, text: str) -> Decider:
    return Decider(kind="link", text=text, namespace=ns.id, value=str(link.mtu), interface=link.name)


def _lose(state: WalkState, ns: Namespace, link: Link, stage: str, what: str, end: End = "too-big") -> None:
    by = _by_link(ns, link, f"{what} (mtu {link.mtu})")
    note = f"{size_of(state.packet)} bytes, mtu {link.mtu}; the sender is not notified"
    state.hop(ns, link.name, stage, "too big" if end == "too-big" else "unknown", note=note)
    state.obstacle(end, stage, by)


def _cut_up(state: WalkState, ns: Namespace, bridge: Link, port: Link, kernel: str) -> None:
    """br_netfilter fragments what is too long for a port, to the bridge's MTU, and loses what it may not.

    Nothing is told to the sender.  Fragments that conntrack has put together
    are cut up again as they came, unless the bridge's MTU is less.
    """
    packet = state.packet
    size = size_of(packet)
    limits = _bridge_limits(bridge, kernel)
    whole = not packet.fragment
    if whole and size <= port.mtu:
        return
    if whole and not _may_fragment(state):
        _lose(state, ns, port, "bridge", f"{bridge.name} sends no more by {port.name}")
        return
    ends = {_after_cut(packet, port, limit, joined=joined) for limit in limits for joined in _joined(ns, packet)}
    if len(ends) > 1:
        _lose(state, ns, port, "bridge", f"whether {bridge.name} cuts up what it sends by {port.name}", "unknown")
        return
    rest = ends.pop()
    if not rest:
        _lose(state, ns, port, "bridge", f"{bridge.name} sends no more by {port.name}")
    elif rest < size:
        state.packet = replace(packet, fragment=rest)
        state.hop(ns, port.name, "bridge", f"fragmented to {rest}", note=f"{packet.length} bytes, mtu {port.mtu}")


def _after_cut(packet: Packet, port: Link, limit: int, *, joined: bool) -> int:
    """The longest piece after br_netfilter has cut it up for a port; 0 when it is lost."""
    size = size_of(packet)
    if packet.fragment and joined:
        rest = size if size <= limit else 0
    elif size <= port.mtu:
        rest = size
    elif packet.family == "ip6":
        rest = 0
    else:
        rest = size if size <= limit else piece(packet.family, limit)
    return rest if rest <= port.mtu + _VLAN_HEADER else 0


def _joined(ns: Namespace, packet: Packet) -> tuple[bool, ...]:
    """Whether conntrack puts fragments together here: with NAT it does, without any rules not, else it may."""
    if not packet.fragment:
        return (False,)
    families = {packet.family, "inet"}
    firewall = ns.firewall
    if isinstance(firewall, Unread) or any(table.family in families for table in firewall.unread):
        return (True, False)
    tables = [table for table in firewall.tables if table.family in families]
    if any(chain.type == "nat" for table in tables for chain in table.chains):
        return (True,)
    return (True, False) if tables else (False,)


def _bridge_limits(bridge: Link, kernel: str) -> set[int]:
    """What the kernel may take for the bridge's MTU; distributions bring the newer way to older kernels."""
    found = _VERSION.match(kernel)
    if found is not None and (int(found[1]), int(found[2])) >= _BRIDGE_MTU_SINCE:
        return {bridge.mtu}
    return {bridge.mtu, _FORMER_BRIDGE_MTU}
