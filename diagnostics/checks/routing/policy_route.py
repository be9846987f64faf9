"""A policy rule leads packets for containers away from their bridge.

What it finds
    The host routes a container's address by a table that a policy rule
    selects before the main one, and that table knows nothing of the bridge:
    it has a default route by a VPN, say.  Or the rule itself refuses.  Or a
    rule for all packets stands before that of the local table, so that the
    host takes no packet for its own addresses.

Why it matters
    Packets leave the container, but answers, connections from the host and
    published ports go into the VPN.  ``ip route`` shows nothing wrong.

How we know
    The packet walk's own routing decision for the container's address, for
    packets made on the host and for those that come in by each uplink, rule
    by rule (``ip rule``, ``ip route get``).

Remedy
    A rule before it that looks the network's subnet up in the main table:
    ``ip rule add to SUBNET lookup main``.

When it is harmless
    Where the table has a route for the subnet over the bridge; then it is not
    reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import symptoms
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import Stray, cause_of, strays
from dnet_tui.diagnostics.context.host_context import HostContext, family_of
from dnet_tui.diagnostics.context.iptables_layout import named
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, PolicyRuleSpec
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Namespace, PolicyRule
from dnet_tui.inspect.model.default_routes import LOCAL

ID = "policy-route"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What stops a container's packet on the way that a policy rule sent it, or a packet for the host itself."""
    family = family_of(obstacle.packet)
    host = case.view.host
    if host is not None and obstacle.by.kind != "gap" and (early := _before_local(host, family)) is not None:
        own = {item.address for item in host.addresses}
        return early.family == family and bool({obstacle.packet.dst, obstacle.by.value} & own)
    return cause_of(case, obstacle) == ID


def _before_local(host: Namespace, family: Family) -> PolicyRule | None:
    """A rule for all packets that looks another table up before the local one: the host doesn't know itself then."""
    rules = sorted((item for item in host.policy_rules if item.family == family), key=lambda item: item.priority)
    for rule in rules:
        if rule.action != "lookup" or rule.table is None or rule.other or rule.l3mdev or rule.invert:
            continue
        chosen = rule.src, rule.dst, rule.iif, rule.oif, rule.mark, rule.suppress_prefixlength
        if rule.table == LOCAL or any(item not in {None, ""} for item in chosen):
            if rule.table == LOCAL:
                return None
            continue
        return rule if any(item.table == LOCAL for item in host.routes) else None
    return None


def _late_local(ctx: CheckContext) -> Iterator[Finding]:
    host = ctx.case.view.host
    families: tuple[Family, ...] = ("ip", "ip6")
    for family in families:
        blocked = [item for item in ctx.blocked_by(ID) if family_of(item.obstacle.packet) == family]
        rule = _before_local(host, family) if host is not None and blocked else None
        if rule is not None:
            first = PolicyRuleSpec(family=family, priority=0, table="local")
            steps = (AddPolicyRule(rule=first),)
            yield Finding(
                check=ID,
                severity="error",
                subject=Subject(kind="host", name=named("ip rule", family)),
                summary=f"The host looks table {rule.table} up before its local one, and so takes no packet for itself",
                symptoms=symptoms(blocked, ("container-to-host",)),
                evidence=(
                    Evidence(
                        source="ip rule",
                        what=f"rule {rule.priority}",
                        value=_words(rule),
                        expected="0: from all lookup local before it",
                    ),
                    *(of_flows(item) for item in blocked[:2]),
                ),
                remedy=Remedy(
                    summary="Look the local table up first",
                    steps=steps,
                    undo=inverses(steps),
                    risk="ask",
                    note="Find what moved the rule: programs that do so mark their own packets to come before it",
                ),
            )


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per policy rule."""
    yield from _late_local(ctx)
    found: dict[tuple[Family, int], tuple[PolicyRule, list[Stray]]] = {}
    for stray in strays(ctx.case):
        rule = _rule(ctx.case, stray) if stray.cause == ID else None
        if rule is not None:
            found.setdefault((stray.family, rule.priority), (rule, []))[1].append(stray)
    for rule, hit in found.values():
        first = hit[0]
        names = ", ".join(dict.fromkeys(item.network.name for item in hit))
        blocked = ctx.blocked_by(ID)
        answers = all(item.source for item in hit)
        what = f"the host's answers to containers of {names}" if answers else f"packets for containers of {names}"
        broken = symptoms(blocked, ("container-to-host",) if answers else ("egress", "published", "host-to-container"))
        yield Finding(
            check=ID,
            severity="warning" if set(broken) <= {"container-to-host"} else "error",
            subject=Subject(kind="host", name=named(f"ip rule {rule.priority}", first.family)),
            summary=f"The policy rule {rule.priority} leads {what} away from their bridge",
            symptoms=broken,
            evidence=(
                Evidence(source="ip rule", what=f"rule {rule.priority}", value=_words(rule)),
                Evidence(
                    source="ip route get",
                    what=first.member.address
                    + (f" iif {first.iif}" if first.iif else "")
                    + (f" from {first.source}" if first.source else ""),
                    value=first.text,
                    expected=f"dev {first.network.bridge}",
                ),
                *(of_flows(item) for item in blocked[:2]),
            ),
            remedy=_remedy(ctx.case, hit, rule),
        )


def _rule(case: HostContext, stray: Stray) -> PolicyRule | None:
    """The rule that selected the table, or that refuses."""
    host = case.view.host
    rules = sorted(host.policy_rules, key=lambda item: item.priority) if host is not None else []
    for rule in rules:
        if rule.family != stray.family or rule.iif not in {None, "", stray.iif or "lo"}:
            continue
        if stray.route is not None and rule.table == stray.route.table:
            return rule
        if stray.route is None and stray.text.startswith(f"policy rule {rule.priority}:"):
            return rule
    return None


def _words(rule: PolicyRule) -> str:
    parts = [f"from {rule.src or 'all'}"]
    parts += [f"{word} {value}" for word, value in (("to", rule.dst), ("iif", rule.iif), ("oif", rule.oif)) if value]
    parts += [f"fwmark {rule.mark:#x}"] if rule.mark is not None else []
    table = f"lookup {rule.table}" if rule.table is not None else rule.action
    return " ".join(["not", *parts, table] if rule.invert else [*parts, table])


def _remedy(case: HostContext, hit: list[Stray], rule: PolicyRule) -> Remedy | None:
    host = case.view.host
    used = {item.priority for item in host.policy_rules if item.family == rule.family} if host is not None else set()
    free = next((number for number in range(rule.priority - 1, 0, -1) if number not in used), None)
    if free is None:
        return None
    subnets = list(dict.fromkeys(_subnet(stray) for stray in hit))
    steps = tuple(
        AddPolicyRule(rule=PolicyRuleSpec(family=rule.family, priority=free, table="main", to=subnet))
        for subnet in subnets
    )
    return Remedy(
        summary=f"Look {', '.join(subnets)} up in the main table before that rule",
        steps=steps,
        undo=inverses(steps),
        risk="ask",
        note="It is gone after a reboot; the program that added the rule may have an option to spare local networks",
    )


def _subnet(stray: Stray) -> str:
    return next(
        (sub.cidr for sub in stray.network.subnets if contains(sub.cidr, stray.member.address) is True),
        f"{stray.member.address}/{32 if stray.family == 'ip' else 128}",
    )


CHECK = Check(
    id=ID,
    title="No policy rule leads away from containers",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
