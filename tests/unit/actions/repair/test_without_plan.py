"""What is said of findings that no repair makes: whose decision each is, its objects, its owner's command."""

from __future__ import annotations

import pytest

from dnet_tui.actions.repair.without_plan import owners_decisions, unplanned
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR, DecisionOwner
from unit.builders.factories import docker_like_snapshot
from unit.builders.factories_links import filter_rule

UFW = DecisionOwner(kind="manager", name="ufw")
SEEN = (Evidence(source="ip rule", what="rule 5", value="prohibit"),)


def left(remedy: Remedy | None, owner: DecisionOwner | None = None) -> Finding:
    subject = Subject(kind="rule", name="filter X 3")
    return Finding(check="c", severity="info", subject=subject, summary="S", evidence=SEEN, remedy=remedy, owner=owner)


@pytest.mark.parametrize(
    ("finding", "status", "words"),
    [
        (left(Remedy(summary="Yours to decide: ufw made it", note="`ufw status`"), UFW), "owners", "left to ufw"),
        (left(None, ADMINISTRATOR), "owners", "left to the administrator"),
        (left(Remedy(summary="Look at it", note="there"), UFW), "manual", "to be done by a person: Look at it"),
        (left(None), "no-remedy", "no remedy is known"),
    ],
)
def test_it_says_whose_decision_it_is_and_names_the_objects(finding: Finding, status: str, words: str) -> None:
    said, lines = unplanned(finding)
    assert said == status
    assert words in lines[0]
    assert "rule filter X 3: S" in lines
    assert "ip rule: rule 5 = prohibit" in lines
    if finding.remedy is not None:
        assert finding.remedy.note in lines


def test_a_decision_that_is_left_comes_with_the_command_that_would_change_it() -> None:
    spec = "-s 172.17.0.2/32 -j DROP"
    report = run_checks(after(docker_like_snapshot(), [filter_rule("FORWARD", spec)]))
    lines = list(owners_decisions(report.findings))
    assert lines[0].startswith("policy-drop: ")
    assert lines[0].endswith("left to the administrator")
    assert lines[1:] == [
        f"  iptables-nft -w -t filter -D FORWARD {spec}",
        "  → `dnet-tui fix policy-drop --override-owner` makes them",
    ]


def test_a_managers_decision_names_where_that_one_keeps_it() -> None:
    finding = left(Remedy(summary="Yours to decide: ufw made it", risk="manual", note="`ufw status numbered`"), UFW)
    assert list(owners_decisions([finding])) == ["c: S: left to ufw", "  `ufw status numbered`"]
