"""What one base chain does to a packet: its rules, jumps, gotos and returns.  Three-valued and pure.

A rule that can't be decided doesn't stop the evaluation.  What it *could* do
is remembered; if every possibility ends the same way the answer is definite
after all, otherwise it is unknown and names the rule.

A chain is evaluated once for each packet it gets, however often it is jumped
to: with rules that leave the packet as it is, that is linear in their number.
Rules that change it each time can ask for more than the budget has; then the
answer is unknown.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

import msgspec

from dnet_tui.diagnostics.walk.match.plain_packet import USUAL_TTL
from dnet_tui.diagnostics.walk.match.remembered import remember
from dnet_tui.diagnostics.walk.match.sets import Assumption, candidates, has_each
from dnet_tui.diagnostics.walk.netfilter.budget import BudgetSpentError
from dnet_tui.diagnostics.walk.netfilter.chain_ends import (
    BREAK,
    ChainEnd,
    HookResult,
    Position,
    Referrer,
    can_reject,
    settled,
)
from dnet_tui.diagnostics.walk.netfilter.conditions import CONDITIONS, Assume, RuleConditions, Ruleset, has_effect
from dnet_tui.diagnostics.walk.netfilter.firewall_index import BaseChain
from dnet_tui.diagnostics.walk.netfilter.fwmark import UNKNOWN, blended, changed, marked, zoned
from dnet_tui.diagnostics.walk.netfilter.handover import proxied, queued
from dnet_tui.diagnostics.walk.netfilter.nat import chosen_nat
from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Packet, RuleRef, Truth
from dnet_tui.inspect.model.firewall import (
    Chain,
    Element,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    Rule,
    SetField,
    SetMark,
    SetZone,
    TransparentProxy,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.match_fields import FieldName

_MAX_DEPTH = 64
_MOST_PATHS = 256
"""So many possible ends are named by every path that leads to them; beyond that by one path each."""

_Action = VerdictMap | Opaque | Nat | SetMark | SetField | Remember | SetZone | TransparentProxy | NoTrack | Note

_RETURN = ChainEnd(kind="return")


class _Outcome(NamedTuple):
    """What a called chain did to a packet."""

    end: ChainEnd | None
    packet: Packet
    possible_ends: tuple[ChainEnd, ...]
    offloaded: tuple[RuleRef, ...]
    path: tuple[str, ...]
    """The chains by which it was reached, itself included; ``first`` is the base chain's rule that led there."""
    first: int


