"""What the faults that are seen hide: with their remedies simulated, the host is examined again.  Pure.

A packet that is led elsewhere, or gets no farther than the first obstacle,
shows nothing of what waits behind it.  Only what the simulation shows anew is
told, and only as long as something is simulated anew: at most a few rounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.causality import HIDDEN
from dnet_tui.diagnostics.report.finding import Evidence, Finding
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot

_ROUNDS = 3
_MOST = 12
"""How many findings are repaired in simulation at the most."""

_HITS = re.compile(r"  \[\d+ packets, \d+ bytes\]$")
"""A rule's counters at the end of its evidence."""

_POSITIONAL = frozenset({"rule", "port", "host"})
"""Subjects whose names hold numbers or texts that a simulated repair may change."""

Examine = Callable[[Snapshot], Sequence[Finding]]
Rank = Callable[[Sequence[Finding], Snapshot], Sequence[Finding]]


def hidden(findings: Sequence[Finding], snapshot: Snapshot, examine: Examine, rank: Rank) -> list[Finding]:
    """The findings that ``findings`` hide, each with what hides it among its evidence.

    ``examine`` returns the findings of another snapshot; ``rank`` fills in
    their causes there.
    """
    known = [finding for finding in findings if finding.severity != "info"]
    waiting = [finding for finding in known if finding.caused_by is None]
    told: list[Finding] = []
    repaired: list[AnyOperation] = []
    causes: list[str] = []
    for _ in range(_ROUNDS):
        before = len(repaired)
        for finding in waiting[:_MOST]:
            snapshot, steps = _repaired(snapshot, finding)
            repaired += steps
            causes += [finding.check] if steps else []
        if len(repaired) == before:
            break
        seen = rank(examine(snapshot), snapshot)
        new = [item for item in seen if item.severity != "info" and _is_new(item, known)]
        told += [_explained(item, dict.fromkeys(causes), repaired) for item in new]
        known += new
        waiting = [item for item in new if item.caused_by is None]
    return told


def _repaired(snapshot: Snapshot, finding: Finding) -> tuple[Snapshot, tuple[AnyOperation, ...]]:
    """The snapshot with a finding's remedy, as far as its effect can be told, and what was done."""
    steps = finding.remedy.steps if finding.remedy is not None else ()
    try:
        return after(snapshot, steps), steps
    except (DnetError, ValueError):
        return snapshot, ()


def _is_new(finding: Finding, known: Sequence[Finding]) -> bool:
    if finding.subject.kind == "rule" and _rules(finding) & {rule for item in known for rule in _rules(item)}:
        return False  # a rule that a simulated remedy has moved is the same rule
    alike = [item.subject for item in known if item.check == finding.check]
    return not alike or (finding.subject.kind not in _POSITIONAL and finding.subject not in alike)


def _rules(finding: Finding) -> set[tuple[str, str]]:
    """The rules that decide, by chain and text: without their numbers and counters."""
    evidence = (item for item in finding.evidence if item.owner is not None)
    return {(item.what.rpartition(" rule ")[0], _HITS.sub("", item.value)) for item in evidence}


def _explained(finding: Finding, causes: Iterable[str], repaired: Sequence[AnyOperation]) -> Finding:
    names = ", ".join(causes)
    hint = Evidence(source=HIDDEN[0], what=HIDDEN[1], value=names, expected="seen once that is repaired")
    remedy = finding.remedy
    if remedy is not None and set(_chains(remedy.steps)) & set(_chains(repaired)):
        # Its positions are those of the repaired chain.
        remedy = Remedy(summary=f"First repair {names}, then examine the host again", risk="manual")
    return msgspec.structs.replace(finding, evidence=(*finding.evidence, hint), remedy=remedy)


def _chains(steps: Iterable[AnyOperation]) -> Iterator[tuple[str, str, str, str]]:
    for step in steps:
        if isinstance(step, InsertRule | DeleteRule):
            yield step.backend, step.family, step.table, step.chain
