"""The order in which a packet meets base chains, and the chains they lead to.  Pure.

Source: netfilter's hooks are called one after the other; at one hook the base
chains run by ascending priority (nf_hook_entries_insert_raw).  Conntrack sits
at -200 and is no chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dnet_tui.inspect.model.firewall import Chain, Element, Firewall, Hook, Table, Verdict, VerdictMap

HOOKS: tuple[Hook, ...] = ("ingress", "prerouting", "input", "forward", "output", "postrouting", "egress")
"""In the order a packet can meet them: it passes input, or forward, or comes from output."""

_FAMILIES = ("netdev", "bridge", "arp", "ip", "ip6", "inet")


class Placed(NamedTuple):
    """A base chain and its table."""

    table: Table
    chain: Chain
    hook: Hook


class Reached(NamedTuple):
    """A chain that a base chain leads to; ``by`` names the chains that jump or go to it, in order."""

    chain: Chain
    by: tuple[str, ...]


def in_packet_order(firewall: Firewall) -> tuple[Placed, ...]:
    """All base chains by hook, then priority, then family; those of dormant tables aren't met.

    Two chains at the same place keep the order they were read in; the kernel's
    order among them is that of their creation, which nothing tells.
    """
    placed = [
        Placed(table, chain, chain.hook)
        for table in firewall.tables
        if not table.dormant
        for chain in table.chains
        if chain.hook is not None
    ]
    return tuple(
        sorted(
            placed,
            key=lambda item: (HOOKS.index(item.hook), item.chain.priority, _FAMILIES.index(item.table.family)),
        )
    )


def targets(table: Table, chain: Chain) -> Iterator[str]:
    """The names of the chains that a chain's rules jump or go to, in order; also by verdict maps."""
    for rule in chain.rules:
        for expr in rule.exprs:
            if isinstance(expr, Verdict) and expr.chain:
                yield expr.chain
            elif isinstance(expr, VerdictMap):
                for element in expr.elements or _named(table, expr.set):
                    if element.verdict is not None and element.verdict.chain:
                        yield element.verdict.chain


def _named(table: Table, name: str) -> tuple[Element, ...]:
    return next((item.elements or () for item in table.sets if item.name == name), ())


def reached_from(table: Table, base: Chain) -> tuple[Reached, ...]:
    """The chains that ``base`` leads to, directly or not: each once, where it is first met (depth first)."""
    chains = {chain.name: chain for chain in table.chains}
    callers: dict[str, list[str]] = {}
    order: list[str] = []
    waiting = [(base, targets(table, base))]
    seen = {base.name}
    while waiting:
        chain, rest = waiting[-1]
        name = next(rest, None)
        if name is None:
            waiting.pop()
            continue
        if name not in chains:
            continue
        if chain.name not in callers.setdefault(name, []):
            callers[name].append(chain.name)
        if name not in seen:
            seen.add(name)
            order.append(name)
            waiting.append((chains[name], targets(table, chains[name])))
    return tuple(Reached(chains[name], tuple(callers[name])) for name in order)


def unreached(table: Table) -> tuple[Chain, ...]:
    """The chains that no packet meets: no base chain leads to them."""
    met = {
        chain.name
        for base in table.chains
        if base.hook is not None
        for chain in (base, *(reached.chain for reached in reached_from(table, base)))
    }
    return tuple(chain for chain in table.chains if chain.name not in met)
