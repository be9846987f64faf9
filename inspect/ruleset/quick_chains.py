"""The names of the host's tables and chains, without their rules: for completion in a shell.

Source: nft(8), ``list chains``; iptables of the nft variety keeps its chains in
nftables too, the legacy one's are not listed.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from dnet_tui.inspect.kernel.run_program import run_program

_SECONDS = 0.5
_MOST = 4 << 20
"""Bytes that are taken; 10,000 chains take some 1 MB."""


class ChainName(NamedTuple):
    """A chain and the table that it is in."""

    table: str
    chain: str


def quick_chains() -> tuple[ChainName, ...]:
    """The host's chains; none where nft isn't installed or may not look."""
    ran = run_program(("nft", "-j", "list", "chains"), seconds=_SECONDS, most=_MOST)
    return () if ran.error else parse_chains(ran.output)


def parse_chains(data: bytes) -> tuple[ChainName, ...]:
    """Parse ``nft -j list chains``; what is no chain is passed over."""
    try:
        told: Any = json.loads(data)
    except ValueError:
        return ()
    listed = told.get("nftables") if isinstance(told, dict) else None
    found = (item.get("chain") for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict))
    named = ((item.get("table"), item.get("name")) for item in found if isinstance(item, dict))
    chains = {ChainName(table, name) for table, name in named if isinstance(table, str) and isinstance(name, str)}
    return tuple(sorted(chains))
