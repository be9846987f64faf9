"""The sample of the fault matrix: half of the hosts, and in two turns all of them."""

from __future__ import annotations

import pytest

from lab.sampling import chosen, turn_of


@pytest.mark.parametrize("hosts", [("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"), tuple("abcde")])
@pytest.mark.parametrize("turn", [0, 1, 7, 1000])
def test_half_of_the_hosts_are_chosen_and_all_of_them_in_two_turns(hosts: tuple[str, ...], turn: int) -> None:
    assert len(chosen(turn, hosts)) == (len(hosts) + 1) // 2
    assert chosen(turn, hosts) | chosen(turn + 1, hosts) == set(hosts)


def test_without_a_setting_everything_is_run_and_a_turn_can_be_had_again() -> None:
    assert turn_of("") is None
    assert turn_of("whole") is None
    assert turn_of("sample:7") == 7
    assert turn_of("sample") is not None
