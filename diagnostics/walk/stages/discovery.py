"""Finding a neighbour, before a frame can be sent: who is asked, who answers, and what each learns by it.  Pure.

What stands in the way of question or answer stops the packet, which waits
(net/core/neighbour.c).  Where nobody answers, or several do, the frame goes
on without a MAC address and the stage it comes to says so.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.l2.answering import answers
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.reach import Crossing, LowerLink, Passage, Way, is_plain, reach
from dnet_tui.diagnostics.walk.l2.stacks import TAPS
from dnet_tui.diagnostics.walk.l2.stations import is_own
from dnet_tui.diagnostics.walk.l3.routing import is_local, sysctl_name
from dnet_tui.diagnostics.walk.packet import Decider, End
from dnet_tui.diagnostics.walk.stages.arp_ndp import Party, discovery_stop, own_discovery_stop
from dnet_tui.diagnostics.walk.stages.outer import pass_question, reflected
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import BridgePort, Family, Link, LinkRef, Namespace, Vxlan, require


class Owner(NamedTuple):
    """Who answers, and the bridges, tunnels and other links that the question passes on its way there."""

    party: Party
    crossings: Way


def discover(state: WalkState, ns: Namespace, out: Link, frame: Frame) -> Frame:
    """The frame with its owner's MAC address, where exactly one answers; stops where question or answer is lost."""
    plain = _plain_segment(state, ns, out)
    owners = _owners(state, ns, out, frame) if plain is None else _owners_on(state, plain, frame)
    if plain is None and not owners:
        return _unanswered(state, ns, out, frame)
    if len(owners) > 1 and frame.asker:
        owners = _first(state, _not_stopped(state, Party(ns, out), owners, frame), frame)
    if plain is None and len(owners) > 1:
        text = f"{frame.next_hop} is taken twice: {' and '.join(_called(state, one.party) for one in owners)} answer"
        by = Decider(kind="neighbour", text=text, namespace=ns.id, value=frame.next_hop)
        state.stop("unknown", "neighbour", by)
    if not owners and plain is not None:
        _ask_out_of_sight(state, Party(ns, out), frame, plain, tuple(topology.foreign_ends(state.view, *plain[:2], "")))
    if len(owners) != 1 or not frame.asker:
        return frame
    owner = owners[0]
    if owner.party.link.mac == out.mac and not all(isinstance(item, LowerLink) for item in owner.crossings):
        return frame  # one MAC address for both: the bridge has it now here, now there
    _pass_all(state, owner, out, frame, plain=plain is not None)
    why = _stopped(state, Party(ns, out), owner, frame)
    if why is not None:
        state.stop(why[0], "neighbour", why[1])
    mac = owner.party.link.mac.lower()
    state.stations.meet(owner.party.ns.id, owner.party.link.ifindex, frame.asker, out.mac.lower())
    return msgspec.structs.replace(frame, mac=mac) if mac else frame


def _stopped(state: WalkState, asker: Party, owner: Owner, frame: Frame) -> tuple[End, Decider] | None:
    """Why rules keep the asker from learning of an owner."""
    passed = (item for item in owner.crossings if not isinstance(item, Passage))
    return discovery_stop(state, asker, owner.party, frame.next_hop, passed)


def _not_stopped(state: WalkState, asker: Party, owners: list[Owner], frame: Frame) -> list[Owner]:
    """Of several who answer those that rules don't certainly keep from it; one of them where that is all."""
    why = [_stopped(state, asker, owner, frame) for owner in owners]
    left = [owner for owner, stopped in zip(owners, why, strict=True) if stopped is None or stopped[0] == "unknown"]
    return left or owners[-1:]


def _first(state: WalkState, owners: list[Owner], frame: Frame) -> list[Owner]:
    """Of a host that answers in others' place on its bridge, and the one whose address it is, who comes first.

    That one counts; the other's answer is passed over for a second (arp_process, LOCKTIME).  The host waits a while
    (proxy_delay), unless it is told not to.
    """
    (ns, link), rest = owners[0].party, owners[1:]
    heard = [owner for owner in rest if not any(_keeps_apart(item) for item in owner.crossings)]
    if not rest or state.packet.family != "ip" or link.kind != "bridge" or is_local(state.index(ns), frame.next_hop):
        return owners
    delay = require(ns.sysctls).get(f"net.ipv4.neigh.{sysctl_name(link.name)}.proxy_delay")
    if heard and delay is None:
        text = f"{frame.next_hop} is taken twice on {link.name}: the host answers for it, and it is there"
        state.stop("unknown", "neighbour", Decider(kind="neighbour", text=text, namespace=ns.id, value=frame.next_hop))
    return heard if heard and delay != "0" else owners[:1]


