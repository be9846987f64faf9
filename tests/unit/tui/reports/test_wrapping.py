from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.text.cells import cells
from dnet_tui.tui.reports.wrapping import paragraph, wrap


def test_a_text_that_fits_is_left_alone() -> None:
    assert wrap("two  spaces stay", 16) == ["two  spaces stay"]


def test_without_a_width_nothing_is_wrapped() -> None:
    assert wrap("word " * 100, None) == ["word " * 100]


def test_a_word_longer_than_the_line_is_broken_not_lost() -> None:
    assert wrap("see fd00:1234:5678 now", 8) == ["see", "fd00:123", "4:5678", "now"]


@given(st.lists(st.text(alphabet="ab網é", min_size=1, max_size=30), min_size=1), st.integers(2, 40))
def test_wrapping_keeps_every_character_and_the_width(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), width)

    assert all(cells(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(words)


def test_following_lines_hang() -> None:
    assert paragraph("one two three", 14, "- ", "    ") == ["- one two", "    three"]
