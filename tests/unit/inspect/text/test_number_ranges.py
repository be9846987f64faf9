"""Ranges of numbers, in each way that rules write them."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.text.number_ranges import MOST, PORTS, NumberRange, parse_range


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("80", 80, 80), ("80:90", 80, 90), (":90", 0, 90), ("80:", 80, PORTS), ("0", 0, 0), ("90:80", 90, 80)],
)
def test_a_range_is_one_number_or_two_ends(text: str, low: int, high: int) -> None:
    assert parse_range(text, PORTS) == (low, high)


@pytest.mark.parametrize("text", ["", "a", "80:b", "-1", "80-90", "80:90:100", "0x50", "\u0663", "1" * 21])
def test_anything_else_is_none(text: str) -> None:
    assert parse_range(text) is None


def test_the_separator_is_the_first_of_those_allowed_that_is_there() -> None:
    assert parse_range("80-90", PORTS, separators="-:") == (80, 90)
    assert parse_range("80:90", PORTS, separators="-:") == (80, 90)
    assert parse_range("80:90", PORTS, separators="-") is None


def test_an_end_that_is_left_out_is_the_largest_there_is() -> None:
    assert parse_range("5:") == (5, MOST)


def test_both_ends_belong_to_it() -> None:
    span = NumberRange(80, 90)
    assert [number in span for number in (79, 80, 90, 91)] == [False, True, True, False]


def test_it_is_written_as_rules_write_it() -> None:
    assert NumberRange(80, 80).text() == "80"
    assert (NumberRange(80, 90).text(), NumberRange(80, 90).text("-")) == ("80:90", "80-90")