def _keeps_apart(crossing: Crossing | Passage | LowerLink) -> bool:
    """Whether a bridge passes nothing from the one of its ports to the other."""
    if not isinstance(crossing, Crossing) or crossing.came_by is None or crossing.port is None:
        return False
    return topology.delivery_stop(crossing.ns, crossing.came_by, crossing.port) is not None


def _pass_all(state: WalkState, owner: Owner, out: Link, frame: Frame, *, plain: bool) -> None:
    """What question and answer meet of bridges, tunnels and links that are down; rules are asked afterwards."""
    for crossing in owner.crossings:
        if isinstance(crossing, Passage):
            pass_question(state, crossing, out.mac.lower(), owner.party.link.mac.lower())
        elif isinstance(crossing, Crossing):
            state.doubt(None if plain else reflected(state, crossing.ns, crossing.bridge))
            _carry(state, crossing, owner, out, frame)
    if plain or state.beyond:
        return  # the port is without carrier, which says more; who goes on meets what is down by itself
    for link in (*(Party(*item[:2]) for item in owner.crossings if isinstance(item, LowerLink)), owner.party):
        state.check(link.ns, "neighbour", topology.down(*link))


def _unanswered(state: WalkState, ns: Namespace, out: Link, frame: Frame) -> Frame:
    """The frame where nobody who was seen answers: a VXLAN may do so in another's place, or a program."""
    found = reach(state.view, ns, out)
    for space, link in found.proxies if state.packet.family == "ip" else ():
        entry = topology.remembered(state.index(space), link, frame.next_hop)
        if entry is not None:
            return msgspec.structs.replace(frame, mac=entry.mac.lower())
        if isinstance(link.detail, Vxlan) and link.detail.l3miss:
            text = f"{link.name} asks a program for {frame.next_hop}, of which it knows nothing yet"
            by = Decider(kind="neighbour", text=text, namespace=space.id, value=frame.next_hop, interface=link.name)
            state.stop("unknown", "neighbour", by)
    for space, link in found.edges:
        if link.kind in TAPS:
            text = f"{frame.next_hop} may be that of the program that holds {link.name}"
            by = Decider(kind="neighbour", text=text, namespace=space.id, value=frame.next_hop, interface=link.name)
            state.stop("unknown", "neighbour", by)
    _ask_out_of_sight(state, Party(ns, out), frame, _segment(state, ns, out), found.edges)
    return msgspec.structs.replace(frame, unanswered=True)


def _ask_out_of_sight(
    state: WalkState,
    asker: Party,
    frame: Frame,
    segment: Crossing | None,
    edges: tuple[tuple[Namespace, Link], ...],
) -> None:
    """Stop where the asker's own side, or its bridge, keeps it from learning who is behind a link out of sight."""
    if not edges:
        return
    crossings: tuple[Crossing, ...] = ()
    if segment is not None and len(edges) == 1:
        ns, bridge = segment[:2]
        by = edges[0][1]
        if edges[0][0].id == ns.id and by.master == bridge.ifindex:
            crossings = (segment._replace(port=by),)
    why = own_discovery_stop(state, asker, frame.next_hop, crossings)
    if why is not None:
        state.stop(why[0], "neighbour", why[1])


def _called(state: WalkState, party: Party) -> str:
    return f"{party.link.name} of {state.view.label(party.ns.id)}"


def _owners(state: WalkState, ns: Namespace, out: Link, frame: Frame) -> list[Owner]:
    """Who answers for the next hop of those that hear the question."""
    found = reach(state.view, ns, out)
    if found.unseen is not None:
        raise found.unseen
    return [
        Owner(Party(item.ns, item.link), item.crossings)
        for item in found.hearers
        if (item.ns.id, item.link.ifindex) != (ns.id, out.ifindex)
        and answers(state.index(item.ns), item.link, frame.next_hop, frame.asker)
    ]


def _plain_segment(state: WalkState, ns: Namespace, out: Link) -> Crossing | None:
    """The bridge that carries the question, where it is one of veths alone; told apart because it is the usual one."""
    found = _segment(state, ns, out)
    return found if found is not None and is_plain(state.view, *found[:2]) else None


def _segment(state: WalkState, ns: Namespace, out: Link) -> Crossing | None:
    """The bridge that a device sends to at once: it is one, or the other end is a bridge's port."""
    view = state.view
    if out.kind == "bridge":
        return Crossing(ns, out, None, None)
    far = view.links.get(out.peer) if out.kind == "veth" and out.peer is not None else None
    if out.peer is None or far is None or far.master is None:
        return None
    bridge = view.links.get(LinkRef(namespace=out.peer.namespace, ifindex=far.master))
    if bridge is None or bridge.kind != "bridge":
        return None
    return Crossing(view.namespaces[out.peer.namespace], bridge, far, None)


