"""Which entries a reboot takes away, which are kept, and what keeps them."""

from __future__ import annotations

from dnet_tui.actions.journal.captured_state import SysctlState
from dnet_tui.actions.journal.entries import JournalEntry, RecordedChange, StepLocation
from dnet_tui.actions.persist.lost_at_reboot import kept_by, kept_things, lost_at_reboot
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.diagnostics.operations.engine import RestartContainers
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, DeleteNamespace
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule

HERE = StepLocation(netns=1, cookie=7, boot="b")
BEFORE = StepLocation(netns=1, cookie=3, boot="a")
RULE = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD", "spec": "-j DROP"}
FORWARD = SetSysctl(key="net.ipv4.ip_forward", value="1")


def entry(number: int, *actions: AnyAction, place: StepLocation = HERE, unmade: bool = False) -> JournalEntry:
    changes = tuple(
        RecordedChange(step=PlanStep(action=action), captured=SysctlState(values={}), unmade=unmade)
        for action in actions
    )
    return JournalEntry(id=f"{number:04d}", time="", title=f"t{number}", place=place, status="done", changes=changes)


def ids(*entries: JournalEntry) -> list[str]:
    return [item.id for item in lost_at_reboot(entries, HERE)]


def test_what_only_the_kernel_holds_is_lost() -> None:
    assert ids(entry(1, FORWARD), entry(2, RestartContainers(engine="docker", names=("a",)))) == ["0001"]


def test_what_was_taken_back_or_is_of_another_boot_is_not() -> None:
    assert ids(entry(1, FORWARD, unmade=True), entry(2, FORWARD, place=BEFORE)) == []


def test_a_file_keeps_its_entry_and_is_of_this_host_after_a_reboot_too() -> None:
    file = WriteFile(path="/etc/sysctl.d/90-dnet-tui-0001.conf", content="x")
    unit = EnableUnit(unit="dnet-tui-0001.service")
    keeper = entry(2, file, unit, place=BEFORE)
    assert ids(entry(1, FORWARD), keeper) == []
    assert kept_by([keeper]) == {"0001": "0002"}
    assert kept_by([entry(2, file, unit, unmade=True)]) == {}


def test_what_a_later_entry_removed_is_not_lost() -> None:
    made, gone = entry(1, InsertRule(**RULE)), entry(2, DeleteRule(**RULE, position=1))  # type: ignore[arg-type]
    assert ids(made, gone) == []
    assert ids(made) == ["0001"]
    again = entry(3, InsertRule(**RULE))  # type: ignore[arg-type]
    assert ids(made, gone, again) == ["0001", "0003"]


def test_a_rule_of_others_that_was_deleted_comes_back() -> None:
    assert ids(entry(1, DeleteRule(**RULE, position=1))) == ["0001"]  # type: ignore[arg-type]


def test_what_files_bring_back_is_named() -> None:
    file = WriteFile(path="/etc/systemd/system/dnet-tui-0001.service", content="x")
    entries = [entry(1, AddNamespace(name="one")), entry(2, file)]
    assert kept_things([DeleteNamespace(name="one")], entries) == ("0002",)
    assert kept_things([DeleteNamespace(name="two")], entries) == ()
