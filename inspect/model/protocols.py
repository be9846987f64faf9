"""Numbers of the IP family and their names: protocols, ICMP types and codes, TCP flags, Ethernet types.  Pure data.

The model's own names come first; what only one program calls so is beside
them.  Sources: IANA and /etc/protocols; ``xtables_chain_protos`` of iptables
and the lists of ``iptables -p icmp -h`` and ``ip6tables -p ipv6-icmp -h``;
nftables' symbol tables (datatype.c, proto.c); icmp.h and icmpv6.h.
"""

from __future__ import annotations

from typing import Literal

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

NUMBERS: dict[str, int] = {name: value for value, name in PROTOCOLS.items()} | {
    "ipv6-icmp": 58,
    "icmp6": 58,
    "ospfigp": 89,
    "ipv6-mh": 135,
    "mh": 135,
}
"""The number of each protocol, by the model's name and by the names that programs give it besides."""

PORT_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
"""The protocols whose headers have ports."""

PublishedProtocol = Literal["tcp", "udp", "sctp"]
"""The protocols that engines publish ports of."""

SPOKEN: dict[str, str] = {
    "tcp": "TCP", "udp": "UDP", "sctp": "SCTP", "dccp": "DCCP", "icmp": "ICMP", "icmpv6": "ICMPv6",
    "igmp": "IGMP", "ipencap": "IPIP", "ipv6": "IPv6-in-IP", "gre": "GRE", "esp": "ESP", "ah": "AH", "ospf": "OSPF",
    "pim": "PIM", "vrrp": "VRRP",
}  # fmt: skip
"""How people write the usual protocols."""

_TITLES = {0: "HOPOPT"} | {NUMBERS[name]: title for name, title in SPOKEN.items()}

TCP_FLAG_BITS: dict[str, int] = {
    "FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128,
}  # fmt: skip
"""The model's names, from the lowest bit up; the first six in the order in which iptables-save prints them."""

ETHERTYPES: dict[int, str] = {0x0800: "ipv4", 0x86DD: "ipv6"}
NFPROTOS: dict[int, str] = {2: "ipv4", 10: "ipv6"}
ARP_OPERATIONS: dict[int, str] = {1: "request", 2: "reply"}


ICMP_TYPES: dict[str, int] = {
    "echo-reply": 0,
    "destination-unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "echo-request": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
    "address-mask-request": 17,
    "address-mask-reply": 18,
}
"""The types that iptables and nft call the same."""

ICMPV6_TYPES: dict[str, int] = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
}

ICMP_WORDS: dict[int, str] = {
    0: "echo reply",
    3: "unreachable",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    13: "timestamp request",
    14: "timestamp reply",
}
ICMPV6_WORDS: dict[int, str] = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
    143: "multicast listener report v2",
}
"""How people call the usual types."""

UNREACHABLE: dict[int, str] = {
    0: "net unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    6: "net unknown",
    7: "host unknown",
    9: "net administratively prohibited",
    10: "host administratively prohibited",
    11: "net unreachable for this service",
    12: "host unreachable for this service",
    13: "administratively prohibited",
}
"""What the codes of type 3 mean."""

UNREACHABLE6: dict[int, str] = {
    0: "no route",
    1: "administratively prohibited",
    2: "beyond the source's scope",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "route rejected",
}
"""What the codes of ICMPv6's type 1 mean."""


def protocol(text: str) -> str | None:
    """The model's name of a protocol given by name or number; None when it isn't known (0 means "any" to ``-p``)."""
    if text.isascii() and text.isdecimal():
        value = int(text)
        return PROTOCOLS.get(value, str(value)) if 0 < value <= 255 else None
    known = NUMBERS.get(text.lower())
    return None if known is None else PROTOCOLS[known]


def protocol_number(name: str) -> str:
    """The number of a protocol that the model names, as text; a name that isn't known comes back as it is."""
    number = NUMBERS.get(name)
    return name if number is None else str(number)


def icmp_words(family: str, value: str) -> str:
    """How people call an ICMP type, or a type with its code (``3/4``); empty for one without a name."""
    kind, _, code = value.partition("/")
    if not (kind.isdecimal() and (not code or code.isdecimal())):
        return ""
    if not code:
        return (ICMPV6_WORDS if family == "ip6" else ICMP_WORDS).get(int(kind), "")
    if family == "ip6":
        return UNREACHABLE6.get(int(code), "") if kind == "1" else ""
    return UNREACHABLE.get(int(code), "") if kind == "3" else ""


def published_protocol(text: str) -> PublishedProtocol | None:
    """The protocol of a published port; None for what engines don't publish."""
    if text == "tcp":
        return "tcp"
    if text == "udp":
        return "udp"
    return "sctp" if text == "sctp" else None


def protocol_title(number: int) -> str:
    """How people write a protocol that is given by its number."""
    return _TITLES.get(number, f"proto {number}")
