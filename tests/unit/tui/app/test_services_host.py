from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnet_tui.inspect.archive.snapshot_file import save
from dnet_tui.inspect.capture.packet import ETHERNET, CapturedPacket
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.inspect.capture.session import PointStatistics
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.tui.app import services_host
from dnet_tui.tui.app.model.state import PACKETS_KEPT
from unit.builders.factories import HOST, docker_like_snapshot


class FakeRing:
    """Stands in for a capture session: gives out packets poll by poll."""

    def __init__(self, *polls: list[CapturedPacket]) -> None:
        self.points = (CapturePoint(namespace=HOST, ifindex=3, interface="docker0", label="docker0"),)
        self.notes: list[str] = []
        self.finished = False
        self.closed = False
        self._polls = list(polls)
        self._received = 0

    def poll(self, timeout: float) -> list[CapturedPacket]:
        assert timeout >= 0
        if not self._polls:
            self.finished = True
            self.notes.append("docker0: the interface is gone.")
            return []
        packets = self._polls.pop(0)
        self._received += len(packets)
        return packets

    def statistics(self) -> tuple[PointStatistics, ...]:
        return (PointStatistics(label="docker0", received=self._received, dropped=3, state="open"),)

    def close(self) -> None:
        self.closed = True


def packet(number: int) -> CapturedPacket:
    return CapturedPacket(time_ns=number, point=0, reception=4, linktype=ETHERNET, length=60, data=bytes(60))


def capture(*polls: list[CapturedPacket]) -> tuple[services_host.LiveCapture, FakeRing]:
    ring = FakeRing(*polls)
    source: Any = ring
    return services_host.LiveCapture(source), ring


def test_a_batch_gathers_what_came_in_its_time_and_says_how_a_capture_ended() -> None:
    source, ring = capture([packet(1)], [packet(2), packet(3)])
    batch = source.poll(5)
    assert [item.time for item in batch.packets] == [1, 2, 3]
    assert (batch.received, batch.dropped) == (3, 3)
    assert batch.packets[0].point == "docker0"
    assert batch.ended == "docker0: the interface is gone."
    source.close()
    assert ring.closed


def test_of_a_flood_only_the_newest_are_decoded_and_all_are_counted() -> None:
    source, _ = capture([packet(number) for number in range(PACKETS_KEPT + 5)])
    batch = source.poll(5)
    assert len(batch.packets) == PACKETS_KEPT
    assert batch.packets[0].time == 5
    assert batch.received == PACKETS_KEPT + 5


def test_a_saved_snapshot_can_be_looked_at_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(docker_like_snapshot(), path)
    services = services_host.saved(path)
    assert services.take() == docker_like_snapshot()
    assert (services.apply_fix, services.undo, services.last_change, services.open_capture) == (None,) * 4


def test_a_file_that_is_not_there_is_told_before_the_app_opens(tmp_path: Path) -> None:
    from dnet_tui.tui.app.app import run_app  # noqa: PLC0415  brings in Textual, for this test only

    with pytest.raises(UsageError, match="no file"):
        run_app(tmp_path / "nothing.json")


def test_a_file_that_is_no_snapshot_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("{")
    with pytest.raises(DnetError, match=r"host\.json"):
        services_host.saved(path).take()


def test_readonly_leaves_out_what_would_change_the_host() -> None:
    services = services_host.live(readonly=True)
    assert (services.apply_fix, services.undo, services.last_change) == (None,) * 3
    assert services.open_capture is not None


def test_a_point_that_does_not_exist_is_told_before_anything_is_opened() -> None:
    open_capture = services_host.live(readonly=True).open_capture
    assert open_capture is not None
    with pytest.raises(UsageError, match="nowhere"):
        open_capture("nowhere", "", docker_like_snapshot())


def test_without_follow_nothing_is_listened_to() -> None:
    assert services_host.live(readonly=True, follow=False).watch is None
    assert services_host.live(readonly=True).watch is not None
    assert services_host.saved(Path("host.json")).watch is None
