"""Packets arrive in a container with wrong checksums.

What it finds
    A container whose TCP or UDP has thrown away 20 packets or more, and at
    least one in a hundred, because of their checksums.  With an earlier
    snapshot (``doctor --since``) it is a warning, and those since then count;
    without one it is information.

Why it matters
    Connections hang or are slow although every hop passes the packets: the
    receiver drops them in silence.

How we know
    The kernel's own counters in the container's namespace (``InCsumErrors``
    of /proc/net/snmp).  Packets on a host's own way have no checksum to get
    wrong; one that is wrong was computed wrongly before, mostly by an
    interface or a tunnel that was left to do it (checksum offload).

Remedy
    Turn transmit checksum offload off where such packets come from: the
    container's veth, a tunnel or the uplink (``ethtool -K DEV tx off``), and
    see whether the counter still grows.

When it is harmless
    When the counter no longer grows: it counts from the container's start,
    and one snapshot can't tell since when it stands still.  Wrong checksums
    in a capture of *sent* packets are normal.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import ChecksumCounts, Namespace, Unread, known_items

ID = "csum-offload"
_FEW, _SHARE = 20, 100


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container and protocol."""
    seen: set[str] = set()
    for network in ctx.case.networks:
        for member in ctx.case.members(network):
            ns = ctx.case.view.namespaces[member.namespace]
            counts = _counts(ctx, ns)
            if counts is None or ns.id in seen:
                continue
            seen.add(ns.id)
            for protocol, bad, good in (("Tcp", counts.tcp_bad, counts.tcp), ("Udp", counts.udp_bad, counts.udp)):
                if bad >= _FEW and bad * _SHARE >= good + bad:
                    yield _finding(member.container.name, protocol, bad, good, grown=ctx.before is not None)


def _counts(ctx: CheckContext, ns: Namespace) -> ChecksumCounts | None:
    """A namespace's counters: those since the earlier snapshot, where there is one; None when they can't be told."""
    now = ns.checksums
    if isinstance(now, Unread):
        ctx.case.unseen.append(now.not_seen())
        return None
    if ctx.before is None:
        return now
    same = (item for item in known_items(ctx.before.namespaces) if item.id == ns.id)
    was = next((item.checksums for item in same), None)
    if was is None or isinstance(was, Unread) or ctx.before.host.hostname != ctx.case.snapshot.host.hostname:
        return None
    grown = ChecksumCounts(
        tcp=now.tcp - was.tcp,
        tcp_bad=now.tcp_bad - was.tcp_bad,
        udp=now.udp - was.udp,
        udp_bad=now.udp_bad - was.udp_bad,
    )
    return grown if min(grown.tcp, grown.tcp_bad, grown.udp, grown.udp_bad) >= 0 else None


def _finding(name: str, protocol: str, bad: int, good: int, *, grown: bool) -> Finding:
    received = "InSegs" if protocol == "Tcp" else "InDatagrams"
    plus, when = ("+", " since the earlier snapshot") if grown else ("", "")
    return Finding(
        check=ID,
        severity="warning" if grown else "info",
        subject=Subject(kind="container", name=f"{name} {protocol.upper()}"),
        summary=f"{name} has thrown away {bad} {protocol.upper()} packets for their wrong checksums{when}",
        evidence=(
            Evidence(source="/proc/net/snmp", what=f"{protocol} InCsumErrors", value=f"{plus}{bad}", expected="0"),
            Evidence(source="/proc/net/snmp", what=f"{protocol} {received}", value=f"{plus}{good}"),
        ),
        remedy=Remedy(
            summary="Find the interface that sends them, and turn its checksum offload off (ethtool -K DEV tx off)",
            risk="manual",
            note="" if grown else "Only a counter that grows is a fault: compare with `doctor --since`",
        ),
    )


CHECK = Check(
    id=ID,
    title="Packets arrive with right checksums",
    severity="warning",
    doc=__doc__,
    find=find,
)
