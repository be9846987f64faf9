"""A packet's bytes: what of them is known, and where they end."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.match.plain_packet import plain
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.firewall import Match

SYN = Packet(src="10.0.0.2", dst="192.0.2.1", proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",), ttl=64)
SIX = msgspec.structs.replace(SYN, family="ip6", src="fd00::2", dst="2001:db8::1")
QUESTION = Packet(src="10.0.0.2", dst="192.0.2.1", proto="udp", sport=40000, dport=53, ttl=64)
ECHO = Packet(src="10.0.0.2", dst="192.0.2.1", proto="icmp", icmp_type=8, ttl=64)


def asked(field: str, value: str, packet: Packet) -> Truth:
    return matches(Match(field=field, values=(value,)), packet, MatchContext())  # type: ignore[arg-type]  # a field's name


@pytest.mark.parametrize(
    ("packet", "tests", "truth"),
    [
        (SYN, "0x0>>0x1c=0x4", True),
        (SYN, "0x0>>0x18&0xf=0x5", None),  # it may have options
        (plain(SYN), "0x0>>0x18&0xf=0x5", True),
        (SYN, "0x0&0xffff=0x5dd:0xffff", None),
        (msgspec.structs.replace(SYN, length=1501), "0x0&0xffff=0x5dd:0xffff", True),
        (msgspec.structs.replace(SYN, length=1500), "0x0&0xffff=0x5dd:0xffff", False),
        (msgspec.structs.replace(SYN, length=60), "0x3a=0x0", False),
        (SYN, "0x8<<0x8>>0x18=0x6", True),
        (SYN, "0xc=0xa000000:0xaffffff", True),
        (SYN, "0xc=0xb000000:0xbffffff", False),
        (SYN, "0x6>>0x1f=0x0", True),
        (SYN, "0x8<<0x20=0x0", None),
        (QUESTION, "0x14=0x9c400035", None),
        (plain(QUESTION), "0x14=0x9c400035", True),
        (plain(ECHO), "0x0>>0x16&0x3c@0x0>>0x18=0x8", True),
        (plain(ECHO), "0x0>>0x16&0x3c@0x0>>0x18=0x0", False),
        (plain(ECHO), "0xc@0x0=0x0", False),  # beyond its end
        (SIX, "0x0>>0x1c=0x6", True),
        (SIX, "0x4&0xffff=0x640", True),
        (SIX, "0x4>>0x10=0x0:0x28", None),
        (SIX, "0x4>>0x8&0xff=0x6&&0x28=0x9c4001bb", True),
        (SIX, "0x18=0x20010db8", True),
        (SIX, "nonsense", None),
    ],
)
def test_tests_of_bytes(packet: Packet, tests: str, truth: Truth) -> None:
    assert asked("u32", tests, packet) is truth


@pytest.mark.parametrize(
    ("packet", "value", "truth"),
    [
        (SYN, "0 65535 4", None),
        (plain(SYN), "0 65535 4", False),
        (plain(SYN), "0 65535 1", None),
        (SYN, "117 65535 4", False),
        (SYN, "116 65535 4", None),
        (SIX, "97 65535 4", False),
        (QUESTION, "200 65535 4", None),
        (plain(QUESTION), "0 65535 4", None),
        (msgspec.structs.replace(QUESTION, length=60), "57 65535 4", False),
        (plain(ECHO), "28 65535 4", None),
        (
            plain(msgspec.structs.replace(SYN, tcp_flags=("ACK", "PSH"), later=True, length=152)),
            "0 65535 4",
            False,
        ),
        (SYN, "9 8 4", False),
    ],
)
def test_a_text_in_the_contents(packet: Packet, value: str, truth: Truth) -> None:
    assert asked("contents", value, packet) is truth
