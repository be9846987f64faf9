"""Host programs run with bounds on time and output."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dnet_tui.inspect.kernel.run_program import ROOT_HINT, find_program, run


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "helper"


def write(program: Path, text: str) -> str:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_a_program_gets_its_input_and_gives_its_output(program: Path) -> None:
    ran = run([write(program, 'printf "%s %s:" "$1" "$LC_ALL"; cat'), "a b;c"], stdin=b"x\xff", seconds=5, most=100)
    assert ran == (b"a b;c C:x\xff", "", "", False)


def test_a_program_that_fails_is_quoted_harmlessly(program: Path) -> None:
    ran = run([write(program, "printf 'no \\033[31m\\n' >&2; exit 3")], seconds=5, most=100)
    assert ran.error == "helper failed: no \\x1b[31m"
    assert run([write(program, "exit 3")], seconds=5, most=100).error == "helper failed: status 3"


def test_a_program_without_permission_comes_with_the_hint(program: Path) -> None:
    ran = run([write(program, "echo 'Operation not permitted (you must be root)' >&2; exit 1")], seconds=5, most=100)
    assert ran.hint == ROOT_HINT


def test_a_program_that_hangs_is_ended(program: Path) -> None:
    before = time.monotonic()
    ran = run([write(program, "echo some; exec sleep 60")], seconds=0.2, most=100)
    assert ran.output == b""
    assert "did not answer within" in ran.error
    assert time.monotonic() - before < 5


def test_a_program_that_closes_its_output_and_stays_is_ended(program: Path) -> None:
    ran = run([write(program, "exec sleep 60 >&- 2>&-")], seconds=0.2, most=100)
    assert "did not end" in ran.error


def test_a_program_that_says_too_much_is_ended(program: Path) -> None:
    ran = run([write(program, "while :; do echo endless; done")], seconds=20, most=1 << 20)
    assert ran.too_large
    assert ran.output == b""
    assert "more than 1 MB" in ran.error


def test_a_program_that_complains_too_much_does_not_fill_the_memory(program: Path) -> None:
    ran = run([write(program, "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo fine")], seconds=20, most=100)
    assert (ran.output, ran.error) == (b"fine\n", "")


def test_a_program_that_does_not_read_is_none_the_worse(program: Path) -> None:
    ran = run([write(program, "exec 0<&-; echo fine")], stdin=b"x" * 100, seconds=5, most=100)
    assert (ran.output, ran.error) == (b"fine\n", "")


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    ran = run([os.fspath(tmp_path / "absent")], seconds=5, most=100)
    assert ran.error == "absent could not be run: No such file or directory"


def test_administrators_folders_are_searched_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("sh")
    assert find_program("no-such-program-at-all") is None
