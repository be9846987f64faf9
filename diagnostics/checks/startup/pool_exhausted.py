"""The engine's default address pools have no subnet left for another network.

What it finds
    A Docker whose default address pools are used up, by its own networks or
    by what the host's routes cover.  It is an error where the engine's log
    tells that a network could not be created because of that, and else
    information; so it is when no more than a tenth is left.

Why it matters
    Creating a network without a subnet of its own fails: "all predefined
    address pools have been fully subnetted" (before Docker 27: "could not find
    an available, non-overlapping IPv4 address pool").  With the built-in pools
    that is the 31st network; Compose makes one for each project.

How we know
    The pools that the engine names (or its built-in ones), its networks'
    subnets and the host's routes: the same sum that the engine does.  Most
    versions don't log the failure, so it is mostly foretold.

Remedy
    Remove unused networks (``docker network prune``), give a subnet
    to those that are created, or set smaller subnets in the daemon's
    ``default-address-pools``.

When it is harmless
    While no network is created without a subnet of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.address_pools import Room, room
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, failed_starts, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Engine, known_items

ID = "pool-exhausted"
_SHOWN = 6


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per engine."""
    for engine in known_items(ctx.case.snapshot.engines):
        left = None if engine.rootless else room(ctx.case, engine)
        if left is None or left.free * 10 > left.total or not left.total:
            continue
        if left.free and left.total < 10:
            continue
        yield _finding(ctx.case, engine, left)


def _finding(case: HostContext, engine: Engine, left: Room) -> Finding:
    failed = tuple(item for item in failed_starts(case, ID) if item.engine == engine.name) if not left.free else ()
    pools = engine.address_pools or ()
    unused = _unused(case, engine)
    return Finding(
        check=ID,
        severity="error" if failed else "info",
        subject=Subject(kind="host", name=f"{engine.name}'s address pools"),
        summary=f"{engine.name} has {left.free or 'none'} of {left.total} subnets left for new networks",
        symptoms=START_UP if failed else (),
        evidence=(
            *of_failures(failed),
            Evidence(
                source=f"{engine.name} info",
                what="default address pools",
                value=", ".join(f"{pool.base} by /{pool.size}" for pool in pools[:_SHOWN])
                + (f" and {len(pools) - _SHOWN} more" if len(pools) > _SHOWN else ""),
            ),
            Evidence(
                source="networks and ip route",
                what="subnets that overlap none of them",
                value=f"{left.free} of {left.total}",
                expected="at least one",
            ),
        ),
        remedy=Remedy(
            summary="Remove unused networks, or give the daemon other default-address-pools",
            risk="manual",
            persists=True,
            note=(f"No container is on: {unused}. " if unused else "")
            + "A network that is given a subnet (--subnet) needs none of the pools",
        ),
    )


def _unused(case: HostContext, engine: Engine) -> str:
    """The names of the engine's networks that no container is on, whether it runs or not."""
    used = {endpoint.network for item in known_items(case.snapshot.containers) for endpoint in item.endpoints}
    names = [
        network.name
        for network in known_items(case.snapshot.networks)
        if network.engine == engine.name
        and network.driver in {"bridge", "macvlan", "ipvlan"}
        and network.id not in used
        and network.name != "bridge"
    ]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


CHECK = Check(
    id=ID,
    title="The default address pools have room",
    severity="error",
    doc=__doc__,
    find=find,
)
