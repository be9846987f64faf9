"""The flows that ought to pass, or ought not to, by the networks' own options.  Pure.

Each is walked there and back.  A network that asks for nothing (an intention
of None) yields no expectation, so nothing is ever reported against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Literal

import msgspec

from dnet_tui.diagnostics.case import INFERRED, OUTSIDE, Case, Member
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, Truth, Walk
from dnet_tui.diagnostics.walk.trip import reply, walk
from dnet_tui.inspect.model import Container, LinkRef, Network, PublishedPort

_EPHEMERAL = 40000
_UNPUBLISHED = 65001
_YES = {"1", "true"}

_DNS = 53

Kind = Literal["egress", "same-network", "cross-network", "published", "host-to-container", "names"]


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow with what is expected of it.

    ``source`` and ``target`` are names for people.  ``container`` and ``port``
    are those of a published port.
    """

    kind: Kind
    network: Network
    source: str
    target: str
    expected: bool
    member: Member | None = None
    other: Network | None = None
    container: Container | None = None
    port: PublishedPort | None = None
    forward: Walk
    answer: Walk | None = None

    @property
    def arrives(self) -> Truth:
        """Whether it gets there and its answer gets back."""
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        return False if False in ways else None if None in ways else True

    @property
    def obstacles(self) -> tuple[tuple[Literal["there", "back"], Obstacle], ...]:
        """Everything in the way, in the order met, on the way there and on the way back."""
        back = self.answer.obstacles if self.answer is not None else ()
        both: tuple[tuple[Literal["there", "back"], Obstacle], ...] = (
            *(("there", item) for item in self.forward.obstacles),
            *(("back", item) for item in back),
            *self._lost,
        )
        if self.kind != "host-to-container":
            return both
        # What the host's own rules let its own programs do is nobody's promise.
        return tuple(item for item in both if item[1].by.kind not in {"rule", "policy"})

    @property
    def _lost(self) -> tuple[tuple[Literal["there", "back"], Obstacle], ...]:
        """What takes a packet off the host, though its place is a container on it."""
        inward = self.kind == "host-to-container" or (self.kind == "published" and self.forward.last.dnatted)
        if inward and self.forward.end == "left":
            return (("there", _led_away(self.forward)),)
        if self.kind == "egress" and self.answer is not None and self.answer.end == "left":
            return (("back", _led_away(self.answer)),)
        return ()

    @property
    def label(self) -> str:
        """The flow in words, such as ``web → outside``."""
        return f"{self.source} → {self.target}"


def derive(case: Case) -> tuple[Flow, ...]:
    """Every flow that the host's networks ask for, walked."""
    return (
        *_egress(case),
        *_same_network(case),
        *_cross_network(case),
        *_published(case),
        *_from_host(case),
        *_names(case),
    )


def _led_away(gone: Walk) -> Obstacle:
    """The routing decision that sent a packet out of the host."""
    hops = [hop for hop in gone.hops if hop.stage == "routing" and hop.namespace == gone.last_namespace]
    text = hops[-1].verdict if hops else f"leaves by {gone.exits}"
    by = Decider(kind="route", text=text, namespace=gone.last_namespace, value=gone.exits)
    return Obstacle(end="unreachable", stage="routing", by=by, packet=gone.last)


def _tcp(src: str, dst: str, port: int) -> Packet:
    return Packet(src=src, dst=dst, proto="tcp", sport=_EPHEMERAL, dport=port, tcp_flags=("SYN",))


def _egress(case: Case) -> Iterator[Flow]:
    """Container → internet, for containers with a network that isn't internal."""
    if not case.uplinks:
        return
    seen: set[str] = set()
    for network in case.networks:
        if network.internal or network.gateway_mode4 == "isolated" or network.options.get("no_default_route") in _YES:
            continue
        for member in case.members(network):
            if member.namespace in seen or not _leaves_by(case, network, member):
                continue
            seen.add(member.namespace)
            packet = _tcp(member.address, OUTSIDE, 443)
            forward = walk(case.view, packet, origin=member.namespace, outside=True, beyond=True)
            translated = forward.last.snatted or network.masquerade is not True
            answer = reply(case.view, forward, beyond=True) if forward.exits and translated else None
            yield Flow(
                kind="egress",
                network=network,
                source=member.container.name,
                target="outside",
                expected=True,
                member=member,
                forward=forward,
                answer=answer,
            )


def _leaves_by(case: Case, network: Network, member: Member) -> bool:
    """Whether the container's way out leads over this network (or it has none at all, though it should)."""
    ns = case.view.namespaces[member.namespace]
    defaults = {
        hop.ifindex for route in ns.routes if route.family == "ip" and route.dst == "0.0.0.0/0" for hop in route.hops
    }
    if not defaults:
        return network.engine != INFERRED
    return member.link.ifindex in defaults


def _same_network(case: Case) -> Iterator[Flow]:
    """Neighbours on one network: they reach each other unless icc is off."""
    for network in case.networks:
        members = case.members(network)
        for one, two in pairwise(members):
            if network.icc is None:
                continue
            packet = _tcp(one.address, two.address, _UNPUBLISHED)
            forward = walk(case.view, packet, origin=one.namespace, beyond=network.icc)
            answer = reply(case.view, forward, beyond=True) if network.icc and forward.last.dst == two.address else None
            yield Flow(
                kind="same-network",
                network=network,
                source=one.container.name,
                target=two.container.name,
                expected=network.icc,
                member=one,
                forward=forward,
                answer=answer if answer is not None and forward.last_namespace == two.namespace else None,
            )


