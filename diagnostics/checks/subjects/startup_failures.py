"""Starts that failed, by the engines' own words, as far as they still stand.  Pure.

A container's error is what its last start met with; a good start clears it,
so it stands while the container isn't running.  A line of a running daemon's
log may be long settled and proves nothing alone; the last words of a daemon
that isn't there any more do, while it isn't.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Evidence
from dnet_tui.inspect.model import Container, Engine, LogLine, known_items
from dnet_tui.inspect.model.engine_kinds.startup_errors import Failure, recognise

START_UP = ("start-up",)
"""The symptom of a failed start."""


class FailedStart(msgspec.Struct, frozen=True, kw_only=True):
    """One failure.  ``container`` is None where an engine's log alone tells of it.

    ``stands``: nothing has come after it; otherwise the fact itself must show that it is still so.
    """

    engine: str
    failure: Failure
    stands: bool
    container: Container | None = None
    time: str = ""

    @property
    def who(self) -> str:
        """What failed, in words."""
        return self.container.name if self.container is not None else f"{self.engine}'s log"


def failed_starts(case: HostContext, *kinds: str) -> tuple[FailedStart, ...]:
    """The failures of these kinds, the containers' first; a failure that a container tells of isn't told twice."""
    found = [item for item in case.once(_all) if item.failure.kind in kinds]
    told = {item.failure.text for item in found if item.container is not None}
    return tuple(item for item in found if item.container is not None or item.failure.text not in told)


def _all(case: HostContext) -> tuple[FailedStart, ...]:
    return (
        *(
            FailedStart(engine=item.engine, failure=failure, stands=True, container=item)
            for item in known_items(case.snapshot.containers)
            if not item.running and item.error and (failure := recognise(item.error)) is not None
        ),
        *(
            _logged(engine, line)
            for engine in known_items(case.snapshot.engines)
            for line in reversed(engine.log or ())
        ),
    )


def _logged(engine: Engine, line: LogLine) -> FailedStart:
    failure = recognise(line.text)
    return FailedStart(
        engine=engine.name,
        failure=failure if failure is not None else Failure(kind=line.kind, text=line.text),
        stands=not engine.reachable,
        time=line.time,
    )


def of_failures(starts: Iterable[FailedStart]) -> tuple[Evidence, ...]:
    """What the engines said, each with where it stands."""
    return tuple(
        Evidence(
            source=f"{item.engine} inspect" if item.container is not None else f"{item.engine}'s log",
            what=f"{item.container.name} State.Error" if item.container is not None else item.time,
            value=item.failure.text,
            expected="no failure",
        )
        for item in tuple(starts)[:4]
    )


def names_of(starts: Iterable[FailedStart]) -> str:
    """The containers, or the engines where it is them that failed, in words."""
    names = dict.fromkeys(
        item.container.name if item.container is not None else f"{item.engine}'s daemon" for item in starts
    )
    return ", ".join(list(names)[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
