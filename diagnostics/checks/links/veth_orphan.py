"""A container's cable hangs loose: its veth is on no bridge, or on the wrong one.

What it finds
    The host's end of a running container's veth pair has no master (or
    another bridge than its network's), although the container's interface has
    an address of a bridge network.

Why it matters
    The container is cut off altogether, while every setting of engine,
    firewall and routing looks right.

How we know
    The engine says which network the address belongs to; the kernel says what
    the veth's other end is attached to.  For a namespace without an engine,
    its address and default gateway are those of the bridge, and the host has
    neither an address nor a route nor proxy ARP on the veth.

Remedy
    Attach it again: ``ip link set VETH master BRIDGE``.

When it is harmless
    Where veths are routed on purpose instead of bridged (Calico and the
    like); they carry routes of their own and are not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of, default_hops, of_link
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.link import SetLinkMaster
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Network, Route, known_items
from dnet_tui.inspect.model.engine_kinds.others import NETNS

ID = "veth-orphan"


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A loose veth: the network and bridge where it belongs, whose it is, and what says so."""

    network: Network
    bridge: Link
    veth: Link
    name: str
    namespace: str
    address: str
    addresses: frozenset[str]
    """All those of its interface, IPv6 too."""
    said_by: str


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Whatever meets the packets of a container whose cable hangs loose, and those sent to its address."""
    loose = case.once(_loose)
    return any(
        obstacle.by.namespace == item.namespace
        or (obstacle.by.kind != "sysctl" and bool(item.addresses & {obstacle.packet.src, obstacle.packet.dst}))
        for item in loose
    )


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per veth."""
    noproxy = {engine.name for engine in known_items(ctx.case.snapshot.engines) if engine.userland_proxy is False}
    for item in ctx.case.once(_loose):
        host = ctx.case.view.host
        master = next((link for link in host.links if link.ifindex == item.veth.master), None) if host else None
        attach = SetLinkMaster(
            link=item.veth.name, master=item.bridge.name, before=master.name if master is not None else ""
        )
        hairpin = SetPortFlag(port=item.veth.name, flag="hairpin", on=True)
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="container", name=item.name),
            summary=f"{item.name} is cut off: its veth {item.veth.name} is not attached to {item.bridge.name}",
            symptoms=("egress", "same-network", "published", "host-to-container"),
            evidence=(
                of_link(f"{item.veth.name} master", master.name if master else "none", item.bridge.name),
                Evidence(source=item.said_by, what=f"{item.name} has", value=item.address, expected=item.network.name),
            ),
            remedy=Remedy(
                summary=f"Attach {item.veth.name} to {item.bridge.name}",
                steps=(attach, hairpin) if item.network.engine in noproxy else (attach,),
                undo=(attach.inverse(),),
                risk="safe",
                note="Find what detached it: a network manager, or systemd-networkd with a matching .network file",
            ),
        )


def _loose(case: HostContext) -> tuple[Orphan, ...]:
    return tuple(_orphans(case))


def _orphans(case: HostContext) -> Iterator[Orphan]:
    host = case.view.host
    if host is None:
        return
    for ns in known_items(case.snapshot.namespaces):
        if ns.kind == "host":
            continue
        for inner in ns.links:
            veth = case.view.links.get(inner.peer) if inner.peer is not None else None
            if veth is None or inner.peer is None or inner.peer.namespace != host.id or veth.kind != "veth":
                continue
            found = _belongs(case, ns, inner, veth)
            if found is not None and found.bridge.ifindex != veth.master:
                yield found


def _belongs(case: HostContext, ns: Namespace, inner: Link, veth: Link) -> Orphan | None:
    """The network that a container's interface belongs to, by its address."""
    every = case.view.addresses_of(LinkRef(namespace=ns.id, ifindex=inner.ifindex))
    addresses = [item for item in every if item.scope == "global"]
    if not addresses:
        return None
    stated = {
        address.partition("/")[0]: endpoint.network
        for container in case.view.containers_in(ns.id)
        if container.engine != NETNS.kind
        for endpoint in container.endpoints
        for address in endpoint.addresses
    }
    for network in case.networks:
        bridge = bridge_of(case, network)
        if bridge is None:
            continue
        for item in addresses:
            by_engine = stated.get(item.address) == network.id
            if by_engine or (not stated and veth.master is None and _alike(case, ns, network, item.address, veth)):
                return Orphan(
                    network=network,
                    bridge=bridge,
                    veth=veth,
                    name=case.view.label(ns.id),
                    namespace=ns.id,
                    address=item.address,
                    addresses=frozenset(other.address for other in addresses),
                    said_by=network.engine if by_engine else "ip address",
                )
    return None


def _alike(case: HostContext, ns: Namespace, network: Network, address: str, veth: Link) -> bool:
    """Whether a namespace without an engine is of this network by address and gateway, and not routed by its veth.

    Its gateway may be a wrong one, as long as it would be on the network.
    """
    host = case.view.host
    if host is None or any(item.ifindex == veth.ifindex and item.scope != "link" for item in host.addresses):
        return False
    if any(
        hop.ifindex == veth.ifindex for route in host.routes if not _is_link_local(route) for hop in route.hops
    ) or case.sysctl(f"net.ipv4.conf.{sysctl_name(veth.name)}.proxy_arp") not in {"0", None}:
        return False
    subnets = [sub for sub in network.subnets if contains(sub.cidr, address) is True]
    gateways = {gateway for gateway, _ in default_hops(ns, "ip6" if ":" in address else "ip")}
    near = all(contains(sub.cidr, gateway) is True for sub in subnets for gateway in gateways)
    return bool(subnets) and near and (bool(gateways) or bool(network.internal))


def _is_link_local(route: Route) -> bool:
    """The kernel's own routes of an IPv6 interface: fe80::/64, its address, and ff00::/8."""
    return route.family == "ip6" and route.dst.startswith(("fe80:", "ff00:"))


CHECK = Check(
    id=ID,
    title="Containers' veths are attached to their bridges",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
