"""The host has lost its route to a network of its own, or no longer asks the table that has it.

What it finds
    A network whose bridge is up and has its address, but the host's main
    table has no route to the network's subnet by that bridge; or the policy
    rule that looks up the main table is gone, so that none of its routes
    counts.

Why it matters
    The kernel makes that route when the bridge gets its address, and nothing
    makes it again.  What the host sends to the containers, and every answer to
    them, goes out by the default route or nowhere.

How we know
    The routing tables and policy rules (``ip route show table all``,
    ``ip rule``), beside the bridge's addresses, and the route that the packet
    walk found for a container's address.

Remedy
    Add the route as the kernel had it, or the rule as it is from the start
    (``ip rule add pref 32766 lookup main``).

When it is harmless
    Where another table has the routes of the network; it is not reported
    there.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_addresses, symptoms
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import Stray, cause_of, strays
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.netns_scope import HOST
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, PolicyRuleSpec
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Namespace, PolicyRule
from dnet_tui.inspect.model.default_routes import MAIN

ID = "net-route-gone"
_PRIORITY = 32766
"""Where the kernel puts the rule for the main table (fib_default_rules_init)."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What stops a packet for a container whose network the host has no route to."""
    return cause_of(case, obstacle) == ID


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per family whose main table isn't asked, else one per network and family."""
    unasked = _unasked(ctx.case)
    for family in unasked:
        yield _rule_finding(ctx, family)
    told: set[tuple[str, str]] = set()
    for stray in strays(ctx.case):
        key = (stray.network.id, stray.family)
        if stray.cause == ID and key not in told and stray.family not in unasked:
            told.add(key)
            yield _finding(ctx, stray)


def _unasked(case: HostContext) -> tuple[Family, ...]:
    """The families in which networks have routes in the main table, and no policy rule leads there for everybody."""
    host = case.view.host
    families: tuple[Family, ...] = ("ip", "ip6")
    return tuple(
        family
        for family in families
        if host is not None
        and any(case.members(network, family) for network in case.networks)
        and not any(_leads_to_main(rule, family) for rule in host.policy_rules)
        and _has_rules(host, family)
    )


def _leads_to_main(rule: PolicyRule, family: Family) -> bool:
    return rule.family == family and (rule.table == MAIN or rule.invert or rule.l3mdev)


def _has_rules(host: Namespace, family: Family) -> bool:
    """Whether the family's rules were read at all: there is always one for the local table."""
    return any(rule.family == family for rule in host.policy_rules)


def _rule_finding(ctx: CheckContext, family: Family) -> Finding:
    steps = (AddPolicyRule(rule=PolicyRuleSpec(family=family, priority=_PRIORITY, table="main")),)
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="host", name="ip rule" if family == "ip" else "ip -6 rule"),
        summary="No policy rule looks up the main routing table, so none of its routes counts",
        symptoms=symptoms(ctx.blocked_by(ID), ("egress", "published", "host-to-container")),
        evidence=(Evidence(source="ip rule", what="lookup main", value="none", expected=f"pref {_PRIORITY}"),),
        remedy=Remedy(
            summary="Add the rule for the main table", steps=steps, undo=inverses(steps), risk="ask", persists=False
        ),
    )


def _finding(ctx: CheckContext, stray: Stray) -> Finding:
    blocked = ctx.blocked_by(ID)
    bridge = stray.network.bridge
    addresses = bridge_addresses(ctx.case, stray.network, stray.family)
    own = next((item for item in addresses if contains(item.cidr, stray.member.address) is True), None)
    steps: tuple[AddRoute, ...] = ()
    if own is not None:
        spec = RouteSpec(
            family=stray.family,
            dst=str(ip_interface(own.cidr).network),
            link=bridge,
            protocol="kernel",
            scope="link" if stray.family == "ip" else "",
            source=own.address if stray.family == "ip" else "",
        )
        steps = (AddRoute(route=spec, inside=HOST),)
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="bridge", name=bridge),
        summary=f"The host has no route to network {stray.network.name} by its bridge {bridge}",
        symptoms=symptoms(blocked, ("egress", "published", "host-to-container")),
        evidence=(
            Evidence(
                source="ip route get", what=stray.member.address, value=stray.text or "none", expected=f"dev {bridge}"
            ),
            *(of_flows(item) for item in blocked[:2]),
        ),
        remedy=Remedy(
            summary=f"Add the route to {stray.network.name} by {bridge}",
            steps=steps,
            undo=inverses(steps),
            risk="ask",
            note="The kernel makes it anew with the bridge's address; see what deleted it",
        ),
    )


CHECK = Check(
    id=ID,
    title="The host has a route to each of its networks",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("flow-blocked", "host-no-uplink"),
    hidden_by=("routes", "policy_rules"),
)
