"""Small hosts on which the kernel does what one wouldn't guess: each tells a right walk from a plausible one.

They are run for real by the lab, and recorded (``script/differential --record``)
for tests that need no kernel.
"""

from __future__ import annotations

import msgspec

from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_SERVER,
    UPLINK,
    UPLINK_ADDRESS,
    UPLINK_ADDRESS6,
    Bound,
    Box,
    Bridge,
    Chain,
    HostSpec,
    Leg,
    NativeTable,
    Probe,
    Proto,
    RuleLine,
    Step,
)

_BR0 = Bridge(name="br0", address="10.1.0.1/24", address6="fd00:1::1/64")
_BR1 = Bridge(name="br1", address="10.2.0.1/24", address6="fd00:2::1/64")


def _box(name: str, bridge: Bridge, number: int) -> Box:
    address6 = bridge.address6.replace("::1/", f"::{number}/")
    leg = Leg(bridge=bridge.name, address=bridge.address.replace(".1/", f".{number}/"), address6=address6)
    return Box(name=name, legs=(leg,), tcp=(80,), udp=(53,))


_A, _B, _C = _box("a", _BR0, 2), _box("b", _BR0, 3), _box("c", _BR1, 2)


def _host(*parts: Step | RuleLine | Chain | NativeTable | Probe) -> HostSpec:
    """Two bridges, ``a`` and ``b`` on the first and ``c`` on the second, with these peculiarities."""
    return HostSpec(
        bridges=(_BR0, _BR1),
        boxes=(_A, _B, _C),
        tcp=(22, 80),
        udp=(53,),
        steps=tuple(item for item in parts if isinstance(item, Step)),
        chains=tuple(item for item in parts if isinstance(item, Chain)),
        rules=tuple(item for item in parts if isinstance(item, RuleLine)),
        natives=tuple(item for item in parts if isinstance(item, NativeTable)),
        probes=tuple(item for item in parts if isinstance(item, Probe)),
    )


def _run(place: str, words: str) -> Step:
    return Step(place=place, argv=tuple(words.split()))


def _sysctl(key: str, value: int) -> Step:
    return _run(HOST, f"sysctl -q -w net.{key}={value}")


def _rule(table: str, chain: str, text: str, *, legacy: bool = False) -> RuleLine:
    return RuleLine(backend="legacy" if legacy else "nft", table=table, chain=chain, text=text)


def _probe(number: int, origin: str, src: str, dst: str, dport: int = 0, proto: Proto = "tcp") -> Probe:
    return Probe(number=number, origin=origin, src=src, dst=dst, dport=dport, proto=proto)


_PUBLISH_B = _rule("nat", "PREROUTING", "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.3:80")
_PUBLISH_A = _rule("nat", "PREROUTING", "-p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.1.0.2:80")
_CALLED = _sysctl("bridge.bridge-nf-call-iptables", 1)
_NOT_CALLED = _sysctl("bridge.bridge-nf-call-iptables", 0)

