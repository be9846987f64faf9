"""The stages of a walk, by name, with what each takes; and a walk's ending.  Pure data.

A stage is a function that takes the walk's state and its step, and answers
with the next step or with the ending.  ``loop`` knows which function does
which; no stage calls another.
"""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer
from dnet_tui.diagnostics.walk.packet import Decider, End
from dnet_tui.inspect.model import Link, LinkRef, Namespace


class Ending(NamedTuple):
    """How the walk ends, and what decides that; no decider where nothing does in particular."""

    end: End
    by: Decider | None = None


class Send(NamedTuple):
    """A packet is made in a namespace: routing and OUTPUT."""

    ns: Namespace


class ComeIn(NamedTuple):
    """A packet comes from a neighbour out of sight, by a link; ``to``: to this one's MAC, where that is known."""

    ns: Namespace
    link: Link
    to: LinkRef | None = None


class Receive(NamedTuple):
    """A namespace's IP layer receives a packet on a link (of a bridge's port: on the bridge): PREROUTING."""

    ns: Namespace
    link: Link


class RouteReceived(NamedTuple):
    """A received packet has passed PREROUTING: source check, routing, forwarding."""

    ns: Namespace
    link: Link


class Forward(NamedTuple):
    """A packet is forwarded by a route: FORWARD."""

    ns: Namespace
    out: Link
    answer: RouteAnswer


class Deliver(NamedTuple):
    """A packet is for the namespace itself: INPUT and a socket.  ``looped``: it comes back by the loopback."""

    ns: Namespace
    looped: bool = False


class Leave(NamedTuple):
    """A packet leaves a namespace's IP layer by a route: POSTROUTING.  ``made_here``: it is no forwarded one."""

    ns: Namespace
    out: Link
    answer: RouteAnswer
    made_here: bool = False


class Transmit(NamedTuple):
    """A device sends a packet to a next hop."""

    ns: Namespace
    out: Link
    next_hop: str


class ArriveAt(NamedTuple):
    """A frame arrives at a link."""

    ref: LinkRef
    frame: Frame


class BridgeReceive(NamedTuple):
    """A frame comes in by a bridge's port."""

    ns: Namespace
    bridge: Link
    port: Link
    frame: Frame


class BridgeCallIptables(NamedTuple):
    """br_netfilter shows a bridged frame to IP's PREROUTING; ``up``: the bridge hands it to its host."""

    ns: Namespace
    bridge: Link
    port: Link
    frame: Frame
    up: bool


class BridgePassOn(NamedTuple):
    """A bridge passes a frame on from a port to another; ``called``: through FORWARD and POSTROUTING of IP too.

    ``copied``: the host gets a copy, and takes it for its own.
    """

    ns: Namespace
    bridge: Link
    port: Link
    frame: Frame
    called: bool
    copied: bool = False


class BridgeSend(NamedTuple):
    """A bridge sends a packet of its host's IP layer."""

    ns: Namespace
    bridge: Link
    next_hop: str


class BridgeSendFrame(NamedTuple):
    """A bridge sends a frame that a link above it was given to send."""

    ns: Namespace
    bridge: Link
    frame: Frame


class SendFrame(NamedTuple):
    """A device sends a frame, of its own IP layer or of a link above it; its egress hooks are passed."""

    ns: Namespace
    link: Link
    frame: Frame


class TakeFrame(NamedTuple):
    """A link has received a frame: who takes it."""

    ns: Namespace
    link: Link
    frame: Frame


class RouteBelow(NamedTuple):
    """An ipvlan of mode l3 or l3s sends: it is routed in the namespace of the link below."""

    ns: Namespace
    link: Link


class Encapsulate(NamedTuple):
    """A tunnel sends a frame, or a packet where there is none."""

    ns: Namespace
    link: Link
    frame: Frame | None = None


class Decapsulate(NamedTuple):
    """An outer packet was delivered: the tunnel that it is for takes what is inside."""

    ns: Namespace


class LeavePort(NamedTuple):
    """A frame leaves a bridge by a port; ``called``: br_netfilter has seen it."""

    ns: Namespace
    bridge: Link
    port: Link
    frame: Frame
    called: bool = False


WalkStep = (
    Send
    | ComeIn
    | Receive
    | RouteReceived
    | Forward
    | Deliver
    | Leave
    | Transmit
    | ArriveAt
    | BridgeReceive
    | BridgeCallIptables
    | BridgePassOn
    | BridgeSend
    | LeavePort
    | BridgeSendFrame
    | SendFrame
    | TakeFrame
    | RouteBelow
    | Encapsulate
    | Decapsulate
)
Next = WalkStep | Ending
