"""The host knows a wrong MAC address for a container.

What it finds
    The host's neighbour table has an entry for a container's address, on its
    bridge, with another MAC address than the container has: a permanent one
    (an error), or one confirmed as reachable (a warning).  The same in a
    container's table, for its gateway, where the entry is permanent.

Why it matters
    The host sends everything for that container to nobody: published ports,
    connections from the host, and the answers from the internet.

How we know
    The neighbour table and the container's own interface, read in both
    namespaces.

Remedy
    ``ip neigh del``; the kernel learns the right one at once.

When it is harmless
    For some seconds after a container was replaced by another with its
    address: an entry that is not permanent heals by itself.  One that the
    kernel is about to ask for again (stale) is only information.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    Attachment,
    all_attachments,
    concerning,
    default_hops,
    scope_of,
    symptoms,
)
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.neighbour import DeleteNeighbour
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Neighbour, require

ID = "stale-neigh"
_SEVERITIES: dict[str, Severity] = {
    "PERMANENT": "error",
    "REACHABLE": "warning",
    "STALE": "info",
    "DELAY": "info",
    "PROBE": "info",
}
"""By how long the kernel goes on using it: for ever, for half a minute, or until its own probes fail (8 seconds)."""


class _Wrong(msgspec.Struct, frozen=True, kw_only=True):
    entry: Neighbour
    item: Attachment
    real: str
    where: str
    device: str
    remove: DeleteNeighbour | None


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A packet for an address whose entry is wrong."""
    if obstacle.by.kind != "neighbour":
        return False
    return any(wrong.entry.address == obstacle.by.value for wrong in case.once(_wrong))


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per entry."""
    for wrong in ctx.case.once(_wrong):
        severity = _SEVERITIES[wrong.entry.state]
        host_side = wrong.where == "the host"
        to = wrong.item.name if host_side else f"its gateway {wrong.entry.address}"
        yield Finding(
            check=ID,
            severity=severity,
            subject=Subject(kind="container", name=wrong.item.name),
            summary=f"{wrong.where[0].upper()}{wrong.where[1:]} sends packets for {to} to a wrong MAC address",
            symptoms=symptoms(
                concerning(ctx.blocked_by(ID), wrong.item.member.namespace),
                ("host-to-container", "published", "egress") if host_side else ("egress", "published"),
            ),
            evidence=(
                Evidence(
                    source="ip neigh",
                    what=f"{wrong.entry.address} dev {wrong.device} in {wrong.where}",
                    value=f"{wrong.entry.mac} {wrong.entry.state}",
                    expected=wrong.real,
                ),
            ),
            remedy=Remedy(
                summary=f"Delete the entry for {wrong.entry.address}",
                steps=(wrong.remove,) if wrong.remove is not None else (),
                undo=(wrong.remove.inverse(),) if wrong.remove is not None else (),
                risk="safe",
                note="If it comes back, a script adds it: look for `ip neigh` and `arp -s`",
            ),
        )


def _wrong(case: HostContext) -> list[_Wrong]:
    def of(place: tuple[Callable[[HostContext, Attachment], Iterator[_Wrong]], Attachment]) -> Iterator[_Wrong]:
        look, item = place
        for wrong in look(case, item):
            # If somebody else has the address as well, then that is the fault.
            if wrong.entry.mac not in _owners(case, item, wrong.entry.address):
                yield wrong

    return list(case.severally(product((_on_host, _in_container), all_attachments(case)), of))


def _on_host(case: HostContext, item: Attachment) -> Iterator[_Wrong]:
    host = case.view.host
    entries = {
        (entry.ifindex, entry.address): entry
        for entry in (host.neighbours if host is not None else ())
        if entry.state in _SEVERITIES and entry.mac
    }
    for address in _addresses(case, item):
        entry = entries.get((item.bridge.ifindex, address))
        if entry is None or entry.mac == item.inner.mac or not item.inner.mac:
            continue
        yield _Wrong(
            entry=entry,
            item=item,
            real=item.inner.mac,
            where="the host",
            device=item.bridge.name,
            remove=DeleteNeighbour.of(entry, item.bridge.name),
        )


def _in_container(case: HostContext, item: Attachment) -> Iterator[_Wrong]:
    namespace = case.view.namespaces[item.member.namespace]
    gateways = {gateway for gateway, ifindex in default_hops(namespace) if ifindex == item.inner.ifindex}
    if case.bridge_address(item.network) not in gateways or not item.bridge.mac:
        return
    for entry in namespace.neighbours:
        fits = entry.ifindex == item.inner.ifindex and entry.address in gateways
        if not fits or entry.state != "PERMANENT" or entry.mac in {"", item.bridge.mac}:
            continue
        scope = scope_of(case, namespace.id)
        yield _Wrong(
            entry=entry,
            item=item,
            real=item.bridge.mac,
            where=item.name,
            device=item.inner.name,
            remove=DeleteNeighbour.of(entry, item.inner.name, scope) if scope is not None else None,
        )


def _addresses(case: HostContext, item: Attachment) -> list[str]:
    return [address.address for address in case.view.addresses_of(item.member.link)]


def _owners(case: HostContext, item: Attachment, address: str) -> set[str]:
    """The MAC addresses on an attachment's bridge that have an IP address.

    Raises:
        NotSeen: of somebody on the bridge the addresses weren't read.
    """
    host = case.view.host
    ports = case.view.ports_of(host.id, item.bridge.ifindex) if host is not None else ()
    for port in ports:
        if port.peer is not None:
            require(case.view.addresses_of(port.peer))
    others = (other for other in all_attachments(case) if other.network.id == item.network.id)
    return {other.inner.mac for other in others if address in _addresses(case, other)}


CHECK = Check(
    id=ID,
    title="The host knows its containers' MAC addresses",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
