from pathlib import Path

import pytest
import typer

from dnet_tui.inspect.errors import ActionFailedError, CannotInspectError, DnetError, UsageError
from dnet_tui.tui.error_exit import translated
from dnet_tui.tui.exit_codes import Exit


def raised(error: BaseException, *, traceback: bool = False) -> Exit:
    with pytest.raises(typer.Exit) as caught, translated(traceback=traceback):
        raise error
    return Exit(caught.value.exit_code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), Exit.USAGE),
        (CannotInspectError("c"), Exit.CANNOT_INSPECT),
        (DnetError("d"), Exit.CANNOT_INSPECT),
        (ActionFailedError("a"), Exit.FINDINGS),
        (typer.Abort(), Exit.INTERRUPTED),
        (ZeroDivisionError("z"), Exit.CANNOT_INSPECT),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: Exit) -> None:
    assert raised(error) == code


def test_a_person_gets_the_message_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    raised(DnetError("docker0 is gone", "look at dnet-tui ls"))

    assert capsys.readouterr() == ("", "dnet-tui: docker0 is gone\n  → look at dnet-tui ls\n")


def test_a_message_can_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    raised(DnetError("no container \x1b[2J"))

    assert "\x1b" not in capsys.readouterr().err


def test_no_traceback_unless_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DNET_TUI_TRACEBACK", raising=False)
    raised(ZeroDivisionError("z"))
    assert "Traceback" not in capsys.readouterr().err

    raised(ZeroDivisionError("z"), traceback=True)
    assert "Traceback" in capsys.readouterr().err

    monkeypatch.setenv("DNET_TUI_TRACEBACK", "1")
    raised(ZeroDivisionError("z"))
    assert Path(__file__).name in capsys.readouterr().err


def test_a_commands_own_exit_code_passes_through() -> None:
    assert raised(typer.Exit(Exit.FINDINGS)) == Exit.FINDINGS


def test_an_interrupt_is_left_to_end_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), translated(traceback=False):
        raise KeyboardInterrupt
