"""The host itself has no route to the internet.

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
    Give the host its default route, or tell the network service to.  Where
    the host is meant to have none, create the networks with ``--internal``,
    or leave this check out: ``doctor --skip host-no-uplink``.

When it is harmless
    On a host that is meant to have no way out: therefore it is only a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.ways_out import REFUSALS, lost_uplinks, outside_routes, wanting
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject

ID = "host-no-uplink"
_KINDS = {"blackhole": "a blackhole", "unreachable": "of type unreachable", "prohibit": "of type prohibit"}


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    case = ctx.case
    networks = wanting(case)
    ways = outside_routes(case, networks)
    if not ways or any(way.type not in REFUSALS for way in ways) or lost_uplinks(case):
        return  # a way that went with its link is uplink-down's to say
    names = ", ".join(network.name for network in networks[:4])
    by4 = "IPv4 " if case.uplinks6 else ""
    yield Finding(
        check=ID,
        # One that has IPv6 alone may well be meant to; nobody writes a route that refuses all of the outside for that.
        severity="info" if case.uplinks6 and ways[0].type == "none" else "warning",
        subject=Subject(kind="host", name="route to the outside"),
        summary=_summary(ways[0].type, by4, names),
        symptoms=("egress",),
        evidence=(
            Evidence(source="ip route get", what=case.outside(), value=ways[0].by.text, expected="a default route"),
        ),
        remedy=Remedy(
            summary="Give the host its default route, where it is meant to have one",
            risk="manual",
            persists=True,
            note="Where it is meant to have none: `dnet-tui doctor --skip host-no-uplink`",
        ),
        affects=tuple(Affected(kind="network", name=network.name) for network in networks),
    )


def _summary(kind: str, by4: str, names: str) -> str:
    """What the host has in place of a way out: nothing, or a route that refuses (a next hop may be a blackhole too)."""
    if kind == "none":
        return f"The host has no {by4}route to the outside, so the containers of {names} have none either"
    return (
        f"The host's {by4}route to the outside is {_KINDS.get(kind, kind)}: the containers of {names} have no way out"
    )


CHECK = Check(
    id=ID,
    title="The host itself has a way out",
    severity="warning",
    doc=__doc__,
    find=find,
)
