"""The map: host → bridge → port → container, and all that hangs beside.  Pure.

Row ids name the thing itself (``link:NAMESPACE:IFINDEX``, ``ctr:ID:IFINDEX``,
``net:ID``, ``ns:ID``, ``gap:SECTION:SCOPE``), so a selection survives a
refresh as long as the thing does.  Nothing is left out: a veth whose peer is
not known, a container without a bridge and a section that could not be read
each have their place and say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Address, Container, Link, LinkRef, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings_of
from dnet_tui.tui.app.present.findings_of import FindingsIndex
from dnet_tui.tui.app.present.styled_text import Row, StyledLine, TextRole, line, say


class Node(NamedTuple):
    """A node of the tree: its row's cells, and what hangs under it."""

    id: str
    name: StyledLine
    address: StyledLine = ()
    children: tuple[Node, ...] = ()
    search: str = ""


def link_id(namespace: str, link: Link) -> str:
    """Return the row id of a link."""
    return f"link:{namespace}:{link.ifindex}"


def rows(snapshot: Snapshot, report: Report | None, folded: frozenset[str] = frozenset()) -> tuple[Row, ...]:
    """Return the whole tree as rows, without what is folded away."""
    return tuple(_flatten((tree(snapshot, report),), folded, "", ""))


def tree(snapshot: Snapshot, report: Report | None) -> Node:
    """Return the tree; its root is the host."""
    view = View(listed(snapshot))
    index = FindingsIndex(report, view.networks.values())
    found = findings_of.concerning_host(report)
    name = line(say(snapshot.host.hostname or "host", "name"), say(" host", "dim"), *_marks(found))
    children = (*_host_links(view, index), *_groups(view, index))
    return Node(id="host", name=name, address=line(say(snapshot.host.kernel, "dim")), children=children)


def _flatten(nodes: Iterable[Node], folded: frozenset[str], guide: str, parent: str) -> Iterator[Row]:
    siblings = tuple(nodes)
    for index, node in enumerate(siblings):
        last = index == len(siblings) - 1
        branch = ("└ " if last else "├ ") if parent else ""
        shut = bool(node.children) and node.id in folded
        more = (say(f" +{_count(node)}", "info"),) if shut else ()
        name = line(say(guide + branch, "frame"), *node.name, *more)
        cells = (name, node.address) if node.address else (name,)
        yield Row(id=node.id, cells=cells, parent=parent, search=node.search)
        if not shut:
            below = guide + (("  " if last else "│ ") if parent else "")
            yield from _flatten(node.children, folded, below, node.id)


def _count(node: Node) -> int:
    return sum(1 + _count(child) for child in node.children)


def _marks(found: Iterable[Finding]) -> StyledLine:
    severity = findings_of.worst(found)
    return line(" ", findings_of.mark(severity)) if severity else ()


def shown(addresses: Iterable[Address]) -> StyledLine:
    """Return the first global address, IPv4 before IPv6, and how many more there are."""
    wanted = sorted((item for item in addresses if item.scope != "link"), key=lambda item: item.family)
    if not wanted:
        return ()
    more = f" +{len(wanted) - 1}" if len(wanted) > 1 else ""
    return line(wanted[0].cidr, say(more, "dim"))


def _state(link: Link) -> StyledLine:
    if not link.up:
        return line(" ", say("down", "bad"))
    if link.kind == "bridge" or link.carrier or link.kind == "loopback":
        return ()
    return line(" ", say("no carrier", "warn"))


def _host_links(view: View, index: FindingsIndex) -> Iterator[Node]:
    """The bridges with their ports, then the uplinks."""
    host = view.host
    if host is None:
        return
    for bridge in view.bridges():
        network = view.network_of_bridge(bridge.name)
        about = index.concerning(findings_of.of_link(bridge, network))
        called = (say(f" {network.name}", "info"),) if network and network.name != bridge.name else ()
        ports = tuple(_port(view, index, host, port) for port in view.ports_of(host.id, bridge.ifindex))
        empty = () if ports else (say(" no ports", "dim"),)
        yield Node(
            id=link_id(host.id, bridge),
            name=line(say(bridge.name, "name"), *called, *empty, *_state(bridge), *_marks(about)),
            address=shown(view.addresses_of(LinkRef(namespace=host.id, ifindex=bridge.ifindex))),
            children=ports,
            search=f"bridge {network.name} {network.engine} {_subnets(network)}" if network else "bridge",
        )
    yield from _overlays(view, index)
    for uplink in uplinks(host):
        yield _link(view, index, host, uplink, "uplink")


