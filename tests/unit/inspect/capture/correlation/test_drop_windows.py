from __future__ import annotations

from dnet_tui.inspect.capture.correlation.drop_windows import DropWindows

SECOND = 1_000_000_000


def test_a_point_is_unsure_between_two_looks_of_which_the_second_found_drops() -> None:
    windows = DropWindows()
    for moment, dropped in ((10, 0), (11, 5), (12, 5), (15, 5), (16, 6)):
        windows.look([0, dropped], moment * SECOND)
    unsure = [moment for moment in range(9, 19) if windows.covers(1, moment * SECOND)]
    assert unsure == [10, 11, 15, 16]
    assert not any(windows.covers(0, moment * SECOND) for moment in range(9, 19))


def test_many_losses_are_one_long_one() -> None:
    windows = DropWindows()
    for moment in range(2000):
        windows.look([moment // 2], moment * SECOND)
    assert windows.covers(0, 1998 * SECOND)
    assert not windows.covers(0, 2001 * SECOND)
