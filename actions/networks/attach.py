"""Plans that connect a container to a network and disconnect it again.  Pure.

Engines do it for their own containers.  A plain namespace is plugged into the
bridge of a plain-Linux network by a veth pair, with an address, and with a
default route if it has none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence

import msgspec

from dnet_tui.actions.networks.put_back import not_put_back, put_back
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.engine import ConnectContainer, DisconnectContainer
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster, SetLinkUp
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope
from dnet_tui.diagnostics.operations.remedy import ByProgram
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, Link, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import ways_out
from dnet_tui.inspect.model.engine_kinds.others import LINUX, NETNS
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.links import Family
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_MOST_LINKS = 100


class ConnectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.  ``addresses``: one of each family at most; without, a free one is taken."""

    network: str
    container: str
    engine: str = ""
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


def connect_plan(snapshot: Snapshot, request: ConnectRequest) -> Plan:
    """Return the plan that connects the container.

    Raises:
        UsageError: One of the two isn't there, they don't go together, or an address doesn't fit.
        CannotInspectError: The namespace was not seen.
    """
    network, container = _ends(snapshot, request)
    if any(endpoint.network == network.id for endpoint in container.endpoints) or _veth(snapshot, network, container):
        raise UsageError(f"{clean(container.name)} is connected to {clean(network.name)} already", "nothing to do")
    check_addresses(snapshot, network, request.addresses)
    title = f"connect {clean(container.name)} to {clean(network.name)}"
    if network.engine != LINUX.kind:
        action = ConnectContainer(
            engine=network.engine,
            network=network.name,
            container=container.name,
            addresses=request.addresses,
            aliases=request.aliases,
        )
        return Plan(title=title, steps=(PlanStep(action=action, undo=(action.inverse(),)),), persists=True)
    if request.aliases:
        raise UsageError("a plain network has no names", "leave --alias out, or write /etc/hosts in there")
    operations = tuple(_plugged(snapshot, network, container, request.addresses))
    steps = [PlanStep(action=operations[0], undo=(DeleteVeth(link=_link_of(operations)),))]
    # What is inside goes with the pair: the first step's undo takes all of it back.
    steps += [_inside_step(operation) for operation in operations[1:]]
    notes = ["names are looked up as before: resolv.conf stays as it is"]
    if any(step.undo for step in steps[1:]):
        notes.append("undo takes its loopback down again, which keeps 127.0.0.1")
    return Plan(title=title, steps=tuple(steps), notes=tuple(notes))


def _inside_step(operation: ByProgram) -> PlanStep:
    if isinstance(operation, SetLinkUp) and operation.link == "lo":
        return PlanStep(action=operation, undo=(operation.inverse(),))
    return PlanStep(action=operation, covered=True)


def disconnect_plan(snapshot: Snapshot, request: ConnectRequest) -> Plan:
    """Return the plan that disconnects the container.

    Raises:
        UsageError: One of the two isn't there, or they aren't connected.
        CannotInspectError: The namespace was not seen.
    """
    network, container = _ends(snapshot, request)
    title = f"disconnect {clean(container.name)} from {clean(network.name)}"
    not_connected = UsageError(f"{clean(container.name)} is not connected to {clean(network.name)}", "nothing to do")
    if network.engine != LINUX.kind:
        endpoint = next((item for item in container.endpoints if item.network == network.id), None)
        if endpoint is None:
            raise not_connected
        addresses = tuple(cidr.partition("/")[0] for cidr in endpoint.addresses)
        action = DisconnectContainer(engine=network.engine, network=network.name, container=container.name)
        back = ConnectContainer(
            engine=network.engine, network=network.name, container=container.name, addresses=addresses
        )
        notes = ("connected again by undo, it has other MAC addresses and none of the aliases it was given",)
        return Plan(title=title, steps=(PlanStep(action=action, undo=(back,)),), persists=True, notes=notes)
    port = _veth(snapshot, network, container)
    if port is None:
        raise not_connected
    inside = _inside(snapshot, container)
    back_again = tuple(put_back(snapshot, network, container, inside, port))
    step = PlanStep(action=DeleteVeth(link=port.name), undo=back_again)
    kept = "its aliases, groups, queue lengths, segmentation limits and port flags, its addresses and its routes"
    lost = "other names, offloads, kernel parameters, static neighbours and forwarding entries of its own"
    told = (
        f"undo puts back the pair with {kept}; rules of routing that name it stay, and hold again then",
        f"undo does not put back what somebody else set on the pair: {lost}",
        *not_put_back(snapshot, inside, port),
    )
    return Plan(title=title, steps=(step,), notes=told)


