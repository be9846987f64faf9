"""Hand-built snapshots for unit tests: a small Docker host, healthy to the last rule.

Nothing here reads a host or calls a parser, so a test of a reader, a check or
a report depends on nothing but the model.  Take the healthy host and break
the one thing the test is about with the ``with_*`` functions below.

The host: uplink ``eth0`` (203.0.113.2/24); ``docker0`` with container *web*
(port 8080 published) and ``br-app`` with *app1* and *app2*; *sidecar* shares
app1's namespace, *agent* uses the host's, *lonely* has none but ``lo``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.inspect.model import (
    Address,
    BridgeInfo,
    BridgePort,
    ChecksumCounts,
    Container,
    ContainerMode,
    Endpoint,
    Engine,
    Host,
    Link,
    LinkRef,
    LinkStats,
    Namespace,
    Neighbour,
    Network,
    NextHop,
    PolicyRule,
    Process,
    PublishedPort,
    Route,
    Settings,
    Snapshot,
    Socket,
    Subnet,
    Unread,
    known_items,
    require,
)
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.gaps import with_gaps as gaps_placed
from dnet_tui.inspect.model.coverage.sections import with_items
from dnet_tui.inspect.model.firewall import Chain, Firewall
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache
from unit.builders.factories_firewall import docker_filter, docker_nat

ANY = "0.0.0.0"  # noqa: S104  the address of a socket that is described here, not bound

HOST = "net:[4026531840]"
WEB = "net:[4026532201]"
APP1 = "net:[4026532301]"
APP2 = "net:[4026532401]"
LONELY = "net:[4026532501]"

UPLINK, DOCKER0, BR_APP, VETH_WEB, VETH_APP1, VETH_APP2 = 2, 3, 4, 6, 8, 10
"""The host's ifindexes; a container's ``eth0`` is one lower than its veth's."""


def _lo() -> Link:
    return Link(ifindex=1, name="lo", kind="loopback", mtu=65536, up=True, carrier=True, operstate="UNKNOWN")


def _bridge(ifindex: int, name: str, mac: str) -> Link:
    info = BridgeInfo(nf_call_iptables=False)
    return Link(
        ifindex=ifindex, name=name, kind="bridge", mac=mac, mtu=1500, up=True, carrier=True, operstate="UP", bridge=info
    )


def _veth(ifindex: int, name: str, master: int, namespace: str) -> Link:
    return Link(
        ifindex=ifindex,
        name=name,
        kind="veth",
        mac=f"02:42:00:00:00:{ifindex:02x}",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UP",
        master=master,
        lower=ifindex - 1,
        lower_nsid=ifindex // 2 - 3,
        peer=LinkRef(namespace=namespace, ifindex=ifindex - 1),
        port=BridgePort(state="forwarding"),
        stats=LinkStats(rx_packets=10, rx_bytes=840, tx_packets=12, tx_bytes=1008),
    )


def route(dst: str, *, ifindex: int | None = None, gateway: str | None = None, **more: Any) -> Route:
    """A unicast IPv4 route of the main table."""
    settings: dict[str, Any] = {"family": "ip", "table": 254, "type": "unicast"} | more
    return Route(dst=dst, hops=(NextHop(ifindex=ifindex, gateway=gateway),), **settings)


def _policy() -> tuple[PolicyRule, ...]:
    return tuple(PolicyRule(family="ip", priority=p, table=t) for p, t in ((0, 255), (32766, 254), (32767, 253)))


def _local(address: str, ifindex: int) -> Route:
    return route(f"{address}/32", ifindex=ifindex, table=255, type="local", source=address, scope="host")


