"""Small hosts on which the kernel does what one wouldn't guess: each tells a right walk from a plausible one.

They are run for real by the lab, and recorded (``script/differential --record``)
for tests that need no kernel.
"""

from __future__ import annotations

from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_SERVER,
    UPLINK,
    UPLINK_ADDRESS,
    UPLINK_ADDRESS6,
    Box,
    Bridge,
    Chain,
    HostSpec,
    Leg,
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


def _host(*parts: Step | RuleLine | Chain | Probe) -> HostSpec:
    """Two bridges, ``a`` and ``b`` on the first and ``c`` on the second, with these peculiarities."""
    return HostSpec(
        bridges=(_BR0, _BR1),
        boxes=(_A, _B, _C),
        tcp=(22, 80),
        udp=(53,),
        steps=tuple(item for item in parts if isinstance(item, Step)),
        chains=tuple(item for item in parts if isinstance(item, Chain)),
        rules=tuple(item for item in parts if isinstance(item, RuleLine)),
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

KNOWN: dict[str, tuple[str, HostSpec]] = {
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
