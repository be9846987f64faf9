"""Which notifications of the kernel are news; the messages are laid out as in linux/rtnetlink.h."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.inspect.watch.event_filter import RouteFilter

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, NEWNEIGH, DELNEIGH, NEWRULE, NEWNETCONF = (
    16, 17, 20, 21, 24, 25, 28, 29, 32, 80,
)  # fmt: skip
REACHABLE, STALE, FAILED, NOARP, PERMANENT = 0x02, 0x04, 0x20, 0x40, 0x80
MAC, OTHER = bytes(5) + b"\1", bytes(5) + b"\2"


def message(code: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), code, 0, 0, 0) + body


def link(*, changed: int = 0, wireless: bool = False, code: int = NEWLINK) -> bytes:
    extra = attribute(11, b"x") if wireless else b""
    return message(code, struct.pack("=BBHiII", 0, 0, 1, 7, 1, changed) + attribute(3, b"eth0\0") + extra)


def address(*, lifetime: int = 0, code: int = NEWADDR) -> bytes:
    body = struct.pack("=BBBBi", 2, 24, 0, 0, 7) + attribute(1, bytes([10, 0, 0, 1]))
    return message(code, body + attribute(6, struct.pack("=I", lifetime)))


def route(*, flags: int = 0, lifetime: int = 0, code: int = NEWROUTE) -> bytes:
    body = struct.pack("=BBBBBBBBI", 10, 64, 0, 0, 254, 9, 0, 1, flags) + attribute(1, bytes(16))
    return message(code, body + attribute(12, struct.pack("=I", lifetime)))


def neighbour(state: int, mac: bytes = b"", *, family: int = 2, host: int = 1, code: int = NEWNEIGH) -> bytes:
    body = struct.pack("=BBHiHBB", family, 0, 0, 7, state, 0, 0) + attribute(1, bytes([10, 0, 0, host]))
    return message(code, body + (attribute(2, mac) if mac else b""))


def news(*told: bytes) -> list[str]:
    """The sections that the last message is news for, after the others."""
    seen = RouteFilter()
    for data in told[:-1]:
        seen.news(data)
    return sorted(item.section for item in seen.news(told[-1]))


@pytest.mark.parametrize("code", [NEWLINK, DELLINK])
def test_a_link_that_changed_is_news(code: int) -> None:
    assert news(link(code=code)) == ["links"]
    assert news(link(changed=1, code=code)) == ["links"]


def test_a_capture_that_begins_or_ends_is_not() -> None:
    assert news(link(changed=0x100)) == []
    assert news(link(changed=0x300)) == []
    assert news(link(changed=0x101)) == ["links"]


def test_what_a_radio_tells_of_itself_is_not() -> None:
    assert news(link(wireless=True)) == []


def test_an_address_that_is_only_renewed_is_not() -> None:
    assert news(address()) == ["addresses"]
    assert news(address(lifetime=5), address(lifetime=9)) == []
    assert news(address(), address(code=DELADDR)) == ["addresses"]
    assert news(address(), address(code=DELADDR), address()) == ["addresses"]


def test_a_route_that_is_renewed_or_only_cached_is_not() -> None:
    assert news(route()) == ["routes"]
    assert news(route(lifetime=5), route(lifetime=9)) == []
    assert news(route(flags=0x200)) == []
    assert news(route(), route(code=DELROUTE)) == ["routes"]


def test_neighbours_that_come_age_and_go_are_everyday_life() -> None:
    life = [
        neighbour(REACHABLE, MAC),
        neighbour(STALE, MAC),
        neighbour(REACHABLE, MAC),
        neighbour(STALE, MAC, code=DELNEIGH),
    ]
    for step in range(len(life)):
        assert news(*life[: step + 1]) == []


def test_a_neighbour_with_another_mac_is_news() -> None:
    assert news(neighbour(REACHABLE, MAC), neighbour(REACHABLE, OTHER)) == ["neighbours"]
    assert news(neighbour(REACHABLE, MAC), neighbour(REACHABLE, OTHER, host=2)) == []


def test_a_neighbour_that_stops_answering_is_news_once() -> None:
    assert news(neighbour(REACHABLE, MAC), neighbour(FAILED)) == ["neighbours"]
    assert news(neighbour(REACHABLE, MAC), neighbour(FAILED), neighbour(FAILED)) == []
    assert news(neighbour(FAILED), neighbour(REACHABLE, MAC)) == ["neighbours"]


def test_a_neighbour_set_by_hand_is_news_and_so_is_its_end() -> None:
    assert news(neighbour(PERMANENT, MAC)) == ["neighbours"]
    assert news(neighbour(PERMANENT, MAC), neighbour(PERMANENT, MAC)) == []
    assert news(neighbour(PERMANENT, MAC), neighbour(PERMANENT, MAC, code=DELNEIGH)) == ["neighbours"]


def test_what_a_bridge_learns_is_not_news_but_what_is_set_is() -> None:
    assert news(neighbour(REACHABLE, MAC, family=7)) == []
    assert news(neighbour(PERMANENT, MAC, family=7)) == ["fdb"]


def test_policy_rules_and_forwarding_are_news() -> None:
    assert news(message(NEWRULE, bytes(12))) == ["policy-rules"]
    assert news(message(NEWNETCONF, bytes(4))) == ["sysctls"]


def test_namespaces_are_told_apart() -> None:
    seen = RouteFilter()

    assert seen.news(address(), 3) == {Moved("addresses", 3)}
    assert seen.news(address(), 4) == {Moved("addresses", 4)}
    assert seen.news(address(), 4) == frozenset()


def test_it_does_not_remember_without_end() -> None:
    seen = RouteFilter()
    for number in range(5000):
        seen.news(neighbour(REACHABLE, MAC, host=number % 256), number // 256)

    assert len(seen._known) <= 4096


@given(st.binary(max_size=200))
def test_random_bytes_are_no_reason_to_fall(data: bytes) -> None:
    RouteFilter().news(data)


@given(st.sampled_from([NEWLINK, NEWADDR, NEWROUTE, NEWNEIGH, NEWRULE, NEWNETCONF]), st.binary(max_size=80))
def test_nor_are_messages_that_are_cut_short(code: int, body: bytes) -> None:
    RouteFilter().news(message(code, body))
