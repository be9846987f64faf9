"""The capture's service: points by what they mean, packets joined, looked at and saved."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.capture.board.capture_board import ROWS_KEPT, CaptureBoard
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.files.capture_reader import CaptureReader
from dnet_tui.inspect.capture.packet import ETHERNET, CapturedPacket
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.tap import CaptureOptions, PointStatistics
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.joined_packets import JoinedPackets
from dnet_tui.tui.app.live.services_capture import LiveCapture, open_capture, resolved
from ui.hosts import THROUGH_NAT, ping, question
from unit.builders.factories import DOCKER0, HOST, docker_like_snapshot


class FakeSession:
    """Stands in for a capture session: gives out packets poll by poll, then it is over."""

    def __init__(self, labels: tuple[str, ...], *polls: list[CapturedPacket]) -> None:
        self.points = tuple(CapturePoint(namespace=HOST, ifindex=3, interface=name, label=name) for name in labels)
        self.options = CaptureOptions(filter="udp")
        self.notes: list[str] = []
        self.finished = False
        self.closed = False
        self._polls = list(polls)
        self.received = 0

    def poll(self, timeout: float) -> list[CapturedPacket]:
        assert timeout >= 0
        if not self._polls:
            self.finished = True
            self.notes.append("docker0: the interface is gone.")
            return []
        packets = self._polls.pop(0)
        self.received += len(packets)
        return packets

    def seen_until_ns(self) -> int:
        return 0

    def linktype(self, point: int) -> int:
        assert point < len(self.points)
        return ETHERNET

    def statistics(self) -> tuple[PointStatistics, ...]:
        return (PointStatistics(label="docker0", received=self.received, dropped=3, state="open"),)

    def close(self) -> None:
        self.closed = True


def capture(labels: tuple[str, ...], *polls: list[CapturedPacket]) -> tuple[LiveCapture, FakeSession]:
    session = FakeSession(labels, *polls)
    source: Any = session
    board = CaptureBoard(labels, Correlator(len(labels)))
    return LiveCapture(source, board, {"172.17.0.2": "web"}), session


def test_a_poll_joins_what_came_in_its_time_and_says_how_a_capture_ended() -> None:
    made, session = capture(THROUGH_NAT, list(question(0, 2)), list(question(0)[2:]))
    batch = made.poll(5)
    assert (batch.received, batch.dropped) == (4, 3)
    assert batch.ended == "docker0: the interface is gone."
    (row,) = made.view().rows
    assert [item.point for item in row.sightings] == [0, 1, 2, 3]
    made.close()
    assert session.closed
    assert made.view().rows == (row,)


def test_packets_wait_where_the_processor_is_wanted_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    made, session = capture(THROUGH_NAT, list(question(0, 2)), list(question(0)[2:]))
    wanted = [0.08, 0.0, 0.0]
    rested: list[tuple[float, int]] = []
    monkeypatch.setattr(time, "sleep", lambda rest: rested.append((rest, session.received)))
    assert made.poll(5, lambda: wanted.pop(0)).received == 4
    assert rested == [(0.08, 0)]  # before the first packets, not between the others


def test_of_one_point_only_as_many_are_joined_as_are_shown() -> None:
    made, _ = capture(("docker0",), [ping(number) for number in range(ROWS_KEPT + 50)])
    assert made.poll(5).received == ROWS_KEPT + 50
    assert made.view().total == ROWS_KEPT


def test_the_file_has_the_packets_of_every_point(tmp_path: Path) -> None:
    made, _ = capture(THROUGH_NAT, [*question(0), *question(1)])
    made.poll(5)
    made.choose("port 40000")
    told = made.save("web.pcapng", tmp_path)
    assert told == f"8 packets are in {tmp_path / 'web.pcapng'}"
    with pytest.raises(DnetError):
        made.save("web.pcapng", tmp_path)
    with closing(CaptureReader(str(tmp_path / "web.pcapng"), [])) as reader:
        packets = list(reader.packets())
    assert sorted(item.point for item in packets) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_what_is_kept_to_be_saved_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnet_tui.tui.app.joined_packets.PACKETS_SAVED", 5)
    joined = JoinedPackets(CaptureBoard(("docker0",), Correlator(1)))
    joined.take([ping(number) for number in range(9)], 0)
    assert joined.packets() == tuple(ping(number) for number in range(4, 9))
    joined.clear()
    assert joined.packets() == ()


def test_a_container_stands_for_its_links_its_bridge_and_its_way_out() -> None:
    view = HostContext(docker_like_snapshot()).view
    web = next(item for item in view.containers.values() if item.name == "web")
    labels = [point.label for point in resolved(view, (f"container:{web.id}",))]
    assert labels == ["web:eth0", "veth5f0a1b2", "docker0", "eth0"]
    both = [point.label for point in resolved(view, (f"{HOST}:docker0", f"container:{web.id}"))]
    assert both == ["docker0", "web:eth0", "veth5f0a1b2", "eth0"]


def test_a_point_that_does_not_exist_is_said_before_anything_is_opened() -> None:
    assert DOCKER0
    with pytest.raises(UsageError, match="nowhere"):
        open_capture(("nowhere",), "", docker_like_snapshot())
    with pytest.raises(UsageError, match="gone"):
        resolved(View(docker_like_snapshot()), ("container:gone",))
