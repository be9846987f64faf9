"""One rule, put in or taken out: the pair of operations that remedies are made of.  Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model.firewall import Backend


class TableRef(NamedTuple):
    """A table of one backend and family."""

    backend: Backend
    family: Literal["ip", "ip6"]
    table: str


def table_of(rule: RuleRef) -> TableRef | None:
    """Where a rule stands; None for native nftables, whose rules aren't written in iptables' words."""
    if rule.backend == "nftables" or rule.family not in {"ip", "ip6"}:
        return None
    backend: Backend = "iptables-legacy" if rule.backend == "iptables-legacy" else "iptables-nft"
    return TableRef(backend=backend, family="ip6" if rule.family == "ip6" else "ip", table=rule.table)


class RuleEdit(NamedTuple):
    """A rule's text in a chain, with the counters to keep."""

    place: TableRef
    chain: str
    spec: str
    packets: int = 0
    bytes: int = 0

    def insert(self, position: int | None) -> InsertRule:
        """Put it in as number ``position``; None appends."""
        return InsertRule(
            backend=self.place.backend,
            family=self.place.family,
            table=self.place.table,
            chain=self.chain,
            spec=self.spec,
            position=position,
            packets=self.packets,
            bytes=self.bytes,
        )

    def delete(self, position: int) -> DeleteRule:
        """Take it out; it stands (or will stand) at ``position``."""
        return DeleteRule(
            backend=self.place.backend,
            family=self.place.family,
            table=self.place.table,
            chain=self.chain,
            spec=self.spec,
            position=position,
            packets=self.packets,
            bytes=self.bytes,
        )


def removal(rule: RuleRef, summary: str, note: str) -> Remedy | None:
    """The remedy that deletes one rule, and puts it back where it stood, counters and all; None for native nftables."""
    place = table_of(rule)
    if place is None:
        return None
    change = RuleEdit(place, rule.chain, rule.text, rule.packets or 0, rule.bytes or 0)
    return Remedy(
        summary=summary,
        steps=(change.delete(rule.number),),
        undo=(change.insert(rule.number),),
        risk="ask",
        note=note,
    )
