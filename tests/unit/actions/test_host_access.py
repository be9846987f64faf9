"""How this room runs programs: found as the readers find them, and never in the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.actions.host_access import LocalHost
from dnet_tui.inspect.errors import ActionFailedError


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the current folder that leaves a mark, with that folder in PATH the ways people do it."""
    program = tmp_path / "dnet-tui-planted"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return program


@pytest.mark.parametrize("path", [".:/usr/bin:/bin", ":/usr/bin:/bin", "./:/bin", "/bin::"])
def test_a_program_is_never_taken_from_the_current_folder(
    planted: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("PATH", path)
    assert not LocalHost().has(planted.name)
    with pytest.raises(ActionFailedError, match="dnet-tui-planted is not installed"):
        LocalHost().run((planted.name,))
    assert not (planted.parent / "mark").exists()


def test_a_program_of_an_absolute_folder_is_found(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{planted.parent}:/usr/bin:/bin")
    assert LocalHost().has(planted.name)
    assert LocalHost().run((planted.name,)).code == 0
    assert (planted.parent / "mark").exists()


def test_the_folders_of_administrators_are_searched_without_being_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """``su`` without ``-`` leaves root an ordinary user's PATH."""
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    ran = LocalHost().run(("ldconfig", "--version"))
    assert ran.code == 0
    assert "ldconfig" in ran.out


def test_what_a_program_says_and_reads_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    ran = LocalHost().run(("sh", "-c", "cat; echo $LC_ALL >&2; exit 3"), given=b"given")
    assert (ran.code, ran.out, ran.err) == (3, "given", "C\n")


def test_a_program_that_takes_too_long_is_ended_and_said(tmp_path: Path) -> None:
    with pytest.raises(ActionFailedError, match="sleep did not"):
        LocalHost().run(("sleep", "20"), limit=0.2)
    assert list(tmp_path.iterdir()) == []
