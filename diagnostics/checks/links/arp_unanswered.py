"""A neighbour asks for an address, and the one that has it does not answer.

What it finds
    A packet of a container or for a container that waits for its neighbour's
    MAC address in vain: the owner of the address is there, but a switch
    (``arp_ignore``, ``arp_filter``, ARP turned off on the interface) keeps it
    from answering.  And containers whose IPv6 addresses lie in the uplink's
    own range, for which the host no longer answers there (``proxy_ndp``).

Why it matters
    Links are up, routes and rules are right, and yet nothing passes: the
    sender never learns where to send to.

How we know
    The packet walk asks for the neighbour as the kernel does, and names the
    switch; for IPv6 the addresses that the host answers for
    (``ip -6 neigh show proxy``) and ``proxy_ndp`` of the uplink.

Remedy
    Set the switch back: ``sysctl -w net.ipv4.conf.DEV.arp_ignore=0``; for
    IPv6 ``sysctl -w net.ipv6.conf.UPLINK.proxy_ndp=1`` and the entries, as
    the program that made them (ndppd, a hook script) had them.

When it is harmless
    Never where a flow that ought to pass waits for it.  Load balancers set
    ``arp_ignore`` to 1 or 2 on purpose; with addresses that are on the asked
    interface that stops nothing, and is not reported.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.intentions import leads_out, masquerades
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Link, LinkRef, Namespace

ID = "arp-unanswered"

_SWITCHES = (".arp_ignore", ".arp_filter")


def owns(_: HostContext, obstacle: Obstacle) -> bool:
    """A switch for want of which nobody answers."""
    by = obstacle.by
    silent = by.kind == "sysctl" and by.text.endswith(_SWITCHES) and obstacle.end == "unreachable"
    return silent or (by.kind == "link" and by.value == "NOARP")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per switch; and one per uplink on which nobody answers for containers."""
    yield from undecided(ctx, ID)
    for blocked in definite(ctx, ID):
        yield _switched(ctx, blocked)
    with ctx.case.noting():
        yield from _proxies(ctx)


def _switched(ctx: CheckContext, blocked: BlockedFlows) -> Finding:
    by = blocked.obstacle.by
    where = ctx.case.view.label(by.namespace)
    what = f"{by.text} is {by.value}" if by.kind == "sysctl" else f"ARP is turned off on {by.interface}"
    here = on_host(ctx.case, blocked.obstacle)
    step = SetSysctl(key=by.text, value="0") if by.kind == "sysctl" and here else None
    own = ctx.case.sysctl(by.text) if step is not None else None
    if step is not None and own == "0":  # the greater of the two counts: that of all interfaces is the one that is set
        step = SetSysctl(key=f"net.ipv4.conf.all.{by.text.rpartition('.')[2]}", value="0")
    hand = ("ip", "link", "set", "dev", by.interface, "arp", "on")
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind=by.kind, name=by.text),
        summary=f"{where} does not answer when a neighbour asks for its address: {what}",
        symptoms=blocked.symptoms,
        evidence=(of_decider(by, "an answer"), of_flows(blocked)),
        remedy=Remedy(
            summary=f"Let {where} answer again",
            steps=(step,) if step is not None else (ByHand(argv=hand),) if by.kind == "link" and here else (),
            undo=(SetSysctl(key=step.key, value=by.value),) if step is not None else (),
            risk="ask" if step is not None else "manual",
            note="Look for the file in /etc/sysctl.d that sets it"
            if by.kind == "sysctl"
            else "Look for the program that configures this interface",
        ),
    )


def _proxies(ctx: CheckContext) -> Iterator[Finding]:
    """Uplinks whose neighbours must find containers' global addresses there, and get no answer."""
    host = ctx.case.view.host
    for name in ctx.case.ways_out("ip6") if host is not None else ():
        link = ctx.case.view.link_named(host.id, name) if host is not None else None
        if host is None or link is None:
            continue
        spans = [
            ipaddress.ip_interface(item.cidr).network
            for item in ctx.case.view.addresses_of(LinkRef(namespace=host.id, ifindex=link.ifindex))
            if item.family == "ip6" and item.scope == "global"
        ]
        lost = [
            member
            for network in ctx.case.networks
            if leads_out(network, "ip6") and masquerades(ctx.case, network, "ip6") is not True
            for member in ctx.case.members(network, "ip6")
            if any(ipaddress.ip_address(member.address) in span for span in spans)
            and not _is_answered_for(host, link, member.address)
        ]
        if lost:
            yield _unproxied(host, link, lost)


def _is_answered_for(host: Namespace, link: Link, address: str) -> bool:
    own = any((item.ifindex, item.address) == (link.ifindex, address) for item in host.proxied)
    if not own:
        return _relayed(host)
    settings = (host.sysctls.get(f"net.ipv6.conf.{scope}.proxy_ndp") for scope in (sysctl_name(link.name), "all"))
    return "1" in settings


def _relayed(host: Namespace) -> bool:
    """Whether a program answers by itself, without entries in the kernel: ndppd listens with a raw socket."""
    return any(item.process == "ndppd" for item in host.sockets)


def _unproxied(host: Namespace, link: Link, lost: list[AttachedContainer]) -> Finding:
    key = f"net.ipv6.conf.{sysctl_name(link.name)}.proxy_ndp"
    names = ", ".join(member.container.name for member in lost[:4]) + (" …" if lost[4:] else "")
    missing = [
        member.address
        for member in lost
        if not any((item.ifindex, item.address) == (link.ifindex, member.address) for item in host.proxied)
    ]
    steps = [ByHand(argv=("sysctl", "-w", f"{key}=1"))] if host.sysctls.get(key) != "1" else []
    steps += [ByHand(argv=("ip", "-6", "neigh", "add", "proxy", item, "dev", link.name)) for item in missing[:8]]
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="link", name=f"{link.name} (IPv6)"),
        summary=f"Nobody answers neighbour solicitations on {link.name} for {names}, whose IPv6 addresses lie there",
        symptoms=("egress", "ipv6"),
        evidence=(
            of_sysctl(key, host.sysctls.get(key) or "absent", "1"),
            Evidence(
                source="ip -6 neigh show proxy",
                what=f"on {link.name}",
                value=", ".join(item.address for item in host.proxied if item.ifindex == link.ifindex) or "none",
                expected=", ".join(member.address for member in lost[:4]),
            ),
        ),
        remedy=Remedy(
            summary=f"Have the host answer for them on {link.name}",
            steps=tuple(steps),
            risk="manual",
            note="Not needed where the router has a route for these addresses to this host; ndppd does it for a range",
        ),
        affects=tuple(Affected(kind="container", name=member.container.name) for member in lost),
    )


CHECK = Check(
    id=ID,
    title="Neighbours get an answer when they ask",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("sysctls", "neighbours"),
)
