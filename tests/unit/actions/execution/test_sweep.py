"""What a killed live trace has left goes with the next change, once the trace must have ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.sweep import left_tables, sweep
from dnet_tui.actions.journal.captured_state import AnyState, TraceTableState
from dnet_tui.actions.journal.entries import Before, JournalEntry, RecordedChange, StepLocation
from dnet_tui.actions.journal.journal import opened, read
from dnet_tui.actions.plans.operations import AddTraceTable
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.kernel.netns import NsHandle
from unit.builders.fake_host import FakeHost

HERE = StepLocation(netns=1, cookie=7, boot="b")
TABLE = AddTraceTable(name="dnet_tui_1", ruleset="", inside=NsHandle(inode=2), label="web")
AGO = (datetime.now(tz=UTC) - timedelta(minutes=5)).isoformat()


class Sweeping(HostExecutor):
    def __init__(self, *, refuse: bool = False) -> None:
        super().__init__(FakeHost())
        self.taken: list[str] = []
        self.refuse = refuse

    def revert(self, change: RecordedChange, *, resumed: bool) -> str:  # noqa: ARG002
        if self.refuse:
            raise ActionFailedError("not now")
        self.taken.append(change.action.text)
        return "gone"


def journalled(folder: Path, action: AddTraceTable | SetSysctl, time: str) -> None:
    state: AnyState = TraceTableState(existed=False)
    with opened(folder) as journal:
        identity = journal.begin(Plan(title="t", steps=(PlanStep(action=action),)), HERE)
        journal.write(Before(id=identity, time=time, index=0, captured=state))
    lines = (folder / "journal.jsonl").read_text().splitlines()
    begin = msgspec.json.decode(lines[-2]) | {"time": time}
    (folder / "journal.jsonl").write_text("\n".join([*lines[:-2], msgspec.json.encode(begin).decode(), lines[-1], ""]))


def swept(folder: Path, executor: Sweeping, place: StepLocation = HERE) -> tuple[JournalEntry, ...]:
    with opened(folder) as journal:
        sweep(journal, executor, place)
    return read(folder)[0]


def test_an_old_table_goes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    journalled(folder, TABLE, AGO)
    executor = Sweeping()
    (entry,) = swept(folder, executor)
    assert entry.status == "undone"
    assert executor.taken == ["add table inet dnet_tui_1 to the network of web"]
    assert left_tables([entry], HERE) == ()


@pytest.mark.parametrize("case", ["new", "another boot", "no table"])
def test_nothing_else_does(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "state"
    time = datetime.now(tz=UTC).isoformat() if case == "new" else AGO
    journalled(folder, SetSysctl(key="net.a.b", value="1") if case == "no table" else TABLE, time)
    executor = Sweeping()
    swept(folder, executor, msgspec.structs.replace(HERE, boot="c") if case == "another boot" else HERE)
    assert executor.taken == []


def test_what_can_not_be_taken_out_stays_known(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    journalled(folder, TABLE, AGO)
    entries = swept(folder, Sweeping(refuse=True))
    assert [item.id for item in left_tables(entries, HERE)] == ["0001"]
