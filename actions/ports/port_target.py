"""Where a published port leads: the container, its address, and the bridge of the host that it is reached by.  Pure."""

from __future__ import annotations

import ipaddress

import msgspec

from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, Link, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import ways_out
from dnet_tui.inspect.model.links import Family
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean


class PortTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A container as packets reach it in one family.  ``port`` is the bridge port that leads to it."""

    container: Container
    bridge: str
    port: Link
    address: str
    subnet: str
    gateway: str
    network: Network | None


def running_container(snapshot: Snapshot, name: str) -> Container:
    """The container of that name (or id), which must be running in a network of its own.

    Raises:
        UsageError: There is none, there are several, it isn't running, or its ports are the host's or another's.
    """
    every = known_items(snapshot.containers)
    found = [item for item in every if name in (item.name, item.id)] or [
        item for item in every if len(name) >= 4 and item.id.startswith(name)
    ]
    if not found:
        known = ", ".join(clean(item.name) for item in every[:8] if item.running) or "none"
        raise UsageError(f"there is no container named {clean(name)}", f"running here: {known}")
    if len(found) > 1:
        raise UsageError(f"{len(found)} containers are called {clean(name)}", "name it by its id")
    container = found[0]
    if not container.running:
        raise UsageError(f"{clean(name)} isn't running", "start it first: it has no address until then")
    if container.mode in ("host", "none"):
        why = "it uses the host's own network" if container.mode == "host" else "it has no network"
        hint = "its ports are open on the host already" if container.mode == "host" else "connect it to one first"
        raise UsageError(f"ports of {clean(name)} can't be published: {why}", hint)
    if container.joined is not None:
        other = next((item.name for item in every if item.id == container.joined), container.joined[:12])
        msg = f"{clean(name)} uses the network of {clean(other)}"
        raise UsageError(msg, f"publish the port for {clean(other)}")
    return container


def port_target(snapshot: Snapshot, container: Container, family: Family) -> PortTarget | None:
    """Where the container's default route of a family leads by a bridge of this host; None where it has none.

    Raises:
        CannotInspectError: Its namespace, or the host's, was not seen.
        UsageError: Its way out isn't a bridge of this host, so that answers would not come back by it.
    """
    view = View(snapshot)
    host = view.host
    inside = view.namespaces.get(container.netns or "")
    if host is None or inside is None:
        msg = f"the network of {clean(container.name)} could not be looked into"
        raise CannotInspectError(msg, "run it as root: sudo dnet-tui …")
    hop = next((hop for route in ways_out(inside, family) for hop in route.hops if hop.gateway), None)
    if hop is None:
        return None
    link = next((item for item in inside.links if item.ifindex == hop.ifindex), None)
    port = view.links.get(link.peer) if link is not None and link.peer is not None else None
    bridge = next((item for item in host.links if port is not None and item.ifindex == port.master), None)
    mine = [item for item in inside.addresses if link is not None and item.ifindex == link.ifindex]
    own = next((item for item in mine if item.family == family and item.scope == "global"), None)
    gateway = hop.gateway or ""
    if bridge is None or port is None or own is None or not _is_hosts(host, gateway, bridge):
        msg = f"the default route of {clean(container.name)} does not lead over a bridge of this host"
        raise UsageError(msg, "its answers would leave by another way; see `dnet-tui ls containers`")
    return PortTarget(
        container=container,
        bridge=bridge.name,
        port=port,
        address=own.address,
        subnet=str(ipaddress.ip_network(own.cidr, strict=False)),
        gateway=gateway,
        network=view.network_of_bridge(bridge.name),
    )


def _is_hosts(host: Namespace, gateway: str, bridge: Link) -> bool:
    return any(item.address == gateway and item.ifindex == bridge.ifindex for item in host.addresses)
