"""State is never told by colour alone: with the colours gone, what is broken still differs from what is well."""

from __future__ import annotations

from typing import get_args

from dnet_tui.diagnostics.report.finding import Outcome, Severity
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.modes import tabs
from dnet_tui.tui.app.present import doctor_rows, findings_of, frame
from dnet_tui.tui.app.present.guided import steps
from dnet_tui.tui.app.present.map import map_detail, map_tree
from dnet_tui.tui.app.present.styled_text import plain
from ui import hosts


def test_severities_differ_by_their_sign() -> None:
    signs = [findings_of.mark(severity).text for severity in get_args(Severity)]
    assert len(set(signs)) == len(signs) > 2


def test_outcomes_differ_by_their_sign() -> None:
    signs = [doctor_rows.outcome_mark(outcome).text for outcome in get_args(Outcome)]
    assert len(set(signs)) == len(signs) > 2


def test_steps_differ_by_their_sign() -> None:
    signs = [sign for sign, _ in steps._SIGNS.values()]
    assert len(set(signs)) == len(signs) > 2


def test_what_a_finding_affects_and_what_is_down_is_marked_on_the_map() -> None:
    def text(snapshot: Snapshot, report: Report) -> dict[str, str]:
        rows = map_tree.rows(snapshot, report, frozenset(), None)
        return {row.id: " ".join(plain(cell) for cell in row.cells) for row in rows}

    well, sick = text(hosts.host(), hosts.healthy()), text(hosts.host(), hosts.sick())
    marked = {row for row in well if well[row] != sick[row]}
    assert "host" in marked
    assert any(row.startswith("link:") for row in marked)
    down = text(hosts.broken_web(), hosts.healthy())
    assert [down[row] for row in down if down[row] != well.get(row)] != []


def test_a_link_that_is_down_says_so_in_its_detail() -> None:
    row = next(
        row.id
        for row in map_tree.rows(hosts.broken_web(), None, frozenset(), None)
        if "veth5f0a1b2" in "".join(map(plain, row.cells))
    )
    texts = [
        "\n".join(plain(para.line) for para in map_detail.detail(snapshot, None, row, None))
        for snapshot in (hosts.host(), hosts.broken_web())
    ]
    assert texts[0] != texts[1]
    assert "down" in texts[1]


def test_the_verdict_and_the_mode_on_show_are_words() -> None:
    titles = []
    for report in (hosts.healthy(), hosts.sick()):
        state = AppState(snapshot=hosts.host(), report=report, may_write=True)
        left, right = frame.title(state, tabs(can_capture=True), "rules", 80)
        titles.append(plain(right))
        assert "[2 Rules]" in plain(left)
    assert titles[0] != titles[1]
