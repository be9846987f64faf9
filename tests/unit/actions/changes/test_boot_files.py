"""Files: whole, new, never through a link, and gone again with the folders that came with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dnet_tui.actions.changes import boot_files
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.captured_state import FileState
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

FILE = WriteFile(path="/etc/made/here/x.conf", content="a\nb\n")


def written(root: Path) -> Path:
    return root / "etc/made/here/x.conf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_it_comes_and_goes_with_its_folders(root: Path) -> None:
    state = boot_files.prepare(FILE, root)
    assert state.folders == ("/etc/made", "/etc/made/here")
    old = os.umask(0o077)
    try:
        boot_files.perform(FILE, state, root)
    finally:
        os.umask(old)
    assert written(root).read_text() == FILE.content
    assert written(root).stat().st_mode & 0o777 == 0o644
    assert [item.name for item in written(root).parent.iterdir()] == ["x.conf"]
    assert "deleted" in boot_files.revert(FILE, state, root)
    assert list((root / "etc").iterdir()) == []
    assert "gone already" in boot_files.revert(FILE, state, root)


def test_folders_with_others_things_stay(root: Path) -> None:
    state = boot_files.prepare(FILE, root)
    boot_files.perform(FILE, state, root)
    (root / "etc/made/other").write_text("theirs")
    boot_files.revert(FILE, state, root)
    assert sorted(item.name for item in (root / "etc/made").iterdir()) == ["other"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder"])
def test_what_is_there_is_never_overwritten(root: Path, kind: str) -> None:
    written(root).parent.mkdir(parents=True)
    other = root / "other"
    other.write_text("theirs")
    if kind == "file":
        written(root).write_text("theirs")
    elif kind == "folder":
        written(root).mkdir()
    else:
        written(root).symlink_to(other if kind == "link" else root / "nowhere")
    with pytest.raises(ActionFailedError, match="not overwritten"):
        boot_files.prepare(FILE, root)
    with pytest.raises(ActionFailedError, match="come since"):
        boot_files.perform(FILE, FileState(), root)
    assert other.read_text() == "theirs"
    assert not (root / "nowhere").exists()


def test_a_folder_that_is_a_link_is_refused(root: Path) -> None:
    (root / "elsewhere/here").mkdir(parents=True)
    (root / "etc/made").symlink_to(root / "elsewhere")
    with pytest.raises(ActionFailedError, match="no folder"):
        boot_files.prepare(FILE, root)
    with pytest.raises(ActionFailedError, match="no folder"):
        boot_files.perform(FILE, FileState(), root)
    assert list((root / "elsewhere/here").iterdir()) == []


def test_a_folder_that_others_may_write_to_is_refused(root: Path) -> None:
    (root / "etc/made/here").mkdir(parents=True)
    (root / "etc/made").chmod(0o777)
    with pytest.raises(ActionFailedError, match="others may write"):
        boot_files.prepare(FILE, root)


def test_a_draft_of_one_that_was_killed_goes_too(root: Path) -> None:
    state = boot_files.prepare(FILE, root)
    written(root).parent.mkdir(parents=True)
    (written(root).parent / ".x.conf.dnet-tui").write_text("a")
    boot_files.revert(FILE, state, root)
    assert list((root / "etc").iterdir()) == []


def test_what_somebody_changed_is_left_alone(root: Path) -> None:
    state = boot_files.prepare(FILE, root)
    boot_files.perform(FILE, state, root)
    written(root).write_text("a\nb\nc\n")
    with pytest.raises(ActionFailedError, match="was changed since"):
        boot_files.revert(FILE, state, root)
    assert written(root).exists()


def test_a_unit_that_was_never_enabled_needs_no_disabling() -> None:
    class NoBus(FakeHost):
        def run(self, argv: Sequence[str], *, limit: float = 30.0, given: bytes = b"") -> Ran:
            del limit, given
            if tuple(argv) == ("systemctl", "--root=/", "is-enabled", "u.service"):
                return Ran(1, f"{self.found}\n", "")
            return Ran(1, "", "Failed to connect to bus") if argv[1] in ("disable", "is-active") else Ran(0, "", "")

        found = "disabled"

    host = NoBus()
    assert boot_files.disable(EnableUnit(unit="u.service"), host) == "u.service is not started with the host"
    host.found = "enabled"
    with pytest.raises(ActionFailedError, match="Failed to connect to bus"):
        boot_files.disable(EnableUnit(unit="u.service"), host)
