"""Packets that belong to no connection reach the host itself, which resets their connections.

What it finds
    Between two snapshots, connection tracking of the host counted at least
    one ``invalid`` packet a second, while the host's rules let such a packet
    in that answers a container's translated connection.

Why it matters
    A packet that is out of its connection's window (sent again late, or
    after loss) isn't translated back to the container.  It ends at the host,
    which knows nothing of it and sends a reset to the server: now and then a
    container's long download or slow upload breaks off.

How we know
    The kernel's own counters (``conntrack -S``), as they grew between the two
    snapshots, and the packet walk of an INVALID packet from outside: it
    arrives at the host where nobody listens.  Which connections these packets
    were of isn't counted; scans from the internet count as well.

Remedy
    Drop INVALID packets in INPUT, or let connection tracking be liberal about
    windows (``net.netfilter.nf_conntrack_tcp_be_liberal``).

When it is harmless
    Where no connection of a container breaks off; therefore it is only
    information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.difference.conntrack_growth import NOTHING_TO_COMPARE
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import LinkRef

ID = "invalid-rst"
_KEY = "net.netfilter.nf_conntrack_tcp_be_liberal"
_RATE = 1.0
"""Packets a second."""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for the host."""
    if not ctx.growth:
        yield Undecided(reason=NOTHING_TO_COMPARE)
    case = ctx.case
    host = case.view.host
    grown = next((item for item in ctx.growth if host is not None and item.namespace == host.id), None)
    if host is None or grown is None or grown.per_second(grown.counts.invalid) < _RATE:
        return
    translating = any(network.masquerade and case.members(network) for network in case.networks)
    if case.sysctl(_KEY) != "0" or not translating:
        return
    uplink = next((name for name in case.uplinks if _resets(case, name)), "")
    if not uplink:
        return
    count = grown.counts.invalid
    yield Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="host", name=f"INVALID packets on {uplink}"),
        summary=f"{count} packets in {grown.seconds:.0f} s belonged to no connection, and the host answers with resets",
        symptoms=("egress",),
        evidence=(
            Evidence(
                source="conntrack -S", what="invalid", value=f"+{count} in {grown.seconds:.0f} s", expected="hardly any"
            ),
            of_sysctl(_KEY, "0", "1, or a rule in INPUT that drops INVALID"),
            Evidence(
                source="packet walk",
                what=f"an INVALID packet received on {uplink}",
                value="arrives at the host, where no process listens: a reset is sent",
                expected="dropped",
            ),
        ),
        remedy=Remedy(
            summary="Let connection tracking be liberal about TCP windows",
            steps=(SetSysctl(key=_KEY, value="1"),),
            undo=(SetSysctl(key=_KEY, value="0"),),
            risk="ask",
            note="Or drop them: `iptables -I INPUT -m conntrack --ctstate INVALID -j DROP`; to keep the setting, write "
            "it to /etc/sysctl.d",
        ),
    )


def _resets(case: HostContext, uplink: str) -> bool:
    """Whether the host lets in a packet that answers a connection it doesn't know (a first SYN and ACK is INVALID)."""
    host = case.view.host
    link = case.view.link_named(host.id, uplink) if host is not None else None
    address = case.uplink_address(uplink)
    if host is None or link is None or not address or case.view.gaps("sockets", host.id):
        return False
    packet = Packet(src=case.outside(), dst=address, proto="tcp", sport=443, dport=40000, tcp_flags=("SYN", "ACK"))
    arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    return walk(case.view, packet, origin=host.id, arriving=arriving).end == "refused"


CHECK = Check(
    id=ID,
    title="Stray packets don't reset containers' connections",
    severity="info",
    doc=__doc__,
    find=find,
    comparing=True,
)
