"""What a netfilter hook does to a packet: every base chain, in order.  Three-valued and pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import permutations, product
from math import factorial, prod

import msgspec

from dnet_tui.diagnostics.walk.netfilter.chain_ends import ChainOutcome, HookResult
from dnet_tui.diagnostics.walk.netfilter.chains import ChainEvaluation
from dnet_tui.diagnostics.walk.netfilter.conditions import Assume, Ruleset
from dnet_tui.diagnostics.walk.netfilter.firewall_index import BaseChain, ChainPart
from dnet_tui.diagnostics.walk.netfilter.fwmark import UNKNOWN, blended
from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Packet, RuleRef
from dnet_tui.inspect.model.firewall import Chain, Hook, Nat

_MOST_ORDERS = 24
_MOST_STOPS = 6


def run_hook(
    ruleset: Ruleset,
    hook: Hook,
    packet: Packet,
    *,
    part: ChainPart = "all",
    families: tuple[str, ...] = (),
    unread: tuple[str, ...] | None = None,
    asked: Callable[[Chain], bool] | None = None,
    most: Assume = Assume.ODDS,
    likeliest: bool = False,
) -> HookResult:
    """Send ``packet`` through the base chains of a part of ``hook``, by priority.

    Of the nat chains, the first that binds is the last one asked.

    Chains of equal priority in different tables run in the order in which
    they were registered (nf_hook_entries_grow), which can't be seen: the
    answer is definite only where both orders give the same.

    Args:
        ruleset: the rules of the namespace.
        hook: the hook that the packet passes.
        packet: the packet as the hook sees it.
        part: the span of the hook.
        families: the tables' families asked; by default the packet's own and ``inet``,
            ``("bridge",)`` for a frame that crosses a bridge.
        unread: the families of which a table that wasn't read counts, where they are fewer.
        asked: which of the chains are meant, where not all are.
        most: what may be taken for granted where the verdict would be unknown otherwise.
        likeliest: of several translations that are left open by what a plain packet has, that packet's alone.
    """
    families = families or (packet.family, "inet")
    chains: Sequence[BaseChain] = ruleset.rules.base_chains(hook, families, part)
    if asked is not None:
        chains = [base for base in chains if asked(base.chain)]
    undecided = ruleset.rules.unread(families if unread is None else unread)
    if not chains:
        return HookResult(verdict="unknown" if undecided else "accept", by=undecided, packet=packet)
    found = first = _passed(_HookRun(ruleset, undecided, Assume.NOTHING), chains, packet)
    for assume in (Assume.PLAIN, Assume.ODDS):
        # Of a few translations each is walked, rather than the likeliest alone.
        chosen = assume is Assume.ODDS and bool(first.choices)
        open_still = _is_open(found, packet) or (likeliest and bool(found.choices))
        if undecided is not None or assume > most or chosen or not open_still:
            break
        found = _passed(_HookRun(ruleset, undecided, assume), chains, packet)
    # What is still open with all that is taken for granted is as open without it.
    return first if _is_open(found, packet) else found


def _passed(run: _HookRun, chains: Sequence[BaseChain], packet: Packet) -> HookResult:
    """What the chains do, in whichever order they stand."""
    if len(chains) == 1:
        return run.through(chains, packet)
    return reduce(_settled, (run.through(order, packet) for order in _orders(chains)))


def _is_open(found: HookResult, packet: Packet) -> bool:
    """Whether something of what a hook does can't be decided: its verdict, or what it changes."""
    if found.verdict == "unknown" or (found.nat_unknown is not None and not found.choices):
        return True
    return any(getattr(found.packet, field) is None and getattr(packet, field) is not None for field in UNKNOWN)


