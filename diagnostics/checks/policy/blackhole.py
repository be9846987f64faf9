"""A route or policy rule refuses what containers send: blackhole, prohibit, unreachable.

What it finds
    A route of type ``blackhole``, ``prohibit`` or ``unreachable``, or a policy
    rule with such an action, that meets what containers send to the outside:
    all of it, or the destinations that it names.

Why it matters
    It is how addresses are banned without a firewall, and how a VPN's "kill
    switch" works.  No table of iptables or nftables shows it; ``blackhole``
    drops without a word.

How we know
    For each a packet is made that meets it, and walked: only where the walk
    ends at that very route or rule is it reported.

Remedy
    Whose it is decides: ``ip route del TYPE PREFIX`` or ``ip rule del pref N``,
    and where it is set at boot.

When it is harmless
    It is information where it names destinations, and a warning where it
    refuses all that a network sends outside.  What keeps the rest of a range
    that holds the containers themselves is no one's way, and not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.refusing_routes import Refusal, refusals
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.checks.subjects.owners_remedy import for_refusal
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR, DecisionOwner

ID = "blackhole"
_TYPES = ("blackhole", "prohibit", "unreachable")
_SHOWN = 3


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A refusing route or policy rule, for what goes to the outside: what is for containers has checks of its own."""
    if obstacle.stage != "routing" or obstacle.by.kind != "route" or not on_host(case, obstacle):
        return False
    word, _, to = obstacle.by.text.rpartition(": ")[2].partition(" ")
    by_rule = obstacle.by.text.startswith("policy rule")
    return word in _TYPES and (by_rule or to.startswith("default") or case.network_of(obstacle.packet.dst) is None)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per route or rule that stops what a network asks for, and one of all that only ban destinations."""
    yield from undecided(ctx, ID)
    stopped: set[str] = set()
    for blocked in definite(ctx, ID):
        stopped.add(blocked.obstacle.by.text)
        yield _of_flows(ctx.case, blocked)
    if ctx.asks_rules:
        banned = [item for item in ctx.case.once(refusals) if item.text not in stopped]
        owners = dict.fromkeys(item.owner for item in banned)
        for owner in owners:
            yield _of_bans(ctx.case, [item for item in banned if item.owner == owner], owner)


def _of_flows(case: HostContext, blocked: BlockedFlows) -> Finding:
    by = blocked.obstacle.by
    flow = blocked.flows[0]
    more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
    owner = next((item.owner for item in case.once(refusals) if item.text == by.text), ADMINISTRATOR)
    evidence = Evidence(source=_source(by.text), what="decides", value=by.text, owner=owner)
    return _finding(
        by.text,
        "warning" if any(item.kind == "egress" for item in blocked.flows) else "info",
        f"{flow.label}{more} is refused by {by.text}",
        (evidence, of_flows(blocked)),
        for_refusal(case, by.text, owner),
        owner,
    )


def _of_bans(case: HostContext, banned: list[Refusal], owner: DecisionOwner) -> Finding:
    names = ", ".join(item.text for item in banned[:_SHOWN])
    more = f" and {len(banned) - _SHOWN} more" if len(banned) > _SHOWN else ""
    evidence = tuple(
        Evidence(source=_source(item.text), what=item.text, value=f"stops {item.sender}: {item.packet}", owner=owner)
        for item in banned[:_SHOWN]
    )
    whose = "The administrator" if owner.kind == "administrator" else owner.name
    what = f"{whose} keeps containers from what is refused by {names}{more}"
    remedy = for_refusal(case, banned[0].text if len(banned) == 1 else "", owner)
    return _finding(names, "info", what, evidence, remedy, owner)


def _finding(
    name: str, severity: Severity, summary: str, evidence: tuple[Evidence, ...], remedy: Remedy, owner: DecisionOwner
) -> Finding:
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="host", name=name),
        summary=summary,
        symptoms=("egress",),
        evidence=evidence,
        remedy=remedy,
        owner=owner,
    )


def _source(text: str) -> str:
    return "ip rule" if text.startswith("policy rule") else "ip route"


CHECK = Check(
    id=ID,
    title="No route refuses what containers send",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("dns-upstream",),
    hidden_by=("routes", "policy_rules"),
)
