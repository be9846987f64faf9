"""Counters as rates: what two snapshots of one host say per second.  Pure.

A rate is only told where both counters were really read for their snapshot
and the later one isn't smaller: a counter that began anew (a restarted
container, a flushed chain) has no rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import msgspec

from dnet_tui.inspect.model import Link, LinkRef, Namespace, Snapshot, Unread, known_items
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.model.view import View

SHORTEST = 0.2
"""Seconds that must lie between two snapshots; less says nothing."""


class LinkRate(msgspec.Struct, frozen=True, kw_only=True):
    """A link's traffic per second."""

    rx_packets: float
    rx_bytes: float
    tx_packets: float
    tx_bytes: float
    seconds: float
    """How long it was counted."""


class RuleRate(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's (or a policy's) matches per second."""

    packets: float
    bytes: float
    seconds: float
    """How long it was counted."""


class Rates:
    """The rates between two snapshots that were taken ``seconds`` apart; each is worked out when it is asked for."""

    def __init__(self, before: Snapshot, after: Snapshot, seconds: float) -> None:
        self.seconds = seconds
        self._before = before
        self._after = after

    @cached_property
    def _old(self) -> View:
        return View(self._before)

    @cached_property
    def _new(self) -> View:
        return View(self._after)

    def link(self, ref: LinkRef) -> LinkRate | None:
        """A link's rates; None when they can't be told."""
        spaces = self._spaces(ref.namespace)
        seconds = self._since(spaces[0].read_at, spaces[1].read_at) if spaces is not None else None
        if seconds is None:
            return None
        was, now = self._old.links.get(ref), self._new.links.get(ref)
        if was is None or now is None or not _is_same(was, now):
            return None
        counted = [
            (getattr(now.stats, name) - getattr(was.stats, name)) / seconds
            for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")
        ]
        if min(counted) < 0:
            return None
        return LinkRate(
            rx_packets=counted[0], rx_bytes=counted[1], tx_packets=counted[2], tx_bytes=counted[3], seconds=seconds
        )

    def rule(self, namespace: str, table: Table, chain: Chain, rule: Rule) -> RuleRate | None:
        """The rate of a rule of the later snapshot; None when it can't be told."""
        before = self._chain(namespace, table, chain)
        was = _find(before[0], chain, rule) if before is not None else None
        return _rule_rate(was, rule, before[1]) if before is not None and was is not None else None

    def policy(self, namespace: str, table: Table, chain: Chain) -> RuleRate | None:
        """The rate of a base chain's policy; None when it can't be told."""
        before = self._chain(namespace, table, chain)
        return _rule_rate(before[0], chain, before[1]) if before is not None else None

    def _spaces(self, namespace: str) -> tuple[Namespace, Namespace] | None:
        was, now = self._old.namespaces.get(namespace), self._new.namespaces.get(namespace)
        return (was, now) if was is not None and now is not None else None

    def _since(self, before: str, after: str) -> float | None:
        """The seconds between two readings, each by its ``…_at``; None when there is nothing newer, or too soon."""
        if after:  # taken over: its counters are the earlier ones
            return None
        seconds = self.seconds if not before else _between(before, self._after.taken_at)
        return seconds if seconds >= SHORTEST else None

    def _chain(self, namespace: str, table: Table, chain: Chain) -> tuple[Chain, float] | None:
        """The same chain as it was before, and how many seconds ago that was."""
        spaces = self._spaces(namespace)
        if spaces is None:
            return None
        was, now = spaces
        seconds = self._since(was.firewall_at or was.read_at, now.firewall_at or now.read_at)
        wanted = (table.backend, table.family, table.name)
        tables = () if isinstance(was.firewall, Unread) else was.firewall.tables
        found = next((item for item in tables if (item.backend, item.family, item.name) == wanted), None)
        same = next((item for item in found.chains if item.name == chain.name), None) if found is not None else None
        return (same, seconds) if same is not None and seconds is not None else None


