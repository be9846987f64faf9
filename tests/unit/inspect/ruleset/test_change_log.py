"""The account of changed chains: complete, or it says that it isn't."""

from __future__ import annotations

import struct

import pytest

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.ruleset.change_log import ChangeLog, RuleEvents, Touch, parse_events

NEW_TABLE, NEW_CHAIN, DEL_CHAIN, NEW_RULE, DEL_RULE, NEW_SET, NEW_ELEMENT, NEW_GENERATION = 0, 3, 5, 6, 8, 9, 12, 15
IP, INET, UNKNOWN = 2, 1, 99


def message(kind: int, family: int, *attributes: bytes, subsystem: int = 10) -> bytes:
    body = struct.pack("=BBH", family, 0, 0) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), subsystem << 8 | kind, 0, 0, 0) + body


def name(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def rule(chain: str, handle: int, *, kind: int = NEW_RULE, table: str = "nat") -> bytes:
    return message(kind, IP, name(1, table), name(2, chain), attribute(3, handle.to_bytes(8, "big")))


def generation(number: int) -> bytes:
    return message(NEW_GENERATION, 0, attribute(1, number.to_bytes(4, "big")), name(3, "iptables-nft"))


def test_each_kind_of_message_names_what_it_touched() -> None:
    data = b"".join(
        (
            rule("DOCKER", 7),
            rule("DOCKER", 6, kind=DEL_RULE),
            message(NEW_CHAIN, IP, name(1, "nat"), attribute(2, bytes(8)), name(3, "MADE")),
            message(NEW_SET, INET, name(1, "own"), name(2, "s")),
            message(NEW_ELEMENT, INET, name(1, "own"), name(2, "s")),
            message(NEW_TABLE, INET, name(1, "own")),
            generation(5),
        )
    )
    assert list(parse_events(data)) == [
        Touch("ip", "nat", "DOCKER", 7),
        Touch("ip", "nat", "DOCKER", 6),
        Touch("ip", "nat", "MADE"),
        Touch("inet", "own"),
        Touch("inet", "own"),
        Touch("inet", "own"),
        5,
    ]


@pytest.mark.parametrize("data", [message(NEW_RULE, UNKNOWN, name(1, "nat")), message(NEW_RULE, IP), message(77, IP)])
def test_what_is_not_understood_may_be_anything(data: bytes) -> None:
    assert list(parse_events(data)) == [Touch()]


def test_messages_of_others_are_none_of_ours() -> None:
    assert list(parse_events(message(NEW_RULE, IP, name(1, "nat"), subsystem=1))) == []


def test_the_account_names_everything_between_two_generations() -> None:
    account = ChangeLog(3)
    account.add(rule("A", 1) + generation(4))
    account.add(rule("B", 2))
    account.add(generation(5))
    account.add(generation(6))
    assert account.between(3, 6) == frozenset({Touch("ip", "nat", "A", 1), Touch("ip", "nat", "B", 2)})
    assert account.between(4, 6) == frozenset({Touch("ip", "nat", "B", 2)})
    assert account.between(5, 6) == frozenset()
    assert account.between(6, 6) == frozenset()


@pytest.mark.parametrize(("since", "until"), [(2, 4), (3, 5), (3, 7), (6, 5), (5, 7)])
def test_an_account_with_a_hole_is_none(since: int, until: int) -> None:
    account = ChangeLog(3)
    account.add(rule("A", 1) + generation(4))
    account.add(rule("C", 3) + generation(6))  # what made 5 was lost
    assert account.between(since, until) is None


def test_a_transaction_that_is_not_closed_yet_is_not_counted() -> None:
    account = ChangeLog(3)
    account.add(rule("A", 1))
    assert account.between(3, 4) is None


def test_the_account_is_bounded() -> None:
    account = ChangeLog(0)
    for number in range(1, 6001):
        account.add(rule("A", number) + generation(number))
    assert account.between(0, 6000) is None
    assert account.between(5999, 6000) == frozenset({Touch("ip", "nat", "A", 6000)})


def test_without_listening_there_is_no_account() -> None:
    events = RuleEvents()
    assert events.between(1, 1) is None
    events.close()
    events.close()
