"""A rule of another owner's keeps containers from something: whose decision it is, and whom it hits.

What it finds
    A rule that a manager (kube-router, Weave, Calico, ufw, csf, fail2ban …) or
    the administrator made, and that drops or rejects what containers send or
    get: a flow that a network's options ask for, or just what the rule itself
    names (``doctor --policy`` lists every such rule).

Why it matters
    Who made the rule decided it.  It isn't a fault of the network's, and
    nothing that puts the network in order would be right: a NetworkPolicy, a
    quarantined container and a banned address are meant to be what they are.
    Still it is worth knowing who says no.

How we know
    For every rule that drops on the way of containers' traffic a packet is
    made that meets it, and walked: only where the walk ends at that very rule
    is it reported, with its counter.  Its owner is known by its chain, its
    sets, its comment or its interfaces.

Remedy
    None that a program could choose: the owner's own command is named, and
    made only with ``fix policy-drop --override-owner``.

When it is harmless
    It is information.  A warning where the rule names no container and hits
    all of what an engine promised, a whole published port or every way out of
    a network: whether that was meant only its owner knows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.asked_counters import counted
from dnet_tui.diagnostics.checks.decisions.asked_rules import AskedRule, asked_rules
from dnet_tui.diagnostics.checks.decisions.chosen_targets import looks_into_set, named_container
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.checks.subjects.owners_remedy import for_rule, for_twins
from dnet_tui.diagnostics.checks.subjects.promises import nobody_promised
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import is_anothers, owner_of, where_to_change
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, RuleRef
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

ID = "policy-drop"
_SHOWN = 2

_BESIDE_FILTER = frozenset({"raw", "mangle", "security"})
"""Tables of iptables in which no check of the filter table's order has a say."""

_DECIDING = frozenset({"manager", "engine"})

_CONFIGURED = frozenset({"firewalld"})
"""Managers into whose settings engines put their networks themselves: what is missing there has checks of its own."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A manager's rule; the administrator's where it was made for a container, or looks into a list of addresses.

    Of networks that nobody declared also a manager's policy, and what an
    engine wrote: it decides over them, and nobody promised them anything.
    """
    rule = obstacle.by.rule
    if rule is None or not on_host(case, obstacle) or obstacle.stage == "input":
        return False
    owner = owner_of(rule)
    if owner is None:
        return False
    if owner.kind in _DECIDING and rule.owner not in _CONFIGURED and nobody_promised(case, obstacle):
        return True
    if rule.number == 0 or not is_anothers(owner):
        return False
    if named_container(case, obstacle) or looks_into_set(case, rule):
        return True
    if owner.kind == "administrator":
        return rule.table in _BESIDE_FILTER and rule.backend != "nftables"
    return rule.owner not in _CONFIGURED


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule that stops what a network asks for."""
    yield from undecided(ctx, ID)
    for every in _alike(ctx):
        rule = every[0].obstacle.by.rule
        owner = owner_of(rule)
        if rule is not None and owner is not None:
            yield _finding(ctx.case, every, rule, owner)
    if ctx.asks_rules:
        yield from _asked(ctx)


def _alike(ctx: CheckContext) -> Iterator[list[BlockedFlows]]:
    """What rules of one owner stop of the same flows is one decision: a reject per protocol, and the policy behind."""
    found: dict[tuple[object, ...], list[BlockedFlows]] = {}
    for blocked in definite(ctx, ID):
        owner = owner_of(blocked.obstacle.by.rule)
        flows = frozenset(flow.label for flow in blocked.flows)
        found.setdefault((owner, flows, named_container(ctx.case, blocked.obstacle)), []).append(blocked)
    yield from found.values()


def _asked(ctx: CheckContext) -> Iterator[Finding]:
    """The rules that stop nothing which a network asks for in general, but what they name: by owner and chain."""
    stopping = [item for flow in ctx.flows for _, item in (*flow.obstacles, *flow.meant)]
    cited = {_key(rule) for item in stopping if (rule := item.by.rule) is not None}
    groups: defaultdict[tuple[DecisionOwner, str, str, bool], list[AskedRule]] = defaultdict(list)
    for asked in ctx.case.once(asked_rules):
        if asked.effect in {"drop", "reject"} and _key(asked.ref) not in cited:
            groups[asked.owner, *_twin(asked), bool(asked.limit)].append(asked)
    for (owner, _, chain, _), rules in groups.items():
        if any(item.proven for item in rules):
            yield _of_chain(ctx, owner, chain, rules)


def _twin(asked: AskedRule) -> tuple[str, str]:
    """A table and chain, the same for IPv4 and IPv6: managers write each rule for both."""
    family = "ip" if asked.table.family in {"ip", "ip6"} else asked.table.family
    return f"{family} {asked.table.name}", _SIX.sub(r"\1", asked.chain.name)


_SIX = re.compile(r"^(ufw|DOCKER|csf)6(?=-)")
"""How managers name a chain's twin for IPv6."""


def _key(rule: RuleRef) -> tuple[str, str, str, str, int]:
    return rule.backend, rule.family, rule.table, rule.chain, rule.number