def _overlays(view: View, index: FindingsIndex) -> Iterator[Node]:
    """The bridges inside of overlay networks, each in a namespace of its own."""
    for ns in view.insides():
        for bridge in (link for link in known_items(ns.links) if link.kind == "bridge"):
            yield Node(
                id=link_id(ns.id, bridge),
                name=line(say(view.label(ns.id), "name"), say(f" {bridge.name}", "dim"), *_state(bridge)),
                address=shown(view.addresses_of(LinkRef(namespace=ns.id, ifindex=bridge.ifindex))),
                children=tuple(_port(view, index, ns, port) for port in view.ports_of(ns.id, bridge.ifindex)),
                search="bridge overlay network",
            )


def _subnets(network: Network) -> str:
    return " ".join(subnet.cidr for subnet in network.subnets)


def uplinks(host: Namespace) -> tuple[Link, ...]:
    """Return the links that lead off the host: those of a default route, and physical devices."""
    default = {hop.ifindex for route in default_routes(host) for hop in route.hops}
    return tuple(
        link
        for link in host.links
        if link.master is None
        and link.kind not in {"bridge", "loopback"}
        and (link.ifindex in default or not link.kind)
    )


def _link(view: View, index: FindingsIndex, ns: Namespace, link: Link, what: str) -> Node:
    about = index.concerning(findings_of.of_link(link)) if ns.kind == "host" else ()
    return Node(
        id=link_id(ns.id, link),
        name=line(say(link.name, "name"), say(f" {what}", "dim"), *_state(link), *_marks(about)),
        address=shown(view.addresses_of(LinkRef(namespace=ns.id, ifindex=link.ifindex))),
        children=(*_far_end(view, index, link), *_above(view, ns, link)),
    )


def _above(view: View, ns: Namespace, link: Link) -> Iterator[Node]:
    """The links of other namespaces that lie on a link: macvlans and ipvlans of containers."""
    for ref in view.known_above(LinkRef(namespace=ns.id, ifindex=link.ifindex)):
        upper = view.links[ref]
        if ref.namespace == ns.id:
            continue
        yield Node(
            id=f"above:{ref.namespace}:{ref.ifindex}",
            name=line(
                say(view.label(ref.namespace), "name"), say(f" {upper.name} {upper.kind}", "dim"), *_state(upper)
            ),
            address=shown(view.addresses_of(ref)),
            search=upper.kind,
        )


def _port(view: View, index: FindingsIndex, host: Namespace, port: Link) -> Node:
    about = index.concerning(findings_of.of_link(port))
    lost = (say(" peer unknown", "warn"),) if port.kind == "veth" and port.peer is None else ()
    kind = () if port.kind == "veth" else (say(f" {port.kind or 'device'}", "dim"),)
    return Node(
        id=link_id(host.id, port),
        name=line(say(port.name), *kind, *lost, *_state(port), *_marks(about)),
        children=tuple(_far_end(view, index, port)),
        search="port",
    )


def _far_end(view: View, index: FindingsIndex, link: Link) -> Iterator[Node]:
    """The containers (or the namespace) at the other end of a veth."""
    if link.peer is None:
        return
    far = view.links.get(link.peer)
    ns = view.namespaces.get(link.peer.namespace)
    if far is None or ns is None or ns.kind == "host":
        return
    where = shown(view.addresses_of(link.peer))
    tenants = view.containers_in(ns.id)
    owner = next((item for item in tenants if item.joined is None), tenants[0] if tenants else None)
    if owner is None:
        label = line(say(view.label(ns.id), "name"), say(f" {far.name} namespace", "dim"), *_state(far))
        yield Node(id=f"{link_id(ns.id, far)}", name=label, address=where)
        return
    guests = tuple(_guest(view, index, item, far) for item in tenants if item.id != owner.id)
    yield Node(
        id=f"ctr:{owner.id}:{far.ifindex}",
        name=line(*_called(owner, index), say(f" {far.name}", "dim"), *_state(far)),
        address=where,
        children=guests,
        search=f"container {owner.engine} {owner.image}",
    )


def _called(container: Container, index: FindingsIndex) -> StyledLine:
    about = index.concerning_container(container)
    stopped = () if container.running else (say(f" {container.status or 'stopped'}", "dim"),)
    return line(say(container.name or container.id[:12], "name"), *_marks(about), *stopped)


def _guest(view: View, index: FindingsIndex, container: Container, far: Link) -> Node:
    host = view.containers.get(container.joined or "")
    text = f" shares {host.name}" if host else " shares this namespace"
    name = line(*_called(container, index), say(text, "dim"))
    return Node(id=f"ctr:{container.id}:{far.ifindex}", name=name, search="container joined")


