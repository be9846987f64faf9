"""What a step of a guided check leads to in another mode: its rule, or the link it is at.  Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from dnet_tui.diagnostics.guided.step_links import walks
from dnet_tui.diagnostics.walk.packet import RuleRef, Walk
from dnet_tui.inspect.model import LinkRef, Snapshot, Unread
from dnet_tui.tui.app.model.guided import Answered
from dnet_tui.tui.app.present import rules_rows
from dnet_tui.tui.app.present.rules_rows import RulePosition
from dnet_tui.tui.app.present.seen_host import seen_host


class Target(NamedTuple):
    """A row of a mode; of the rules in the namespace whose they are."""

    mode: str
    row: str
    namespace: str = ""


def of_step(answered: Answered, index: int) -> Target | None:
    """Return what decides at a step, where it can be gone to; else the link before it."""
    if not 0 <= index < len(answered.why.steps):
        return None
    step = answered.why.steps[index]
    way = walks(answered.why.trace)[step.leg]
    rule = _rule(way, step.passed, stops=step.outcome != "ok") if way is not None else None
    if rule is not None and (row := rule_row(answered.snapshot, rule)):
        return Target("rules", row, rule.namespace)
    before, after = answered.links.at(index)
    place = before if before is not None else after
    return Target("map", link_row(answered.snapshot, answered.links.links[place])) if place is not None else None


def _rule(way: Walk, passed: int, *, stops: bool) -> RuleRef | None:
    if stops and way.obstacles and way.obstacles[0].by.rule is not None:
        return way.obstacles[0].by.rule
    return way.hops[passed - 1].rule if 0 < passed <= len(way.hops) else None


def rule_row(snapshot: Snapshot, ref: RuleRef) -> str:
    """Return the row id of a rule, or of the chain whose policy it is; empty when it is gone."""
    ns = seen_host(snapshot).namespaces.get(ref.namespace)
    if ns is None or isinstance(ns.firewall, Unread):
        return ""
    for table in ns.firewall.tables:
        if (table.backend, table.family, table.name) != (ref.backend, ref.family, ref.table):
            continue
        for chain in table.chains:
            if chain.name != ref.chain:
                continue
            place = RulePosition(table, chain)
            seen: Counter[str] = Counter()
            for rule in chain.rules:
                seen[rule.text] += 1
                if rule.number == ref.number:
                    return rules_rows.rule_id(place, rule, seen[rule.text])
            return rules_rows.chain_id(place)
    return ""


def link_row(snapshot: Snapshot, ref: LinkRef) -> str:
    """Return the map's row id of a link: of a container's the container."""
    view = seen_host(snapshot)
    for container in view.containers.values():
        if container.netns == ref.namespace and container.joined is None:
            ns = view.namespaces.get(ref.namespace)
            if ns is not None and ns.kind != "host":
                return f"ctr:{container.id}:{ref.ifindex}"
    return f"link:{ref.namespace}:{ref.ifindex}"
