"""Undo: order, cut-short entries, half-done undos, other hosts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.take_back import stands_alone
from dnet_tui.actions.execution.undo import preview, undo_entry
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.captured_state import AnyState, SysctlState
from dnet_tui.actions.journal.entries import RecordedChange, StepLocation
from dnet_tui.actions.journal.journal import read
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.actions.plans.plan import Plan, PlanStep, plan_for
from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from unit.builders.fake_host import FakeHost

HERE = StepLocation(netns=1, cookie=7, boot="b")
RULE = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD"}
MOVE = Plan(
    title="move the drop, forward",
    steps=(
        PlanStep(action=DeleteRule(**RULE, spec="-j DROP", position=1)),  # type: ignore[arg-type]
        PlanStep(action=InsertRule(**RULE, spec="-j DROP")),  # type: ignore[arg-type]
        PlanStep(action=SetSysctl(key="net.ipv4.ip_forward", value="1")),
    ),
)


class KilledError(BaseException):
    """Stands for kill -9: nothing that handles errors sees it."""


class Dying(HostExecutor):
    """Dies at the Nth call that changes something: before it or after it was made."""

    def __init__(self, host: FakeHost, at: int, *, after: bool) -> None:
        super().__init__(host)
        self._left = at
        self._after = after

    def perform(self, action: AnyAction, captured: AnyState) -> AnyState:
        self._left -= 1
        if self._left == 0:
            if self._after:
                super().perform(action, captured)
            raise KilledError
        return super().perform(action, captured)

    def revert(self, change: RecordedChange, *, resumed: bool) -> str:
        self._left -= 1
        if self._left == 0:
            if self._after:
                super().revert(change, resumed=resumed)
            raise KilledError
        return super().revert(change, resumed=resumed)


@pytest.fixture
def host() -> FakeHost:
    fake = FakeHost()
    fake.chains["filter", "FORWARD"] = [("-j DROP", 4, 400), ("-j ACCEPT", 0, 0), ("-j DROP", 1, 100)]
    fake.values["net.ipv4.conf.docker0.forwarding"] = "1"
    return fake


def picture(host: FakeHost) -> object:
    return dict(host.values), {key: list(value) for key, value in host.chains.items()}


def do(host: FakeHost, folder: Path, plan: Plan = MOVE) -> str:
    return apply_plan(plan, HostExecutor(host), folder, place=lambda: HERE).id


def undo(host: FakeHost, folder: Path, wanted: str | None = None, **more: bool) -> tuple[str, ...]:
    return undo_entry(HostExecutor(host), folder, wanted, place=lambda: HERE, **more).notes


def test_the_last_change_is_taken_back_first_and_all_is_as_it_was(host: FakeHost, tmp_path: Path) -> None:
    before = picture(host)
    do(host, tmp_path)
    assert host.texts("filter", "FORWARD") == ["-j ACCEPT", "-j DROP", "-j DROP"]
    notes = undo(host, tmp_path)
    assert [note.split()[0] for note in notes] == ["net.ipv4.ip_forward", "deleted", "put"]
    assert picture(host) == before
    assert read(tmp_path)[0][0].status == "undone"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_at_any_step_the_undo_restores(host: FakeHost, tmp_path: Path, at: int, *, after: bool) -> None:
    before = picture(host)
    with pytest.raises(KilledError):
        apply_plan(MOVE, Dying(host, at, after=after), tmp_path, place=lambda: HERE)
    entry = read(tmp_path)[0][0]
    assert entry.status == "begun"
    assert len(entry.standing) == at
    undo(host, tmp_path)
    assert picture(host) == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_in_the_undo_a_second_undo_restores(host: FakeHost, tmp_path: Path, at: int, *, after: bool) -> None:
    before = picture(host)
    do(host, tmp_path)
    with pytest.raises(KilledError):
        undo_entry(Dying(host, at, after=after), tmp_path, place=lambda: HERE)
    undo(host, tmp_path)
    assert picture(host) == before


def test_a_plan_that_fails_half_way_takes_back_what_it_did(host: FakeHost, tmp_path: Path) -> None:
    before = picture(host)
    host.refuse.add("net.ipv4.ip_forward")
    with pytest.raises(ActionFailedError, match="the 2 changes made before were taken back"):
        do(host, tmp_path)
    assert picture(host) == before
    (entry,) = read(tmp_path)[0]
    assert (entry.status, entry.standing) == ("failed", ())
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(host, tmp_path)


def test_what_could_not_be_taken_back_of_a_failed_plan_is_said_and_left_to_undo(host: FakeHost, tmp_path: Path) -> None:
    host.refuse.add("net.ipv4.ip_forward")
    stuck = {"insert": True}

    class Stubborn(HostExecutor):
        def revert(self, change: RecordedChange, *, resumed: bool) -> str:
            if isinstance(change.action, InsertRule) and stuck["insert"]:
                raise ActionFailedError("the xtables lock is held")
            return super().revert(change, resumed=resumed)

    with pytest.raises(ActionFailedError, match="2 of 3 changes still stand: the xtables lock is held") as error:
        apply_plan(MOVE, Stubborn(host), tmp_path, place=lambda: HERE)
    assert "dnet-tui undo 0001" in error.value.hint
    stuck["insert"] = False
    undo(host, tmp_path)
    assert host.texts("filter", "FORWARD") == ["-j DROP", "-j ACCEPT", "-j DROP"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [4, 5])
def test_killed_while_a_failed_plan_is_taken_back_undo_restores(
    host: FakeHost, tmp_path: Path, at: int, *, after: bool
) -> None:
    before = picture(host)
    host.refuse.add("net.ipv4.ip_forward")
    with pytest.raises(KilledError):
        apply_plan(MOVE, Dying(host, at, after=after), tmp_path, place=lambda: HERE)
    host.refuse.clear()
    undo(host, tmp_path)
    assert picture(host) == before


def test_a_failure_at_the_first_step_leaves_nothing_to_undo(host: FakeHost, tmp_path: Path) -> None:
    wrong = Plan(title="t", steps=(PlanStep(action=DeleteRule(**RULE, spec="-j GONE", position=1)),))  # type: ignore[arg-type]
    with pytest.raises(ActionFailedError, match="nothing was changed"):
        do(host, tmp_path, wrong)
    with pytest.raises(UsageError, match="nothing to undo"):
        undo(host, tmp_path)
    assert read(tmp_path) == ((), 0)
    host.refuse.add("net.ipv4.ip_forward")
    with pytest.raises(ActionFailedError, match="nothing was changed"):
        do(host, tmp_path, Plan(title="t", steps=MOVE.steps[2:]))
    with pytest.raises(UsageError, match="changed nothing"):
        undo(host, tmp_path, "1")


def test_without_an_id_a_failed_entry_does_not_hide_the_one_before_it(host: FakeHost, tmp_path: Path) -> None:
    before = picture(host)
    do(host, tmp_path)
    wrong = Plan(title="t", steps=(PlanStep(action=DeleteRule(**RULE, spec="-j GONE", position=1)),))  # type: ignore[arg-type]
    with pytest.raises(ActionFailedError):
        do(host, tmp_path, wrong)
    undo(host, tmp_path)
    assert picture(host) == before


def test_what_is_undone_is_not_undone_twice(host: FakeHost, tmp_path: Path) -> None:
    do(host, tmp_path)
    undo(host, tmp_path)
    with pytest.raises(UsageError, match="undone already"):
        undo(host, tmp_path, "0001")


def test_an_unknown_entry_is_named(host: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no entry 42"):
        undo(host, tmp_path, "42")


def test_another_namespaces_entry_is_refused_unless_forced(host: FakeHost, tmp_path: Path) -> None:
    before = picture(host)
    apply_plan(MOVE, HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=2, cookie=9, boot="b"))
    with pytest.raises(UsageError, match="another network namespace"):
        undo(host, tmp_path, "1")
    with pytest.raises(UsageError, match="another network namespace"):
        undo(host, tmp_path)
    undo(host, tmp_path, "1", force=True)
    assert picture(host) == before


def test_the_latest_of_this_host_is_chosen_not_a_later_one_of_another(host: FakeHost, tmp_path: Path) -> None:
    mine = do(host, tmp_path)
    on = Plan(title="t", steps=(PlanStep(action=SetSysctl(key="net.ipv4.conf.lo.send_redirects", value="0")),))
    apply_plan(on, HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=2, cookie=9, boot="b"))
    undo(host, tmp_path)
    assert [(entry.id, entry.status) for entry in read(tmp_path)[0]] == [(mine, "undone"), ("0002", "done")]


def test_a_command_is_taken_back_by_the_command_that_came_with_it(host: FakeHost, tmp_path: Path) -> None:
    step = PlanStep(action=Command(argv=("true", "there")), undo=(Command(argv=("true", "back")),))
    do(host, tmp_path, Plan(title="t", steps=(step,)))
    undo(host, tmp_path)
    assert host.log[-1] == ("true", "back")


def test_a_failed_commands_undo_is_not_run_unasked(host: FakeHost, tmp_path: Path) -> None:
    step = PlanStep(action=Command(argv=("false",)), undo=(Command(argv=("true", "back")),))
    with pytest.raises(ActionFailedError, match="`false` failed"):
        do(host, tmp_path, Plan(title="t", steps=(step,)))
    assert host.log == [("false",)]
    assert read(tmp_path)[0][0].standing == (0,)


def test_the_preview_shows_captured_values_in_undo_order(host: FakeHost, tmp_path: Path) -> None:
    do(host, tmp_path)
    assert preview(read(tmp_path)[0][0]) == (
        "sysctl -w net.ipv4.ip_forward=0",
        "iptables-nft -w -t filter -D FORWARD -j DROP",
        "iptables-nft -w -t filter -I FORWARD 1 -j DROP -c 4 400",
    )


def finding(*steps: AnyOperation, undo: tuple[AnyOperation, ...]) -> Finding:
    remedy = Remedy(summary="do it", steps=steps, undo=undo)
    return Finding(
        check="c", severity="error", subject=Subject(kind="host", name="h"), summary="s", symptoms=(), remedy=remedy
    )


def command(*words: str) -> Command:
    return Command(argv=words)


def test_as_many_undo_commands_as_commands_are_pairs() -> None:
    plan = plan_for(finding(command("a"), command("b"), undo=(command("b", "back"), command("a", "back"))))
    assert plan is not None
    assert [(step.action, step.undo) for step in plan.steps] == [
        (command("a"), (command("a", "back"),)),
        (command("b"), (command("b", "back"),)),
    ]


def test_a_command_that_is_taken_back_with_another_says_so(host: FakeHost, tmp_path: Path) -> None:
    plan = plan_for(finding(command("true", "a"), command("true", "b"), undo=(command("true", "all"),)))
    assert plan is not None
    do(host, tmp_path, plan)
    notes = undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE).notes
    assert notes == ("`true b` is taken back together with a command before it", "true all")
    assert host.log[-1] == ("true", "all")


def test_a_command_without_undo_is_named(host: FakeHost, tmp_path: Path) -> None:
    plan = plan_for(finding(command("true", "a"), command("true", "b"), undo=()))
    assert plan is not None
    do(host, tmp_path, plan)
    notes = undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE).notes
    assert [note.partition(":")[0] for note in notes] == [
        "no undo is known for `true b`",
        "no undo is known for `true a`",
    ]


THREE = Plan(
    title="three",
    steps=(
        PlanStep(action=SetSysctl(key="net.ipv4.ip_forward", value="1")),
        PlanStep(action=Command(argv=("true", "a")), undo=(Command(argv=("true", "back")),)),
        PlanStep(action=Command(argv=("true", "b")), undo=(Command(argv=("false",)),)),
    ),
)


def test_what_has_nothing_to_do_with_a_failure_is_taken_back_and_the_rest_left_alone(
    host: FakeHost, tmp_path: Path
) -> None:
    do(host, tmp_path, THREE)
    with pytest.raises(ActionFailedError) as caught:
        undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE)
    assert "undone only in part, 2 change(s) still stand: `false` failed" in caught.value.message
    assert "1 made before that were left alone" in caught.value.message
    assert "taken back: " in caught.value.message
    assert host.values["net.ipv4.ip_forward"] == "0"
    assert ("true", "back") not in host.log
    assert read(tmp_path)[0][0].standing == (1, 2)


def test_a_second_undo_takes_up_where_the_first_failed(host: FakeHost, tmp_path: Path) -> None:
    do(host, tmp_path, THREE)
    with pytest.raises(ActionFailedError):
        undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE)
    host.values["net.ipv4.ip_forward"] = "1"  # somebody else's by now
    host.run = lambda *_, **__: Ran(0, "", "")  # type: ignore[method-assign]
    result = undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE)
    assert result.notes == ("false", "true back")
    assert host.values["net.ipv4.ip_forward"] == "1", "what is taken back is not taken back twice"
    assert result.entry.status == "undone"


def test_of_several_commands_the_account_says_which_ran(host: FakeHost, tmp_path: Path) -> None:
    undo = tuple(Command(argv=words) for words in (("true", "1"), ("false",), ("true", "3")))
    do(host, tmp_path, Plan(title="t", steps=(PlanStep(action=Command(argv=("true", "there")), undo=undo),)))
    with pytest.raises(ActionFailedError, match=r"done before: true 1; not run after it: `true 3`"):
        undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE)
    notes = undo_entry(HostExecutor(host), tmp_path, place=lambda: HERE).notes
    assert "an earlier undo may have run it" in notes[0]
    assert host.log[-1] == ("true", "3"), "the second time it gets to the end"


def test_rules_of_one_chain_are_not_taken_back_past_one_that_could_not_be() -> None:
    delete, insert, forward = (RecordedChange(step=step, captured=None) for step in MOVE.steps)
    other = msgspec.structs.replace(delete.step.action, chain="INPUT")
    assert not stands_alone(delete, [insert])
    assert stands_alone(RecordedChange(step=PlanStep(action=other)), [insert])
    assert stands_alone(RecordedChange(step=MOVE.steps[2], captured=SysctlState(values={"a": "0"})), [insert])
    assert not stands_alone(
        RecordedChange(step=MOVE.steps[2], captured=SysctlState(values={"a": "0"})),
        [
            RecordedChange(
                step=PlanStep(action=SetSysctl(key="b", value="1")), captured=SysctlState(values={"a": "1", "b": "0"})
            )
        ],
    )
    assert not stands_alone(forward, [forward]), "nothing was captured"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_beside_a_command_what_is_not_there_needs_no_undo(host: FakeHost, tmp_path: Path, when: str) -> None:
    there: set[str] = set()

    def run(argv: tuple[str, ...], **more: object) -> Ran:
        if argv[:3] == ("ip", "link", "add"):
            there.add(argv[4])
            return Ran(0, "", "")
        if argv[:3] == ("ip", "link", "delete"):
            if argv[4] not in there:
                return Ran(1, "", f'Cannot find device "{argv[4]}"')
            there.discard(argv[4])
            return Ran(0, "", "")
        return FakeHost.run(host, argv, **more)  # type: ignore[arg-type]

    host.run = run  # type: ignore[method-assign,assignment]
    step = PlanStep(action=AddVeth(link="vx", peer="eth0", inside="x"), undo=(DeleteVeth(link="vx"),))
    with pytest.raises(KilledError):
        apply_plan(Plan(title="t", steps=(step,)), Dying(host, 1, after=when == "after"), tmp_path, place=lambda: HERE)
    assert there == ({"vx"} if when == "after" else set())
    undo(host, tmp_path)
    assert there == set()
    assert read(tmp_path)[0][0].status == "undone"