class ChainEvaluation:
    """One packet's way through one base chain.  ``possible_ends`` holds what undecided rules could have done.

    ``skipping`` holds rules, as (chain, number), to leave out: what if they weren't there?
    """

    def __init__(
        self,
        ruleset: Ruleset,
        base: BaseChain,
        packet: Packet,
        skipping: frozenset[tuple[str, int]] = frozenset(),
        assume: Assume = Assume.NOTHING,
    ) -> None:
        self.skipping = skipping
        self.context = ruleset.context
        self.namespace = ruleset.context.namespace
        self.budget = ruleset.budget
        self.index = base.table
        self.asked = RuleConditions(ruleset.context, base.table.sets, ruleset.rules.ipsets, assume, ruleset.asked)
        self.hedges: list[Hedge] = []
        """What decisions rest on that take something for granted."""
        self.table = base.table.table
        self.base = base.chain
        self.refer = Referrer(self.namespace, self.table, self.base)
        self.packet = packet
        self.possible_ends: list[ChainEnd] = []
        self.may_have_passed = False
        """Whether one of them lets the packet pass, or can't be told."""
        self.offloaded: list[RuleRef] = []
        self._outcomes: dict[tuple[str, bool, bool, Packet], _Outcome] = {}
        self._evaluated: set[str] = set()
        self._cuts = 0
        """How often a jump was not followed because of the path that led to it: such an outcome holds only there."""

    def result(self) -> HookResult:
        """Evaluate the base chain and settle definite against possible ends."""
        try:
            end = self._chain(self.base, sure=True, path=(self.base.name,), base_number=0)
        except BudgetSpentError:
            return self._too_much()
        if end is None:
            policy = self.base.policy or "accept"
            end = ChainEnd(kind=policy, ref=self.refer.policy(policy))
        found = settled(end, self.possible_ends, self.packet, self.namespace)
        return msgspec.structs.replace(found, offloaded=tuple(self.offloaded), hedges=tuple(dict.fromkeys(self.hedges)))

    def _too_much(self) -> HookResult:
        """The budget is spent: nobody can tell what the chain does, to the packet's marks either."""
        table = f"{self.table.family} {self.table.name}"
        text = f"{table} {self.base.name}: its jumps nest too deeply to follow"
        by = Decider(kind="rule", text=text, namespace=self.namespace)
        packet = msgspec.structs.replace(self.packet, **UNKNOWN)
        return HookResult(verdict="unknown", by=by, packet=packet)

    def _may(self, *ends: ChainEnd) -> None:
        """Remember possible ends."""
        self.possible_ends += ends
        self.may_have_passed = self.may_have_passed or any(end.kind not in {"drop", "reject"} for end in ends)

    def _is_certain(self, at: Position) -> bool:
        """Whether what a rule does is certain: a packet that one before it may have let pass goes on without it."""
        return at.certain and not self.may_have_passed

    def _chain(self, chain: Chain, *, sure: bool, path: tuple[str, ...], base_number: int) -> ChainEnd | None:
        """Evaluate one chain.  Returns its definite end, or None when it falls through (or isn't certain)."""
        rules = self.index.relevant(chain, self.packet)
        if chain.name in self._evaluated:
            self.budget.spend(len(rules) + 1)
        self._evaluated.add(chain.name)
        for rule in rules:
            if self.skipping and (chain.name, rule.number) in self.skipping:
                continue
            end, certain = self._rule(chain, rule, sure=sure, path=path, base_number=base_number)
            if end is None or end is BREAK:
                continue
            if end.kind != "return":
                if certain and sure:
                    return end
                self._may(end)
            if certain:
                return None
            # Perhaps the rule ended the chain, perhaps not: what follows is only possible.
            sure = sure and end.kind != "return"
        return None

    def _rule(
        self, chain: Chain, rule: Rule, *, sure: bool, path: tuple[str, ...], base_number: int
    ) -> tuple[ChainEnd | None, bool]:
        """One rule: how it ends the chain, and whether it certainly is met."""
        truth: Truth = True
        if self.asked.assume and self.asked.fails(rule, self.packet):
            return None, False  # whatever its other conditions rest on
        for expr in rule.exprs:
            if not isinstance(expr, CONDITIONS) and not (isinstance(expr, Opaque) and expr.role == "match"):
                at = Position(chain, rule, path, base_number or rule.number, sure and truth is True)
                end = self._verdict(expr, at) if isinstance(expr, Verdict) else self._act(expr, at)
                if end is not None:
                    return end, truth is True and not end.unsure
                continue
            found = self.asked.hold(expr, self.packet)
            if found is None and (taken := self.asked.assumed(expr, self.packet)) is not None:
                found = taken.holds
                self._hedge(Position(chain, rule, path, base_number or rule.number, sure), taken)
            if found is False:
                return None, False
            truth = truth if found else None
        return None, False

    def _hedge(self, at: Position, taken: Assumption) -> None:
        if has_effect(at.rule):
            how = "is taken to match" if taken.holds else "is taken not to match"
            if taken.lasts is not None:
                how = "matches" if taken.holds else "doesn't match"
            self._note(at, f"{how}: {taken.words}", lasts=taken.lasts)

    def _note(self, at: Position, words: str, *, lasts: float | None = None) -> None:
        text = f"{self.table.name} {at.chain.name} rule {at.rule.number} {words}"
        self.hedges.append(Hedge(text=text, namespace=self.namespace, rule=self.refer.rule(at), lasts=lasts))

    def _act(self, action: _Action, at: Position) -> ChainEnd | None:  # noqa: C901, PLR0912 - the table of actions
        """Do one action of a rule that is met, or may be; returns how it ends the chain, if it does."""
        match action:
            case VerdictMap():
                return self._verdict_map(action, at)
            case Nat():
                return self._nat(action, at)
            case SetMark():
                self.packet = marked(self.packet, action, certain=self._is_certain(at))
            case SetField():
                if (action.field, action.op, self.packet.ttl) == ("ttl", "add", None):
                    self.packet = msgspec.structs.replace(self.packet, ttl=USUAL_TTL)
                    self._note(at, f"changes a hop limit that is assumed to be {USUAL_TTL}")
                self.packet = changed(self.packet, action, certain=self._is_certain(at))
            case Remember():
                self.packet = remember(self.packet, self.namespace, action, certain=self._is_certain(at))
            case SetZone():
                certain, own = self._is_certain(at), self.table.backend == "nftables"
                self.packet = zoned(self.packet, action, certain=certain, retracks=own)
            case TransparentProxy():
                certain = self._is_certain(at)
                self.packet, end = proxied(action, self.packet, self.refer.rule(at), self.context, certain=certain)
                return end
            case NoTrack():
                self._untrack(at)
            case Opaque():
                self._may(ChainEnd(kind="unknown", ref=self.refer.rule(at)))
                self.packet = msgspec.structs.replace(self.packet, **UNKNOWN)
            case Note():
                if action.offload:
                    self.offloaded.append(self.refer.rule(at))
            case _:
                assert_never(action)
        return None

    def _verdict_map(self, expr: VerdictMap, at: Position) -> ChainEnd | None:
        """A verdict map: do what the packet's element says; of several possible ones, all may be."""
        self.asked.note(*expr.fields)
        found = list(candidates(expr, self.index.sets, self.packet, self.context))
        # Where none has to be the one, the rule may also end here as at a match that fails.
        falls = not self._has_one(expr.fields, found)
        returns, ends, before, after = False, list[ChainEnd](), self.packet, list[Packet]()
        for element, _ in found:
            self.packet = before
            if element is None or element.verdict is None:
                end: ChainEnd | None = ChainEnd(kind="unknown", ref=self.refer.rule(at))
            else:
                end = self._verdict(element.verdict, at)
            after.append(self.packet)
            if end is None:
                falls = True
            elif end.kind == "return":
                returns = True
            else:
                ends.append(end)
        self.packet, alike = blended([*after, before] if falls else after)
        if not alike:
            self._may(ChainEnd(kind="unknown", ref=self.refer.rule(at)))
        if not falls and not returns:
            self._may(*ends[:-1])
            return ends[-1]
        self._may(*ends)
        return ChainEnd(kind="return", unsure=falls or bool(ends)) if returns else None

    def _has_one(self, fields: tuple[FieldName, ...], found: list[tuple[Element | None, bool]]) -> bool:
        """Whether one of the elements that a map may have for the packet certainly is."""
        if found and found[-1][1]:
            return True
        return has_each(fields, (item for item, _ in found if item is not None), self.packet, self.context)

    def _nat(self, action: Nat, at: Position) -> ChainEnd | None:
        """A NAT statement that takes its target from a map: what the packet's element says, or may say."""
        if action.choice is None:
            return ChainEnd(kind="nat", ref=self.refer.rule(at), nat=action)
        found = list(candidates(action.choice, self.index.sets, self.packet, self.context))
        ends: list[ChainEnd] = []
        for element, _ in found:
            nat = chosen_nat(action, element.data) if element is not None else None
            kind = "nat" if nat is not None else "unknown"
            ends.append(ChainEnd(kind=kind, ref=self.refer.rule(at), nat=nat))
        if self._has_one(action.choice.fields, found):
            self._may(*ends[:-1])
            return ends[-1]
        self._may(*ends)
        return None

    def _verdict(self, verdict: Verdict, at: Position) -> ChainEnd | None:
        match verdict.kind:
            case "continue":
                return None
            case "jump":
                return self._call(verdict.chain, at)
            case "goto":
                return self._call(verdict.chain, at) or _RETURN
            case "return":
                return _RETURN
            case "reject" if not can_reject(verdict, self.packet):
                return None
            case "queue":
                return queued(verdict, self.refer.rule(at), self.context)
            case "accept" | "drop" | "reject":
                return ChainEnd(kind=verdict.kind, ref=self.refer.rule(at))
            case _:
                assert_never(verdict.kind)

    def _call(self, name: str, at: Position) -> ChainEnd | None:
        """Go through another chain, or through what is known of it for this very packet."""
        target = self.index.chains.get(name)
        if target is None:
            return ChainEnd(kind="unknown", ref=self.refer.rule(at))
        if len(at.path) > _MAX_DEPTH or name in at.path:
            self._cuts += 1
            return ChainEnd(kind="unknown", ref=self.refer.rule(at))
        path = (*at.path, name)
        key = (name, at.certain, self.may_have_passed, self.packet)
        known = self._outcomes.get(key)
        if known is not None:
            return self._again(known, path, at.first)
        ends, offloaded, cuts = len(self.possible_ends), len(self.offloaded), self._cuts
        end = self._chain(target, sure=at.certain, path=path, base_number=at.first)
        if self._cuts == cuts:
            possible, handed_over = tuple(self.possible_ends[ends:]), tuple(self.offloaded[offloaded:])
            self._outcomes[key] = _Outcome(end, self.packet, possible, handed_over, path, at.first)
        return end

    def _again(self, known: _Outcome, path: tuple[str, ...], first: int) -> ChainEnd | None:
        """A chain's outcome, as reached by another path.

        What it may do is remembered already; that it may by this path too is
        said as long as there are few such paths.
        """

        def here(ref: RuleRef) -> RuleRef:
            return msgspec.structs.replace(ref, base_number=first, path=(*path, *ref.path[len(known.path) :]))

        def moved(end: ChainEnd) -> ChainEnd:
            return end if end.ref is None else msgspec.structs.replace(end, ref=here(end.ref))

        self.packet = known.packet
        if (path, first) == (known.path, known.first):
            return known.end
        if len(self.possible_ends) + len(self.offloaded) < _MOST_PATHS:
            self.possible_ends += map(moved, known.possible_ends)
            self.offloaded += map(here, known.offloaded)
        return None if known.end is None else moved(known.end)

    def _untrack(self, at: Position) -> None:
        if self.packet.ctstate != "INVALID":
            return  # it has a connection already, or is untracked (nft_notrack_eval, notrack_tg)
        if self._is_certain(at) and self.packet.zone is not None:
            self.packet = msgspec.structs.replace(self.packet, ctstate="UNTRACKED")
        else:
            self._may(ChainEnd(kind="unknown", ref=self.refer.rule(at)))
