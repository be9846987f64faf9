"""Mode 6: what changed, who did it, what it broke, and what dnet-tui itself did."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.model.timeline import JournalLine
from dnet_tui.tui.app.screens.dialog import Dialog
from ui.driving import detail, listing, row_text, running, screen_text, settled, until
from ui.fakes import FakeHost
from ui.test_troubleshoot import broken, sound
from unit.builders.factories import HOST, docker_like_snapshot, with_link, with_namespace

OURS = JournalLine(
    entry="0007", time="2026-11-21T09:59:00Z", title="ip-forward-off", status="done", undo=("sysctl -w x=0",)
)


@pytest.fixture(autouse=True)
def _without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnet_tui.tui.app.refresh_scheduler.REST", 0.0)


def without_nat() -> FakeHost:
    """A sound host, to be flushed."""
    return sound()


def flushed() -> FakeHost:
    """The same after somebody flushed its nat table."""
    snapshot = docker_like_snapshot()
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    tables = tuple(table for table in host.firewall.tables if table.name != "nat")
    firewall = msgspec.structs.replace(host.firewall, tables=tables)
    changed = with_namespace(snapshot, HOST, firewall=firewall)
    changed = msgspec.structs.replace(changed, taken_at="2026-11-21T10:05:00Z")
    return FakeHost(changed, run_checks(changed))


async def moved(pilot: object, host: FakeHost, to: FakeHost, *authors: str) -> None:
    """The host becomes another one, and says so."""
    app: DnetApp = pilot.app  # type: ignore[attr-defined]
    host.snapshot, host.report, host.authors = to.snapshot, to.report, authors
    host.move("firewall")
    await until(pilot, lambda: app.state.snapshot is to.snapshot)  # type: ignore[arg-type]
    await settled(pilot)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 24)])
async def test_who_flushed_the_rules_what_it_took_and_what_it_broke(size: tuple[int, int]) -> None:
    host = without_nat()
    async with running(host.app(), size) as pilot:
        await pilot.press("6")
        assert "nothing has changed so far" in screen_text(pilot.app)  # type: ignore[arg-type]
        await moved(pilot, host, flushed(), "nft (process 4711)")
        app: DnetApp = pilot.app  # type: ignore[assignment]
        texts = [row_text(row) for row in listing(app, "changes").rows]
        assert any("nat" in text and "by nft (process 4711)" in text for text in texts)
        assert any("masq-missing" in text or "rules-flushed" in text for text in texts)
        row = next(row.id for row in listing(app, "changes").rows if "by nft" in row_text(row))
        listing(app, "changes").put_cursor(row)
        await pilot.pause()
        assert "nft (process 4711)" in detail(app, "changes")


async def test_a_finding_that_came_leads_to_the_doctor_and_one_that_went_is_mended() -> None:
    host = without_nat()
    async with running(host.app(), (140, 40)) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await pilot.press("6")
        await moved(pilot, host, flushed(), "nft (process 1)")
        row = next(
            row.id for row in listing(app, "changes").rows if "-missing" in row_text(row) or "flushed" in row_text(row)
        )
        listing(app, "changes").put_cursor(row)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "doctor")
        await pilot.pause()
        assert listing(app, "doctor").selected.startswith("finding:")
        await moved(pilot, host, sound())
        await pilot.press("6")
        await pilot.pause()
        assert any(entry.kind == "mended" for entry in app.state.timeline)


async def test_rules_whose_writer_the_kernel_does_not_tell_say_so() -> None:
    host = without_nat()
    async with running(host.app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await pilot.press("6")
        await moved(pilot, host, flushed())
        row = next(f"change:{entry.number}" for entry in app.state.timeline if entry.section == "firewall")
        listing(app, "changes").put_cursor(row)
        await pilot.pause()
        assert "not told" in detail(app, "changes")


async def test_our_own_entry_is_undone_after_a_yes() -> None:
    host = sound()
    host.journal = [OURS]
    async with running(host.app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await pilot.press("6")
        await until(pilot, lambda: app.state.journal == (OURS,))
        await pilot.pause()
        assert "sysctl -w x=0" in detail(app, "changes")
        await pilot.press("u")
        await pilot.pause()
        assert isinstance(app.screen, Dialog)
        assert host.undone == []
        await pilot.press("y")
        await until(pilot, lambda: host.undone == ["0007"])


async def test_an_entry_that_is_undone_already_offers_no_undo() -> None:
    host = sound()
    host.journal = [JournalLine(entry="0001", time=OURS.time, title="x", status="undone")]
    async with running(host.app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await pilot.press("6")
        await until(pilot, lambda: len(app.state.journal) == 1)
        await pilot.pause()
        assert "undo this" not in screen_text(app)


async def test_while_frozen_changes_wait_and_come_all_at_once() -> None:
    host = without_nat()
    async with running(host.app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await pilot.press("6", "space")
        host.snapshot = with_link(host.snapshot, HOST, "docker0", mtu=1234)
        host.move("links")
        await settled(pilot)
        assert app.state.timeline == ()
        await pilot.press("space")
        await until(pilot, lambda: any("1234" in entry.text for entry in app.state.timeline))


async def test_a_saved_snapshot_says_how_two_are_compared() -> None:
    host = broken()
    app = DnetApp(host.services()._replace(journal=None, undo=None, apply_fix=None), offline=True)
    async with running(app) as pilot:
        await pilot.press("6")
        await pilot.pause()
        assert "dnet-tui snapshot diff" in screen_text(app)


async def test_it_worked_before_names_what_changed_and_who_did_it() -> None:
    host = without_nat()
    async with running(host.app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await moved(pilot, host, flushed(), "nft (process 4711)")
        await pilot.press("t", *["j"] * 5, "enter", *"web", "enter", *"outside", "enter", *"443", "enter")
        await until(pilot, lambda: app.state.guided.page == "steps")
        await pilot.press("G", "enter")
        await until(pilot, lambda: app.state.guided.page == "result")
        await pilot.pause()
        text = detail(app, "troubleshoot")
        assert "Changed since the app was opened" in text
        assert "by nft (process 4711)" in text
