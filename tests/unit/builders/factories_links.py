"""The small Docker host with its links, addresses, routes and containers changed in one thing each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    BridgePort,
    Container,
    Engine,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    PublishedPort,
    Route,
    Snapshot,
    Socket,
    Subnet,
)
from unit.builders.factories import (
    ANY,
    APP1,
    APP2,
    BR_APP,
    DOCKER0,
    HOST,
    UPLINK,
    VETH_APP1,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_sysctl,
)

NF_CALL = "net.bridge.bridge-nf-call-iptables"


def namespace(snapshot: Snapshot, ident: str) -> Namespace:
    return next(ns for ns in snapshot.namespaces if ns.id == ident)


def port(snapshot: Snapshot, name: str, **settings: Any) -> Snapshot:
    """The snapshot with a bridge port's flags changed."""
    link = next(link for link in namespace(snapshot, HOST).links if link.name == name)
    assert link.port is not None
    return with_link(snapshot, HOST, name, port=msgspec.structs.replace(link.port, **settings))


def adding(snapshot: Snapshot, ident: str, field: str, *items: object) -> Snapshot:
    """The snapshot with items added to a list of a namespace."""
    return with_namespace(snapshot, ident, **{field: (*getattr(namespace(snapshot, ident), field), *items)})


def without(snapshot: Snapshot, ident: str, field: str, unwanted: Callable[[Any], bool]) -> Snapshot:
    kept = tuple(item for item in getattr(namespace(snapshot, ident), field) if not unwanted(item))
    return with_namespace(snapshot, ident, **{field: kept})


def network(snapshot: Snapshot, name: str, **changes: object) -> Snapshot:
    networks = tuple(msgspec.structs.replace(net, **changes) if net.name == name else net for net in snapshot.networks)
    return msgspec.structs.replace(snapshot, networks=networks)


def proxyless(snapshot: Snapshot | None = None) -> Snapshot:
    """The host as Docker makes it without its userland proxy, all three of its switches set."""
    base = snapshot or docker_like_snapshot()
    engine = Engine(name="docker", version="20.10.24", userland_proxy=False)
    base = with_namespace(msgspec.structs.replace(base, engines=(engine,)), HOST, sockets=())
    for name in ("veth5f0a1b2", "veth77c3d4e", "veth99e5f60"):
        base = port(base, name, hairpin=True)
    for bridge in ("docker0", "br-app"):
        base = with_sysctl(base, f"net.ipv4.conf.{bridge}.route_localnet", "1")
    return base


def published_on_app() -> Snapshot:
    """Without a proxy, and app1, which has a neighbour, publishes a port."""
    base = proxyless()
    wish = PublishedPort(host_ip=ANY, host_port=9000, proto="tcp", container_port=80)
    rules = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="nat",
        chain="DOCKER",
        spec="-p tcp -m tcp --dport 9000 -j DNAT --to-destination 10.10.0.2:80",
    )
    accept = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="filter",
        chain="DOCKER",
        spec="-d 10.10.0.2/32 ! -i br-app -o br-app -p tcp -m tcp --dport 80 -j ACCEPT",
    )
    containers = tuple(
        msgspec.structs.replace(item, published=(wish,)) if item.name == "app1" else item for item in base.containers
    )
    return msgspec.structs.replace(after(base, [rules, accept]), containers=containers)


def bridge_down() -> Snapshot:
    """docker0 down, as the kernel leaves it: its route gone, its ports disabled."""
    base = with_link(docker_like_snapshot(), HOST, "docker0", up=False, carrier=False, operstate="DOWN")
    base = port(base, "veth5f0a1b2", state="disabled")
    return without(base, HOST, "routes", lambda item: item.dst == "172.17.0.0/16")


def bridge_bare() -> Snapshot:
    """docker0 without its address, and so without its routes."""
    base = without(docker_like_snapshot(), HOST, "addresses", lambda item: item.address == "172.17.0.1")
    return without(base, HOST, "routes", lambda item: item.hops[0].ifindex == DOCKER0)


def bridge_narrow(length: int = 32) -> Snapshot:
    """docker0 with its address, but with another prefix length than its network's."""
    return after(bridge_bare(), [AddAddress(link="docker0", cidr=f"172.17.0.1/{length}")])


def orphan(master: int | None = None) -> Snapshot:
    return with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", master=master, port=None)


def neighbour(state: str, mac: str = "02:00:00:00:00:99", ifindex: int = DOCKER0) -> Snapshot:
    entry = Neighbour(ifindex=ifindex, family="ip", address="172.17.0.2", mac=mac, state=state)
    return adding(docker_like_snapshot(), HOST, "neighbours", entry)


def twice(**settings: Any) -> Snapshot:
    address = Address(ifindex=VETH_APP1 + 1, family="ip", address="10.10.0.2", prefixlen=24, **settings)
    return adding(docker_like_snapshot(), APP2, "addresses", address)


