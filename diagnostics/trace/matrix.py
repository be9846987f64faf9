"""Who can reach whom: every container, the host and outside, against each other.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint, every_container, find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.outside import named_arrival
from dnet_tui.diagnostics.trace.trace import Trace, reason, trace
from dnet_tui.diagnostics.trace.twins import Twins
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model import NotSeen, known_items

Reach = Literal["yes", "refused", "no", "too-big", "unknown", "-"]

MATRIX_FORMAT = 1
"""Version of ``trace --matrix --format json``."""

Progress = Callable[[int, int], None]
"""Told how many pairs of how many are done."""


class MatrixRequest(NamedTuple):
    """What every pair is asked with.  ``port`` is for targets that name none; ``size`` and ``df`` as for a trace."""

    proto: TraceProtocol = "tcp"
    port: int = 0
    size: int = 0
    df: bool | None = None
    arrives_by: str = ""
    """The host's interface by which what comes from outside arrives; empty: as for a trace."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One pair.  ``refused``: it gets there, but nobody listens.  ``-``: there is nothing to trace.

    ``too-big``: it, or its answer, is longer than a link on its way takes.
    """

    source: str
    target: str
    reach: Reach
    verdict: str = ""
    why: str = ""
    port: int = 0
    """The destination port that was asked; 0 for none."""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs, row by row; ``targets`` includes published ports as ``host:PORT``."""

    format: int = MATRIX_FORMAT
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    cells: tuple[Cell, ...]
    proto: TraceProtocol = "tcp"
    """What all of them were asked with."""


class _Found(NamedTuple):
    """What became of a pair, and its trace where there is one."""

    cell: Cell
    trace: Trace | None


def matrix(
    case: HostContext,
    wish: MatrixRequest = MatrixRequest(),  # noqa: B008 - immutable
    *,
    sources: Sequence[str] = (),
    targets: Sequence[str] = (),
    progress: Progress | None = None,
    by_twins: bool = True,
) -> Matrix:
    """Trace every pair of places; without ``port`` each container is asked on a port it listens on.

    Args:
        case: the host.
        wish: the packets.
        sources: the places to start from, by their names; empty: all.
        targets: the places to reach; empty: all.
        progress: told now and then how far it is.
        by_twins: whether a pair of containers may stand for others that no packet can tell from them.

    Raises:
        UsageError: a place or an interface that is named isn't there.
    """
    rows = _named(case, sources) or _every(case)
    if wish.arrives_by:
        named_arrival(case, wish.arrives_by)
    columns = _named(case, targets) or [*_every(case), *(_published(case) if wish.proto != "icmp" else [])]
    classes = Twins(case).classes([*rows, *columns]) if by_twins else {}
    known: dict[tuple[object, object], _Found] = {}
    cells = []
    for at, source in enumerate(rows):
        if progress is not None:
            progress(at * len(columns), len(rows) * len(columns))
        for target in columns:
            key = classes.get(source.label, source.label), classes.get(target.label, target.label)
            if source.label == target.label:
                cells.append(Cell(source=source.label, target=target.label, reach="-"))
                continue
            found = known.get(key)
            if found is None:
                found = known[key] = _pair(case, source, target, wish)
                cells.append(found.cell)
            else:
                cells.append(_likewise(case, source, target, found))
    return Matrix(
        sources=tuple(place.label for place in rows),
        targets=tuple(place.label for place in columns),
        cells=tuple(cells),
        proto=wish.proto,
    )


def _named(case: HostContext, names: Sequence[str]) -> list[TraceEndpoint]:
    places = {place.label: place for place in (find(case, name) for name in names)}
    if names and not places:
        raise UsageError("no place is named", "name a container, host, outside or an address")
    return list(places.values())


def _every(case: HostContext) -> list[TraceEndpoint]:
    ends = [place for name in ("host", "outside") if (place := _place(case, name)) is not None]
    return [*every_container(case), *ends]


def _place(case: HostContext, name: str) -> TraceEndpoint | None:
    try:
        return find(case, name)
    except DnetError:
        return None


def _published(case: HostContext) -> list[TraceEndpoint]:
    host = _place(case, "host")
    ports = sorted(
        {
            port.host_port
            for item in known_items(case.snapshot.containers)
            for port in item.published
            if port.proto == "tcp"
        }
    )
    if host is None:
        return []
    return [msgspec.structs.replace(host, port=port, label=f"host:{port}") for port in ports]


def _pair(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, wish: MatrixRequest) -> _Found:
    blank = Cell(source=source.label, target=target.label, reach="-")
    replace = msgspec.structs.replace
    try:
        port = wish.port or _listening(case, target, wish.proto)
        by = "" if source.namespace else wish.arrives_by
        found = trace(case, source, target, proto=wish.proto, port=port, size=wish.size, df=wish.df, arrives_by=by)
    except NotSeen as missing:
        why = missing.text(case.view.label(missing.scope) if missing.scope else "")
        return _Found(replace(blank, reach="unknown", verdict="unknown", why=why), None)
    except DnetError as error:
        return _Found(replace(blank, why=error.message), None)
    asked = found.forward.start.dport or 0
    return _Found(replace(blank, reach=_reach(found), verdict=found.verdict, why=found.why, port=asked), found)


def _likewise(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, found: _Found) -> Cell:
    """The same for a pair that no packet can tell from the one that was traced; only the names in its words differ."""
    why = found.cell.why
    if why and found.trace is not None:
        why = reason(case, source, target, found.trace)
    return msgspec.structs.replace(found.cell, source=source.label, target=target.label, why=why)


def _listening(case: HostContext, target: TraceEndpoint, proto: TraceProtocol) -> int:
    """The lowest port on which the target listens for everybody; 0 when it has none."""
    ns = case.view.namespaces.get(target.namespace)
    if ns is None or target.kind != "container":
        return 0
    ports = [item.port for item in ns.sockets if item.proto == proto and not item.address.startswith("127.")]
    return min(ports, default=0)


def _reach(found: Trace) -> Reach:
    if found.arrives is None:
        return "unknown"
    if not found.arrives:
        stopped = found.answer or found.forward
        return "too-big" if stopped.end == "too-big" else "no"
    return "refused" if found.forward.end == "refused" else "yes"
