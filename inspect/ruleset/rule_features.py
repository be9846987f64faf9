"""What of a rule tells whose it is: the interfaces, addresses and ports it asks for, and where it leads.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.model.firewall import Lookup, Match, Nat, Rule, SetLookup, Verdict
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range


class Clues:
    """A rule, looked at for its owner.  Made for each of tens of thousands of rules, so it does little in advance."""

    __slots__ = ("ends", "leads_to", "matches", "nat", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.matches: list[Match] = []
        self.nat: Nat | None = None
        self.ends = ""
        self.leads_to = ""
        for expr in rule.exprs:
            if type(expr) is Match:
                if expr.field != "nfproto":
                    self.matches.append(expr)
            elif type(expr) is Verdict:
                self.ends, self.leads_to = expr.kind, expr.chain
            elif type(expr) is Nat:
                self.nat = expr

    def sets(self) -> list[str]:
        """The sets that it looks into, by name."""
        named = [expr.name for expr in self.rule.exprs if type(expr) is SetLookup]
        return named + [expr.set for expr in self.rule.exprs if type(expr) is Lookup and expr.set]

    def values(self, *fields: str) -> list[str]:
        """All values asked for in these fields, negated or not, in their order."""
        return [value for match in self.matches if match.field in fields for value in match.values]

    def asks(self, *wanted: Match) -> bool:
        """Whether these are just what the rule asks for, in any order; of several values the order doesn't matter."""
        return len(self.matches) == len(wanted) and {_key(match) for match in self.matches} == {
            _key(match) for match in wanted
        }

    def destination(self) -> str:
        """The address that the rule sends packets to; empty when it doesn't, or to several."""
        return self.nat.addresses if self.nat is not None and self.nat.kind == "dnat" else ""

    def hosts(self) -> list[str]:
        """The single addresses the rule is about."""
        found = [self.destination()] if self.destination() else []
        for value in self.values("daddr", "saddr"):
            address, slash, length = value.partition("/")
            if not slash or length in {"32", "128"}:
                found.append(address)
        return found

    def protocol(self) -> str:
        """The one protocol the rule asks for."""
        found = self.values("proto")
        return found[0] if len(found) == 1 else ""

    def has_port(self, port: int) -> bool:
        """Whether a destination port is among those the rule asks for."""
        return any((span := parse_range(value, PORTS)) is not None and port in span for value in self.values("dport"))


def _key(match: Match) -> tuple[str, frozenset[str], bool]:
    return match.field, frozenset(match.values), match.negate
