"""The fields that a rule's match may look at, by name, with the form of their values.  Pure data.

Whoever gives a field a meaning (its evaluation, its words) does so with
``match`` and ``assert_never``: a field that is added here is a type error
there until it has both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NewType, TypeGuard, get_args

PacketField = Literal[
    "iif",
    "oif",
    "physin",
    "physout",
    "physdev",
    "ibrname",
    "obrname",
    "saddr",
    "daddr",
    "proto",
    "sport",
    "dport",
    "port",
    "th-sport",
    "th-dport",
    "tcp-flags",
    "tcp-option",
    "icmp-type",
    "icmp-code",
    "length",
    "ttl",
    "fragment",
    "exthdr",
    "nfproto",
    "mark",
    "mac",
    "mac-dst",
    "ether-type",
    "arp-op",
    "arp-saddr",
    "arp-daddr",
    "arp-mac",
    "arp-target-mac",
    "arp-htype",
    "arp-ptype",
    "arp-hlen",
    "arp-plen",
    "tos",
    "mss",
    "priority",
    "chunks",
    "dccp-type",
    "spi",
    "ipv6-headers",
    "eui64",
    "u32",
    "contents",
]
"""What the packet itself carries.

=============  ==========================================================
iif, oif       interface name; a trailing ``+`` matches any continuation
physin/out     the bridge port's name (br_netfilter), same form
physdev        ``in``, ``out``, ``bridged``: whether the packet came, goes or stays by bridge ports
ibrname,       the bridge that the port belongs to (bridge tables, where iif and oif are the ports)
obrname
saddr, daddr   CIDRs, or ``a-b`` ranges
proto          ``tcp``, ``udp``, ``icmp``, ``icmpv6``, ``sctp`` … or a number
sport, dport   ``80`` or ``8000:8010``
port           either of the two (multiport --ports)
th-sport,      ``80`` or ``8000:8010``: nft's ``th dport``.  As sport and dport for protocols with
th-dport       ports; for others it reads whatever stands there, so nobody can tell
tcp-flags      one value ``MASK/SET``, flag names joined by commas; ``NONE`` for no flag
tcp-option     the number of an option that is there
icmp-type      ``8``, ``8/0`` (type/code); icmp-code ``3``
length, ttl    ``64`` or ``0:63``; ttl is IPv6's hop limit too
fragment       ``later``: any fragment but the first
exthdr         ``frag``, ``rt``, ``hbh``, ``dst`` …: IPv6's extension headers
nfproto        ``ipv4`` or ``ipv6``: the packet's family (in bridge tables also ``arp`` …)
mark           ``VALUE/MASK``, numbers in any base
mac            ``00:11:22:33:44:55``, in lower case; mac-dst: the frame's destination
ether-type     the frame's type, as nfproto, in tables for IP
arp-op         ``request`` …; arp-saddr, arp-daddr, arp-mac, arp-target-mac, arp-htype, arp-ptype, arp-hlen,
               arp-plen: the fields of an ARP packet
tos            ``VALUE/MASK`` of IPv4's type of service or IPv6's traffic class: DSCP and ECN
mss            ``64`` or ``0:63``: a TCP packet's option of its maximum segment size
priority       the packet's priority, a number or ``1:0xffff``
chunks         SCTP's chunks: ``all``, ``any`` or ``only``, a blank, their types with commas between
dccp-type      a DCCP packet's type, in capitals
spi            an index of security parameters of AH, ESP or IPComp (there, the CPI), ``5`` or ``0:63``
ipv6-headers   ``soft`` or ``exact``, a blank, the headers with commas between (IPv6)
eui64          ``yes``: the source address was made of the frame's source MAC address
u32            tests of the packet's bytes from the IP header on, as iptables writes them
contents       ``FROM TO SIZE``: a text of so many bytes between two offsets
=============  ==========================================================
"""

HeaderField = Literal[
    "tos", "mss", "priority", "chunks", "dccp-type", "spi", "ipv6-headers", "eui64", "u32", "contents"
]
"""Those of them that few rules look at."""

ConnectionField = Literal[
    "ctstate",
    "ctstatus",
    "ctmark",
    "ctdir",
    "ctproto",
    "ct-l3proto",
    "ctorigsrc",
    "ctorigdst",
    "ctorigsrcport",
    "ctorigdstport",
    "ctreplsrc",
    "ctrepldst",
    "ctreplsrcport",
    "ctrepldstport",
    "ct-label",
    "ct-helper",
    "ct-expires",
    "ct-zone",
]
"""What conntrack knows of its connection.

