"""Which entries have to be undone before an earlier one."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.execution.undo import choose
from dnet_tui.actions.execution.undo_order import blocked_by
from dnet_tui.actions.journal.captured_state import SysctlState
from dnet_tui.actions.journal.entries import JournalEntry, RecordedChange, StepLocation
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.actions.plans.plan import PlanStep
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, NetnsScope
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, RouteSpec
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import UsageError

HERE = StepLocation(netns=1, cookie=7, boot="b")
RULE = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD", "spec": "-j DROP"}
INSERT = InsertRule(**RULE)  # type: ignore[arg-type]
DELETE = DeleteRule(**RULE, position=1)  # type: ignore[arg-type]
ROUTE = RouteSpec(dst="10.1.0.0/16", gateway="192.0.2.1")
INSIDE = NetnsScope(id="net:[5]", name="one")


def entry(number: int, *actions: AnyAction, unmade: bool = False, place: StepLocation = HERE) -> JournalEntry:
    changes = tuple(
        RecordedChange(step=PlanStep(action=action), captured=SysctlState(values={}), unmade=unmade)
        for action in actions
    )
    return JournalEntry(id=f"{number:04d}", time="", title=f"t{number}", place=place, status="done", changes=changes)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (INSERT, DELETE),
        (DELETE, INSERT),
        (CreateBridge(name="br0"), DeleteBridge(name="br0")),
        (DeleteBridge(name="br0"), CreateBridge(name="br0")),
        (AddRoute(route=ROUTE), DeleteRoute(route=ROUTE)),
        (AddVeth(link="v1", peer="eth0", inside="one"), DeleteVeth(link="v1")),
        (SetSysctl(key="net.a.b", value="1"), SetSysctl(key="net.a.b", value="2")),
        (AddNamespace(name="one"), AddVeth(link="v1", peer="eth0", inside="one")),
        (AddNamespace(name="one"), AddAddress(link="eth0", cidr="10.1.1.1/24", inside=INSIDE)),
        (CreateBridge(name="br0"), SetLinkMaster(link="v1", master="br0")),
    ],
)
def test_what_concerns_the_same_thing_goes_first(earlier: AnyAction, later: AnyAction) -> None:
    entries = (entry(1, earlier), entry(2, later))
    assert blocked_by(entries, entries[0], HERE) == (entries[1], later.text)
    assert blocked_by(entries, entries[1], HERE) == (entries[1], "")
    with pytest.raises(UsageError, match="before entry 0002"):
        choose(entries, "1", HERE)
    assert choose(entries, "2", HERE).id == "0002"
    assert choose(entries, None, HERE).id == "0002"


@pytest.mark.parametrize(
    "later",
    [
        entry(2, INSERT),  # a twin, which is told by its place
        entry(2, SetSysctl(key="net.a.c", value="1")),
        entry(2, DELETE, unmade=True),
        entry(2, DELETE, place=msgspec.structs.replace(HERE, boot="a")),
        entry(2, InsertRule(**RULE | {"spec": "-i br0 -j DROP"})),  # type: ignore[arg-type]
    ],
)
def test_nothing_else_keeps_it(later: JournalEntry) -> None:
    earlier = entry(1, INSERT, CreateBridge(name="br0"))
    assert blocked_by((earlier, later), earlier, HERE) == (earlier, "")
    assert choose((earlier, later), "1", HERE) == earlier
