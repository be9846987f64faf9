"""A counter of lost packets grows, and nothing that was found explains it.

What it finds
    Since the earlier snapshot the kernel has counted packets that it threw
    away, on an interface of the host or in its protocols, and no finding says
    why.

Why it matters
    Rules, routes and links can all be right while packets are lost: a queue
    that is too short, a program that does not take its connections, packets
    with addresses that nobody expects.  The counter's name says where to look.

How we know
    The difference of the counters in /proc/net/snmp, netstat and
    softnet_stat, and of the interfaces' own (``ip -s link``), between two
    snapshots of the same host (``doctor --since FILE``).

Remedy
    By what the counter counts; the note says it.

When it is harmless
    A few lost packets are normal on a busy host: below one in a second it is
    only information.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Link, Namespace, Snapshot, known_items
from dnet_tui.inspect.model.view import View

ID = "drops-growing"


class _Meaning(msgspec.Struct, frozen=True):
    """What a counter counts, what helps, and which checks' findings explain that it grows."""

    what: str
    note: str
    explained_by: frozenset[str] = frozenset()


_RPF = frozenset({"rpf-multinet", "rpf-source-routing", "policy-route"})
_NO_WAY = frozenset({"host-no-uplink", "uplink-down", "policy-route", "flow-blocked", "ctr-no-gw"})

COUNTERS: dict[str, _Meaning] = {
    "TcpExt.IPReversePathFilter": _Meaning(
        "packets that came in by another interface than the way back leads to",
        "See `sysctl net.ipv4.conf.*.rp_filter` and `ip route get SOURCE`",
        _RPF,
    ),
    "TcpExt.ListenDrops": _Meaning(
        "connections that a program on the host did not take in time",
        "See `ss -ltn` (Recv-Q against Send-Q) and `sysctl net.core.somaxconn`",
    ),
    "TcpExt.TCPBacklogDrop": _Meaning(
        "packets for sockets whose backlog was full", "The program reads too slowly, or its buffers are too small"
    ),
    "Ip.InDiscards": _Meaning(
        "received packets thrown away for want of memory or by a hook", "See `nft list ruleset` and free memory"
    ),
    "Ip.OutDiscards": _Meaning(
        "packets that could not be sent",
        "See `tc -s qdisc` and OUTPUT rules",
        frozenset({"flow-blocked", "masq-missing"}),
    ),
    "Ip.OutNoRoutes": _Meaning("packets for which there was no route", "See `ip route` and `ip rule`", _NO_WAY),
    "Ip.InAddrErrors": _Meaning(
        "packets for addresses that the host neither has nor forwards to",
        "See `sysctl net.ipv4.ip_forward` and `ip route`",
        frozenset({"ip-forward-off", "fwd-off-bridge", "fwd-off-uplink"}),
    ),
    "Udp.RcvbufErrors": _Meaning(
        "datagrams for which a socket's buffer had no room", "See `ss -lun` and `sysctl net.core.rmem_default`"
    ),
    "softnet.dropped": _Meaning(
        "packets for which a processor's receive queue had no room", "See `sysctl net.core.netdev_max_backlog`"
    ),
}
"""The counters that are looked at."""

_INTERFACE = _Meaning("packets", "See `ip -s -s link show dev DEV` and `tc -s qdisc show dev DEV`", _NO_WAY)
_FEW = 1.0
"""Lost packets per second from which on it is a warning."""


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per counter that grew."""
    before, host = ctx.before, ctx.case.view.host
    if before is None or host is None or before.host.hostname != ctx.case.snapshot.host.hostname:
        return
    was = View(before).host
    if was is None or was.id != host.id:
        return
    seconds = _between(before, ctx.case.snapshot)
    with ctx.case.noting():
        old, new = was.counters, host.counters
        for name, meaning in COUNTERS.items():
            grown = new.values.get(name, 0) - old.values.get(name, 0)
            if grown > 0:
                yield _finding(name, grown, seconds, meaning, "host")
    yield from _links(was, host, seconds)


def _links(was: Namespace, host: Namespace, seconds: float) -> Iterator[Finding]:
    earlier = {link.ifindex: link for link in known_items(was.links)}
    for link in host.links:
        old = earlier.get(link.ifindex)
        if old is None or old.name != link.name:
            continue
        for direction in ("rx", "tx"):
            grown = _lost(link, direction) - _lost(old, direction)
            if grown > 0:
                word = "received" if direction == "rx" else "to be sent"
                meaning = msgspec.structs.replace(_INTERFACE, what=f"packets {word} by {link.name}")
                yield _finding(f"{link.name} {direction}_dropped", grown, seconds, meaning, "link")


def _lost(link: Link, direction: str) -> int:
    stats = link.stats
    pair = (stats.rx_dropped, stats.rx_errors) if direction == "rx" else (stats.tx_dropped, stats.tx_errors)
    return sum(pair)


def _between(before: Snapshot, now: Snapshot) -> float:
    """Seconds between two snapshots; at least one."""
    try:
        one, two = (datetime.fromisoformat(item.taken_at) for item in (before, now))
    except ValueError:
        return 1.0
    return max(1.0, (two - one).total_seconds())


def _finding(name: str, grown: int, seconds: float, meaning: _Meaning, kind: str) -> Finding:
    rate = grown / seconds
    source = "ip -s link" if kind == "link" else "/proc/net/softnet_stat" if "softnet" in name else "/proc/net/netstat"
    return Finding(
        check=ID,
        severity="warning" if rate >= _FEW else "info",
        subject=Subject(kind=kind, name=name),
        summary=f"The host lost {grown} {meaning.what} in {seconds:.0f} s, and no finding says why",
        evidence=(Evidence(source=source, what=name, value=f"+{grown}", expected="+0"),),
        remedy=Remedy(summary="Find what loses them", risk="manual", persists=True, note=meaning.note),
    )


def unexplained(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those of this check that another one explains."""
    every = tuple(findings)
    serious = {item.check for item in every if item.severity != "info"}
    return [item for item in every if item.check != ID or not serious & _explaining(item.subject)]


def _explaining(subject: Subject) -> frozenset[str]:
    return (COUNTERS.get(subject.name) or _INTERFACE).explained_by


CHECK = Check(
    id=ID,
    title="No counter of lost packets grows unexplained",
    severity="warning",
    doc=__doc__,
    find=find,
    comparing=True,
)
