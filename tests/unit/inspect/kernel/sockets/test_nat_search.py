"""How likely a new connection finds no port, by the rows that taken ports make."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.kernel.sockets.nat_search import FIRST, LAST, OWN, chance_of_none

ALL = range(FIRST, LAST + 1)


def test_where_all_are_taken_none_is_found_and_where_none_is_any_is() -> None:
    assert chance_of_none(ALL) == 1.0
    assert chance_of_none(()) == 0.0


def test_a_connection_keeps_its_own_port_where_that_is_free() -> None:
    assert chance_of_none(range(FIRST, OWN.start)) == 0.0


def test_ports_in_a_row_are_worse_than_as_many_apart() -> None:
    together = chance_of_none(range(10_000, 60_001))
    assert together == pytest.approx(0.27, abs=0.01)
    apart = [port for port in ALL if port % 9 < 7]
    assert len(apart) > 50_000
    assert chance_of_none(apart) == 0.0


def test_the_first_port_follows_the_last_one() -> None:
    half = len(ALL) // 2
    across = [*range(LAST - half // 2, LAST + 1), *range(FIRST, FIRST + half - half // 2)]
    whole = chance_of_none([*across, *OWN])
    assert whole > chance_of_none([*across[: half // 2], *range(FIRST + 200, FIRST + 200 + half // 2), *OWN])


def test_other_ports_don_t_count() -> None:
    assert chance_of_none(range(1, FIRST)) == 0.0
