"""What is shown of a check: hosts on which it fires, and hosts that only look like it.

A check without its cases fails the catalogue's test.  ``CASES`` of a module of
this folder holds them by the check's id; several modules may speak of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.inspect.model import Snapshot


@dataclass(frozen=True)
class Given:
    """A host with what else the doctor was given: an earlier snapshot, and what real packets said."""

    snapshot: Snapshot
    before: Snapshot | None = None
    probes: tuple[Probed, ...] | None = None


Build = Callable[[], Snapshot]
Case = Callable[[], Snapshot | Given]


@dataclass(frozen=True)
class CheckCases:
    """One check's cases by their names."""

    fires: Mapping[str, Case] = field(default_factory=dict)
    near_misses: Mapping[str, Case] = field(default_factory=dict)

    def __add__(self, other: CheckCases) -> CheckCases:
        return CheckCases({**self.fires, **other.fires}, {**self.near_misses, **other.near_misses})


def given(build: Case) -> Given:
    """Make a case's host."""
    made = build()
    return made if isinstance(made, Given) else Given(made)


def tabled(
    faults: Mapping[str, Build | tuple[str, Build] | tuple[str, str, Build]],
    near_misses: Mapping[str, Mapping[str, Build]],
) -> dict[str, CheckCases]:
    """Make the cases of two tables.

    Args:
        faults: by name, the check that must fire, perhaps the severity, and the host; or the host by the check.
        near_misses: by check, hosts by name.
    """
    found = {check: CheckCases(near_misses=those) for check, those in near_misses.items()}
    for name, row in faults.items():
        check, build = (row[0], row[-1]) if isinstance(row, tuple) else (name, row)
        found[check] = found.get(check, CheckCases()) + CheckCases(fires={name: build})
    return found


def flat(near_misses: Mapping[str, Mapping[str, Build]]) -> dict[str, Build]:
    """All near misses by name, whatever they look like."""
    return {name: build for those in near_misses.values() for name, build in those.items()}
