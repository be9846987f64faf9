"""Names that nft gives to numbers: connection states, TCP flags, ICMP types and codes.  Pure data.

Sources: nftables' symbol tables (ct.c, datatype.c, proto.c, fib.c) and the
kernel's nf_conntrack_common.h, icmp.h, icmpv6.h.
"""

from __future__ import annotations

from dnet_tui.inspect.model import protocols

CT_STATES: dict[str, int] = {"established": 2, "related": 4, "new": 8, "invalid": 1, "untracked": 64}
"""``NF_CT_STATE_BIT``: a packet has exactly one of them."""

CT_STATUSES: dict[str, int] = {
    "expected": 1,
    "seen-reply": 2,
    "assured": 4,
    "confirmed": 8,
    "snat": 16,
    "dnat": 32,
    "dying": 512,
}
"""``enum ip_conntrack_status``: a connection has any number of them."""

TCP_FLAGS: dict[str, int] = {name.lower(): bit for name, bit in protocols.TCP_FLAG_BITS.items() if name != "ECE"} | {
    "ecn": 64
}
TCP_FLAG_WORDS: dict[int, str] = {bit: name for name, bit in protocols.TCP_FLAG_BITS.items()}
"""The model's names, from the lowest bit up."""

ICMP_TYPES: dict[str, int] = protocols.ICMP_TYPES | {
    "info-request": 15,
    "info-reply": 16,
}
ICMPV6_TYPES: dict[str, int] = protocols.ICMPV6_TYPES | {
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "router-renumbering": 138,
    "ind-neighbor-solicit": 141,
    "ind-neighbor-advert": 142,
    "mld2-listener-report": 143,
}

ICMP_CODES: dict[str, int] = {
    "net-unreachable": 0,
    "host-unreachable": 1,
    "prot-unreachable": 2,
    "port-unreachable": 3,
    "frag-needed": 4,
    "net-prohibited": 9,
    "host-prohibited": 10,
    "admin-prohibited": 13,
}

ICMPV6_CODES: dict[str, int] = {
    "no-route": 0,
    "admin-prohibited": 1,
    "addr-unreachable": 3,
    "port-unreachable": 4,
    "policy-fail": 5,
    "reject-route": 6,
}

FAMILIES: dict[str, str] = {"ip": "ipv4", "ip6": "ipv6", "ipv4": "ipv4", "ipv6": "ipv6"}
"""The model's name of a family, by nft's for an ``nfproto`` or an Ethernet type."""

ADDRESS_TYPES = frozenset(
    {"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit"}
)

REJECTS: dict[tuple[str, str], str] = {
    ("icmp", "net-unreachable"): "icmp-net-unreachable",
    ("icmp", "host-unreachable"): "icmp-host-unreachable",
    ("icmp", "prot-unreachable"): "icmp-proto-unreachable",
    ("icmp", "port-unreachable"): "icmp-port-unreachable",
    ("icmp", "net-prohibited"): "icmp-net-prohibited",
    ("icmp", "host-prohibited"): "icmp-host-prohibited",
    ("icmp", "admin-prohibited"): "icmp-admin-prohibited",
    ("icmpv6", "no-route"): "icmp6-no-route",
    ("icmpv6", "admin-prohibited"): "icmp6-adm-prohibited",
    ("icmpv6", "addr-unreachable"): "icmp6-addr-unreachable",
    ("icmpv6", "port-unreachable"): "icmp6-port-unreachable",
    ("icmpv6", "policy-fail"): "icmp6-policy-fail",
    ("icmpv6", "reject-route"): "icmp6-reject-route",
}
"""The model's (iptables') name of a reject, by its type and expression; ``icmpx`` ones stay ``icmpx-…``."""
