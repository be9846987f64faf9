"""Whether a rule's conditions hold for a packet, and what that takes for granted.  Three-valued and pure.

What can't be decided from the packet and the snapshot is None, as always.
Only where a hook's verdict would be unknown is it asked again what a plain
first packet meets: what is taken for granted then is remembered as a hedge.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.match.numgen import drawn, share
from dnet_tui.diagnostics.walk.match.plain_packet import assumed
from dnet_tui.diagnostics.walk.match.sets import Assumption, assumed_lookup, in_ipset, looked_up
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Lookup,
    Match,
    NamedSet,
    Note,
    Opaque,
    Rule,
    SetLookup,
    StatefulMatch,
)

CONDITIONS = Match | SetLookup | Lookup | StatefulMatch
"""What decides whether a rule goes on; of an :class:`Opaque` its role tells."""


OF_STATE = frozenset({"ctstate", "ctstatus", "recent", "socket", "skuid", "skgid", "cgroup", "made-here"})
"""Fields by which rules tell a connection's first packet from a later one in the same direction."""
OF_SHAPE = frozenset({"tcp-flags", "tcp-option", "length", "mss", "u32"})
"""Fields by which they tell a packet that opens a connection from one that has data, or none."""
TELLING = OF_STATE | OF_SHAPE


class Assume(IntEnum):
    """What may be taken for granted: nothing, that a packet is a plain first one, or besides that the odds hold."""

    NOTHING = 0
    PLAIN = 1
    ODDS = 2


class Ruleset(NamedTuple):
    """A namespace's rules, with what evaluating them takes; ``asked`` collects the fields of ``TELLING`` asked for."""

    rules: FirewallIndex
    context: MatchContext
    budget: Budget
    asked: set[str]


class RuleConditions(NamedTuple):
    """What conditions are asked of, beside the packet."""

    context: MatchContext
    sets: Mapping[str, NamedSet]
    ipsets: Mapping[str, NamedSet]
    assume: Assume
    asked: set[str]

    def note(self, *fields: str) -> None:
        """Remember what is asked of the packet that may be otherwise for a later one of its connection."""
        self.asked.update(TELLING.intersection(fields))

    def hold(self, expr: AnyExpr, packet: Packet) -> Truth:
        """Whether one condition certainly holds; an expression that acts is no condition, and holds."""
        match expr:
            case Match():
                if expr.field in TELLING:
                    self.asked.add(expr.field)
                return matches(expr, packet, self.context)
            case Lookup():
                self.note(*expr.fields)
                return looked_up(expr, self.sets, packet, self.context)
            case SetLookup():
                return in_ipset(expr, self.ipsets, packet, self.context)
            case Opaque(role="match"):
                return self._lacks(expr, packet)
            case StatefulMatch():
                if self._lacks(expr, packet) is False:
                    return False
                # That for which no packet or every one is meant needs no assumption.
                return expr.first if expr.is_certain else None
            case _:
                return True

    def _lacks(self, expr: Opaque | StatefulMatch, packet: Packet) -> Truth:
        """False where the packet lacks what the condition needs, otherwise undecided."""
        return False if any(matches(need, packet, self.context) is False for need in expr.needs) else None

    def assumed(self, expr: AnyExpr, packet: Packet) -> Assumption | None:
        """Whether an undecided condition holds for a plain first packet, and what that rests on."""
        if self.assume is Assume.NOTHING:
            return None
        match expr:
            case Match() if drawn(expr.field) is not None:
                return Assumption(*self._by_lot(expr)) if self.assume is Assume.ODDS else None
            case Match():
                taken = assumed(expr, packet, self.context)
                return None if taken is None else Assumption(*taken)
            case Lookup():
                return assumed_lookup(expr, self.sets, packet, self.context)
            case SetLookup():
                return assumed_lookup(expr, self.ipsets, packet, self.context)
            case StatefulMatch() if expr.answer is not None and (packet.inherited or packet.later):
                return None  # it has counted more than a first packet and its answer
            case StatefulMatch() if not expr.chance or self.assume is Assume.ODDS:
                holds = expr.answer if packet.reply and expr.answer is not None else expr.first
                return Assumption(holds, f"it matches {expr.words}")
            case _:
                return None

    def _by_lot(self, expr: Match) -> tuple[bool, str]:
        """What is likelier of a number that nftables draws."""
        part = share(expr.field, expr.values)
        part = 1 - part if expr.negate else part
        return part >= 0.5, f"it matches for {100 * part:.3g} % of the packets, by chance"

    def fails(self, rule: Rule, packet: Packet) -> bool:
        """Whether one of a rule's conditions, before it does anything, certainly doesn't hold."""
        for expr in rule.exprs:
            if not isinstance(expr, CONDITIONS | Opaque | Note) or (isinstance(expr, Opaque) and expr.role != "match"):
                return False
            if self.hold(expr, packet) is False:
                return True
        return False


def has_effect(rule: Rule) -> bool:
    """Whether a rule does anything that matters to a packet's way."""
    return any(not isinstance(expr, CONDITIONS | Note) for expr in rule.exprs)