def same_mac() -> Snapshot:
    mac = next(link.mac for link in namespace(docker_like_snapshot(), APP1).links if link.name == "eth0")
    return with_link(docker_like_snapshot(), APP2, "eth0", mac=mac)


def table_52(*routes: Route) -> Snapshot:
    """A policy rule before the main one, and its table."""
    base = adding(docker_like_snapshot(), HOST, "policy_rules", PolicyRule(family="ip", priority=5270, table=52))
    return adding(base, HOST, "routes", *routes)


def vpn(*, cidr: str = "", routes: tuple[Route, ...] = (), kind: str = "tun") -> Snapshot:
    """A VPN's device with an address and routes."""
    link = Link(ifindex=30, name="tun0", kind=kind, mtu=1500, up=True, carrier=True, operstate="UP")
    base = adding(docker_like_snapshot(), HOST, "links", link)
    if cidr:
        address, _, length = cidr.partition("/")
        base = adding(base, HOST, "addresses", Address(ifindex=30, family="ip", address=address, prefixlen=int(length)))
    return adding(base, HOST, "routes", *routes)


def default_via(gateway: str | None, ident: str = APP1) -> Snapshot:
    base = without(docker_like_snapshot(), ident, "routes", lambda item: item.dst == "0.0.0.0/0")
    return base if gateway is None else adding(base, ident, "routes", route("0.0.0.0/0", ifindex=7, gateway=gateway))


def multi(*, strict: str) -> Snapshot:
    """Web is on br-app too, its way out, while its port is published by docker0."""
    base = docker_like_snapshot()
    inner = Link(
        ifindex=21,
        name="eth1",
        kind="veth",
        mac="02:42:0a:0a:00:05",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UP",
        peer=LinkRef(namespace=HOST, ifindex=22),
    )
    outer = msgspec.structs.replace(
        inner,
        ifindex=22,
        name="vethmulti",
        mac="02:42:00:00:00:22",
        peer=LinkRef(namespace=WEB, ifindex=21),
        master=BR_APP,
        port=BridgePort(state="forwarding"),
    )
    base = adding(adding(base, WEB, "links", inner), HOST, "links", outer)
    base = adding(base, WEB, "addresses", Address(ifindex=21, family="ip", address="10.10.0.5", prefixlen=24))
    base = without(base, WEB, "routes", lambda item: item.dst == "0.0.0.0/0")
    base = adding(
        base,
        WEB,
        "routes",
        route("0.0.0.0/0", ifindex=21, gateway="10.10.0.1"),
        route("10.10.0.0/24", ifindex=21, source="10.10.0.5", scope="link", protocol="kernel"),
        route("10.10.0.5/32", ifindex=21, table=255, type="local", source="10.10.0.5", scope="host"),
    )
    return with_sysctl(base, "net.ipv4.conf.br-app.rp_filter", strict)


def narrow(*, rule: str = "", mtu: int = 1300) -> Snapshot:
    """An uplink that takes less than containers send, and perhaps a rule of OUTPUT."""
    base = with_link(docker_like_snapshot(), HOST, "eth0", mtu=mtu)
    return after(base, [filter_rule("OUTPUT", rule)]) if rule else base


def filter_rule(chain: str, spec: str) -> InsertRule:
    return InsertRule(backend="iptables-nft", family="ip", table="filter", chain=chain, spec=spec, position=1)


def served(*, rule: str = "") -> Snapshot:
    """A name server on docker0's address, as aardvark-dns, and perhaps a rule of INPUT."""
    server = Socket(proto="udp", address="172.17.0.1", port=53, process="aardvark-dns")
    base = adding(docker_like_snapshot(), HOST, "sockets", server)
    return after(base, [filter_rule("INPUT", rule)]) if rule else base


def six(**sysctls: str) -> Snapshot:
    """The network app has IPv6, and the host a way out by it."""
    base = network(
        docker_like_snapshot(),
        "app",
        ipv6=True,
        subnets=(Subnet(cidr="10.10.0.0/24", gateway="10.10.0.1"), Subnet(cidr="fd00:10::/64", gateway="fd00:10::1")),
    )
    mine = Address(ifindex=7, family="ip6", address="fd00:10::2", prefixlen=64, flags=("permanent",))
    base = adding(base, APP1, "addresses", mine)
    near = Route(family="ip6", table=254, type="unicast", dst="fd00:10::/64", hops=(NextHop(ifindex=7),))
    away = Route(family="ip6", table=254, type="unicast", dst="::/0", hops=(NextHop(ifindex=7, gateway="fd00:10::1"),))
    base = adding(base, APP1, "routes", near, away, local6("fd00:10::2", 7))
    router = Address(ifindex=BR_APP, family="ip6", address="fd00:10::1", prefixlen=64)
    base = adding(base, HOST, "addresses", router)
    onlink = msgspec.structs.replace(near, hops=(NextHop(ifindex=BR_APP),))
    base = adding(base, HOST, "routes", onlink, local6("fd00:10::1", BR_APP), local6("2001:db8::2", UPLINK))
    out = Address(ifindex=UPLINK, family="ip6", address="2001:db8::2", prefixlen=64, flags=("mngtmpaddr",))
    base = adding(base, HOST, "addresses", out)
    base = adding(base, HOST, "routes", default6("ra"))
    keys = {"all.forwarding": "1", "eth0.accept_ra": "2"} | {key.replace("_DOT_", "."): v for key, v in sysctls.items()}
    for key, value in keys.items():
        base = with_sysctl(base, f"net.ipv6.conf.{key}", value)
    return base


