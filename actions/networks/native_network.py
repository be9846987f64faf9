"""A plain-Linux network's rules on a host without iptables: a table of nftables for it, added and deleted whole.  Pure.

It only drops and masquerades: an accept of its own would overrule no other
table's drop (nft(8)), so what other tables do with forwarded packets is said
beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.actions.plans.nft_table import OWN, AddNftTable, DeleteNftTable, IpFamily, interface
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.inspect.model.firewall import Firewall, Match
from dnet_tui.inspect.model.network_label import Intention
from dnet_tui.inspect.model.port_label import PREFIX


def network_table(
    family: IpFamily, bridge: str, net: str, intention: Intention, others: Sequence[str]
) -> Iterator[PlanStep]:
    """The table of a network in one family; none where it would be empty.

    Raises:
        UsageError: The name of a bridge is one that nft can't write.
    """
    comment = f'comment "{PREFIX}net {intention.name}"'
    chains = []
    drops = [f"{which} drop {comment};" for which in _dropped(bridge, intention, others)]
    if drops:
        chains.append(f"chain forward {{ type filter hook forward priority filter; {' '.join(drops)} }};")
    if intention.masquerade and not intention.internal:
        rule = f"{family} saddr {net} oifname != {interface(bridge)} masquerade {comment};"
        chains.append(f"chain postrouting {{ type nat hook postrouting priority srcnat; {rule} }};")
    if chains:
        yield PlanStep(action=AddNftTable(family=family, name=_name(bridge), body=" ".join(chains)))


def network_removals(firewall: Firewall | None, bridge: str) -> Iterator[PlanStep]:
    """What takes the tables of a network out, the last made first: an undo makes them in that order."""
    for table in reversed(firewall.tables if firewall is not None else ()):
        if table.backend == "nftables" and table.family in ("ip", "ip6") and table.name == _name(bridge):
            yield PlanStep(action=DeleteNftTable(family="ip6" if table.family == "ip6" else "ip", name=table.name))


def kept_apart(firewall: Firewall | None, bridge: str) -> tuple[str, ...]:
    """The tables of other networks that keep this bridge out, and will keep out one of the same name."""
    found = [
        table.name
        for table in (firewall.tables if firewall is not None else ())
        if table.backend == "nftables" and table.name.startswith(f"{OWN}net-") and table.name != _name(bridge)
        for chain in table.chains
        for rule in chain.rules
        if any(
            isinstance(item, Match) and item.field in ("iif", "oif") and bridge in item.values for item in rule.exprs
        )
    ]
    return tuple(dict.fromkeys(found))


def _name(bridge: str) -> str:
    return f"{OWN}net-{bridge}"


def _dropped(bridge: str, intention: Intention, others: Sequence[str]) -> Iterator[str]:
    own = interface(bridge)
    if intention.internal:
        yield f"iifname {own} oifname != {own}"
        yield f"iifname != {own} oifname {own}"
    elif intention.isolated:
        for other in map(interface, others):
            yield f"iifname {own} oifname {other}"
            yield f"iifname {other} oifname {own}"
    if not intention.icc:
        yield f"iifname {own} oifname {own}"
