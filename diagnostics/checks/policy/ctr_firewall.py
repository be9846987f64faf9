"""A container's own firewall drops what the container is there for.

What it finds
    A rule or policy inside a container's network namespace drops or rejects a
    flow that its network or its published ports ask for.  Other rules there
    that drop or redirect something (a sidecar's, a VPN client's) are
    information, with their owner.

Why it matters
    Nothing on the host shows it.  A firewall, a fail2ban or a VPN client in
    the container wrote it there, perhaps long after the container started:
    fail2ban that bans the gateway's address bans everybody who comes by
    docker-proxy.

How we know
    The packet walk goes on into the container's namespace, and ends at that
    rule.

Remedy
    Let the program in the container make an exception.  The rule can be taken
    out from the host as shown; the program may put it back.

When it is harmless
    Where it is meant, as in a VPN container's "kill switch": therefore it is
    only a warning, and no repair changes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.deciding_rules import UNASKED, candidates
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host, scope_of
from dnet_tui.diagnostics.checks.subjects.owners_remedy import by_hand_in
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import EMBEDDED
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import owner_of
from dnet_tui.diagnostics.report.finding import Affected, Finding, Subject
from dnet_tui.diagnostics.walk.netfilter.chain_ends import reference_to
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model.firewall import AnyExpr, Firewall, Match
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR, DecisionOwner

ID = "ctr-firewall"
_SHOWN = 3


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule or policy of a namespace that isn't the host's, unless an engine made it."""
    rule = obstacle.by.rule
    if rule is None or on_host(case, obstacle) or not case.view.containers_in(rule.namespace):
        return False
    owner = owner_of(rule)
    return owner is None or owner.kind != "engine"


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy."""
    yield from undecided(ctx, ID)
    told: set[str] = set()
    for blocked, rule in by_rules(ctx, ID):
        yield _finding(ctx.case, blocked, rule)
        told.add(rule.namespace)
    if ctx.asks_rules:
        yield from _of_their_own(ctx.case, told)


def _of_their_own(case: HostContext, told: set[str]) -> Iterator[Finding]:
    """What rules in containers drop or redirect that stops nothing which a network asks for, one finding per owner."""
    found: defaultdict[DecisionOwner, dict[str, RuleRef]] = defaultdict(dict)
    for member in (item for network in case.networks for item in case.everyone(network)):
        space = member.namespace
        if space not in told and (rule := _deciding(case, space)) is not None:
            found[owner_of(rule) or ADMINISTRATOR].setdefault(member.container.name, rule)
    for owner, rules in found.items():
        names = list(rules)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        whose = "rules of their own" if len(names) > 1 else "rules of its own"
        yield Finding(
            check=ID,
            severity="info",
            subject=Subject(kind="container", name=names[0]),
            summary=f"{', '.join(names[:_SHOWN])}{more} decides by {whose} what it sends or gets"
            if len(names) == 1
            else f"{', '.join(names[:_SHOWN])}{more} decide by {whose} what they send or get",
            symptoms=("egress",),
            evidence=tuple(of_rule(rule) for rule in list(rules.values())[:_SHOWN]),
            remedy=Remedy(summary="Yours to decide: a program in the container made them", risk="manual"),
            affects=tuple(Affected(kind="container", name=item) for item in names),
            owner=owner,
        )


def _deciding(case: HostContext, namespace: str) -> RuleRef | None:
    """The first rule of a container's own that drops, rejects or redirects, unless an engine made it."""
    firewall = case.view.namespaces[namespace].firewall
    if not isinstance(firewall, Firewall):
        return None  # what was not read is said by the walks that rest on it
    for item in candidates(firewall):
        way = next(item.ways(), None) if item.effect not in UNASKED else None
        if way is None or any(_is_nobodys(expr) for expr in way.conditions):
            continue
        rule = reference_to(namespace, item.table, item.chain, item.rule, way.base.name)
        owner = owner_of(rule)
        if owner is None or owner.kind != "engine":
            return rule
    return None


def _is_nobodys(expr: AnyExpr) -> bool:
    """Whether it asks for what nobody misses: packets of no connection, or those to the engine's own resolver."""
    if not isinstance(expr, Match) or expr.negate:
        return False
    strays = expr.field == "ctstate" and expr.values == ("INVALID",)
    return strays or (expr.field == "daddr" and all(value.startswith(EMBEDDED) for value in expr.values))


def _finding(case: HostContext, blocked: BlockedFlows, rule: RuleRef) -> Finding:
    names = [item.name for item in sorted(case.view.containers_in(rule.namespace), key=lambda item: bool(item.joined))]
    name, flow = names[0], blocked.flows[0]
    what = f"the policy of {rule.chain}" if rule.number == 0 else f"rule {rule.number} of {rule.chain}"
    way = "" if flow in blocked.there else "the answer of "
    more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
    step = by_hand_in(case, rule, scope_of(case, rule.namespace))
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="container", name=name),
        summary=f"The firewall in {name} stops {way}{flow.label}{more}: {what} there ({rule.table})",
        symptoms=blocked.symptoms,
        evidence=(of_rule(rule, "lets it pass"), of_flows(blocked)),
        remedy=Remedy(
            summary=f"Let the program in {name} that made it make an exception",
            steps=(step,) if step is not None else (),
            risk="manual",
            note="The command takes it out from the host; what made it may put it back, at the latest when it restarts",
        ),
        affects=tuple(Affected(kind="container", name=item) for item in names),
        owner=owner_of(rule) or ADMINISTRATOR,
    )


CHECK = Check(
    id=ID,
    title="No container's own firewall drops what it is there for",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("firewall",),
)
