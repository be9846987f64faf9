"""Hosts of which a trace once was confidently wrong, each built for real: what is said now, and what really happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.differential import userland_proxy
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost

WEB, API = "172.30.1.2", "172.30.1.3"
_ASK = """
import socket, sys
target, port = sys.argv[1], int(sys.argv[2])
try:
    with socket.create_connection((target, port), timeout=2.5) as sock:
        sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        print("answered" if sock.recv(64) else "closed")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("nothing")
"""
_OTHER_SERVER = """
import socket
server = socket.create_server(("", 20559))
while True:
    client, _ = server.accept()
    client.recv(99)
    client.sendall(b"the host")
    client.close()
"""
_MAC = "$(ip -n api -o link show eth0 | grep -o 'ether [^ ]*' | cut -d' ' -f2)"
_SIX = (
    "ip -n web addr add fd00:1::2/64 dev eth0 nodad; ip -n web route add default via fd00:1::1; "
    "ip addr add fd00:1::1/64 dev br-front nodad"
)
_HOP_LIMIT = "ip6tables -A INPUT -p icmpv6 -m hl --hl"
_GATEWAY = (
    "ip -n web route del default; ip -n web route add 169.254.1.1 dev eth0; ip -n web route add default via 169.254.1.1"
)
_PROXIED = (
    "ip addr add 2001:db8:5::2/64 dev eth0 nodad; ip route add 2001:db8:5::77/128 dev br-front; "
    "ip -n web addr add 2001:db8:5::77/128 dev eth0 nodad; ip -n internet addr add 2001:db8:5::1/64 dev eth0 nodad; "
    "ip neigh add proxy 2001:db8:5::77 dev eth0; sysctl -qw net.ipv6.conf.all.forwarding=1; sleep 1.2"
)
_OUTSIDE6 = "2001:db8:77::7"
_SETTLED = "; ".join(
    f"until ! ip {place} -6 addr show tentative | grep -q inet6; do sleep 0.1; done"
    for place in ("", "-n web", "-n internet")
)
"""An address that is still tried for duplicates asks for nobody, a link-local one among them."""
_FOUND = (
    f"{_SIX}; ip addr add 2001:db8:5::2/64 dev eth0 nodad; ip -n internet addr add 2001:db8:5::1/64 dev eth0 nodad; "
    "ip route add default via 2001:db8:5::1; sysctl -qw net.ipv6.conf.all.forwarding=1; "
    "ip -n internet route add fd00:1::/64 via 2001:db8:5::2; "
    "ip netns exec internet nft add table ip6 n; "
    "ip netns exec internet nft add chain ip6 n c '{ type nat hook prerouting priority -100; }'; "
    f"ip netns exec internet nft add rule ip6 n c ip6 daddr {_OUTSIDE6} redirect; "
    f"ip neigh flush dev eth0; ip -n internet neigh flush dev eth0; {_SETTLED}"
)
"""IPv6 with a router out of sight, whose MAC address isn't known yet; no table of IPv6 is there."""
_ROUTED = f"{_FOUND}; ip6tables -I INPUT -p icmpv6"
_POLICY = f"{_FOUND}; ip xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp"
_ROUTERS_MAC = "$(ip -n internet -o link show eth0 | grep -o 'ether [^ ]*' | cut -d' ' -f2)"

_MACVLAN = (
    "ip netns add mac; ip link add mv0 link br-front type macvlan mode bridge; ip link set mv0 netns mac; "
    "ip -n mac addr add 172.30.1.77/24 dev mv0; ip -n mac route add default via 172.30.1.1 dev mv0 onlink || true"
)
"""One above the bridge of web and api, not up yet."""


class Once(NamedTuple):
    """A host that was judged wrongly: how it is made, what is asked, what is to be said and what happens."""

    setup: str
    source: str
    target: str
    verdict: str
    really: str
    port: int = 80
    received_by: str = ""


