"""What operations by programs are taken back by: exact, and under the names that links go by then."""

from __future__ import annotations

from pathlib import Path

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.undo import undo_entry
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.entries import StepLocation
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag, SetPortState
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster, SetLinkUp
from unit.builders.fake_host import FakeHost


class Ip(FakeHost):
    """Answers ``ip`` and ``bridge`` with success, and keeps what they were asked to change."""

    def _change(self, words: tuple[str, ...]) -> Ran:
        del words
        return Ran(0, "", "")


def there_and_back(host: FakeHost, folder: Path, step: PlanStep) -> None:
    def place() -> StepLocation:
        return StepLocation(netns=1)

    apply_plan(Plan(title="t", steps=(step,)), HostExecutor(host), folder, place=place)
    host.links = {"renamed" if name == "v" else name: number for name, number in host.links.items()}
    undo_entry(HostExecutor(host), folder, place=place)


def test_a_renamed_link_is_taken_back_under_its_new_name(tmp_path: Path) -> None:
    host = Ip()
    there_and_back(host, tmp_path, PlanStep(action=SetLinkUp(link="v"), undo=(SetLinkUp(link="v", up=False),)))
    assert host.log[-1] == ("ip", "link", "set", "dev", "renamed", "down")


def test_another_link_of_the_old_name_is_left_alone(tmp_path: Path) -> None:
    host = Ip()
    action = SetLinkMaster(link="v", master="docker0", before="")

    host.before_run = lambda words: (
        host.links.update({"v": 99}) if words[-1] == "show" and "renamed" in host.links else None
    )
    there_and_back(host, tmp_path, PlanStep(action=action, undo=(action.inverse(),)))
    assert host.log[-1] == ("ip", "link", "set", "dev", "renamed", "nomaster")


def test_a_port_gets_the_state_back_that_it_had(tmp_path: Path) -> None:
    host = Ip()
    host.port_state = "learning"
    step = PlanStep(action=SetPortState(port="v", state="forwarding"))
    apply_plan(Plan(title="t", steps=(step,)), HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    undo_entry(HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    assert host.log[-1] == ("bridge", "link", "set", "dev", "v", "state", "2")


def test_what_went_with_its_link_needs_no_undo(tmp_path: Path) -> None:
    host = Ip()
    action = SetPortFlag(port="v", flag="hairpin", on=True)
    step = PlanStep(action=action, undo=(action.inverse(),))
    apply_plan(Plan(title="t", steps=(step,)), HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    made = list(host.log)
    del host.links["v"]
    undone = undo_entry(HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    assert "v is gone" in undone.notes[0]
    assert host.log == made


def test_a_pair_that_was_deleted_is_made_again_though_its_link_is_gone(tmp_path: Path) -> None:
    host = Ip()
    back = (AddVeth(link="v", peer="eth0", inside="x"), SetLinkMaster(link="v", master="docker0"))
    step = PlanStep(action=DeleteVeth(link="v"), undo=back)
    apply_plan(Plan(title="t", steps=(step,)), HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    del host.links["v"]
    undo_entry(HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    assert [words[:3] for words in host.log[-2:]] == [("ip", "link", "add"), ("ip", "link", "set")]
