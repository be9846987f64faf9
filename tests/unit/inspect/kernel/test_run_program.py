"""Host programs: found one way, run with bounds on time and output."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dnet_tui.inspect.kernel import run_program as module
from dnet_tui.inspect.kernel.run_program import (
    ROOT_HINT,
    SYSTEM_FOLDERS,
    find_program,
    program_environment,
    program_folders,
    run_program,
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "helper"


def write(program: Path, text: str) -> str:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_a_program_gets_its_input_and_gives_its_output(program: Path) -> None:
    ran = run_program([write(program, 'printf "%s %s:" "$1" "$LC_ALL"; cat'), "a b;c"], stdin=b"x\xff", seconds=5)
    assert (ran.output, ran.error, ran.code, ran.trouble) == (b"a b;c C:x\xff", "", 0, "")


def test_more_input_than_a_pipe_holds_goes_in_while_output_comes_out(program: Path) -> None:
    much = os.urandom(1 << 20)
    assert run_program([write(program, "cat")], stdin=much, seconds=20).output == much


def test_a_program_that_fails_is_quoted_harmlessly(program: Path) -> None:
    ran = run_program([write(program, "printf 'no \\033[31m\\n' >&2; exit 3")], seconds=5)
    assert (ran.error, ran.code, ran.trouble) == ("helper failed: no \\x1b[31m", 3, "failed")
    assert ran.complaint == b"no \x1b[31m\n"
    assert run_program([write(program, "exit 3")], seconds=5).error == "helper failed: status 3"


def test_a_program_without_permission_comes_with_the_hint(program: Path) -> None:
    ran = run_program([write(program, "echo 'Operation not permitted (you must be root)' >&2; exit 1")], seconds=5)
    assert ran.hint == ROOT_HINT


def test_a_program_that_hangs_is_ended(program: Path) -> None:
    before = time.monotonic()
    ran = run_program([write(program, "echo some; exec sleep 60")], seconds=0.2)
    assert (ran.output, ran.code, ran.trouble) == (b"", None, "late")
    assert "did not answer within" in ran.error
    assert time.monotonic() - before < 30


def test_what_a_hanging_program_started_is_ended_with_it(program: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    for seconds in (0.3, 3, 30):  # a busy machine may take longer to start a shell
        run_program([write(program, f"sleep 600 & echo $! > {told}; wait")], seconds=seconds)
        if told.exists() and told.read_text().endswith("\n"):
            break
    child = int(told.read_text())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:
        return False


def test_a_program_that_closes_its_output_and_stays_is_ended(program: Path) -> None:
    ran = run_program([write(program, "exec sleep 60 >&- 2>&-")], seconds=0.2)
    assert "did not end" in ran.error


def test_a_program_that_says_too_much_is_ended(program: Path) -> None:
    ran = run_program([write(program, "while :; do echo endless; done")], seconds=20, most=1 << 20)
    assert (ran.output, ran.trouble) == (b"", "too-large")
    assert "more than 1 MB" in ran.error


def test_a_program_that_complains_too_much_does_not_fill_the_memory(program: Path) -> None:
    ran = run_program([write(program, "head -c 3000000 /dev/zero | tr '\\0' x >&2; echo fine")], seconds=20)
    assert (ran.output, ran.error) == (b"fine\n", "")
    assert len(ran.complaint) == 4096


def test_a_program_that_does_not_read_is_none_the_worse(program: Path) -> None:
    ran = run_program([write(program, "exec 0<&-; echo fine")], stdin=b"x" * 1_000_000, seconds=5)
    assert (ran.output, ran.error) == (b"fine\n", "")


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    ran = run_program([os.fspath(tmp_path / "absent")], seconds=5)
    assert (ran.error, ran.trouble, ran.code) == ("absent is not installed", "absent", None)


def test_a_file_that_is_no_program_is_said(program: Path) -> None:
    program.write_bytes(b"\x7fnonsense")
    program.chmod(0o755)
    ran = run_program([str(program)], seconds=5)
    assert ran.error == "helper could not be run: Exec format error"


def test_an_argument_that_cannot_be_given_is_an_error_and_no_crash(program: Path) -> None:
    assert run_program([write(program, "exit 0"), "a\0b"], seconds=5).trouble == "failed"


def test_administrators_folders_are_searched_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("sh")
    assert find_program("no-such-program-at-all") is None


def test_the_systems_own_program_wins_over_one_of_the_same_name_in_path(tmp_path: Path) -> None:
    write(tmp_path / "sh", "echo mine")
    found = find_program("sh", str(tmp_path))
    assert found is not None
    assert found.rpartition("/")[0] in SYSTEM_FOLDERS


def test_a_program_that_only_path_has_is_found_there(tmp_path: Path) -> None:
    write(tmp_path / "only-here", "exit 0")
    assert find_program("only-here", f"relative:{tmp_path}") == str(tmp_path / "only-here")


@pytest.mark.parametrize("path", ["", ".", ":", "bin:.", "./bin"])
def test_a_program_is_never_found_relative_to_the_current_folder(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    for place in (tmp_path, tmp_path / "bin"):
        write(place / "planted", "exit 0")
    monkeypatch.chdir(tmp_path)
    assert find_program("planted", path) is None
    assert find_program("./planted", path) is None
    assert find_program("bin/planted", path) is None
    assert run_program(["./planted"], seconds=5).trouble == "absent"
    assert all(folder.startswith("/") for folder in program_folders(path))


def test_a_folder_and_a_file_that_may_not_be_run_are_no_programs(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("plain")
    assert find_program("folder", str(tmp_path)) is None
    assert find_program("text", str(tmp_path)) is None
    assert find_program("", str(tmp_path)) is None


def test_what_a_program_starts_is_found_the_same_way(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "relative:/opt/odd")
    printed = run_program([write(program, 'echo "$PATH"')], seconds=5).output.decode().strip()
    assert printed == ":".join((*SYSTEM_FOLDERS, "/opt/odd")) == program_environment()["PATH"]


def test_a_given_environment_stands_for_this_process_own(program: Path) -> None:
    ran = run_program([write(program, 'echo "$ONE$HOME"')], seconds=5, environment={"ONE": "1"})
    assert ran.output == b"1\n"
    assert module.search_path("") == ":".join(SYSTEM_FOLDERS)
