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
    The tracked connections, where they were read; each needs a port of its
    own (kernel, nf_nat_core.c, ``nf_nat_l4proto_unique_tuple``).

Remedy
    Keep connections open and use them again; give the host more addresses to
    translate to (SNAT to a range), or the server more ports.

When it is harmless
    While the load is known and has its peak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import Examination
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model.sections import unless_unasked

ID = "snat-ports"
_PORTS = 65536 - 1024
_WARNING, _ERROR = 90, 98
"""Percent of the ports."""


def find(exam: Examination) -> Iterator[Finding]:
    """One finding per translated address and destination."""
    host = exam.case.view.host
    entries = unless_unasked(host.conntrack) if host is not None else ()
    if len(entries) * 100 < _PORTS * _WARNING:
        return
    flows = Counter(
        (item.reply.dst, item.proto, item.reply.src, item.reply.sport) for item in entries if "src-nat" in item.status
    )
    for (source, proto, target, port), count in flows.most_common(4):
        if count * 100 < _PORTS * _WARNING:
            return
        severity: Severity = "error" if count * 100 >= _PORTS * _ERROR else "warning"
        yield Finding(
            check=ID,
            severity=severity,
            subject=Subject(kind="host", name=f"{source} → {target}:{port}/{proto}"),
            summary=f"{count} connections from {source} to {target}:{port} leave hardly a port for another one",
            symptoms=("egress",) if severity == "error" else (),
            evidence=(
                Evidence(
                    source="conntrack -L --src-nat",
                    what=f"{proto} {source} → {target}:{port}",
                    value=f"{count} connections",
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
