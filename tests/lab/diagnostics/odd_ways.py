"""Breakages that an adversary would choose: answers alone, hop limits, sizes, lots, tables nobody looks at.

As in :mod:`lab.faults.unlisted`, whose hosts and judgement they share.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.diagnostics.silent_ways import commands, early
from lab.faults.unlisted import Inject, inner_ip, nft, own, rule

_FORWARD = ("forward", -5)

ODD: Mapping[str, Inject] = {
    "the engine's chain of ports is empty": rule("-F", "DOCKER"),
    "a drop in the security table": rule("-t", "security", "-A", "FORWARD", "-i", "BRIDGE", "-j", "DROP"),
    "raw drops what the host sends": rule("-t", "raw", "-I", "OUTPUT", "-d", "ADDRESS", "-j", "DROP"),
    "mangle drops what is for the host": rule("-t", "mangle", "-I", "INPUT", "-i", "BRIDGE", "-j", "DROP"),
    "what the host sends is marked and prohibited": commands(
        "iptables-nft -w -t mangle -A OUTPUT -d SUBNET -j MARK --set-mark 7", "ip rule add fwmark 7 prohibit"
    ),
    "the legacy backend drops what goes in": commands("iptables-legacy -w -I FORWARD -o BRIDGE -j DROP"),
    "a set of networks by interface": commands(
        "ipset create bad hash:net,iface",
        "ipset add bad SUBNET,BRIDGE",
        "iptables-nft -w -I FORWARD -m set --match-set bad src,src -j DROP",
    ),
    "a policy of IPsec for what leaves the host": commands(
        "ip xfrm policy add dir out src 0.0.0.0/0 dst 198.51.100.0/24 action block"
    ),
    "the answers alone": early("iifname UPLINK ct direction reply drop", *_FORWARD),
    "answers by a mark of the connection": nft(
        "add table inet y; add chain inet y a { type filter hook forward priority -10; }; "
        "add rule inet y a iifname BRIDGE ct mark set 0x77; "
        "add rule inet y a oifname BRIDGE ct mark 0x77 ct direction reply drop"
    ),
    "a hop limit that one hop has lessened": early("ip ttl 63 drop", *_FORWARD),
    "a size that a first packet has": early("iifname BRIDGE meta length > 55 drop", *_FORWARD),
    "an option that a first packet has": early("iifname BRIDGE tcp option maxseg exists drop", *_FORWARD),
    "every second packet": early("iifname BRIDGE numgen inc mod 2 0 drop", *_FORWARD),
    "a quota that is used up": early("iifname BRIDGE quota over 0 bytes drop", *_FORWARD),
    "a map of interfaces": early("iifname vmap { BRIDGE : drop }", *_FORWARD),
    "addresses by their kind": early("iifname BRIDGE fib daddr type unicast drop", *_FORWARD),
    "by the interface that the way back has": early("fib saddr oifname BRIDGE drop", *_FORWARD),
    "packets that are for this host's MAC address": early("iifname BRIDGE meta pkttype host drop"),
    "a reset for every connection": early("iifname BRIDGE meta l4proto tcp reject with tcp reset", *_FORWARD),
    "root alone may not send to containers": early("meta skuid 0 oifname BRIDGE drop", "output", 0),
    "its port neither learns nor is flooded": commands(
        "ip link set VETH type bridge_slave learning off flood off bcast_flood off fdb_flush"
    ),
    "its address is gone": inner_ip("address del CIDR dev INNER"),
    "it has its gateway's address itself": inner_ip("address add GATEWAY/32 dev INNER"),
    "a route of its own by a router that isn't there": inner_ip(
        "neigh flush all", "route add 198.51.100.0/24 via 172.17.0.250 dev INNER onlink"
    ),
    "its default route prohibits": inner_ip("route replace prohibit default"),
    "its connections are led to itself": own(
        "iptables-nft", "-w", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT"
    ),
    "its own policy of IPsec": inner_ip("xfrm policy add dir out src 0.0.0.0/0 dst 198.51.100.0/24 action block"),
    "its own queue is a blackhole": own("tc", "qdisc", "replace", "dev", "INNER", "root", "blackhole"),
    "its address is a broadcast to the host": commands("ip route add broadcast ADDRESS dev BRIDGE table local"),
    "the outside is routed into its own network": commands("ip route add 198.51.100.0/24 dev BRIDGE"),
    "its network is unreachable by a policy rule of the host's": commands(
        "ip rule add pref 5 to SUBNET lookup 999", "ip route add unreachable default table 999"
    ),
    "the uplink has lost its address": commands("ip addr flush dev UPLINK"),
}
"""What is done to a healthy host, in words, and how."""

OF_AN_ENGINE = frozenset({"the engine's chain of ports is empty", "its address is gone"})
"""What only an engine could say: which ports are published, and which address a container was given."""