def _cross_network(case: Case) -> Iterator[Flow]:
    """Containers of separate networks: kept apart where the target's network asks for it."""
    for here, there in permutations(case.networks, 2):
        if here.engine != there.engine or not _kept_apart(here, there):
            continue
        pair = next(
            ((a, b) for a in case.members(here) for b in case.members(there) if a.namespace != b.namespace), None
        )
        if pair is None or _share(case, *pair):
            continue
        one, two = pair
        # A routed network's published ports are there for everybody (Docker 28), other networks included.
        open_ports = () if there.gateway_mode4 == "routed" else two.container.published
        ports = [item.container_port for item in open_ports if item.proto == "tcp"]
        for port in dict.fromkeys((_UNPUBLISHED, *ports)):
            forward = walk(case.view, _tcp(one.address, two.address, port), origin=one.namespace)
            yield Flow(
                kind="cross-network",
                network=here,
                other=there,
                source=one.container.name,
                target=two.container.name,
                expected=False,
                member=one,
                forward=forward,
            )


def _kept_apart(here: Network, there: Network) -> bool:
    """Whether one network asks that the other can't reach it; with Podman's ``isolate``, both have to ask."""
    both = (here.options.get("isolate"), there.options.get("isolate"))
    return bool(there.isolated) or (here.engine == "podman" and both[0] in _YES and both[1] in _YES)


def _share(case: Case, one: Member, two: Member) -> bool:
    """Whether two containers have a network in common: then they may talk, by that one."""
    return any(
        {one.namespace, two.namespace} <= {member.namespace for member in case.members(network)}
        for network in case.networks
    )


def _published(case: Case) -> Iterator[Flow]:
    """Outside → published port, on every uplink whose address it is bound to."""
    host = case.view.host
    if host is None:
        return
    for container in case.snapshot.containers:
        if container.netns is None or not container.running:
            continue
        network = _home(case, container)
        for port in container.published:
            if network is None or port.proto not in {"tcp", "udp"} or ":" in port.host_ip:
                continue
            for uplink in case.uplinks:
                if (address := case.uplink_address(uplink)) and port.host_ip in {"", "0.0.0.0", address}:  # noqa: S104
                    yield _arriving(case, container, network, port, uplink, address)


def _from_host(case: Case) -> Iterator[Flow]:
    """Host → one container of each network, on a port that it listens on."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        source = case.bridge_address(network)
        found = next(((m, p) for m in case.members(network) if (p := _listens(case, m)) is not None), None)
        if found is None or not source or host is None:
            continue
        member, port = found
        forward = walk(case.view, _tcp(source, member.address, port), origin=host.id, outside=True, beyond=True)
        yield Flow(
            kind="host-to-container",
            network=network,
            source="host",
            target=member.container.name,
            expected=True,
            member=member,
            forward=forward,
        )


def _listens(case: Case, member: Member) -> int | None:
    """A TCP port that something in the container listens on, on its address."""
    wild = {"0.0.0.0", "::", member.address}  # noqa: S104 - compared with, not bound to
    sockets = case.view.namespaces[member.namespace].sockets
    return min((item.port for item in sockets if item.proto == "tcp" and item.address in wild), default=None)


def _names(case: Case) -> Iterator[Flow]:
    """One container of each network → the name server that listens on the bridge's own address."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        address = case.bridge_address(network)
        members = case.members(network)
        serves = host is not None and any(
            (item.proto, item.port, item.address) == ("udp", _DNS, address) for item in host.sockets
        )
        if not serves or not members:
            continue
        packet = Packet(src=members[0].address, dst=address, proto="udp", sport=_EPHEMERAL, dport=_DNS)
        forward = walk(case.view, packet, origin=members[0].namespace, beyond=True)
        yield Flow(
            kind="names",
            network=network,
            source=members[0].container.name,
            target=f"name server {address}",
            expected=True,
            member=members[0],
            forward=forward,
        )


def _home(case: Case, container: Container) -> Network | None:
    return next((net for net in case.networks if any(m.namespace == container.netns for m in case.members(net))), None)


def _arriving(
    case: Case, container: Container, network: Network, port: PublishedPort, uplink: str, address: str
) -> Flow:
    view = case.view
    host = view.host
    link = view.link_named(host.id, uplink) if host else None
    if host is None or link is None:
        msg = f"uplink {uplink} is not a link of the host"
        raise ValueError(msg)
    packet = Packet(
        src=OUTSIDE,
        dst=address,
        proto=port.proto,
        sport=_EPHEMERAL,
        dport=port.host_port,
        tcp_flags=("SYN",) if port.proto == "tcp" else (),
    )
    arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    forward = walk(view, packet, origin=host.id, arriving=arriving, beyond=True)
    inside = forward.last_namespace == container.netns
    return Flow(
        kind="published",
        network=network,
        source="outside",
        target=f"{address}:{port.host_port} ({container.name}:{port.container_port})",
        expected=True,
        container=container,
        port=port,
        forward=forward,
        answer=reply(view, forward, beyond=True) if inside else None,
    )