def _ends(snapshot: Snapshot, request: ConnectRequest) -> tuple[Network, Container]:
    networks = [item for item in known_items(snapshot.networks) if request.network in (item.name, item.id)]
    networks = [item for item in networks if request.engine in ("", item.engine)]
    if len(networks) != 1:
        known = ", ".join(clean(item.name) for item in known_items(snapshot.networks)) or "none"
        what = f"{len(networks)} networks are" if networks else "there is no network"
        hint = "say which with --engine" if networks else f"networks here: {known}"
        raise UsageError(f"{what} named {clean(request.network)}", hint)
    network = networks[0]
    found = [item for item in known_items(snapshot.containers) if request.container in (item.name, item.id)]
    if not found and network.engine == LINUX.kind:
        found = [
            Container(id=f"{NETNS.kind}:{name}", name=name, engine=NETNS.kind, netns=ns.id)
            for ns in known_items(snapshot.namespaces)
            for name in ns.names
            if name == request.container and ns.kind != "host"
        ]
    if not found:
        raise UsageError(f"there is no container named {clean(request.container)}", "see `dnet-tui ls containers`")
    wanted = NETNS.kind if network.engine == LINUX.kind else network.engine
    fitting = [item for item in found if item.engine == wanted]
    if not fitting:
        title = traits_of(network.engine).title or network.engine
        msg = f"{clean(found[0].name)} is of {found[0].engine}, and the network {clean(network.name)} of {title}"
        raise UsageError(msg, f"a network of {title} takes its own containers only")
    container = fitting[0]
    if container.mode == "host" or container.joined is not None:
        raise UsageError(f"{clean(container.name)} has no network of its own", "connect the one whose network it uses")
    return network, container


def check_addresses(snapshot: Snapshot, network: Network, addresses: Sequence[str]) -> None:
    """Refuse an address that isn't one of the network's, or that somebody has.

    Raises:
        UsageError: One doesn't fit.
    """
    used = used_addresses(snapshot, network)
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            raise UsageError(f"{clean(text)!r} is not an address", "write it as 10.30.0.7") from error
        subnets = [ipaddress.ip_network(item.cidr, strict=False) for item in network.subnets]
        if not any(address in subnet for subnet in subnets):
            here = ", ".join(str(subnet) for subnet in subnets) or "none"
            raise UsageError(f"{address} is outside of {clean(network.name)}", f"its subnets: {here}")
        if str(address) in used:
            raise UsageError(f"{address} is taken", "leave --ip out for a free one")


def used_addresses(snapshot: Snapshot, network: Network) -> set[str]:
    """The addresses of a network that somebody has."""
    used = {subnet.gateway for subnet in network.subnets}
    for container in known_items(snapshot.containers):
        used |= {
            cidr.partition("/")[0]
            for endpoint in container.endpoints
            if endpoint.network == network.id
            for cidr in endpoint.addresses
        }
    for ns in known_items(snapshot.namespaces):
        used |= {item.address for item in known_items(ns.addresses)}
    host = View(snapshot).host
    if host is not None:
        used |= {item.address for item in known_items(host.neighbours) if item.state not in ("FAILED", "INCOMPLETE")}
    return used


