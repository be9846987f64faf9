"""The packet of a live trace: right on the wire, and recognised by itself, whatever NAT made of it."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from dnet_tui.actions.live_trace.packet import LivePacket
from dnet_tui.actions.probes.probe import internet_checksum
from dnet_tui.actions.probes.raw_packet import raw_packet
from dnet_tui.diagnostics.walk.packet import Packet

PROTOS = ("tcp", "udp", "icmp")
FAMILIES = {"ip": ("10.0.0.2", "10.0.0.3"), "ip6": ("fd00::2", "fd00::3")}
HEADER = {"ip": 20, "ip6": 40}


def live(proto: str, family: str = "ip") -> LivePacket:
    src, dst = FAMILIES[family]
    name = "icmpv6" if (proto, family) == ("icmp", "ip6") else proto
    ports: dict[str, Any] = {} if proto == "icmp" else {"sport": 61000, "dport": 80}
    return LivePacket.of(Packet(family=family, src=src, dst=dst, proto=name, **ports))  # type: ignore[arg-type]


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The network header and as much of the transport header as a trace shows."""
    size = 40 if data[0] >> 4 == 6 else 20
    return data[:size], data[size : size + 20]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", PROTOS)
def test_its_checksums_are_right(proto: str, family: str) -> None:
    data = live(proto, family).data()
    size = HEADER[family]
    network, body = data[:size], data[size:]
    if family == "ip":
        assert internet_checksum(network) == 0
        number = network[9]
        pseudo = b"" if proto == "icmp" else network[12:20] + struct.pack("!BBH", 0, number, len(body))
    else:
        number = network[6]
        pseudo = network[8:40] + struct.pack("!II", len(body), number)
    assert internet_checksum(pseudo + body) == 0
    assert number == {"tcp": 6, "udp": 17, "icmp": 1 if family == "ip" else 58}[proto]


def test_a_datagram_never_says_that_it_has_no_checksum() -> None:
    # RFC 768: a sum of zero is sent as all ones.
    rest = bytes((10, 0, 0, 2, 10, 0, 0, 3, 0, 17, 0, 10)) + struct.pack("!HHHH", 1, 1, 10, 0)
    payload = internet_checksum(rest).to_bytes(2)
    assert internet_checksum(rest + payload) == 0
    data = raw_packet(src="10.0.0.2", dst="10.0.0.3", proto="udp", sport=1, dport=1, payload=payload)

    assert data[26:28] == b"\xff\xff"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", PROTOS)
def test_it_knows_itself(proto: str, family: str) -> None:
    packet = live(proto, family)
    seen = packet.recognise(*parts(packet.data()))

    assert seen is not None
    assert (seen.direction, seen.src, seen.dst) == ("there", *FAMILIES[family])


@pytest.mark.parametrize("proto", PROTOS)
def test_it_knows_itself_after_nat(proto: str) -> None:
    packet = live(proto)
    translated = msgspec.structs.replace(packet, src="203.0.113.2", dst="172.17.0.2", sport=1024, dport=8080)
    seen = packet.recognise(*parts(translated.data()))

    assert seen is not None
    assert (seen.direction, seen.dst) == ("there", "172.17.0.2")


@pytest.mark.parametrize("proto", ["tcp", "icmp"])
def test_a_neighbouring_packet_is_not_it(proto: str) -> None:
    packet = live(proto)
    other = msgspec.structs.replace(packet, sequence=packet.sequence ^ 1, token=bytes(12))

    assert packet.recognise(*parts(other.data())) is None


def test_the_answer_to_a_syn_is_known_by_what_it_acknowledges() -> None:
    packet = live("tcp")

    def answer(acknowledged: int, flags: int) -> str:
        body = struct.pack("!HHIIBBHHH", 80, 61000, 7, acknowledged % (1 << 32), 5 << 4, flags, 0, 0, 0)
        network, _ = parts(packet.data())
        seen = packet.recognise(network, body)
        return f"{seen.direction} {seen.kind}" if seen else ""

    assert answer(packet.sequence + 1, 0x12) == "back synack"
    assert answer(packet.sequence + 1, 0x14) == "back rst"
    assert answer(packet.sequence + 2, 0x12) == ""
    assert answer(packet.sequence + 1, 0x10) == ""


def test_an_echo_of_the_datagram_is_its_answer() -> None:
    packet = live("udp")
    back = msgspec.structs.replace(packet, src=packet.dst, dst=packet.src, sport=packet.dport, dport=packet.sport)
    seen = packet.recognise(*parts(back.data()))

    assert seen is not None
    assert (seen.direction, seen.kind) == ("back", "udp-reply")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", PROTOS)
def test_an_icmp_error_about_it_is_known_and_one_about_another_is_not(proto: str, family: str) -> None:
    packet = live(proto, family)
    carrier = live("icmp", family)
    network, _ = parts(carrier.data())

    def error(about: LivePacket) -> bytes:
        kind = 3 if family == "ip" else 1
        return (bytes((kind, 3, 0, 0, 0, 0, 0, 0)) + about.data())[:20]

    seen = packet.recognise(network, error(packet))
    assert seen is not None
    assert (seen.direction, seen.kind) == ("back", "icmp-error")
    other = msgspec.structs.replace(packet, ident=packet.ident ^ 1)
    assert packet.recognise(network, error(other)) is None


def test_what_is_not_ip_is_nobodys() -> None:
    assert live("tcp").recognise(b"\0" * 28, b"") is None


def test_each_packet_has_marks_of_its_own() -> None:
    assert live("tcp").marks() != live("tcp").marks()
    assert live("udp").marks()[0] != live("udp").marks()[0]


def test_a_datagrams_answers_are_marked_by_their_tuples_and_an_open_port_is_left_open() -> None:
    answer = Packet(src="10.0.0.3", dst="10.0.0.2", proto="udp", sport=53, dport=None)

    assert live("udp").marks([answer, answer])[1:-1] == (
        "ip saddr 10.0.0.3 ip daddr 10.0.0.2 meta l4proto udp udp sport 53",
    )


@pytest.mark.parametrize("text", ["10.0.0.3; flush ruleset", "fe80::1%x; flush ruleset", ""])
def test_what_is_no_address_never_gets_into_a_rule(text: str) -> None:
    evil = Packet(src=text, dst="fe80::2" if ":" in text else "10.0.0.2", proto="udp", sport=53, dport=1)

    assert live("udp").marks([evil])[1:-1] == ()
