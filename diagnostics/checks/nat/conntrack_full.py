"""The connection tracking table is nearly full.

What it finds
    ``nf_conntrack_count`` has come to 90 % of ``nf_conntrack_max`` (a
    warning) or to 98 % (an error).

Why it matters
    Every connection of every container takes an entry.  When the table is
    full, the kernel drops the first packet of every new one: all at once
    nothing new works, and what is open goes on.

How we know
    Both numbers, as the kernel counts them for this namespace.

Remedy
    Find what opens so many connections (``conntrack -S``, ``conntrack -L``);
    raise ``net.netfilter.nf_conntrack_max`` where they are wanted.

When it is harmless
    Never at 98 %.  At 90 % while the load is known and has its peak.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding, Severity, Subject

ID = "conntrack-full"
_COUNT, _MAX = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
_WARNING, _ERROR = 90, 98
"""Percent of the table."""


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    count, most = (_number(ctx.case.sysctl(key)) for key in (_COUNT, _MAX))
    if count is None or not most or count * 100 < most * _WARNING:
        return
    full = count * 100 >= most * _ERROR
    severity: Severity = "error" if full else "warning"
    yield Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="sysctl", name=_MAX),
        summary=f"The connection tracking table is {count * 100 // most} % full ({count} of {most} entries)",
        symptoms=("egress", "published", "host-to-container") if full else (),
        evidence=(of_sysctl(_COUNT, str(count), f"well below {most}"), of_sysctl(_MAX, str(most), "")),
        remedy=Remedy(
            summary="Double the table, and find what fills it",
            steps=(SetSysctl(key=_MAX, value=str(most * 2)),),
            undo=(SetSysctl(key=_MAX, value=str(most)),),
            risk="ask",
            note="An entry takes some 300 bytes of kernel memory; to keep it, write the value to /etc/sysctl.d",
        ),
    )


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.isdecimal() else None


CHECK = Check(
    id=ID,
    title="The connection tracking table has room",
    severity="error",
    doc=__doc__,
    find=find,
)
