"""Units: nothing in a command is expanded, and what a line can't hold is refused."""

from __future__ import annotations

import pytest

from dnet_tui.actions.persist.unit_text import exec_line, unit_text
from dnet_tui.inspect.errors import UsageError


def found(name: str) -> str:
    return f"/sbin/{name}"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("br-side", "br-side"),
        ("a b", '"a b"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        (";", '";"'),
        ("", '""'),
        ('{"name":"x"}', '"{\\"name\\":\\"x\\"}"'),
    ],
)
def test_words_are_quoted(word: str, written: str) -> None:
    assert exec_line(("ip", word), found) == f"/sbin/ip {written}"


@pytest.mark.parametrize("word", ["a\nExecStart=/bin/x", "\x00", "\x1b[31m"])
def test_control_characters_are_refused(word: str) -> None:
    with pytest.raises(UsageError):
        exec_line(("ip", word), found)


def test_a_title_can_not_open_a_line_of_its_own() -> None:
    text = unit_text("x\nExecStart=/bin/evil %n \\", (("ip", "a"),), (), find=found)
    assert [line for line in text.splitlines() if line.startswith("ExecStart")] == ["ExecStart=/sbin/ip a"]
    assert "Description=x?ExecStart=/bin/evil %%n \n" in text


def test_rules_among_dockers_are_made_anew_with_docker() -> None:
    text = unit_text("t", (("ip", "a"),), (("ip", "b"),), follows="docker.service", find=found)
    assert "PartOf=docker.service" in text
    assert "WantedBy=multi-user.target docker.service" in text
    assert "ExecStopPost=-/sbin/ip b" in text
