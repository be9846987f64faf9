"""Whether rules are written as tables of nftables, and what such tables can't decide alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.plans.nft_table import DeleteNftTable
from dnet_tui.actions.plans.plan import PlanStep
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


def put_back_last(firewall: Firewall | None, steps: Sequence[PlanStep]) -> Iterator[str]:
    """A note where an undo can't put a deleted table back in its place: the kernel has a new table after all others.

    So it is with its chains among those of the same hook and priority
    (``nf_hook_entries_grow``).
    """
    gone = {(item.family, item.name) for step in steps if isinstance(item := step.action, DeleteNftTable)}
    if firewall is None or not gone:
        return
    native = [item for item in firewall.tables if item.backend == "nftables"]
    first = next((number for number, item in enumerate(native) if (item.family, item.name) in gone), len(native))
    # Those of iptables-nft stand somewhere among them.
    behind = [item for item in native[first:] if (item.family, item.name) not in gone]
    behind += [item for item in firewall.tables if item.backend == "iptables-nft"]
    if behind:
        names = ", ".join(f"{item.family} {clean(item.name)}" for item in behind[:3])
        more = f" and {len(behind) - 3} more" if len(behind) > 3 else ""
        yield f"put back by undo its tables are listed last, and of equal priority asked last: after {names}{more}"


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
