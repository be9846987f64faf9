"""Whose decision a rule is, and remedies that would change one.  Pure.

A repair may put back what an engine had written, and set what nobody else
manages.  What changes another's decision is that one's to do: such a remedy
says whose it is, and is applied only when it is asked for by that name
(``fix ID --override-owner``).
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR, DecisionOwner, owner_called
from dnet_tui.inspect.model.rule_writers.registry import manager_of


def owner_of(rule: RuleRef | None) -> DecisionOwner | None:
    """Who made a rule; None of a policy of iptables' own chains that no manager keeps: who set it leaves no trace."""
    if rule is None:
        return None
    if rule.number == 0 and not rule.owner:
        return ADMINISTRATOR if rule.backend == "nftables" else None
    return owner_called(rule.owner)


def is_anothers(owner: DecisionOwner | None) -> bool:
    """Whether a decision is a manager's or the administrator's, so that no repair may change it unasked."""
    return owner is not None and owner.kind in {"manager", "administrator"}


def overriding(remedy: Remedy | None, owner: DecisionOwner | None) -> Remedy | None:
    """The remedy marked as one that changes the owner's decision; as it is where nobody else's is changed."""
    if remedy is None or owner is None or not is_anothers(owner):
        return remedy
    return msgspec.structs.replace(remedy, overrides=owner)


def where_to_change(rule: RuleRef) -> str:
    """Where a manager's decisions are looked at and changed, as a sentence; empty where that isn't known."""
    manager = manager_of(rule.owner.partition(" ")[0])
    if manager is None:
        return ""
    parts = [f"`{' '.join(manager.change)}`"] if manager.change else []
    parts += [", ".join(manager.files)] if manager.files else []
    return f"{manager.title} keeps its decisions: {', '.join(parts)}" if parts else ""
