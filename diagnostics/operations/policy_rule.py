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
    """A policy rule as ip-rule(8) takes it: ``table`` by name or number, ``mark`` as ``0x1/0xff``."""

    family: Family = "ip"
    priority: int
    table: str
    to: str = ""
    mark: str = ""

    def command(self, verb: str) -> Argv:
        """``ip rule VERB`` with it."""
        words = ["-6"] if self.family == "ip6" else []
        words += ["rule", verb]
        words += ["fwmark", self.mark] if self.mark else []
        words += ["to", self.to] if self.to else []
        return ("ip", *words, "lookup", self.table, "pref", str(self.priority))

    @property
    def text(self) -> str:
        """The rule in a few words."""
        what = f"packets to {self.to}" if self.to else f"packets with mark {self.mark}" if self.mark else "all packets"
        return f"policy rule {self.priority}: {what} look up table {self.table}"

    def rule(self) -> PolicyRule:
        """The rule as a namespace would have it.

        Raises:
            UnknownEffectError: What it selects by, or its table's name, isn't modelled here.
        """
        table = _TABLES.get(self.table)
        if table is None or self.mark:
            msg = f"what this would change can't be said beforehand: {self.text}"
            raise UnknownEffectError(msg)
        return PolicyRule(family=self.family, priority=self.priority, table=table, dst=self.to or None)


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
    if rule not in ns.policy_rules:
        msg = f"there is no policy rule {rule.priority} like it"
        raise UnknownEffectError(msg)
    return msgspec.structs.replace(ns, policy_rules=tuple(item for item in ns.policy_rules if item != rule))
