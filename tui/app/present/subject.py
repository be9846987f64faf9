"""Where to capture when the user has chosen no point: at what is selected.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.report.finding import Subject
from dnet_tui.inspect.model import Container, LinkRef, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present.capture.points import CONTAINER, spec
from dnet_tui.tui.app.present.map.map_nodes import uplinks
from dnet_tui.tui.app.present.seen_host import seen_host


def point_of_finding(snapshot: Snapshot, subject: Subject) -> str:
    """Return the capture point that belongs to a finding's subject; empty when none does."""
    view = seen_host(snapshot)
    name = subject.name.partition(":")[0]
    for container in known_items(snapshot.containers):
        if subject.kind in {"container", "port"} and name in {container.name, container.id}:
            return _of_container(view, container)
    for network in known_items(snapshot.networks):
        if subject.kind == "network" and subject.name in {network.name, network.id}:
            return _on_host(view, network.bridge)
    if subject.kind == "sysctl":
        parts = subject.name.split(".")
        return _on_host(view, parts[3].replace("/", ".")) if len(parts) > 4 else ""
    return _on_host(view, subject.name)


def point_of_row(snapshot: Snapshot, row: str) -> str:
    """Return the capture point that belongs to a row of the map, of a container all of its; empty when none does."""
    view = seen_host(snapshot)
    kind, _, rest = row.partition(":")
    ident, _, ifindex = rest.rpartition(":")
    if kind in {"link", "lost"}:
        link = view.links.get(LinkRef(namespace=ident, ifindex=int(ifindex)))
        return spec(ident, link.name) if link else ""
    if kind == "ctr" and (container := view.containers.get(ident)) is not None:
        ns = view.namespaces.get(container.netns or "")
        return CONTAINER + container.id if ns is not None and ns.kind != "host" and ns.links else ""
    if kind == "net" and (network := view.networks.get(rest)) is not None:
        return _on_host(view, network.bridge)
    return ""


def somewhere(snapshot: Snapshot) -> str:
    """Return a point that exists on nearly every host: the first bridge with ports, else an uplink."""
    view = seen_host(snapshot)
    host = view.host
    if host is None:
        return ""
    bridges = sorted(view.bridges(), key=lambda bridge: not view.ports_of(host.id, bridge.ifindex))
    links = (*bridges, *uplinks(host))
    return spec(host.id, links[0].name) if links else ""


def _on_host(view: View, name: str) -> str:
    return spec(view.host.id, name) if view.host and view.link_named(view.host.id, name) else ""


def _of_container(view: View, container: Container) -> str:
    ns = view.namespaces.get(container.netns or "")
    if ns is None or ns.kind == "host":
        return ""
    link = next((link for link in ns.links if link.kind != "loopback"), None)
    return spec(ns.id, link.name) if link else ""
