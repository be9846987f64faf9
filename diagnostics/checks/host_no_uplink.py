"""The host itself has no way to the internet.

What it finds
    Networks promise their containers a way out, but the host has no route to
    anywhere outside.

Why it matters
    Containers can get no further than their host does.  The network of the
    host is at fault here, not that of the containers.

How we know
    The routing decision for an address outside, as the packet walk makes it,
    through all policy rules and tables.

Remedy
    Repair the host's own network: its interface, its address, its default
    route.

When it is harmless
    On a host that is meant to have no way out.  Therefore it is only
    information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.case import OUTSIDE
from dnet_tui.diagnostics.checks.base import Check
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk import routing
from dnet_tui.diagnostics.walk.packet import Packet

ID = "host-no-uplink"
_REFUSALS = {"none", "unreachable", "prohibit", "blackhole"}


def find(exam: Examination) -> Iterator[Finding]:
    """One finding for the host."""
    case = exam.case
    host = case.view.host
    wanting = [network for network in case.networks if network.internal is False and case.members(network)]
    if host is None or not wanting:
        return
    ways = [
        routing.lookup(host, Packet(src=case.members(network)[0].address, dst=OUTSIDE, proto="tcp", iif=network.bridge))
        for network in wanting
    ]
    if any(way.type not in _REFUSALS for way in ways):
        return
    names = ", ".join(network.name for network in wanting[:4])
    yield Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="host", name="route to the outside"),
        summary=f"The host has no route to the outside, so the containers of {names} have none either",
        symptoms=("egress",),
        evidence=(Evidence(source="ip route get", what=OUTSIDE, value=ways[0].by.text, expected="a default route"),),
    )


CHECK = Check(
    id=ID,
    title="The host itself has a way out",
    severity="info",
    doc=__doc__,
    needs=("routes", "policy-rules"),
    find=find,
)
