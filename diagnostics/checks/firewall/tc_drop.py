"""A filter or a queue of traffic control drops packets of container networks.

What it finds
    A filter of ``tc`` (at a clsact, ingress or classful root qdisc) that
    certainly drops every packet it sees on a link that container traffic
    crosses.  Where a filter or a BPF program (cls_bpf, tcx, XDP) may drop it,
    but nobody can tell from outside, the check says so and stays undecided.
    So does a root qdisc that throws all away: ``blackhole``, a queue without
    room (``pfifo limit 0``, a ``tbf`` with an empty bucket), ``netem loss
    100%``.

Why it matters
    Traffic control works before and after all of netfilter: no firewall rule
    shows it, no counter of one rises, and the packets are gone.

How we know
    The qdiscs, filters and XDP programs of each link, read by netlink, and
    the packet walk, which passes them where the kernel does (net/core/dev.c).
    Only ``matchall`` with the action ``drop`` is sure; what a program does is
    not looked into.

Remedy
    ``tc filter del`` on that link, or ``tc qdisc del dev LINK root``.
    dnet-tui doesn't do it itself, because it could not put them back.

When it is harmless
    Where a network plugin such as Cilium or Calico does its work by programs
    on each link: those are not judged.  A filter that drops everything on a
    link on purpose cuts the containers behind it off.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.diagnostics.walk.stages.tc_xdp import QDISC, TC, XDP

ID = "tc-drop"


def owns(_: HostContext, obstacle: Obstacle) -> bool:
    """Whatever a filter, a program or a queue on a link stops, or may stop."""
    return obstacle.by.kind == "link" and obstacle.by.value in {QDISC, TC, XDP}


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per filter."""
    yield from undecided(ctx, ID)
    for blocked in definite(ctx, ID):
        yield _finding(ctx.case, blocked)


def _finding(case: HostContext, blocked: BlockedFlows) -> Finding:
    by, stage = blocked.obstacle.by, blocked.obstacle.stage
    where = case.view.label(by.namespace)
    place = by.interface if where == "host" else f"{by.interface} in {where}"
    what = "qdisc" if by.value == QDISC else "filter"
    delete = f"tc qdisc del dev {by.interface} root" if by.value == QDISC else "tc filter del"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="link", name=by.interface),
        summary=f"Traffic control drops what {place} {'receives' if stage == 'ingress' else 'sends'}",
        symptoms=blocked.symptoms,
        evidence=(
            Evidence(source=f"tc {what} show dev {by.interface}", what=place, value=by.text, expected="lets it pass"),
            of_flows(blocked),
        ),
        remedy=Remedy(
            summary=f"Delete the {what} on {by.interface}: see `tc {what} show` and `{delete}`",
            risk="manual",
            note="Find out first which program made it: it may be meant, and it may come back",
        ),
    )


CHECK = Check(
    id=ID,
    title="Traffic control drops nothing of the containers",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("traffic-control",),
)
