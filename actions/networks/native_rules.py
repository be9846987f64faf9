"""Whether rules are written as tables of nftables, and what such tables can't decide alone."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.inspect.model.firewall import Firewall, Rule, Verdict
from dnet_tui.inspect.model.port_label import OWN_TABLES
from dnet_tui.inspect.text.sanitize import clean


def uses_native(host: HostAccess) -> bool:
    """Whether rules are written as tables of nftables: where iptables isn't installed, and nft is."""
    return host.has("nft") and not any(host.has(program) for program in ("iptables-nft", "iptables-legacy"))


def still_deciding(firewall: Firewall | None) -> Iterator[str]:
    """A note for each of others' tables that may drop what is forwarded: no accept elsewhere overrules a drop."""
    for table in forward_drops(firewall) if firewall is not None else ():
        yield f"table {clean(table)} decides over forwarded packets too: what it drops stays dropped"


def forward_drops(firewall: Firewall) -> tuple[str, ...]:
    """The tables of others that may drop what is forwarded to the container."""
    found = [
        f"{table.family} {table.name}"
        for table in firewall.tables
        if not (table.backend == "nftables" and table.name.startswith(OWN_TABLES))
        for chain in table.chains
        if chain.hook == "forward" and (chain.policy == "drop" or any(map(_decides, chain.rules)))
    ]
    return tuple(dict.fromkeys(found))


def _decides(rule: Rule) -> bool:
    return any(isinstance(item, Verdict) and item.kind in ("drop", "reject", "jump", "goto") for item in rule.exprs)
