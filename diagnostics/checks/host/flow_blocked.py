"""A flow that should pass does not, for a reason that no other check owns.

What it finds
    Any flow that a network's options ask for and that the packet walk stops,
    where the deciding rule, route, switch or link belongs to none of the
    other checks.

Why it matters
    Hosts break in ways that no catalogue lists.  The deciding element is
    named all the same.

How we know
    The packet walk, there and back, with the element that decides.

Remedy
    None is known for it in general; the evidence names what to change.

When it is harmless
    Where the block is meant: then the network's own options should say so
    (``internal``), or skip this check.  What the host's rules keep its own
    programs from is only told: nobody promised it to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import FALLBACK, BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_flows
from dnet_tui.diagnostics.report.finding import Finding, Subject

_WORDS = {
    "dropped": "dropped",
    "rejected": "rejected",
    "no-route": "stopped for want of a route",
    "unreachable": "stopped: the next hop can't be reached",
    "looped": "going round in a loop",
    "too-big": "dropped as too big",
    "refused": "refused",
    "left": "leaving by another way than it should",
}


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per deciding element."""
    yield from undecided(ctx, FALLBACK)
    for blocked in definite(ctx, FALLBACK):
        yield finding(blocked)
    for blocked in ctx.meant:
        yield msgspec.structs.replace(finding(blocked), severity="info")


def finding(blocked: BlockedFlows) -> Finding:
    """What one deciding element stops."""
    by = blocked.obstacle.by
    flow = blocked.flows[0]
    word = _WORDS.get(blocked.obstacle.end, blocked.obstacle.end)
    way = "" if flow in blocked.there else "the answer of "
    more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
    return Finding(
        check=FALLBACK,
        # Who set a bridge's VLANs decides which ports they part; that it hits what an engine promised is said.
        severity="warning" if by.value.startswith("vlan ") else "error",
        subject=Subject(kind=by.kind, name=by.text),
        summary=f"{way}{flow.label}{more} is {word} at {blocked.obstacle.stage}",
        symptoms=blocked.symptoms,
        evidence=(of_decider(by, "lets it pass"), of_flows(blocked)),
    )


CHECK = Check(
    id=FALLBACK,
    title="Every flow that the networks ask for passes",
    severity="error",
    doc=__doc__,
    find=find,
)
