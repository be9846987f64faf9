"""Other addresses in place of the real ones: what must still fit together afterwards."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.archive.address_map import Renumbering, of_ip4, of_ip6

KEYS = st.binary(min_size=1, max_size=64)
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fd00::/8", "fc00::/8")
IP4 = st.integers(0, 2**32 - 1)
IP6 = st.integers(0, 2**128 - 1)


def address(text: str) -> int:
    return int(ipaddress.ip_address(text))


def shared(one: int, other: int, bits: int) -> int:
    """How many bits two addresses begin alike with."""
    return bits - (one ^ other).bit_length()


def near(base: int, offset: int, bits: int) -> int:
    return (base & -(1 << bits)) | offset & ((1 << bits) - 1)


@given(KEYS, IP4, IP4, st.integers(0, 32))
def test_two_addresses_are_as_near_to_each_other_as_before(key: bytes, one: int, offset: int, bits: int) -> None:
    numbers, other = of_ip4(key), near(one, offset, bits)

    assert shared(numbers.prefix(one, 32), numbers.prefix(other, 32), 32) == shared(one, other, 32)


@given(KEYS, IP6, IP6, st.integers(0, 128))
def test_so_are_those_of_ipv6(key: bytes, one: int, offset: int, bits: int) -> None:
    numbers, other = of_ip6(key), near(one, offset, bits)

    assert shared(numbers.prefix(one, 128), numbers.prefix(other, 128), 128) == shared(one, other, 128)


@given(KEYS, st.sampled_from(PRIVATE), IP6, st.integers(9, 32))
def test_a_network_holds_its_addresses_and_stays_private(key: bytes, block: str, offset: int, length: int) -> None:
    net = ipaddress.ip_network(block)
    numbers = of_ip4(key) if net.version == 4 else of_ip6(key)
    value = near(int(net.network_address), offset, net.max_prefixlen - net.prefixlen)

    new, network = numbers.address(value), numbers.prefix(value, length)

    kind = type(net.network_address)
    assert kind(new) in net
    assert shared(new, network, net.max_prefixlen) >= min(length, net.max_prefixlen)


@given(KEYS, st.lists(IP4, min_size=1, max_size=20), st.sampled_from(PRIVATE[:4]))
def test_no_address_stays_and_no_two_become_one(key: bytes, offsets: list[int], block: str) -> None:
    net = ipaddress.ip_network(block)
    numbers = of_ip4(key)
    numbers.pin_subnet(int(net.network_address), int(net.broadcast_address))
    ends = {int(net.network_address), int(net.broadcast_address)}
    values = {near(int(net.network_address), offset, 32 - net.prefixlen) for offset in offsets} - ends
    new = {value: numbers.address(value) for value in values}

    assert len(set(new.values())) == len(values)
    assert all(value != other for value, other in new.items())


@pytest.mark.parametrize(
    "text",
    ["0.0.0.1", "127.0.0.11", "169.254.169.254", "203.0.113.9", "198.51.100.7", "192.0.2.1", "224.0.0.251",
     "255.255.255.255", "::", "::1", "fe80::1", "ff02::1", "2001:db8::5"],
)  # fmt: skip
def test_what_has_a_meaning_of_its_own_stays(text: str) -> None:
    numbers = of_ip4(b"key") if "." in text else of_ip6(b"key")

    assert numbers.address(address(text)) == address(text)


@pytest.mark.parametrize("text", ["8.8.8.8", "126.255.255.255", "203.0.114.9", "198.51.99.7", "11.0.0.1", "2a00::1"])
def test_their_neighbours_do_not(text: str) -> None:
    numbers = of_ip4(b"key") if "." in text else of_ip6(b"key")

    assert numbers.address(address(text)) != address(text)


@given(KEYS, IP4, st.integers(0, 2**12), st.lists(IP4, max_size=8))
def test_a_range_is_the_same_range_of_other_addresses(key: bytes, low: int, size: int, others: list[int]) -> None:
    high = min(low + size, 2**32 - 1)
    numbers = of_ip4(key)
    numbers.pin_range(low, high)
    new = numbers.prefix(low, 32), numbers.prefix(high, 32)

    assert new[1] - new[0] == high - low
    for value in (*others, low - 1, high + 1, low + size // 2):
        if 0 <= value < 2**32:
            assert (new[0] <= numbers.prefix(value, 32) <= new[1]) == (low <= value <= high)


@given(KEYS, st.integers(0, 2**24 - 1), st.integers(9, 30))
def test_a_subnets_first_and_last_address_stay_first_and_last(key: bytes, offset: int, length: int) -> None:
    net = ipaddress.ip_network((10 << 24 | offset, length), strict=False)
    low, high = int(net.network_address), int(net.broadcast_address)
    numbers = of_ip4(key)
    numbers.pin_subnet(low, high)
    new = numbers.prefix(low, length)

    host = (1 << (32 - length)) - 1
    assert numbers.prefix(low, 32) == new
    assert numbers.prefix(high, 32) == new | host


def test_without_the_key_the_numbers_are_others() -> None:
    values = [address(f"10.{n}.{n}.{n}") for n in range(1, 200)]

    assert [of_ip4(b"one").address(v) for v in values] != [of_ip4(b"two").address(v) for v in values]


def test_a_subnet_as_large_as_its_block_does_not_pin_every_small_address() -> None:
    numbers: Renumbering = of_ip4(b"key")
    numbers.pin_subnet(address("192.168.0.0"), address("192.168.255.255"))

    assert numbers.address(address("192.168.0.1")) != address("192.168.0.1")