def _groups(view: View, index: FindingsIndex) -> Iterator[Node]:
    """What hangs on no bridge: each group only where it has members."""
    made = (
        ("group:containers", "containers without a bridge", tuple(_unbridged(view, index))),
        ("group:networks", "networks without a bridge", tuple(_bridgeless(view, index))),
        ("group:veths", "veths without a bridge or peer", tuple(_loose_veths(view, index))),
        ("group:namespaces", "named namespaces", tuple(_named(view))),
        ("group:links", "other links", tuple(_other_links(view, index))),
        ("group:gaps", "not seen", tuple(_gaps(view))),
    )
    for key, title, members in made:
        if members:
            role: TextRole = "warn" if key == "group:gaps" else "head"
            yield Node(id=key, name=line(say(title, role), say(f" {len(members)}", "dim")), children=members)


def _unbridged(view: View, index: FindingsIndex) -> Iterator[Node]:
    host = view.host
    bridges = {bridge.ifindex for bridge in view.bridges()}
    bridged = {
        link.peer.namespace for link in (host.links if host else ()) if link.peer is not None and link.master in bridges
    }
    bridged |= {link.peer.namespace for ns in view.insides() for link in known_items(ns.links) if link.peer is not None}
    for container in known_items(view.snapshot.containers):
        if container.netns in bridged:
            continue
        words = {"host": "uses the host's", "none": "lo only", "container": "shares"}
        text = words.get(container.mode, container.mode)
        if container.mode == "container" and container.joined in view.containers:
            text = f"shares {view.containers[container.joined].name}"
        if not container.running:
            text = container.mode
        yield Node(
            id=f"ctr:{container.id}:",
            name=line(*_called(container, index), say(f" {text}", "dim")),
            address=shown(_addresses(view, container)),
            search=f"container {container.engine} {container.image} {container.mode}",
        )


def _addresses(view: View, container: Container) -> tuple[Address, ...]:
    ns = view.namespaces.get(container.netns or "")
    if ns is None or ns.kind == "host":
        return ()
    return tuple(item for item in ns.addresses if item.scope == "global")


def _bridgeless(view: View, index: FindingsIndex) -> Iterator[Node]:
    present = {bridge.name for bridge in view.bridges()}
    for network in known_items(view.snapshot.networks):
        if network.bridge in present or any(ns.serves == network.id for ns in view.insides()):
            continue
        about = index.concerning(findings_of.of_network(network))
        gone = (say(f" {network.bridge} is missing", "bad"),) if network.bridge else ()
        subnet = network.subnets[0].cidr if network.subnets else ""
        yield Node(
            id=f"net:{network.id}",
            name=line(say(network.name, "name"), say(f" {network.driver}", "dim"), *gone, *_marks(about)),
            address=line(subnet),
            search=f"network {network.engine}",
        )


def _loose_veths(view: View, index: FindingsIndex) -> Iterator[Node]:
    host = view.host
    if host is None:
        return
    up = {link.ifindex for link in uplinks(host)}
    for link in host.links:
        if link.kind != "veth" or link.ifindex in up or (link.master is not None and link.peer is not None):
            continue
        if link.master is None:
            yield _link(view, index, host, link, "no bridge" if link.peer else link.peer_note or "peer unknown")
            continue
        yield Node(
            id=f"lost:{host.id}:{link.ifindex}",
            name=line(say(link.name, "name"), say(f" {link.peer_note or 'peer unknown'}", "warn")),
        )


def _named(view: View) -> Iterator[Node]:
    for ns in known_items(view.snapshot.namespaces):
        if ns.kind not in {"named", "process"} or ns.role == "network" or view.containers_in(ns.id):
            continue
        yield Node(
            id=f"ns:{ns.id}",
            name=line(say(view.label(ns.id), "name")),
            address=shown(item for item in ns.addresses if item.scope == "global"),
            search="namespace " + " ".join(process.name for process in ns.processes),
        )


def _other_links(view: View, index: FindingsIndex) -> Iterator[Node]:
    host = view.host
    if host is None:
        return
    bridges = {bridge.ifindex for bridge in view.bridges()}
    up = {link.ifindex for link in uplinks(host)}
    for link in host.links:
        if link.kind in {"bridge", "veth"} or link.ifindex in up or link.master in bridges:
            continue
        yield _link(view, index, host, link, link.kind or "device")


def _gaps(view: View) -> Iterator[Node]:
    """One node for each section and scope; its detail lists all the reasons."""
    for gap in {(gap.section, gap.scope): gap for gap in view.all_gaps}.values():
        where = view.label(gap.scope) if gap.scope else ""
        yield Node(
            id=f"gap:{gap.section}:{gap.scope}",
            name=line(say("? ", "warn"), gap.section, say(f" {where}", "dim") if where else ""),
            search=gap.reason,
        )
