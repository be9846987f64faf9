"""How wide text is in a terminal; the app, which counts as Rich does, must come to the same."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from dnet_tui.inspect.text.cells import cells, cells_of, pad


@pytest.mark.parametrize(
    ("text", "wide"),
    [("web", 3), ("\u7f51\u7edc", 4), ("e\u0301", 1), ("\uff37", 2), ("\u2192", 1), ("\u2026", 1), ("", 0)],
)
def test_wide_characters_take_two_cells_and_combining_ones_none(text: str, wide: int) -> None:
    assert cells(text) == wide
    assert sum(map(cells_of, text)) == wide


def test_it_agrees_with_rich_on_the_scripts_that_names_are_written_in() -> None:
    scripts = [range(0x20, 0x7F), range(0xA1, 0xAD), range(0xAE, 0x250), range(0x391, 0x3A2), range(0x410, 0x450)]
    scripts += [range(0x2190, 0x21A0), range(0x2500, 0x2580), range(0x3041, 0x3097), range(0x4E00, 0x4F00)]
    scripts += [range(0xAC00, 0xAD00), range(0x300, 0x34F)]
    text = [chr(code) for script in scripts for code in script]
    assert [char for char in text if cells(char) != cell_len(char)] == []


def test_padding_counts_cells() -> None:
    assert pad("\u7f51", 4) == "\u7f51  "
    assert pad("too long", 3) == "too long"
