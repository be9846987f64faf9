"""What becomes of the output where nobody can take it: a full disk, closed streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dnet_tui.tui.error_exit import is_of_the_output
from unit.builders.factories import docker_like_snapshot

DNET_TUI = f"{sys.executable} -m dnet_tui.tui.main"


@pytest.fixture
def host(tmp_path: Path) -> str:
    file = tmp_path / "host.json"
    file.write_bytes(msgspec.json.encode(docker_like_snapshot()))
    return str(file)


def shell(command: str) -> tuple[int, str]:
    """Run a line of a shell; its exit code, and what it said on stderr."""
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said_and_is_no_fault_of_dnet_tuis(host: str, unbuffered: str) -> None:
    code, said = shell(f"PYTHONUNBUFFERED={unbuffered} {DNET_TUI} ls --snapshot {host} >/dev/full")
    assert code == 2
    assert said.startswith("dnet-tui: the output can't be written: No space left on device\n  → ")
    assert "report it" not in said
    assert "Traceback" not in said


def test_closed_output_is_said_and_closed_input_and_messages_are_no_fault(host: str) -> None:
    code, said = shell(f"{DNET_TUI} ls --snapshot {host} >&-")
    assert (code, said.splitlines()[0]) == (2, "dnet-tui: standard output is closed")
    assert shell(f"{DNET_TUI} ls --snapshot {host} <&- >/dev/null") == (0, "")
    assert shell(f"{DNET_TUI} ls --snapshot {host} 2>&- >/dev/null") == (0, "")
    assert shell(f"{DNET_TUI} ls --snapshot /nowhere <&- >&- 2>&-") == (2, "")


def test_an_error_that_names_a_file_is_not_taken_for_the_outputs() -> None:
    assert is_of_the_output(OSError(28, os.strerror(28)))
    assert not is_of_the_output(OSError(28, os.strerror(28), "/var/lib/dnet-tui/journal.jsonl"))
    assert not is_of_the_output(OSError(2, os.strerror(2)))
