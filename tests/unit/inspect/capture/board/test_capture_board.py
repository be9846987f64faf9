"""What the panes of a capture show: joined across NAT, paused, cleared, followed, filtered."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.capture.board.capture_board import BoardView, CaptureBoard, pane
from dnet_tui.inspect.capture.board.display_filter import FilterError
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.packet import CapturedPacket
from unit.builders.packets import TIME, A, B, ethernet, ipv4, packet, udp

POINTS = ("web:eth0", "docker0", "eth0")
OUTSIDE = "203.0.113.2"
LATE = TIME + 10_000_000_000


class Missed:
    point = 2
    reason = "dropped by filter FORWARD rule 1"


def board(**more: object) -> CaptureBoard:
    return CaptureBoard(POINTS, Correlator(len(POINTS)), names={A: "web"}, **more)  # type: ignore[arg-type]


def sightings(number: int, *, translated: bool = True, sport: int = 40000) -> list[CapturedPacket]:
    body = f"question number {number:06}".encode()
    moment = TIME + number * 1_000_000
    frames = [
        packet(ethernet(ipv4(17, udp(body, sport=sport))), point=point, time_ns=moment + point) for point in (0, 1)
    ]
    if translated:
        out = ethernet(ipv4(17, udp(body, sport=61001), src=OUTSIDE))
        frames.append(packet(out, point=2, time_ns=moment + 2))
    return frames


def numbers(view: BoardView) -> list[int]:
    return [row.number for row in view.rows]


def fed(made: CaptureBoard, count: int, first: int = 0) -> CaptureBoard:
    made.take([item for number in range(first, first + count) for item in sightings(number)], LATE)
    return made


def test_a_packet_is_the_same_row_in_every_pane_and_has_its_own_ends_there() -> None:
    view = fed(board(), 1).view()
    (row,) = view.rows
    assert row.translated
    shown = [[(line.number, seen.src, seen.delay_ns) for line, seen in pane(view, point)] for point in range(3)]
    assert shown == [[(1, f"{A}:40000", 0)], [(1, f"{A}:40000", 1)], [(1, f"{OUTSIDE}:61001", 2)]]
    assert (row.proto, row.sightings[0].dst, row.packet.point) == ("UDP", f"{B}:9", 0)


def test_one_point_is_a_pane_too() -> None:
    made = CaptureBoard(POINTS[:1], Correlator(1))
    made.take(sightings(0)[:1], LATE)
    assert [seen.src for _, seen in pane(made.view(), 0)] == [f"{A}:40000"]


def test_while_paused_the_rows_stay_and_what_comes_is_counted() -> None:
    made = fed(board(), 2)
    made.pause()
    fed(made, 3, first=2)
    view = made.view()
    assert (numbers(view), view.paused, view.waiting, view.total) == ([1, 2], True, 3, 5)
    made.resume()
    view = made.view()
    assert (numbers(view), view.paused, view.waiting) == ([1, 2, 3, 4, 5], False, 0)


def test_clearing_forgets_rows_and_numbers_go_on() -> None:
    made = fed(board(), 2)
    made.pause()
    made.clear()
    assert made.view().rows == ()
    made.resume()
    view = fed(made, 1, first=2).view()
    assert (numbers(view), view.total) == ([3], 1)


def test_following_is_a_state_of_the_view() -> None:
    made = board()
    assert made.view().follow
    made.follow(False)
    assert not made.view().follow


def test_only_the_newest_rows_are_kept() -> None:
    view = fed(board(most=3), 5).view()
    assert (numbers(view), view.total, view.kept) == ([3, 4, 5], 5, 3)


def test_the_bytes_that_are_kept_are_bounded_too() -> None:
    size = len(sightings(0)[0].data)
    view = fed(board(most_bytes=2 * size), 5).view()
    assert (numbers(view), view.total) == ([4, 5], 5)


def test_a_filter_chooses_of_the_rows_that_are_there_and_that_come() -> None:
    made = board(missed=lambda row: [Missed()] if row.at(2) is None else [])
    fed(made, 1)
    made.take(sightings(1, translated=False), LATE)
    made.choose("lost and host web")
    view = made.view()
    assert (numbers(view), view.kept, view.filter) == ([2], 2, "lost and host web")
    assert view.rows[0].missed == ((2, Missed.reason),)
    made.take(sightings(2, translated=False), LATE)
    assert numbers(made.view()) == [2, 3]
    made.choose("")
    assert numbers(made.view()) == [1, 2, 3]


def test_a_wrong_filter_says_where_and_changes_nothing() -> None:
    made = fed(board(), 1)
    made.choose("udp")
    with pytest.raises(FilterError) as caught:
        made.choose("udp and frob")
    assert (caught.value.position, caught.value.length) == (8, 4)
    assert (made.view().filter, numbers(made.view())) == ("udp", [1])


def test_a_row_that_is_not_due_is_awaited_until_the_end() -> None:
    made = board()
    made.take(sightings(0, translated=False), TIME)
    assert made.view().rows == ()
    made.end()
    assert numbers(made.view()) == [1]


def test_the_view_is_the_same_object_while_nothing_changes() -> None:
    made = fed(board(), 1)
    view = made.view()
    made.take([], LATE)
    assert made.view() is view
