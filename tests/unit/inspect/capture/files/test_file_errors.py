"""A file that can't be opened is named with the reason and the next step, before anything is captured."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.inspect.capture.files.capture_reader import CaptureReader
from dnet_tui.inspect.capture.files.file_errors import check_target
from dnet_tui.inspect.capture.files.pcapng_writer import PcapngWriter
from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.commands.packet_capture.capture_file import OutputFile


@pytest.mark.parametrize(
    ("name", "reason", "step"),
    [
        ("here.pcapng", "is there already", "--force"),
        ("folder", "Is a directory", "folder/capture.pcapng"),
        ("nowhere/a.pcapng", "No such file or directory", "mkdir -p"),
        ("here.pcapng/a.pcapng", "Not a directory", "another place"),
    ],
)
def test_a_file_that_can_not_be_written(tmp_path: Path, name: str, reason: str, step: str) -> None:
    (tmp_path / "here.pcapng").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(UsageError) as early:
        check_target(path, force=False)
    with pytest.raises(UsageError) as late:
        PcapngWriter(path, [])
    for caught in (early, late):
        assert path in caught.value.message
        assert reason in caught.value.message
        assert step in caught.value.hint
    assert (tmp_path / "here.pcapng").read_bytes() == b"kept"


def test_a_new_file_a_replaced_one_and_a_device_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "here.pcapng").write_bytes(b"")
    check_target(str(tmp_path / "new.pcapng"), force=False)
    check_target(str(tmp_path / "here.pcapng"), force=True)
    check_target("/dev/null", force=False)


def test_the_first_file_of_a_rotation_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "web-00001.pcapng").write_bytes(b"")
    with pytest.raises(UsageError, match=r"web-00001\.pcapng is there already"):
        OutputFile(path=str(tmp_path / "web.pcapng"), rotate="1M").check()


@pytest.mark.parametrize(
    ("name", "reason", "step"),
    [
        ("nowhere.pcap", "No such file or directory", "ls -l"),
        ("folder", "Is a directory", "ls -l"),
        ("text", "is no capture file", "pcapng"),
        ("empty", "is empty", "pcapng"),
        ("broken.gz", "compression is damaged", "unpack"),
    ],
)
def test_a_file_that_can_not_be_read(tmp_path: Path, name: str, reason: str, step: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_bytes(b"hello, I am a text")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\0garbage")
    path = str(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        CaptureReader(path, [])
    assert path in caught.value.message
    assert reason in caught.value.message
    assert step in caught.value.hint
