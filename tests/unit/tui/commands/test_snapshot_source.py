import sys
import time

import pytest

from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.tui.commands import snapshot_source
from dnet_tui.tui.commands.snapshot_source import progress, say_gaps


def stderr_is(patch: pytest.MonkeyPatch, *, terminal: bool, patience: float) -> None:
    """Called inside the test: pytest puts a new stderr in place for each phase."""
    patch.setattr(sys.stderr, "isatty", lambda: terminal)
    patch.setattr(snapshot_source, "_PATIENCE", patience)


def test_a_slow_look_is_announced_and_the_line_taken_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stderr_is(monkeypatch, terminal=True, patience=0.01)

    said = ""
    deadline = time.monotonic() + 60
    with progress("looking"):
        while not said and time.monotonic() < deadline:
            said += capsys.readouterr().err
            time.sleep(0.01)
    said += capsys.readouterr().err

    assert said == "dnet-tui: looking …\r\x1b[K"


def test_a_quick_look_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stderr_is(monkeypatch, terminal=True, patience=60)

    with progress("looking"):
        pass

    assert capsys.readouterr() == ("", "")


def test_nothing_is_announced_into_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stderr_is(monkeypatch, terminal=False, patience=0.01)

    with progress("looking"):
        time.sleep(0.05)

    assert capsys.readouterr() == ("", "")


def test_gaps_are_said_in_one_harmless_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    say_gaps((Gap(section="sockets", scope="web", reason="no\x1b[2J\npermission", hint="run as root"),))

    assert capsys.readouterr().err == "not seen: sockets of web: no\\x1b[2J\\x0apermission → run as root\n"
