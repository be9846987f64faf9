from __future__ import annotations

import subprocess
import sys

import pytest
from rich.cells import cell_len

from dnet_tui.tui.app.present.styled_text import (
    Paragraph,
    Row,
    TextSpan,
    columns,
    fact,
    filtered,
    fit,
    line,
    moved,
    natural_columns,
    pad,
    place,
    plain,
    say,
    whole,
    width_of,
    wrap,
)


def row(*cells: str, ident: str = "x", parent: str = "", search: str = "") -> Row:
    return Row(id=ident, cells=tuple(line(cell) for cell in cells), parent=parent, search=search)


def test_what_is_said_is_made_harmless_and_never_markup() -> None:
    assert say("[red]x[/red]\x1b[31m\n").text == "[red]x[/red]\\x1b[31m\\x0a"


def test_a_line_joins_texts_pieces_and_lines_and_drops_the_empty() -> None:
    assert line("a", say("b", "bad"), line("c", ""), "") == (TextSpan("a"), TextSpan("b", "bad"), TextSpan("c"))


@pytest.mark.parametrize(
    ("width", "shown"), [(11, "hello world"), (10, "hello wor…"), (6, "hello…"), (1, "…"), (0, "")]
)
def test_fit_cuts_and_says_so(width: int, shown: str) -> None:
    assert plain(fit(line("hello", " world"), width)) == shown


def test_widths_are_cells_not_characters() -> None:
    wide = line("网络网络")
    assert width_of(wide) == 8
    assert width_of(fit(wide, 5)) <= 5
    assert width_of(pad(wide, 12)) == 12
    assert plain(pad(line("7"), 3, "right")) == "  7"


def test_wrap_breaks_between_words_and_indents_what_follows() -> None:
    lines = [plain(item) for item in wrap(fact("floods", "unicast, broadcast, multicast"), 32)]
    assert lines == ["floods      unicast, broadcast,", "            multicast"]


def test_wrap_never_leaves_a_key_alone_and_cuts_a_word_longer_than_the_line() -> None:
    lines = [plain(item) for item in wrap(fact("id", "0123456789" * 3), 30)]
    assert lines == ["id          012345678901234567", "            890123456789"]


@pytest.mark.parametrize("width", range(1, 60, 7))
@pytest.mark.parametrize(
    "text", ["", "short", "a much longer text with words", "x" * 200, "网" * 50, "  indented  text  "]
)
@pytest.mark.parametrize("hang", [0, 2, 12])
def test_wrapped_lines_fit_and_lose_nothing(width: int, text: str, hang: int) -> None:
    lines = wrap(Paragraph(line("key ", text), hang=hang), width)
    assert all(cell_len(plain(item)) <= max(width, 2) for item in lines)
    assert "".join("".join(plain(item) for item in lines).split()) == "".join(f"key {text}".split())


def test_columns_keep_their_width_while_there_is_room() -> None:
    rows = [row("name", "kind", "10.0.0.1"), row("longer name", "k", "")]
    assert columns(natural_columns(rows), 40) == (11, 4, 8)
    assert plain(place(rows[0], 40, (11, 4, 8))) == "name         kind  10.0.0.1"


def test_without_room_the_first_column_is_cut_and_then_the_last_left_out() -> None:
    rows = [row("a-very-long-name-indeed", "172.30.100.1/24")]
    assert columns(natural_columns(rows), 36) == (19, 15)
    assert columns(natural_columns(rows), 30) == (23,)
    assert columns(natural_columns(rows), 20) == (20,)


def test_with_cut_last_the_last_column_is_cut_first() -> None:
    rows = [row("ip-forward-off", "net.ipv4.ip_forward")]
    assert columns(natural_columns(rows), 30, cut_last=True) == (14, 14)
    assert columns(natural_columns(rows), 20, cut_last=True) == (14,)


def test_a_row_of_one_cell_spans_all_columns_and_widens_none() -> None:
    rows = [row("a heading that is much longer than the columns"), row("x", "y")]
    sizes = columns(natural_columns(rows), 60)
    assert sizes == (1, 1)
    assert plain(place(rows[0], 60, sizes)) == "a heading that is much longer than the columns"


def test_a_line_moved_sideways_says_that_something_is_left_of_it() -> None:
    text = line(say("  one ", "head"), "two three")
    assert moved(text, 0) == text
    assert moved(text, 2) == line(say("one ", "head"), "two three")
    assert plain(moved(text, 3)) == "…e two three"
    assert plain(moved(text, 100)) == "…"
    assert moved((), 5) == ()


def test_a_line_moved_into_a_wide_character_keeps_its_cells() -> None:
    assert plain(moved(line("日本語"), 1)) == "…本語"
    assert cell_len(plain(moved(line("  日本語"), 3))) == 5


def test_a_whole_row_has_all_its_columns_however_long() -> None:
    rows = [row("a-very-long-name-indeed", "172.30.100.1/24", "more")]
    assert plain(whole(rows[0], natural_columns(rows))) == "a-very-long-name-indeed  172.30.100.1/24  more"


def test_a_filter_wants_all_words_in_any_case_and_keeps_the_ancestors() -> None:
    rows = (
        row("docker0", ident="b1"),
        row("web", "172.17.0.2", ident="c1", parent="b1", search="container"),
        row("br-app", ident="b2"),
        row("app1", "10.10.0.2", ident="c2", parent="b2", search="container"),
    )
    assert [item.id for item in filtered(rows, "CONTAINER app")] == ["b2", "c2"]
    assert [item.id for item in filtered(rows, "172")] == ["b1", "c1"]
    assert filtered(rows, "nothing such") == ()
    assert filtered(rows, "  ") == rows


def test_a_heading_alone_does_not_match_a_filter() -> None:
    heading = Row(id="h", cells=(line("Checks 8"),), selectable=False)
    assert filtered((heading, row("masq")), "checks") == ()


def test_what_is_presented_never_needs_textual() -> None:
    modules = "capture.packets capture.packet_detail capture.points map.map_tree map.map_detail map.topology "
    modules += "forms rules_rows rules_detail doctor_rows doctor_detail rules_about subject frame confirm"
    code = f"""
import importlib, sys
for name in {modules.split()!r}:
    importlib.import_module("dnet_tui.tui.app.present." + name)
sys.exit("textual" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