=============  ==========================================================
ctstate        NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED, SNAT, DNAT
ctmark         as mark
others         as their siblings among the packet's own fields
ct-label       the number of a label
ct-helper      the name of the helper that expected it
ct-expires     the seconds until it is forgotten, ``60`` or ``0:59``; ct-zone the number of its zone
ct-l3proto     ``ipv4`` or ``ipv6``
=============  ==========================================================
"""

ContextField = Literal[
    "dst-type",
    "src-type",
    "dst-type-in",
    "src-type-in",
    "dst-type-out",
    "src-type-out",
    "pkttype",
    "fib",
    "rpfilter",
    "iifgroup",
    "oifgroup",
    "iifkind",
    "oifkind",
    "iiftype",
    "oiftype",
    "ipsec",
    "made-here",
    "owner-uid",
    "owner-gid",
    "owner-socket",
    "skuid",
    "skgid",
    "cgroup",
    "realm",
    "socket",
    "recent",
    "time",
]
"""What the namespace that evaluates the rule knows.

=============  ==========================================================
dst-type,      LOCAL, UNICAST, BROADCAST, MULTICAST … (addrtype); ``-in`` and ``-out``: of an address on the
src-type       interface of arrival or leaving alone
pkttype        ``unicast`` …
fib            ``saddr.iif`` and the like: a route leads to that address (by that interface); negated:
               ``fib saddr . iif oif missing``, a reverse path filter
rpfilter       ``strict`` or ``loose``, and ``+mark``, ``+local``: iptables' own reverse path filter
iifgroup …     the interfaces' groups, ``VALUE/MASK``; iifkind … ``veth``; iiftype … ``ether``
ipsec          ``in``, ``out``: IPsec protected it, or will
made-here      ``yes``: by a program of this namespace
owner-uid …    of the socket that sent it; skuid and skgid are nft's
cgroup         the path or the class of the sender's cgroup
realm          the realms of its route, ``VALUE/MASK``
socket         a local socket takes it: ``any`` or ``nowildcard``, and ``+transparent``
recent         ``NAME SIDE MASK check|update|remove [seconds=N] [hitcount=N] [ttl]``: a list of recent addresses
time           ``[from=S] [to=S] [contiguous] [weekdays=1,2] [monthdays=…] [after=T] [before=T]``, in UTC (or
               ``local``): seconds of the day, ISO weekdays, seconds since 1970
=============  ==========================================================
"""

MatchField = PacketField | ConnectionField | ContextField
"""Every field that is modelled."""

FieldText = NewType("FieldText", str)
"""A field that is named by its text.

``fib.daddr.iif``: the name of the interface by which the route to that
address leaves; ``numgen random mod 2``: what nft draws by lot or hashes;
anything else, such as ``meta cpu``, isn't modelled, and can't be decided.
"""

if TYPE_CHECKING:
    FieldName = MatchField | FieldText
else:
    FieldName = str  # all that a file says

PACKET_FIELDS: tuple[PacketField, ...] = get_args(PacketField)
CONNECTION_FIELDS: tuple[ConnectionField, ...] = get_args(ConnectionField)
CONTEXT_FIELDS: tuple[ContextField, ...] = get_args(ContextField)
MATCH_FIELDS: tuple[MatchField, ...] = (*PACKET_FIELDS, *CONNECTION_FIELDS, *CONTEXT_FIELDS)

_MODELLED = frozenset(MATCH_FIELDS)


def is_modelled(field: FieldName) -> TypeGuard[MatchField]:
    """Whether a field has a meaning here, rather than being named by its text."""
    return field in _MODELLED
