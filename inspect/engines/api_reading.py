"""A reading of one engine under way, within a time limit: the same for every engine that has an API or a command.

It runs in a thread of its own: an engine whose socket accepts but never
answers, or whose command waits for a lock, must not hold up the rest.  What
was had when the time is up is used, and a gap says what is missing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.unix_http import NotHttpError, TooLargeError
from dnet_tui.inspect.model import Container, Engine, Network
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import items

_GRACE = 0.5
"""Seconds that a source which is out of time gets to end in."""


class EngineRefusedError(Exception):
    """An engine answered, but with an error; the message is its own words."""


class Received:
    """What an engine has answered so far, as JSON values.  Each attribute is replaced whole; one thread writes."""

    def __init__(self) -> None:
        self.version: Any = None
        self.info: Any = None
        self.networks: Any = None
        self.services: Any = None
        self.listed: Any = None
        self.details: dict[str, Any] = {}
        self.gone: dict[str, None] = {}
        self.failed: dict[str, str] = {}


class Source(Protocol):
    """A way to ask.  ``socket`` is its path, empty for a command; ``label`` is what messages call it."""

    socket: str
    label: str

    def ask(self, received: Received, deadline: float) -> None:
        """Ask all there is to ask; raises OSError, ValueError and others when that fails."""


class Dialect(Protocol):
    """How one engine's answers are understood.  Pure: ``networks`` are those that were understood before."""

    def engine(self, received: Received, socket: str) -> Engine:
        """The engine itself."""

    def networks(self, received: Received, engine: Engine) -> tuple[Network, ...]:
        """Its networks, sorted by name."""

    def container(self, detail: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:
        """A container with its details; None when it isn't one."""

    def listed(self, summary: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:
        """A container as the list alone has it; None when it isn't one."""

    def completed(self, received: Received, data: EngineReading) -> EngineReading:
        """The whole, with what only follows from all of it."""


class Complaints(NamedTuple):
    """Why an engine could not be read, in words for each kind of reason; ``{where}`` is the source's label.

    A pair is a reason and a hint; ``late`` and ``unlike`` share the hint ``wait``.
    """

    late: str
    unlike: str
    unreadable: str
    wait: str
    denied: tuple[str, str]
    nobody: tuple[str, str]
    absent: tuple[str, str]


class Manner(NamedTuple):
    """What differs from engine to engine in a reading: its kind, its answers, the words for its failures."""

    kind: str
    dialect: Dialect
    complaints: Complaints


class Reading:
    """A reading under way.  :meth:`finish` waits for it no longer than the time limit.

    ``sources`` are tried in turn: the next one when nobody is at the first.
    """

    def __init__(self, manner: Manner, sources: Sequence[Source], timeout: float) -> None:
        self._manner = manner
        self._sources = tuple(sources)
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._received = Received()
        self._used = self._sources[0]
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=manner.kind, daemon=True)

    def start(self) -> Reading:
        """Begin to read."""
        self._thread.start()
        return self

    def finish(self) -> EngineReading:
        """Wait until all is read or the time is up, and return what was had."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + _GRACE)
        late = self._thread.is_alive() or isinstance(self._error, TimeoutError)
        trouble = self._trouble(late=late)
        return self._data(trouble, late=late)

    def _run(self) -> None:
        for source in self._sources:
            self._used, self._error = source, None
            try:
                source.ask(self._received, self._deadline)
            except (ConnectionRefusedError, FileNotFoundError) as error:
                self._error = error
            except Exception as error:  # noqa: BLE001 - whatever a strange engine provokes becomes a gap
                self._error = error
                return
            else:
                return

    def _data(self, trouble: Gap | None, *, late: bool) -> EngineReading:
        """Turn what was had into the model.  ``late``: the time was up before all was read."""
        received, dialect = self._received, self._manner.dialect
        had_list = isinstance(received.listed, list)
        engine = msgspec.structs.replace(dialect.engine(received, self._used.socket), reachable=had_list)
        networks = dialect.networks(received, engine)
        containers, gaps = _containers(received, dialect, engine, networks)
        if trouble is not None:
            trouble = msgspec.structs.replace(trouble, scope=engine.name)
            gaps.append(trouble)
            if not isinstance(received.networks, list):
                gaps.append(msgspec.structs.replace(trouble, section="networks"))
            if not had_list or late:
                gaps.append(msgspec.structs.replace(trouble, section="containers"))
        return dialect.completed(
            received,
            EngineReading(
                engines=(engine,), networks=networks, containers=containers, gaps=tuple(gaps), complete=had_list
            ),
        )

    def _trouble(self, *, late: bool) -> Gap | None:
        """Why the engine could not be read, each kind in its own words; None when it could."""
        received, error, words = self._received, self._error, self._manner.complaints
        hint = words.wait
        if late:
            reason = f"{words.late} within {self._timeout:g} s"
            if isinstance(received.listed, list):
                reason += f"; details of {len(received.details)} of {len(received.listed)} containers were read"
        elif error is None:
            if isinstance(received.listed, list) and isinstance(received.networks, list):
                return None
            reason = words.unlike
        elif isinstance(error, PermissionError):
            reason, hint = words.denied
        elif isinstance(error, ConnectionRefusedError):
            reason, hint = words.nobody
        elif isinstance(error, FileNotFoundError):
            reason, hint = words.absent
        elif isinstance(error, ValueError | RecursionError | NotHttpError | TooLargeError):
            reason = words.unlike
        else:
            reason = f"{words.unreadable}: {storable(str(error)) or type(error).__name__}"
        where = self._used.label
        return Gap(section="engine", scope=self._manner.kind, reason=reason.replace("{where}", where), hint=hint)


def _containers(
    received: Received, dialect: Dialect, engine: Engine, networks: tuple[Network, ...]
) -> tuple[tuple[Container, ...], list[Gap]]:
    details, gone, failed = dict(received.details), dict(received.gone), dict(received.failed)
    found: list[Container] = []
    gaps: list[Gap] = []
    for summary in items(received.listed):
        basic = dialect.listed(summary, engine, networks)
        if basic is None:
            continue
        if basic.id in gone:
            gaps.append(Gap(section="containers", scope=basic.name, reason="it went away while it was being read"))
            continue
        if basic.id in failed:
            gaps.append(Gap(section="containers", scope=basic.name, reason=f"no details of it: {failed[basic.id]}"))
        found.append(dialect.container(details.get(basic.id), engine, networks) or basic)
    joined = resolve_joined(tuple(found))
    resolved = [msgspec.structs.replace(item, joined=joined.get(item.joined or "")) for item in found]
    return tuple(sorted(resolved, key=lambda item: (item.name, item.id))), gaps


def resolve_joined(containers: tuple[Container, ...]) -> dict[str, str]:
    """The ids behind what ``joined`` says: by whole id, by name, or by the beginning of an id when only one fits."""
    ids = {item.id for item in containers}
    names = {item.name: item.id for item in containers}
    found: dict[str, str] = {}
    for said in {item.joined for item in containers if item.joined}:
        if said in ids:
            found[said] = said
        elif said in names:
            found[said] = names[said]
        else:
            fitting = [one for one in ids if one.startswith(said)]
            if len(fitting) == 1:
                found[said] = fitting[0]
    return found
