"""Where a walk leaves what can be seen: by a device, into a namespace that wasn't read, to a program.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import stacks, topology
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import Ending
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Tun
from dnet_tui.inspect.model.links import PAIRS

_DISCARDING = frozenset({"dummy", "ifb"})
"""Kinds that throw away what they are given (dummy_xmit; ifb_xmit for what no filter redirected)."""
_SET = frozenset({"PERMANENT", "NOARP"})
"""States of neighbour entries that nobody's answer made."""
_UNFOLLOWED = frozenset({"netkit", "macsec", "hsr", "batadv"})


def discarded(link: Link) -> bool:
    """Whether a device throws away all that it is given to send."""
    return link.kind in _DISCARDING


def leaves(ns: Namespace, link: Link) -> Decider | None:
    """The decider where a device leads straight out of sight, so that it isn't asked who is there; None: it is."""
    if link.kind in {"", "ppp", "veth"} and link.peer is None:
        return seen(ns, link)
    return None


def seen(ns: Namespace, link: Link) -> Decider:
    """A link as a decider."""
    return Decider(kind="link", text=f"{link.name} ({link.kind or 'device'})", namespace=ns.id, interface=link.name)


def goes_out(state: WalkState, ns: Namespace, out: Link, frame: Frame | None = None) -> Ending:
    """A device sends to what can't be seen: the packet has left, or nobody knows."""
    _require_carrier(state, ns, out)
    if out.kind in PAIRS and (stopped := topology.without_carrier(ns, out)) is not None:
        state.stop("unreachable", "link", stopped)  # its other end is seen, and yet no way for this packet
    unseen = out.peer is None and (out.kind in PAIRS or out.kind in stacks.ABOVE)
    if unseen and not _is_way_out(state, ns, out):
        reason = out.peer_note or ("its peer was not found" if out.kind in PAIRS else "what it lies on was not seen")
        by = Decider(kind="link", text=f"{out.name}: {reason}", namespace=ns.id, interface=out.name)
        state.stop("unknown", "link", by)
    if out.kind in _UNFOLLOWED:
        state.stop("unknown", "link", seen(ns, out))
    if frame is not None:
        _not_reflected(state, ns, out, frame)
    return left(state, ns, out, note="into a namespace that can't be read" if unseen else "")


def _require_carrier(state: WalkState, ns: Namespace, out: Link) -> None:
    """Stop where a device, or one that it lies on, is down or has no carrier."""
    here, link = ns, out
    while True:
        stopped = topology.down(here, link)
        if stopped is not None:
            state.stop("unreachable", "link", stopped)
        if link.kind in stacks.BONDS and not stacks.slaves(state.view, here, link):
            state.stop("unreachable", "link", stacks.no_slave(here, link))
        lower = stacks.below(state.view, link) if link.kind in stacks.ABOVE else None
        if lower is None:
            return
        here, link = lower


def _is_way_out(state: WalkState, ns: Namespace, link: Link) -> bool:
    """Whether a pair's end whose other end wasn't read is a namespace's way out."""
    if link.master is not None or (link.kind in PAIRS and not link.leads_out_of_sight):
        return False
    return state.outside or any(item.ifindex == link.ifindex for item in state.view.uplinks(ns.id))


def _not_reflected(state: WalkState, ns: Namespace, out: Link, frame: Frame) -> None:
    """Stop a frame that goes out on the wire for somebody who is on this side of it, and hears nothing of it.

    A link and the macvlans or ipvlans above it don't hear each other, and those hear each other only by
    themselves: what they send leaves, and a switch doesn't send it back where it came from.

    A MAC address that was learned is that of who has the next hop's address; one that was set may be anybody's.
    """
    view, ref = state.view, stacks.ref_of(ns, out)
    having = None if frame.mac and frame.state in _SET else frame.next_hop
    uppers = [(view.namespaces[item.namespace], view.links[item]) for item in view.stacked_on(ref, having=having)]
    for space, link in ((ns, out), *((space, link) for space, link in uppers if link.kind in stacks.SHARING)):
        if state.sender is not None and stacks.ref_of(*state.sender) == stacks.ref_of(space, link):
            continue
        own = any(item.address == frame.next_hop for item in view.addresses_of(stacks.ref_of(space, link)))
        if not own and not (frame.mac and frame.mac == link.mac.lower() and link.kind not in stacks.IPVLANS):
            continue
        _stop_unheard(state, (space, link), (ns, out), frame)