def _orders(chains: Sequence[BaseChain]) -> Iterator[list[BaseChain]]:
    """The orders in which chains may be asked: by priority, and among equals any (of very many, two)."""
    by_priority: defaultdict[int, list[BaseChain]] = defaultdict(list)
    for base in chains:
        by_priority[base.chain.priority].append(base)
    groups = [by_priority[priority] for priority in sorted(by_priority)]
    if prod(factorial(len(group)) for group in groups) > _MOST_ORDERS:
        yield [base for group in groups for base in group]
        yield [base for group in groups for base in reversed(group)]
        return
    for order in product(*(permutations(group) for group in groups)):
        yield [base for group in order for base in group]


class _HookRun:
    """One packet at one hook: its base chains in one order or another, each evaluated once for each packet it gets."""

    def __init__(self, ruleset: Ruleset, unread: Decider | None, assume: Assume) -> None:
        self.ruleset = ruleset
        self.unread = unread
        self.assume = assume
        self._results: dict[tuple[int, Packet, frozenset[tuple[str, int]]], HookResult] = {}

    def evaluate(
        self, base: BaseChain, packet: Packet, skipping: frozenset[tuple[str, int]] = frozenset()
    ) -> HookResult:
        """What one base chain does to a packet."""
        key = (id(base), packet, skipping)
        found = self._results.get(key)
        if found is None:
            found = self._results[key] = ChainEvaluation(self.ruleset, base, packet, skipping, self.assume).result()
        return found

    def through(self, chains: Sequence[BaseChain], packet: Packet) -> HookResult:
        """Send a packet through chains in this order."""
        undecided = self.unread
        done: HookResult | None = None
        choices: list[tuple[Nat | None, RuleRef | None]] = []
        offloaded: list[RuleRef] = []
        passed: list[RuleRef] = []
        perhaps: list[Decider | None] = []
        hedges: list[Hedge] = []
        turned: Packet | None = None
        for number, base in enumerate(chains, start=1):
            result = self.evaluate(base, packet)
            if _reroutes(base) and result.packet.mark != packet.mark and result.verdict not in {"drop", "reject"}:
                turned = result.packet
            packet = result.packet
            offloaded += result.offloaded
            hedges += result.hedges
            if choices and base.chain.type == "nat" and result.verdict in {"drop", "reject"}:
                undecided = undecided or result.by  # asked only where the chain before it binds nothing
                break
            if result.verdict in {"drop", "reject"}:
                more = tuple(self._more(chains[number - 1 :], packet))
                by = or_instead(result.by, perhaps)
                return msgspec.structs.replace(
                    result, by=by, passed=tuple(passed), more=more, hedges=tuple(hedges), turned=turned
                )
            if result.verdict == "unknown":
                undecided = undecided or result.by
                perhaps.append(result.by)
            elif result.nat is None and (rule := _certain(result.by)) is not None:
                passed.append(rule)
            if base.chain.type == "nat" and (result.nat is not None or result.nat_unknown is not None):
                done = done or result
                choices += [
                    choice for choice in result.choices or ((result.nat, result.nat_rule),) if choice[0] is not None
                ]
                if not any(nat is None for nat, _ in result.choices):
                    break
                # Perhaps it binds nothing: then the next chain is asked (nf_nat_inet_fn).
        else:
            choices += [(None, None)] if choices else []
        return HookResult(
            verdict="unknown" if undecided else "accept",
            by=undecided,
            packet=packet,
            nat=done.nat if done else None,
            nat_rule=done.nat_rule if done else None,
            nat_unknown=done.nat_unknown if done else None,
            passed=tuple(passed),
            choices=tuple(choices) if done is not None and done.choices else (),
            offloaded=tuple(dict.fromkeys(offloaded)),
            hedges=tuple(hedges),
            reroutes=any(_reroutes(base) for base in chains),
        )

    def _more(self, chains: Sequence[BaseChain], packet: Packet) -> Iterator[tuple[ChainOutcome, Decider]]:
        """What else would stop a packet if what stops it in the first of ``chains`` weren't there, in it and after."""
        for at, base in enumerate(chains):
            skipping: frozenset[tuple[str, int]] = frozenset()
            while len(skipping) < _MOST_STOPS:
                result = self.evaluate(base, packet, skipping)
                if result.verdict not in {"drop", "reject"} or result.by is None:
                    break
                if at or skipping:
                    yield result.verdict, result.by
                rule = result.by.rule
                if rule is None or rule.number == 0:
                    break
                skipping |= {(rule.chain, rule.number)}


