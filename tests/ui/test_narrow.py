"""Narrow terminals: everything that is asked can be read while it is typed."""

from __future__ import annotations

import pytest

from dnet_tui.tui.app.widgets.flow_form import FIELDS, FlowForm
from ui.driving import running, screen_text
from ui.fakes import FakeHost


@pytest.mark.parametrize(("size", "lines"), [((40, 20), 3), ((60, 24), 3), ((80, 24), 1)])
async def test_the_fields_of_a_flow_have_room_for_names(size: tuple[int, int], lines: int) -> None:
    app = FakeHost().app()
    async with running(app, size) as pilot:
        await pilot.press("4", "enter")
        await pilot.pause()
        form = app.screen.query_one(FlowForm)
        assert form.region.height == lines
        boxes = [form.box(field) for field in FIELDS]
        assert len({box.region.y for box in boxes}) == lines
        assert all(box.region.width >= 8 for box in boxes)
        await pilot.press(*"app1", "enter", *"outside", "enter")
        await pilot.pause()
        text = screen_text(app)
        assert "app1" in text
        assert "outside" in text


async def test_what_does_not_apply_to_a_question_takes_no_line() -> None:
    app = FakeHost().app()
    async with running(app, (60, 24)) as pilot:
        await pilot.press("t", "enter")
        await pilot.pause()
        assert app.screen.query_one(FlowForm).region.height == 1
