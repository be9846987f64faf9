"""What an owner can do about an own decision: the exact command, which no repair makes unasked.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import route_spec
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import known_tables
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.netns_scope import HOST, NetnsScope
from dnet_tui.diagnostics.operations.policy_rule import DeletePolicyRule, policy_rule_spec
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.route import DeleteRoute
from dnet_tui.diagnostics.operations.rule import PROGRAMS
from dnet_tui.diagnostics.operations.rule_edit import removal, table_of
from dnet_tui.diagnostics.report.decisions import where_to_change
from dnet_tui.diagnostics.walk.l3.routing import route_text
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model.default_routes import MAIN
from dnet_tui.inspect.model.firewall import Rule
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

_AT_BOOT = "What loads it at boot has to change too"


def for_rule(case: HostContext, rule: RuleRef, owner: DecisionOwner) -> Remedy:
    """What the owner of a rule can do: the administrator's is deleted, a manager's changed where that one keeps it."""
    words = f"Yours to decide: {owner.whose} made this rule"
    if rule.number == 0 and owner.kind != "administrator":
        words = f"Yours to decide: {owner.whose} keeps this policy"
    if owner.kind != "administrator":
        return Remedy(summary=words, risk="manual", note=where_to_change(rule))
    if rule.number == 0:
        return Remedy(summary=f"{words}: the policy of {rule.table} {rule.chain}", risk="manual", note=_AT_BOOT)
    remedy = removal(rule, words, _AT_BOOT)
    if remedy is not None:
        return msgspec.structs.replace(remedy, overrides=owner)
    found = _found(case, rule)
    place = (rule.family, rule.table, rule.chain)
    handle = found.handle if found is not None else None
    delete = ("nft", "delete", "rule", *place, "handle", str(handle))
    note = f"Rule {rule.number} of {' '.join(place)}: {rule.text}"
    return Remedy(summary=words, steps=(ByHand(argv=delete),) if handle is not None else (), risk="manual", note=note)


def by_hand_in(case: HostContext, rule: RuleRef, scope: NetnsScope | None) -> ByHand | None:
    """The command that takes a rule out where it stands; of a policy the one that makes it accept."""
    if scope is None:
        return None
    enter: tuple[str, ...] = (
        ("nsenter", f"--net=/run/netns/{scope.name}") if scope.name else ("nsenter", "-t", str(scope.pid), "-n")
    )
    enter = () if scope == HOST else enter
    place = table_of(rule)
    found = _found(case, rule)
    if place is not None:
        program = PROGRAMS[place.backend, place.family]
        edit = ("-P", rule.chain, "ACCEPT") if rule.number == 0 else ("-D", rule.chain, str(rule.number))
        return ByHand(argv=(*enter, program, "-w", "-t", rule.table, *edit))
    words = (rule.family, rule.table, rule.chain)
    if rule.number == 0:
        return ByHand(argv=(*enter, "nft", "chain", *words, "{ policy accept ; }"))
    if found is None or found.handle is None:
        return None
    return ByHand(argv=(*enter, "nft", "delete", "rule", *words, "handle", str(found.handle)))


def for_twins(case: HostContext, rules: Sequence[RuleRef], owner: DecisionOwner) -> Remedy:
    """The same of a rule and its twin for IPv6: what is done to the one is done to the other."""
    each = [for_rule(case, rule, owner) for rule in rules]
    if len(each) == 1 or not all(remedy.steps for remedy in each):
        return each[0]
    return msgspec.structs.replace(
        each[0],
        steps=tuple(step for remedy in each for step in remedy.steps),
        undo=tuple(step for remedy in reversed(each) for step in remedy.undo),
    )


def _found(case: HostContext, ref: RuleRef) -> Rule | None:
    wanted = (ref.backend, ref.family, ref.table)
    for table in known_tables(case.view.namespaces.get(ref.namespace) or case.view.host):
        if (table.backend, table.family, table.name) == wanted:
            chains = (chain for chain in table.chains if chain.name == ref.chain)
            return next((rule for chain in chains for rule in chain.rules if rule.number == ref.number), None)
    return None


def for_refusal(case: HostContext, text: str, owner: DecisionOwner) -> Remedy:
    """What the owner of a refusing route or policy rule of the host, named by the words of the walk, can do."""
    words = f"Yours to decide: {owner.whose} made this"
    steps = tuple(_deletions(case, text))
    if not steps:
        note = "`ip route show table all` and `ip rule` list them; what sets them at boot has to change too"
        return Remedy(summary=words, risk="manual", note=note)
    return Remedy(summary=words, steps=steps, undo=inverses(steps), risk="ask", note=_AT_BOOT, overrides=owner)


def _deletions(case: HostContext, text: str) -> Iterator[DeletePolicyRule | DeleteRoute]:
    """What deletes the rules or routes that the walk calls so: a policy rule for IPv6 has the words of IPv4's."""
    host = case.view.host
    if host is None:
        return
    for rule in host.policy_rules:
        spec = policy_rule_spec(rule) if text == f"policy rule {rule.priority}: {rule.action}" else None
        if spec is not None:
            yield DeletePolicyRule(rule=spec)
    index = index_of(case.view, host)
    for route in host.routes:
        found = route_spec(host, route) if route.table == MAIN and route_text(index, route) == text else None
        if found is not None:
            yield DeleteRoute(route=found)
