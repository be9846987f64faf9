"""Conntrack messages, recorded from a kernel 6; the translated and the odd ones are made from them."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.netlink import attribute, attributes
from dnet_tui.inspect.kernel.sockets.conntrack import udp_to
from dnet_tui.inspect.kernel.sockets.conntrack_counts import parse_counts
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter, parse_entry
from dnet_tui.inspect.model import ConntrackCounts, ConntrackEntry, ConntrackTuple

TCP = bytes.fromhex(
    "020000003400018014000180080001000a580001080002000a5800021c000280050001000600000006000200a6ca00000600030000500000"
    "3400028014000180080001000a580002080002000a5800011c0002800500010006000000060002000050000006000300a6ca000008000300"
    "0000018e080008000000000008000c005559c77108000b0000000001080007000006977e300004802c000180050001000300000005000200"
    "0a000000050003000a00000006000400230000000600050023000000"
)
MASQUERADED_PING = bytes.fromhex(
    "020000003c00018014000180080001000a58000208000200cb00710a240002800500010001000000060004007f7300000500050008000000"
    "05000600000000003c0002801400018008000100cb00710a08000200cb007102240002800500010001000000060004007f73000005000500"
    "0000000005000600000000000800030000000198080008000000000008000c00ecf339c508000b0000000002080007000000001c"
)
PING6 = bytes.fromhex(
    "0a000000540001802c00018014000300fd00017000000000000000000000000214000400fd00017000000000000000000000000324000280"
    "050001003a0000000600070029b3000005000800800000000500090000000000540002802c00018014000300fd0001700000000000000000"
    "0000000314000400fd00017000000000000000000000000224000280050001003a0000000600070029b30000050008008100000005000900"
    "00000000080003000000018a080008000000000008000c0039e8cca708000b0000000001080007000000001d"
)


def parsed(body: bytes) -> ConntrackEntry:
    entry = parse_entry(body)
    assert entry is not None
    return entry


def test_a_tcp_connection_is_read_both_ways() -> None:
    assert parsed(TCP) == ConntrackEntry(
        family="ip",
        proto="tcp",
        original=ConntrackTuple(src="10.88.0.1", dst="10.88.0.2", sport=42698, dport=80),
        reply=ConntrackTuple(src="10.88.0.2", dst="10.88.0.1", sport=80, dport=42698),
        state="ESTABLISHED",
        status=("seen-reply", "assured", "confirmed", "src-nat-done", "dst-nat-done"),
        timeout=431998,
        id=1431947121,
    )


def test_a_masqueraded_ping_shows_its_new_source_in_the_reply() -> None:
    entry = parsed(MASQUERADED_PING)
    assert entry.original == ConntrackTuple(
        src="10.88.0.2", dst="203.0.113.10", icmp_type=8, icmp_code=0, icmp_id=32627
    )
    assert entry.reply.dst == "203.0.113.2"
    assert (entry.proto, entry.state, "src-nat" in entry.status) == ("icmp", "", True)
    assert "seen-reply" not in entry.status


def test_a_ping_over_ipv6_is_read() -> None:
    entry = parsed(PING6)
    assert (entry.family, entry.proto) == ("ip6", "icmpv6")
    assert (entry.original.src, entry.original.icmp_type, entry.reply.icmp_type) == ("fd00:170::2", 128, 129)


def nested(kind: int, *inner: bytes) -> bytes:
    return attribute(0x8000 | kind, b"".join(inner))


def made(proto: int, *, zone: bytes = b"", extra: bytes = b"") -> bytes:
    ip = nested(1, attribute(1, bytes([10, 0, 0, 1])), attribute(2, bytes([10, 0, 0, 2])))
    ways = [nested(kind, ip, nested(2, attribute(1, bytes([proto]))), zone) for kind in (1, 2)]
    return bytes([2, 0, 0, 0]) + b"".join(ways) + extra


def test_mark_zones_and_the_lack_of_a_timeout_are_told() -> None:
    zone = attribute(3, struct.pack(">H", 7))
    entry = parsed(
        made(17, zone=zone, extra=attribute(8, struct.pack(">I", 0x2000)) + attribute(18, struct.pack(">H", 5)))
    )
    assert (entry.mark, entry.zone, entry.original.zone, entry.timeout) == (0x2000, 5, 7, None)
    plain = parsed(made(17))
    assert (plain.mark, plain.zone, plain.original.zone) == (0, 0, None)


def test_a_protocol_without_a_name_is_told_by_its_number() -> None:
    assert parsed(made(99)).proto == "99"
    assert parsed(made(132)).proto == "sctp"


@pytest.mark.parametrize(
    ("kind", "number", "state"), [(1, 7, "TIME_WAIT"), (3, 4, "ESTABLISHED"), (1, 99, "99"), (9, 1, "")]
)
def test_a_state_is_named_by_its_protocol(kind: int, number: int, state: str) -> None:
    assert parsed(made(6, extra=nested(4, nested(kind, attribute(1, bytes([number])))))).state == state


@pytest.mark.parametrize(
    ("kind", "flags", "closing"), [(4, 0x27, True), (5, 0x04, True), (4, 0x23, False), (2, 4, False)]
)
def test_an_end_that_has_closed_a_connection_is_told(kind: int, flags: int, closing: bool) -> None:
    told = attribute(1, bytes([7])) + attribute(kind, bytes([flags, 0]))
    assert parsed(made(6, extra=nested(4, nested(1, told)))).closing is closing
    assert parsed(made(132, extra=nested(4, nested(3, told)))).closing is False


def test_status_bits_that_have_no_name_yet_are_left_out() -> None:
    assert parsed(made(6, extra=attribute(3, struct.pack(">I", 0x8000_0000 | 1 << 14)))).status == ("offload",)


@pytest.mark.parametrize("body", [b"", b"\x02", b"\x02\0\0\0", b"\x07\0\0\0" + TCP[4:], TCP[:30], TCP[:90]])
def test_what_is_no_entry_is_none(body: bytes) -> None:
    assert parse_entry(body) is None


def test_an_address_of_the_wrong_family_is_no_entry() -> None:
    assert parse_entry(bytes([10]) + TCP[1:]) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_crash_the_parser(noise: bytes, cut: int) -> None:
    parse_entry(noise)
    parse_entry(TCP[:cut] + noise)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ConntrackFilter(), True),
        (ConntrackFilter(addresses=("10.88.0.2",)), True),
        (ConntrackFilter(addresses=("203.0.113.2",)), True),  # only in the reply: the masqueraded source
        (ConntrackFilter(addresses=("10.88.0.20",)), False),
        (ConntrackFilter(addresses=("10.88.0.20", "203.0.113.10")), True),
        (ConntrackFilter(protos=("icmp",)), True),
        (ConntrackFilter(protos=("tcp",)), False),
        (ConntrackFilter(ports=(80,)), False),
        (ConntrackFilter(addresses=("10.88.0.2",), protos=("udp",)), False),
    ],
)
def test_a_filter_admits_by_either_way_of_an_entry(wanted: ConntrackFilter, found: bool) -> None:
    assert wanted.admits(parsed(MASQUERADED_PING)) is found
    assert wanted.sieve()(MASQUERADED_PING) or not found


def test_a_filter_admits_by_port_on_either_side() -> None:
    assert ConntrackFilter(ports=(80,)).admits(parsed(TCP))
    assert ConntrackFilter(ports=(42698,)).admits(parsed(TCP))
    assert not ConntrackFilter(ports=(8,)).admits(parsed(TCP))


def test_the_sieve_keeps_out_most_of_what_is_not_wanted() -> None:
    passes = ConntrackFilter(addresses=("203.0.113.10", "fd00:170::2")).sieve()
    assert [passes(body) for body in (TCP, MASQUERADED_PING, PING6)] == [False, True, True]


def test_a_filter_for_something_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="web"):
        ConntrackFilter(addresses=("web",)).sieve()


def _counters(invalid: int, insert_failed: int, drop: int, early_drop: int) -> bytes:
    """A message of IPCTNL_MSG_CT_GET_STATS_CPU, as a kernel 6 sends one for each processor."""
    told = {2: 40, 4: invalid, 8: 0, 9: insert_failed, 10: drop, 11: early_drop, 12: 0, 13: 0, 14: 3, 15: 0}
    return bytes(4) + b"".join(attribute(kind, struct.pack("!I", value)) for kind, value in told.items())


def test_the_counters_of_all_processors_are_added_up() -> None:
    found = parse_counts([_counters(1, 20, 300, 4000), _counters(5, 0, 0, 2**31)])

    assert found == ConntrackCounts(invalid=6, insert_failed=20, drop=300, early_drop=4000 + 2**31)


@given(st.binary(max_size=64))
def test_no_bytes_crash_the_parser_of_counters(noise: bytes) -> None:
    assert parse_counts([noise]).invalid >= 0


def test_udp_connections_are_asked_for_by_protocol_and_port() -> None:
    found = attributes(udp_to(5353))
    proto = attributes(attributes(found[1])[2])

    assert (proto[1], proto[3]) == (bytes([17]), (5353).to_bytes(2, "big"))
    assert attributes(found[25])[1] == ((1 << 3) | (1 << 5)).to_bytes(4, sys.byteorder)
