from __future__ import annotations

from dnet_tui.inspect.capture.merge import Merger
from dnet_tui.inspect.capture.packet import CapturedPacket
from unit.builders.packets import packet


def at(*times: int, point: int = 0, size: int = 10) -> list[CapturedPacket]:
    return [packet(b"x" * size, point=point, time_ns=time) for time in times]


def times(packets: list[CapturedPacket]) -> list[int]:
    return [item.time_ns for item in packets]


def test_one_ring_is_not_held_up() -> None:
    merger: Merger[CapturedPacket] = Merger(0.0)
    merger.add(1.0, at(1, 2))
    assert times(merger.take(1.0)) == [1, 2]
    assert merger.next_due() is None


def test_a_late_block_is_put_in_its_place() -> None:
    merger: Merger[CapturedPacket] = Merger(0.06)
    merger.add(1.00, at(10, 30))
    assert merger.take(1.05) == []
    merger.add(1.05, at(20, 40, point=1))
    assert times(merger.take(1.07)) == [10, 20, 30]
    assert times(merger.take(1.12)) == [40]


def test_what_is_left_of_a_batch_is_due_when_the_batch_was() -> None:
    merger: Merger[CapturedPacket] = Merger(0.06)
    merger.add(1.00, at(10))
    merger.add(1.02, at(5, 15, point=1))
    merger.take(1.06)
    assert merger.next_due() == 1.02 + 0.06


def test_the_end_lets_everything_go_in_order() -> None:
    merger: Merger[CapturedPacket] = Merger(9.0)
    merger.add(1.0, at(3, 4))
    merger.add(1.0, at(1, 2, point=1))
    assert times(merger.take(1.0, everything=True)) == [1, 2, 3, 4]


def test_too_many_bytes_are_let_go_before_their_time() -> None:
    merger: Merger[CapturedPacket] = Merger(9.0, limit=400)
    merger.add(1.0, at(1, size=60))
    assert merger.take(1.0) == []
    merger.add(1.0, at(2, size=60))
    assert times(merger.take(1.0)) == [1, 2]
    merger.add(1.0, at(3, size=60))
    assert merger.take(1.0) == []  # the count began anew
