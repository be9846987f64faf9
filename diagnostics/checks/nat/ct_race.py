"""Packets are dropped because two of them opened the same connection at once.

What it finds
    Between two snapshots, connection tracking of the host or of a container
    counted ``insert_failed`` again and again: at least once a second (a
    warning), or at least once in ten (information).

Why it matters
    A program that asks for a name's IPv4 and IPv6 address at the same time,
    from one port, opens one connection twice.  Where NAT stands in between,
    one of the two packets is dropped now and then, and the program waits five
    seconds before it asks again: names resolve slowly, once in a while.

How we know
    The kernel's own counters (``conntrack -S``), as they grew between the two
    snapshots.  That the packets were questions for names isn't told by them;
    it is what this is known for.

Remedy
    Have programs ask one after the other: ``options single-request-reopen``
    (glibc), by ``--dns-opt`` or ``dns-opts`` in daemon.json; or run a name
    server inside the network, so that no NAT stands in between.

When it is harmless
    At a low rate, where nobody notices the delays.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.difference.conntrack_growth import NOTHING_TO_COMPARE
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject

ID = "ct-race"
_WARNING, _INFO = 1.0, 0.1
"""Times a second."""
_LEAST = 5
"""Fewer in all say nothing, however short the time was."""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per namespace."""
    if not ctx.growth:
        yield Undecided(reason=NOTHING_TO_COMPARE)
    for grown in ctx.growth:
        count = grown.counts.insert_failed
        rate = grown.per_second(count)
        ns = ctx.case.view.namespaces[grown.namespace]
        if count < _LEAST or rate < _INFO or (ns.kind != "host" and not ctx.case.view.containers_in(ns.id)):
            continue
        name = ctx.case.view.label(ns.id)
        yield Finding(
            check=ID,
            severity="warning" if rate >= _WARNING else "info",
            subject=Subject(kind="host" if ns.kind == "host" else "container", name=name),
            summary=f"{count} packets of {name} were dropped in {grown.seconds:.0f} s: two raced for one connection",
            symptoms=("names",),
            evidence=(
                Evidence(
                    source="conntrack -S",
                    what=f"insert_failed in {name}",
                    value=f"+{count} in {grown.seconds:.0f} s",
                    expected="hardly any",
                ),
                Evidence(source="conntrack -S", what=f"drop in {name}", value=f"+{grown.counts.drop}"),
            ),
            remedy=Remedy(
                summary="Have programs ask for a name's addresses one after the other",
                risk="manual",
                note="`--dns-opt single-request-reopen` for one container, "
                '`"dns-opts": ["single-request-reopen"]` in /etc/docker/daemon.json for all',
            ),
        )


CHECK = Check(
    id=ID,
    title="Connections are opened without racing each other",
    severity="warning",
    doc=__doc__,
    find=find,
    comparing=True,
)