def _inside(snapshot: Snapshot, container: Container) -> Namespace:
    inside = View(snapshot).namespaces.get(container.netns or "")
    if inside is None:
        msg = f"the namespace {clean(container.name)} was not seen"
        raise CannotInspectError(msg, "run it as root: sudo dnet-tui …")
    return inside


def _veth(snapshot: Snapshot, network: Network, container: Container) -> Link | None:
    """The port of a plain network's bridge that leads into the container."""
    view = View(snapshot)
    bridge = view.link_named(view.host.id, network.bridge) if view.host is not None else None
    if network.engine != LINUX.kind or bridge is None or view.host is None:
        return None
    ports = view.ports_of(view.host.id, bridge.ifindex)
    return next((port for port in ports if port.peer is not None and port.peer.namespace == container.netns), None)


def _plugged(
    snapshot: Snapshot, network: Network, container: Container, addresses: Sequence[str]
) -> Iterator[ByProgram]:
    """What plugs a namespace into a plain network, the veth pair first."""
    host = View(snapshot).host
    taken = {link.name for link in host.links} if host is not None else set()
    used = used_addresses(snapshot, network)
    given = list(addresses)
    for subnet in network.subnets:
        net = ipaddress.ip_network(subnet.cidr, strict=False)
        if not any(ipaddress.ip_address(item) in net for item in given):
            given.append(free_address(used, net))
    link = free_name(f"v{container.name}"[:15], taken)
    return plugged(link, network, container, _inside(snapshot, container), given)


def plugged(
    link: str, network: Network, container: Container, inside: Namespace, addresses: Sequence[str]
) -> Iterator[ByProgram]:
    """What plugs a namespace into a plain network by the veth ``link``, made first; an address for each range."""
    peer = free_name("eth0", {item.name for item in inside.links})
    yield AddVeth(link=link, peer=peer, inside=container.name, mtu=network.mtu or 0)
    yield SetLinkMaster(link=link, master=network.bridge)
    yield from _configured(network, container, inside, peer, addresses)
    yield SetLinkUp(link=link)


def _configured(
    network: Network, container: Container, inside: Namespace, peer: str, addresses: Sequence[str]
) -> Iterator[ByProgram]:
    scope = NetnsScope(id=inside.id, name=container.name)
    loopback = next((item for item in inside.links if item.name == "lo"), None)
    if loopback is not None and not loopback.up:
        yield SetLinkUp(link="lo", inside=scope)
    for subnet in network.subnets:
        net = ipaddress.ip_network(subnet.cidr, strict=False)
        address = next(item for item in addresses if ipaddress.ip_address(item) in net)
        yield AddAddress(link=peer, cidr=f"{address}/{net.prefixlen}", inside=scope)
    yield SetLinkUp(link=peer, inside=scope)
    for subnet in network.subnets:
        family: Family = "ip6" if ":" in subnet.cidr else "ip"
        if subnet.gateway and not network.internal and not ways_out(inside, family):
            spec = RouteSpec(family=family, gateway=subnet.gateway, link=peer)
            yield AddRoute(route=spec, inside=scope)


def _link_of(operations: Sequence[ByProgram]) -> str:
    first = operations[0]
    return first.link if isinstance(first, AddVeth) else ""


def free_name(wanted: str, taken: set[str]) -> str:
    """A name for a link like ``wanted`` that no other has."""
    base = wanted.rstrip("0123456789") if wanted[:3] == "eth" else wanted[:12]
    names = [wanted, *(f"{base}{number}" for number in range(1, _MOST_LINKS))]
    free = next((name for name in names if name not in taken), "")
    if not free:
        raise UsageError(f"there are too many links named like {clean(wanted)}", "remove some of them")
    return free


def free_address(used: Collection[str], net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """The first address of a range that nobody has."""
    for number, address in enumerate(net.hosts()):
        if str(address) not in used:
            return str(address)
        if number > 1 << 16:
            break
    raise UsageError(f"every address of {net} is taken", "give one with --ip, or make a larger network")
