"""The firewall as rows: base chains in the order packets meet them, then the chains they call.  Pure.

A rule's id holds its own text, not its number: a rule keeps the cursor when
another one is inserted above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import NamedTuple, assert_never

from dnet_tui.diagnostics.explain.hook_order import in_packet_order
from dnet_tui.inspect.model import Namespace, Snapshot, Unread, known_items
from dnet_tui.inspect.model.firewall import (
    Chain,
    Firewall,
    Hook,
    Lookup,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    Rule,
    SetField,
    SetLookup,
    SetMark,
    SetZone,
    StatefulMatch,
    Table,
    TransparentProxy,
    Verdict,
    VerdictMap,
)
from dnet_tui.tui.app.present.styled_text import LateRow, Row, StyledLine, TextRole, line, say

HOOKS: dict[Hook, str] = {
    "ingress": "frames as an interface receives them",
    "prerouting": "packets that arrive, before routing",
    "input": "packets for the host itself",
    "forward": "packets that pass through the host",
    "output": "packets the host itself sends",
    "postrouting": "packets that leave, after routing",
    "egress": "frames as an interface sends them",
}
"""The hooks in packet order, with what passes them."""

BACKENDS = {"iptables-nft": "iptables-nft", "iptables-legacy": "legacy", "nftables": "nft"}


class RulePosition(NamedTuple):
    """A chain with the table it belongs to."""

    table: Table
    chain: Chain


class Found(NamedTuple):
    """What a row stands for: a chain, or a rule in it."""

    place: RulePosition
    rule: Rule | None


def chain_id(place: RulePosition) -> str:
    """Return the row id of a chain."""
    return f"chain:{place.table.backend}:{place.table.family}:{place.table.name}:{place.chain.name}"


def namespaces(snapshot: Snapshot) -> tuple[Namespace, ...]:
    """Return the namespaces whose rules can be looked at: the host, then those that have any."""
    host = tuple(ns for ns in known_items(snapshot.namespaces) if ns.kind == "host")
    others = tuple(ns for ns in known_items(snapshot.namespaces) if ns.kind != "host" and _has_rules(ns))
    return (*host, *others)


def _has_rules(ns: Namespace) -> bool:
    return not isinstance(ns.firewall, Unread) and bool(ns.firewall.tables)


def rows(snapshot: Snapshot, namespace: str = "") -> tuple[Row, ...]:
    """Return the rules of a namespace (of the host, when it is empty or gone)."""
    ns = namespace_of(snapshot, namespace)
    if ns is None:
        return ()
    if isinstance(ns.firewall, Unread):
        return (Row(id="unread", cells=(line(say("? not seen: ", "warn"), ns.firewall.reason),)),)
    return (*_unread(ns.firewall), *_based(ns.firewall), *_called(ns.firewall))


def namespace_of(snapshot: Snapshot, namespace: str) -> Namespace | None:
    """Return the namespace with that id, else the host's."""
    known = namespaces(snapshot)
    return next((ns for ns in known if ns.id == namespace), known[0] if known else None)


def places(firewall: Firewall) -> tuple[RulePosition, ...]:
    """Return every chain with its table."""
    return tuple(RulePosition(table, chain) for table in firewall.tables for chain in table.chains)


def _unread(firewall: Firewall) -> Iterator[Row]:
    for table in firewall.unread:
        name = f"{table.family} {table.name} ({table.backend})"
        yield Row(id=f"unread:{name}", cells=(line(say(f"? {name} not seen: ", "warn"), table.reason),))


def _based(firewall: Firewall) -> Iterator[Row]:
    for hook, found in groupby(in_packet_order(firewall), key=lambda placed: placed.hook):
        head = line(say(f"hook {hook}", "head"), say(f"  {HOOKS[hook]}", "dim"))
        yield Row(id=f"head:{hook}", cells=(head,), selectable=False)
        for placed in found:
            yield from _chain(RulePosition(placed.table, placed.chain))


def _called(firewall: Firewall) -> Iterator[Row]:
    found = [place for place in places(firewall) if place.chain.hook is None]
    if not found:
        return
    head = line(say("called chains", "head"), say("  others jump to them", "dim"))
    yield Row(id="head:called", cells=(head,), selectable=False)
    for place in found:
        yield from _chain(place)


