"""Hosts, reports and packets to look at: the factories' Docker host with something wrong, odd or hostile in it."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.by_hand import Command
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.report.finding import CheckResult, Evidence, Finding, Subject
from dnet_tui.diagnostics.report.report import REPORT_FORMAT, Report, summarise
from dnet_tui.inspect.capture.packet import OUTGOING, CapturedPacket
from dnet_tui.inspect.model import Address, Link, LinkRef, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.coverage.gaps import Gap
from unit.builders import packets
from unit.builders.factories import (
    APP1,
    APP2,
    HOST,
    UPLINK,
    WEB,
    docker_like_snapshot,
    with_chain,
    with_gaps,
    with_link,
    with_namespace,
)

FORWARD = "net.ipv4.ip_forward"
HOSTILE = "[red]x[/red]\x1b[31m"
"""A container's name that is markup and a terminal escape."""
HOSTILE_SHOWN = "[red]x[/red]\\x1b[31m"

FORWARD_OFF = Finding(
    check="ip-forward-off",
    severity="error",
    subject=Subject(kind="sysctl", name=FORWARD),
    summary="IPv4 forwarding is off: nothing is routed between containers and the outside",
    symptoms=("egress", "published"),
    evidence=(Evidence(source=f"/proc/sys/{FORWARD.replace('.', '/')}", what=FORWARD, value="0", expected="1"),),
    remedy=Remedy(
        summary="Turn forwarding on.",
        steps=(SetSysctl(key=FORWARD, value="1"),),
        undo=(SetSysctl(key=FORWARD, value="0"),),
        risk="safe",
        note="To keep it over a reboot, write it to /etc/sysctl.d.",
    ),
)
BLOCKED = Finding(
    check="flow-blocked",
    severity="error",
    subject=Subject(kind="network", name="app"),
    summary="containers on app don't reach the outside",
    symptoms=("egress",),
    caused_by="ip-forward-off",
)
MASQ_MISSING = Finding(
    check="masq-missing",
    severity="error",
    subject=Subject(kind="network", name="bridge"),
    summary="packets of 172.17.0.0/16 leave with a private source: no rule masquerades them",
    symptoms=("egress",),
    evidence=(
        Evidence(
            source="iptables-nft ip nat POSTROUTING",
            what="rule for 172.17.0.0/16",
            value="none",
            expected="-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        ),
    ),
    remedy=Remedy(
        summary="Put the rule back.",
        steps=(
            InsertRule(
                backend="iptables-nft",
                family="ip",
                table="nat",
                chain="POSTROUTING",
                spec="-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
                position=1,
            ),
        ),
        risk="ask",
        note="Restarting the engine restores all its rules.",
    ),
)
BY_HAND = Finding(
    check="subnet-overlap",
    severity="warning",
    subject=Subject(kind="network", name="app"),
    summary="10.10.0.0/24 of app overlaps a route to the VPN",
    remedy=Remedy(
        summary="Recreate the network.", steps=(Command(argv=("docker", "network", "rm", "app")),), risk="manual"
    ),
)


def host() -> Snapshot:
    """The Docker host with a hostile name, an unmapped veth, a named namespace, a network without bridge, and gaps."""
    snapshot = docker_like_snapshot()
    lost = Link(
        ifindex=12,
        name="vethdead001",
        kind="veth",
        mtu=1500,
        up=True,
        lower=11,
        peer_note="its peer's namespace was not seen",
    )
    ns = next(item for item in snapshot.namespaces if item.id == HOST)
    snapshot = with_namespace(snapshot, HOST, links=(*ns.links, lost))
    internet = Namespace(
        id="net:[4026532900]",
        inode=4026532900,
        kind="named",
        names=("internet",),
        path="/run/netns/internet",
        links=(
            Link(
                ifindex=7, name="up0", kind="veth", up=True, carrier=True, peer=LinkRef(namespace=HOST, ifindex=UPLINK)
            ),
        ),
        addresses=(Address(ifindex=7, family="ip", address="203.0.113.1", prefixlen=24),),
    )
    containers = tuple(
        msgspec.structs.replace(item, name=HOSTILE) if item.name == "app2" else item for item in snapshot.containers
    )
    gone = Network(id="net-gone", name="gone", engine="docker", bridge="br-0123456789ab")
    snapshot = msgspec.structs.replace(
        snapshot,
        namespaces=(*snapshot.namespaces, internet),
        containers=containers,
        networks=(*snapshot.networks, gone),
    )
    return with_gaps(
        snapshot, Gap(section="firewall", scope=HOST, reason="nft: command not found", hint="install nftables")
    )


def broken_web() -> Snapshot:
    """The same host with web's veth down."""
    return with_link(host(), HOST, "veth5f0a1b2", up=False, carrier=False)


def report(*findings: Finding, snapshot: Snapshot | None = None) -> Report:
    """A report of these findings over :func:`host`, with checks of every outcome."""
    seen = snapshot or host()
    checks = (
        *(CheckResult(id=name, outcome="found") for name in dict.fromkeys(item.check for item in findings)),
        CheckResult(id="isolation-missing", outcome="unknown", reason="rule 3 of FORWARD can't be evaluated"),
        CheckResult(id="fwd-off-bridge", outcome="ok"),
        CheckResult(id="fwd-off-uplink", outcome="ok"),
        CheckResult(id="ip6-fwd-off", outcome="not-applicable", reason="no network has IPv6"),
    )
    return Report(
        format=REPORT_FORMAT,
        tool_version="0.1.0",
        taken_at=seen.taken_at,
        host=seen.host,
        engines=known_items(seen.engines),
        summary=summarise(checks, findings),
        checks=checks,
        findings=findings,
        gaps=seen.gaps,
    )


def healthy() -> Report:
    """All examined, nothing found."""
    whole = report()
    checks = tuple(check for check in whole.checks if check.outcome != "unknown")
    return msgspec.structs.replace(whole, checks=checks, summary=summarise(checks, ()), gaps=())


def sick() -> Report:
    """One root cause with its effect, another error, and a warning that only a person can put right."""
    return report(FORWARD_OFF, MASQ_MISSING, BY_HAND, BLOCKED)


def ping(number: int) -> CapturedPacket:
    """A packet of a ping: requests are even, replies odd."""
    there, back = "172.17.0.2", "203.0.113.10"
    request = number % 2 == 0
    body = packets.icmp(8 if request else 0, 0, bytes(56), high=7, low=number // 2)
    frame = packets.ipv4(1, body, src=there if request else back, dst=back if request else there)
    moment = 1_795_255_200_000_000_000 + number * 500_250_000
    return packets.packet(packets.ethernet(frame), reception=0 if request else OUTGOING, time_ns=moment)


THROUGH_NAT = ("web:eth0", "veth5f0a1b2", "docker0", "eth0")
"""Where :func:`question` is seen."""


def question(number: int, points: int = 4) -> tuple[CapturedPacket, ...]:
    """A datagram of web's, on its way through ``points`` of :data:`THROUGH_NAT`; the last one is beyond NAT."""
    body = packets.dns_query(packets.dns_name(b"example", b"com")) + f"{number:06}".encode()
    moment = 1_795_255_200_000_000_000 + number * 10_000_000
    out, source = 61000 + number, 40000 + number
    inside = packets.ipv4(17, packets.udp(body, sport=source, dport=53), src="172.17.0.2", dst="198.51.100.53")
    outside = packets.ipv4(17, packets.udp(body, sport=out, dport=53), src="203.0.113.2", dst="198.51.100.53")
    return tuple(
        packets.packet(packets.ethernet(outside if at == 3 else inside), point=at, time_ns=moment + at * 12_000)
        for at in range(points)
    )


__all__ = ["APP1", "APP2", "HOST", "UPLINK", "WEB", "with_chain", "with_namespace"]
