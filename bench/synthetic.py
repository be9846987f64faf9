"""Made-up Docker hosts of any size, for benchmarks: the rules are those of Docker 20.10, parsed as if read.  Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import (
    Address,
    BridgeInfo,
    BridgePort,
    Container,
    Endpoint,
    Engine,
    Host,
    Link,
    LinkRef,
    Namespace,
    Network,
    NextHop,
    PublishedPort,
    Route,
    Snapshot,
    Socket,
    Subnet,
)
from dnet_tui.inspect.model.firewall import Firewall

HOST = "net:[1]"
_MAIN, _LOCAL = 254, 255


def host(containers: int, bridges: int, filler: int = 0) -> Snapshot:
    """A healthy host: ``containers`` spread over ``bridges``, every fourth with a published port.

    ``filler`` rules that match nothing stand in a chain that FORWARD jumps to first.
    """
    members = [(number, number % bridges) for number in range(containers)]
    spaces = [_container_space(number, bridge) for number, bridge in members]
    return Snapshot(
        tool_version="bench",
        taken_at="2026-01-01T00:00:00Z",
        host=Host(hostname="bench", kernel="6.1"),
        namespaces=(_host_space(members, bridges, filler), *spaces),
        engines=(Engine(name="docker", version="20.10", firewall="iptables"),),
        networks=tuple(_network(number) for number in range(bridges)),
        containers=tuple(_container(number, bridge) for number, bridge in members),
    )


def _name(bridge: int) -> str:
    return f"br-{bridge:04d}"


def _subnet(bridge: int) -> ipaddress.IPv4Network:
    return ipaddress.ip_network(f"10.{bridge}.0.0/16")  # type: ignore[return-value]


def _address(number: int, bridge: int) -> str:
    return str(_subnet(bridge)[number + 2])


def _published(number: int) -> bool:
    return number % 4 == 0


def _network(bridge: int) -> Network:
    return Network(
        id=f"n{bridge}",
        name=f"net{bridge}",
        engine="docker",
        bridge=_name(bridge),
        subnets=(Subnet(cidr=str(_subnet(bridge)), gateway=str(_subnet(bridge)[1])),),
        internal=False,
        icc=True,
        masquerade=True,
        isolated=True,
    )


def _container(number: int, bridge: int) -> Container:
    port = PublishedPort(host_ip="0.0.0.0", host_port=20000 + number, proto="tcp", container_port=80)  # noqa: S104
    return Container(
        id=f"{number:064x}",
        name=f"c{number}",
        engine="docker",
        pid=1000 + number,
        netns=f"net:[{number + 2}]",
        mode="bridge",
        endpoints=(Endpoint(network=f"n{bridge}", addresses=(f"{_address(number, bridge)}/16",)),),
        published=(port,) if _published(number) else (),
    )


def _route(dst: str, ifindex: int, *, gateway: str = "", table: int = _MAIN, kind: str = "unicast") -> Route:
    return Route(
        family="ip", table=table, type=kind, dst=dst, hops=(NextHop(ifindex=ifindex, gateway=gateway or None),)
    )


def _container_space(number: int, bridge: int) -> Namespace:
    address = _address(number, bridge)
    peer = LinkRef(namespace=HOST, ifindex=1000 + number)
    return Namespace(
        id=f"net:[{number + 2}]",
        inode=number + 2,
        kind="container",
        links=(
            Link(ifindex=1, name="lo", kind="loopback", up=True, carrier=True),
            Link(ifindex=2, name="eth0", kind="veth", up=True, carrier=True, mtu=1500, peer=peer),
        ),
        addresses=(Address(ifindex=2, family="ip", address=address, prefixlen=16),),
        routes=(
            _route("0.0.0.0/0", 2, gateway=str(_subnet(bridge)[1])),
            _route(str(_subnet(bridge)), 2),
            _route(f"{address}/32", 2, table=_LOCAL, kind="local"),
        ),
        sockets=(Socket(proto="tcp", address="0.0.0.0", port=80),),  # noqa: S104
        firewall=Firewall(),
    )


def _host_space(members: list[tuple[int, int]], bridges: int, filler: int) -> Namespace:
    links = [
        Link(ifindex=1, name="lo", kind="loopback", up=True, carrier=True),
        Link(ifindex=2, name="eth0", up=True, carrier=True, mtu=1500),
    ]
    addresses = [Address(ifindex=2, family="ip", address="203.0.113.2", prefixlen=24)]
    routes = [_route("0.0.0.0/0", 2, gateway="203.0.113.1"), _route("203.0.113.0/24", 2)]
    routes.append(_route("203.0.113.2/32", 2, table=_LOCAL, kind="local"))
    for bridge in range(bridges):
        gateway = str(_subnet(bridge)[1])
        links.append(
            Link(ifindex=10 + bridge, name=_name(bridge), kind="bridge", up=True, carrier=True, bridge=BridgeInfo())
        )
        addresses.append(Address(ifindex=10 + bridge, family="ip", address=gateway, prefixlen=16))
        routes.append(_route(str(_subnet(bridge)), 10 + bridge))
        routes.append(_route(f"{gateway}/32", 10 + bridge, table=_LOCAL, kind="local"))
    for number, bridge in members:
        links.append(
            Link(
                ifindex=1000 + number,
                name=f"veth{number}",
                kind="veth",
                up=True,
                carrier=True,
                master=10 + bridge,
                peer=LinkRef(namespace=f"net:[{number + 2}]", ifindex=2),
                port=BridgePort(state="forwarding"),
            )
        )
    sysctls = {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}
    for link in links:
        sysctls[f"net.ipv4.conf.{link.name}.forwarding"] = "1"
        sysctls[f"net.ipv4.conf.{link.name}.rp_filter"] = "0"
    tables = parse_save(ruleset(members, bridges, filler), backend="iptables-nft", family="ip")
    return Namespace(
        id=HOST,
        inode=1,
        kind="host",
        links=tuple(links),
        addresses=tuple(addresses),
        routes=tuple(routes),
        sysctls=sysctls,
        firewall=Firewall(tables=tables),
    )


def ruleset(members: list[tuple[int, int]], bridges: int, filler: int) -> str:
    """What ``iptables-save`` would print on such a host."""
    return "\n".join([*_filter(members, bridges, filler), *_nat(members, bridges), ""])


def _filter(members: list[tuple[int, int]], bridges: int, filler: int) -> Iterator[str]:
    yield "*filter"
    yield from (":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
    for chain in ("DOCKER", "DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2", "DOCKER-USER", "FILLER"):
        yield f":{chain} - [0:0]"
    if filler:
        yield "-A FORWARD -j FILLER"
    yield from ("-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1")
    for bridge in map(_name, range(bridges)):
        yield f"-A FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        yield f"-A FORWARD -o {bridge} -j DOCKER"
        yield f"-A FORWARD -i {bridge} ! -o {bridge} -j ACCEPT"
        yield f"-A FORWARD -i {bridge} -o {bridge} -j ACCEPT"
    for number, bridge in members:
        if _published(number):
            name, address = _name(bridge), _address(number, bridge)
            yield f"-A DOCKER -d {address}/32 ! -i {name} -o {name} -p tcp -m tcp --dport 80 -j ACCEPT"
    for bridge in map(_name, range(bridges)):
        yield f"-A DOCKER-ISOLATION-STAGE-1 -i {bridge} ! -o {bridge} -j DOCKER-ISOLATION-STAGE-2"
        yield f"-A DOCKER-ISOLATION-STAGE-2 -o {bridge} -j DROP"
    yield "-A DOCKER-USER -j RETURN"
    for number in range(filler):
        source = f"192.168.{number // 250 % 250}.{number % 250 + 1}"
        yield f"-A FILLER -s {source}/32 -p tcp -m tcp --dport {1024 + number % 60000} -j DROP"
    yield "COMMIT"


def _nat(members: list[tuple[int, int]], bridges: int) -> Iterator[str]:
    yield "*nat"
    yield from (":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]")
    yield ":DOCKER - [0:0]"
    yield "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    yield "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER"
    for bridge in range(bridges):
        yield f"-A POSTROUTING -s {_subnet(bridge)} ! -o {_name(bridge)} -j MASQUERADE"
    for number, bridge in members:
        if _published(number):
            target = f"{_address(number, bridge)}:80"
            rule = f"! -i {_name(bridge)} -p tcp -m tcp --dport {20000 + number} -j DNAT --to-destination {target}"
            yield f"-A DOCKER {rule}"
    yield "COMMIT"
