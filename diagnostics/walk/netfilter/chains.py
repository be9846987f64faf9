"""What one base chain does to a packet: its rules, jumps, gotos and returns.  Three-valued and pure.

A rule that can't be decided doesn't stop the evaluation.  What it *could* do
is remembered; if every possibility ends the same way the answer is definite
after all, otherwise it is unknown and names the rule.  This is linear in the
number of rules however many are undecided.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.match.expressions import AddressType, matches
from dnet_tui.diagnostics.walk.match.sets import candidates, has_each, in_ipset, looked_up
from dnet_tui.diagnostics.walk.netfilter.chain_index import relevant
from dnet_tui.diagnostics.walk.netfilter.fwmark import blended, marked
from dnet_tui.diagnostics.walk.netfilter.nat import chosen_nat
from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Truth
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Element,
    Firewall,
    Lookup,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Rule,
    SetLookup,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
)

Outcome = Literal["accept", "drop", "reject", "unknown"]
_MAX_DEPTH = 64


class HookResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a hook did: its verdict, what decided it, the packet after it and the NAT it chose.

    ``passed`` names the rule by which each base chain accepted, where one did
    (rather than its policy).
    """

    verdict: Outcome
    by: Decider | None = None
    packet: Packet
    nat: Nat | None = None
    nat_rule: RuleRef | None = None
    nat_unknown: RuleRef | None = None
    passed: tuple[RuleRef, ...] = ()
    reroutes: bool = False
    """Whether a chain was asked after which the kernel looks up the route anew when the mark has changed."""
    more: tuple[tuple[Outcome, Decider], ...] = ()
    """What else of the hook would drop or reject a packet that this result stops."""
    choices: tuple[tuple[Nat | None, RuleRef | None], ...] = ()
    """Where NAT can't be decided: all that it may be (None: nothing), if that is known."""
    offloaded: tuple[RuleRef, ...] = ()
    """The rules met that hand the flow to a flow table."""


_PASSING = {"accept": True, "nat": True, "drop": False, "reject": False}
"""Whether an end lets the packet pass; an end that isn't here is undecided."""


class _End(msgspec.Struct, frozen=True, kw_only=True):
    """How a chain ended: ``kind`` of verdict, the rule, and its NAT statement."""

    kind: str
    ref: RuleRef | None = None
    nat: Nat | None = None
    unsure: bool = False
    """Only possible, though its rule is certainly met: an element of a map that can't be decided."""


class _At(NamedTuple):
    """Where the traversal stands: the rule, the chains that led to it, and whether it is certainly reached."""

    chain: Chain
    rule: Rule
    path: tuple[str, ...]
    first: int
    certain: bool