CASES = {
    "redirected": Once(
        "iptables -t nat -I PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 20559",
        *("web", OUTSIDE_SERVER, "delivered", "answered"),
        received_by="host",
    ),
    "no masquerading": Once(
        "iptables -t nat -D POSTROUTING -s 172.30.1.0/24 ! -o br-front -j MASQUERADE",
        *("web", OUTSIDE_SERVER, "answer no-route", "nothing"),
    ),
    "proxy ARP for a gateway": Once(
        f"{_GATEWAY}; sysctl -qw net.ipv4.conf.br-front.proxy_arp=1",
        *("web", OUTSIDE_SERVER, "delivered", "answered"),
        received_by="internet",
    ),
    "without it": Once(_GATEWAY, "web", OUTSIDE_SERVER, "unreachable", "nothing"),
    "arp_ignore": Once(
        "sysctl -qw net.ipv4.conf.br-front.arp_ignore=8; ip -n web neigh flush all",
        *("web", OUTSIDE_SERVER, "unreachable", "nothing"),
    ),
    "a sticky entry": Once(
        f"mac={_MAC}; bridge fdb replace $mac dev veth-web master static sticky",
        *("host", API, "unreachable", "nothing"),
    ),
    "no unknown unicast": Once(
        f"mac={_MAC}; ip neigh replace {API} lladdr $mac dev br-front nud permanent; "
        "bridge link set dev veth-api flood off learning off; bridge fdb del $mac dev veth-api master || true",
        *("host", API, "unreachable", "nothing"),
    ),
    "an IPsec policy": Once(
        "ip xfrm policy add dir fwd src 172.30.1.0/24 dst 0.0.0.0/0 action block",
        *("web", OUTSIDE_SERVER, "dropped", "nothing"),
    ),
    "an IPsec policy for a device": Once(
        "ip xfrm policy add dir out src 172.30.1.0/24 dst 172.30.1.0/24 dev br-front action block",
        *("host", WEB, "dropped", "nothing"),
    ),
    "an IPsec policy for a device, and IPv6": Once(
        f"{_SIX}; ip xfrm policy add dir out src fd00:1::/64 dst fd00:1::/64 dev br-front action block",
        *("host", "fd00:1::2", "refused", "refused", 81),
    ),
    "not tracked": Once(
        "iptables -t raw -I PREROUTING -i br-front -j CT --notrack; iptables -I FORWARD -j ACCEPT",
        *("web", OUTSIDE_SERVER, "answer no-route", "nothing"),
    ),
    "invalid before conntrack": Once(
        f"{_SIX}; nft add table ip6 early; "
        "nft 'add chain ip6 early out { type filter hook output priority raw; }'; "
        "nft add rule ip6 early out ct state invalid icmpv6 type nd-neighbor-advert drop",
        *("web", "fd00:1::1", "unreachable", "nothing"),
    ),
    "a sticky entry behind a rule": Once(
        f"mac={_MAC}; ip link add v9 type veth peer name v9p; ip link set v9p up; ip link set v9 up master br-front; "
        "bridge fdb replace $mac dev v9 master static sticky; "
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1; iptables -I FORWARD -i br-front -o br-front -j DROP",
        *("web", API, "dropped", "nothing"),
    ),
    "a macvlan that is down": Once(
        f"{_MACVLAN}; sysctl -qw net.bridge.bridge-nf-call-iptables=1; "
        "iptables -t mangle -I PREROUTING -d 172.30.1.77 -j DROP",
        *("web", "172.30.1.77", "unreachable", "nothing"),
    ),
    "a macvlan's answer": Once(
        f"{_MACVLAN}; ip -n mac link set mv0 up; tc qdisc replace dev br-front root pfifo_head_drop limit 0",
        *("web", "172.30.1.77", "unreachable", "nothing"),
    ),
    "no carrier": Once(
        "ip -n internet link set eth0 down",
        *("web", OUTSIDE_SERVER, "unreachable", "nothing"),
    ),
    "no default route": Once("ip route del default", "web", OUTSIDE_SERVER, "no-route", "nothing"),
    "a set without an end": Once(
        f"ipset create s hash:ip timeout 0; ipset add s {WEB}; iptables -I FORWARD -m set --match-set s src -j DROP",
        *("web", OUTSIDE_SERVER, "dropped", "nothing"),
    ),
    "two marks in one rule": Once(
        f"iptables -t mangle -I PREROUTING -s {WEB} -j MARK --set-mark 0x10; "
        "iptables -I FORWARD -m mark --mark 0x10/0xf0 -m mark ! --mark 0x1/0x1 -j DROP",
        *("web", OUTSIDE_SERVER, "dropped", "nothing"),
    ),
    "a limit before an accept": Once(
        f"iptables -I FORWARD -s {WEB} -j DROP; iptables -I FORWARD -s {WEB} -m limit --limit 10/s -j ACCEPT",
        *("web", OUTSIDE_SERVER, "delivered", "answered"),
    ),
    "a zone": Once(
        "iptables -t raw -I PREROUTING -j CT --zone 5; iptables -t raw -I OUTPUT -j CT --zone 5",
        *("web", OUTSIDE_SERVER, "delivered", "answered"),
    ),
    "no transparent proxy": Once(
        f"iptables -t mangle -I PREROUTING -p tcp -s {WEB} -j TPROXY --on-port 3129",
        *("web", OUTSIDE_SERVER, "dropped", "nothing"),
    ),
    "the sender's user": Once(
        f"iptables -I OUTPUT -m owner --uid-owner 0 -d {OUTSIDE_SERVER} -j DROP",
        *("host", OUTSIDE_SERVER, "dropped", "nothing"),
    ),
    "a tunnel inside": Once(
        "iptables -I FORWARD -j ACCEPT; ip -n web tuntap add tun9 mode tun; ip -n web addr add 10.66.0.2/24 dev tun9; "
        "ip -n web link set tun9 up; ip -n web route add 0.0.0.0/1 dev tun9; ip -n web route add 128.0.0.0/1 dev tun9",
        *("outside", UPLINK_ADDRESS, "answer unreachable", "nothing"),
        port=8080,
        received_by="web",
    ),
    "proxy NDP": Once(
        f"{_SIX}; {_PROXIED}; sysctl -qw net.ipv6.conf.all.proxy_ndp=1",
        *("2001:db8:5::1", "2001:db8:5::77", "refused", "refused"),
    ),
    "no proxy NDP": Once(
        f"{_SIX}; {_PROXIED}; sysctl -qw net.ipv6.conf.all.proxy_ndp=0",
        *("2001:db8:5::1", "2001:db8:5::77", "unreachable", "nothing"),
    ),
    "no neighbour discovery": Once(
        f"{_SIX}; ip6tables -I INPUT -p icmpv6 -j DROP",
        *("web", "fd00:1::1", "unreachable", "nothing"),
    ),
    "neighbour discovery by its hop limit": Once(
        f"{_SIX}; {_HOP_LIMIT}-eq 255 -j ACCEPT; ip6tables -A INPUT -p icmpv6 -j DROP",
        *("web", "fd00:1::1", "refused", "refused"),
    ),
    "neighbour discovery by another's hop limit": Once(
        f"{_SIX}; {_HOP_LIMIT}-eq 64 -j ACCEPT; ip6tables -A INPUT -p icmpv6 -j DROP",
        *("web", "fd00:1::1", "unreachable", "nothing"),
    ),
    "what was forwarded is no neighbour discovery": Once(
        f"{_SIX}; {_HOP_LIMIT}-lt 255 -j DROP", "web", "fd00:1::1", "refused", "refused"
    ),
    "a router's advertisement": Once(
        f"{_ROUTED} --icmpv6-type neighbour-advertisement -j DROP", "web", _OUTSIDE6, "unreachable", "nothing"
    ),
    "a router's answer to IPv6": Once(_FOUND, "web", _OUTSIDE6, "unanswerable", "refused"),
    "an IPsec policy about questions": Once(
        f"{_POLICY} type 135 dir out action block", "web", _OUTSIDE6, "unreachable", "nothing"
    ),
    "an IPsec policy about answers": Once(
        f"{_POLICY} type 136 dir in action block", "web", _OUTSIDE6, "unreachable", "nothing"
    ),
    "an IPsec policy about echoes": Once(
        f"{_POLICY} type 128 dir out action block", "web", _OUTSIDE6, "unanswerable", "refused"
    ),
    "a router's MAC address": Once(
        f"{_ROUTED} --icmpv6-type neighbour-advertisement -m mac --mac-source {_ROUTERS_MAC} -j DROP",
        *("web", _OUTSIDE6, "unknown", "nothing"),
    ),
    "another's MAC address": Once(
        f"{_ROUTED} --icmpv6-type neighbour-advertisement -m mac ! --mac-source {_ROUTERS_MAC} -j DROP",
        *("web", _OUTSIDE6, "unknown", "refused"),
    ),
    "ARP below IP": Once(
        "nft add table netdev g; nft add chain netdev g c '{ type filter hook ingress device eth0 priority 0; }'; "
        "nft add rule netdev g c ether type arp drop; ip neigh flush dev eth0",
        *("web", OUTSIDE_SERVER, "unreachable", "nothing"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_is_what_happens(demo_host: DemoHost, name: str) -> None:
    once = CASES[name]
    demo_host.run("sh", "-ec", once.setup)
    server = demo_host.sandbox.popen([sys.executable, "-c", _OTHER_SERVER]) if name == "redirected" else None
    try:
        if server is not None:
            demo_host.run("sh", "-c", "until ss -Hltn sport = :20559 | grep -q LISTEN; do sleep 0.1; done")
        words = ("trace", once.source, once.target, "--port", str(once.port), "--format", "json")
        said = json.loads(demo_host.dnet(*words).stdout)
        place = "outside" if ":" in once.source else once.source
        asked = demo_host.run(
            *demo_host.enter(place), sys.executable, "-c", _ASK, once.target, str(once.port), check=False
        )
    finally:
        if server is not None:
            server.kill()
            server.wait()
    assert (said["verdict"], asked.stdout.decode().strip()) == (once.verdict, once.really), said["why"]
    assert said["received_by"] == once.received_by or not once.received_by


_FILTER = (
    "ip netns exec web nft add table ip f; "
    "ip netns exec web nft add chain ip f i '{ type filter hook input priority 0; policy drop; }'"
)
PROXIED = {
    "as it should be": ("true", "delivered"),
    "the container's veth is down": ("ip link set veth-web down", "proxy unreachable"),
    "the bridge is down": ("ip link set br-front down", "proxy dropped"),  # led to the uplink, as without an address
    "the bridge has no address": ("ip addr flush dev br-front", "proxy dropped"),
    "INPUT drops the container's answers": ("iptables -I INPUT -i br-front -j DROP", "proxy dropped"),
    "OUTPUT drops what the proxy sends": ("iptables -I OUTPUT -o br-front -j DROP", "proxy dropped"),
    "the container's own rules drop it": (_FILTER, "proxy dropped"),
    "the container has no route back": ("ip -n web route flush all", "proxy no-route"),
    "nobody listens in the container": ("", "proxy refused"),
}
"""What comes between a userland proxy and its container, how it is made, and what a trace to the proxy's port says."""


@pytest.mark.parametrize("name", PROXIED)
def test_a_userland_proxys_own_connection_decides(demo_host: DemoHost, name: str) -> None:
    """The proxy takes the connection in any case: whether anybody answers is told by its second leg alone."""
    setup, verdict = PROXIED[name]
    words = ("-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", "8080", "-container-ip", WEB)
    port = "80" if setup else "81"
    proxy = demo_host.sandbox.popen(
        (sys.executable, "-P", "-S", str(Path(userland_proxy.__file__)), *words, "-container-port", port),
        stdout=subprocess.PIPE,
    )
    try:
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == b"ready\n"
        demo_host.run("sh", "-ec", setup)
        said = json.loads(demo_host.dnet("trace", "host", "127.0.0.1", "--port", "8080", "--format", "json").stdout)
        asked = demo_host.run(sys.executable, "-c", _ASK, "127.0.0.1", "8080", check=False)
    finally:
        proxy.kill()
        proxy.wait()
        if proxy.stdout is not None:
            proxy.stdout.close()
    assert said["verdict"] == verdict, said["why"]
    assert (asked.stdout.decode().strip() == "answered") == (verdict == "delivered")
    assert said["received_by"] == "web" or verdict != "delivered"


_ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 5353))
print("ready", flush=True)
while True:
    data, peer = sock.recvfrom(99)
    sock.sendto(data, peer)
"""
_CALL = """
import socket, sys
source, target, own = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind((source, int(own)))
    sock.settimeout(1)
    sock.connect((target, 5354))
    try:
        sock.send(b"x")
        print("answered" if sock.recv(9) else "closed")
    except ConnectionRefusedError:
        print("refused")
    except OSError:
        print("nothing")
"""


def test_a_connection_that_is_tracked_already_decides(demo_host: DemoHost) -> None:
    """A port was published when somebody already sent to it: that connection isn't translated, whatever the rules."""

    def really(own: int) -> str:
        words = (sys.executable, "-c", _CALL, OUTSIDE_SERVER, UPLINK_ADDRESS, str(own))
        return demo_host.run(*demo_host.enter("outside"), *words).stdout.decode().strip()

    def said(own: int) -> tuple[str, str]:
        words = ("--proto", "udp", "--port", "5354", "--sport", str(own), "--format", "json")
        found = json.loads(demo_host.dnet("trace", OUTSIDE_SERVER, UPLINK_ADDRESS, *words).stdout)
        return found["verdict"], found["received_by"]

    echo = demo_host.sandbox.popen(
        (*demo_host.enter("web"), sys.executable, "-c", _ECHO),
        stdout=subprocess.PIPE,
    )
    try:
        assert echo.stdout is not None
        assert echo.stdout.readline() == b"ready\n"
        assert really(41000) == "refused"
        to = f"{WEB}:5353"
        setup = f"iptables -t nat -I PREROUTING -p udp --dport 5354 -j DNAT --to {to}; iptables -I FORWARD -j ACCEPT"
        demo_host.run("sh", "-ec", setup)
        before, after = said(41000), said(41001)
        assert (really(41000), really(41001)) == ("refused", "answered")
    finally:
        echo.kill()
        echo.wait()
        if echo.stdout is not None:
            echo.stdout.close()
    assert (before, after) == (("refused", "host"), ("delivered", "web"))


_AGAIN = """
import socket, sys
target, own = sys.argv[1:]
try:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", int(own)))
        sock.settimeout(2)
        sock.connect((target, 80))
        sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        found = sock.recv(64)
        while sock.recv(4096):
            pass
        print("answered" if found else "closed")
except OSError:
    print("nothing")
"""


@pytest.mark.parametrize("rule", ["", "iptables -I FORWARD -m conntrack --ctstate NEW -j DROP"])
def test_a_connection_that_is_over_is_opened_anew(demo_host: DemoHost, rule: str) -> None:
    """It is in TIME_WAIT, and closed by FIN: a SYN of the same ports is that of a new one to every rule."""

    def really() -> str:
        words = (sys.executable, "-c", _AGAIN, OUTSIDE_SERVER, "41000")
        return demo_host.run(*demo_host.enter("web"), *words).stdout.decode().strip()

    assert really() == "answered"
    demo_host.run(
        "sh", "-c", "until conntrack -L 2>/dev/null | grep TIME_WAIT | grep -q sport=41000; do sleep 0.1; done"
    )
    demo_host.run("sh", "-ec", rule)
    words = ("--port", "80", "--sport", "41000", "--format", "json")
    said = json.loads(demo_host.dnet("trace", "web", OUTSIDE_SERVER, *words).stdout)
    assert said["verdict"] == ("dropped" if rule else "delivered"), said["why"]
    assert really() == ("nothing" if rule else "answered")


@pytest.mark.parametrize("target", ["239.1.2.3", "ff02::fb"])
def test_a_group_is_not_followed(demo_host: DemoHost, target: str) -> None:
    demo_host.run("sh", "-ec", _SIX)
    said = json.loads(demo_host.dnet("trace", "web", target, "--proto", "udp", "--format", "json").stdout)
    assert said["verdict"] == "unknown"
    assert "multicast is not followed" in said["decided_by"]["text"]
