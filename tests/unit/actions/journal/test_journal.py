"""The journal: what is on the disk, and when; two writers; damage; strangers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.undo import undo_entry
from dnet_tui.actions.journal.entries import StepLocation, elsewhere
from dnet_tui.actions.journal.journal import here, opened, read, state_folder
from dnet_tui.actions.journal.reserve import SIZE, STEP, keep
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from unit.builders.fake_host import FakeHost

PLACE = StepLocation(netns=1, cookie=7, boot="b")
PLAN = Plan(
    title="forward",
    steps=(
        PlanStep(action=SetSysctl(key="net.ipv4.ip_forward", value="1")),
        PlanStep(action=SetSysctl(key="net.ipv4.conf.lo.send_redirects", value="0")),
    ),
)


def lines(folder: Path) -> list[bytes]:
    return (folder / "journal.jsonl").read_bytes().splitlines()


def test_each_change_is_on_the_disk_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(len(lines(tmp_path))))

    class Watching(FakeHost):
        def set_sysctl(self, key: str, value: str) -> None:
            last = lines(tmp_path)[-1]
            assert b'"event":"step"' in last
            assert key.encode() in last, "the state before is in the line before"
            assert synced[-1] == len(lines(tmp_path)), "and synced"
            super().set_sysctl(key, value)

    entry = apply_plan(PLAN, HostExecutor(Watching()), tmp_path, place=lambda: PLACE)
    assert entry.status == "done"
    assert [change.after is not None for change in entry.changes] == [True, True]


def test_file_and_folder_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "dnet-tui"
    apply_plan(PLAN, HostExecutor(FakeHost()), folder, place=lambda: PLACE)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_ids_are_short_sortable_and_never_reused(tmp_path: Path) -> None:
    host = FakeHost()
    ids = [apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE).id for _ in range(3)]
    assert ids == ["0001", "0002", "0003"]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_skipped_and_not_grown(tmp_path: Path, cut: int) -> None:
    apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    entries, torn = read(tmp_path)
    assert [entry.id for entry in entries] == ["0001"]
    assert torn == (0 if cut == 1 else 1)  # without only its line end the line is whole
    again = apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    assert [entry.id for entry in read(tmp_path)[0]] == ["0001", "0002"]
    assert again.status == "done"


def test_damage_in_the_middle_costs_only_its_lines(tmp_path: Path) -> None:
    for _ in range(2):
        apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    rows = lines(tmp_path)
    rows[1] = b'{"event":"from-a-later-version","id":"0001"}'
    rows[2] = b"\0\0\0\xff"
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    entries, torn = read(tmp_path)
    assert [entry.status for entry in entries] == ["done", "done"]
    assert torn == 2


def test_a_full_disk_stops_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"event":"step"' in bytes(data):
            real(descriptor, bytes(data)[:20])
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ActionFailedError, match="No space left"):
        apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert host.values["net.ipv4.ip_forward"] == "0"
    entries, torn = read(tmp_path)
    assert (entries[0].status, entries[0].standing, torn) == ("failed", (), 0)


def begin_line(number: str, **more: object) -> bytes:
    steps = [{"action": {"op": "from-a-later-version", "what": 1}}]
    line = {"event": "begin", "id": number, "time": "2030-01-01T00:00:00Z", "title": "later", "steps": steps}
    return json.dumps(line | {"place": {"netns": 1, "cookie": 7, "boot": "b"}} | more, separators=(",", ":")).encode()


def append(folder: Path, *rows: bytes) -> None:
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b"\n".join(rows) + b"\n")


def test_an_entry_of_another_version_is_listed_and_hides_no_other(tmp_path: Path) -> None:
    host = FakeHost()
    for _ in range(2):
        apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    append(tmp_path, begin_line("0003"), b'{"event":"done","id":"0003","time":"t"}')
    later = apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert later.id == "0004"
    entries, torn = read(tmp_path)
    assert [(entry.id, bool(entry.unreadable)) for entry in entries] == [
        ("0001", False), ("0002", False), ("0003", True), ("0004", False),
    ]  # fmt: skip
    assert torn == 1
    with pytest.raises(UsageError, match="0003 can't be undone by this version"):
        undo_entry(HostExecutor(host), tmp_path, "3", place=lambda: PLACE)
    assert [undo_entry(HostExecutor(host), tmp_path, place=lambda: PLACE).entry.id for _ in range(3)] == [
        "0004", "0002", "0001",
    ]  # fmt: skip


def test_a_newer_format_is_refused_kindly_even_where_it_can_be_read(tmp_path: Path) -> None:
    apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"steps":', b'"format":2,"steps":', 1))
    with pytest.raises(UsageError, match="format 2; this one knows 1"):
        undo_entry(HostExecutor(FakeHost()), tmp_path, "1", place=lambda: PLACE)
    with pytest.raises(UsageError, match="nothing to undo"):
        undo_entry(HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)


@pytest.mark.parametrize("garbage", [b'{"event":"begin","id":"0007","tim', b'\xff"id":"0007"', begin_line("0007")[:-9]])
def test_the_id_of_a_line_that_cannot_be_read_is_not_used_again(tmp_path: Path, garbage: bytes) -> None:
    apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    append(tmp_path, garbage)
    assert apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE).id == "0008"


def test_zeros_before_a_line_do_not_hide_it(tmp_path: Path) -> None:
    host = FakeHost()
    apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    file = tmp_path / "journal.jsonl"
    rows = lines(tmp_path)
    file.write_bytes(b"\n".join([*rows[:3], b"\0" * 512 + rows[3], *rows[4:], b""]))
    entries, torn = read(tmp_path)
    assert (entries[0].standing, entries[0].lost, torn) == ((0, 1), (), 0)


def test_a_change_whose_line_is_lost_is_named_when_the_rest_is_taken_back(tmp_path: Path) -> None:
    host = FakeHost()
    apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    rows = lines(tmp_path)
    assert b'"event":"step"' in rows[1]
    rows[1] = rows[1][:30]
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    with pytest.raises(ActionFailedError, match=r"only in part.*set net.ipv4.ip_forward to 1") as error:
        undo_entry(HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert "net.ipv4.conf.lo.send_redirects = 1" in error.value.message
    assert host.values["net.ipv4.conf.lo.send_redirects"] == "1"
    assert read(tmp_path)[0][0].status == "done"


def test_what_was_changed_can_be_taken_back_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    before = dict(host.values)
    apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    reserve = tmp_path / "journal.reserve"
    assert reserve.stat().st_blocks * 512 >= 64 << 10, "the room is really taken"
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if reserve.stat().st_size:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ActionFailedError, match="No space left"):
            apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
        assert reserve.stat().st_size, "nothing new is begun with it"
        undo_entry(HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert host.values == before
    assert read(tmp_path)[0][0].status == "undone"
    with opened(tmp_path):
        assert reserve.stat().st_size, "and it is filled again"


def test_without_room_for_taking_it_back_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = FakeHost()
    apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    before = dict(host.values)
    (tmp_path / "journal.reserve").unlink()

    def full(descriptor: int, offset: int, length: int) -> None:
        del descriptor, offset, length
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ActionFailedError, match=r"room for taking changes back: No space left .*nothing was changed"):
        apply_plan(PLAN, HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert host.values == before
    assert len(read(tmp_path)[0]) == 1
    undo_entry(HostExecutor(host), tmp_path, place=lambda: PLACE)
    assert read(tmp_path)[0][0].status == "undone"


def test_the_room_that_is_kept_grows_with_the_plan(tmp_path: Path) -> None:
    with opened(tmp_path):
        assert (tmp_path / "journal.reserve").stat().st_size == SIZE
    assert keep(tmp_path, steps=2 * SIZE // STEP) == ""
    assert (tmp_path / "journal.reserve").stat().st_size == 2 * SIZE


def test_a_journal_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.jsonl", 0o600)
    with pytest.raises(ActionFailedError, match="no ordinary file"), opened(tmp_path):
        pass


HOLD = """
import signal, sys
from pathlib import Path
from dnet_tui.actions.journal.journal import opened
with opened(Path(sys.argv[1])):
    print("held", flush=True)
    signal.pause()
