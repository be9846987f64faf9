"""Chains that lead to one another: each is evaluated once for each packet, and what can't be followed is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.netfilter import chains as evaluation
from dnet_tui.diagnostics.walk.netfilter.budget import REPEATED_RULES, Budget
from dnet_tui.diagnostics.walk.netfilter.chain_ends import ChainEnd, HookResult, Position
from dnet_tui.diagnostics.walk.netfilter.chains import ChainEvaluation
from dnet_tui.diagnostics.walk.netfilter.conditions import Ruleset
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Element,
    Firewall,
    Match,
    NoTrack,
    Opaque,
    Rule,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.match_fields import FieldText
from dnet_tui.inspect.model.view import View
from unit.builders.factories import WEB, docker_like_snapshot, with_namespace
from unit.builders.rule_evaluation import Unicast, hook_result

PACKET = Packet(src="10.0.0.2", dst="10.0.0.3", proto="tcp", sport=40000, dport=80, iif="br0", oif="eth0")
ACCEPT, DROP, RETURN = Verdict(kind="accept"), Verdict(kind="drop"), Verdict(kind="return")
PERHAPS = Opaque(text="-m string")
SOON = 0.2
"""Seconds of processor time within which there is an answer, whatever the rules."""

Exprs = tuple[AnyExpr, ...]


def jump(chain: str) -> Verdict:
    return Verdict(kind="jump", chain=chain)


def chain(name: str, *rules: Exprs) -> Chain:
    numbered = tuple(Rule(number=n, text=f"{name} {n}", exprs=exprs) for n, exprs in enumerate(rules, start=1))
    if name == "c0":
        return Chain(name=name, rules=numbered, hook="forward", policy="accept", type="filter")
    return Chain(name=name, rules=numbered)


def nested(levels: int, leaf: Exprs, between: Callable[[int], Exprs] = lambda _: ()) -> tuple[Chain, ...]:
    """Chains of which each jumps to the next twice, so that the last is reached 2 ** levels times."""
    return (
        *(chain(f"c{n}", (jump(f"c{n + 1}"),), between(n), (jump(f"c{n + 1}"),)) for n in range(levels)),
        chain(f"c{levels}", leaf),
    )


def firewall(*chains: Chain) -> Firewall:
    return Firewall(tables=(Table(family="ip", name="t", backend="nftables", chains=chains),))


def result(*chains: Chain) -> HookResult:
    start = time.process_time()
    found = hook_result(firewall(*chains), "forward", PACKET)
    assert time.process_time() - start < SOON
    return found


@pytest.mark.parametrize("levels", [28, 60])
@pytest.mark.parametrize(
    ("leaf", "verdict"),
    [((), "accept"), ((DROP,), "drop"), ((PERHAPS, ACCEPT), "accept"), ((PERHAPS, DROP), "unknown")],
)
def test_a_chain_that_leaves_the_packet_as_it_is_is_evaluated_once(levels: int, leaf: Exprs, verdict: str) -> None:
    assert result(*nested(levels, leaf)).verdict == verdict


@pytest.mark.parametrize("levels", [28, 60])
def test_rules_that_change_the_packet_each_time_are_followed_as_far_as_the_budget_goes(levels: int) -> None:
    def turn(level: int) -> Exprs:
        return (SetMark(where="ct" if level > 31 else "meta", value=1 << level % 32, mask=0),)

    found = result(*nested(levels, (DROP,), turn))
    assert found.verdict == "drop"  # the first way ends it
    found = result(*nested(levels, (), turn))
    assert found.verdict == "unknown"
    assert found.by is not None
    assert found.by.text == "ip t c0: its jumps nest too deeply to follow"
    assert (found.packet.mark, found.packet.ctmark) == (None, None)


def test_a_ruleset_that_marks_a_few_times_is_decided() -> None:
    marks = nested(
        6, (Match(field="mark", values=("0x3f/0xffffffff",)), DROP), lambda n: (SetMark(value=1 << n, mask=0),)
    )
    assert result(*marks).verdict == "drop"


@pytest.mark.parametrize("levels", [1, 28, 60, 200])
def test_a_loop_of_jumps_is_unknown(levels: int) -> None:
    assert result(*nested(levels, (jump("c1"),))).verdict == "unknown"


def test_chains_that_all_jump_to_one_another_are_unknown() -> None:
    names = [f"c{n}" for n in range(30)]
    assert result(*(chain(name, *((jump(other),) for other in names)) for name in names)).verdict == "unknown"


def test_nested_maps_of_verdicts_are_followed_once() -> None:
    def branch(level: int) -> Exprs:
        elements = tuple(Element(key=(str(n),), verdict=jump(f"c{level + 1}")) for n in range(20))
        return (VerdictMap(fields=(FieldText("meta cpu"),), elements=elements),)

    assert result(*nested(60, (PERHAPS, ACCEPT), branch)).verdict == "accept"


def test_a_walk_through_a_namespace_with_such_rules_is_unknown_soon() -> None:
    turn = nested(28, (), lambda n: (SetMark(value=1 << n, mask=0),))
    base = msgspec.structs.replace(turn[0], hook="output")
    snapshot = with_namespace(docker_like_snapshot(), WEB, firewall=firewall(base, *turn[1:]))
    packet = Packet(src="172.17.0.2", dst="198.51.100.77", proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",))
    view = View(snapshot)
    for beyond in (False, True):
        start = time.process_time()
        found = walk(view, packet, origin=WEB, outside=True, beyond=beyond)
        assert time.process_time() - start < SOON
        assert (found.end, found.obstacles[0].stage) == ("unknown", "output")


def test_the_budget_is_the_whole_walks() -> None:
    turn = nested(12, (), lambda n: (SetMark(value=1 << n, mask=0),))
    rules = FirewallIndex(firewall(*turn))
    budget = Budget()
    (base,) = rules.base_chains("forward", ("ip",))
    ChainEvaluation(Ruleset(rules, Unicast(), budget, set()), base, PACKET).result()
    assert budget.left < REPEATED_RULES


# -- evaluating once gives what evaluating each time does -----------------------------------------

MARKED = Match(field="mark", values=("0x1/0x1",))
CONDITIONS = st.sampled_from(
    [PERHAPS, MARKED, Match(field="dport", values=("80",)), Match(field="dport", values=("81",))]
)
ACTIONS = st.one_of(
    st.sampled_from([ACCEPT, DROP, RETURN, NoTrack(), Opaque(text="-j X", role="target"), SetMark(value=1)]),
    st.sampled_from([SetMark(value=1, mask=0), SetMark(value=2), SetMark(op="unknown")]),
    st.builds(Verdict, kind=st.sampled_from(["jump", "goto"]), chain=st.sampled_from(["c1", "c2", "c3", "c4"])),
    st.builds(
        lambda first, second: VerdictMap(
            fields=(FieldText("meta cpu"),),
            elements=(Element(key=("0",), verdict=jump(first)), Element(key=("1",), verdict=jump(second))),
        ),
        st.sampled_from(["c2", "c3"]),
        st.sampled_from(["c3", "c4"]),
    ),
)
RULES = st.lists(st.tuples(st.lists(CONDITIONS, max_size=1), ACTIONS).map(lambda rule: (*rule[0], rule[1])), max_size=5)


class Anew(ChainEvaluation):
    """Evaluates a chain each time it is reached."""

    def _call(self, name: str, at: Position) -> ChainEnd | None:
        self._outcomes.clear()
        return super()._call(name, at)


@pytest.fixture(scope="module", autouse=True)
def many_paths() -> Iterator[None]:
    """Every path is named, so that the two can be compared."""
    before, evaluation._MOST_PATHS = evaluation._MOST_PATHS, 1_000_000
    yield
    evaluation._MOST_PATHS = before


TOGGLE = SetMark(value=1, mask=0)
TO_1, TO_2 = jump("c1"), jump("c2")


@given(st.tuples(*[RULES] * 5))
@example(([(PERHAPS, TO_1), (TO_1,)], [(DROP,)], [], [], []))  # reached perhaps, then certainly
@example(([(TO_1,), (TO_1,), (PERHAPS, ACCEPT), (TO_1,)], [(TOGGLE,)], [], [], []))  # the same packet, perhaps gone
@example(([(TO_1,), (TO_2,)], [(TO_2,)], [(TO_1,), (PERHAPS, ACCEPT)], [], []))  # a loop is one by its path only
@example(([(TO_1,), (TO_2,)], [(TO_2,)], [(PERHAPS, DROP)], [], []))  # by two paths
def test_what_is_remembered_of_a_chain_is_what_it_would_do(rules: tuple[list[Exprs], ...]) -> None:
    index = FirewallIndex(firewall(*(chain(f"c{n}", *found) for n, found in enumerate(rules))))
    (base,) = index.base_chains("forward", ("ip",))
    once = ChainEvaluation(Ruleset(index, Unicast(), Budget(1_000_000), set()), base, PACKET).result()
    anew = Anew(Ruleset(index, Unicast(), Budget(1_000_000), set()), base, PACKET).result()
    assert msgspec.structs.asdict(once) == msgspec.structs.asdict(anew)
