"""What becomes of packets of sizes around an MTU: the walk says what the kernel does, wherever the narrow place is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from lab.machines.hosts import OUTSIDE_SERVER, DemoHost
from lab.packets.sized_walks import Probe, Seen, before_bridge_mtu, judged, save

SENDER = str(Path(__file__).parents[1] / "packets" / "sized_packets.py")
WEB6, API6, OUT6, SERVER6 = "fd00:1::2", "fd00:1::3", "2001:db8::1", "2001:db8:9::1"
NARROW = 1400
SIZES = (NARROW, NARROW + 1, NARROW + 4, NARROW + 5, 1500, 1700, 3000)
PROTOS = ("udp", "icmp", "tcp")
LAST = (0, "udp", 100, None)
"""The short packet that fits everywhere: once it has arrived, what was sent before is lost for good."""


SERVERS = {"4": OUTSIDE_SERVER, "6": SERVER6}
RECORD = os.environ.get("DNET_RECORD_MTU", "").split()
"""The places of which to keep what is seen, by their recordings' names (``script/recordings record mtu``)."""
ADDRESSES = {
    "4": {"web": "172.30.1.2", "api": "172.30.1.3", "host": "172.30.1.1", "outside": "203.0.113.1"},
    "6": {"web": WEB6, "api": API6, "host": "fd00:1::1", "outside": OUT6},
}


class Place(NamedTuple):
    """One narrow place, and who sends to whom across it."""

    name: str
    source: str
    target: str
    steps: tuple[tuple[str, str], ...]
    own: int = 1500
    """The sender's own MTU."""
    cut: bool = False
    """Whether br_netfilter may cut packets up, which kernels do by the bridge's MTU or not (up to 6.14)."""


def link(place: str, name: str, mtu: int = NARROW) -> tuple[str, str]:
    return place, f"ip link set {name} mtu {mtu}"


BRNF = ("host", "sysctl -qw net.bridge.bridge-nf-call-iptables={0} net.bridge.bridge-nf-call-ip6tables={0}")
ON, OFF = (BRNF[0], BRNF[1].format(1)), (BRNF[0], BRNF[1].format(0))
PLACES = (
    Place("nothing is narrow", "web", "outside", ()),
    Place(
        "the container's device", "web", "outside", (link("web", "eth0"), link("host", "br-front", 1500)), own=NARROW
    ),
    Place("the veth's host end", "web", "outside", (link("host", "veth-web"), link("host", "br-front", 1500))),
    Place("the uplink", "web", "outside", (link("host", "eth0"),)),
    Place("the uplink, uncalled", "web", "outside", (link("host", "eth0"), OFF)),
    Place("the uplink's other end", "web", "outside", (link("outside", "eth0"),)),
    Place("the bridge, forwarded to", "outside", "web", (link("host", "br-front"),)),
    Place("the bridge, sent to", "host", "web", (link("host", "br-front"),), own=NARROW),
    Place("the bridge, bridged over", "web", "api", (link("host", "br-front"), ON), cut=True),
    Place("the port, bridged over", "web", "api", (link("host", "veth-api"), OFF)),
    Place("the port, called", "web", "api", (link("host", "veth-api"), ON), cut=True),
    Place(
        "the port, called, wide bridge", "web", "api", (link("host", "veth-api"), link("host", "br-front", 1500), ON)
    ),
    Place("the port, sent to", "host", "web", (link("host", "veth-web"), link("host", "br-front", 1500))),
    Place("the other container's device", "web", "api", (link("api", "eth0"), ON)),
    Place("the other container's device, uncalled", "web", "api", (link("api", "eth0"), OFF)),
)


def _route(place: str, words: str) -> tuple[tuple[str, str], ...]:
    """The default route of both families with more words."""
    return tuple(
        (place, f"sh -c 'ip -{v} route replace $(ip -{v} route show default | head -n 1) {words}'") for v in "46"
    )


ROUTES = (
    Place("the container's route", "web", "outside", _route("web", f"mtu {NARROW}")),
    Place("the container's route, locked", "web", "outside", _route("web", f"mtu lock {NARROW}")),
    Place("the host's route", "web", "outside", _route("host", f"mtu {NARROW}")),
    Place("the host's route, locked", "web", "outside", _route("host", f"mtu lock {NARROW}")),
    Place("a route wider than its device", "web", "outside", (link("host", "eth0"), *_route("host", "mtu 1500"))),
    Place(
        "no path MTU discovery",
        "web",
        "outside",
        (link("host", "eth0"), ("web", "sysctl -qw net.ipv4.ip_no_pmtu_disc=1")),
    ),
)


@pytest.fixture
def host() -> Iterator[DemoHost]:
    """A host with both families, on which everybody may talk and nobody learns of a path's MTU."""
    with DemoHost.start() as made:
        steps = (
            ("host", "iptables-nft -I FORWARD 1 -j ACCEPT"),
            ("outside", "ip route replace 172.30.1.0/24 via 203.0.113.2"),
            ("host", "sysctl -qw net.ipv6.conf.all.forwarding=1"),
            ("host", "ip -6 addr add fd00:1::1/64 dev br-front nodad"),
            ("host", "ip -6 addr add 2001:db8::2/64 dev eth0 nodad"),
            ("web", f"ip -6 addr add {WEB6}/64 dev eth0 nodad"),
            ("api", f"ip -6 addr add {API6}/64 dev eth0 nodad"),
            ("web", "ip -6 route add default via fd00:1::1"),
            ("outside", f"ip -6 addr add {OUT6}/64 dev eth0 nodad"),
            ("outside", f"ip -6 addr add {SERVER6}/128 dev lo nodad"),
            ("outside", "ip -6 route add fd00:1::/64 via 2001:db8::2"),
            ("host", "ip -6 route add default via 2001:db8::1"),
            ("host", "ip6tables-nft -t nat -A POSTROUTING -s fd00:9::/64 -j MASQUERADE"),
        )
        for place, command in steps:
            step(made, place, command)
        yield made