def _chain(place: RulePosition) -> Iterator[Row]:
    table, chain = place
    policy: tuple[str, TextRole] = (f" policy {chain.policy}", "bad" if chain.policy == "drop" else "dim")
    empty = "" if chain.rules else " empty"
    name = line(
        say(chain.name, "name"),
        say(*policy) if chain.policy else say(""),
        say(f"  {table.family} {table.name} {BACKENDS[table.backend]}", "dim"),
        say(f" prio {chain.priority}" if chain.hook else "", "dim"),
        say(empty, "dim"),
    )
    parent = chain_id(place)
    yield Row(id=parent, cells=(name,), search="chain")
    seen: Counter[str] = Counter()
    for rule in chain.rules:
        seen[rule.text] += 1
        search = f"{rule.text} {rule.comment} {chain.name} {table.name}"
        yield LateRow.of(rule_id(place, rule, seen[rule.text]), partial(_rule, table, rule), parent, search)


def rule_id(place: RulePosition, rule: Rule, turn: int) -> str:
    """Return the row id of a rule, the ``turn``-th of this text in its chain."""
    return f"rule:{chain_id(place)}:{turn}:{rule.text}"


def _rule(table: Table, rule: Rule) -> StyledLine:
    verb, role = action(rule)
    text = rule.text if table.backend == "nftables" else split_target(rule.text)[0]
    count = short(rule.packets) if rule.packets is not None else "-"
    return line(
        say(f"{rule.number:>4} {count:>5} ", "dim"),
        say(f"{verb:<8}", role),
        " ",
        say(text or "any packet", "plain" if text else "dim"),
    )


def action(rule: Rule) -> tuple[str, TextRole]:  # noqa: C901 - the table of statements
    """Return what a rule does in a word or two, with its role."""
    for expr in rule.exprs:
        match expr:
            case Verdict(kind="jump" | "goto"):
                return f"→ {expr.chain}", "info"
            case Verdict():
                role: TextRole = {"accept": "good", "drop": "bad", "reject": "bad"}.get(expr.kind, "plain")  # type: ignore[assignment]
                return expr.kind.upper(), role
            case Nat():
                target = ":".join(part for part in (expr.addresses, expr.ports) if part)
                return f"{expr.kind.upper()} {target}".strip(), "key"
            case SetMark():
                return "MARK", "key"
            case NoTrack():
                return "NOTRACK", "key"
            case SetField():
                return {"ttl": "TTL", "tos": "TOS", "priority": "CLASSIFY", "mss": "TCPMSS"}[expr.field], "key"
            case SetZone():
                return "CT ZONE", "key"
            case TransparentProxy():
                return f"TPROXY {expr.port}".strip(), "key"
            case Match() | SetLookup() | Lookup() | StatefulMatch() | VerdictMap() | Opaque() | Remember() | Note():
                continue
            case _:
                assert_never(expr)
    target = split_target(rule.text)[1]
    return (target.split()[0] if target else "-"), "plain"


def split_target(text: str) -> tuple[str, str]:
    """Split an iptables rule's text into its conditions and its target; a ``-j`` inside quotes is a comment's."""
    quoted = False
    for index, char in enumerate(text):
        if char == '"' and text[index - 1 : index] != "\\":
            quoted = not quoted
        elif not quoted and text.startswith(("-j ", "-g "), index) and text[index - 1 : index] in {"", " "}:
            return text[:index].strip(), text[index + 3 :]
    return text, ""


def short(number: int) -> str:
    """Return a count in at most five characters: ``99999``, ``123k``, ``45M``."""
    if number < 100_000:
        return str(number)
    for unit in ("k", "M", "G", "T"):
        number //= 1000
        if number < 10_000:
            return f"{number}{unit}"
    return f"{number}T"


def find(snapshot: Snapshot, namespace: str, row: str) -> Found | None:
    """Return what a row stands for; None for a heading or when it is gone."""
    ns = namespace_of(snapshot, namespace)
    if ns is None or isinstance(ns.firewall, Unread):
        return None
    for place in places(ns.firewall):
        ident = chain_id(place)
        if row == ident:
            return Found(place, None)
        if not row.startswith(f"rule:{ident}:"):
            continue
        seen: Counter[str] = Counter()
        for rule in place.chain.rules:
            seen[rule.text] += 1
            if row == rule_id(place, rule, seen[rule.text]):
                return Found(place, rule)
    return None


def jump_target(found: Found) -> str:
    """Return the row id of the chain a rule leads to; empty when it leads to none."""
    rule = found.rule
    if rule is None:
        return ""
    for expr in rule.exprs:
        if isinstance(expr, Verdict) and expr.kind in {"jump", "goto"}:
            wanted = (chain for chain in found.place.table.chains if chain.name == expr.chain)
            chain = next(wanted, None)
            return chain_id(RulePosition(found.place.table, chain)) if chain else ""
    return ""