_KUBE_NFTABLES = """
table ip kube-proxy {
  set cluster-ips { type ipv4_addr; elements = { 10.96.0.1, 10.96.0.2 } }
  set nodeport-ips { type ipv4_addr; elements = { 203.0.113.2 } }
  map no-endpoint-services {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.2 . tcp . 80 : goto reject-chain }
  }
  map firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.1 . tcp . 80 : goto service-web, 10.96.0.1 . udp . 53 : goto service-dns }
  }
  map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto external-web } }
  chain filter-prerouting { type filter hook prerouting priority dstnat - 10; ct state new jump firewall-check; }
  chain filter-forward {
    type filter hook forward priority -110;
    ct state new jump service-endpoints-check
    ct state new jump cluster-ips-check
  }
  chain filter-output { type filter hook output priority -110; ct state new jump service-endpoints-check; }
  chain filter-output-post-dnat { type filter hook output priority -90; ct state new jump cluster-ips-check; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
  chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips; }
  chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services; }
  chain services {
    ip daddr . meta l4proto . th dport vmap @service-ips
    ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
  }
  chain masquerading {
    meta mark & 0x4000 == 0 return
    meta mark set meta mark ^ 0x4000
    masquerade fully-random
  }
  chain mark-for-masquerade { meta mark set meta mark | 0x4000; }
  chain cluster-ips-check {
    ip daddr @cluster-ips reject
    ip daddr 10.96.0.0/24 drop
  }
  chain reject-chain { reject; }
  chain external-web { jump mark-for-masquerade; goto service-web; }
  chain service-web {
    ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.0.0.0/8 jump mark-for-masquerade
    numgen random mod 2 vmap { 0 : goto endpoint-b, 1 : goto endpoint-c }
  }
  chain endpoint-b { ip saddr 10.1.0.3 jump mark-for-masquerade; meta l4proto tcp dnat to 10.1.0.3:80; }
  chain endpoint-c { ip saddr 10.2.0.2 jump mark-for-masquerade; meta l4proto tcp dnat to 10.2.0.2:80; }
  chain service-dns {
    meta l4proto udp dnat ip addr . port to numgen random mod 2 map { 0 : 10.1.0.3 . 53, 1 : 10.2.0.2 . 53 }
  }
}
"""


