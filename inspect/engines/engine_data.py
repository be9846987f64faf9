"""What engines told, and how several answers become one.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from dnet_tui.inspect.model import Container, Engine, Network
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewalld import Firewalld


class EngineReading(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine told.  ``complete`` is False when its list of containers was not had.

    ``imitated``: it was told under another engine's API, which leaves things out.
    ``firewalld`` is the host's, which all engines have to get on with.
    """

    engines: tuple[Engine, ...] = ()
    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    gaps: tuple[Gap, ...] = ()
    complete: bool = True
    imitated: bool = False
    firewalld: Firewalld | None = None


def merge(answers: Iterable[EngineReading]) -> EngineReading:
    """All answers as one, in their order.

    Podman may have been asked twice, by its own API and by the Docker API it
    imitates: the answer under its own API, which knows more, is taken.
    """
    kept = list(_without_imitations(tuple(answers)))
    containers = {item.id: item for answer in reversed(kept) for item in reversed(answer.containers)}
    return EngineReading(
        engines=tuple(item for answer in kept for item in answer.engines),
        networks=tuple(item for answer in kept for item in answer.networks),
        containers=tuple(reversed(containers.values())),
        gaps=tuple(item for answer in kept for item in answer.gaps),
        complete=all(answer.complete for answer in kept),
    )


def _without_imitations(answers: tuple[EngineReading, ...]) -> Iterator[EngineReading]:
    """The answers without those whose containers and networks a complete one tells of as well."""
    for answer in answers:
        mine = _names(answer)
        better = (item for item in answers if item.complete and not item.imitated and mine & _names(item))
        if not answer.imitated or next(better, None) is None:
            yield answer


def _names(answer: EngineReading) -> set[str]:
    return {engine.name for engine in answer.engines}


def unasked(containers: Iterable[Container], answer: EngineReading) -> Iterator[Gap]:
    """A gap for each engine whose containers run here but which nobody could be asked for their names."""
    asked = {engine.name for engine in answer.engines if engine.reachable or not engine.rootless}
    counts: dict[str, int] = {}
    for container in containers:
        if container.engine not in asked:
            counts[container.engine] = counts.get(container.engine, 0) + 1
    for engine, count in sorted(counts.items()):
        if traits_of(engine).only_by_cgroup:
            reason = f"{count} of its containers run here and are known by their cgroups only"
            yield Gap(section="containers", scope=engine, reason=reason, hint="their networks' options aren't known")
            continue
        yield Gap(
            section="engine",
            scope=engine,
            reason=f"{count} of its containers run here and are known by their ids only: its API was not found",
            hint="names, networks and published ports are missing",
        )
