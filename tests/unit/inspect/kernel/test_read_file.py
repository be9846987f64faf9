"""A bounded part of an ordinary file is read; what only looks like a file is not even opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dnet_tui.inspect.kernel.read_file import (
    NotAnOrdinaryFileError,
    TooLargeFileError,
    read_beginning,
    read_end,
    read_file,
)

READERS: tuple[Callable[[str, int], bytes], ...] = (read_file, read_beginning, read_end)


@pytest.mark.parametrize("read", READERS)
def test_a_small_file_is_read_whole(read: Callable[[str, int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\n")
    assert read(str(path), 8) == b"one\ntwo\n"


def test_of_a_larger_file_the_wanted_part_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first\nsecond\nthird\n")
    assert read_beginning(str(path), 8) == b"first\nse"
    assert read_end(str(path), 8) == b"third\n"
    with pytest.raises(TooLargeFileError):
        read_file(str(path), 8)


@pytest.mark.parametrize("read", READERS)
def test_a_fifo_a_socket_and_a_folder_are_refused_without_waiting(
    read: Callable[[str, int], bytes], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        for name in ("fifo", "s", "."):
            with pytest.raises(NotAnOrdinaryFileError) as error:
                read(str(tmp_path / name), 8)
            assert error.value.strerror == "it is not an ordinary file"


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_not_there_is_told_from_others(read: Callable[[str, int], bytes], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "absent"), 8)


def test_a_link_is_followed_only_when_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"there")
    (tmp_path / "link").symlink_to("file")
    assert read_beginning(str(tmp_path / "link"), 8) == b"there"
    with pytest.raises(NotAnOrdinaryFileError):
        read_beginning(str(tmp_path / "link"), 8, follow=False)
