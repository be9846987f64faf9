"""Where the kernel asks for IPsec policies.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3.xfrm import Direction, policy_stop
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace


def check_policies(
    state: WalkState,
    ns: Namespace,
    direction: Direction,
    *,
    came_by: Link | None = None,
    out: Link | None = None,
    made_here: bool = False,
) -> None:
    """Stop where a policy doesn't let the packet pass as it is."""
    if ns.xfrm_policies == 0:
        return  # as on most hosts
    with state.unseen("xfrm"):
        index = state.index(ns)
        plain = bool(state.made_in)
        found = policy_stop(index, state.packet, direction, came_by=came_by, out=out, plain=plain, made_here=made_here)
        if found is not None:
            state.hop(ns, "", "xfrm", "drop" if found.end == "dropped" else "unknown", note=found.by.text)
            state.obstacle(found.end, "xfrm", found.by)