def _owners_on(state: WalkState, segment: Crossing, frame: Frame) -> list[Owner]:
    view, (ns, bridge, came_by) = state.view, segment[:3]
    owners = []
    if came_by is not None and answers(state.index(ns), bridge, frame.next_hop, frame.asker):
        owners.append(Owner(Party(ns, bridge), (segment,)))
    for port in topology.owner_ports(view, ns, bridge, frame):
        far = view.links.get(port.peer) if port.peer is not None else None
        if port.peer is not None and far is not None and (came_by is None or port.ifindex != came_by.ifindex):
            owners.append(Owner(Party(view.namespaces[port.peer.namespace], far), (segment._replace(port=port),)))
    return owners


def _carry(state: WalkState, crossing: Crossing, owner: Owner, out: Link, frame: Frame) -> None:
    """What a bridge does with question and answer.  Who goes on beyond obstacles meets there what stops every frame."""
    ns, bridge, came_by, port, vlan = crossing
    index = state.index(ns)
    if _is_shut(state, crossing):
        return
    if came_by is not None:
        state.stations.teach(index, bridge, came_by, out.mac.lower(), vlan)
    if port is not None and port.port is not None:
        # What the host itself sends is flooded to every port (br_flood).
        kind = _kept_from(bridge, port.port, state.packet.family)
        if came_by is not None and kind:
            flag = "bcast_flood off" if kind == "broadcasts" else "mcast_flood off"
            text = f"port {port.name} gets no {kind}: requests for {frame.next_hop} don't reach it"
            end: End = "unreachable"
            if state.awaited is not None and _confirms(state, owner, frame.asker):
                end = "unknown"
                text += f", unless {state.view.label(owner.party.ns.id)} asks before: it confirms what it remembers"
            by = Decider(kind="link", text=text, namespace=ns.id, value=flag, interface=port.name)
            state.stop(end, "neighbour", by)
        state.stations.teach(index, bridge, port, owner.party.link.mac.lower(), vlan)
    if came_by is None:
        return
    known = state.stations.port(index, bridge, out.mac.lower(), vlan)
    text = ""
    if known is None and came_by.port is not None and not came_by.port.flood:
        text = f"the reply for {frame.next_hop} is not passed on to port {came_by.name}: not learnt, nor flooded"
    elif known is not None and (known[0] != came_by.ifindex or (is_own(known) and port is not None)):
        # What comes in by a port for a local entry goes up to the host; what the host sends leaves by it (br_dev_xmit).
        text = f"the reply for {frame.next_hop} is sent to port {index.names.get(known[0], '')} instead"
    if text:
        by = Decider(kind="link", text=text, namespace=ns.id, value="flood off", interface=came_by.name)
        state.stop("unreachable", "neighbour", by)


def _kept_from(bridge: Link, flags: BridgePort, family: Family) -> str:
    """The kind of frame that carries the question and isn't flooded to a port; empty where it is.

    Where the bridge itself asks who listens to which group, it sends a group's frames to those alone, flooded or not.
    """
    if family == "ip":
        return "" if flags.broadcast_flood else "broadcasts"
    asks = bridge.bridge is not None and bridge.bridge.mcast_snooping and bridge.bridge.mcast_querier
    return "" if flags.multicast_flood or asks else "multicasts"


def _confirms(state: WalkState, owner: Owner, asker: str) -> bool:
    """Whether who awaits an answer sent its packet by a remembered MAC address, and will soon ask whether that holds.

    The question goes to that address alone, and teaches it the way back (nud_state in net/core/neighbour.c).
    """
    entry = topology.remembered(state.index(owner.party.ns), owner.party.link, asker)
    return entry is not None and entry.state.upper() not in {"PERMANENT", "NOARP"}


def _is_shut(state: WalkState, crossing: Crossing) -> bool:
    """Whether the bridge passes nothing at all between the two: without a frame no rule says anything."""
    ns, bridge, came_by, port = crossing[:4]
    ends = [item for item in (came_by, port) if item is not None]
    stops = [topology.down(ns, bridge), *(topology.port_stop(ns, item) for item in ends)]
    if came_by is not None and port is not None:
        stops.append(topology.delivery_stop(ns, came_by, port))
    shut = next((item for item in stops if item is not None), None)
    if not state.beyond:
        state.check(ns, "bridge", shut)
    return shut is not None
