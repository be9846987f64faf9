"""All cases there are, by check."""

from __future__ import annotations

from unit.diagnostics.checks.cases import (
    decided,
    firewalld,
    judged,
    links,
    more,
    names,
    others,
    policies,
    rules,
    silent,
    startup,
)
from unit.diagnostics.checks.cases.case import CheckCases

MODULES = (rules, links, names, others, startup, firewalld, more, judged, policies, silent, decided)


def every() -> dict[str, CheckCases]:
    """The cases of each check, from all modules."""
    found: dict[str, CheckCases] = {}
    for module in MODULES:
        for check, cases in module.CASES.items():
            found[check] = found.get(check, CheckCases()) + cases
    return found
