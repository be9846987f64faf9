"""The types of ``rules --format json``; ``docs/rules.schema.json`` is generated from them.  They only grow."""

from __future__ import annotations

from typing import TypedDict


class RuleData(TypedDict):
    """One rule as its backend writes it, without the chain's name; ``meaning`` is the same in plain English."""

    number: int
    handle: int | None
    text: str
    comment: str
    packets: int | None
    bytes: int | None
    meaning: str


class ChainData(TypedDict):
    """A chain; ``hook`` and ``priority`` are null where no hook calls it, counters where there are none."""

    name: str
    hook: str | None
    priority: int | None
    type: str
    policy: str
    packets: int | None
    bytes: int | None
    meaning: str
    rules: list[RuleData]


class TableData(TypedDict):
    """A table of one namespace, its chains in the order that packets meet them."""

    namespace: str
    label: str
    backend: str
    family: str
    name: str
    chains: list[ChainData]


class UnreadTableData(TypedDict):
    """A table that is there and was not read, with the reason."""

    namespace: str
    backend: str
    family: str
    name: str
    reason: str


class RulesGapData(TypedDict):
    """Something of the firewall that could not be read."""

    section: str
    scope: str
    reason: str
    hint: str


class RulesData(TypedDict):
    """The firewall as selected, format 1."""

    format: int
    tables: list[TableData]
    unread: list[UnreadTableData]
    gaps: list[RulesGapData]
