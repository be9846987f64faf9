"""Splitting netlink messages and attributes."""

from __future__ import annotations

import struct

from dnet_tui.inspect.kernel.netlink import attribute, attributes, messages


def test_an_attribute_is_padded_to_four_bytes() -> None:
    assert attribute(3, b"lo\0") == struct.pack("=HH", 7, 3) + b"lo\0\0"
    assert attribute(3, b"abcd") == struct.pack("=HH", 8, 3) + b"abcd"


def test_attributes_are_found_behind_the_header_and_without_their_flags() -> None:
    body = b"HEAD" + attribute(1, b"one") + attribute(0x8000 | 2, b"nested!!")
    assert attributes(body, 4) == {1: b"one", 2: b"nested!!"}


def test_reading_stops_at_an_attribute_that_is_too_long_or_too_short() -> None:
    good = attribute(1, b"good")
    assert attributes(good + struct.pack("=HH", 200, 2) + b"x") == {1: b"good"}
    assert attributes(good + struct.pack("=HH", 2, 2)) == {1: b"good"}


def test_messages_are_split_and_a_torn_one_is_dropped() -> None:
    first = struct.pack("=IHHII", 19, 16, 2, 7, 0) + b"abc\0"
    torn = struct.pack("=IHHII", 90, 16, 0, 7, 0)
    assert list(messages(first + torn)) == [(16, 2, 7, b"abc")]