def local6(address: str, ifindex: int) -> Route:
    """The route that makes an address a namespace's own."""
    return Route(family="ip6", table=255, type="local", dst=f"{address}/128", hops=(NextHop(ifindex=ifindex),))


def default6(protocol: str) -> Route:
    hop = NextHop(ifindex=UPLINK, gateway="fe80::1")
    return Route(family="ip6", table=254, type="unicast", dst="::/0", hops=(hop,), protocol=protocol)


def conntrack(count: int, most: int = 1000) -> Snapshot:
    base = with_sysctl(docker_like_snapshot(), "net.netfilter.nf_conntrack_count", str(count))
    return with_sysctl(base, "net.netfilter.nf_conntrack_max", str(most))


def crowded(ports: int) -> Snapshot:
    """docker0 with so many ports, those of containers that aren't in the snapshot."""
    links = (
        Link(ifindex=1000 + n, name=f"veth{n}", kind="veth", up=True, master=DOCKER0, peer_note="its peer was not seen")
        for n in range(ports - 1)
    )
    return adding(docker_like_snapshot(), HOST, "links", *links)


def stopped(*sockets: Socket, running: bool = False) -> Snapshot:
    """A container that wants port 9099, and who listens."""
    wish = PublishedPort(host_ip=ANY, host_port=9099, proto="tcp", container_port=80)
    late = Container(id="late", name="late", engine="docker", mode="bridge", running=running, wanted=(wish,))
    base = docker_like_snapshot()
    return adding(msgspec.structs.replace(base, containers=(*base.containers, late)), HOST, "sockets", *sockets)


def unwilling_router() -> Snapshot:
    """app1 leaves by app2, which does not forward."""
    return with_sysctl(default_via("10.10.0.3"), "net.ipv4.conf.eth0.forwarding", "0", APP2)


def on_the_inside() -> Snapshot:
    """Web is on an internal network too, and leaves by it."""
    return network(multi(strict="0"), "app", internal=True, masquerade=False)


HELD = Socket(proto="tcp", address=ANY, port=9099, process="nginx", pid=4711)
DROP_ICMP = "-p icmp -j DROP"


def removed(spec: str) -> DeleteRule:
    """The deletion of a rule of FORWARD."""
    firewall = namespace(docker_like_snapshot(), HOST).firewall
    assert firewall is not None
    chain = next(chain for table in firewall.tables for chain in table.chains if chain.name == "FORWARD")
    number = next(rule.number for rule in chain.rules if rule.text == spec)
    return DeleteRule(backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=spec, position=number)


def host_only(snapshot: Snapshot) -> Snapshot:
    """docker0's container gone."""
    kept = tuple(item for item in snapshot.containers if item.name != "web")
    base = msgspec.structs.replace(snapshot, containers=kept)
    return without(base, HOST, "links", lambda link: link.name == "veth5f0a1b2")


def default_less(snapshot: Snapshot, ident: str = WEB) -> Snapshot:
    return without(snapshot, ident, "routes", lambda item: item.dst == "0.0.0.0/0")


def network_without_members(*, up: bool) -> Snapshot:
    """docker0 after its last container went."""
    base = host_only(docker_like_snapshot())
    base = without(base, HOST, "sockets", lambda socket: socket.port == 8080)
    return with_link(base, HOST, "docker0", up=up, carrier=False, operstate="DOWN")


def orphan_of_nobody() -> Snapshot:
    """A routed veth whose namespace no engine explains."""
    base = orphan()
    kept = tuple(item for item in base.containers if item.name != "web")
    return msgspec.structs.replace(base, containers=kept)


def router() -> Snapshot:
    """app1 leaves by app2, which forwards."""
    base = default_via("10.10.0.3")
    for device in ("all", "eth0"):
        base = with_sysctl(base, f"net.ipv4.conf.{device}.forwarding", "1", APP2)
    return with_sysctl(base, "net.ipv4.ip_forward", "1", APP2)


def inside_only() -> Snapshot:
    """The network app internal, its containers without a default route, its bridge without an address."""
    base = network(default_less(default_via(None), APP2), "app", internal=True, masquerade=False)
    base = without(base, HOST, "addresses", lambda item: item.address == "10.10.0.1")
    return without(base, HOST, "routes", lambda item: item.hops[0].ifindex == BR_APP)