class Traversal:
    """One traversal of one base chain.  ``maybes`` holds what undecided rules could have done.

    ``skipping`` holds rules, as (chain, number), to leave out: what if they weren't there?
    """

    def __init__(
        self,
        firewall: Firewall,
        table: Table,
        base: Chain,
        namespace: str,
        packet: Packet,
        address_type: AddressType,
        skipping: frozenset[tuple[str, int]] = frozenset(),
    ) -> None:
        self.skipping = skipping
        self.ipsets = {item.name: item for item in firewall.ipsets}
        self.sets = {item.name: item for item in table.sets}
        self.table = table
        self.base = base
        self.namespace = namespace
        self.packet = packet
        self.address_type = address_type
        self.chains = {chain.name: chain for chain in table.chains}
        self.maybes: list[_End] = []
        self.offloaded: list[RuleRef] = []

    def result(self) -> HookResult:
        """Traverse the base chain and settle definite against possible outcomes."""
        end = self._traverse(self.base, sure=True, path=(self.base.name,), base_number=0)
        if end is None:
            policy = self.base.policy or "accept"
            end = _End(kind=policy, ref=self._policy_ref(policy))
        passes = _PASSING.get(end.kind)
        differing = next((maybe for maybe in self.maybes if _PASSING.get(maybe.kind) != passes), None)
        by = _decider(end.ref if differing is None else differing.ref, self.namespace)
        # Where it is undecided what ends it, the certain stop after the possible ends is one more possibility.
        refs = (*(maybe.ref for maybe in self.maybes), None if passes else end.ref)
        others = dict.fromkeys(ref for ref in refs if ref is not None and ref != by.rule)
        by = msgspec.structs.replace(by, instead=tuple(others))
        verdict: Outcome = "unknown"
        if differing is None and passes is not None:
            verdict = "accept" if passes else "drop" if end.kind == "drop" else "reject"
        return HookResult(
            verdict=verdict,
            by=by,
            packet=self.packet,
            nat=end.nat,
            nat_rule=end.ref if end.nat and not by.instead else None,
            nat_unknown=next((maybe.ref for maybe in self.maybes if maybe.nat != end.nat), None),
            choices=self._choices(end) if verdict == "accept" else (),
            offloaded=tuple(self.offloaded),
        )

    def _choices(self, end: _End) -> tuple[tuple[Nat | None, RuleRef | None], ...]:
        """All that NAT may be, when it is undecided: by what may be met, and by what is met otherwise."""
        found: dict[Nat | None, RuleRef | None] = {}
        for possible in (*self.maybes, end):
            found.setdefault(possible.nat, possible.ref if possible.nat is not None else None)
        return tuple(found.items()) if len(found) > 1 else ()

    def _traverse(self, chain: Chain, *, sure: bool, path: tuple[str, ...], base_number: int) -> _End | None:
        """Walk one chain.  Returns its definite end, or None when it falls through (or isn't certain)."""
        for rule in relevant(chain, self.packet):
            if (chain.name, rule.number) in self.skipping:
                continue
            at = _At(chain=chain, rule=rule, path=path, first=base_number or rule.number, certain=sure)
            end, certain = self._apply(at)
            if end is None:
                continue
            if end.kind != "return" and certain and sure:
                return end
            if end.kind != "return":
                self.maybes.append(end)
            if certain:
                return None
            # Perhaps the rule ended the chain, perhaps not: what follows is only possible.
            sure = sure and end.kind != "return"
        return None

    def _apply(self, at: _At) -> tuple[_End | None, bool]:
        """One rule, expression by expression: how it ends the chain, and whether it certainly is met."""
        truth: Truth = True
        for expr in at.rule.exprs:
            if isinstance(expr, Match | SetLookup | Lookup) or (isinstance(expr, Opaque) and expr.role == "match"):
                found = self._test(expr)
                if found is False:
                    return None, False
                truth = truth if found else None
                continue
            here = at._replace(certain=at.certain and truth is True)
            end = self._map(expr, here) if isinstance(expr, VerdictMap) else self._act(expr, here)
            if end is not None:
                return end, truth is True and not (isinstance(expr, VerdictMap) and end.unsure)
        return None, False

    def _test(self, expr: Match | SetLookup | Lookup | Opaque) -> Truth:
        if isinstance(expr, Match):
            return matches(expr, self.packet, self.address_type)
        if isinstance(expr, Opaque):
            needs = (matches(need, self.packet, self.address_type) for need in expr.needs)
            return False if False in needs else None
        if isinstance(expr, Lookup):
            return looked_up(expr, self.sets, self.packet, self.address_type)
        return in_ipset(expr, self.ipsets, self.packet, self.address_type)

    def _map(self, expr: VerdictMap, at: _At) -> _End | None:
        """A verdict map: do what the packet's element says; of several possible ones, all may be."""
        found = list(candidates(expr, self.sets, self.packet, self.address_type))
        # Where none has to be the one, the rule may also end here as at a match that fails.
        falls = not self._has_one(expr.fields, found)
        returns, ends, before, after = False, list[_End](), self.packet, list[Packet]()
        for element, _ in found:
            self.packet = before
            if element is None or element.verdict is None:
                end: _End | None = _End(kind="unknown", ref=self._ref(at))
            else:
                end = self._decide(element.verdict, at)
            after.append(self.packet)
            if end is None:
                falls = True
            elif end.kind == "return":
                returns = True
            else:
                ends.append(end)
        self.packet, alike = blended([*after, before] if falls else after)
        if not alike:
            self.maybes.append(_End(kind="unknown", ref=self._ref(at)))
        if not falls and not returns:
            self.maybes += ends[:-1]
            return ends[-1]
        self.maybes += ends
        return _End(kind="return", unsure=falls or bool(ends)) if returns else None

    def _has_one(self, fields: tuple[str, ...], found: list[tuple[Element | None, bool]]) -> bool:
        """Whether one of the elements that a map may have for the packet certainly is."""
        if found and found[-1][1]:
            return True
        return has_each(fields, (item for item, _ in found if item is not None), self.packet, self.address_type)

    def _nat(self, action: Nat, at: _At) -> _End | None:
        """A NAT statement that takes its target from a map: what the packet's element says, or may say."""
        if action.choice is None:
            return _End(kind="nat", ref=self._ref(at), nat=action)
        found = list(candidates(action.choice, self.sets, self.packet, self.address_type))
        ends: list[_End] = []
        for element, _ in found:
            nat = chosen_nat(action, element.data) if element is not None else None
            kind = "nat" if nat is not None else "unknown"
            ends.append(_End(kind=kind, ref=self._ref(at), nat=nat))
        if self._has_one(action.choice.fields, found):
            self.maybes += ends[:-1]
            return ends[-1]
        self.maybes += ends
        return None

    def _act(self, action: AnyExpr, at: _At) -> _End | None:
        """Do one action of a rule that is met, or may be; returns how it ends the chain, if it does."""
        if isinstance(action, SetMark):
            # What a rule before it may have let pass already goes on without it.
            ended = any(maybe.kind not in {"drop", "reject"} for maybe in self.maybes)
            self.packet = marked(self.packet, action, certain=at.certain and not ended)
        elif isinstance(action, NoTrack):
            self._untrack(at)
        elif isinstance(action, Opaque):
            self.maybes.append(_End(kind="unknown", ref=self._ref(at)))
            self.packet = msgspec.structs.replace(self.packet, mark=None, ctmark=None)
        elif isinstance(action, Nat):
            return self._nat(action, at)
        elif isinstance(action, Note) and action.offload:
            self.offloaded.append(self._ref(at))
        elif isinstance(action, Verdict):
            return self._decide(action, at)
        return None

    def _decide(self, verdict: Verdict, at: _At) -> _End | None:
        if verdict.kind == "continue":
            return None
        if verdict.kind in {"jump", "goto"}:
            end = self._call(verdict, at)
            return end if end is not None or verdict.kind == "jump" else _End(kind="return")
        if verdict.kind == "return":
            return _End(kind="return")
        if verdict.kind == "reject" and not _can_reject(verdict, self.packet):
            return None
        return _End(kind="unknown" if verdict.kind == "queue" else verdict.kind, ref=self._ref(at))

    def _call(self, verdict: Verdict, at: _At) -> _End | None:
        target = self.chains.get(verdict.chain)
        if target is None or len(at.path) > _MAX_DEPTH or verdict.chain in at.path:
            return _End(kind="unknown", ref=self._ref(at))
        return self._traverse(target, sure=at.certain, path=(*at.path, target.name), base_number=at.first)

    def _untrack(self, at: _At) -> None:
        if self.packet.ctstate != "INVALID":
            return  # it has a connection already, or is untracked (nft_notrack_eval, notrack_tg)
        if at.certain:
            self.packet = msgspec.structs.replace(self.packet, ctstate="UNTRACKED")
        else:
            self.maybes.append(_End(kind="unknown", ref=self._ref(at)))

    def _ref(self, at: _At) -> RuleRef:
        return RuleRef(
            namespace=self.namespace,
            backend=self.table.backend,
            family=self.table.family,
            table=self.table.name,
            chain=at.chain.name,
            number=at.rule.number,
            text=at.rule.text,
            packets=at.rule.packets,
            bytes=at.rule.bytes,
            base=self.base.name,
            base_number=at.first,
            path=at.path,
        )

    def _policy_ref(self, policy: str) -> RuleRef:
        return RuleRef(
            namespace=self.namespace,
            backend=self.table.backend,
            family=self.table.family,
            table=self.table.name,
            chain=self.base.name,
            number=0,
            text=f"policy {policy.upper()}",
            packets=self.base.packets,
            bytes=self.base.bytes,
            base=self.base.name,
            path=(self.base.name,),
        )


def _decider(ref: RuleRef | None, namespace: str) -> Decider:
    if ref is None:
        return Decider(kind="rule", text="", namespace=namespace)
    if ref.number == 0:
        return Decider(kind="policy", text=f"{ref.table} {ref.chain} {ref.text}", namespace=namespace, rule=ref)
    text = f"{ref.table} {ref.chain} rule {ref.number}: {ref.text}"
    return Decider(kind="rule", text=text, namespace=namespace, rule=ref)


def _can_reject(verdict: Verdict, packet: Packet) -> bool:
    """Whether a reject is for a packet at all.

    nft puts "IPv4" before ``reject with icmp``, "IPv6" before ``icmpv6`` and
    "TCP" before ``tcp reset``, and doesn't show it (reject dependencies, evaluate.c).
    """
    if verdict.reject_with == "tcp-reset":
        return packet.proto == "tcp"
    other = {"ip": "icmp6-", "ip6": "icmp-"}[packet.family]
    return not verdict.reject_with.startswith(other)
