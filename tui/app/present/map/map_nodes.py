"""The nodes of the tree that more than one part of it has: links, and the containers behind them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model import Address, Container, Link, LinkRef, Namespace
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings_of
from dnet_tui.tui.app.present.findings_of import FindingsIndex
from dnet_tui.tui.app.present.styled_text import StyledLine, line, say


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


def marks(found: Iterable[Finding]) -> StyledLine:
    """Return the mark of the gravest of some findings; nothing where there are none."""
    severity = findings_of.worst(found)
    return line(" ", findings_of.mark(severity)) if severity else ()


def shown(addresses: Iterable[Address]) -> StyledLine:
    """Return the first global address, IPv4 before IPv6, and how many more there are."""
    wanted = sorted((item for item in addresses if item.scope != "link"), key=lambda item: item.family)
    if not wanted:
        return ()
    more = f" +{len(wanted) - 1}" if len(wanted) > 1 else ""
    return line(wanted[0].cidr, say(more, "dim"))


def link_state(link: Link) -> StyledLine:
    """Say that a link is down or has no carrier; nothing where all is well."""
    if not link.up:
        return line(" ", say("down", "bad"))
    if link.kind == "bridge" or link.carrier or link.kind == "loopback":
        return ()
    return line(" ", say("no carrier", "warn"))


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


def link_node(view: View, index: FindingsIndex, ns: Namespace, link: Link, what: str) -> Node:
    """Return a link with all that hangs on it."""
    about = index.concerning(findings_of.of_link(link)) if ns.kind == "host" else ()
    return Node(
        id=link_id(ns.id, link),
        name=line(say(link.name, "name"), say(f" {what}", "dim"), *link_state(link), *marks(about)),
        address=shown(view.addresses_of(LinkRef(namespace=ns.id, ifindex=link.ifindex))),
        children=(*far_end(view, index, link), *_above(view, index, ns, link)),
    )


def _above(view: View, index: FindingsIndex, ns: Namespace, link: Link) -> Iterator[Node]:
    """The links of other namespaces that lie on a link: macvlans and ipvlans of containers."""
    for ref in view.known_above(LinkRef(namespace=ns.id, ifindex=link.ifindex)):
        upper = view.links[ref]
        if ref.namespace == ns.id:
            continue
        about = (item for tenant in view.containers_in(ref.namespace) for item in index.concerning_container(tenant))
        yield Node(
            id=f"above:{ref.namespace}:{ref.ifindex}",
            name=line(
                say(view.label(ref.namespace), "name"),
                *marks(about),
                say(f" {upper.name} {upper.kind}", "dim"),
                *link_state(upper),
            ),
            address=shown(view.addresses_of(ref)),
            search=upper.kind,
        )


def far_end(view: View, index: FindingsIndex, link: Link) -> Iterator[Node]:
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
        label = line(say(view.label(ns.id), "name"), say(f" {far.name} namespace", "dim"), *link_state(far))
        yield Node(id=f"{link_id(ns.id, far)}", name=label, address=where)
        return
    guests = tuple(_guest(view, index, item, far) for item in tenants if item.id != owner.id)
    yield Node(
        id=f"ctr:{owner.id}:{far.ifindex}",
        name=line(*called(owner, index), say(f" {far.name}", "dim"), *link_state(far)),
        address=where,
        children=guests,
        search=f"container {owner.engine} {owner.image}",
    )


def called(container: Container, index: FindingsIndex) -> StyledLine:
    """Return a container's name with its mark and, where it doesn't run, its state."""
    about = index.concerning_container(container)
    stopped = () if container.running else (say(f" {container.status or 'stopped'}", "dim"),)
    return line(say(container.name or container.id[:12], "name"), *marks(about), *stopped)


def _guest(view: View, index: FindingsIndex, container: Container, far: Link) -> Node:
    host = view.containers.get(container.joined or "")
    text = f" shares {host.name}" if host else " shares this namespace"
    name = line(*called(container, index), say(text, "dim"))
    return Node(id=f"ctr:{container.id}:{far.ifindex}", name=name, search="container joined")
