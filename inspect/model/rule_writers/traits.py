"""What may be known of a program that writes rules, routes or sysctls and isn't a container engine.  Pure data.

What isn't stated is not claimed.  A name says who made a chain, not what for.
"""

from __future__ import annotations

import msgspec


class RuleWriter(msgspec.Struct, frozen=True, kw_only=True):
    """One manager.  ``kind`` is what ``Rule.owner`` says, ``title`` how people write it."""

    kind: str
    title: str

    # -- what is its own by name
    chain_prefixes: tuple[str, ...] = ()
    """How the names of its chains begin."""
    chains: tuple[str, ...] = ()
    """Chains that are called just so."""
    chain_pattern: str = ""
    """What else its chains are called, as a whole; counts only beside a chain of ``chain_marks`` in the same table."""
    chain_marks: tuple[str, ...] = ()
    """Chains that nobody else makes."""
    tables: tuple[str, ...] = ()
    table_prefixes: tuple[str, ...] = ()
    """Tables of nftables that are its own as a whole, and how their names begin."""
    sets: tuple[str, ...] = ()
    """How the names of its sets begin; a rule of a built-in chain that looks into one is its own."""
    comments: tuple[str, ...] = ()
    """How the comments begin that it gives to its rules in chains of everybody."""
    interfaces: tuple[str, ...] = ()
    """Its links, by name or (with a ``*``) by its beginning: a rule of a built-in chain that asks for one of them and
    for nothing else is its own."""

    closings: tuple[str, ...] = ()
    """Rules, as iptables-save prints them, with which it closes built-in chains that lead to its own."""

    # -- where its decisions are kept
    files: tuple[str, ...] = ()
    """The files in which a person changes what it decides."""
    change: tuple[str, ...] = ()
    """The command with which a person looks at its decisions, or changes them."""
    keeps_policies: bool = False
    """Whether it sets the policies of INPUT and OUTPUT too, which bear no name of who set them."""
    sysctls: tuple[tuple[str, str], ...] = ()
    """Kernel parameters that it sets for its own sake, and to what."""
