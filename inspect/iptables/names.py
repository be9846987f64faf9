"""Names that iptables alone gives to ICMP types and codes, beside those of everybody.  Pure data.

Sources: the lists of ``iptables -p icmp -h`` and ``ip6tables -p ipv6-icmp -h``.
"""

from __future__ import annotations

from dnet_tui.inspect.model import protocols

ICMP_TYPES: dict[str, str] = {name: str(number) for name, number in protocols.ICMP_TYPES.items()} | {
    "pong": "0",
    "network-unreachable": "3/0",
    "host-unreachable": "3/1",
    "protocol-unreachable": "3/2",
    "port-unreachable": "3/3",
    "fragmentation-needed": "3/4",
    "source-route-failed": "3/5",
    "network-unknown": "3/6",
    "host-unknown": "3/7",
    "network-prohibited": "3/9",
    "host-prohibited": "3/10",
    "TOS-network-unreachable": "3/11",
    "TOS-host-unreachable": "3/12",
    "communication-prohibited": "3/13",
    "host-precedence-violation": "3/14",
    "precedence-cutoff": "3/15",
    "network-redirect": "5/0",
    "host-redirect": "5/1",
    "TOS-network-redirect": "5/2",
    "TOS-host-redirect": "5/3",
    "ping": "8",
    "ttl-exceeded": "11",
    "ttl-zero-during-transit": "11/0",
    "ttl-zero-during-reassembly": "11/1",
    "ip-header-bad": "12/0",
    "required-option-missing": "12/1",
}
"""``--icmp-type`` by name, as type or type/code."""

ICMPV6_TYPES: dict[str, str] = {name: str(number) for name, number in protocols.ICMPV6_TYPES.items()} | {
    "no-route": "1/0",
    "communication-prohibited": "1/1",
    "beyond-scope": "1/2",
    "address-unreachable": "1/3",
    "port-unreachable": "1/4",
    "failed-policy": "1/5",
    "reject-route": "1/6",
    "ttl-exceeded": "3",
    "ttl-zero-during-transit": "3/0",
    "ttl-zero-during-reassembly": "3/1",
    "bad-header": "4/0",
    "unknown-header-type": "4/1",
    "unknown-option": "4/2",
    "ping": "128",
    "pong": "129",
    "router-solicitation": "133",
    "router-advertisement": "134",
    "neighbour-solicitation": "135",
    "neighbor-solicitation": "135",
    "neighbour-advertisement": "136",
    "neighbor-advertisement": "136",
    "redirect": "137",
}
"""``--icmpv6-type`` by name, as type or type/code."""
