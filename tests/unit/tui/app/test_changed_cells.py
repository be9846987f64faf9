"""The difference that is written makes a terminal show exactly the new picture."""

from __future__ import annotations

import re
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from dnet_tui.tui.app.changed_cells import SentFrame, cells

WIDTH, HEIGHT = 12, 3
CONSOLE = Console(file=StringIO(), force_terminal=True, color_system="256")
STYLES = (Style(), Style(bold=True), Style.parse("red on blue"), Style.parse("reverse"))
LETTERS = "ab─日é "


class Terminal:
    """As much of a terminal as is needed: cursor addressing, styles as text, wide characters."""

    def __init__(self) -> None:
        self.rows: list[list[tuple[str, str]]] = [[("?", "")] * WIDTH for _ in range(HEIGHT)]

    def feed(self, data: str) -> None:
        """Take what is written."""
        x = y = 0
        style = ""
        for move_y, move_x, codes, letter in re.findall(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x1b])", data):
            if move_y:
                y, x = int(move_y) - 1, int(move_x) - 1
            elif letter:
                for offset in range(cell_len(letter)):
                    self.rows[y][x + offset] = ("" if offset else letter, style)
                x += cell_len(letter)
            else:
                style = codes.removeprefix("0;") if codes != "0" else ""


def row(pieces: list[tuple[str, int]]) -> Strip:
    """A row of exactly the width."""
    return Strip([Segment(text, STYLES[number]) for text, number in pieces]).adjust_cell_length(WIDTH, STYLES[0])


def shown(strip: Strip) -> list[tuple[str, str]]:
    """What a terminal has to show of a row."""
    codes = {style: style.render("x", color_system=CONSOLE._color_system).partition("x")[0] for style in STYLES}
    return [(text, re.sub(r"[^\d;]", "", codes.get(style or STYLES[0], ""))) for text, style in cells(strip)]


pieces = st.lists(st.tuples(st.text(LETTERS, max_size=8), st.integers(0, len(STYLES) - 1)), max_size=5)
pictures = st.lists(st.lists(pieces.map(row), min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=5)


@given(pictures)
def test_after_each_picture_the_terminal_shows_it(every: list[list[Strip]]) -> None:
    frame, terminal = SentFrame(), Terminal()
    for picture in every:
        terminal.feed(frame.changes(enumerate(picture), CONSOLE))
        for y, strip in enumerate(picture):
            assert terminal.rows[y] == shown(strip)


def test_what_is_shown_already_costs_nothing() -> None:
    frame = SentFrame()
    picture = [row([("abc", 1)]), row([("def", 0)])]
    assert frame.changes(enumerate(picture), CONSOLE)
    assert frame.changes(enumerate(picture), CONSOLE) == ""


def test_one_letter_costs_only_itself() -> None:
    frame = SentFrame()
    frame.changes([(0, row([("abcdefgh", 0)]))], CONSOLE)
    assert frame.changes([(0, row([("abcXefgh", 0)]))], CONSOLE) == "\x1b[1;4H\x1b[0mX\x1b[0m"


def test_after_forgetting_everything_is_written() -> None:
    frame = SentFrame()
    picture = [row([("abc", 0)])]
    first = frame.changes(enumerate(picture), CONSOLE)
    frame.forget()
    assert frame.changes(enumerate(picture), CONSOLE) == first
