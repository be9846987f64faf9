"""A UDP client is held to a connection from before its port was published, or from before a restart.

What it finds
    A tracked UDP connection to a published port that isn't led to the
    container: it was begun while the port's rule was not there, or it still
    leads to the address that the container had before.

Why it matters
    NAT looks at a connection's first packet only, and UDP has no end: a
    client that goes on sending from the same port keeps the old connection
    alive, and its packets go where nobody listens, for as long as it sends.
    Every new client is served.

How we know
    The tracked connections to published UDP ports, whose replies would have to
    come from the container; the packet walk says where a first packet from the
    same client would be led by now.  A connection that a docker-proxy serves
    isn't one.

Remedy
    Delete these connections: the next packet begins a new one.  Nothing of
    that needs to be taken back, as the kernel makes them anew by itself.

When it is harmless
    Where the client has stopped: the entry then ends within two minutes.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import ForgetConnections
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.listener import PORT_HOLDERS, takes
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import ConntrackEntry, Container, LinkRef, PublishedPort, known_items
from dnet_tui.inspect.model.coverage.sections import unless_unasked

ID = "udp-stale-ct"
_MOST = 200
"""How many connections of one port are judged."""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per published port."""
    case = ctx.case
    host = case.view.host
    tracked = unless_unasked(host.conntrack) if host is not None else ()
    if not tracked:
        return
    for container, port in _ports(case):
        entries = [item for item in tracked if _is_to(item, port)][:_MOST]
        fates = [(item, _is_stale(case, container, item)) for item in entries]
        stale = [item for item, is_stale in fates if is_stale]
        if not stale and any(is_stale is None for _, is_stale in fates):
            yield Undecided(
                reason=f"{container.name} {port.host_port}/udp: where a new client's packets go can't be decided"
            )
        if stale:
            yield _finding(container, port, stale)


def _ports(case: HostContext) -> Iterator[tuple[Container, PublishedPort]]:
    for container in known_items(case.snapshot.containers):
        if container.running and container.netns is not None and container.netns in case.view.namespaces:
            yield from ((container, port) for port in container.published if port.proto == "udp")


def _is_to(entry: ConntrackEntry, port: PublishedPort) -> bool:
    return (
        entry.family == "ip"
        and entry.proto == "udp"
        and entry.original.dport == port.host_port
        and ":" not in port.host_ip
        and port.host_ip in {"", "0.0.0.0", entry.original.dst}  # noqa: S104 - compared with, not bound to
        and not {"dying", "template"} & set(entry.status)
    )


def _is_stale(case: HostContext, container: Container, entry: ConntrackEntry) -> bool | None:
    """Whether its packets go elsewhere than a new client's, and to nobody; None where the new one's can't be told."""
    ns = case.view.namespaces[container.netns or ""]
    own = {item.address for item in ns.addresses}
    if entry.reply.src in own:
        return False
    fresh = _fresh(case, entry)
    if fresh is not None and fresh.end == "unknown":
        return None
    if fresh is None or fresh.end != "delivered" or fresh.last.dst not in own:
        return False
    if entry.reply.src == entry.original.dst:
        return _is_unserved(case, entry)
    return not any(
        item.address == entry.reply.src for space in known_items(case.snapshot.namespaces) for item in space.addresses
    )


def _is_unserved(case: HostContext, entry: ConntrackEntry) -> bool:
    """Whether nobody on the host itself answers what wasn't rewritten; a docker-proxy would, and pass it on."""
    host = case.view.host
    if host is None or "seen-reply" in entry.status:
        return False
    packet = Packet(src=entry.original.src, dst=entry.original.dst, proto="udp", dport=entry.original.dport)
    return not any(takes(host, item, packet) is not False for item in host.sockets if item.process not in PORT_HOLDERS)


def _fresh(case: HostContext, entry: ConntrackEntry) -> Walk | None:
    """The way of a first packet from the same client, if it comes from outside; None where that can't be said."""
    host = case.view.host
    if host is None:
        return None
    client = entry.original.src
    way = routing.lookup(index_of(case.view, host), Packet(src=entry.original.dst, dst=client, proto="udp"))
    link = case.view.links.get(LinkRef(namespace=host.id, ifindex=way.ifindex or 0))
    if way.type != "unicast" or link is None or link.kind == "bridge":
        return None
    tracked = {item.original.sport for item in known_items(host.conntrack) if item.original.src == client}
    sport = next(number for number in range(40_000, 65_536) if number not in tracked)  # as a new client's would be
    packet = Packet(src=client, dst=entry.original.dst, proto="udp", sport=sport, dport=entry.original.dport)
    arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    return walk(case.view, packet, origin=host.id, arriving=arriving, fresh=True)


def _finding(container: Container, port: PublishedPort, stale: list[ConntrackEntry]) -> Finding:
    clients = ", ".join(dict.fromkeys(item.original.src for item in stale[:4]))
    number = str(port.host_port)
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="port", name=f"{container.name} {number}/udp"),
        summary=f"{len(stale)} UDP client(s) of {container.name} are kept on a connection that does not reach it",
        symptoms=("published",),
        evidence=tuple(
            Evidence(
                source="conntrack -L -p udp",
                what=f"{item.original.src}:{item.original.sport} → {item.original.dst}:{number}",
                value=f"led to {item.reply.src}:{item.reply.sport}, {item.timeout} s left"
                if item.timeout is not None
                else f"led to {item.reply.src}:{item.reply.sport}",
                expected=f"led to {container.name}, port {port.container_port}",
            )
            for item in stale[:4]
        ),
        remedy=Remedy(
            summary=f"Delete the tracked UDP connections to port {number} ({clients})",
            steps=(ForgetConnections(proto="udp", port=port.host_port),),
            risk="safe",
            persists=True,
            note="Nothing has to be taken back: a client's next packet begins a new connection; conntrack comes with "
            "conntrack-tools",
        ),
    )


CHECK = Check(
    id=ID,
    title="UDP clients are led to their container",
    severity="warning",
    doc=__doc__,
    find=find,
)