def step(host: DemoHost, place: str, command: str) -> None:
    host.run(*host.enter(place), "sh", "-c", command)


def forget(host: DemoHost, place: str) -> None:
    """Keep the kernel's messages about MTUs from a sender."""
    rules = (
        "table inet deaf {\nchain in {\ntype filter hook prerouting priority -400\n"
        "icmp type destination-unreachable icmp code 4 drop\nicmpv6 type packet-too-big drop\n}\n}\n"
    )
    host.run(*host.enter(place), "nft", "-f", "-", stdin=rules.encode())


def arrive(host: DemoHost, source: str, target: str, address: str, probes: Sequence[Probe]) -> set[int]:
    """The numbers of those that get to ``address``."""
    family = "6" if ":" in address else "4"
    python = [sys.executable, "-P", SENDER]
    command = [*host.enter(target), *python, "hear", family]
    with host.sandbox.popen(command, stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"listening\n"
        host.run(*host.enter(source), *python, "send", address, stdin=json.dumps([*probes, LAST]).encode())
        heard = set(json.loads(listener.stdout.readline()))
    assert 0 in heard, "not even a short packet arrived"
    return heard


def asked(own: int) -> list[Probe]:
    """Every protocol, size and wish; a TCP packet that its sender would have sent in two isn't one."""
    probes = [(proto, size, df) for proto in PROTOS for size in SIZES for df in (False, None, True)]
    fitting = [item for item in probes if item[0] != "tcp" or item[2] is True or (item[1] <= own and item[2] is False)]
    return [(number, *item) for number, item in enumerate(fitting, start=1)]


@pytest.mark.parametrize("family", ["4", "6"])
@pytest.mark.parametrize("place", [*PLACES, *ROUTES], ids=lambda place: place.name)
def test_packets_around_an_mtu(host: DemoHost, place: Place, family: Literal["4", "6"]) -> None:
    for where, command in place.steps:
        step(host, where, command)
    ends = ADDRESSES[family]
    target = SERVERS[family] if place.target == "outside" else ends[place.target]
    forget(host, place.source)
    warm(host, place, target)
    snapshot = host.snapshot()
    probes = asked(NARROW if family == "6" else place.own)
    heard = arrive(host, place.source, place.target, target, probes)

    seen = Seen(
        snapshot=snapshot, source=ends[place.source], target=target, probes=tuple(probes), arrived=tuple(sorted(heard))
    )
    name = f"{re.sub('[^a-z]+', '-', place.name)}-ipv{family}"
    if name in RECORD:
        save(seen, name, f"packets of sizes around the MTU of {place.name}, IPv{family}")
    said = judged(seen)
    assert said["wrong"] == []
    assert said["unsure"] == [] or (place.cut and before_bridge_mtu(snapshot.host.kernel))


def warm(host: DemoHost, place: Place, target: str) -> None:
    """Let everybody learn their neighbours, of which a queue would lose packets."""
    assert 0 in arrive(host, place.source, place.target, target, [])


def test_who_is_told(host: DemoHost) -> None:
    # A message that a rule drops leaves the sender as it was; one that gets back makes the kernel refuse the next.
    step(host, "host", f"ip link set eth0 mtu {NARROW}")
    big = [(1, "udp", 1500, True)]
    for said in (False, True):
        rule = f"{'-D' if said else '-I'} OUTPUT {'' if said else '1 '}-p icmp --icmp-type 3/4 -j DROP"
        step(host, "host", f"iptables-nft {rule}")
        ran = host.dnet("trace", "web", OUTSIDE_SERVER, "--proto", "udp", "--size", "1500", "--format", "json")
        told = json.loads(ran.stdout)
        assert (ran.returncode, told["verdict"], told["decided_by"]["value"]) == (1, "too-big", str(NARROW))
        assert told["told"]["verdict"] == ("delivered" if said else "dropped")
        assert arrive(host, "web", "outside", OUTSIDE_SERVER, big) == {0}
        routes = host.run(*host.enter("web"), "ip", "route", "get", OUTSIDE_SERVER).stdout.decode()
        assert (f"mtu {NARROW}" in routes) is said


def test_linux_sets_dont_fragment_on_what_fits(host: DemoHost) -> None:
    # What a walk without a wish relies on, for sockets that nobody told anything.
    rule = "iptables-nft -t raw -I PREROUTING 1 -i br-front -m length --length 1000 -m u32 --u32 '4&0x4000=0x4000'"
    step(host, "host", rule)
    step(host, "host", "sysctl -qw net.bridge.bridge-nf-call-iptables=0")
    probes = [(1, "udp", 1000, None), (2, "icmp", 1000, None), (3, "udp", 1000, False), (4, "icmp", 1000, False)]
    assert arrive(host, "web", "outside", OUTSIDE_SERVER, probes) == {0, 1, 2, 3, 4}
    counted = host.run("iptables-nft", "-t", "raw", "-vxnL", "PREROUTING", "1").stdout.decode()
    assert counted.split()[0] == "2", counted
