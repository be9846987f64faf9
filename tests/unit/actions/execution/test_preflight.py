"""Before the first change: every program that the plan and its undo need is there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.preflight import require_feasible, required_programs
from dnet_tui.actions.host_access import Ran
from dnet_tui.actions.journal.entries import StepLocation
from dnet_tui.actions.journal.journal import read
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.bridge import CreateBridge
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.engine_network import CreatePodmanNetwork
from dnet_tui.diagnostics.operations.kernel import ForgetConnections, SetSysctl
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.kernel.netns import own_handle
from unit.builders.fake_host import FakeHost

INSIDE = NetnsScope(id="net:[1]", pid=7)
FORWARD = SetSysctl(key="net.ipv4.ip_forward", value="1")


def rule(**more: Any) -> DeleteRule:
    where = {"backend": "iptables-legacy", "family": "ip6", "table": "filter", "chain": "FORWARD"} | more
    return DeleteRule(**where, spec="-j DROP", position=1)


NEEDS: dict[str, tuple[AnyAction, tuple[str, ...]]] = {
    "a rule needs its program and the one that reads": (rule(), ("ip6tables-legacy", "ip6tables-legacy-save")),
    "a kernel parameter is a file": (FORWARD, ()),
    "a bridge is made over netlink": (CreateBridge(name="br0"), ()),
    "a link": (SetLinkUp(link="br0"), ("ip",)),
    "a link inside a named namespace": (SetLinkUp(link="v", inside=NetnsScope(id="net:[1]", name="web")), ("ip",)),
    "a link inside a process's namespace": (SetLinkUp(link="v", inside=INSIDE), ("nsenter", "ip")),
    "an engine's own client": (CreatePodmanNetwork(name="n"), ("podman",)),
    "what a person runs": (ByHand(argv=("nonsense",)), ()),
    "a trace": (AddTraceTable(name="t", ruleset="", inside=own_handle(), label="host"), ("nft",)),
}


@pytest.mark.parametrize("case", NEEDS)
def test_what_an_operation_needs(case: str) -> None:
    action, programs = NEEDS[case]
    assert required_programs(action) == programs


class Bare(FakeHost):
    """A host on which some programs aren't installed."""

    def __init__(self, *absent: str) -> None:
        super().__init__()
        self.absent = absent

    def has(self, program: str) -> bool:
        return program not in self.absent


def attempt(host: FakeHost, folder: Path, *steps: PlanStep) -> None:
    apply_plan(Plan(title="t", steps=steps), HostExecutor(host), folder, place=lambda: StepLocation(netns=1))


def test_a_plan_that_would_stop_half_way_is_not_begun(tmp_path: Path) -> None:
    host = Bare("conntrack", "nsenter")
    before = dict(host.values)
    steps = (FORWARD, ForgetConnections(proto="udp", port=53), SetLinkUp(link="v", inside=INSIDE))
    with pytest.raises(ActionFailedError, match="conntrack, nsenter are not installed") as error:
        attempt(host, tmp_path, *(PlanStep(action=action) for action in steps))
    assert "delete the tracked udp connections to port 53" in error.value.message
    assert "nothing was changed" in error.value.hint
    assert host.values == before
    assert read(tmp_path) == ((), 0)


def test_what_takes_a_step_back_must_be_there_too(tmp_path: Path) -> None:
    step = PlanStep(action=FORWARD, undo=(SetLinkUp(link="v"),))
    with pytest.raises(ActionFailedError, match="ip is not installed"):
        attempt(Bare("ip"), tmp_path, step)


def test_a_plan_whose_programs_are_there_is_made(tmp_path: Path) -> None:
    host = Bare("conntrack")
    attempt(host, tmp_path, PlanStep(action=FORWARD))
    assert host.values["net.ipv4.ip_forward"] == "1"


def test_what_a_person_should_do_is_never_done(tmp_path: Path) -> None:
    with pytest.raises(ActionFailedError, match="for a person to do"):
        attempt(FakeHost(), tmp_path, PlanStep(action=ByHand(argv=("true",))))


RULES = {"backend": "iptables-nft", "table": "filter", "chain": "FORWARD"}


def drop(number: int, spec: str = "-j DROP") -> PlanStep:
    where: dict[str, Any] = RULES | {"family": "ip"}
    return PlanStep(action=DeleteRule(**where, spec=spec, position=number))


INFEASIBLE: dict[str, tuple[tuple[PlanStep, ...], str]] = {
    "the third rule is gone": ((drop(2), drop(1), drop(1)), "isn't there any more"),
    "a rule's place": (
        (PlanStep(action=FORWARD), PlanStep(action=InsertRule(**RULES, family="ip", spec="-j DROP", position=4))),  # type: ignore[arg-type]
        "there is no place 4",
    ),
    "a kernel parameter": ((drop(1), PlanStep(action=SetSysctl(key="net.ipv4.nonsense.x", value="1"))), "has no"),
    "a link": ((PlanStep(action=FORWARD), PlanStep(action=SetLinkUp(link="gone"))), "no link gone any more"),
    "a link in a namespace": (
        (drop(1), PlanStep(action=SetLinkUp(link="gone", inside=INSIDE))),
        "no link gone in the network of process 7",
    ),
    "another step is a person's": ((drop(1), PlanStep(action=ByHand(argv=("true",)))), "for a person to do"),
}


@pytest.mark.parametrize("case", INFEASIBLE)
def test_a_plan_whose_later_step_cannot_be_made_changes_nothing(case: str, tmp_path: Path) -> None:
    steps, words = INFEASIBLE[case]
    host = FakeHost()
    host.chains["filter", "FORWARD"] = [("-j DROP", 0, 0), ("-j DROP", 0, 0)]
    before = dict(host.values)
    with pytest.raises(ActionFailedError, match=words) as error:
        attempt(host, tmp_path, *steps)
    assert error.value.message.endswith("(nothing was changed)")
    assert (host.values, host.log) == (before, [])
    assert read(tmp_path) == ((), 0)


def test_steps_build_on_each_other(tmp_path: Path) -> None:
    host = FakeHost()
    host.chains["filter", "FORWARD"] = [("-j DROP", 0, 0)]
    insert = PlanStep(action=InsertRule(**RULES, family="ip", spec="-j ACCEPT", position=2))  # type: ignore[arg-type]
    attempt(host, tmp_path, insert, drop(2, "-j ACCEPT"), drop(1))
    assert host.texts("filter", "FORWARD") == []


@pytest.mark.parametrize(
    ("name", "refused"), [("v+", True), ("eth+", False), ("v", False), (r"b\xff1", True), (r"b\x411", False)]
)
def test_a_rule_for_an_interface_that_no_rule_can_tell_is_refused(name: str, refused: bool) -> None:
    class Links(FakeHost):
        def run(self, argv: Sequence[str], *, limit: float = 30.0, given: bytes = b"") -> Ran:
            if tuple(argv[:3]) == ("ip", "link", "show"):
                return Ran(0 if argv[-1] in ("v", "v+") else 1, "", "")
            return super().run(argv, limit=limit, given=given)

    host = Links()
    host.chains["filter", "FORWARD"] = []
    where = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD"}
    step = PlanStep(action=InsertRule(**where, spec=f"! -i {name} -j ACCEPT", position=1))  # type: ignore[arg-type]
    with pytest.raises(ActionFailedError, match="can speak of the interface") if refused else nullcontext():
        require_feasible((step,), host)