def container_namespace(ident: str, address: str, prefixlen: int, gateway: str, veth: int, pid: int) -> Namespace:
    """A container's namespace: ``lo`` and an ``eth0`` that is the peer of the host's link ``veth``."""
    eth0 = Link(
        ifindex=veth - 1,
        name="eth0",
        kind="veth",
        mac=f"02:42:0a:00:00:{veth:02x}",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UP",
        lower=veth,
        lower_nsid=0,
        peer=LinkRef(namespace=HOST, ifindex=veth),
    )
    octets = address.split(".")
    subnet = ".".join(octets[: prefixlen // 8] + ["0"] * (4 - prefixlen // 8)) + f"/{prefixlen}"
    return Namespace(
        id=ident,
        inode=int(ident[5:-1]),
        kind="container",
        processes=(Process(pid=pid, start=1000 + pid, name="httpd"),),
        path=f"/proc/{pid}/ns/net",
        links=(_lo(), eth0),
        addresses=(
            Address(ifindex=1, family="ip", address="127.0.0.1", prefixlen=8, scope="host"),
            Address(ifindex=veth - 1, family="ip", address=address, prefixlen=prefixlen),
        ),
        routes=(
            route("0.0.0.0/0", ifindex=veth - 1, gateway=gateway),
            route(subnet, ifindex=veth - 1, source=address, scope="link", protocol="kernel"),
            _local(address, veth - 1),
        ),
        policy_rules=_policy(),
        neighbours=(Neighbour(ifindex=veth - 1, family="ip", address=gateway, mac="02:42:aa", state="REACHABLE"),),
        sysctls=Settings(values={"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.forwarding": "0"}),
        sockets=(Socket(proto="tcp", address=ANY, port=80, inode=pid, pid=pid, process="httpd"),),
        firewall=Firewall(),
        checksums=ChecksumCounts(),
    )


def host_namespace() -> Namespace:
    """The host's namespace, forwarding on, with Docker's rules."""
    links = (
        _lo(),
        Link(
            ifindex=UPLINK,
            name="eth0",
            mac="52:54:00:12:34:56",
            mtu=1500,
            up=True,
            carrier=True,
            operstate="UP",
            flags=("BROADCAST", "MULTICAST", "UP", "LOWER_UP"),
        ),
        _bridge(DOCKER0, "docker0", "02:42:aa:00:00:03"),
        _bridge(BR_APP, "br-app", "02:42:aa:00:00:04"),
        _veth(VETH_WEB, "veth5f0a1b2", DOCKER0, WEB),
        _veth(VETH_APP1, "veth77c3d4e", BR_APP, APP1),
        _veth(VETH_APP2, "veth99e5f60", BR_APP, APP2),
    )
    homes = ((UPLINK, "203.0.113.2", 24), (DOCKER0, "172.17.0.1", 16), (BR_APP, "10.10.0.1", 24))
    sysctls = {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}
    for device in ("all", "default", *(link.name for link in links)):
        sysctls[f"net.ipv4.conf.{device}.forwarding"] = "1"
        sysctls[f"net.ipv4.conf.{device}.rp_filter"] = "0"
        sysctls[f"net.ipv4.conf.{device}.route_localnet"] = "0"
    return Namespace(
        id=HOST,
        inode=int(HOST[5:-1]),
        kind="host",
        processes=(Process(pid=1, start=1, name="systemd"),),
        path="/proc/1/ns/net",
        links=links,
        addresses=(
            Address(ifindex=1, family="ip", address="127.0.0.1", prefixlen=8, scope="host"),
            *(Address(ifindex=i, family="ip", address=a, prefixlen=p) for i, a, p in homes),
        ),
        routes=(
            route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.1"),
            route("203.0.113.0/24", ifindex=UPLINK, source="203.0.113.2", scope="link", protocol="kernel"),
            route("172.17.0.0/16", ifindex=DOCKER0, source="172.17.0.1", scope="link", protocol="kernel"),
            route("10.10.0.0/24", ifindex=BR_APP, source="10.10.0.1", scope="link", protocol="kernel"),
            *(_local(address, ifindex) for ifindex, address, _ in homes),
            route("127.0.0.0/8", ifindex=1, table=255, type="local", source="127.0.0.1", scope="host"),
        ),
        policy_rules=_policy(),
        sysctls=Settings(values=sysctls),
        sockets=(Socket(proto="tcp", address=ANY, port=8080, inode=77, pid=177, process="docker-proxy"),),
        firewall=Firewall(tables=(docker_filter(), docker_nat())),
    )


def _network(ident: str, name: str, bridge: str, cidr: str, gateway: str) -> Network:
    return Network(
        id=ident,
        name=name,
        engine="docker",
        bridge=bridge,
        subnets=(Subnet(cidr=cidr, gateway=gateway),),
        internal=False,
        icc=True,
        masquerade=True,
        isolated=True,
    )


def _container(name: str, netns: str | None, mode: ContainerMode, pid: int, **more: Any) -> Container:
    return Container(
        id=f"{name}{'0' * (64 - len(name))}",
        name=name,
        engine="docker",
        image="lab/busybox:1",
        pid=pid,
        netns=netns,
        mode=mode,
        status="Up 2 minutes",
        **more,
    )


def docker_like_snapshot() -> Snapshot:
    """The healthy Docker host described at the top of this module."""
    web = Endpoint(network="net-bridge", addresses=("172.17.0.2/16",), gateway="172.17.0.1")
    app = {n: Endpoint(network="net-app", addresses=(f"10.10.0.{n}/24",), gateway="10.10.0.1") for n in (2, 3)}
    published = PublishedPort(host_ip=ANY, host_port=8080, proto="tcp", container_port=80)
    app1 = _container("app1", APP1, "bridge", 1301, endpoints=(app[2],))
    lonely = Namespace(id=LONELY, inode=int(LONELY[5:-1]), kind="container", links=(_lo(),), firewall=Firewall())
    snapshot = Snapshot(
        tool_version="0.1.0",
        taken_at="2026-11-21T10:00:00Z",
        host=Host(hostname="lab", kernel="6.1.0"),
        namespaces=(
            host_namespace(),
            container_namespace(WEB, "172.17.0.2", 16, "172.17.0.1", VETH_WEB, 1201),
            container_namespace(APP1, "10.10.0.2", 24, "10.10.0.1", VETH_APP1, 1301),
            container_namespace(APP2, "10.10.0.3", 24, "10.10.0.1", VETH_APP2, 1401),
            lonely,
        ),
        engines=(Engine(name="docker", version="20.10.24", socket="/run/docker.sock", firewall="iptables"),),
        networks=(
            _network("net-bridge", "bridge", "docker0", "172.17.0.0/16", "172.17.0.1"),
            _network("net-app", "app", "br-app", "10.10.0.0/24", "10.10.0.1"),
            Network(id="net-host", name="host", engine="docker", driver="host"),
            Network(id="net-none", name="none", engine="docker", driver="null"),
        ),
        containers=(
            _container("web", WEB, "bridge", 1201, endpoints=(web,), published=(published,)),
            app1,
            _container("app2", APP2, "bridge", 1401, endpoints=(app[3],)),
            _container("sidecar", APP1, "container", 1302, joined=app1.id),
            _container("agent", HOST, "host", 1501),
            _container("lonely", LONELY, "none", 1601),
        ),
    )
    return OwnerCache().fill_in(snapshot)


def with_namespace(snapshot: Snapshot, ident: str, **changes: Any) -> Snapshot:
    """The snapshot with fields of one namespace replaced."""
    known = known_items(snapshot.namespaces)
    changed = tuple(msgspec.structs.replace(ns, **changes) if ns.id == ident else ns for ns in known)
    return msgspec.structs.replace(snapshot, namespaces=with_items(snapshot.namespaces, changed))


def with_link(snapshot: Snapshot, namespace: str, name: str, **changes: Any) -> Snapshot:
    """The snapshot with fields of one link replaced."""
    ns = next(ns for ns in known_items(snapshot.namespaces) if ns.id == namespace)
    links = tuple(msgspec.structs.replace(link, **changes) if link.name == name else link for link in ns.links)
    return with_namespace(snapshot, namespace, links=links)


def with_sysctl(snapshot: Snapshot, key: str, value: str | None, namespace: str = HOST) -> Snapshot:
    """The snapshot with one sysctl set; None removes it (the host hasn't got it)."""
    ns = next(ns for ns in known_items(snapshot.namespaces) if ns.id == namespace)
    rest = {k: v for k, v in require(ns.sysctls).values.items() if k != key}
    return with_namespace(snapshot, namespace, sysctls=rest if value is None else rest | {key: value})


def with_chain(snapshot: Snapshot, table: str, changed: Chain, namespace: str = HOST) -> Snapshot:
    """The snapshot with one chain of an ``ip`` table replaced by a chain of the same name."""
    ns = next(ns for ns in known_items(snapshot.namespaces) if ns.id == namespace)
    firewall = require(ns.firewall)
    tables = tuple(
        msgspec.structs.replace(item, chains=tuple(changed if c.name == changed.name else c for c in item.chains))
        if item.name == table and item.family == "ip"
        else item
        for item in firewall.tables
    )
    return with_namespace(snapshot, namespace, firewall=msgspec.structs.replace(firewall, tables=tables))


def with_gaps(snapshot: Snapshot, *gaps: Gap) -> Snapshot:
    """The snapshot with gaps in the sections that they speak of: read in part, or not at all where nothing is there."""
    return gaps_placed(snapshot, gaps)


def with_unread(snapshot: Snapshot, ident: str, *fields: str, reason: str = "permission denied") -> Snapshot:
    """The snapshot with sections of one namespace (by their fields) not read."""
    return with_namespace(snapshot, ident, **{field: Unread(reason=reason) for field in fields})
