"""Who can reach whom: every container, the host and outside, against each other.  Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint, find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import NotSeen, known_items

Reach = Literal["yes", "refused", "no", "too-big", "unknown", "-"]


class MatrixRequest(NamedTuple):
    """What every pair is asked with."""

    proto: TraceProtocol
    port: int
    size: int
    df: bool | None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One pair.  ``refused``: it gets there, but nobody listens.  ``-``: there is nothing to trace.

    ``too-big``: it, or its answer, is longer than a link on its way takes.
    """

    source: str
    target: str
    reach: Reach
    verdict: str = ""
    why: str = ""


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs, row by row; ``targets`` includes published ports as ``host:PORT``."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    cells: tuple[Cell, ...]


def matrix(
    case: HostContext, *, proto: TraceProtocol = "tcp", port: int = 0, size: int = 0, df: bool | None = None
) -> Matrix:
    """Trace every pair of places; without ``port`` each container is asked on a port it listens on.

    ``size`` and ``df`` are the packet's, as for a trace.
    """
    containers = [
        place for item in known_items(case.snapshot.containers) if (place := _place(case, item.name)) is not None
    ]
    own = [place for place in containers if place.kind == "container"]
    ends = [place for name in ("host", "outside") if (place := _place(case, name)) is not None]
    published = _published(case, ends) if proto != "icmp" else []
    sources = [*own, *ends]
    targets = [*sources, *published]
    wish = MatrixRequest(proto, port, size, df)
    cells = [_cell(case, source, target, wish) for source in sources for target in targets]
    return Matrix(
        sources=tuple(place.label for place in sources),
        targets=tuple(place.label for place in targets),
        cells=tuple(cells),
    )


def _place(case: HostContext, name: str) -> TraceEndpoint | None:
    try:
        place = find(case, name)
    except DnetError:
        return None
    return None if place.container is not None and place.container.joined is not None else place


def _published(case: HostContext, ends: list[TraceEndpoint]) -> list[TraceEndpoint]:
    host = next((place for place in ends if place.kind == "host"), None)
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


def _cell(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, wish: MatrixRequest) -> Cell:
    if source.label == target.label:
        return Cell(source=source.label, target=target.label, reach="-")
    try:
        port = wish.port or _listening(case, target, wish.proto)
        found = trace(case, source, target, proto=wish.proto, port=port, size=wish.size, df=wish.df)
    except NotSeen as missing:
        why = missing.text(case.view.label(missing.scope) if missing.scope else "")
        return Cell(source=source.label, target=target.label, reach="unknown", verdict="unknown", why=why)
    except DnetError as error:
        return Cell(source=source.label, target=target.label, reach="-", why=error.message)
    return Cell(source=source.label, target=target.label, reach=_reach(found), verdict=found.verdict, why=found.why)


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