def counted(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return of an earlier snapshot only what rates are made of: a whole one beside the newer would hold twice as much.

    Rules are told apart by their texts, which are those of ``after`` where it has the same ones.
    """
    spaces = View(after).namespaces
    kept = tuple(_counted_space(was, spaces.get(was.id)) for was in known_items(before.namespaces))
    return Snapshot(host=before.host, taken_at=before.taken_at, namespaces=kept)


def _counted_space(was: Namespace, now: Namespace | None) -> Namespace:
    firewall = was.firewall
    if now is not None and isinstance(firewall, Firewall) and firewall is not now.firewall:
        texts = {rule.text: rule.text for rule in now.firewall.rules} if isinstance(now.firewall, Firewall) else {}
        tables = tuple(_counted_table(table, texts) for table in firewall.tables)
        firewall = Firewall(tables=tables)
    return Namespace(
        id=was.id,
        inode=was.inode,
        kind=was.kind,
        links=was.links,
        firewall=firewall,
        read_at=was.read_at,
        firewall_at=was.firewall_at,
    )


def _counted_table(table: Table, texts: Mapping[str, str]) -> Table:
    replace = msgspec.structs.replace
    chains = tuple(
        replace(
            chain,
            rules=tuple(
                replace(rule, text=texts.get(rule.text, rule.text), exprs=(), comment="") for rule in chain.rules
            ),
        )
        for chain in table.chains
    )
    return replace(table, chains=chains, sets=())


_ROUND = 5.0
"""Seconds from which a time without fractions is exact enough to divide by."""


def _between(earlier: str, later: str) -> float:
    """The seconds between two times of a snapshot, which have no fractions; 0 when they can't be told."""
    try:
        seconds = (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return seconds if seconds >= _ROUND else 0.0


def _rule_rate(was: Rule | Chain, now: Rule | Chain, seconds: float) -> RuleRate | None:
    if was.packets is None or now.packets is None:
        return None
    packets, size = now.packets - was.packets, (now.bytes or 0) - (was.bytes or 0)
    if packets < 0 or size < 0:
        return None
    return RuleRate(packets=packets / seconds, bytes=size / seconds, seconds=seconds)


def link_traffic(before: Snapshot, after: Snapshot, seconds: float) -> dict[LinkRef, float]:
    """Bytes a second, both ways, of the host's links whose rate can be told."""
    rates = Rates(before, after, seconds)
    host = View(after).host
    refs = [LinkRef(namespace=host.id, ifindex=link.ifindex) for link in known_items(host.links)] if host else []
    found = {ref: rates.link(ref) for ref in refs}
    return {ref: rate.rx_bytes + rate.tx_bytes for ref, rate in found.items() if rate is not None}


def _is_same(was: Link, now: Link) -> bool:
    """Whether two links with one id are the same device: an ifindex is used again, rarely."""
    return was.name == now.name and was.kind == now.kind


def _find(before: Chain, chain: Chain, rule: Rule) -> Rule | None:
    """The rule as it was: the one with its handle and text, else its text's same occurrence in the chain."""
    if rule.handle is not None:
        return next((item for item in before.rules if item.handle == rule.handle and item.text == rule.text), None)
    same = [item.number for item in chain.rules if item.text == rule.text]
    was = [item for item in before.rules if item.text == rule.text]
    return was[same.index(rule.number)] if len(was) == len(same) else None


def spoken(value: float, unit: str = "") -> str:
    """A rate in a few characters: ``0/s``, ``0.5/s``, ``12/s``, ``3.4k/s``; with the unit ``B``: ``3.4 kB/s``."""
    prefix = ""
    for larger in ("k", "M", "G", "T"):
        if value < 1000:
            break
        value, prefix = value / 1000, larger
    figure = f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"
    return f"{figure}{' ' if unit else ''}{prefix}{unit}/s"
