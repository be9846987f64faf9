"""Names that iptables resolves to numbers: protocols, ICMP types, TCP flags.  Pure data.

Sources: ``xtables_chain_protos`` of iptables and /etc/protocols (IANA), the
lists of ``iptables -p icmp -h`` and ``ip6tables -p ipv6-icmp -h``.
"""

from __future__ import annotations

PROTOCOLS: dict[int, str] = {
    1: "icmp",
    2: "igmp",
    3: "ggp",
    4: "ipencap",
    5: "st",
    6: "tcp",
    8: "egp",
    9: "igp",
    12: "pup",
    17: "udp",
    20: "hmp",
    22: "xns-idp",
    27: "rdp",
    29: "iso-tp4",
    33: "dccp",
    36: "xtp",
    37: "ddp",
    38: "idpr-cmtp",
    41: "ipv6",
    43: "ipv6-route",
    44: "ipv6-frag",
    45: "idrp",
    46: "rsvp",
    47: "gre",
    50: "esp",
    51: "ah",
    57: "skip",
    58: "icmpv6",
    59: "ipv6-nonxt",
    60: "ipv6-opts",
    73: "rspf",
    81: "vmtp",
    88: "eigrp",
    89: "ospf",
    93: "ax.25",
    94: "ipip",
    97: "etherip",
    98: "encap",
    103: "pim",
    108: "ipcomp",
    112: "vrrp",
    115: "l2tp",
    124: "isis",
    132: "sctp",
    133: "fc",
    135: "mobility-header",
    136: "udplite",
    137: "mpls-in-ip",
    138: "manet",
    139: "hip",
    140: "shim6",
    141: "wesp",
    142: "rohc",
}
"""The model's name of each protocol; numbers that aren't here stay numbers."""

_BY_NAME: dict[str, int] = {name: value for value, name in PROTOCOLS.items()} | {
    "ipv6-icmp": 58,
    "icmp6": 58,
    "ospfigp": 89,
    "ipv6-mh": 135,
    "mh": 135,
}

PORT_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
"""The protocols whose matches know ports."""

TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
"""In the order iptables-save prints them."""

ICMP_TYPES: dict[str, str] = {
    "echo-reply": "0",
    "pong": "0",
    "destination-unreachable": "3",
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
    "source-quench": "4",
    "redirect": "5",
    "network-redirect": "5/0",
    "host-redirect": "5/1",
    "TOS-network-redirect": "5/2",
    "TOS-host-redirect": "5/3",
    "echo-request": "8",
    "ping": "8",
    "router-advertisement": "9",
    "router-solicitation": "10",
    "time-exceeded": "11",
    "ttl-exceeded": "11",
    "ttl-zero-during-transit": "11/0",
    "ttl-zero-during-reassembly": "11/1",
    "parameter-problem": "12",
    "ip-header-bad": "12/0",
    "required-option-missing": "12/1",
    "timestamp-request": "13",
    "timestamp-reply": "14",
    "address-mask-request": "17",
    "address-mask-reply": "18",
}
"""``--icmp-type`` by name, as type or type/code."""

ICMPV6_TYPES: dict[str, str] = {
    "destination-unreachable": "1",
    "no-route": "1/0",
    "communication-prohibited": "1/1",
    "beyond-scope": "1/2",
    "address-unreachable": "1/3",
    "port-unreachable": "1/4",
    "failed-policy": "1/5",
    "reject-route": "1/6",
    "packet-too-big": "2",
    "time-exceeded": "3",
    "ttl-exceeded": "3",
    "ttl-zero-during-transit": "3/0",
    "ttl-zero-during-reassembly": "3/1",
    "parameter-problem": "4",
    "bad-header": "4/0",
    "unknown-header-type": "4/1",
    "unknown-option": "4/2",
    "echo-request": "128",
    "ping": "128",
    "echo-reply": "129",
    "pong": "129",
    "mld-listener-query": "130",
    "mld-listener-report": "131",
    "mld-listener-done": "132",
    "mld-listener-reduction": "132",
    "router-solicitation": "133",
    "router-advertisement": "134",
    "neighbour-solicitation": "135",
    "neighbor-solicitation": "135",
    "neighbour-advertisement": "136",
    "neighbor-advertisement": "136",
    "redirect": "137",
}
"""``--icmpv6-type`` by name, as type or type/code."""


def protocol(text: str) -> str | None:
    """The model's name of a protocol given by name or number; None when it isn't known (0 means "any" to ``-p``)."""
    if text.isascii() and text.isdecimal():
        value = int(text)
        return PROTOCOLS.get(value, str(value)) if 0 < value <= 255 else None
    known = _BY_NAME.get(text.lower())
    return None if known is None else PROTOCOLS[known]


def protocol_number(name: str) -> str:
    """The number of a protocol that the model names, as text; a name that isn't known comes back as it is."""
    number = _BY_NAME.get(name)
    return name if number is None else str(number)
