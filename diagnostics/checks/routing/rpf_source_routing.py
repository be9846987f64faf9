"""A published port is out of reach by one of several uplinks: a policy rule meets the answer too early.

What it finds
    The host has an ``ip rule from`` of an uplink's own address, so that what
    it sends with this address leaves by that uplink.  A published port of the
    address doesn't keep to it: its answers leave by another uplink, or strict
    reverse-path filtering drops the request.

Why it matters
    The container answers with its own address, and the host routes the answer
    before it puts its own address back in.  So the rule doesn't match, and the
    main table's default route is taken.  Programs of the host itself answer by
    the right uplink, published ports don't: providers drop what comes with a
    foreign source, and clients wait.

How we know
    The packet walk of the published port, there and back, with the host's
    policy rules; NAT of an answer is undone in POSTROUTING, behind the routing
    decision, and the reverse-path check looks a translated request up as if
    it had been sent by the container (``fib_validate_source``).

Remedy
    Mark connections that come in by that uplink (connmark), and look the mark
    up in the uplink's table: the steps are shown.  Where ``rp_filter`` is 1 on
    the uplink it has to be 2.

When it is harmless
    Where the other uplink's network takes packets with this source (two lines
    of one provider) the detour is only that, so it is a warning; a request
    that the host itself drops is an error.  Without such a policy rule nobody
    says by which uplink answers should leave, and nothing is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, PolicyRuleSpec
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import PolicyRule
from dnet_tui.inspect.model.default_routes import ANYWHERE, default_routes

ID = "rpf-source-routing"

_EVERYONE = {None, "", ANYWHERE["ip"], "all"}
_MARKS = range(0x21, 0x60)


class Detour(msgspec.Struct, frozen=True, kw_only=True):
    """A published port of an uplink that has a policy rule for its address, and where its answers go."""

    flow: Flow
    uplink: str
    rule: PolicyRule
    leaves: str


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The reverse-path check of an uplink that answers of published ports don't leave by."""
    packet = obstacle.packet
    if obstacle.stage != "reverse-path" or not on_host(case, obstacle) or not packet.dnatted or packet.family != "ip":
        return False
    return packet.iif in case.uplinks and _rule_for(case, packet.iif) is not None


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per uplink."""
    yield from undecided(ctx, ID)
    case = ctx.case
    told: set[str] = set()
    for blocked in definite(ctx, ID):
        uplink = blocked.obstacle.packet.iif
        told.add(uplink)
        rule = _rule_for(case, uplink)
        if rule is not None:
            yield _finding(case, uplink, rule, list(blocked.flows), "", blocked.obstacle)
    hit: dict[str, list[Detour]] = {}
    for detour in _detours(ctx):
        hit.setdefault(detour.uplink, []).append(detour)
    for uplink, detours in hit.items():
        if uplink in told:
            continue
        yield _finding(case, uplink, detours[0].rule, [item.flow for item in detours], detours[0].leaves, None)


def _detours(ctx: CheckContext) -> Iterator[Detour]:
    for flow in ctx.flows:
        if flow.kind != "published" or flow.family != "ip" or flow.answer is None or flow.answer.end != "left":
            continue
        uplink = _by(ctx.case, flow)
        translated = flow.forward.last.dst != flow.forward.start.dst
        rule = _rule_for(ctx.case, uplink) if translated else None
        if rule is not None and flow.answer.exits in ctx.case.uplinks and flow.answer.exits != uplink:
            yield Detour(flow=flow, uplink=uplink, rule=rule, leaves=flow.answer.exits)


def _by(case: HostContext, flow: Flow) -> str:
    """The uplink whose address a published port was asked for at."""
    return next((name for name in case.uplinks if case.uplink_address(name) == flow.forward.start.dst), "")


def _rule_for(case: HostContext, uplink: str) -> PolicyRule | None:
    """The policy rule by which what has an uplink's address leaves by that uplink."""
    host = case.view.host
    link = case.view.link_named(host.id, uplink) if host is not None and uplink else None
    address = case.uplink_address(uplink) if link is not None else ""
    if host is None or link is None or not address:
        return None
    tables = {
        route.table for route in default_routes(host, "ip") if any(hop.ifindex == link.ifindex for hop in route.hops)
    }
    return next(
        (
            rule
            for rule in sorted(host.policy_rules, key=lambda item: item.priority)
            if rule.family == "ip"
            and rule.action == "lookup"
            and not rule.invert
            and rule.mark is None
            and rule.src not in _EVERYONE
            and rule.table in tables
            and contains(rule.src or "", address) is True
        ),
        None,
    )


