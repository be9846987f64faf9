"""Everything known of the chain or the rule that is selected.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference.rates import Rates, RuleRate, spoken
from dnet_tui.diagnostics.explain.rule_text import policy_sentence, sentence
from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.firewall import AnyExpr, Opaque, Rule, SetLookup, Verdict
from dnet_tui.tui.app.present.rules_rows import (
    BACKENDS,
    HOOKS,
    Found,
    RulePosition,
    action,
    find,
    jump_target,
    namespace_of,
)
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, bullet, fact, heading, line, say


def detail(snapshot: Snapshot, namespace: str, row: str, rates: Rates | None = None) -> tuple[Paragraph, ...]:
    """Return the paragraphs for a row of the rules' list, with its rate where two snapshots tell it."""
    if row.startswith("unread"):
        return tuple(_unread(snapshot, namespace))
    found = find(snapshot, namespace, row)
    if found is None:
        return ()
    ns = namespace_of(snapshot, namespace)
    rate = _rate(rates, ns.id if ns else "", found) if rates else None
    return tuple(_rule(found, found.rule, rate) if found.rule else _chain(found.place, rate))


def _rate(rates: Rates, namespace: str, found: Found) -> RuleRate | None:
    table, chain = found.place
    if found.rule is None:
        return rates.policy(namespace, table, chain)
    return rates.rule(namespace, table, chain, found.rule)


def _per_second(rate: RuleRate | None) -> Iterator[Paragraph]:
    if rate is not None:
        yield fact("", f"{spoken(rate.packets)}, {spoken(rate.bytes, 'B')}", say(f"  over {rate.seconds:.0f} s", "dim"))


def _chain(place: RulePosition, rate: RuleRate | None) -> Iterator[Paragraph]:
    table, chain = place
    kind = "base chain" if chain.hook else "called chain"
    yield Paragraph(line(say(chain.name, "head"), say(f"  {kind}", "dim")))
    yield fact("table", f"{table.family} {table.name}")
    yield fact("backend", table.backend)
    if chain.hook:
        yield fact("hook", f"{chain.hook}: {HOOKS[chain.hook]}")
        yield fact("priority", str(chain.priority))
    if chain.policy:
        yield fact("policy", say(chain.policy, "bad" if chain.policy == "drop" else "good"))
        yield Paragraph(line(policy_sentence(chain)))
    if chain.packets is not None:
        yield fact("by policy", f"{chain.packets} packets, {chain.bytes or 0} bytes")
        yield from _per_second(rate)
    yield fact("rules", str(len(chain.rules)))
    if chain.devices:
        yield fact("devices", ", ".join(chain.devices))
    callers = [
        (other, rule)
        for other in table.chains
        for rule in other.rules
        if any(_leads(expr, chain.name) for expr in rule.exprs)
    ]
    if not chain.hook:
        yield BLANK
        yield heading("Called from")
        if not callers:
            yield Paragraph(line(say("nowhere: no packet ever comes here", "warn")))
        for other, rule in callers:
            yield bullet(say(f"{other.name} {rule.number}", "name"), f"  {rule.text}")


def _leads(expr: AnyExpr, chain: str) -> bool:
    return isinstance(expr, Verdict) and expr.kind in {"jump", "goto"} and expr.chain == chain


def _rule(found: Found, rule: Rule, rate: RuleRate | None) -> Iterator[Paragraph]:
    table, chain = found.place
    verb, role = action(rule)
    yield Paragraph(line(say(verb, role), say(f"  {chain.name} rule {rule.number}", "dim")))
    yield Paragraph(line(say(sentence(rule, chain, table), "name")))
    yield BLANK
    yield heading("Rule")
    yield Paragraph(line(rule.text), hang=2)
    yield BLANK
    counted = f"{rule.packets} packets, {rule.bytes or 0} bytes" if rule.packets is not None else "not counted"
    yield fact("matched", counted)
    yield from _per_second(rate)
    yield fact("chain", say(chain.name, "name"))
    if chain.hook:
        yield fact("hook", chain.hook)
    yield fact("table", f"{table.family} {table.name} ({BACKENDS[table.backend]})")
    if rule.handle is not None:
        yield fact("handle", str(rule.handle))
    if rule.comment:
        yield fact("comment", rule.comment)
    yield from _undecidable(rule)
    yield from _target(found)


def _undecidable(rule: Rule) -> Iterator[Paragraph]:
    unsure = [expr.text for expr in rule.exprs if isinstance(expr, Opaque)]
    sets = [expr.name for expr in rule.exprs if isinstance(expr, SetLookup)]
    if unsure or sets:
        yield BLANK
        yield heading("Not evaluated by dnet-tui")
    for text in unsure:
        yield bullet(text)
    for name in sets:
        yield bullet(f"members of set {name}")


def _target(found: Found) -> Iterator[Paragraph]:
    """Where a jump leads: the first rules of that chain."""
    target = jump_target(found)
    if not target:
        return
    name = target.rpartition(":")[2]
    chain = next(chain for chain in found.place.table.chains if chain.name == name)
    yield BLANK
    yield Paragraph(line(say(f"Leads to {name}", "head"), say("  Enter goes there", "dim")))
    if not chain.rules:
        yield Paragraph(line(say("It is empty: the packet comes straight back.", "dim")))
    for rule in chain.rules[:5]:
        yield bullet(say(f"{rule.number} ", "dim"), rule.text)
    if len(chain.rules) > 5:
        yield Paragraph(line(say(f"  and {len(chain.rules) - 5} more", "dim")))


def _unread(snapshot: Snapshot, namespace: str) -> Iterator[Paragraph]:
    ns = namespace_of(snapshot, namespace)
    yield Paragraph(line(say("? not seen", "warn")))
    for table in () if ns is None or isinstance(ns.firewall, Unread) else ns.firewall.unread:
        yield bullet(say(f"{table.family} {table.name} ({table.backend})", "name"), f": {table.reason}")
    for gap in snapshot.gaps:
        if gap.section == "firewall":
            yield bullet(gap.reason)
            if gap.hint:
                yield fact("  hint", say(gap.hint, "info"))
    yield BLANK
    yield Paragraph(line("Whatever passes here can't be decided: a rule that wasn't seen may drop it."))
