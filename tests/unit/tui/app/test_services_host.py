from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.inspect.archive.snapshot_file import save
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.tui.app import services_host
from unit.builders.factories import docker_like_snapshot


def test_a_saved_snapshot_can_be_looked_at_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(docker_like_snapshot(), path)
    services = services_host.saved(path)
    assert services.take() == docker_like_snapshot()
    assert (services.apply_fix, services.undo, services.last_change, services.open_capture) == (None,) * 4


def test_a_file_that_is_not_there_is_told_before_the_app_opens(tmp_path: Path) -> None:
    from dnet_tui.tui.app.app import run_app  # noqa: PLC0415  brings in Textual, for this test only

    with pytest.raises(UsageError, match="no file"):
        run_app(tmp_path / "nothing.json")


def test_a_file_that_is_no_snapshot_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text("{")
    with pytest.raises(DnetError, match=r"host\.json"):
        services_host.saved(path).take()


def test_readonly_leaves_out_what_would_change_the_host() -> None:
    services = services_host.live(readonly=True)
    assert (services.apply_fix, services.undo, services.last_change) == (None,) * 3
    assert services.open_capture is not None


def test_without_follow_nothing_is_listened_to() -> None:
    assert services_host.live(readonly=True, follow=False).watch is None
    assert services_host.live(readonly=True).watch is not None
    assert services_host.saved(Path("host.json")).watch is None
