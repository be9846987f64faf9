"""Which destinations stand out in a sample of tracked connections, and how the kernel is asked for them."""

from __future__ import annotations

import ipaddress

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.sockets.conntrack_parse import parse_entry
from dnet_tui.inspect.kernel.sockets.nat_ports import CountingBudget, asking_for, outstanding
from dnet_tui.inspect.model import NatPortUse
from dnet_tui.inspect.model.protocols import PROTOCOLS

NESTED = 1 << 15
HOST, SERVER = "203.0.113.2", "198.51.100.10"
SRC_NAT = 1 << 4
NUMBERS = {name: number for number, name in PROTOCOLS.items()}


def way(source: str, destination: str, sport: int, dport: int, proto: str) -> bytes:
    first = 1 if "." in source else 3
    ends = [ipaddress.ip_address(address).packed for address in (source, destination)]
    addresses = attribute(first, ends[0]) + attribute(first + 1, ends[1])
    ports = attribute(2, sport.to_bytes(2, "big")) + attribute(3, dport.to_bytes(2, "big"))
    return attribute(NESTED | 1, addresses) + attribute(NESTED | 2, attribute(1, bytes([NUMBERS[proto]])) + ports)


def body(port: int, *, server: str = SERVER, dport: int = 443, proto: str = "tcp", status: int = SRC_NAT) -> bytes:
    """A connection as ctnetlink dumps it: begun by 172.17.0.2 (or fd00::2), translated to the host's address."""
    six = ":" in server
    inner, outer = ("fd00::2", "2001:db8::2") if six else ("172.17.0.2", HOST)
    original, reply = way(inner, server, port, dport, proto), way(server, outer, dport, port, proto)
    told = attribute(NESTED | 1, original) + attribute(NESTED | 2, reply) + attribute(3, status.to_bytes(4, "big"))
    return bytes([10 if six else 2, 0, 0, 0]) + told


def use(**changes: object) -> NatPortUse:
    fields = {"family": "ip", "proto": "tcp", "source": HOST, "target": SERVER, "port": 443, "count": 0} | changes
    return NatPortUse(**fields)  # type: ignore[arg-type]


MANY = [body(2000 + number) for number in range(100)]
"""All of a sample to one server."""


def test_a_destination_that_takes_the_whole_sample_stands_out() -> None:
    assert outstanding(MANY, 60_000) == (use(),)


def test_the_same_in_ipv6() -> None:
    sample = [body(2000 + number, server="2001:db8:77::9") for number in range(100)]
    assert outstanding(sample, 60_000) == (use(family="ip6", source="2001:db8::2", target="2001:db8:77::9"),)


def test_the_share_of_the_sample_is_set_against_all_connections() -> None:
    others = [body(2000 + number, server=f"192.0.2.{number}") for number in range(100)]
    assert outstanding([*MANY[:10], *others], 1_000_000) == (use(),)  # 9 % of a million
    assert outstanding([*MANY[:10], *others], 60_000) == ()  # 9 % of sixty thousand


def test_ports_servers_and_protocols_are_told_apart() -> None:
    apart = [
        body(2000 + number, server=f"198.51.100.{number % 3}", dport=80 + number % 2, proto=proto)
        for number in range(50)
        for proto in ("tcp", "udp")
    ]
    assert outstanding(apart, 60_000) == ()


def test_connections_that_are_not_translated_take_no_port() -> None:
    assert outstanding([body(2000 + number, status=0) for number in range(100)], 60_000) == ()


def test_what_is_no_connection_is_passed_over() -> None:
    assert outstanding([b"", b"\x02\0\0\0", b"nonsense"], 60_000) == ()


def test_the_words_that_a_connection_is_told_by_are_in_its_message_and_in_no_other() -> None:
    for item in (body(2000), body(2001, server="2001:db8:77::9"), body(2002, proto="udp")):
        entry = parse_entry(item)
        assert entry is not None
        asked = use(
            family=entry.family,
            proto=entry.proto,
            source=entry.reply.dst,
            target=entry.reply.src,
            port=entry.reply.sport,
        )
        needle = asking_for(asked)[1]
        assert needle in item
        others = [body(2000, server="198.51.100.11"), body(2000, dport=444), body(2000, proto="sctp")]
        assert not any(needle in other for other in others)


def test_time_is_used_up_by_work_or_by_the_clock() -> None:
    assert not CountingBudget(60.0, 60.0).is_spent()
    assert CountingBudget(0.0, 60.0).is_spent()
    assert CountingBudget(60.0, 0.0).is_spent()
