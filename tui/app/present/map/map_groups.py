"""What hangs on no bridge: containers, networks, veths, namespaces, other links, and what was not seen.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.inspect.model import Address, Container, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings_of
from dnet_tui.tui.app.present.findings_of import FindingsIndex
from dnet_tui.tui.app.present.map.map_nodes import Node, called, link_node, marks, shown, uplinks
from dnet_tui.tui.app.present.styled_text import TextRole, line, say


def groups(view: View, index: FindingsIndex) -> Iterator[Node]:
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
            name=line(*called(container, index), say(f" {text}", "dim")),
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
            name=line(say(network.name, "name"), say(f" {network.driver}", "dim"), *gone, *marks(about)),
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
            yield link_node(view, index, host, link, "no bridge" if link.peer else link.peer_note or "peer unknown")
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
        yield link_node(view, index, host, link, link.kind or "device")


def _gaps(view: View) -> Iterator[Node]:
    """One node for each section and scope; its detail lists all the reasons."""
    for gap in {(gap.section, gap.scope): gap for gap in view.all_gaps}.values():
        where = view.label(gap.scope) if gap.scope else ""
        yield Node(
            id=f"gap:{gap.section}:{gap.scope}",
            name=line(say("? ", "warn"), gap.section, say(f" {where}", "dim") if where else ""),
            search=gap.reason,
        )
