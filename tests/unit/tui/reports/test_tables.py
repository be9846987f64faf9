from dnet_tui.inspect.text.cells import cells
from dnet_tui.tui.reports.tables import render
from dnet_tui.tui.reports.terminal import OutputStyle

HEADERS = ("NAME", "WHAT IT IS")
ROWS = [("web", "a container on docker0"), ("app", "another")]


def test_a_pipe_gets_every_column_at_full_width() -> None:
    long = "x" * 300

    assert render(HEADERS, [("web", long)], OutputStyle()).splitlines() == ["NAME  WHAT IT IS", f"web   {long}"]


def test_columns_are_aligned_and_lines_have_no_trailing_spaces() -> None:
    assert render(HEADERS, ROWS, OutputStyle(80)) == ("NAME  WHAT IT IS\nweb   a container on docker0\napp   another\n")


def test_a_cell_that_does_not_fit_wraps_between_words() -> None:
    assert render(HEADERS, ROWS, OutputStyle(20)).splitlines() == [
        "NAME  WHAT IT IS",
        "web   a container on",
        "      docker0",
        "app   another",
    ]


def test_rows_become_paragraphs_where_words_would_have_to_be_broken() -> None:
    text = render(("VETH", "BRIDGE", "CONTAINER"), [("veth5f0a1b2", "br-0a1b2c3d4e5f", "web")], OutputStyle(32))

    assert text.splitlines() == ["veth5f0a1b2", "  bridge br-0a1b2c3d4e5f", "  container web"]


def test_no_line_is_ever_wider_than_the_terminal() -> None:
    for width in range(20, 90):
        text = render(
            ("VETH", "A B C", "D"), [("veth5f0a1b2", "word " * 9, "u" * 70), ("a", "", "b")], OutputStyle(width)
        )
        assert max(cells(line) for line in text.splitlines()) <= width


def test_wide_characters_take_two_cells() -> None:
    lines = render(("N", "X"), [("網路", "1"), ("ab", "2")], OutputStyle()).splitlines()

    assert lines == ["N     X", "網路  1", "ab    2"]


def test_escapes_in_a_name_are_made_harmless() -> None:
    assert "\x1b" not in render(HEADERS, [("\x1b[2Jweb", "x")], OutputStyle())


def test_an_empty_cell_shows_as_a_dash() -> None:
    assert render(HEADERS, [("web", "")], OutputStyle()).splitlines()[1] == "web   -"


def test_headers_are_bold_only_where_the_terminal_takes_colour() -> None:
    assert "\x1b[1m" in render(HEADERS, ROWS, OutputStyle(80, colour=True))
    assert "\x1b" not in render(HEADERS, ROWS, OutputStyle(80))
