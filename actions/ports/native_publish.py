"""Publishing a port on a host without iptables: a table of nftables for the port, added and deleted whole.  Pure.

An accept of this table overrules no other table's drop (nft(8)): what other
tables do with forwarded packets is theirs, and said beforehand.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnet_tui.actions.plans.nft_table import OWN, AddNftTable, DeleteNftTable, IpFamily, interface, table_word
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.actions.ports.port_target import PortTarget
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.port_label import PortLabel

_LOOPBACK = {"ip": "127.0.0.0/8", "ip6": "::1"}


def native_table(family: IpFamily, target: PortTarget, label: PortLabel, *, localhost: bool) -> PlanStep:
    """The table that publishes a port in one family; ``localhost``: on 127.0.0.1 of the host too."""
    body = _body(family, target, label, localhost=localhost)
    return PlanStep(action=AddNftTable(family=family, name=table_name(label), body=body))


def table_name(label: PortLabel) -> str:
    """The table of a published port; nft takes letters, digits and a few signs."""
    where = "" if label.host_ip == "*" else f"-{table_word(label.host_ip)}"
    return f"{OWN}port-{label.host_port}-{label.proto}{where}"


def _body(family: IpFamily, target: PortTarget, label: PortLabel, *, localhost: bool) -> str:
    proto, inside = label.proto, label.container_port
    to = f"{target.address}:{inside}" if family == "ip" else f"[{target.address}]:{inside}"
    on = "" if label.host_ip == "*" else f"{family} daddr {label.host_ip} "
    local_only = bool(on) and ipaddress.ip_address(label.host_ip).is_loopback
    comment = f'comment "{label.comment}"'
    arriving = f"{on}fib daddr type local {proto} dport {label.host_port}"
    to_it = f"{family} daddr {target.address} oifname {interface(target.bridge)} {proto} dport {inside}"
    not_loopback = "" if on or localhost else f"{family} daddr != {_LOOPBACK[family]} "
    chains = [] if local_only else [_chain("prerouting", "dstnat", f"{arriving} dnat to {to} {comment};")]
    chains.append(_chain("output", "-100", f"{not_loopback}{arriving} dnat to {to} {comment};"))
    back = f"{family} saddr {target.subnet} {to_it} ct status dnat masquerade {comment};"
    if localhost:
        back += f" ip saddr {_LOOPBACK['ip']} {to_it} masquerade {comment};"
        guard = f"iifname {interface(target.bridge)} ip daddr {_LOOPBACK['ip']} drop {comment};"
        chains.append(f"chain guard {{ type filter hook prerouting priority raw; {guard} }}")
    chains.append(_chain("postrouting", "srcnat", back))
    return " ".join(f"{chain};" for chain in chains)


def _chain(hook: str, priority: str, rules: str) -> str:
    return f"chain {hook} {{ type nat hook {hook} priority {priority}; {rules} }}"


def native_removals(firewall: Firewall, label: PortLabel) -> Iterator[PlanStep]:
    """What takes the tables of a port out, the last made first: an undo makes them in that order."""
    for table in reversed(firewall.tables):
        if table.backend == "nftables" and table.family in ("ip", "ip6") and table.name == table_name(label):
            yield PlanStep(action=DeleteNftTable(family="ip6" if table.family == "ip6" else "ip", name=table.name))
