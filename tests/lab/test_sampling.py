"""The sample of the fault matrix: a quarter of the hosts, and in four turns all of them."""

from __future__ import annotations

import pytest

from lab.sampling import chosen, part_of, turn_of


@pytest.mark.parametrize(
    "hosts", [("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"), tuple("abcde"), tuple("abcdefg")]
)
@pytest.mark.parametrize("turn", [0, 1, 7, 1000])
def test_a_quarter_of_the_hosts_are_chosen_and_all_of_them_in_four_turns(hosts: tuple[str, ...], turn: int) -> None:
    assert len(chosen(turn, hosts)) == (len(hosts) + 3) // 4
    assert frozenset().union(*(chosen(turn + at, hosts) for at in range(4))) == set(hosts)


def test_without_a_setting_everything_is_run_and_a_turn_can_be_had_again() -> None:
    assert turn_of("") is None
    assert turn_of("whole") is None
    assert turn_of("sample:7") == 7
    assert turn_of("sample") is not None


def test_the_parts_of_a_list_are_the_whole_and_do_not_overlap() -> None:
    parts = [part_of(range(10), f"4:{turn}") for turn in range(4)]
    assert sorted(item for part in parts for item in part) == list(range(10))
    assert part_of(range(10), "4:5") == part_of(range(10), "4:1")
    assert part_of(range(10), "") == range(10)
    assert set(part_of(range(10), "4")) < set(range(10))
