"""Who decided something: an engine, a manager, the administrator.  Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.rule_writers.registry import manager_of

OwnerKind = Literal["engine", "manager", "administrator", "kernel"]


class DecisionOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Who decided.  ``name`` is in people's words: ``docker network app``, ``kube-router``, ``administrator``."""

    kind: OwnerKind
    name: str

    @property
    def whose(self) -> str:
        """The owner as a sentence has it."""
        return "the administrator" if self.kind == "administrator" else self.name


ADMINISTRATOR = DecisionOwner(kind="administrator", name="administrator")
KERNEL = DecisionOwner(kind="kernel", name="kernel")


def owner_called(text: str) -> DecisionOwner:
    """The owner that ``Rule.owner`` names; what has none was written by a person, or by a script of one."""
    if not text:
        return ADMINISTRATOR
    manager = manager_of(text.partition(" ")[0])
    if manager is None or manager.kind == "dnet-tui":
        return DecisionOwner(kind="engine", name=text)
    return DecisionOwner(kind="manager", name=manager.title + text[len(manager.kind) :])
