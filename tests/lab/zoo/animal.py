"""One healthy but unusual host, and how its rules are written."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Animal:
    """One unusual host.

    ``restore`` is loaded with ``iptables-nft-restore --noflush``, ``nft`` with
    ``nft -f``; ``commands`` are run one by one.  ``decided`` is False where an
    honest examination can't decide everything (rules that depend on chance or
    on past traffic); even then nothing may be reported.  ``owners`` are named
    in notes, as those whose decisions they are.
    """

    id: str
    restore: str = ""
    restore6: str = ""
    nft: str = ""
    commands: tuple[str, ...] = ()
    decided: bool = True
    owners: AbstractSet[str] = frozenset()


def filter_table(*rules: str) -> str:
    """What ``iptables-restore`` loads into the filter table."""
    return in_table("filter", *rules)


def in_table(name: str, *rules: str) -> str:
    """What ``iptables-restore`` loads into a table."""
    return "\n".join([f"*{name}", *rules, "COMMIT", ""])