def _reroutes(base: BaseChain) -> bool:
    """Whether the route is looked up anew after a chain of OUTPUT that has changed the mark (nf_route_table_hook4)."""
    return base.chain.type == "route" or base.table.table.name == "mangle"


def or_instead(by: Decider | None, perhaps: Iterable[Decider | None]) -> Decider | None:
    """What stops a packet, with the undecided rules before it that may have done so first."""
    if by is None:
        return None
    rules = [rule for item in perhaps if item is not None for rule in (item.rule, *item.instead) if rule is not None]
    return msgspec.structs.replace(by, instead=tuple(dict.fromkeys((*by.instead, *rules)))) if rules else by


def _settled(one: HookResult, other: HookResult) -> HookResult:
    """What is certain whichever of two orders is the kernel's."""
    both = tuple(dict.fromkeys((*one.hedges, *other.hedges)))
    one, other = (msgspec.structs.replace(item, hedges=both) for item in (one, other))
    stopped = [item.verdict in {"drop", "reject"} for item in (one, other)]
    if all(stopped):
        if one.by is None or other.by is None or one.by == other.by:
            return one
        rules = dict.fromkeys((*one.by.instead, *other.by.instead, *((other.by.rule,) if other.by.rule else ())))
        return msgspec.structs.replace(one, passed=(), by=msgspec.structs.replace(one.by, instead=tuple(rules)))
    passed = tuple(rule for rule in one.passed if rule in other.passed)
    one, other = (msgspec.structs.replace(item, passed=passed) for item in (one, other))
    if "unknown" in {one.verdict, other.verdict}:
        return one if one.verdict == "unknown" else other
    packet = _common(one.packet, other.packet)
    same = (one.verdict, one.nat, set(one.choices)) == (other.verdict, other.nat, set(other.choices))
    if packet is not None and same and (one.nat_unknown is None) == (other.nat_unknown is None):
        rule = one.nat_rule if one.nat_rule == other.nat_rule else None
        return msgspec.structs.replace(one, packet=packet, nat_rule=rule)
    culprit = next((item.by or _bound(item) for item in (one, other) if item.by or item.nat_rule), None)
    rule = culprit.rule if culprit is not None else None
    text = "chains of equal priority stand in two tables, and which comes first can't be seen"
    by = Decider(kind="rule", text=f"{text}: {rule.text}" if rule else text, rule=rule)
    if packet is not None and (ways := _either(one, other)):
        return msgspec.structs.replace(one, packet=packet, by=by, choices=ways, nat_unknown=rule)
    return msgspec.structs.replace(one, verdict="unknown", by=by)


def _either(one: HookResult, other: HookResult) -> tuple[tuple[Nat | None, RuleRef | None], ...]:
    """All translations of two orders that both let the packet pass; none where one's can't be told."""
    if one.verdict != other.verdict or any(item.nat_unknown is not None and not item.choices for item in (one, other)):
        return ()
    found: dict[Nat | None, RuleRef | None] = {}
    for item in (one, other):
        for nat, ref in item.choices or ((item.nat, item.nat_rule),):
            found.setdefault(nat, ref)
    return tuple(found.items())


def _common(one: Packet, other: Packet) -> Packet | None:
    """What is certain of a packet that may be either; None when they differ in more than marks."""
    merged, alike = blended((one, other))
    return merged if alike else None


def _certain(by: Decider | None) -> RuleRef | None:
    """The rule that certainly let the packet pass, if one did."""
    return by.rule if by is not None and by.kind == "rule" and not by.instead else None


def _bound(result: HookResult) -> Decider | None:
    return Decider(kind="rule", text="", rule=result.nat_rule) if result.nat_rule is not None else None
