"""The kernel's table of neighbours is nearly full.

What it finds
    As many ARP (or NDP) entries in all namespaces together as 90 % of
    ``gc_thresh3`` allows.

Why it matters
    The table is one for the host and all its containers.  When it is full and
    nothing in it can be given up, no new neighbour can be addressed: packets
    to containers that weren't spoken with before are lost, and the kernel
    logs "neighbor table overflow!".

How we know
    The entries read in every namespace, without permanent ones and those that
    others manage, which don't count (kernel, net/core/neighbour.c,
    ``neigh_alloc``); the limit exists in the first namespace only.

Remedy
    Raise ``gc_thresh3`` (and ``gc_thresh2``, from which on the kernel tidies
    up all the time, to half of it).

When it is harmless
    While the entries are old ones: the kernel gives those up that nobody has
    used for five seconds.  Therefore it is never an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Family, Neighbour, known_items

ID = "neigh-full"
_NEARLY = 90
"""Percent of the limit."""
_FAMILIES: tuple[tuple[Family, str, str], ...] = (("ip", "ipv4", "ARP"), ("ip6", "ipv6", "NDP"))


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per family."""
    for family, folder, protocol in _FAMILIES:
        key = f"net.{folder}.neigh.default.gc_thresh3"
        limit = ctx.case.sysctl(key)
        if limit is None or not limit.isdecimal() or not int(limit):
            continue
        count = sum(_counts(item, family) for ns in known_items(ctx.case.snapshot.namespaces) for item in ns.neighbours)
        if count * 100 < int(limit) * _NEARLY:
            continue
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="sysctl", name=key),
            summary=f"The table of neighbours holds {count} {protocol} entries, of {limit} that it may",
            evidence=(
                Evidence(
                    source="ip neigh, in all namespaces",
                    what=f"{protocol} entries",
                    value=str(count),
                    expected=f"well below {limit}",
                ),
                of_sysctl(key, limit, ""),
            ),
            remedy=Remedy(
                summary="Double the limit",
                steps=(SetSysctl(key=key, value=str(int(limit) * 2)),),
                undo=(SetSysctl(key=key, value=limit),),
                risk="ask",
                note="Raise gc_thresh2 to half of it as well; to keep both, write them to /etc/sysctl.d",
            ),
        )


def _counts(item: Neighbour, family: Family) -> bool:
    """Whether an entry takes a place (``exempt_from_gc`` in neigh_alloc)."""
    exempt = {"extern_learn", "managed"}
    return item.family == family and item.state != "PERMANENT" and exempt.isdisjoint(item.flags)


CHECK = Check(
    id=ID,
    title="The table of neighbours has room",
    severity="warning",
    doc=__doc__,
    find=find,
)
