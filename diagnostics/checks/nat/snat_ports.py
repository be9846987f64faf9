"""The host has nearly no port left to translate connections to one destination.

What it finds
    Translated connections from one address of the host to one server's port,
    that are 90 % of the 64,512 which can be told apart (a warning), or 98 %
    (an error).

Why it matters
    Masquerading tells connections to the same destination apart by their
    source port, 1024 to 65535.  When none is left, new connections to that
    one server fail or hang, while everything else works.

How we know
    The tracked connections to the destinations that take most of the ports,
    counted on the host; each needs a port of its own (kernel, nf_nat_core.c,
    ``nf_nat_l4proto_unique_tuple``).  Where fewer connections are tracked
    altogether (``nf_conntrack_count``) than would be too many, none is
    counted.

Remedy
    Keep connections open and use them again; give the host more addresses to
    translate to (SNAT to a range), or the server more ports.

When it is harmless
    While the load is known and has its peak.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model import NatPortUse

ID = "snat-ports"
_PORTS = 65536 - 1024
_WARNING, _ERROR = 90, 98
"""Percent of the ports."""
_COUNT = "net.netfilter.nf_conntrack_count"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per translated address and destination."""
    host = ctx.case.view.host
    if host is None or _few(ctx.case):
        return
    for use in host.nat_ports:
        if use.count * 100 >= _PORTS * _WARNING:
            yield _finding(use)


def _few(case: HostContext) -> bool:
    """Whether all connections together are too few, or none is tracked."""
    tracked = case.sysctl(_COUNT)
    return tracked is None or int(tracked) * 100 < _PORTS * _WARNING


def _destination(use: NatPortUse) -> str:
    target = f"[{use.target}]" if use.family == "ip6" else use.target
    return f"{target}:{use.port}/{use.proto}"


def _finding(use: NatPortUse) -> Finding:
    severity: Severity = "error" if use.count * 100 >= _PORTS * _ERROR else "warning"
    number = f"{'' if use.complete else 'at least '}{use.count}"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="host", name=f"{use.source} → {_destination(use)}"),
        summary=f"{number} connections from {use.source} to {_destination(use)} leave hardly a port for another one",
        symptoms=("egress",) if severity == "error" else (),
        evidence=(
            Evidence(
                source=f"conntrack -L --src-nat -f {'ipv6' if use.family == 'ip6' else 'ipv4'}",
                what=f"{use.source} → {_destination(use)}",
                value=f"{number} connections",
                expected=f"well below {_PORTS}",
            ),
        ),
        remedy=Remedy(
            summary="Use connections again, or translate to more than one address",
            risk="manual",
            note="A SNAT rule to a range of addresses gives 64,512 ports for each of them",
        ),
    )


CHECK = Check(
    id=ID,
    title="Masquerading has ports left",
    severity="error",
    doc=__doc__,
    find=find,
)
