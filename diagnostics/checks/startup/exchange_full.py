"""A bridge has nearly as many ports as the kernel allows.

What it finds
    A network's bridge with 1000 ports or more (a warning), and one that is
    full and to which the engine could not add another (an error).

Why it matters
    A bridge takes 1023 ports.  The next container on the network fails to
    start with "exchange full".

How we know
    The links whose master is the bridge; the limit is ``BR_MAX_PORTS`` of the
    kernel's net/bridge/br_private.h (1 << 10, number 0 is not used).  The
    engine's own words: a container's last error, or its log.

Remedy
    Spread the containers over several networks.

When it is harmless
    While no more containers are started on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, failed_starts, names_of, of_failures
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "exchange-full"
_LIMIT, _NEARLY = 1023, 1000


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    host = ctx.case.view.host
    for network in ctx.case.networks if host is not None else ():
        bridge = bridge_of(ctx.case, network)
        ports = len(ctx.case.view.ports_of(host.id, bridge.ifindex)) if host is not None and bridge is not None else 0
        if ports < _NEARLY:
            continue
        failed = failed_starts(ctx.case, ID) if ports >= _LIMIT else ()
        yield Finding(
            check=ID,
            severity="error" if failed else "warning",
            subject=Subject(kind="bridge", name=network.bridge),
            summary=f"The bridge {network.bridge} of network {network.name} has {ports} of {_LIMIT} possible ports"
            + (f": {names_of(failed)} could not be started" if failed else ""),
            symptoms=START_UP if failed else (),
            evidence=(
                *of_failures(failed),
                Evidence(
                    source="ip link", what=f"ports of {network.bridge}", value=str(ports), expected=f"below {_NEARLY}"
                ),
            ),
            remedy=Remedy(
                summary=f"Move some containers of {network.name} to another network",
                risk="manual",
                note="Containers on two networks reach both; connect those that need it",
            ),
        )


CHECK = Check(
    id=ID,
    title="Bridges have ports left",
    severity="error",
    doc=__doc__,
    find=find,
)
