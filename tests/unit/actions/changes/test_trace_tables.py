"""The table of a live trace: added whole, taken out whether or not somebody lived to say that it was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from dnet_tui.actions.changes import trace_tables
from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.undo import undo_entry
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.captured_state import AnyState
from dnet_tui.actions.journal.entries import RecordedChange, StepLocation
from dnet_tui.actions.journal.journal import read
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.kernel.netns import own_handle
from unit.builders.fake_host import FakeHost

ACTION = AddTraceTable(
    name="dnet_tui_1", ruleset="table inet dnet_tui_1 { }", inside=own_handle(), label="host", own=True
)
PLAN = Plan(title="live trace a → b (dnet_tui_1)", steps=(PlanStep(action=ACTION),))


def here() -> StepLocation:
    return StepLocation(netns=1, cookie=7, boot="b")


class NftHand(FakeHost):
    """An nft that knows the inet tables of one namespace."""

    def __init__(self, *tables: str, refuses: str = "") -> None:
        super().__init__()
        self.tables = list(tables)
        self.refuses = refuses

    def run(self, argv: Sequence[str], *, limit: float = 1.0, given: bytes = b"") -> Ran:
        match tuple(argv):
            case ("nft", "list", "tables", "inet"):
                return Ran(0, "".join(f"table inet {name}\n" for name in self.tables), "")
            case ("nft", *_) if self.refuses:
                return Ran(1, "", self.refuses)
            case ("nft", "delete", "table", "inet", name):
                self.tables.remove(name)
                return Ran(0, "", "")
            case ("nft", text):
                self.tables.append(text.split()[2])
                return Ran(0, "", "")
            case _:
                return super().run(argv, limit=limit, given=given)

    def has(self, program: str) -> bool:
        return program == "nft" or super().has(program)


class KilledError(BaseException):
    """Stands for kill -9."""


class Dying(HostExecutor):
    """Dies right after the table was made, before anybody can say so."""

    def perform(self, action: AnyAction, captured: AnyState) -> AnyState:
        super().perform(action, captured)
        raise KilledError


def test_it_is_added_and_taken_out_again(tmp_path: Path) -> None:
    host = NftHand("others")
    entry = apply_plan(PLAN, HostExecutor(host), tmp_path, place=here)
    assert host.tables == ["others", "dnet_tui_1"]

    undo_entry(HostExecutor(host), tmp_path, entry.id, place=here)
    assert host.tables == ["others"]


def test_after_a_kill_the_journal_knows_of_it(tmp_path: Path) -> None:
    host = NftHand()
    with pytest.raises(KilledError):
        apply_plan(PLAN, Dying(host), tmp_path, place=here)
    assert host.tables == ["dnet_tui_1"]

    result = undo_entry(HostExecutor(host), tmp_path, place=here)
    assert host.tables == []
    assert result.notes == ("host: deleted table inet dnet_tui_1",)


def test_a_table_that_is_gone_is_no_error() -> None:
    note = trace_tables.revert(ACTION, NftHand("dnet_tui_10"))

    assert note == "host: table inet dnet_tui_1 is gone already"


def test_a_namespace_that_ended_took_its_table_along() -> None:
    gone = msgspec.structs.replace(ACTION, inside=msgspec.structs.replace(own_handle(), inode=1, pid=None), label="web")

    assert trace_tables.revert(gone, NftHand("dnet_tui_1")) == (
        "web: its network is gone, and table inet dnet_tui_1 with it"
    )
    with pytest.raises(ActionFailedError, match="the network of web is gone"):
        trace_tables.prepare(gone, NftHand())


def test_somebody_elses_table_is_left_alone(tmp_path: Path) -> None:
    host = NftHand("dnet_tui_1")
    with pytest.raises(ActionFailedError, match="already"):
        apply_plan(PLAN, HostExecutor(host), tmp_path, place=here)

    assert host.tables == ["dnet_tui_1"]
    assert not read(tmp_path)[0][0].standing


def test_without_nft_it_says_so() -> None:
    with pytest.raises(ActionFailedError, match="nft is not installed"):
        trace_tables.prepare(ACTION, FakeHost())


def test_a_refusal_is_told_in_nfts_words() -> None:
    with pytest.raises(ActionFailedError, match="Operation not permitted") as caught:
        trace_tables.perform(ACTION, NftHand(refuses="Error: Operation not permitted"))

    assert "root" in caught.value.hint


def test_the_commands_lead_into_the_namespace() -> None:
    # What a container calls itself decides nothing: this one is named like the host.
    other = msgspec.structs.replace(ACTION, own=False)
    named = msgspec.structs.replace(other, inside=msgspec.structs.replace(own_handle(), path="/run/netns/web"))

    assert ACTION.commands() == (("nft", ACTION.ruleset),)
    assert other.commands()[0][:2] == ("nsenter", f"--net=/proc/{own_handle().pid}/ns/net")
    assert named.undo_commands() == (
        ("nsenter", "--net=/run/netns/web", "nft", "delete", "table", "inet", "dnet_tui_1"),
    )


def test_it_survives_the_journal() -> None:
    step = PlanStep(action=ACTION)

    assert msgspec.json.decode(msgspec.json.encode(RecordedChange(step=step)), type=RecordedChange).step == step
