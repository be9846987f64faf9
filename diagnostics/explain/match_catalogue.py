"""Every match, target, expression and statement: by what a trace decides it, or why it doesn't.  Pure data.

``docs/matches.md`` is written from this (``script/docs``), and its test
compares it with the tables of the compilers, so that neither can be forgotten.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

How = Literal["decided", "hedged", "unknown"]


class Decision(NamedTuple):
    """How something is decided, and by what."""

    how: How
    by: str


def _decided(by: str) -> Decision:
    return Decision("decided", by)


def _hedged(by: str) -> Decision:
    return Decision("hedged", by)


def _unknown(by: str) -> Decision:
    return Decision("unknown", by)


_PORTS = _decided("the packet's ports")
_HEADERS = _decided("a first packet has no extension headers; what their fields hold is not known")
_CONTENT = _unknown("the packet's contents")

IPTABLES_MATCHES: dict[str, Decision] = {
    "addrtype": _decided("the local routing table"),
    "ah": _hedged("a packet of AH; its SPI is taken to be on the larger side of what is asked"),
    "bpf": _CONTENT,
    "cgroup": _hedged("what isn't sent here has none; a sender in none but the root, number 0, is assumed"),
    "cluster": _hedged("how many nodes of how many: a hash of the source"),
    "comment": _decided("it is no condition"),
    "connbytes": _hedged("what a first packet has counted"),
    "connlabel": _decided("the labels that rules have set"),
    "connlimit": _hedged("one connection, the packet's own"),
    "connmark": _decided("the connection's mark"),
    "conntrack": _decided("the connection; how soon it expires is not known"),
    "cpu": _unknown("the processor that handles it"),
    "dccp": _hedged("the ports; a request, or its response, is assumed; options are not known"),
    "devgroup": _decided("the interfaces' groups"),
    "dscp": _decided("0, or what a rule has set"),
    "dst": _HEADERS,
    "ecn": _hedged("no ECN is assumed of TCP; the IP header's bits are known"),
    "esp": _hedged("as ah"),
    "eui64": _decided("the frame's source MAC address"),
    "frag": _HEADERS,
    "hashlimit": _hedged("the rate isn't exceeded"),
    "hbh": _HEADERS,
    "helper": _decided("a first packet's connection was expected by nobody"),
    "hl": _decided("the sender's default, less one for each router; 64 is assumed of what comes from elsewhere"),
    "icmp": _decided("type and code"),
    "icmp6": _decided("type and code"),
    "ipcomp": _hedged("as ah"),
    "iprange": _decided("the addresses"),
    "ipv6header": _decided("a first packet has its protocol's header alone"),
    "ipvs": _unknown("IPVS is not read"),
    "length": _hedged("the packet's length where it was given, else a usual one is assumed"),
    "limit": _hedged("the rate isn't exceeded"),
    "mac": _decided("the frame's source MAC address"),
    "mark": _decided("what rules have set"),
    "mh": _unknown("the type of a mobility header; other packets have none"),
    "multiport": _PORTS,
    "nfacct": _unknown("how much was counted so far"),
    "osf": _CONTENT,
    "owner": _hedged("whose socket answers is known; a sender of root's is assumed otherwise"),
    "physdev": _decided("the bridge's ports"),
    "pkttype": _decided("the destination address"),
    "policy": _decided("no IPsec policy, no protection; by which of them it is protected is not known"),
    "quota": _hedged("the quota isn't used up"),
    "rateest": _unknown("the rate that the kernel estimates"),
    "realm": _decided("no route with a realm; which of several counts is not known"),
    "recent": _hedged("the list as it was when the snapshot was taken, and what rules add of the packet itself"),
    "rpfilter": _decided("the routes"),
    "rt": _HEADERS,
    "sctp": _hedged("the ports; INIT, or INIT ACK, is assumed to be the only chunk"),
    "set": _hedged(
        "the elements, those with a timeout for as long as they have left; sets that rules fill, as they were"
    ),
    "socket": _decided("the listening sockets; others' are not known"),
    "srh": _HEADERS,
    "state": _decided("the connection"),
    "statistic": _hedged("one packet of how many; what is likelier is followed, translations each"),
    "string": _hedged("a packet that opens a connection of TCP has no contents; what others have is not known"),
    "tcp": _decided("ports and flags; the usual options are assumed"),
    "tcpmss": _decided("the MTU of the sender's way out; Ethernet's is assumed of what comes from elsewhere"),
    "time": _hedged("the snapshot's time"),
    "tos": _decided("0, or what a rule has set"),
    "ttl": _decided("as hl"),
    "u32": _decided("the headers' bytes; IPv4 options are taken not to be there, what a sender draws is not known"),
    "udp": _PORTS,
}

_PASSES = _decided("the packet goes on")

IPTABLES_TARGETS: dict[str, Decision] = {
    **dict.fromkeys(("ACCEPT", "DROP", "RETURN", "REJECT"), _decided("a verdict")),
    **dict.fromkeys(("AUDIT", "CHECKSUM", "ECN", "IDLETIMER", "LED", "LOG", "NFLOG", "RATEEST"), _PASSES),
    **dict.fromkeys(("CONNSECMARK", "SECMARK", "TCPOPTSTRIP", "TEE", "TRACE", "ULOG"), _PASSES),
    "CLASSIFY": _decided("sets the priority"),
    "CLUSTERIP": _unknown("a hash of the source; gone since Linux 6.3"),
    "CONNMARK": _decided("marks, masks and copies"),
    "CT": _decided("untracked, or a zone; helpers, events and timeouts only keep later rules from untracking it"),
    "DNAT": _decided("the new destination; of a few each is walked, of many the first is assumed"),
    "DNPT": _unknown("not modelled"),
    "DSCP": _decided("sets the type of service"),
    "HL": _decided("sets the hop limit, at whose end the packet is dropped"),
    "HMARK": _decided("sets a mark that is not known"),
    "MARK": _decided("marks and masks"),
    "MASQUERADE": _decided("the interface's address"),
    "NETMAP": _decided("the network is replaced"),
    "NFQUEUE": _decided("dropped, or accepted with --queue-bypass, where no program reads the queue; else unknown"),
    "NOTRACK": _decided("untracked"),
    "QUEUE": _decided("as NFQUEUE"),
    "REDIRECT": _decided("a port of this host; of a few each is walked, of many the first is assumed"),
    "SET": _decided("remembered for later rules; --map-set sets a mark that is not known"),
    "SNAT": _decided("the new source"),
    "SNPT": _unknown("not modelled"),
    "SYNPROXY": _unknown("the kernel answers in the destination's place"),
    "TCPMSS": _decided("limits the segment size"),
    "TOS": _decided("sets the type of service"),
    "TPROXY": _decided("given to the transparent socket that listens there; dropped without one"),
    "TTL": _decided("as HL"),
}

_ADDRESS = _decided("the packet's headers")

NFT_EXPRESSIONS: dict[str, Decision] = {
    "meta (names, groups, kinds and types of interfaces, protocol, nfproto, mark, pkttype)": _decided(
        "packet and links"
    ),
    "meta length": _hedged("as iptables' length"),
    "meta priority": _decided("0, or what a rule has set"),
    "meta skuid, skgid": _hedged("as iptables' owner"),
    "meta cgroup": _hedged("as iptables' cgroup"),
    "meta rtclassid, rt classid": _decided("as iptables' realm"),
    "meta time, hour, day": _hedged("the snapshot's time"),
    "meta random, numgen, jhash, symhash": _hedged("a share of the packets; as the key of a map each way is walked"),
    "meta ipsec, ipsec, rt ipsec": _decided("as iptables' policy"),
    "meta cpu, secmark, sdif, sdifname": _unknown("not in the snapshot"),
    "socket transparent, wildcard": _decided("as iptables' socket"),
    "socket mark, cgroupv2": _unknown("not in the snapshot, where there is a socket"),
    "osf": _CONTENT,
    "fib": _decided("the routes"),
    "rt mtu, nexthop": _unknown("not modelled"),
    "ct state, status, mark, direction, l3proto, protocol, addresses and ports": _decided("the connection"),
    "ct label, helper, zone": _decided("as in iptables"),
    "ct bytes, packets, avgpkt": _hedged("what a first packet has counted"),
    "ct expiration, id, timeout, secmark": _unknown("not known of a new connection"),
    "ether, arp, ip, ip6, tcp, udp, sctp, dccp, icmp, icmpv6 (addresses, ports, types, flags)": _ADDRESS,
    "ip and ip6 dscp, ecn": _decided("0, or what a rule has set"),
    "ip ttl, ip6 hoplimit": _decided("as iptables' ttl"),
    "ip hdrlength, tcp doff, ackseq, urgptr, udp length": _hedged("as in most first packets"),
    "ip id, checksum, options, tcp sequence, window, icmp id …": _CONTENT,
    "tcp option": _hedged("the usual ones of a SYN; the segment size is known"),
    "sctp chunk, dccp type": _hedged("as in iptables"),
    "ah and esp spi, comp cpi": _hedged("as in iptables"),
    "exthdr, rt, frag, hbh, dst, mh, srh": _HEADERS,
    "raw payload, vlan, gre, igmp": _CONTENT,
    "sets, maps and verdict maps": _hedged(
        "the elements, those with a timeout for as long as they have left; sets that rules fill, as they were"
    ),
}

NFT_STATEMENTS: dict[str, Decision] = {
    **dict.fromkeys(("accept", "drop", "return", "continue", "jump", "goto", "reject", "vmap"), _decided("a verdict")),
    **dict.fromkeys(("log", "counter", "last", "dup", "reset", "secmark"), _PASSES),
    **dict.fromkeys(("ct helper", "ct timeout", "ct expectation"), _PASSES),
    **dict.fromkeys(("snat", "dnat", "masquerade", "redirect"), _decided("the new address; of a few each is walked")),
    "limit": _hedged("the rate isn't exceeded"),
    "quota": _hedged("what is left of it isn't used up"),
    "ct count": _hedged("one connection, the packet's own"),
    "meter": _hedged("as its limit"),
    "set": _hedged("remembered for later rules; a limit in it isn't exceeded"),
    "map": _hedged("as set"),
    "mangle": _decided("marks, hop limit, type of service, priority, segment size, zone and label; else unknown"),
    "notrack": _decided("untracked"),
    "flow": _decided("a new connection isn't handed over"),
    "queue": _decided("as NFQUEUE"),
    "tproxy": _decided("given to the transparent socket that listens there; without one the rule ends"),
    "xt": _unknown("what nft itself doesn't show of iptables' rules"),
    "fwd": _unknown("leaves by another interface: not followed"),
    "synproxy": _unknown("the kernel answers in the destination's place"),
}

_HEAD = """# What rules look at, and how it is decided

A trace follows the first packet of a connection, a *plain* one: from a program that asks for nothing special. What
packet and snapshot decide is **decided**. What depends on more is **hedged**: the trace follows what such a packet
meets and names the condition, with its number (`Provided: …`, and `hedges` in JSON). What nobody can tell is
**unknown**, and makes the answer unknown where it matters; so does everything where what it rests on was not read.

Written by `script/docs` from `diagnostics/explain/match_catalogue.py`.
"""


def page() -> str:
    """The whole page in Markdown."""
    parts = (
        ("Matches of iptables", IPTABLES_MATCHES),
        ("Targets of iptables", IPTABLES_TARGETS),
        ("Expressions of nftables", NFT_EXPRESSIONS),
        ("Statements of nftables", NFT_STATEMENTS),
    )
    return _HEAD + "".join(f"\n## {title}\n\n{_table(rows)}" for title, rows in parts)


def _table(rows: dict[str, Decision]) -> str:
    lines = ["| what | | by |", "|---|---|---|"]
    lines += [
        f"| {name} | {row.how} | {row.by} |" for name, row in sorted(rows.items(), key=lambda item: item[0].lower())
    ]
    return "\n".join(lines) + "\n"
