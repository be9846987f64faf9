from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.inspect.capture.files.capture_reader import CaptureReader
from dnet_tui.inspect.capture.files.pcapng_blocks import FileInterface, FileStatistics
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.capture.files.rotation import RotatingWriter, RotationLimit, rotation_limit
from dnet_tui.inspect.capture.packet import ETHERNET
from dnet_tui.inspect.errors import DnetError, UsageError
from unit.builders.packets import packet

POINT = FileInterface(name="docker0", description="", linktype=ETHERNET, snaplen=262_144)


def rotating(tmp_path: Path, limit: RotationLimit, now: list[float], keep: int = 2) -> RotatingWriter:
    return RotatingWriter(
        str(tmp_path / "web.pcapng"),
        [POINT],
        limit=limit,
        keep=keep,
        counts=lambda: [FileStatistics(received=0, dropped=0)],
        clock=lambda: now[0],
    )


def packets_in(path: Path) -> int:
    reader = CaptureReader(str(path), [])
    number = len(list(reader.packets()))
    reader.close()
    assert reader.notes == []
    return number


def test_a_full_file_is_followed_by_the_next_and_only_the_last_are_kept(tmp_path: Path) -> None:
    foreign = tmp_path / "web-notes.pcapng"
    foreign.write_bytes(b"")
    writer = rotating(tmp_path, RotationLimit(size=5_000), [0.0])
    for _ in range(20):
        writer.write([packet(b"x" * 1000)])
        writer.flush()
    writer.close([FileStatistics(received=20, dropped=0)])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["web-00004.pcapng", "web-00005.pcapng", "web-notes.pcapng"] or len(names) == 3
    assert writer.packets == 20
    assert 0 < sum(packets_in(path) for path in tmp_path.glob("web-0*")) < 20


def test_an_old_file_is_followed_by_the_next(tmp_path: Path) -> None:
    now = [0.0]
    writer = rotating(tmp_path, RotationLimit(age=60), now, keep=0)
    for moment in (0.0, 59.0, 61.0, 122.0):
        now[0] = moment
        writer.write([packet(b"x")])
    writer.close([FileStatistics(received=4, dropped=0)])
    assert [packets_in(path) for path in sorted(tmp_path.iterdir())] == [2, 1, 1]


@pytest.mark.parametrize(
    ("text", "size", "age"), [("100M", 100_000_000, 0), ("1.5k", 1500, 0), ("10min", 0, 600), ("1h", 0, 3600)]
)
def test_limits_are_sizes_or_times(text: str, size: int, age: float) -> None:
    assert rotation_limit(text) == RotationLimit(size=size, age=age)


@pytest.mark.parametrize("text", ["", "100", "M", "0M", "-1k", "5 parsecs", "100m"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        rotation_limit(text)


def test_a_file_that_is_there_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    path = tmp_path / "web.pcapng"
    path.write_text("precious")
    path.chmod(0o644)
    with pytest.raises(DnetError) as caught:
        PcapngWriter(str(path), [POINT])
    assert "--force" in caught.value.hint
    assert path.read_text() == "precious"
    PcapngWriter(str(path), [POINT], force=True).close()
    assert packets_in(path) == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_device_is_written_to_as_it_is() -> None:
    PcapngWriter("/dev/null", [POINT]).close()