def _finding(
    case: HostContext, uplink: str, rule: PolicyRule, flows: list[Flow], leaves: str, obstacle: Obstacle | None
) -> Finding:
    names = ", ".join(flow.target for flow in flows[:4]) + (f" and {len(flows) - 4} more" if len(flows) > 4 else "")
    what = f"leave by {leaves}" if leaves else f"would not leave by it, so that {uplink} drops the requests"
    return Finding(
        check=ID,
        severity="warning" if leaves else "error",
        subject=Subject(kind="link", name=uplink),
        summary=f"Answers of ports published on {uplink} {what}, past the policy rule {rule.priority}",
        symptoms=("published",),
        evidence=(
            Evidence(
                source="ip rule",
                what=f"rule {rule.priority}",
                value=f"from {rule.src} lookup {rule.table}",
                expected="meets the answers too: they still have the container's address when they are routed",
            ),
            Evidence(source="packet walk", what="concerns", value=names, expected=f"answered by {uplink}"),
            *((of_decider(obstacle.by, "lets it pass"),) if obstacle is not None else ()),
        ),
        remedy=_remedy(case, uplink, rule, flows),
    )


def _remedy(case: HostContext, uplink: str, rule: PolicyRule, flows: list[Flow]) -> Remedy | None:
    """Answers carry the mark of the connection's uplink, and are routed by it."""
    host = case.view.host
    used = {item.mark for item in host.policy_rules} if host is not None else set()
    ranks = {item.priority for item in host.policy_rules} if host is not None else set()
    mark = next((number for number in _MARKS if number not in used), None)
    rank = next((number for number in range(rule.priority, 0, -1) if number not in ranks), None)
    if mark is None or rank is None or rule.table is None:
        return None
    place = TableRef(backend=iptables_layout.backend(case), family="ip", table="mangle")
    bridges = list(dict.fromkeys(flow.network.bridge for flow in flows))
    specs = [f"-i {uplink} -m conntrack --ctstate NEW -j CONNMARK --set-xmark {mark:#x}/0xff"]
    specs += [f"-i {bridge} -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff" for bridge in bridges]
    changes = [RuleEdit(place=place, chain="PREROUTING", spec=spec) for spec in specs]
    by_mark = AddPolicyRule(rule=PolicyRuleSpec(priority=rank, table=str(rule.table), mark=f"{mark:#x}/0xff"))
    key = f"net.ipv4.conf.{sysctl_name(uplink)}.rp_filter"
    strict = (case.sysctl(key) or "0") == "1" or (case.sysctl("net.ipv4.conf.all.rp_filter") or "0") == "1"
    loosen: list[AnyOperation] = [SetSysctl(key=key, value="2")] if strict else []
    tighten: list[AnyOperation] = [SetSysctl(key=key, value=case.sysctl(key) or "0")] if strict else []
    return Remedy(
        summary=f"Mark connections that come in by {uplink}, and route their answers by the mark",
        steps=(*(change.insert(1) for change in changes), by_mark, *loosen),
        undo=(*tighten, by_mark.inverse(), *(change.delete(1) for change in reversed(changes))),
        risk="manual",
        note="See that nothing else on this host uses these bits of the mark (VPNs and Kubernetes do use marks); "
        "keep the rules where your policy rules are kept",
    )


CHECK = Check(
    id=ID,
    title="Answers of published ports leave by the uplink that they were asked by",
    severity="error",
    doc=__doc__,
    find=find,
    explains=("policy-route",),
    owns=owns,
    hidden_by=("policy-rules", "routes", "sysctls"),
)