def _of_chain(ctx: CheckContext, owner: DecisionOwner, chain: str, rules: list[AskedRule]) -> Finding:
    proven = sorted((item for item in rules if item.proven), key=lambda item: -(item.rule.packets or 0))
    number = "1 dropping rule" if len(rules) == 1 else f"{len(rules)} dropping rules"
    so_far = counted(ctx, rules)
    more = len(rules) - len(proven[:_SHOWN])
    rest = Evidence(
        source="packet walk", what=f"more rules of {chain} that drop", value=str(more), expected="see doctor --policy"
    )
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="rule", name=f"{rules[0].table.name} {chain}"),
        summary=f"{_keeps(ctx.case, owner, proven)}: {number} of {chain}" + (f" ({so_far})" if so_far else ""),
        symptoms=_symptoms(ctx.case, proven),
        evidence=(
            *(item for asked in proven[:_SHOWN] for item in (of_rule(asked.ref), _of_packet(asked), *_of_limit(asked))),
            *((rest,) if more else ()),
        ),
        remedy=for_twins(ctx.case, [item.ref for item in rules], owner)
        if len({item.rule.text for item in rules}) == 1
        else Remedy(
            summary=f"Yours to decide: {owner.whose} made this",
            risk="manual",
            note=where_to_change(proven[0].ref) or "`dnet-tui doctor --policy` lists each rule",
        ),
        owner=owner,
    )


def _symptoms(case: HostContext, proven: list[AskedRule]) -> tuple[str, ...]:
    if all(item.sender == "outside" for item in proven):
        return ("published",)
    own = {item.address for item in case.view.host.addresses} if case.view.host is not None else set()
    to_host = all(item.packet is not None and item.packet.dst in own for item in proven)
    return ("container-to-host",) if to_host else ("egress",)


def _keeps(case: HostContext, owner: DecisionOwner, proven: list[AskedRule]) -> str:
    """Whom the owner keeps from what, as the beginning of a sentence."""
    subject = "The administrator" if owner.kind == "administrator" else owner.name
    own = {item.address for item in case.view.host.addresses} if case.view.host is not None else set()
    names = list(dict.fromkeys(item.sender for item in proven if item.sender != "outside"))
    above = " above a limit" if any(item.limit for item in proven) else ""
    if not names:
        return f"{subject} keeps some of the outside from published ports{above}"
    targets = list(
        dict.fromkeys(
            _target(item.packet, case.outside(item.packet.family), own) for item in proven if item.packet is not None
        )
    )
    more = " and more" if len(targets) > _SHOWN else ""
    return f"{subject} keeps {', '.join(names[:4])} from {', '.join(targets[:_SHOWN])}{more}{above}"


def _target(packet: Packet, outside: str, own: set[str]) -> str:
    """Where a packet would have gone, in words; any address outside where no particular one was asked for."""
    port = f" port {packet.dport}" if packet.dport else ""
    if packet.dst == outside:
        return f"{packet.proto}{port} outside"
    if packet.dst in own:
        return f"{packet.proto}{port} of the host"
    return f"{packet.dst} ({packet.proto}{port})"


def _of_packet(asked: AskedRule) -> Evidence:
    packet = asked.packet.tuple_text() if asked.packet is not None else ""
    return Evidence(source="packet walk", what=f"from {asked.sender}, stopped here", value=packet)


def _of_limit(asked: AskedRule) -> tuple[Evidence, ...]:
    if not asked.limit:
        return ()
    return (Evidence(source="packet walk", what="a rule lets it pass", value=asked.limit, expected="not exceeded"),)


def _finding(case: HostContext, every: list[BlockedFlows], rule: RuleRef, owner: DecisionOwner) -> Finding:
    blocked = every[0]
    rules = [item.obstacle.by.rule for item in every if item.obstacle.by.rule is not None]
    name = named_container(case, blocked.obstacle)
    flow = blocked.flows[0]
    way = "" if flow in blocked.there else "the answer of "
    more = f" (and {len(blocked.flows) - 1} more)" if len(blocked.flows) > 1 else ""
    return Finding(
        check=ID,
        severity=_severity(case, blocked, rule, name),
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number or 'policy'}"),
        summary=f"{way}{flow.label}{more} is denied by {policy_words(owner, rule, name)}",
        symptoms=blocked.symptoms,
        evidence=(*(of_rule(item) for item in rules), of_flows(blocked)),
        remedy=for_rule(case, rule, owner),
        owner=owner,
    )


def policy_words(owner: DecisionOwner, rule: RuleRef, container: str) -> str:
    """Whose policy it is, by its chain: ``kube-router's policy KUBE-POD-FW-X (chain of pod other)``."""
    whose = "the administrator's" if owner.kind == "administrator" else f"{owner.name}'s"
    if rule.number == 0:
        return f"{whose} policy of {rule.table} {rule.chain}"
    if owner.kind == "administrator":
        made_for = f", made for {container}" if container else ""
        return f"{whose} rule {rule.number} of {rule.chain}{made_for}"
    what = "pod" if "POD" in rule.chain or rule.owner == "calico" else "container"
    return f"{whose} policy {rule.chain}" + (f" (chain of {what} {container})" if container else "")


def _severity(case: HostContext, blocked: BlockedFlows, rule: RuleRef, name: str) -> Severity:
    """A warning where a rule that was made for nobody in particular hits what an engine promised."""
    promised = any(flow.is_promised for flow in blocked.flows)
    return "warning" if promised and not name and not looks_into_set(case, rule) else "info"


CHECK = Check(
    id=ID,
    title="No other owner's rule denies what containers ask for",
    severity="info",
    doc=__doc__,
    find=find,
    owns=owns,
)
