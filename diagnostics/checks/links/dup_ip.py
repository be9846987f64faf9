"""Two containers on one bridge have the same IP or MAC address.

What it finds
    Two namespaces attached to one bridge whose interfaces there have the same
    IP address or the same MAC address; or a container that has the address
    of the bridge itself.

Why it matters
    Whoever answers first gets the packets, and that changes from time to
    time: connections hang or reach the wrong program.  With one MAC address
    twice the bridge moves it from port to port.

How we know
    The addresses on the interfaces in both namespaces.  Addresses on other
    interfaces (``lo``, an inner bridge) don't count, nor IPv6 addresses that
    the kernel has found to be duplicates and does not use.

Remedy
    Create one of the two anew, without a fixed ``--ip`` or ``--mac-address``,
    or give it another one.

When it is harmless
    While an address moves from one container to another (keepalived, VRRP),
    both may be seen to have it for a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, attachments, bridge_of
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import LinkRef, Network

ID = "dup-ip"
_UNUSED = {"dadfailed", "tentative"}


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A packet to or from an address with two owners, where it isn't known whom it reaches, or one of them drops it."""
    packet = obstacle.packet
    ips, macs = case.once(_twice)
    if case.view.host is not None and any(case.view.host.id in ips.get(item, ()) for item in (packet.src, packet.dst)):
        return True  # the host takes for itself what is for the container, whatever stops it then
    if obstacle.by.kind != "neighbour" and obstacle.stage not in {"reverse-path", "neighbour", "answer"}:
        return False
    if obstacle.stage == "answer":  # it came to the other owner
        return packet.src in ips or packet.dst in ips
    if obstacle.by.kind == "neighbour" and (obstacle.by.value in ips or obstacle.by.value in macs):
        return True
    return any(obstacle.by.namespace in ips.get(address, ()) for address in (packet.src, packet.dst))


def _twice(case: HostContext) -> tuple[dict[str, set[str]], set[str]]:
    """The IP addresses with several owners, by whom; and the addresses of those that share a MAC address."""
    ips: defaultdict[str, set[str]] = defaultdict(set)
    macs: set[str] = set()
    for network in case.networks:
        for address, owners in _by_ip(case, network).items():
            if len(owners) > 1:
                ips[address] |= set(owners)
        for owners in _by_mac(case, network).values():
            spaces = [case.view.namespaces[name] for name in owners] if len(owners) > 1 else []
            macs |= {item.address for ns in spaces for item in ns.addresses}
    return dict(ips), macs


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per address."""
    for network in ctx.case.networks:
        for kind, owners in (("IP", _by_ip(ctx.case, network)), ("MAC", _by_mac(ctx.case, network))):
            for address, names in sorted(owners.items()):
                if len(names) > 1:
                    yield _finding(network, kind, address, sorted(names.values()))


def _finding(network: Network, kind: str, address: str, names: list[str]) -> Finding:
    both = " and ".join(names)
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="network", name=f"{network.name} {address}"),
        summary=f"{both} have the same {kind} address {address} on {network.bridge}",
        symptoms=("same-network", "published", "host-to-container"),
        evidence=tuple(
            Evidence(source="ip address" if kind == "IP" else "ip link", what=name, value=address, expected="its own")
            for name in names
        ),
        remedy=Remedy(
            summary=f"Give one of {both} another {kind} address",
            risk="manual",
            note="Recreate one of the containers; look for a fixed --ip or --mac-address, and for a copied namespace. "
            "Where it is the host's, find who gave it that: `ip address` lists them",
        ),
    )


def _by_ip(case: HostContext, network: Network) -> dict[str, dict[str, str]]:
    """Who has each address: the namespaces' ids with their names."""
    owners: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in attachments(case, network):
        for address in case.view.addresses_of(item.member.link):
            if address.scope != "link" and not _UNUSED & set(address.flags):
                owners[address.address][item.member.namespace] = item.name
    host, bridge = case.view.host, bridge_of(case, network)
    for address in host.addresses if host is not None else ():
        if host is not None and address.address in owners and address.scope != "link":
            link = case.view.links.get(LinkRef(namespace=host.id, ifindex=address.ifindex))
            name = link.name if link is not None else "another link"
            own = bridge is not None and address.ifindex == bridge.ifindex
            owners[address.address][host.id] = f"the bridge {name}" if own else f"the host's {name}"
    return owners


def _by_mac(case: HostContext, network: Network) -> dict[str, dict[str, str]]:
    owners: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in attachments(case, network):
        if _counts(item):
            owners[item.inner.mac][item.member.namespace] = item.name
    return owners


def _counts(item: Attachment) -> bool:
    return bool(item.inner.mac) and item.inner.up


CHECK = Check(
    id=ID,
    title="Addresses on a bridge have one owner",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("stale-neigh",),
)
