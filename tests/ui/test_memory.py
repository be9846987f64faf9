"""Memory: a worker that ended holds no snapshot, and nothing is looked through while a key may come."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from textual.app import App

from dnet_tui.tui.app import workers
from dnet_tui.tui.app.model.forms import Draft
from dnet_tui.tui.app.thread_work import in_thread
from ui.driving import running, until
from ui.fakes import FakeHost


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Nothing looks for cycles."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("worker", ["draw", "plan", "rules"])
async def test_a_worker_that_ended_holds_no_snapshot(worker: str) -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        snapshot = app.state.snapshot
        assert snapshot is not None
        begin: dict[str, Callable[[], object]] = {
            "draw": lambda: app._draw(snapshot, "host"),
            "plan": lambda: app._plan_change(snapshot, Draft(kind="network", values={"name": "blue"})),
            "rules": lambda: app._find_rules("web", snapshot),
        }
        before = sys.getrefcount(snapshot)
        begin[worker]()
        await until(pilot, lambda: all(item.is_finished for item in app.workers))
        await pilot.pause()
        assert sys.getrefcount(snapshot) <= before


async def test_beginning_to_work_costs_nothing_whatever_it_is_about() -> None:
    class Big:
        """What takes long to be written down."""

        def __repr__(self) -> str:
            raise AssertionError("it was written down")

    class Working(App[None]):
        done: ClassVar[list[Big]] = []

        @in_thread("trying")
        def work_with(self, what: Big) -> None:
            self.done.append(what)

    app = Working()
    async with app.run_test() as pilot:
        worker = app.work_with(Big())
        await until(pilot, lambda: bool(app.done))
        assert worker.description == "work_with"


def test_python_does_not_look_through_everything_by_itself() -> None:
    script = """
import gc
from dnet_tui.tui.app import memory
memory.begin()
seen = []
gc.callbacks.append(lambda phase, info: seen.append(info["generation"]))
kept = [[number] for number in range(600_000)]
assert seen and 2 not in seen, set(seen)
memory.tidy()
assert 2 in seen
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


async def test_memory_is_tidied_after_a_look_once_nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    tidied: list[bool] = []
    app = FakeHost().app()
    monkeypatch.setattr(workers, "PAUSE", 0.2)
    monkeypatch.setattr(workers, "tidy", lambda: tidied.append(app.is_left_alone(0.2) and not app.is_reading))
    async with running(app) as pilot:
        await pilot.press("j")
        await until(pilot, lambda: bool(tidied))
        assert tidied == [True]
        await pilot.pause(0.5)
        assert tidied == [True]  # once for each look
