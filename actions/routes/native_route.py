"""A route's rules on a host without iptables: a table of nftables for it, added and deleted whole.  Pure.

What goes there keeps its source although other tables masquerade: in a chain
before theirs it is translated to itself, and a connection is translated once
(``nf_nat_inet_fn``, ``get_unique_tuple``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from dnet_tui.actions.plans.nft_table import OWN, AddNftTable, DeleteNftTable, IpFamily, interface, table_word
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.inspect.model.firewall import Firewall


def route_table(family: IpFamily, there: str, device: str, here: Iterable[str], comment: str) -> PlanStep:
    """The table that keeps the sources of ``here``, subnets, on their way ``there``.

    Raises:
        UsageError: The device's name is one that nft can't write.
    """
    rules = " ".join(
        f"{family} saddr {subnet} {family} daddr {there} oifname {interface(device)} snat to {_range(subnet)} "
        f'comment "{comment}";'
        for subnet in here
    )
    body = f"chain postrouting {{ type nat hook postrouting priority srcnat - 10; {rules} }};"
    return PlanStep(action=AddNftTable(family=family, name=_name(there), body=body))


def route_removals(firewall: Firewall, there: str) -> Iterator[PlanStep]:
    """What takes the table of a route out."""
    for table in firewall.tables:
        if table.backend == "nftables" and table.family in ("ip", "ip6") and table.name == _name(there):
            yield PlanStep(action=DeleteNftTable(family="ip6" if table.family == "ip6" else "ip", name=table.name))


def _name(there: str) -> str:
    return f"{OWN}route-{table_word(there)}"


def _range(subnet: str) -> str:
    net = ipaddress.ip_network(subnet)
    first, last = net.network_address, net.broadcast_address
    return str(first) if first == last else f"{first}-{last}"
