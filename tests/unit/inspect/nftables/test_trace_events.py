"""Trace events as the kernel sent them (``data/nft_trace.hex``: a datagram that a rule in DOCKER-USER drops)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.nftables.trace_events import TraceEvent, headers, messages, parse_events

RECORD = [
    bytes.fromhex(line)
    for line in (Path(__file__).parents[2] / "data" / "nft_trace.hex").read_text("ascii").splitlines()
]


def recorded() -> list[TraceEvent]:
    return [event for data in RECORD for event in parse_events(data)]


def test_every_step_of_a_packet_is_told_in_order() -> None:
    steps = [(event.kind, event.table, event.chain, event.verdict, event.to) for event in recorded()]

    assert steps[-2:] == [
        ("rule", "filter", "FORWARD", "jump", "DOCKER-USER"),
        ("rule", "filter", "DOCKER-USER", "drop", ""),
    ]
    assert ("policy", "nat", "PREROUTING", "accept", "") in steps


def test_the_rule_is_told_by_its_handle() -> None:
    forward = next(event for event in recorded() if event.chain == "FORWARD")

    assert (forward.family, forward.handle) == ("ip", 8)


def test_the_first_event_of_a_base_chain_has_the_headers() -> None:
    forward, user = recorded()[-2:]
    seen = headers(forward.network, forward.transport)

    assert seen is not None
    assert (seen.src, seen.sport, seen.dst, seen.dport, seen.proto) == ("172.30.1.2", 61234, "198.51.100.10", 99, 17)
    assert seen.body[8:] == b"y" * 12
    assert forward.iif
    assert forward.oif
    assert user.network == b""


def test_several_messages_of_one_read_are_told_apart() -> None:
    assert list(parse_events(b"".join(RECORD))) == recorded()


@pytest.mark.parametrize("number", range(len(RECORD)))
def test_a_message_that_is_cut_short_is_no_event(number: int) -> None:
    for size in range(len(RECORD[number])):
        assert list(parse_events(RECORD[number][:size])) == []


@given(st.binary(max_size=200))
def test_anything_may_come_over_the_socket(data: bytes) -> None:
    list(parse_events(data))
    list(parse_events(len(data).to_bytes(4, "little") + b"\x11\x0a" + data))
    assert all(len(body) <= len(data) for _, body in messages(data))


@given(st.binary(max_size=64), st.binary(max_size=24))
def test_any_bytes_may_be_headers(network: bytes, transport: bytes) -> None:
    seen = headers(network, transport)

    assert seen is None or (seen.src and seen.dst)


def test_ipv6_headers_are_read() -> None:
    network = (0x6000ABCD).to_bytes(4) + bytes((0, 20, 58, 64)) + b"\xfd" + bytes(14) + b"\x01" + b"\xfd" + bytes(15)
    seen = headers(network, bytes((128, 0, 0, 0, 0, 7, 0, 1)))

    assert seen is not None
    assert (seen.src, seen.dst, seen.ident, seen.icmp) == ("fd00::1", "fd00::", 0xABCD, (128, 0))
