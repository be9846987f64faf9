"""Names that nft gives to numbers: connection states, TCP flags, ICMP types and codes.  Pure data.

Sources: nftables' symbol tables (ct.c, datatype.c, proto.c, fib.c) and the
kernel's nf_conntrack_common.h, icmp.h, icmpv6.h.
"""

from __future__ import annotations

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

TCP_FLAGS: dict[str, int] = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}

TCP_FLAG_WORDS: dict[int, str] = {
    1: "FIN",
    2: "SYN",
    4: "RST",
    8: "PSH",
    16: "ACK",
    32: "URG",
    64: "ECE",
    128: "CWR",
}
"""The model's names, from the lowest bit up."""

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
    "info-request": 15,
    "info-reply": 16,
    "address-mask-request": 17,
    "address-mask-reply": 18,
}

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
