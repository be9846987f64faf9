"""Repairs: which are chosen, in what order, and when it stops."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.actions.journal.entries import JournalEntry, StepLocation
from dnet_tui.actions.plans.binding import PlanOutdatedError, same_changes
from dnet_tui.actions.plans.plan import Plan, plan_for, render
from dnet_tui.actions.probes.repair_probe import RepairProof
from dnet_tui.actions.repair.session import Repair, RepairSession, Result, choose_repairs
from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy, Risk
from dnet_tui.diagnostics.operations.rule import DeleteRule
from dnet_tui.diagnostics.report.finding import CheckResult, Finding, FlowName, Severity, Subject
from dnet_tui.diagnostics.report.report import Report, summarise
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.model import Host, Snapshot
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner


def finding(check: str, *, caused_by: str | None = None, severity: Severity = "error", risk: Risk = "ask") -> Finding:
    key = f"net.ipv4.conf.{check}.forwarding"
    remedy = Remedy(
        summary=f"repair {check}",
        steps=(SetSysctl(key=key, value="1"),),
        undo=(SetSysctl(key=key, value="0"),),
        risk=risk,
    )
    return Finding(
        check=check,
        severity=severity,
        subject=Subject(kind="sysctl", name=key),
        summary=f"{check} is wrong",
        caused_by=caused_by,
        remedy=remedy,
    )


A, B, C = finding("a"), finding("b"), finding("c", caused_by="a")
NOTE = finding("note", severity="info")


class Outside:
    """A host on which applying a plan removes the findings it is told to, and remembers what was asked."""

    def __init__(self, *findings: Finding, cures: dict[str, set[str]] | None = None) -> None:
        self.findings = list(findings)
        self.cures = cures if cures is not None else {item.check: {item.check} for item in findings}
        self.asked: list[str] = []
        self.applied: list[str] = []
        self.reported: list[Result] = []
        self.undecided: frozenset[str] = frozenset()
        self.answer: Callable[[Repair], bool] = lambda _: True
        self.fails: set[str] = set()
        self.silent: set[str] = set()
        self.keeps = self.stuck = False
        self.taken_back: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def take(self) -> Snapshot:
        return Snapshot()

    def examine(self, _: Snapshot) -> Report:
        results = [CheckResult(id=check, outcome="unknown", reason="not seen") for check in self.undecided]
        return Report(
            format=1,
            tool_version="",
            taken_at="",
            host=Host(hostname="", kernel=""),
            engines=(),
            summary=summarise(results, self.findings),
            checks=tuple(results),
            findings=tuple(self.findings),
            gaps=(),
        )

    def probe(self, _: Snapshot, item: Finding) -> RepairProof:
        return RepairProof(text=f"probe: {item.check}", failed=item.check in self.silent)

    def keep(self, finding: Finding, why: str) -> bool:
        self.asked.append(f"keep {finding.check}: {why.splitlines()[0]}")
        return self.keeps

    def take_back(self, entry: JournalEntry) -> None:
        if self.stuck:
            raise ActionFailedError("it is stuck", "pull harder")
        self.taken_back.append(entry.id)

    def report(self, result: Result) -> None:
        self.reported.append(result)

    def confirm(self, repair: Repair) -> bool:
        self.asked.append(repair.finding.check)
        return self.answer(repair)

    def confirm_again(self, repair: Repair) -> bool:
        self.asked.append(f"{repair.finding.check} again")
        return self.answer(repair)

    def apply(self, plan: Plan, again: Callable[[], Plan]) -> JournalEntry:
        self.meanwhile()
        current = again()
        if not same_changes(plan, current):
            raise PlanOutdatedError(current)
        check = plan.title.partition(":")[0]
        if check in self.fails:
            raise ActionFailedError("the kernel refused", "try sudo")
        self.applied.append(check)
        self.findings = [item for item in self.findings if item.check not in self.cures.get(check, set())]
        return JournalEntry(id=f"{len(self.applied):04d}", time="", title=plan.title, place=StepLocation(netns=1))


def run(outside: Outside, *chosen: Finding) -> list[str]:
    repairs = choose_repairs(outside.findings, [item.check for item in chosen])
    results = RepairSession(outside, outside.examine).run(repairs)
    assert list(results) == outside.reported
    return [result.status for result in results]


def checks(repairs: tuple[Repair, ...]) -> list[str]:
    return [repair.finding.check for repair in repairs]


def test_without_ids_root_causes_are_chosen_and_no_mere_information() -> None:
    assert checks(choose_repairs([C, A, NOTE, B])) == ["a", "b"]


def test_all_adds_consequences_last_and_information() -> None:
    assert checks(choose_repairs([C, A, NOTE, B], everything=True)) == ["a", "note", "b", "c"]


def test_an_id_chooses_every_finding_of_that_check_even_a_consequence() -> None:
    other = msgspec.structs.replace(C, subject=Subject(kind="sysctl", name="other"))
    assert checks(choose_repairs([A, C, other], ["c"])) == ["c", "c"]


def test_an_id_of_no_check_is_refused_with_those_that_were_found() -> None:
    with pytest.raises(UsageError, match="no check named zzz") as error:
        choose_repairs([A, B], ["a", "zzz"], known=["a", "b", "c"])
    assert "a, b" in error.value.hint


def test_a_check_that_found_nothing_has_nothing_to_repair() -> None:
    assert choose_repairs([A, B], ["c"], known=["a", "b", "c"]) == ()


def test_a_repair_that_works_is_said_to_with_its_probe_and_its_undo() -> None:
    outside = Outside(A)
    assert run(outside, A) == ["fixed"]
    assert outside.reported[0].text == "a is gone\nprobe: a"
    assert outside.reported[0].hint == "`dnet-tui undo 0001` takes it back"


def test_what_an_earlier_repair_put_right_too_is_not_touched() -> None:
    outside = Outside(A, B, cures={"a": {"a", "b"}})
    assert run(outside, A, B) == ["fixed", "gone"]
    assert outside.applied == ["a"]


def test_a_repair_that_does_not_help_stops_the_rest() -> None:
    outside = Outside(A, B, cures={})
    assert run(outside, A, B) == ["still-there"]
    assert outside.asked == ["a", "keep a: applied, but a is still there"]
    assert outside.reported[0].text.endswith("it was taken back")


def test_what_is_found_in_the_end_is_remembered() -> None:
    outside = Outside(A, B)
    session = RepairSession(outside, outside.examine)
    session.look(Snapshot())
    assert list(session.findings) == [A, B]
    session.run(choose_repairs(outside.findings, ["a"]))
    assert list(session.findings) == [B]


def test_a_check_that_cannot_tell_any_more_is_not_called_fixed() -> None:
    outside = Outside(A, B)
    outside.undecided = frozenset({"a"})
    assert run(outside, A, B) == ["unsure"]


def test_a_repair_that_fails_stops_the_rest_and_says_why() -> None:
    outside = Outside(A, B)
    outside.fails = {"a"}
    assert run(outside, A, B) == ["failed"]
    assert (outside.reported[0].text, outside.reported[0].hint) == ("the kernel refused", "try sudo")


def test_what_is_declined_is_left_and_the_next_is_asked() -> None:
    outside = Outside(A, B)
    outside.answer = lambda repair: repair.finding.check == "b"
    assert run(outside, A, B) == ["declined", "fixed"]
    assert outside.applied == ["b"]


def test_what_only_a_person_should_do_is_printed_and_never_asked() -> None:
    manual = finding("m", risk="manual")
    outside = Outside(manual)
    assert run(outside, manual) == ["manual"]
    assert outside.asked == []
    assert "sysctl -w net.ipv4.conf.m.forwarding=1" in outside.reported[0].text


def test_without_a_remedy_nothing_is_asked() -> None:
    bare = msgspec.structs.replace(A, remedy=None)
    assert run(Outside(bare), bare) == ["no-remedy"]


FOREIGN = DecisionOwner(kind="manager", name="kube-router")
ITS_FLOW = FlowName(label="web → outside", source="web", target="outside", proto="tcp", port=443)


def decided(item: Finding) -> Finding:
    """A finding whose remedy changes what kube-router decided, in two steps."""
    assert item.remedy is not None
    twice = (*item.remedy.steps, SetSysctl(key="net.ipv4.ip_forward", value="1"))
    return msgspec.structs.replace(item, remedy=msgspec.structs.replace(item.remedy, steps=twice, overrides=FOREIGN))


def test_anothers_decision_is_left_to_that_one_with_the_commands_and_the_rest_goes_on() -> None:
    outside = Outside(decided(A), B)
    assert run(outside) == ["owners", "fixed"]
    assert (outside.asked, outside.applied) == (["b"], ["b"])
    assert "left to kube-router" in outside.reported[0].text
    assert "sysctl -w net.ipv4.conf.a.forwarding=1" in outside.reported[0].text


def test_where_it_is_overridden_each_step_is_asked_for_and_one_no_changes_nothing() -> None:
    outside = Outside(decided(A))
    session = RepairSession(outside, outside.examine, override_owner=True)
    assert [item.status for item in session.run(choose_repairs(outside.findings))] == ["fixed"]
    assert outside.asked == ["a", "a"]
    second = Outside(decided(A))
    second.answer = lambda _: len(second.asked) < 2
    session = RepairSession(second, second.examine, override_owner=True)
    assert [item.status for item in session.run(choose_repairs(second.findings))] == ["declined"]
    assert second.applied == []


@pytest.mark.parametrize(("other", "status"), [("error", "partly"), ("info", "fixed")])
def test_flows_that_are_still_stopped_are_said(other: Severity, status: str) -> None:
    mine = msgspec.structs.replace(A, flows=(ITS_FLOW,))
    also = msgspec.structs.replace(finding("later", severity=other), flows=(ITS_FLOW,))
    outside = Outside(mine, also, cures={"a": {"a"}})
    session = RepairSession(outside, outside.examine, lambda _, item: tuple(flow.label for flow in item.flows))
    (result,) = session.run(choose_repairs(outside.findings, ["a"]))
    assert (result.status, result.text.splitlines()[-2:]) == (status, ["still stopped:", "web → outside"])


def test_what_another_fault_still_stops_is_whole_when_that_is_repaired_too() -> None:
    mine = msgspec.structs.replace(A, flows=(ITS_FLOW,))
    also = msgspec.structs.replace(B, flows=(ITS_FLOW,))
    outside = Outside(mine, also)
    session = RepairSession(outside, outside.examine, lambda _, item: tuple(flow.label for flow in item.flows))
    results = session.run(choose_repairs(outside.findings))
    assert outside.reported[0].status == "partly"
    assert results[0].status == "fixed"
    assert outside.applied == ["a", "b"]


@pytest.mark.parametrize("uncovered", [True, False])
def test_what_a_repair_brings_to_light_is_repaired_once_if_that_is_wanted(uncovered: bool) -> None:
    outside = Outside(A)

    def hidden() -> None:
        if outside.applied == ["a"] and B not in outside.findings:
            outside.findings.append(B)

    real = outside.take

    def take() -> Snapshot:
        hidden()
        return real()

    outside.take = take  # type: ignore[method-assign]
    outside.cures["b"] = {"b"}
    session = RepairSession(outside, outside.examine)
    results = session.run(choose_repairs(outside.findings), uncovered=uncovered)
    assert outside.applied == (["a", "b"] if uncovered else ["a"])
    assert [item.status for item in results] == ["fixed"] * len(results)


def test_what_comes_back_after_its_repair_is_not_repaired_for_ever() -> None:
    outside = Outside(A, B, cures={"a": {"a"}, "b": {"b"}})
    real = outside.apply

    def apply(plan: Plan, again: Callable[[], Plan]) -> JournalEntry:
        entry = real(plan, again)
        if outside.applied[-1] == "b":
            outside.findings.append(A)
        return entry

    outside.apply = apply  # type: ignore[method-assign]
    RepairSession(outside, outside.examine).run(choose_repairs(outside.findings), uncovered=True)
    assert outside.applied == ["a", "b"]


def drop(number: int, spec: str) -> Finding:
    step = DeleteRule(backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=spec, position=number)
    name = f"filter FORWARD {number}"
    remedy = Remedy(summary="delete it", steps=(step,))
    return Finding(check="drop", severity="error", subject=Subject(kind="rule", name=name), summary="", remedy=remedy)


def test_a_rule_is_known_by_its_text_when_numbers_move() -> None:
    class Moving(Outside):
        def apply(self, plan: Plan, again: Callable[[], Plan]) -> JournalEntry:  # noqa: ARG002
            (step,) = plan.operations
            assert isinstance(step, DeleteRule)
            self.applied.append(f"{step.position} {step.spec}")
            left = [item for item in self.findings if item.remedy and step not in item.remedy.steps]
            self.findings = [drop(1, "-i b -j DROP")] if left else []
            return JournalEntry(id="0001", time="", title="", place=StepLocation(netns=1))

    outside = Moving(drop(1, "-i a -j DROP"), drop(2, "-i b -j DROP"))
    assert run(outside, outside.findings[0]) == ["fixed", "fixed"]
    assert outside.applied == ["1 -i a -j DROP", "1 -i b -j DROP"], "the second plan is a new one"


def test_a_plan_shows_the_exact_commands_and_their_undo() -> None:
    plan = plan_for(A)
    assert plan is not None
    assert render(plan) == (
        "a: repair a",
        "  will run:",
        "    sysctl -w net.ipv4.conf.a.forwarding=1",
        "  undo:",
        "    sysctl -w net.ipv4.conf.a.forwarding=0",
        "  lasts until the next reboot, or until its owner rewrites it",
    )


def test_a_plan_quotes_what_a_shell_would_take_apart_and_hides_escapes() -> None:
    remedy = Remedy(summary="x", steps=(Command(argv=("echo", "a b; rm", "\x1b[31m")),))
    plan = plan_for(msgspec.structs.replace(A, remedy=remedy))
    assert plan is not None
    assert render(plan)[2] == "    echo 'a b; rm' '\\x1b[31m'"


def test_undo_commands_of_a_remedy_hang_on_its_first_command_in_their_order() -> None:
    back = (Command(argv=("one",)), Command(argv=("two",)))
    remedy = Remedy(summary="x", steps=tuple(Command(argv=(name,)) for name in "abc"), undo=back)
    plan = plan_for(msgspec.structs.replace(A, remedy=remedy))
    assert plan is not None
    assert plan.undo == back
    assert plan.steps[0].undo == back


def changed(item: Finding) -> Finding:
    """The same finding, whose remedy sets two keys by now."""
    assert item.remedy is not None
    steps = (*item.remedy.steps, SetSysctl(key="net.ipv4.ip_forward", value="1"))
    return msgspec.structs.replace(item, remedy=msgspec.structs.replace(item.remedy, steps=steps))


def test_a_plan_that_does_not_fit_any_more_is_shown_and_asked_for_again() -> None:
    outside = Outside(A)

    def move() -> None:
        outside.findings = [changed(A)]

    outside.meanwhile = move
    assert run(outside, A) == ["fixed"]
    assert outside.asked == ["a", "a again"]


def test_no_to_the_second_plan_changes_nothing() -> None:
    outside = Outside(A)

    def move() -> None:
        outside.findings = [changed(A)]
        outside.answer = lambda _: False

    outside.meanwhile = move
    assert run(outside, A) == ["failed"]
    assert outside.applied == []
    assert "nothing was changed" in outside.reported[0].text


def test_what_went_away_while_the_question_stood_is_not_repaired() -> None:
    outside = Outside(A)
    outside.meanwhile = outside.findings.clear
    assert run(outside, A) == ["gone"]
    assert outside.applied == []


def test_a_host_that_never_stands_still_is_left_alone() -> None:
    outside = Outside(A)

    def move() -> None:
        item = outside.findings[0]
        outside.findings = [changed(item)]

    outside.meanwhile = move
    assert run(outside, A) == ["failed"]
    assert outside.applied == []
    assert "faster than a plan" in outside.reported[0].text


def test_what_does_not_help_is_taken_back() -> None:
    outside = Outside(A, B, cures={"a": set()})
    assert run(outside, A, B) == ["still-there"]
    assert outside.taken_back == ["0001"]
    assert outside.reported[0].text.endswith("it was taken back")
    assert outside.asked[1].startswith("keep a: applied, but a is still there")


def test_what_the_walk_believes_and_packets_do_not_is_taken_back_too() -> None:
    outside = Outside(A, B)
    outside.silent = {"a"}
    assert run(outside, A, B) == ["still-there"]
    assert outside.taken_back == ["0001"]
    assert "packets don't pass\nprobe: a" in outside.reported[0].text


def test_what_does_not_help_may_be_kept() -> None:
    outside = Outside(A, cures={"a": set()})
    outside.keeps = True
    assert run(outside, A) == ["still-there"]
    assert outside.taken_back == []
    assert outside.reported[0].hint == "`dnet-tui undo 0001` takes it back"


def test_what_can_not_be_taken_back_is_said() -> None:
    outside = Outside(A, cures={"a": set()})
    outside.stuck = True
    run(outside, A)
    assert "it could not be taken back: it is stuck" in outside.reported[0].text
    assert outside.reported[0].hint == "pull harder"
