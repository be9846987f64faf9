"""New connections to one destination find no port to be translated to.

What it finds
    Translated connections from one address of the host to one server's port,
    whose source ports lie so close together that more than 1 % of new
    connections get none (a warning), or more than 10 % (an error).

Why it matters
    Masquerading tells connections to the same destination apart by their
    source port, 1024 to 65535.  A new connection keeps its own port where
    that is free.  Otherwise the kernel begins at a random port and looks at
    128 in a row, then at 64, 32, 16 and 8 elsewhere, and gives up: with 50,000
    ports taken in a row about one new connection in four fails, though 14,500
    ports are free.  Such a connection fails or hangs, while everything else
    works.

How we know
    The tracked connections to the destinations that take most of the ports,
    with the port of each, counted on the host; the likelihood follows from the
    rows that these ports make (kernel, nf_nat_core.c,
    ``nf_nat_l4proto_unique_tuple``, since Linux 5.0), for a connection from one
    of the 28,232 ports that programs get by default.  Where fewer connections
    are tracked altogether (``nf_conntrack_count``) than could matter, none is
    counted.

Remedy
    Keep connections open and use them again; give the host more addresses to
    translate to (SNAT to a range), or the server more ports.
    ``--random-fully`` spreads the ports, so that looks fail later.

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
_WARNING, _ERROR = 0.01, 0.1
"""The likelihood that a new connection finds no port."""
_MANY, _NEARLY_ALL = 90, 98
"""Percent of the ports, where nobody worked the likelihood out."""
_WORTH = 25_000
"""Connections from which on a new one may fail in 1 % of cases: as many ports in a row, and its own among them."""
_COUNT = "net.netfilter.nf_conntrack_count"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per translated address and destination."""
    host = ctx.case.view.host
    if host is None or _few(ctx.case):
        return
    for use in host.nat_ports:
        severity = _severity(use)
        if severity is not None:
            yield _finding(use, severity)


def _few(case: HostContext) -> bool:
    """Whether all connections together are too few, or none is tracked."""
    tracked = case.sysctl(_COUNT)
    return tracked is None or int(tracked) < _WORTH


def _severity(use: NatPortUse) -> Severity | None:
    if use.refused is not None:
        return "error" if use.refused >= _ERROR else "warning" if use.refused >= _WARNING else None
    share = use.count * 100 / _PORTS
    return "error" if share >= _NEARLY_ALL else "warning" if share >= _MANY else None


def _destination(use: NatPortUse) -> str:
    target = f"[{use.target}]" if use.family == "ip6" else use.target
    return f"{target}:{use.port}/{use.proto}"


def _finding(use: NatPortUse, severity: Severity) -> Finding:
    number = f"{'' if use.complete else 'at least '}{use.count}"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="host", name=f"{use.source} → {_destination(use)}"),
        summary=f"{number} connections from {use.source} to {_destination(use)} leave {_left(use)}",
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


def _left(use: NatPortUse) -> str:
    if use.refused is None:
        return "hardly a port for another one"
    return f"no port for about {max(1, round(use.refused * 100))} % of new ones"


CHECK = Check(
    id=ID,
    title="Masquerading has ports left",
    severity="error",
    doc=__doc__,
    find=find,
)
