"""More breakages that no catalogue lists: of links, queues, tables, routers, names and a container's own settings.

As in :mod:`lab.faults.unlisted`, whose hosts and judgement they share.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.faults.links_family import WRONG_MAC
from lab.faults.unlisted import Inject, filled, inner_ip, nft, own, rule
from lab.machines.hosts import LabHost


def commands(*lines: str) -> Inject:
    """Commands on the host, one in a line."""
    return lambda host: [filled(host, line.split()) for line in lines]


def _forward(spec: str) -> Inject:
    return rule("-I", "FORWARD", "-i", "BRIDGE", *spec.split())


def early(text: str, hook: str = "prerouting", priority: int = -300) -> Inject:
    """One rule of nftables in a base chain of its own."""
    head = f"add table inet y; add chain inet y c {{ type filter hook {hook} priority {priority}; }}; "
    return nft(f"{head}add rule inet y c {text}")


def _bad_address(host: LabHost) -> list[tuple[str, ...]]:
    listed = commands("ipset create bad hash:ip timeout 3000", "ipset add bad ADDRESS")(host)
    return [*listed, *rule("-I", "FORWARD", "-m", "set", "--match-set", "bad", "src", "-j", "DROP")(host)]


_REFUSES = ("ip rule add from SUBNET lookup 100", "ip route add unreachable default table 100")
_MARK = "iptables-nft -w -t mangle -A PREROUTING -i BRIDGE -j MARK --set-mark 9"
_TIMED_SET = (
    "add table inet y; add set inet y s { type ipv4_addr; flags timeout; }; "
    "add element inet y s { ADDRESS timeout 30m }; "
    "add chain inet y f { type filter hook forward priority -5; }; add rule inet y f ip saddr @s drop"
)

SILENT: Mapping[str, Inject] = {
    "its table refuses": commands(*_REFUSES),
    "a dead router in its table": commands(
        "ip route add default via 203.0.113.77 dev UPLINK table 200", "ip rule add iif BRIDGE lookup 200"
    ),
    "a dead router for what is marked": commands(
        "ip rule add fwmark 9 lookup 300", "ip route add default via 203.0.113.88 dev UPLINK table 300", _MARK
    ),
    "one of two routers is dead": commands("ip route replace default nexthop via 203.0.113.1 nexthop via 203.0.113.77"),
    "a next hop that is a blackhole": commands("ip nexthop add id 1 blackhole", "ip route replace default nhid 1"),
    "the local table comes last": commands("ip rule add pref 40000 lookup local", "ip rule del pref 0"),
    "a default route that is left out": commands(
        "ip rule add pref 100 from SUBNET lookup main suppress_prefixlength 0",
        "ip rule add pref 101 from SUBNET unreachable",
    ),
    "the container's own hop limit": own("sysctl", "-w", "net.ipv4.ip_default_ttl=1"),
    "the container's own INPUT drops": own("iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "80", "-j", "DROP"),
    "ebtables drops what is for the host": commands("ebtables -A INPUT -p IPv4 -i VETH -j DROP"),
    "ebtables drops ARP": commands("ebtables -A OUTPUT -p ARP -j DROP"),
    "arptables drops": commands("arptables -A INPUT -j DROP"),
    "a queue that is a blackhole": commands("tc qdisc replace dev VETH root blackhole"),
    "a queue of the uplink that is a blackhole": commands("tc qdisc replace dev UPLINK root blackhole"),
    "a port that is locked": commands(
        "bridge link set dev VETH locked on", "ip link set dev VETH type bridge_slave fdb_flush"
    ),
    "a narrow end of the veth": commands("ip link set VETH mtu 100"),
    "the host's loopback is down": commands("ip link set lo down"),
    "the bridge has got another name": commands(
        "ip link set BRIDGE down", "ip link set BRIDGE name dock9", "ip link set dock9 up"
    ),
    "the uplink has got another name": commands("ip link set UPLINK name wan9"),
    "a second bridge with its subnet": commands(
        "ip link add br9 type bridge", "ip link set br9 up", "ip route prepend SUBNET dev br9"
    ),
    "a wrong MAC address of the router": commands(
        f"ip neigh replace 203.0.113.1 lladdr {WRONG_MAC} dev UPLINK nud permanent"
    ),
    "no ARP at the uplink": commands("ip link set dev UPLINK arp off"),
    "what the host sends is led to itself": rule(
        "-t", "nat", "-I", "OUTPUT", "-d", "SUBNET", "-j", "DNAT", "--to-destination", "127.0.0.1"
    ),
    "its questions for names are led away": rule(
        *("-t", "nat", "-I", "PREROUTING", "-i", "BRIDGE", "-p", "udp", "--dport", "53"),
        *("-j", "REDIRECT", "--to-ports", "5300"),
    ),
    "a drop of every answer": _forward("-m conntrack --ctstate RELATED,ESTABLISHED -j DROP"),
    "a limit on connections": _forward("-p tcp --syn -m connlimit --connlimit-above 0 -j DROP"),
    "a queue that nobody reads": _forward("-j NFQUEUE --queue-num 5"),
    "the policy of OUTPUT": rule("-P", "OUTPUT", "DROP"),
    "a list that expires": nft(_TIMED_SET),
    "an ipset that expires": _bad_address,
    "an early drop": early("iifname BRIDGE ip daddr 198.51.100.0/24 drop"),
    "an early drop of what is forwarded": early("iifname BRIDGE drop", "forward"),
    "untracked early": early("iifname BRIDGE notrack"),
    "a count of connections": early("iifname BRIDGE ct count over 0 drop", "forward", -5),
    "a drop where the uplink sends": nft(
        "add table netdev x; add chain netdev x p { type filter hook egress device UPLINK priority 0; }; "
        "add rule netdev x p ip daddr 198.51.100.0/24 drop"
    ),
    "a drop where the uplink receives": nft(
        "add table netdev x; add chain netdev x p { type filter hook ingress device UPLINK priority 0; }; "
        "add rule netdev x p ip saddr 198.51.100.0/24 drop"
    ),
    "a drop across bridges": nft(
        "add table bridge x; add chain bridge x p { type filter hook prerouting priority 0; }; "
        "add rule bridge x p ip saddr ADDRESS drop"
    ),
    "another MAC address in the container": inner_ip("link set dev INNER address 02:00:00:00:00:55"),
    "an echo that the host leaves out": commands("sysctl -w net.ipv4.icmp_echo_ignore_broadcasts=0"),
}
"""What is done to a healthy host, in words, and how.  Some of it breaks nothing: then nothing must be called ill."""
