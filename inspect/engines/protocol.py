"""What every engine's reader is to the rest of the house: how it is asked, and where it tells its events.

One folder per engine beside this module implements it; the registry is
:data:`dnet_tui.inspect.engines.registry.ENGINES`.  What can be said of an
engine without asking is data: :mod:`dnet_tui.inspect.model.engine_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits


class QuerySettings(NamedTuple):
    """What the queries to all engines of one host have in common.

    ``sockets`` are those that were named by a person, by kind of engine.
    """

    timeout: float
    environment: Mapping[str, str]
    sockets: Mapping[str, str] = {}


class EngineQuery(Protocol):
    """The questions to the engines of one kind on this host, each within the time limit.

    In two steps, so that what needs no knowledge of the processes is under
    way while these are listed.  Nothing that an engine does makes it raise.
    """

    def begin(self) -> None:
        """Start to ask what can be asked at once."""

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:
        """Start to ask what shows in the processes; ``host`` is the inode of the host's namespace."""

    def finish(self) -> tuple[EngineReading, ...]:
        """Wait until all have answered or their time is up."""


class EventSocket(NamedTuple):
    """Where an engine tells its events.  ``lasting``: it runs anyway, so being listened to doesn't keep it running."""

    path: str
    lasting: bool = True


class EngineReader(Protocol):
    """One kind of engine."""

    @property
    def traits(self) -> EngineTraits:
        """What is known of it without asking."""

    def query(self, settings: QuerySettings) -> EngineQuery:
        """A query, which hasn't begun."""

    def event_sockets(self, environment: Mapping[str, str]) -> tuple[EventSocket, ...]:
        """Where those that may be on this host tell their events."""
