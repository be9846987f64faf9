"""How /proc hides processes, by the mounts of this process."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.kernel.procfs import parse_hiding

PROC = b"22 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw%s\n"
ROOT = b"28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"


@pytest.mark.parametrize(
    ("option", "hiding"),
    [
        (b"", ""),
        (b",hidepid=0", ""),
        (b",hidepid=off", ""),
        (b",hidepid=2", "2"),
        (b",hidepid=invisible", "invisible"),
    ],
)
def test_hidepid_is_read_from_the_options_of_the_file_system(option: bytes, hiding: str) -> None:
    assert parse_hiding(ROOT + PROC % option) == hiding


def test_the_uppermost_proc_counts() -> None:
    assert parse_hiding(PROC % b",hidepid=2" + PROC % b"") == ""
    assert parse_hiding(PROC % b"" + PROC % b",hidepid=4") == "4"


def test_something_else_over_proc_hides_nothing_by_that_option() -> None:
    assert parse_hiding(PROC % b",hidepid=2" + b"40 28 0:50 / /proc rw - tmpfs tmpfs rw,hidepid=2\n") == ""


@pytest.mark.parametrize("raw", [b"", b"22 28\n", b"22 28 0:20 / /proc rw shared:5\n", b"22 28 0:20 / /proc rw -\n\n"])
def test_a_line_that_is_no_mount_is_passed_over(raw: bytes) -> None:
    assert parse_hiding(raw.replace(b" -\n", b" - proc\n")) == ""
    assert parse_hiding(b"1 2 0:3 / /proc/sys rw - proc proc rw,hidepid=2\n" + ROOT) == ""
