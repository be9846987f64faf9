"""Policy rules of routing (``ip rule``).  Pure."""

from __future__ import annotations

from functools import partial

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation, UnknownEffectError, on_host
from dnet_tui.inspect.model import Family, Namespace, PolicyRule, Snapshot
from dnet_tui.inspect.model.default_routes import DEFAULT, LOCAL, MAIN

_TABLES = {"main": MAIN, "local": LOCAL, "default": DEFAULT}
"""Tables that have a name on every host (/etc/iproute2/rt_tables)."""


class PolicyRuleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A policy rule as ip-rule(8) takes it: ``table`` by name or number, ``mark`` as ``0x1/0xff``.

    ``action`` is what it does instead of looking up a table: ``blackhole``, ``prohibit``, ``unreachable``.
    """

    family: Family = "ip"
    priority: int
    table: str = ""
    action: str = ""
    source: str = ""
    to: str = ""
    iif: str = ""
    oif: str = ""
    mark: str = ""

    def command(self, verb: str) -> Argv:
        """``ip rule VERB`` with it."""
        words = ["-6"] if self.family == "ip6" else []
        words += ["rule", verb]
        words += ["from", self.source] if self.source else []
        words += ["to", self.to] if self.to else []
        words += ["iif", self.iif] if self.iif else []
        words += ["oif", self.oif] if self.oif else []
        words += ["fwmark", self.mark] if self.mark else []
        words += [self.action] if self.action else ["lookup", self.table]
        return ("ip", *words, "pref", str(self.priority))

    @property
    def text(self) -> str:
        """The rule in a few words."""
        chosen = ((" from ", self.source), (" to ", self.to), (" by ", self.iif), (" out of ", self.oif))
        what = "".join(word + value for word, value in (*chosen, (" with mark ", self.mark)) if value)
        packets = f"packets{what}" if what else "all packets"
        return f"policy rule {self.priority}: {packets} " + (self.action or f"look up table {self.table}")

    def rule(self) -> PolicyRule:
        """The rule as a namespace would have it.

        Raises:
            UnknownEffectError: What it selects by, or its table's name, isn't modelled here.
        """
        table = _TABLES.get(self.table)
        if (table is None and not self.action) or self.mark:
            msg = f"what this would change can't be said beforehand: {self.text}"
            raise UnknownEffectError(msg)
        return PolicyRule(
            family=self.family,
            priority=self.priority,
            action=self.action or "lookup",
            table=table,
            src=self.source or None,
            dst=self.to or None,
            iif=self.iif or None,
            oif=self.oif or None,
        )


class AddPolicyRule(ProgramOperation, frozen=True, kw_only=True, tag="add-policy-rule"):
    """Adds a policy rule on the host."""

    rule: PolicyRuleSpec

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"add {self.rule.text}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.rule.command("add"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return on_host(snapshot, partial(_added, rule=self.rule.rule()))

    def inverse(self) -> DeletePolicyRule:
        """See :class:`Operation`."""
        return DeletePolicyRule(rule=self.rule)


class DeletePolicyRule(ProgramOperation, frozen=True, kw_only=True, tag="delete-policy-rule"):
    """Deletes a policy rule on the host."""

    rule: PolicyRuleSpec

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete {self.rule.text}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.rule.command("del"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return on_host(snapshot, partial(_deleted, rule=self.rule.rule()))

    def inverse(self) -> AddPolicyRule:
        """See :class:`Operation`."""
        return AddPolicyRule(rule=self.rule)


def _added(ns: Namespace, rule: PolicyRule) -> Namespace:
    return msgspec.structs.replace(ns, policy_rules=(*ns.policy_rules, rule))


def _deleted(ns: Namespace, rule: PolicyRule) -> Namespace:
    gone = next((item for item in ns.policy_rules if _selectors(item) == _selectors(rule)), None)
    if gone is None:
        msg = f"there is no policy rule {rule.priority} like it"
        raise UnknownEffectError(msg)
    return msgspec.structs.replace(ns, policy_rules=tuple(item for item in ns.policy_rules if item is not gone))


def _selectors(rule: PolicyRule) -> PolicyRule:
    """The rule without the table of an action that looks up none: the kernel tells one or doesn't."""
    return rule if rule.action == "lookup" else msgspec.structs.replace(rule, table=None)


def policy_rule_spec(rule: PolicyRule) -> PolicyRuleSpec | None:
    """A refusing policy rule as ``ip rule`` takes it; None where not all of it is known."""
    told = PolicyRuleSpec(
        family=rule.family,
        priority=rule.priority,
        action=rule.action,
        source=rule.src or "",
        to=rule.dst or "",
        iif=rule.iif or "",
        oif=rule.oif or "",
    )
    return told if rule.action != "lookup" and _selectors(rule) == _selectors(told.rule()) else None
