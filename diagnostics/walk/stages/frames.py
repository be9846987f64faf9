"""A walked packet's frame: to whom it is addressed, whether its owner is found, behind which port.  Pure."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from dnet_tui.diagnostics.walk.l2 import neighbours, topology, vlan_ports
from dnet_tui.diagnostics.walk.l2.answering import is_mute, question_source
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.stations import astray, is_own, unflooded
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.stages.discovery import discover
from dnet_tui.diagnostics.walk.stages.outer import may_lead_on, reflected
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace


def frame_to(state: WalkState, ns: Namespace, out: Link, next_hop: str) -> Frame:
    """The frame in which a device sends the packet to a next hop."""
    state.sender = ns, out
    state.packet = replace(state.packet, mac=out.mac.lower() or None, mac_to=None)
    entry = topology.remembered(state.index(ns), out, next_hop)
    if entry is None and is_mute(out):
        # It takes its own MAC address for everybody's (arp_constructor, ndisc_constructor).
        state.stop("unreachable", "link", topology.mute(ns, out))
    if entry is not None:
        return _addressed(state, Frame(next_hop=next_hop, mac=entry.mac.lower(), state=entry.state))
    asker = question_source(state.index(ns), out, state.packet, next_hop)
    met = state.stations.neighbour(ns.id, out.ifindex, next_hop)
    frame = Frame(next_hop=next_hop, mac=met, asker=asker)
    return _addressed(state, frame if met else discover(state, ns, out, frame))


def _addressed(state: WalkState, frame: Frame) -> Frame:
    """The frame, of which the packet that is in it tells for whom it is."""
    state.packet = replace(state.packet, mac_to=frame.mac or None)
    return frame


def port_to(state: WalkState, ns: Namespace, bridge: Link, frame: Frame, *, came_by: Link | None = None) -> Link | None:
    """The port behind which somebody takes the frame; None where the walk may end out of sight.

    ``came_by`` is the port it came in by; None: the bridge's own host sends it.
    """
    owners = topology.owner_ports(state.view, ns, bridge, frame)
    if not owners and frame.vlan:
        _of_another_vlan(state, ns, bridge, frame)
    told = topology.told_ports(state.view, ns, bridge, frame.mac) if frame.mac and not owners else ()
    if len(told) == 1:
        return told[0]
    ports = _by_station(state, ns, bridge, frame, owners, came_by)
    if len(ports) == 1:
        state.doubt(neighbours.contradicted(state.view, ns, bridge, frame, ports[0]))
        return ports[0]
    next_hop = frame.next_hop
    if len(ports) > 1:
        names = " and ".join(port.name for port in ports)
        text = f"{next_hop} is taken twice on {bridge.name}: behind {names}"
        state.stop("unknown", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id, value=next_hop))
    if not any(may_lead_on(state, *end) for end in topology.foreign_ends(state.view, ns, bridge, frame.mac)):
        nobody_takes(state, ns, "bridge", frame, bridge)
    if not state.outside:
        text = f"{next_hop} may be behind a port of {bridge.name} that leads out of sight"
        state.stop("unknown", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id))
    return None


def _by_station(
    state: WalkState, ns: Namespace, bridge: Link, frame: Frame, owners: tuple[Link, ...], came_by: Link | None
) -> tuple[Link, ...]:
    """Of the ports behind which somebody takes a frame those that it gets to, by the bridge's forwarding entries.

    A fixed entry leads it to its port, whoever is there: on its way there it meets what it meets.
    """
    if not frame.mac or not owners:
        return owners
    index = state.index(ns)
    known = state.stations.port(index, bridge, frame.mac, frame.vlan)
    fixed = known is not None and known[1] is not None and known[1].state != "dynamic"
    if not (state.ends_at_delivery or fixed):
        state.doubt(reflected(state, ns, bridge))  # whoever asks or answers next, the entry may be another
    if known is None:
        for port in owners:
            if port.port is not None and not port.port.flood and len(owners) == 1:
                state.stop("unreachable", "bridge", unflooded(index, port, frame.mac))
        return owners
    found = tuple(port for port in owners if port.ifindex == known[0])
    if not found and fixed and not is_own(known) and (came_by is None or came_by.ifindex != known[0]):
        found = tuple(port for port in state.view.ports_of(ns.id, bridge.ifindex) if port.ifindex == known[0])
    if not found or (came_by is not None and is_own(known)):
        state.stop("unreachable" if fixed else "unknown", "bridge", astray(index, bridge, frame.mac, *known))
    return found


def stop_if_astray(state: WalkState, ns: Namespace, bridge: Link, port: Link, frame: Frame) -> None:
    """Stop a frame that a fixed entry leads out of a port behind which its owner isn't: nobody there takes it."""
    known = state.stations.port(state.index(ns), bridge, frame.mac, frame.vlan) if frame.mac else None
    if known is None or known[1] is None or known[1].state == "dynamic" or known[0] != port.ifindex:
        return
    owners = topology.owner_ports(state.view, ns, bridge, frame)
    if owners and all(owner.ifindex != port.ifindex for owner in owners):
        state.stop("unreachable", "bridge", astray(state.index(ns), bridge, frame.mac, *known))


def _of_another_vlan(state: WalkState, ns: Namespace, bridge: Link, frame: Frame) -> None:
    """Stop where the frame's owner is behind a port that isn't a member of its VLAN."""
    for port in topology.ports_beside(state.view, ns, bridge, msgspec.structs.replace(frame, unanswered=False)):
        state.stop("unreachable", "bridge", vlan_ports.not_let_out(ns, bridge, port, frame.vlan))


def nobody_takes(state: WalkState, ns: Namespace, stage: str, frame: Frame, link: Link) -> NoReturn:
    """Stop: nobody on a link, or behind a bridge, takes the frame."""
    end, by = neighbours.nobody(state.view, ns, link, frame)
    state.stop(end, "neighbour" if by.kind == "sysctl" else stage, by)
