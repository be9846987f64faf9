"""A packet that gets lost on its way is missed at the right point, with what really stops it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from dnet_tui.tui.exit_codes import Exit
from lab.capture.test_capture import PATH, capturing, finish
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost
from lab.packets.traffic import Probe, went

IPT = "iptables-nft"
CORP = "type filter hook"

VANISHED: dict[str, tuple[list[str], list[str], str]] = {
    "a drop before the bridge": (
        [f"{IPT} -t raw -I PREROUTING -p icmp -j DROP"],
        [f"{IPT} -t raw -D PREROUTING -p icmp -j DROP"],
        "NOT at br-front, eth0 within 200 ms: dropped by raw PREROUTING rule 1",
    ),
    "a drop in mangle PREROUTING": (
        [f"{IPT} -t mangle -I PREROUTING -i br-front -p icmp -j DROP"],
        [f"{IPT} -t mangle -D PREROUTING -i br-front -p icmp -j DROP"],
        "NOT at br-front, eth0 within 200 ms: dropped by mangle PREROUTING rule 1",
    ),
    "a drop in FORWARD": (
        [f"{IPT} -I FORWARD -p icmp -j DROP"],
        [f"{IPT} -D FORWARD -p icmp -j DROP"],
        "NOT at eth0 within 200 ms: dropped by filter FORWARD rule 1: -p icmp -j DROP",
    ),
    "a drop in mangle FORWARD": (
        [f"{IPT} -t mangle -I FORWARD -p icmp -j DROP"],
        [f"{IPT} -t mangle -D FORWARD -p icmp -j DROP"],
        "NOT at eth0 within 200 ms: dropped by mangle FORWARD rule 1",
    ),
    "a drop at the very end": (
        [f"{IPT} -t mangle -I POSTROUTING -o eth0 -j DROP"],
        [f"{IPT} -t mangle -D POSTROUTING -o eth0 -j DROP"],
        "NOT at eth0 within 200 ms: dropped by mangle POSTROUTING rule 1",
    ),
    "a refusal": (
        [f"{IPT} -I FORWARD -p icmp -j REJECT --reject-with icmp-admin-prohibited"],
        [f"{IPT} -D FORWARD -p icmp -j REJECT --reject-with icmp-admin-prohibited"],
        "NOT at eth0 within 200 ms: rejected by filter FORWARD rule 1",
    ),
    "a native rule": (
        [
            "nft add table inet corp",
            f"nft add chain inet corp fw {{ {CORP} forward priority 5 ; }}",
            "nft add rule inet corp fw ip saddr 172.30.1.0/24 drop",
        ],
        ["nft delete table inet corp"],
        "NOT at eth0 within 200 ms: dropped by corp fw rule 1",
    ),
    "a rule at the device": (
        [
            "nft add table netdev corp",
            f"nft add chain netdev corp in {{ {CORP} ingress device veth-web priority 0 ; }}",
            "nft add rule netdev corp in ip protocol icmp drop",
        ],
        ["nft delete table netdev corp"],
        "NOT at br-front, eth0 within 200 ms: dropped by corp in rule 1",
    ),
    "a rule of the bridge": (
        [
            "nft add table bridge corp",
            f"nft add chain bridge corp pre {{ {CORP} prerouting priority 0 ; }}",
            "nft add rule bridge corp pre ip protocol icmp drop",
        ],
        ["nft delete table bridge corp"],
        "NOT at br-front, eth0 within 200 ms: dropped by corp pre rule 1",
    ),
    "a route that swallows": (
        ["ip route add blackhole 198.51.100.0/24"],
        ["ip route del blackhole 198.51.100.0/24"],
        "NOT any further within 200 ms: dropped by blackhole 198.51.100.0/24",
    ),
    "a route that refuses": (
        ["ip route add unreachable 198.51.100.0/24"],
        ["ip route del unreachable 198.51.100.0/24"],
        "NOT any further within 200 ms: no route: unreachable 198.51.100.0/24",
    ),
    "no route": (
        ["ip route del default"],
        ["ip route add default via 203.0.113.1"],
        "NOT any further within 200 ms: no route: no route to 198.51.100.",
    ),
    "a policy rule": (
        ["ip rule add from 172.30.1.0/24 prohibit priority 50"],
        ["ip rule del priority 50"],
        "NOT any further within 200 ms: no route: policy rule 50: prohibit",
    ),
    "a table of its own": (
        ["ip route add blackhole default table 77", "ip rule add from 172.30.1.0/24 lookup 77 priority 51"],
        ["ip rule del priority 51", "ip route flush table 77"],
        "NOT any further within 200 ms: dropped by blackhole default table 77",
    ),
    "forwarding": (
        ["sysctl -qw net.ipv4.ip_forward=0"],
        ["sysctl -qw net.ipv4.ip_forward=1"],
        "NOT at eth0 within 200 ms: dropped by net.ipv4.conf.br-front.forwarding = 0",
    ),
    "a source that should come elsewhere": (
        ["ip route add 172.30.1.2/32 dev eth0", "sysctl -qw net.ipv4.conf.br-front.rp_filter=1"],
        ["ip route del 172.30.1.2/32 dev eth0", "sysctl -qw net.ipv4.conf.br-front.rp_filter=0"],
        "NOT at eth0 within 200 ms: dropped by net.ipv4.conf.br-front.rp_filter = 1",
    ),
    "a policy of IPsec": (
        ["ip xfrm policy add dir fwd src 172.30.1.0/24 dst 0.0.0.0/0 action block"],
        ["ip xfrm policy flush"],
        "NOT at eth0 within 200 ms: dropped by IPsec policy",
    ),
}


@pytest.mark.parametrize("what", VANISHED)
def test_what_stops_a_packet_is_named(demo_host: DemoHost, what: str) -> None:
    make, take_back, expected = VANISHED[what]
    went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))  # so that it knows its gateway's MAC
    with ExitStack() as stack:
        for command in reversed(take_back):
            stack.callback(demo_host.run, *command.split(), check=False)
        for command in make:
            demo_host.run(*command.split())
        process = stack.enter_context(capturing(demo_host, *PATH, "--filter", "icmp[0] == 8", "--count", "1"))
        went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))
        out, err, code = finish(process)
    assert code == Exit.OK, err
    assert expected in out.decode().splitlines()[1]


def test_an_answer_that_gets_lost_is_missed_on_its_way_back(demo_host: DemoHost) -> None:
    rule = ["FORWARD", "-i", "eth0", "-p", "icmp", "-j", "DROP"]
    demo_host.run(IPT, "-I", *rule)
    try:
        with capturing(demo_host, *PATH, "--filter", "icmp", "--count", "2") as process:
            went(demo_host, Probe("web", OUTSIDE_SERVER, proto="icmp"))
            out, err, code = finish(process)
    finally:
        demo_host.run(IPT, "-D", *rule)
    assert code == Exit.OK, err
    _, question, answer = out.decode().splitlines()
    assert "NOT" not in question
    assert "NOT at web:eth0, veth-web, br-front within 200 ms: dropped by filter FORWARD rule 1" in answer
