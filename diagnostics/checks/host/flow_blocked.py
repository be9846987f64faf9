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
    None is known for it in general; the evidence names what to change, and
    where a rule of the administrator's decides, so does the command for that.

When it is harmless
    Where the block is meant: then the network's own options should say so
    (``internal``), or skip this check.  What the host's rules keep its own
    programs from is only information, unless it also cuts off ports that an
    engine publishes: then it is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import FALLBACK, BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_flows
from dnet_tui.diagnostics.checks.subjects.host_input import PROMISED, is_host_input, is_host_output
from dnet_tui.diagnostics.checks.subjects.owners_remedy import for_refusal, for_rule
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import is_anothers, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

_PROBES = 4
"""Probes that are shown of one cause."""

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
    for blocked in _folded(definite(ctx, FALLBACK)):
        yield finding(ctx.case, blocked)
    for blocked in ctx.meant:
        of_the_host = is_host_input(ctx.case, blocked.obstacle) or is_host_output(ctx.case, blocked.obstacle)
        if not of_the_host:  # those have checks of their own
            promised = any(flow.kind in PROMISED for flow in blocked.flows)
            yield msgspec.structs.replace(finding(ctx.case, blocked), severity="warning" if promised else "info")


def _folded(every: Iterable[BlockedFlows]) -> Iterator[BlockedFlows]:
    """Obstacles of which only the addresses differ as one: "no route to A" and "no route to B" have one cause."""
    found: dict[tuple[str, ...], BlockedFlows] = {}
    for blocked in every:
        obstacle, by = blocked.obstacle, blocked.obstacle.by
        text = _ADDRESS.sub("*", by.text) if by.kind in {"route", "neighbour"} and by.rule is None else by.text
        if by.rule is not None:
            text = f"{by.rule.backend} {by.rule.family} {by.rule.table} {by.rule.chain} {by.rule.number}"
        key = (by.kind, by.namespace, obstacle.stage, obstacle.end, text)
        known = found.get(key)
        if known is None:
            known = found[key] = BlockedFlows(obstacle)
        known.there += blocked.there
        known.back += blocked.back
    yield from found.values()


_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]*:[0-9a-f:]+")


def finding(case: HostContext, blocked: BlockedFlows) -> Finding:
    """What one deciding element stops."""
    by = blocked.obstacle.by
    flow = blocked.flows[0]
    word = _WORDS.get(blocked.obstacle.end, blocked.obstacle.end)
    way = "" if flow in blocked.there else "the answer of "
    more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
    return Finding(
        check=FALLBACK,
        severity=_severity(blocked),
        subject=Subject(kind=by.kind, name=by.text),
        summary=f"{way}{flow.label}{more} is {word} at {blocked.obstacle.stage}",
        symptoms=blocked.symptoms,
        evidence=(of_decider(by, "lets it pass"), of_flows(blocked)),
        remedy=_remedy(case, by),
    )


def _severity(blocked: BlockedFlows) -> Severity:
    """What is promised and stopped is an error; what somebody decided who may is a warning, or hits nobody's promise.

    Who set a bridge's VLANs decides which ports they part, and a manager what
    its policy drops; that it hits what an engine promised is said.
    """
    by = blocked.obstacle.by
    owner = owner_of(by.rule)
    if by.rule is not None and not any(flow.is_promised for flow in blocked.flows):
        return "info"
    managed = owner is not None and owner.kind == "manager"
    return "warning" if managed or by.value.startswith("vlan ") else "error"


def _remedy(case: HostContext, by: Decider) -> Remedy | None:
    """What the owner of a rule or refusing route can do; for the rest nobody can be named."""
    if by.rule is not None:
        owner = owner_of(by.rule)
        return for_rule(case, by.rule, owner) if owner is not None and is_anothers(owner) else None
    host = case.view.host
    if by.kind != "route" or host is None or by.namespace != host.id:
        return None
    remedy = for_refusal(case, by.text, ADMINISTRATOR)
    return remedy if remedy.steps else None


def of_probes(probes: Iterable[Probed], found: Collection[str]) -> Iterator[Finding]:
    """Probes of what ought to pass that fail as the walk says, where no finding says why: by what stops them."""
    failing: dict[str, list[Probed]] = {}
    for item in probes:
        probe = item.probe
        fails = item.sent.answer in {"timeout", "unreachable", "refused"} and probe.prediction == "blocked"
        if fails and probe.expected and item.judgement == "agrees" and probe.confirms not in found:
            failing.setdefault(probe.by, []).append(item)
    for by, items in failing.items():
        first = items[0].probe
        more = f" and {len(items) - 1} more" if items[1:] else ""
        yield Finding(
            check=FALLBACK,
            severity="warning",
            subject=Subject(kind="flow", name=f"{first.source} → {first.target}{more}"),
            summary=f"{first.source} → {first.target}{more} gets no answer",
            symptoms=tuple(dict.fromkeys(item.probe.kind for item in items)),
            evidence=(
                Evidence(source="packet walk", what="stopped by", value=by, expected="lets it pass"),
                *(
                    Evidence(source="probe", what=item.probe.label, value=item.sent.answer, expected="an answer")
                    for item in items[:_PROBES]
                ),
            ),
        )


CHECK = Check(
    id=FALLBACK,
    title="Every flow that the networks ask for passes",
    severity="error",
    doc=__doc__,
    find=find,
)
