"""What the disposable host consists of, and the batches that build it.  Pure.

The rules are those that Docker 20.10 writes for the same networks, chain for
chain and in its order (seen in ``iptables-save`` of a 20.10.24 host).
Addresses of the "internet" come from TEST-NET-2 and -3 (RFC 5737); it has no
route back to the containers' subnets, so that only masqueraded traffic is
answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from dnet_tui.inspect.model.network_label import Intention, encode


@dataclass(frozen=True, kw_only=True)
class Service:
    """Ports on which a namespace answers: TCP with its name over HTTP, UDP with an echo."""

    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DemoContainer:
    """A container: a named namespace with ``eth0`` in a bridge.  ``published`` maps host TCP ports to its own."""

    name: str
    address: str
    service: Service = Service()
    published: tuple[tuple[int, int], ...] = ()

    @property
    def veth(self) -> str:
        """The host's end of its veth pair."""
        return f"veth-{self.name}"


@dataclass(frozen=True, kw_only=True)
class DemoNetwork:
    """A bridge network; ``gateway`` is the bridge's address with its prefix length."""

    name: str
    bridge: str
    gateway: str
    members: tuple[DemoContainer, ...]
    internal: bool = False

    @property
    def subnet(self) -> IPv4Network:
        """The network's subnet."""
        return IPv4Interface(self.gateway).network

    @property
    def router(self) -> str:
        """The bridge's address."""
        return str(IPv4Interface(self.gateway).ip)

    @property
    def intention(self) -> Intention:
        """What the network promises; kept in the bridge's alias."""
        return Intention(name=self.name, masquerade=not self.internal, isolated=True, internal=self.internal, icc=True)


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The whole host.  ``outside`` is the namespace at the far end of the uplink."""

    nets: tuple[DemoNetwork, ...]
    uplink: str = "eth0"
    uplink_address: str = "203.0.113.2/24"
    outside: str = "internet"
    outside_address: str = "203.0.113.1/24"
    outside_server: str = "198.51.100.10"
    outside_service: Service = Service(tcp=(80,), udp=(53,))

    @property
    def members(self) -> tuple[DemoContainer, ...]:
        """The containers of all networks."""
        return tuple(member for net in self.nets for member in net.members)

    @property
    def services(self) -> dict[str, Service]:
        """What runs in each namespace."""
        return {self.outside: self.outside_service} | {member.name: member.service for member in self.members}


DEMO = Topology(
    nets=(
        DemoNetwork(
            name="front",
            bridge="br-front",
            gateway="172.30.1.1/24",
            members=(
                DemoContainer(
                    name="web",
                    address="172.30.1.2/24",
                    service=Service(tcp=(80,), udp=(53,)),
                    published=((8080, 80),),
                ),
                DemoContainer(name="api", address="172.30.1.3/24", service=Service(tcp=(80,), udp=(53,))),
            ),
        ),
        DemoNetwork(
            name="back",
            bridge="br-back",
            gateway="172.30.2.1/24",
            members=(DemoContainer(name="db", address="172.30.2.2/24", service=Service(tcp=(80, 5432), udp=(53,))),),
        ),
        DemoNetwork(
            name="vault",
            bridge="br-vault",
            gateway="172.30.3.1/24",
            internal=True,
            members=(DemoContainer(name="vault", address="172.30.3.2/24", service=Service(tcp=(80,))),),
        ),
    )
)
"""The host that ``dnet-tui demo`` shows."""

BARE = Topology(nets=())
"""Only the uplink and the "internet": a host on which a real engine can be started."""


def host_batch(topology: Topology) -> str:
    """Return the ``ip -batch`` input that makes namespaces, uplink, bridges and veths on the host."""
    return "\n".join([*_uplink_lines(topology), *(line for net in topology.nets for line in _net_lines(net)), ""])


def _uplink_lines(topology: Topology) -> Iterator[str]:
    yield f"netns add {topology.outside}"
    yield f"link add {topology.uplink} type veth peer name eth0 netns {topology.outside}"
    yield f"address add {topology.uplink_address} dev {topology.uplink}"
    yield f"link set {topology.uplink} up"
    yield f"route add default via {IPv4Interface(topology.outside_address).ip}"


def _net_lines(net: DemoNetwork) -> Iterator[str]:
    yield f"link add {net.bridge} type bridge"
    # ip's batch reader knows single quotes; the alias is JSON and has only double ones.
    yield f"link set {net.bridge} alias '{encode(net.intention)}'"
    yield f"address add {net.gateway} dev {net.bridge}"
    yield f"link set {net.bridge} up"
    for member in net.members:
        yield f"netns add {member.name}"
        yield f"link add {member.veth} type veth peer name eth0 netns {member.name}"
        yield f"link set {member.veth} master {net.bridge} up"


def inner_batches(topology: Topology) -> dict[str, str]:
    """Return, by namespace, the ``ip -batch`` input to run inside it.

    A container of an internal network gets no default route, as in Docker.
    """
    batches = {
        topology.outside: [
            "link set lo up",
            f"address add {topology.outside_server}/32 dev lo",
            f"address add {topology.outside_address} dev eth0",
            "link set eth0 up",
        ]
    }
    for net in topology.nets:
        for member in net.members:
            batches[member.name] = [
                "link set lo up",
                f"address add {member.address} dev eth0",
                "link set eth0 up",
                *([] if net.internal else [f"route add default via {net.router}"]),
            ]
    return {name: "\n".join([*lines, ""]) for name, lines in batches.items()}


def rules(topology: Topology) -> str:
    """Return the ``iptables-restore`` input for the host, as Docker 20.10 would have written it."""
    return "\n".join([*_filter_lines(topology), *_nat_lines(topology), ""])


def _filter_lines(topology: Topology) -> Iterator[str]:
    yield from ("*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
    for chain in ("DOCKER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER"):
        yield f":{chain} - [0:0]"
    yield "-A FORWARD -j DOCKER-USER"
    yield "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"
    internal = [net for net in topology.nets if net.internal]
    routed = [net for net in topology.nets if not net.internal]
    for net in internal:
        yield f"-A FORWARD -i {net.bridge} -o {net.bridge} -j ACCEPT"
    for net in routed:
        yield f"-A FORWARD -o {net.bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        yield f"-A FORWARD -o {net.bridge} -j DOCKER"
        yield f"-A FORWARD -i {net.bridge} ! -o {net.bridge} -j ACCEPT"
        yield f"-A FORWARD -i {net.bridge} -o {net.bridge} -j ACCEPT"
    for net, address, _, port in published(topology):
        yield f"-A DOCKER -d {address}/32 ! -i {net.bridge} -o {net.bridge} -p tcp -m tcp --dport {port} -j ACCEPT"
    for net in internal:
        yield f"-A DOCKER-ISOLATION-STAGE-1 ! -s {net.subnet} -o {net.bridge} -j DROP"
        yield f"-A DOCKER-ISOLATION-STAGE-1 ! -d {net.subnet} -i {net.bridge} -j DROP"
    for net in routed:
        yield f"-A DOCKER-ISOLATION-STAGE-1 -i {net.bridge} ! -o {net.bridge} -j DOCKER-ISOLATION-STAGE-2"
    yield "-A DOCKER-ISOLATION-STAGE-1 -j RETURN"
    for net in routed:
        yield f"-A DOCKER-ISOLATION-STAGE-2 -o {net.bridge} -j DROP"
    yield "-A DOCKER-ISOLATION-STAGE-2 -j RETURN"
    yield "-A DOCKER-USER -j RETURN"
    yield "COMMIT"


def _nat_lines(topology: Topology) -> Iterator[str]:
    yield from ("*nat", ":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]")
    yield from (":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]", ":DOCKER - [0:0]")
    yield "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    yield "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"
    routed = [net for net in topology.nets if not net.internal]
    for net in routed:
        yield f"-A POSTROUTING -s {net.subnet} ! -o {net.bridge} -j MASQUERADE"
    for _, address, _, port in published(topology):
        yield f"-A POSTROUTING -s {address}/32 -d {address}/32 -p tcp -m tcp --dport {port} -j MASQUERADE"
    for net in routed:
        yield f"-A DOCKER -i {net.bridge} -j RETURN"
    for net, address, host_port, port in published(topology):
        to = f"{address}:{port}"
        yield f"-A DOCKER ! -i {net.bridge} -p tcp -m tcp --dport {host_port} -j DNAT --to-destination {to}"
    yield "COMMIT"


def published(topology: Topology) -> list[tuple[DemoNetwork, str, int, int]]:
    """Return every published port as (network, container's address, host's port, container's port)."""
    return [
        (net, str(IPv4Interface(member.address).ip), host_port, port)
        for net in topology.nets
        for member in net.members
        for host_port, port in member.published
    ]