def _kube_iptables() -> tuple[RuleLine | Chain, ...]:
    """A service of two endpoints in kube-proxy's iptables mode."""
    chains = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-SVC-WEB", "KUBE-EXT-WEB", "KUBE-SEP-B", "KUBE-SEP-C",
              "KUBE-MARK-MASQ", "KUBE-POSTROUTING")  # fmt: skip
    rules = (
        ("PREROUTING", "-j KUBE-SERVICES"),
        ("OUTPUT", "-j KUBE-SERVICES"),
        ("POSTROUTING", "-j KUBE-POSTROUTING"),
        ("KUBE-SERVICES", "-d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB"),
        ("KUBE-SERVICES", "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"),
        ("KUBE-NODEPORTS", "-p tcp -m tcp --dport 30080 -j KUBE-EXT-WEB"),
        ("KUBE-EXT-WEB", "-j KUBE-MARK-MASQ"),
        ("KUBE-EXT-WEB", "-j KUBE-SVC-WEB"),
        ("KUBE-MARK-MASQ", "-j MARK --set-xmark 0x4000/0x4000"),
        ("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
        ("KUBE-POSTROUTING", "-j MARK --set-xmark 0x4000/0x0"),
        ("KUBE-POSTROUTING", "-j MASQUERADE --random-fully"),
        ("KUBE-SVC-WEB", "! -s 10.0.0.0/8 -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ"),
        ("KUBE-SVC-WEB", "-m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-B"),
        ("KUBE-SVC-WEB", "-j KUBE-SEP-C"),
        ("KUBE-SEP-B", "-s 10.1.0.3/32 -j KUBE-MARK-MASQ"),
        ("KUBE-SEP-B", "-p tcp -m tcp -j DNAT --to-destination 10.1.0.3:80"),
        ("KUBE-SEP-C", "-s 10.2.0.2/32 -j KUBE-MARK-MASQ"),
        ("KUBE-SEP-C", "-p tcp -m tcp -j DNAT --to-destination 10.2.0.2:80"),
    )
    lines = tuple(RuleLine(table="nat", chain=chain, text=text, random="statistic" in text) for chain, text in rules)
    return (*(Chain(table="nat", name=name) for name in chains), *lines)


KNOWN: dict[str, tuple[str, HostSpec]] = {
    "kube-proxy-nftables": (
        "a service's endpoint is drawn by lot: either way the packet arrives, and its answer comes back",
        _host(
            _CALLED,
            NativeTable(text=_KUBE_NFTABLES, random=True),
            _probe(1, "a", "10.1.0.2", "10.96.0.1", 80),
            _probe(2, OUTSIDE, OUTSIDE_SERVER, UPLINK_ADDRESS, 30080),
            _probe(3, "a", "10.1.0.2", "10.96.0.1", 53, "udp"),
            _probe(4, "a", "10.1.0.2", "10.96.0.2", 80),
            _probe(5, "a", "10.1.0.2", "10.96.0.1", 81),
            _probe(6, HOST, UPLINK_ADDRESS, "10.96.0.9", 80),
            _probe(7, HOST, UPLINK_ADDRESS, "10.96.0.1", 80),
        ),
    ),
    "kube-proxy-iptables": (
        "a chance in one rule and certainty in the next: one of the two translations is made",
        _host(
            _CALLED,
            *_kube_iptables(),
            _probe(1, "a", "10.1.0.2", "10.96.0.1", 80),
            _probe(2, OUTSIDE, OUTSIDE_SERVER, UPLINK_ADDRESS, 30080),
            _probe(3, HOST, UPLINK_ADDRESS, "10.96.0.1", 80),
            _probe(4, OUTSIDE, OUTSIDE_SERVER, UPLINK_ADDRESS, 30081),
        ),
    ),
    "translations-from-maps": (
        "a map gives address and port, or a port alone; what it doesn't have goes on to the next rule",
        _host(
            NativeTable(
                text="""
table inet own {
  map places { type inet_service : ipv4_addr . inet_service; elements = { 9000 : 10.1.0.3 . 80 } }
  chain pre {
    type nat hook prerouting priority dstnat;
    dnat ip addr . port to tcp dport map @places
    dnat ip to tcp dport map { 9001 : 10.2.0.2, 9002 : 10.1.0.3 }
    tcp dport 9003 redirect to :tcp dport map { 9003 : 22 }
    tcp dport 9004 dnat ip to ip saddr map { 198.51.100.10 : 10.2.0.2 }:80
    tcp dport 9005 dnat ip addr . port to jhash ip saddr mod 1 map { 0 : 10.2.0.2 . 80 }
  }
}
"""
            ),
            *(_probe(number, OUTSIDE, OUTSIDE_SERVER, UPLINK_ADDRESS, 8999 + number) for number in range(1, 8)),
            _probe(8, OUTSIDE, OUTSIDE_ADDRESS, UPLINK_ADDRESS, 9004),
        ),
    ),
    "routes-asked-by-rules": (
        "rules that ask for routes, groups, kinds and types: one packet is stopped by each",
        _host(
            _run(HOST, "ip link set br0 group 5"),
            NativeTable(
                text="""
table inet own {
  chain through {
    type filter hook forward priority -5;
    iifgroup 5 tcp dport 1001 drop
    meta oifkind "veth" tcp dport 1002 drop
    meta iiftype ether tcp dport 1003 drop
    fib daddr oifname "br1" tcp dport 1004 drop
    ct reply ip saddr 10.2.0.2 tcp dport 1005 drop
    ether type ip tcp dport 1006 drop
    th dport 1007 drop
    meta skuid 0 tcp dport 1008 drop
    numgen random mod 1 0 tcp dport 1009 drop
    exthdr frag missing tcp dport 1010 drop
    icmp code net-unreachable icmp type echo-request drop
  }
  chain pre {
    type filter hook prerouting priority -5;
    fib saddr . iif oif missing tcp dport 1011 drop
    fib daddr . iif type local tcp dport 1012 drop
    meta length < 40 tcp dport 1013 drop
  }
}
"""
            ),
            *(_probe(number, "a", "10.1.0.2", "10.2.0.2", 1000 + number) for number in range(1, 12)),
            _probe(12, "a", "10.1.0.2", "10.1.0.1", 1012),
            _probe(13, "a", "10.1.0.2", "10.2.0.1", 1012),
            _probe(14, "a", "10.1.0.2", "10.2.0.1", 1013),
            _probe(15, "a", "10.1.0.2", "10.2.0.2", proto="icmp"),
            _probe(16, "a", "fd00:1::2", "fd00:2::2", 1010),
            _probe(17, "a", "fd00:1::2", "fd00:2::2", 1011),
            _probe(18, "a", "fd00:1::2", "fd00:1::1", 1012),
        ),
    ),
    "addresses-of-one-interface": (
        "iptables' own ways to ask: local on the interface of arrival, a reverse path, a socket's owner, a MAC",
        _host(
            _rule("filter", "INPUT", "-p tcp -m addrtype --dst-type LOCAL --limit-iface-in -m tcp --dport 22 -j DROP"),
            _rule("raw", "PREROUTING", "-p udp -m rpfilter --invert -j DROP"),
            _rule("filter", "OUTPUT", "-p tcp -m owner ! --uid-owner 0 -m tcp --dport 5432 -j DROP"),
            _rule("filter", "FORWARD", "-p tcp -m mac --mac-source 02:00:5e:00:00:01 -j DROP"),
            _rule("filter", "FORWARD", "-p udp -m policy --dir in --pol none -m udp --dport 54 -j DROP"),
            _probe(1, "a", "10.1.0.2", "10.1.0.1", 22),
            _probe(2, "a", "10.1.0.2", "10.2.0.1", 22),
            _probe(3, "a", "10.1.0.2", "10.2.0.2", 53, "udp"),
            _probe(4, "a", "10.1.0.2", "10.2.0.2", 54, "udp"),
            _probe(5, "a", "10.1.0.2", "10.2.0.2", 80),
        ),
    ),
    "reverse-path-asks-as-if-from-the-way-out": (
        "rp_filter looks the source up as for a packet that comes in by the device this one leaves by",
        _host(
            _run(HOST, "ip route add default dev br1 table 100"),
            _run(HOST, "ip rule add iif br1 pref 100 lookup 100"),
            _sysctl("ipv4.conf.eth0.rp_filter", 1),
            _probe(1, OUTSIDE, OUTSIDE_ADDRESS, "10.2.0.2", 80),
            _probe(2, OUTSIDE, OUTSIDE_ADDRESS, "10.1.0.2", 80),
        ),
    ),
    "bridged-dnat": (
        "a frame that DNAT sends to its own bridge is bridged, and needs hairpin mode only to return to its port",
        _host(
            _CALLED,
            _PUBLISH_A,
            _PUBLISH_B,
            _rule("filter", "FORWARD", "-m physdev --physdev-is-bridged -j ACCEPT"),
            Chain(table="filter", name="FORWARD", policy="DROP"),
            _probe(1, "a", "10.1.0.2", UPLINK_ADDRESS, 8080),
            _probe(2, "a", "10.1.0.2", UPLINK_ADDRESS, 8081),
        ),
    ),
    "bridged-dnat-with-hairpin": (
        "with hairpin mode the frame returns, but its receiver sees its own address as source",
        _host(
            _CALLED,
            _PUBLISH_A,
            _run(HOST, "bridge link set dev va0 hairpin on"),
            _probe(1, "a", "10.1.0.2", UPLINK_ADDRESS, 8081),
        ),
    ),
    "bridged-dnat-needs-forwarding": (
        "with forwarding off the rewritten frame is lost, though it would only be bridged",
        _host(
            _CALLED,
            _PUBLISH_B,
            _sysctl("ipv4.conf.br0.forwarding", 0),
            _probe(1, "a", "10.1.0.2", UPLINK_ADDRESS, 8080),
            _probe(2, "a", "10.1.0.2", "10.1.0.3", 80),
        ),
    ),
    "bridged-dnat-of-ipv6-needs-no-forwarding": (
        "IPv6 asks whether it may forward only when it routes, so the rewritten frame is bridged",
        _host(
            _sysctl("bridge.bridge-nf-call-ip6tables", 1),
            _sysctl("ipv6.conf.all.forwarding", 0),
            RuleLine(
                family="ip6",
                table="nat",
                chain="PREROUTING",
                text="-p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:1::3]:80",
            ),
            _probe(1, "a", "fd00:1::2", UPLINK_ADDRESS6, 8080),
            _probe(2, "a", "fd00:1::2", "fd00:2::2", 80),
        ),
    ),
    "bridged-dnat-to-an-own-entry": (
        "a MAC address that the bridge has for its own leads the redirected frame up, where it is routed",
        _host(
            _sysctl("bridge.bridge-nf-call-ip6tables", 1),
            _run(HOST, "bridge fdb replace 02:00:5e:01:01:00 dev vb0 master local"),
            RuleLine(
                family="ip6",
                table="nat",
                chain="PREROUTING",
                text="-p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00:1::3]:80",
            ),
            _probe(1, "a", "fd00:1::2", UPLINK_ADDRESS6, 8080),
        ),
    ),
    "a-proxys-socket-is-asked-for-first": (
        "what follows the SYN has a socket already, is accepted without the mark, and is routed past the proxy",
        msgspec.structs.replace(
            _host(
                _run(HOST, "ip rule add fwmark 0x77 lookup 177"),
                _run(HOST, "ip route add local 0.0.0.0/0 dev lo table 177"),
                _rule("mangle", "PREROUTING", "-p tcp -m socket -j ACCEPT"),
                _rule(
                    "mangle",
                    "PREROUTING",
                    "-i eth0 -p tcp -m tcp --dport 80 -j TPROXY --on-ip 203.0.113.2 --on-port 3129 "
                    "--tproxy-mark 0x77/0xff",
                ),
                msgspec.structs.replace(_probe(1, OUTSIDE, OUTSIDE_ADDRESS, "10.1.0.2", 80), connects=True),
            ),
            bound=(Bound(place=HOST, proto="tcp", address="203.0.113.2", port=3129, transparent=True),),
        ),
    ),
    "wrong-mac-rescued-by-dnat": (
        "a frame for a MAC that nobody has still passes PREROUTING at its port, and DNAT hands it to the host",
        _host(
            _CALLED,
            _rule("nat", "PREROUTING", "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.2.0.2:80"),
            _run("a", "ip neigh replace 10.1.0.1 lladdr 02:00:5e:ff:ff:ff dev eth0 nud permanent"),
            _probe(1, "a", "10.1.0.2", UPLINK_ADDRESS, 8080),
            _probe(2, "a", "10.1.0.2", UPLINK_ADDRESS, 22),
        ),
    ),
    "port-without-its-bridge": (
        "the container goes on sending to the bridge's MAC, which the lone port doesn't take",
        _host(_run(HOST, "ip link set va0 nomaster"), _probe(1, "a", "10.1.0.2", "10.1.0.1", 22)),
    ),
    "raw-sees-no-connection": (
        "before conntrack every packet is INVALID, and no status of a connection matches",
        _host(
            _rule("raw", "PREROUTING", "-m conntrack --ctstate DNAT -j CT --notrack"),
            _rule("raw", "PREROUTING", "-p udp -m conntrack --ctstate INVALID -j CT --notrack"),
            _PUBLISH_B,
            _rule("filter", "FORWARD", "-m conntrack --ctstate UNTRACKED -j DROP"),
            _probe(1, "c", "10.2.0.2", UPLINK_ADDRESS, 8080),
            _probe(2, "c", "10.2.0.2", "10.1.0.2", 53, "udp"),
        ),
    ),
    "mark-in-output-reroutes": (
        "a mark set in mangle's OUTPUT has the route looked up anew; one set in filter comes too late",
        _host(
            _run(HOST, "ip route add blackhole default table 100"),
            _run(HOST, "ip rule add fwmark 0x1 pref 100 lookup 100"),
            _rule("mangle", "OUTPUT", "-p tcp -j MARK --set-xmark 0x1/0xffffffff"),
            _rule("filter", "OUTPUT", "-p udp -j MARK --set-xmark 0x1/0xffffffff"),
            _probe(1, HOST, UPLINK_ADDRESS, OUTSIDE_SERVER, 80),
            _probe(2, HOST, UPLINK_ADDRESS, OUTSIDE_SERVER, 53, "udp"),
        ),
    ),
    "filter-output-sees-the-new-destination": (
        "NAT comes before filter in OUTPUT, so rules there see the rewritten packet",
        _host(
            _rule("nat", "OUTPUT", "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.3:80"),
            _rule("filter", "OUTPUT", "-d 10.1.0.3/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset"),
            _probe(1, HOST, UPLINK_ADDRESS, UPLINK_ADDRESS, 8080),
            _probe(2, HOST, UPLINK_ADDRESS, UPLINK_ADDRESS, 22),
        ),
    ),
    "loopback-source-stays-on-the-loopback": (
        "a packet from 127.0.0.1 that DNAT sends elsewhere needs route_localnet there",
        _host(
            _rule("nat", "OUTPUT", "-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.0.3:80"),
            _rule("nat", "OUTPUT", "-p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.2.0.2:80"),
            _rule("nat", "POSTROUTING", "-s 127.0.0.0/8 ! -o lo -j MASQUERADE"),
            _sysctl("ipv4.conf.br1.route_localnet", 1),
            _probe(1, HOST, "127.0.0.1", "127.0.0.1", 8080),
            _probe(2, HOST, "127.0.0.1", "127.0.0.1", 8081),
        ),
    ),
    "refusal-of-a-datagram": (
        "a closed UDP port is answered by an ICMP error, which is RELATED and translated back",
        _host(
            _rule("nat", "PREROUTING", "-p udp -m udp --dport 9000 -j DNAT --to-destination 10.1.0.3:54"),
            _rule("filter", "FORWARD", "-m conntrack --ctstate ESTABLISHED -j DROP"),
            _probe(1, OUTSIDE, OUTSIDE_SERVER, UPLINK_ADDRESS, 9000, "udp"),
            _probe(2, OUTSIDE, OUTSIDE_SERVER, "10.1.0.2", 53, "udp"),
        ),
    ),
    "isolated-ports": (
        "two isolated ports don't reach each other, whatever the rules say; each reaches the host",
        _host(
            _CALLED,
            _run(HOST, "bridge link set dev va0 isolated on"),
            _run(HOST, "bridge link set dev vb0 isolated on"),
            _probe(1, "a", "10.1.0.2", "10.1.0.3", 80),
            _probe(2, "a", "10.1.0.2", "10.1.0.1", 22),
        ),
    ),
    "both-backends-drop": (
        "chains of equal priority in two backends both drop: which one does it can't be seen",
        _host(
            _rule("filter", "FORWARD", "-i br0 -o br1 -j DROP"),
            _rule("filter", "FORWARD", "-o br1 -j DROP", legacy=True),
            _probe(1, "a", "10.1.0.2", "10.2.0.2", 80),
            _probe(2, "c", "10.2.0.2", "10.1.0.2", 80),
        ),
    ),
    "masquerade-takes-the-address-near-the-next-hop": (
        "of several addresses of the device it is the one in the next hop's subnet",
        _host(
            _run(HOST, "ip address del 203.0.113.2/24 dev eth0"),
            _run(HOST, "ip address add 192.0.2.2/24 dev eth0"),
            _run(HOST, "ip address add 203.0.113.2/24 dev eth0"),
            _run(HOST, f"ip route replace default via {OUTSIDE_ADDRESS}"),
            _rule("nat", "POSTROUTING", f"-o {UPLINK} -j MASQUERADE"),
            _probe(1, "a", "10.1.0.2", OUTSIDE_SERVER, 80),
        ),
    ),
    "neighbour-discovery-is-filtered": (
        "IPv6 asks for a neighbour by ICMPv6, which rules can stop; one that is remembered needs no question",
        _host(
            _sysctl("bridge.bridge-nf-call-ip6tables", 1),
            RuleLine(family="ip6", table="filter", chain="FORWARD", text="-i br0 -o br0 -p tcp -j ACCEPT"),
            RuleLine(family="ip6", table="filter", chain="FORWARD", text="-i br0 -o br0 -j DROP"),
            _run("a", "ip -6 neigh flush all"),
            _probe(1, "a", "fd00:1::2", "fd00:1::3", 80),
            _probe(2, "b", "fd00:1::3", "fd00:1::2", 80),
            _probe(3, "c", "fd00:2::2", "fd00:1::3", 80),
        ),
    ),
    "arp-is-filtered": (
        "rules of the families arp and bridge stop the question for a MAC address; one that is remembered needs none",
        _host(
            _CALLED,
            NativeTable(
                text="table bridge own { chain through { type filter hook forward priority 0;"
                " ether type arp arp daddr ip 10.1.0.3 drop; }; }"
            ),
            NativeTable(
                place="c",
                text="table arp own { chain in { type filter hook input priority 0;"
                " arp operation request arp saddr ip 10.2.0.1 drop; }; }",
            ),
            _run("a", "ip neigh flush all"),
            _run(HOST, "ip neigh flush dev br1"),
            _probe(1, "a", "10.1.0.2", "10.1.0.3", 80),
            _probe(2, "b", "10.1.0.3", "10.1.0.2", 80),
            _probe(3, "a", "10.1.0.2", "10.2.0.2", 80),
            _probe(4, "a", "10.1.0.2", "10.1.0.1", 22),
        ),
    ),
    "arp-answers-are-filtered": (
        "arptables writes into the family arp: an answer that isn't sent leaves the asker waiting",
        _host(
            _run("b", "arptables-nft -A OUTPUT --opcode Reply -j DROP"),
            _run("a", "ip neigh flush all"),
            _probe(1, "a", "10.1.0.2", "10.1.0.3", 80),
            _probe(2, "a", "10.1.0.2", "10.2.0.2", 80),
        ),
    ),
    "bridge-input-is-filtered": (
        "what goes up from a bridge to its host passes the bridge family's input, what crosses it does not",
        _host(
            _CALLED,
            NativeTable(
                text="table bridge own { chain up { type filter hook input priority 0;"
                ' iifname "va0" tcp dport { 22, 5432 } drop; ether saddr 02:00:5e:00:00:99 drop; }; }'
            ),
            _probe(1, "a", "10.1.0.2", "10.1.0.1", 22),
            _probe(2, "a", "10.1.0.2", "10.1.0.3", 22),
            _probe(3, "a", "10.1.0.2", "10.2.0.2", 5432),
            _probe(4, "b", "10.1.0.3", "10.1.0.1", 22),
        ),
    ),
    "neighbour-discovery-is-filtered-by-the-bridge": (
        "a bridge's own rule against ICMPv6's questions keeps its containers apart",
        _host(
            NativeTable(
                text="table bridge own { chain through { type filter hook forward priority 0;"
                " icmpv6 type nd-neighbor-solicit drop; }; }"
            ),
            _run("a", "ip -6 neigh flush all"),
            _probe(1, "a", "fd00:1::2", "fd00:1::3", 80),
            _probe(2, "b", "fd00:1::3", "fd00:2::2", 80),
        ),
    ),
    "bridged-without-iptables": (
        "without br_netfilter a bridged packet sees no rule, and none knows its port",
        _host(
            _NOT_CALLED,
            _rule("filter", "FORWARD", "-i br0 -o br0 -j DROP"),
            _rule("filter", "INPUT", "-m physdev --physdev-in va0 -j DROP"),
            _probe(1, "a", "10.1.0.2", "10.1.0.3", 80),
            _probe(2, "a", "10.1.0.2", "10.1.0.1", 22),
        ),
    ),
}
"""By name: what is told apart, and the host."""
