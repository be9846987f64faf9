"""What the settings file settles for the app: its theme and the engine's socket."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.app import app as app_module
from dnet_tui.tui.app import services_host
from dnet_tui.tui.app.app import DnetApp, run_app
from dnet_tui.tui.app.model.state import ErrorInfo, changed
from dnet_tui.tui.settings.host_settings import AppSettings, EngineSettings, HostSettings
from ui.driving import running, screen_text, until
from ui.fakes import FakeHost


@pytest.mark.parametrize("name", ["dnet-light", "light"])
async def test_the_theme_of_the_settings_is_taken(name: str) -> None:
    app = DnetApp(FakeHost().services(), theme=name)
    async with running(app):
        assert app.theme == "dnet-light"
        assert "settings" not in screen_text(app)


async def test_an_unknown_theme_is_said_once_and_the_app_goes_on() -> None:
    app = DnetApp(FakeHost().services(), theme="[pink]")
    async with running(app, (140, 40)) as pilot:
        await until(pilot, lambda: len(app._notifications) == 1)
        (told,) = [item.message for item in app._notifications]
        assert told == "The settings name an unknown theme “[pink]”: there are dark, light, contrast."
        await pilot.press("2", "1", "r")
        await pilot.pause()
        assert app.theme == "dnet-dark"
        assert len(app._notifications) == 1


def test_the_app_is_opened_with_the_theme_and_the_socket_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    known = HostSettings(app=AppSettings(theme="light"), engines=EngineSettings(docker_socket="/run/other.sock"))
    opened: dict[str, Any] = {}

    def live(**how: Any) -> object:
        opened.update(how)
        return FakeHost().services()

    monkeypatch.setattr(app_module, "settings", lambda: known)
    monkeypatch.setattr(services_host, "live", live)

    def run(self: DnetApp, *, loop: AbstractEventLoop) -> None:
        loop.close()
        opened["theme"] = self._wanted_theme

    monkeypatch.setattr(DnetApp, "run", run)
    assert run_app(None) == 0
    assert (opened["docker_socket"], opened["theme"]) == ("/run/other.sock", "light")


def test_the_host_is_read_with_the_socket_that_was_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "dnet_tui.inspect.snapshot.take_snapshot.Observer", lambda options: asked.append(options.docker_socket)
    )
    with pytest.raises(AttributeError):
        services_host.LiveHost("/run/other.sock").refresh(FakeHost().snapshot, frozenset())
    assert asked == ["/run/other.sock"]


@pytest.mark.parametrize("reads", [True, False])
def test_a_snapshot_that_could_not_be_read_is_an_error_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, reads: bool
) -> None:
    path = tmp_path / "passwd"
    path.write_text("root:x:0:0")

    def run(self: DnetApp, *, loop: AbstractEventLoop) -> None:
        loop.close()
        told = {"snapshot": FakeHost().snapshot} if reads else {"trouble": ErrorInfo(message="it is no snapshot")}
        self.state = changed(self.state, **told)

    monkeypatch.setattr(DnetApp, "run", run)
    if reads:
        assert run_app(path) == 0
    else:
        with pytest.raises(UsageError, match="it is no snapshot"):
            run_app(path)