def _stop_unheard(
    state: WalkState, owner: tuple[Namespace, Link], beneath: tuple[Namespace, Link], frame: Frame
) -> None:
    (ns, link), out = owner, beneath[1]
    sender = state.sender[1] if state.sender is not None else out
    is_below = stacks.ref_of(*owner) == stacks.ref_of(*beneath)
    whose = f"{link.name} of {state.view.label(ns.id)}"
    text = f"{frame.next_hop} is at {whose}, which hears nothing that {sender.name} sends: both share {out.name}"
    if is_below:
        text = f"{frame.next_hop} is at {out.name} itself, below {sender.name}: a {sender.kind} doesn't reach it"
    elif state.sender is None or stacks.ref_of(*state.sender) == stacks.ref_of(*beneath):
        text = f"{frame.next_hop} is at {whose}, a {link.kind} above {out.name}, which {out.name} itself doesn't reach"
    by = Decider(
        kind="link", text=text, namespace=ns.id, value=stacks.mode(link) or stacks.mode(sender), interface=link.name
    )
    if not is_below and stacks.mode(sender) == "vepa" and stacks.mode(link) in {"vepa", "bridge"}:
        text = f"{text}; a switch that sends back where it came from (802.1Qbg) would pass it on"
        by = Decider(kind="link", text=text, namespace=ns.id, value="vepa", interface=link.name)
        state.stop("unknown", "link", by)
    state.stop("unreachable", "link", by)


def to_program(state: WalkState, ns: Namespace, out: Link) -> Ending:
    """A device whose other end is a program, or one that throws all away."""
    _require_carrier(state, ns, out)
    if discarded(out):
        text = f"{out.name} is a {out.kind} device, which throws away what it is given"
        state.stop(
            "dropped", "link", Decider(kind="link", text=text, namespace=ns.id, value=out.kind, interface=out.name)
        )
    if out.kind != "tun":
        state.stop("unknown", "link", seen(ns, out))
    if isinstance(out.detail, Tun) and out.detail.queues == 0:
        text = f"no program holds {out.name}"
        state.stop("unreachable", "link", Decider(kind="link", text=text, namespace=ns.id, interface=out.name))
    return left(state, ns, out, note=f"to {program_text(state, ns, out)}")


def program_text(state: WalkState, ns: Namespace, link: Link) -> str:
    """The program at the other end of a TUN or TAP device, in words."""
    found = [item for item in state.view.snapshot.tun_programs if item.netns == ns.id and item.link == link.name]
    return "process " + " or ".join(f"{item.name} ({item.pid})" for item in found) if found else "a program"


def left(state: WalkState, ns: Namespace, out: Link, *, note: str = "") -> Ending:
    """The packet leaves what can be seen."""
    host = state.view.host
    if state.sender is not None and state.sender[0].id == ns.id:
        out = state.sender[1]  # what lies below it in its own namespace is its own affair: a VLAN's, a bond's
    state.left_by = LinkRef(namespace=ns.id, ifindex=out.ifindex)
    carrying = next((item for item in state.carried if host is not None and item.tunnel.namespace == host.id), None)
    link = state.view.links.get(carrying.tunnel) if carrying is not None else None
    state.exits = link.name if link is not None else out.name
    state.hop(ns, out.name, "link", "leaves the host", note=note or state.carried_text())
    state.left_note = note
    state.reach(ns, left=True)
    return Ending("left")
