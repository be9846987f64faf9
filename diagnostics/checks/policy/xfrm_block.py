"""An IPsec policy drops what containers send or get.

What it finds
    A policy of the kernel's IPsec (``ip xfrm policy``) whose action is
    ``block``, or that wants a packet to have come encrypted which didn't, stops
    a flow that the networks ask for.

Why it matters
    IPsec's policies are asked beside the firewall: no table of iptables or
    nftables shows anything, and packets vanish without a trace but for a
    counter in /proc/net/xfrm_stat.

How we know
    The packet walk asks the policies where the kernel does, and names the one
    that decides.

Remedy
    It is kept by whoever keeps this host's IPsec (strongSwan, Libreswan, a
    script): the policy has to make room for the network's subnet there.

When it is harmless
    Where it was meant so.  It is never repaired unasked.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

ID = "xfrm-block"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A policy of the host's IPsec."""
    by_ipsec = obstacle.by.kind == "policy" and obstacle.by.rule is None
    return by_ipsec and obstacle.stage in {"xfrm", "neighbour"} and on_host(case, obstacle)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per policy."""
    yield from undecided(ctx, ID)
    for text, blocked in _by_policy(definite(ctx, ID)).items():
        flow = blocked.flows[0]
        way = "" if flow in blocked.there else "the answer of "
        more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="host", name=text),
            summary=f"{way}{flow.label}{more} is dropped by an IPsec policy",
            symptoms=blocked.symptoms,
            evidence=(
                Evidence(
                    source="ip xfrm policy", what="decides", value=text, expected="lets it pass", owner=ADMINISTRATOR
                ),
                of_flows(blocked),
            ),
            remedy=Remedy(
                summary="Yours to decide: whoever keeps this host's IPsec made this policy",
                risk="manual",
                note="`ip xfrm policy` lists them; the daemon that keeps them makes them anew when it starts",
            ),
            owner=ADMINISTRATOR,
        )


def _by_policy(every: list[BlockedFlows]) -> dict[str, BlockedFlows]:
    """What each policy stops, packets and the neighbour discovery that goes before them."""
    found: dict[str, BlockedFlows] = {}
    for item in every:
        text = item.obstacle.by.text.rpartition("is stopped by ")[2]
        known = found.setdefault(text, BlockedFlows(item.obstacle))
        known.there += item.there
        known.back += item.back
    return found


CHECK = Check(
    id=ID,
    title="No IPsec policy drops container traffic",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("xfrm",),
)
