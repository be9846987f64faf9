"""IPv6's neighbour discovery that INPUT stops, told with what the same rule keeps from the host otherwise.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import RuleRef

DISCOVERY = "The host's INPUT rules drop neighbour discovery: containers don't find the host by IPv6"
"""What is said of it where it stands alone."""

ROUTER = "The host's INPUT rules drop neighbour discovery: the host doesn't find its router by IPv6"
"""The same where only what leaves the host is stopped by it."""

_ALONE = (DISCOVERY, ROUTER)


def joined(found: list[tuple[RuleRef | None, Finding]]) -> Iterator[Finding]:
    """Neighbour discovery told with what the same rule, or its twin for IPv4, keeps from the host otherwise."""
    taken: set[int] = set()
    for rule, finding in found:
        if finding.summary in _ALONE or rule is None:
            continue
        for index, (other, lost) in enumerate(found):
            if lost.summary in _ALONE and index not in taken and other is not None and _alike(rule, other):
                taken.add(index)
                finding = _with_discovery(finding, lost)  # noqa: PLW2901 - one after the other
        yield finding
    yield from (item for index, (rule, item) in enumerate(found) if _is_left(rule, item) and index not in taken)


def _is_left(rule: RuleRef | None, finding: Finding) -> bool:
    return rule is None or finding.summary in _ALONE


def _alike(one: RuleRef, other: RuleRef) -> bool:
    """The same place and words, whichever family's."""
    return (one.backend, one.table, one.chain, one.text) == (other.backend, other.table, other.chain, other.text)


def _with_discovery(finding: Finding, lost: Finding) -> Finding:
    mine, more = finding.remedy, lost.remedy
    if mine is not None and more is not None and mine.steps:
        mine = msgspec.structs.replace(mine, steps=(*mine.steps, *more.steps), undo=(*more.undo, *mine.undo))
    return msgspec.structs.replace(
        finding,
        severity="error",
        summary=f"{finding.summary}, and neighbour discovery with it",
        symptoms=tuple(dict.fromkeys((*finding.symptoms, *lost.symptoms))),
        evidence=tuple(dict.fromkeys((*finding.evidence, *lost.evidence))),
        remedy=mine if mine is not None and mine.steps else more,
    )