"""
"""Another dnet-tui that has the journal and keeps it."""


def test_two_writers_never_interleave(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(ActionFailedError, match="another dnet-tui"), opened(tmp_path, patience=0.1):
                pass
            read(tmp_path)  # a reader needs no lock
        finally:
            other.kill()
    with opened(tmp_path, patience=20):
        pass  # a killed writer's lock is gone with it


def test_a_strangers_journal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ActionFailedError, match="belongs to another user"):
        read(tmp_path)
    with pytest.raises(ActionFailedError, match="belongs to another user"), opened(tmp_path):
        pass


def test_a_journal_that_others_may_write_is_refused(tmp_path: Path) -> None:
    apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    (tmp_path / "journal.jsonl").chmod(0o666)
    with pytest.raises(ActionFailedError, match="others may write"):
        read(tmp_path)


def test_a_link_in_the_journals_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "journal.jsonl").symlink_to(victim)
    with pytest.raises(ActionFailedError), opened(folder):
        pass
    assert victim.read_text() == ""


def test_a_command_s_undo_is_kept_with_it(tmp_path: Path) -> None:
    back = Command(argv=("true", "back"))
    plan = Plan(title="t", steps=(PlanStep(action=Command(argv=("true",)), undo=(back,)),))
    apply_plan(plan, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    assert read(tmp_path)[0][0].changes[0].captured.undo == (back,)  # type: ignore[union-attr]


def test_the_state_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    monkeypatch.delenv("DNET_TUI_STATE", raising=False)
    assert state_folder() == Path("/x/dnet-tui")
    monkeypatch.setenv("DNET_TUI_STATE", "/y")
    assert state_folder() == Path("/y")


@pytest.mark.parametrize(
    ("place", "same"),
    [
        (StepLocation(netns=1, cookie=7, boot="b"), True),
        (StepLocation(netns=1, cookie=8, boot="b"), False),  # an inode that was reused
        (StepLocation(netns=1, cookie=7, boot="c"), False),
        (StepLocation(netns=1, boot="b"), True),  # a kernel without cookies
        (StepLocation(netns=2, boot="b"), False),
    ],
)
def test_an_entry_belongs_to_one_namespace_and_one_boot(tmp_path: Path, place: StepLocation, *, same: bool) -> None:
    entry = apply_plan(PLAN, HostExecutor(FakeHost()), tmp_path, place=lambda: PLACE)
    assert (elsewhere(entry, place) == "") is same


def test_this_place_has_an_inode() -> None:
    assert here().netns == Path("/proc/self/ns/net").stat().st_ino
