"""The walk itself: one packet from stage to stage, until it ends.  Pure.

The order of the stages is the kernel's: OUTPUT or PREROUTING, routing (with
source check and forwarding), INPUT or FORWARD, POSTROUTING, then the link and
whatever is at its other end.

Sources: net/ipv4/{route,ip_input,ip_output,ip_forward}.c; net/bridge/
br_input.c, br_forward.c and br_netfilter_hooks.c for the bridge.
"""

from __future__ import annotations

from typing import assert_never

from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.diagnostics.walk.stages.bridge import (
    bridge_call_iptables,
    bridge_pass_on,
    bridge_receive,
    bridge_send,
    bridge_send_frame,
    leave_port,
)
from dnet_tui.diagnostics.walk.stages.ipvlan import route_below
from dnet_tui.diagnostics.walk.stages.links import arrive, send_frame, take_frame, transmit
from dnet_tui.diagnostics.walk.stages.receive import come_in, deliver, receive, route_received
from dnet_tui.diagnostics.walk.stages.send import forward, leave, send
from dnet_tui.diagnostics.walk.stages.tunnels import decapsulate, encapsulate
from dnet_tui.diagnostics.walk.state import WalkState, WalkStopped, not_seen
from dnet_tui.diagnostics.walk.steps import (
    ArriveAt,
    BridgeCallIptables,
    BridgePassOn,
    BridgeReceive,
    BridgeSend,
    BridgeSendFrame,
    ComeIn,
    Decapsulate,
    Deliver,
    Encapsulate,
    Ending,
    Forward,
    Leave,
    LeavePort,
    Next,
    Receive,
    RouteBelow,
    RouteReceived,
    Send,
    SendFrame,
    TakeFrame,
    Transmit,
    WalkStep,
)
from dnet_tui.inspect.model import NotSeen


def run_stages(state: WalkState, first: WalkStep) -> Ending:
    """Lead a packet from its first stage to its ending; what stands in its way is noted in the state."""
    following: Next = first
    state.run = run_stages
    try:
        while not isinstance(following, Ending):
            following = run_stage(state, following)
    except WalkStopped:
        following = Ending("unknown")
    except NotSeen as missing:  # the one place: whatever a walk rests on and was not read makes it unknown
        following = Ending("unknown")
        stage = state.hops[-1].stage if state.hops else "routing"
        by = not_seen(missing, state.view.label(missing.scope))
        state.obstacles.append(Obstacle(end="unknown", stage=stage, by=by, packet=state.packet))
    if state.obstacles:
        return Ending(state.obstacles[0].end, state.obstacles[0].by)
    return following


def run_stage(state: WalkState, step: WalkStep) -> Next:  # noqa: C901, PLR0912 - the table of stages
    """Run the stage that a step names."""
    match step:
        case Send():
            return send(state, step)
        case ComeIn():
            return come_in(state, step)
        case Receive():
            return receive(state, step)
        case RouteReceived():
            return route_received(state, step)
        case Forward():
            return forward(state, step)
        case Deliver():
            return deliver(state, step)
        case Leave():
            return leave(state, step)
        case Transmit():
            return transmit(state, step)
        case ArriveAt():
            return arrive(state, step)
        case BridgeReceive():
            return bridge_receive(state, step)
        case BridgeCallIptables():
            return bridge_call_iptables(state, step)
        case BridgePassOn():
            return bridge_pass_on(state, step)
        case BridgeSend():
            return bridge_send(state, step)
        case LeavePort():
            return leave_port(state, step)
        case BridgeSendFrame():
            return bridge_send_frame(state, step)
        case SendFrame():
            return send_frame(state, step)
        case TakeFrame():
            return take_frame(state, step)
        case RouteBelow():
            return route_below(state, step)
        case Encapsulate():
            return encapsulate(state, step)
        case Decapsulate():
            return decapsulate(state, step)
        case _:
            assert_never(step)
