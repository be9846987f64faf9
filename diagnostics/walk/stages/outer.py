"""A tunnel's outer packets: how they look, and what becomes of those that carry a question for a neighbour.  Pure."""

from __future__ import annotations

import ipaddress
from typing import Literal

from dnet_tui.diagnostics.walk.l2 import tunnels
from dnet_tui.diagnostics.walk.l2.reach import Passage
from dnet_tui.diagnostics.walk.l2.stacks import ref_of
from dnet_tui.diagnostics.walk.l2.tunnels import Remote
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, replace
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import Send
from dnet_tui.inspect.model import Link, Namespace, Tunnel, Vxlan


def outer_packet(
    state: WalkState, ns: Namespace, link: Link, home: Namespace, remote: Remote, mark: int | None
) -> Packet:
    """The outer packet that a tunnel sends; ``mark`` None: it keeps that of the packet inside."""
    inner = state.packet
    family: Literal["ip", "ip6"] = "ip6" if ":" in remote.address else "ip"
    detail = link.detail
    source = detail.local if isinstance(detail, Vxlan | Tunnel) else ""
    if mark is None:
        mark = inner.mark if home.id == ns.id else 0
    proto = tunnels.outer_protocol(link)
    port = next((item.port for item in ns.wireguard if item.ifindex == link.ifindex), 0) if remote.peer else None
    outer = Packet(
        family=family,
        src=source or routing.ANY[family],
        dst=remote.address,
        proto=proto,
        sport=port if proto == "udp" else 0,
        sports=_flow_ports(home) if proto == "udp" and port is None else None,
        dport=remote.port,
        mark=mark,
        length=tunnels.outer_length(link, inner.length, six=family == "ip6"),
    )
    if source:
        return outer
    index = state.index(home)
    return replace(outer, src=routing.source_address(index, routing.lookup(index, outer)) or outer.src)


def with_socket(state: WalkState, home: Namespace, outer: Packet) -> Packet:
    """An outer packet as rules that ask for its sender see it: it keeps the socket of the one inside, if that has one.

    What has crossed a pair of veths has none any more (skb_orphan), nor has what is bridged or routed on; the
    tunnel's own socket isn't asked (skb->sk, not the hook's).
    """
    inner = state.packet
    if state.made_in == home.id and not inner.iif:
        return replace(outer, uid=inner.uid, by_kernel=inner.by_kernel, bare=inner.bare)
    return replace(outer, bare=True)


def _flow_ports(home: Namespace) -> tuple[int, int] | None:
    """The source ports of VXLAN and GENEVE, one for each flow inside (udp_flow_src_port)."""
    words = (home.sysctls.get("net.ipv4.ip_local_port_range") or "").split()
    return (int(words[0]), int(words[1])) if len(words) == 2 and all(word.isdecimal() for word in words) else None


def learned_remote(state: WalkState, ns: Namespace, link: Link, mac: str) -> tuple[Remote, ...]:
    """Where a tunnel sends a frame: what a VXLAN has learnt on the way comes before its entries for everybody."""
    ends = tunnels.remotes(ns, link, mac)
    learned = state.stations.remote(ns.id, link.ifindex, mac) if mac else ""
    if learned and isinstance(link.detail, Vxlan):
        return (Remote(learned, link.detail.port, link.detail.vni),)
    return ends


def pass_question(state: WalkState, passage: Passage, asker: str, owner: str) -> None:
    """Stop where the outer packet with a question for a neighbour, or with its answer, doesn't get through.

    ``asker`` and ``owner`` are MAC addresses; VXLANs learn by them where each other's frames come from.
    """
    ns, link, remote, far_ns, far = passage
    _pass(state, ns, link, (remote,), far_ns, far, asker)
    _pass(state, far_ns, far, learned_remote(state, far_ns, far, asker), ns, link, owner)


