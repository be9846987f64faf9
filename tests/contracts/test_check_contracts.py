"""What is demanded of every check, whoever wrote it: it fires, not on a near miss, and rests on what is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import HOST_FIELDS, NAMESPACE_FIELDS
from dnet_tui.inspect.model.coverage.sections import known_items
from unit.builders.factories import docker_like_snapshot, with_namespace
from unit.builders.factories_names import resolving
from unit.builders.filled import filled
from unit.diagnostics.checks.cases.case import CheckCases, Given, given
from unit.diagnostics.checks.cases.every import every
from unit.diagnostics.checks.cases.read_live import ELSEWHERE, is_read_live

TESTS = Path(__file__).resolve().parents[1]
CASES = every()
WHERE = "add it to CASES of a module in tests/unit/diagnostics/checks/cases (a new module also to every.py)"
FIRES = [(check, name) for check, cases in CASES.items() for name in cases.fires]
NEAR_MISSES = [(check, name) for check, cases in CASES.items() for name in cases.near_misses]


def report(check: str, those: Given) -> Report:
    return run_checks(those.snapshot, only=(check,), before=those.before, probes=those.probes)


def severities(check: str, those: Given) -> list[str]:
    return [finding.severity for finding in report(check, those).findings if finding.check == check]


@pytest.mark.parametrize("check", [check.id for check in CATALOGUE])
def test_every_check_has_a_host_on_which_it_fires_and_one_that_only_looks_like_it(check: str) -> None:
    cases = CASES.get(check, CheckCases())
    assert cases.fires, f"no host is known on which {check} fires: {WHERE}"
    assert cases.near_misses, f"no host is known that looks like {check} and isn't: {WHERE}"


def test_cases_are_of_checks_that_there_are() -> None:
    assert CASES.keys() - {check.id for check in CATALOGUE} == set()


@pytest.mark.parametrize(("check", "name"), FIRES)
def test_a_check_fires_where_it_must(check: str, name: str) -> None:
    assert severities(check, given(CASES[check].fires[name])), f"{check} says nothing of: {name}"


@cache
def tells_facts_only(check: str) -> bool:
    """Whether nothing but information comes of a check."""
    return all(set(severities(check, given(build))) == {"info"} for build in CASES[check].fires.values())


@pytest.mark.parametrize(("check", "name"), NEAR_MISSES)
def test_a_check_does_not_fire_on_a_near_miss(check: str, name: str) -> None:
    those = given(CASES[check].near_misses[name])
    said = report(check, those)
    told = [finding.severity for finding in said.findings if finding.check == check]
    # What is no fault may be worth a word, unless a word is all that the check ever says.
    assert set(told) <= (set() if tells_facts_only(check) else {"info"}), f"{check} takes it for a fault: {name}"
    assert [item.outcome for item in said.checks] == ["found" if told else "ok"], f"{check} can't tell: {name}"


# -- what it rests on --------------------------------------------------------------------------


def differing(snapshot: Snapshot, base: Snapshot) -> list[tuple[str, str]]:
    """The sections (of a namespace, or of the whole host) in which a snapshot differs from another."""
    spaces = {ns.id: ns for ns in known_items(base.namespaces)}
    found = [
        (ns.id, field)
        for ns in known_items(snapshot.namespaces)
        if ns.id in spaces
        for field in NAMESPACE_FIELDS
        if getattr(ns, field) != getattr(spaces[ns.id], field)
    ]
    return found + [("", field) for field in HOST_FIELDS if field != "namespaces" and _differs(snapshot, base, field)]


def _differs(snapshot: Snapshot, base: Snapshot, field: str) -> bool:
    return bool(getattr(snapshot, field) != getattr(base, field))


def with_section(snapshot: Snapshot, section: tuple[str, str], value: object) -> Snapshot:
    scope, field = section
    if scope:
        return with_namespace(snapshot, scope, **{field: value})
    return msgspec.structs.replace(snapshot, **{field: value})


def section_of(snapshot: Snapshot, section: tuple[str, str]) -> object:
    scope, field = section
    holder = next(ns for ns in known_items(snapshot.namespaces) if ns.id == scope) if scope else snapshot
    return getattr(holder, field)


@cache
def healthy_hosts() -> tuple[Snapshot, ...]:
    return docker_like_snapshot(), resolving()


def deciding(check: str, those: Given) -> Iterator[tuple[str, str]]:
    """The sections a finding rests on: as a healthy host has them, the check is silent."""
    base = min(healthy_hosts(), key=lambda host: len(differing(those.snapshot, host)))
    for section in differing(those.snapshot, base):
        mended = with_section(those.snapshot, section, section_of(base, section))
        if not severities(check, instead(those, mended)):
            yield section


def instead(those: Given, snapshot: Snapshot) -> Given:
    return Given(snapshot, those.before, those.probes)


@pytest.mark.parametrize(("check", "name"), FIRES)
def test_where_what_a_finding_rests_on_was_not_read_the_check_says_that_it_does_not_know(check: str, name: str) -> None:
    those = given(CASES[check].fires[name])
    for section in deciding(check, those):
        blind = with_section(those.snapshot, section, Unread(reason="not permitted"))
        said = report(check, instead(those, blind))
        told = [finding.severity for finding in said.findings if finding.check == check]
        # Of what nobody says that it is meant, it may be worth a word that it is so.
        assert set(told) <= {"info"}, f"{check} speaks of a fault without {section}"
        assert told or [item.outcome for item in said.checks] == ["unknown"], f"{check} is sure without {section}"


@pytest.mark.parametrize("check", CASES)
def test_what_a_check_fires_on_is_read_on_live_hosts(check: str) -> None:
    hosts = [given(build) for build in CASES[check].fires.values()]
    fields = {field for those in hosts for host in (those.snapshot, those.before) if host for field in filled(host)}
    unheard = sorted(field for field in fields if not is_read_live(field))
    assert unheard == [], f"{check} fires on what no test has read on a live host: see cases/read_live.py"


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_the_tests_that_show_fields_read_exist(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (TESTS / file).read_text()
