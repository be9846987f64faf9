"""The plan that keeps changes: which files, where rules go, and what can't be kept and why."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.journal.captured_state import SysctlState
from dnet_tui.actions.journal.entries import JournalEntry, RecordedChange, StepLocation
from dnet_tui.actions.networks.linux_network import known_firewall
from dnet_tui.actions.persist.keep_plan import BootFacts, keep_plan
from dnet_tui.actions.plans.boot_files import WriteFile
from dnet_tui.actions.plans.plan import Plan, render
from dnet_tui.actions.ports.publish import PortRequest, publish_plan
from dnet_tui.actions.routes.host_route import add_plan, parse_route
from dnet_tui.diagnostics.operations.kernel import LoadModule, SetSysctl
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from unit.builders.factories import docker_like_snapshot

FACTS = BootFacts()
HERE = StepLocation(netns=1, cookie=7, boot="b")


def entry(plan: Plan, number: int = 1) -> JournalEntry:
    changes = tuple(RecordedChange(step=step, captured=SysctlState(values={})) for step in plan.steps)
    return JournalEntry(id=f"{number:04d}", time="", title=plan.title, place=HERE, status="done", changes=changes)


def kept(plan: Plan, snapshot: Snapshot, *wanted: str, facts: BootFacts = FACTS, number: int = 1) -> dict[str, str]:
    made = keep_plan([entry(plan, number)], HERE, snapshot, facts, wanted)
    return {action.path: action.content for action in made.operations if isinstance(action, WriteFile)}


def plan_of(*actions: object) -> Plan:
    return msgspec.convert(
        {"title": "t", "steps": [{"action": msgspec.to_builtins(action)} for action in actions]}, Plan
    )


def test_parameters_and_modules_have_files_of_their_own() -> None:
    plan = plan_of(LoadModule(name="br_netfilter"), SetSysctl(key="net.ipv4.conf.eth0/100.forwarding", value="1"))
    files = kept(plan, docker_like_snapshot())
    first = [text.splitlines()[1] for text in files.values()]
    assert first == ["br_netfilter", "net/ipv4/conf/eth0.100/forwarding = 1"]
    assert list(files) == ["/etc/modules-load.d/dnet-tui-0001.conf", "/etc/sysctl.d/90-dnet-tui-0001.conf"]


def test_rules_are_made_again_in_the_order_in_which_they_stand() -> None:
    before = docker_like_snapshot()
    plan = add_plan(before, parse_route("10.60.0.0/24", ["via", "203.0.113.7"]))
    done = after(before, plan.operations)  # type: ignore[arg-type]
    (text,) = kept(plan, done).values()
    again = before
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=iptables-nft")]
    for line in starts:
        words = line.removeprefix("ExecStart=").replace('"', "").split()
        chain, position = words[words.index("-I") + 1], int(words[words.index("-I") + 2])
        spec = line.partition(f"-I {chain} {position} ")[2]
        rule = InsertRule(
            backend="iptables-nft", family="ip", table=words[3], chain=chain, spec=spec, position=position
        )
        again = after(again, [rule])
    rules = [step.action for step in plan.steps if isinstance(step.action, InsertRule)]
    assert len(starts) == len(rules)
    assert texts(again) == texts(done)


def texts(snapshot: Snapshot) -> list[list[str]]:
    host = View(snapshot).host
    assert host is not None
    firewall = known_firewall(host)
    assert firewall is not None
    return [[rule.text for rule in chain.rules] for table in firewall.tables for chain in table.chains]


def test_a_port_of_a_container_whose_address_may_change_is_not_kept() -> None:
    before = docker_like_snapshot()
    plan = publish_plan(before, PortRequest(container="app1", host_port=9090, container_port=80))
    done = after(before, plan.operations)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="may have another address"):
        kept(plan, done, "1")
    with pytest.raises(UsageError, match="may have another address"):
        kept(plan, done)


def test_a_rule_between_others_is_not_kept() -> None:
    before = docker_like_snapshot()
    plan = plan_of(
        InsertRule(backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec="-j ACCEPT", position=3)
    )
    done = after(before, plan.operations)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="between others'"):
        kept(plan, done, "1")
    with pytest.raises(UsageError, match="isn't in filter FORWARD any more"):
        kept(plan, before, "1")


def test_links_that_others_make_are_not_kept() -> None:
    with pytest.raises(UsageError, match="made anew, by its engine"):
        kept(plan_of(SetLinkUp(link="docker0")), docker_like_snapshot(), "1")


def test_only_what_can_be_kept_is_and_the_rest_is_said() -> None:
    entries = [entry(plan_of(SetLinkUp(link="docker0"))), entry(plan_of(SetSysctl(key="net.a.b", value="1")), 2)]
    plan = keep_plan(entries, HERE, docker_like_snapshot(), BootFacts(), ())
    assert len(plan.operations) == 1
    assert "entry 0001 (t) can't be kept" in plan.notes[0]
    shown = render(plan)
    assert "      | net.a.b = 1" in shown
    assert not any("lasts until" in line for line in shown)


def test_without_systemd_only_files_are_kept() -> None:
    before = docker_like_snapshot()
    plan = add_plan(before, parse_route("10.60.0.0/24", ["via", "203.0.113.7"]))
    done = after(before, plan.operations)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="systemd doesn't start this host"):
        kept(plan, done, "1", facts=BootFacts(systemd=False))