def _pass(
    state: WalkState, ns: Namespace, link: Link, ends: tuple[Remote, ...], far_ns: Namespace, far: Link, mac: str
) -> None:
    home, there = tunnels.underlay(state.view, ns, link), tunnels.underlay(state.view, far_ns, far)
    by = Decider(
        kind="link",
        text=f"{link.name} has no remote for the answer",
        namespace=ns.id,
        value=link.kind,
        interface=link.name,
    )
    if home is None or there is None or not ends:
        state.stop("unknown" if ends else "unreachable", "neighbour", by)
    if home.id == there.id:
        return
    source = ""
    for end in ends:
        how, what, walk = _outer_walk(state, ns, link, home, end)
        if how == "delivered" and walk.namespace == there.id:
            source = walk.packet.src
        elif how == "delivered" and walk.namespace == home.id:
            state.stop("unknown", "neighbour", _comes_back(ns, link))
        elif len(ends) == 1:
            text = what.text if what is not None else f"it ends at {state.view.label(walk.namespace)}"
            text = f"the question for a neighbour, or its answer, doesn't get through {link.name}: {text}"
            by = Decider(kind="link", text=text, namespace=ns.id, value=link.kind, interface=link.name)
            state.stop("unknown" if how == "unknown" else "unreachable", "neighbour", by)
    if not source:
        state.stop("unknown", "neighbour", by)
    if isinstance(far.detail, Vxlan) and far.detail.learning:
        state.stations.teach_remote(far_ns.id, far.ifindex, mac, source)


def reflected(state: WalkState, ns: Namespace, bridge: Link) -> Decider | None:
    """The decider where a bridge's own tunnel brings back what is flooded: a rule leads its outer packets to this host.

    The bridge then learns everybody's MAC address at the tunnel's port.
    """
    for port in state.view.ports_of(ns.id, bridge.ifindex):
        home = tunnels.underlay(state.view, ns, port) if port.kind in tunnels.FRAMES and port.up else None
        for end in tunnels.remotes(ns, port, "") if home is not None else ():
            if home is None or ipaddress.ip_address(end.address).is_multicast:
                continue
            how, _, walk = _outer_walk(state, ns, port, home, end)
            if how == "unknown" or (how == "delivered" and walk.namespace == home.id):
                return _comes_back(ns, port, perhaps=how == "unknown")
    return None


def may_lead_on(state: WalkState, ns: Namespace, link: Link) -> bool:
    """Whether somebody out of sight may hear what leaves by a link: not by a tunnel that certainly ends here."""
    home = tunnels.underlay(state.view, ns, link) if link.kind in tunnels.FRAMES else None
    if home is None or tunnels.is_external(link):
        return True
    return any(_is_open(state, ns, link, home, end) for end in tunnels.remotes(ns, link, ""))


def _is_open(state: WalkState, ns: Namespace, link: Link, home: Namespace, end: Remote) -> bool:
    if ipaddress.ip_address(end.address).is_multicast:
        return True
    how, _, walk = _outer_walk(state, ns, link, home, end)
    if how != "delivered":
        return how in {"unknown", "left"}
    there = state.view.namespaces[walk.namespace]
    taken = tunnels.taker(state.view, there, ref_of(ns, link), end, walk.packet.src)
    return walk.namespace == home.id or taken is not None


def _comes_back(ns: Namespace, link: Link, *, perhaps: bool = False) -> Decider:
    text = f"what {link.name} sends is led back to this host, and to itself"
    text = f"whether {text}" if perhaps else text
    return Decider(kind="link", text=text, namespace=ns.id, value=link.kind, interface=link.name)


def _outer_walk(
    state: WalkState, ns: Namespace, link: Link, home: Namespace, end: Remote
) -> tuple[End, Decider | None, WalkState]:
    """What becomes of an outer packet around a question for a neighbour: how it ends, by what, and its walk.

    No socket hangs on ARP's; on IPv6's one of the kernel's, unless it came from elsewhere.
    """
    bare = True if state.packet.family == "ip" else None
    walk = WalkState(
        state.view,
        replace(outer_packet(state, ns, link, home, end, None), bare=bare),
        outside=False,
        beyond=False,
        answers=(),
        budget=state.budget,
        fresh=state.fresh,
    )
    walk.ends_at_delivery = True
    how, what = state.run(walk, Send(home))
    return how, what, walk
