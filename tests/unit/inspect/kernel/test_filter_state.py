"""Lists of recent addresses and queues, as the kernel's files show them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from dnet_tui.inspect.kernel.filter_state import TickClock, parse_queues, parse_recent, tick_clock
from dnet_tui.inspect.model.filter_state import RecentAddress

SHOWN = """\
src=10.0.0.2 ttl: 64 last_seen: 4295001000 oldest_pkt: 2 4295000000, 4295001000
src=fd00:0000:0000:0000:0000:0000:0000:0002 ttl: 0 last_seen: 4295001000 oldest_pkt: 1 4295001000
nonsense
"""


def test_an_address_says_how_often_and_how_long_ago_it_was_seen() -> None:
    clock = TickClock(now=4295002000, rate=100)
    assert list(parse_recent("ssh", SHOWN, clock)) == [
        RecentAddress(list="ssh", address="10.0.0.2", ttl=64, hits=2, ages=(20.0, 10.0)),
        RecentAddress(list="ssh", address="fd00::2", ttl=0, hits=1, ages=(10.0,)),
    ]


def test_without_the_clock_only_the_number_is_known() -> None:
    assert [(item.hits, item.ages) for item in parse_recent("ssh", SHOWN, None)] == [(2, None), (1, None)]


def test_the_clocks_rate_follows_from_how_long_it_runs() -> None:
    assert tick_clock(4299016873, 16498.0) == TickClock(4299016873, 250)
    assert tick_clock((1 << 32) - 300 * 1000 + 5_000_000, 5000.0) == TickClock((1 << 32) + 4_700_000, 1000)
    assert tick_clock(4299016873, 999.0) is None


def test_a_queue_that_is_read_has_a_line() -> None:
    shown = "    5  18242     0 2  4096     0     0        7  1\n  300  1 0 2 4096 0 0 0 1\n\n"
    assert parse_queues(shown) == (5, 300)


@given(st.text())
@example("²")  # a digit, and no number
def test_no_text_crashes_the_queues(shown: str) -> None:
    parse_queues(shown)
