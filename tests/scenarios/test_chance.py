"""What is hedged by chance is excused by chance alone: the judge of recorded packets, on hosts with a rule by lot."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.walk.packet import Hedge, RuleRef
from dnet_tui.inspect.archive import snapshot_file
from lab.differential import scenario
from lab.differential.chance import lots
from lab.differential.spec import Observation, Outcome
from lab.recordings import recording

NAME = "filter-output-sees-the-new-destination"


def judged(rule: str, *, arrives: bool) -> str:
    """The judgement on a packet that the host sends, with rules before all others there; whether it did arrive."""
    kept = scenario.load(NAME)
    probe = kept.probes[1]
    inserts = [
        InsertRule(backend="iptables-nft", family="ip", table="filter", chain="OUTPUT", spec=spec, position=position)
        for position, spec in enumerate(rule.split("; "), start=1)
    ]
    snapshot = after(recording.snapshot(kept.seen.snapshot), inserts)
    outcome: Outcome = next(item for item in kept.seen.outcomes if item.probe == probe.number)
    if not arrives:
        sights = tuple(item for item in outcome.sights if item.direction == "there" and item.stage != "input")
        outcome = msgspec.structs.replace(outcome, sights=sights)
    seen: Observation = msgspec.structs.replace(
        kept.seen, snapshot=msgspec.Raw(snapshot_file.encode(snapshot)), outcomes=(outcome,)
    )
    return next(scenario.judge((probe,), seen)).result


@pytest.mark.parametrize(
    ("rule", "arrives", "result"),
    [
        ("-m statistic --mode random --probability 0.25 -j DROP", True, "agrees"),
        ("-m statistic --mode random --probability 0.75 -j DROP", True, "unknown"),  # it was the less likely
        # What the less likely outcome leads to is undecided.
        (
            "-m statistic --mode random --probability 0.75 -j DROP; -m string --string x --algo bm -j DROP",
            True,
            "unknown",
        ),
        ("-j DROP", True, "wrong"),
        # Neither outcome of the lot is what happened.
        ("-m statistic --mode random --probability 0.25 -j DROP", False, "wrong"),
        # Another assumption than chance, which holds for the packets that are sent here.
        ("-m limit --limit 10/second -j DROP", True, "wrong"),
    ],
)
def test_a_wrong_answer_is_excused_only_where_the_lot_explains_it(rule: str, arrives: bool, result: str) -> None:
    assert judged(rule, arrives=arrives) == result


def test_only_chance_is_a_lot() -> None:
    ref = RuleRef(namespace="h", backend="nft", family="ip", table="t", chain="c", number=1, text="")
    said = "t c rule 1 is taken to match: it matches"
    by_lot = Hedge(text=f"{said} for one packet of 2, by chance", namespace="h", rule=ref)
    by_rate = Hedge(text=f"{said} while at most 10 a second come", namespace="h", rule=ref)
    assert lots((by_lot, by_lot)) == (ref,)
    assert lots((by_rate,)) == ()
