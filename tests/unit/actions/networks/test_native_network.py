"""A plain-Linux network's rules as a table of nftables."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dnet_tui.actions.networks.engine_networks import create_plan, remove_plan
from dnet_tui.actions.networks.native_network import kept_apart, network_removals, network_table
from dnet_tui.actions.networks.native_rules import forward_drops, put_back_last, still_deciding
from dnet_tui.actions.networks.request import Request
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable, interface
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.remedy import commands
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Namespace, Snapshot, known_items
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Rule, Table, Verdict
from dnet_tui.inspect.model.network_label import Intention
from dnet_tui.inspect.text.sanitize import clean
from unit.builders.factories import docker_like_snapshot

DROP = Verdict(kind="drop")


def bodies(plan: Plan) -> list[AddNftTable]:
    return [action for action in plan.operations if isinstance(action, AddNftTable)]


def renamed(snapshot: Snapshot, link: str, name: str) -> Snapshot:
    def change(ns: Namespace) -> Namespace:
        links = tuple(replace(item, name=name) if item.name == link else item for item in ns.links)
        return replace(ns, links=links)

    return replace(snapshot, namespaces=tuple(change(ns) for ns in known_items(snapshot.namespaces)))


def request(**more: object) -> Request:
    return replace(Request(name="red", engine="linux", subnet="10.77.0.0/24"), **more)


def test_a_table_for_each_family_and_nobody_elses_chain_is_touched() -> None:
    plan = create_plan(docker_like_snapshot(), request(subnet6="fd00:77::/64"), native=True)
    four, six = bodies(plan)
    assert (four.family, four.name, six.family) == ("ip", "dnet-tui-net-br-red", "ip6")
    assert 'ip saddr 10.77.0.0/24 oifname != "br-red" masquerade comment "dnet-tui:net red"' in four.body
    assert 'iifname "br-red" oifname "docker0" drop' in four.body
    assert 'iifname "docker0" oifname "br-red" drop' in six.body
    assert not any(isinstance(action, InsertRule) for action in plan.operations)
    assert "table ip filter decides over forwarded packets too: what it drops stays dropped" in plan.notes


def test_where_iptables_is_there_it_is_used() -> None:
    assert bodies(create_plan(docker_like_snapshot(), request())) == []


@pytest.mark.parametrize(
    ("intention", "holds", "lacks"),
    [
        (Intention(name="n", internal=True), 'iifname != "b" oifname "b" drop', "masquerade"),
        (Intention(name="n", icc=False), 'iifname "b" oifname "b" drop', '"b" oifname != "b" drop'),
        (Intention(name="n", isolated=False), "masquerade", "forward"),
        (Intention(name="n", masquerade=False), 'iifname "b" oifname "c" drop', "masquerade"),
    ],
)
def test_what_a_network_is_meant_to_be(intention: Intention, holds: str, lacks: str) -> None:
    (step,) = network_table("ip", "b", "10.0.0.0/24", intention, ["c"])
    assert isinstance(step.action, AddNftTable)
    assert holds in step.action.body
    assert lacks not in step.action.body


def test_no_table_where_it_would_be_empty() -> None:
    open_ = Intention(name="n", masquerade=False, isolated=False)
    assert list(network_table("ip", "b", "10.0.0.0/24", open_, ["c"])) == []


def native(name: str, *rules: Rule, family: str = "ip", policy: str = "accept") -> Table:
    chain = Chain(name="forward", rules=rules, type="filter", hook="forward", priority=0, policy=policy)  # type: ignore[arg-type]
    return Table(backend="nftables", family=family, name=name, chains=(chain,))  # type: ignore[arg-type]


def test_removing_takes_the_own_tables_out_and_names_those_that_still_speak_of_it() -> None:
    both = (Match(field="iif", values=("br-red",)), Match(field="oif", values=("br-blue",)), DROP)
    firewall = Firewall(
        tables=(
            native("dnet-tui-net-br-red"),
            native("dnet-tui-net-br-red", family="ip6"),
            native("dnet-tui-net-br-blue", Rule(number=1, text="", exprs=both)),
        )
    )
    steps = [step.action for step in network_removals(firewall, "br-red")]
    assert steps == [
        DeleteNftTable(family="ip6", name="dnet-tui-net-br-red"),
        DeleteNftTable(family="ip", name="dnet-tui-net-br-red"),
    ]
    assert kept_apart(firewall, "br-red") == ("dnet-tui-net-br-blue",)
    assert kept_apart(firewall, "br-green") == ()


def test_removing_an_engines_network_looks_for_no_table_of_ours() -> None:
    snapshot = replace(docker_like_snapshot(), containers=())
    assert not any(isinstance(item, DeleteNftTable) for item in remove_plan(snapshot, "app").operations)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (native("fw", policy="drop"), True),
        (native("fw", Rule(number=1, text="", exprs=(Verdict(kind="reject"),))), True),
        (native("fw", Rule(number=1, text="", exprs=(Verdict(kind="accept"),))), False),
        (native("dnet-tui-net-br-red", Rule(number=1, text="", exprs=(DROP,))), False),
    ],
)
def test_tables_that_may_drop_are_named(table: Table, named: bool) -> None:
    assert bool(forward_drops(Firewall(tables=(table,)))) is named
    assert bool(list(still_deciding(Firewall(tables=(table,))))) is named


@pytest.mark.parametrize(
    ("name", "written"), [("br-a", '"br-a"'), ("b;flush", '"b;flush"'), ("eth*", '"eth\\*"'), ("ä}", '"ä}"')]
)
def test_an_interface_is_never_more_than_a_name(name: str, written: str) -> None:
    assert interface(name) == written


def test_a_name_that_nft_can_not_write_is_refused() -> None:
    with pytest.raises(UsageError, match="can't write"):
        interface('a"b')


@pytest.mark.parametrize("name", ["+", "eth0+", r"b\xff1"])
@pytest.mark.parametrize("native", [True, False])
def test_a_bridge_that_no_rule_can_tell_is_left_out_and_named(name: str, native: bool) -> None:
    snapshot = renamed(docker_like_snapshot(), "docker0", name)
    plan = create_plan(snapshot, request(), native=native)
    assert f"it isn't kept apart from bridge {clean(name)}: no rule can speak of that name alone" in plan.notes
    assert not any(name in " ".join(words) for words in commands(plan.operations))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (["a"], "after ip b, ip6 a, ip6 c"),
        (["a", "b"], "after ip6 a, ip6 c"),
        (["d"], ""),
        ([], ""),
    ],
)
def test_what_an_undo_lists_last_is_said(gone: list[str], told: str) -> None:
    tables = (native("a"), native("b"), native("a", family="ip6"), native("c", family="ip6"), native("d"))
    steps = [PlanStep(action=DeleteNftTable(family="ip", name=name)) for name in gone]
    (note,) = list(put_back_last(Firewall(tables=tables[: -1 if told else None]), steps)) or [""]
    assert note.endswith(told)
    assert bool(note) is bool(told)


def test_tables_of_iptables_may_stand_anywhere_among_them() -> None:
    own, others = native("a"), Table(backend="iptables-nft", family="ip", name="nat")
    steps = [PlanStep(action=DeleteNftTable(family="ip", name="a"))]
    assert next(put_back_last(Firewall(tables=(others, own)), steps)).endswith("after ip nat")
    assert list(put_back_last(None, steps)) == []
