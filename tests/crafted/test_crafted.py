"""Commands and the app on crafted snapshots: a changing sample of ``script/crafted``, and those that once failed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from crafted.commands import run
from crafted.snapshots import crafted, kind_of, sound
from dnet_tui.inspect.archive.snapshot_file import decode, save
from dnet_tui.inspect.errors import DnetError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.services_host import saved
from lab.sampling import commits
from ui.driving import running, screen_text
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace

SAMPLE = 11
WHOLE = 350
ONCE_WRONG = (56, 65, 153)
"""A crowd that took a matrix minutes, and addresses that were none."""


def sample() -> list[int]:
    """So many in a row, others with every commit: one of each kind."""
    first = commits() * SAMPLE % WHOLE
    return [first + at for at in range(SAMPLE)]


@pytest.mark.parametrize("number", dict.fromkeys((*ONCE_WRONG, *sample())))
def test_no_command_hangs_or_crashes(number: int, tmp_path: Path) -> None:
    run(number, tmp_path)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
async def test_the_app_shows_it_and_ends(number: int, tmp_path: Path) -> None:
    snapshot = sound(crafted(number))
    assert snapshot is not None, kind_of(number)
    path = tmp_path / "crafted.json"
    save(snapshot, path)
    app = DnetApp(saved(path), offline=True)
    async with running(app) as pilot:
        for key in (
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "t",
            "escape",
            "question_mark",
            "escape",
            "1",
            "down",
            "down",
            "slash",
            "escape",
        ):
            await pilot.press(key)
            await pilot.pause()
            assert "\x1b" not in screen_text(app)
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("address", ["nowhere", "10.0.0.1/8", "::g", ""])
def test_what_is_no_address_is_no_snapshot(address: str, tmp_path: Path) -> None:
    snapshot = docker_like_snapshot()
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    data = [item for item in host.addresses if item.scope == "global"]
    wrong = tuple(msgspec.structs.replace(item, address=address) for item in data)
    path = tmp_path / "wrong.json"
    save(with_namespace(snapshot, HOST, addresses=wrong), path)
    with pytest.raises(DnetError, match="no address"):
        decode(path.read_bytes())


def test_there_is_one_of_every_kind_in_a_sample() -> None:
    assert len({kind_of(number) for number in sample()}) == 8
