"""Whose chains and tables are called what.  Pure data, and the look-up in it.

Names as the programs write them: engines' are among their traits, those of
other managers in :mod:`dnet_tui.inspect.model.rule_writers`.  A name says who
made a chain, not what for.
"""

from __future__ import annotations

import re

from dnet_tui.inspect.model.engine_kinds.podman import CNI
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Table
from dnet_tui.inspect.model.rule_writers import registry

USERS_CHAINS = frozenset(name for kind in ENGINE_KINDS for name in kind.user_chains)
"""Chains that an engine makes and calls, but whose rules are the administrator's."""

_CHAIN_PREFIXES = tuple((start, kind.kind) for kind in ENGINE_KINDS for start in kind.chain_prefixes)
_CHAINS = {name: kind.kind for kind in ENGINE_KINDS for name in kind.chains}
_NAMED_NETWORK = re.compile(r'generated for (LXD|Incus) network (\S+)|name: \\?"([^"\\]+)\\?" id: ')


def chain_owners(table: Table) -> dict[str, str]:
    """Whose chain each is, for those whose name tells."""
    whole = registry.table_owner(table)
    if whole:
        return dict.fromkeys((chain.name for chain in table.chains), whole)
    names = frozenset(chain.name for chain in table.chains)
    found: dict[str, str] = {}
    in_company = not names.isdisjoint(registry.MARKS)
    for chain in table.chains:
        if chain.hook is not None:
            continue
        owner = _by_name(chain.name) or (registry.by_company(names, chain.name) if in_company else "")
        if owner:
            found[chain.name] = owner
    return found


def _by_name(name: str) -> str:
    owner = _CHAINS.get(name) or next((owner for start, owner in _CHAIN_PREFIXES if name.startswith(start)), "")
    return owner or registry.by_chain(name)


def commented_owner(comment: str) -> str:
    """Whose rule it is by its comment, as LXD, Incus, CNI's plugins and managers write them."""
    found = _NAMED_NETWORK.search(comment)
    if found is None:
        return registry.by_comment(comment)
    if found[1]:
        return f"{found[1].lower()} network {found[2]}"
    return f"{CNI} network {found[3]}"
