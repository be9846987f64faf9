"""A bridge has nearly as many ports as the kernel allows.

What it finds
    A network's bridge with 1000 ports or more.

Why it matters
    A bridge takes 1023 ports.  The next container on the network fails to
    start with "exchange full".

How we know
    The links whose master is the bridge; the limit is ``BR_MAX_PORTS`` of the
    kernel's net/bridge/br_private.h (1 << 10, number 0 is not used).

Remedy
    Spread the containers over several networks.

When it is harmless
    While no more containers are started on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.attachments import bridge_of
from dnet_tui.diagnostics.checks.base import Check
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.remedy import Remedy

ID = "exchange-full"
_LIMIT, _NEARLY = 1023, 1000


def find(exam: Examination) -> Iterator[Finding]:
    """One finding per bridge."""
    host = exam.case.view.host
    for network in exam.case.networks if host is not None else ():
        bridge = bridge_of(exam.case, network)
        ports = len(exam.case.view.ports_of(host.id, bridge.ifindex)) if host is not None and bridge is not None else 0
        if ports < _NEARLY:
            continue
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="bridge", name=network.bridge),
            summary=f"The bridge {network.bridge} of network {network.name} has {ports} of {_LIMIT} possible ports",
            evidence=(
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
    severity="warning",
    doc=__doc__,
    needs=("links",),
    find=find,
)
