import sys

import pytest

from dnet_tui.tui.reports.terminal import OutputStyle, stdout_paper


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_its_width_and_colour() -> None:
    assert stdout_paper() == OutputStyle(width=60, colour=True)


def test_a_pipe_has_no_width_and_no_colour(terminal: pytest.MonkeyPatch) -> None:
    terminal.setattr(sys.stdout, "isatty", lambda: False)

    assert stdout_paper() == OutputStyle(width=None, colour=False)


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_turned_off(terminal: pytest.MonkeyPatch, variable: str, value: str) -> None:
    terminal.setenv(variable, value)

    assert stdout_paper().colour is False


def test_an_empty_no_color_is_none(terminal: pytest.MonkeyPatch) -> None:
    # https://no-color.org: "when present and not an empty string".
    terminal.setenv("NO_COLOR", "")

    assert stdout_paper().colour is True


def test_prose_is_not_stretched_over_a_wide_terminal_nor_left_in_one_line_in_a_pipe() -> None:
    assert [OutputStyle(width).for_prose().width for width in (40, 300, None)] == [40, 100, 80]
