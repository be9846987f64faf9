"""What iptables-nft makes along with a rule, and what of it is taken away again: base chains and tables.

iptables-nft adds a base chain when the first rule is put into it, and its
table with the first chain; it never deletes either.
"""

from __future__ import annotations

import json
from typing import Any

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.diagnostics.operations.rule import RuleOperation


def chain_exists(action: RuleOperation, host: HostAccess) -> bool:
    """Whether the kernel has the chain: iptables-nft-save prints base chains that aren't there as well.

    True as well where that can't be asked: then nothing is deleted later.
    """
    if action.backend != "iptables-nft" or not host.has("nft"):
        return True
    words = ("nft", "list", "chain", action.family, action.table, action.chain)
    ran = host.run(words)
    return ran.code == 0 or "No such file" not in ran.err


def drop_empty_chain(action: RuleOperation, host: HostAccess) -> str:
    """Delete the base chain that an insertion had made, when nothing else has moved in; says so."""
    if action.backend != "iptables-nft" or not host.has("nft"):
        return ""
    where = (action.family, action.table, action.chain)
    listed = host.run(("nft", "-j", "list", "chain", *where))
    if listed.code != 0 or not _is_empty(listed.out):
        return ""
    # Where another chain jumps there the kernel refuses, and it stays.
    return "" if host.run(("nft", "delete", "chain", *where)).code else f", and the chain {action.chain} with it"


def drop_empty_table(action: RuleOperation, host: HostAccess) -> str:
    """Delete the nft table that an insertion had made, when nothing else has moved in; says so.

    A legacy table can't be deleted: it stays, empty and accepting.
    """
    if action.backend != "iptables-nft":
        return f"; the legacy {action.table} table stays loaded, empty"
    if not host.has("nft"):
        return f"; the {action.table} table stays, empty (nft isn't installed)"
    listed = host.run(("nft", "-j", "list", "table", action.family, action.table))
    if listed.code != 0 or not _is_empty(listed.out):
        return ""
    if host.run(("nft", "delete", "table", action.family, action.table)).code != 0:
        return f"; the {action.table} table stays, empty (nft refused)"
    return f", and the {action.table} table that came with it"


def _is_empty(listed: str) -> bool:
    items: list[dict[str, Any]] = json.loads(listed).get("nftables", [])
    if any(item.keys() - {"metainfo", "table", "chain"} for item in items):
        return False
    return all(item["chain"].get("policy", "accept") == "accept" for item in items if "chain" in item)
