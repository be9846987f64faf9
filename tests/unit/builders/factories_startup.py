"""The small Docker host on which a start failed, or on which something stands in the way of the next one."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model import (
    Address,
    AddressPool,
    ChecksumCounts,
    Container,
    LogLine,
    Neighbour,
    Network,
    PortVlan,
    PublishedPort,
    Snapshot,
    Socket,
    Subnet,
)
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.startup_errors import recognise
from unit.builders.factories import (
    ANY,
    APP1,
    DOCKER0,
    HOST,
    UPLINK,
    docker_like_snapshot,
    route,
    with_gaps,
    with_link,
    with_namespace,
)
from unit.builders.factories_links import adding, crowded, namespace, without

PORT = "Error starting userland proxy: listen tcp4 0.0.0.0:9099: bind: address already in use"
VETH = "failed to add the host (vethb2f1) <=> sandbox (vethc2f1) pair interfaces: operation not supported"
RAW = "iptables v1.8.7 (legacy): can't initialize iptables table `raw': Table does not exist (do you need to insmod?)"
MASQ = "-j MASQUERADE: Warning: Extension MASQUERADE revision 0 not supported, missing kernel module?"
FULL = "adding interface vethc2f1 to bridge docker0 failed: exchange full"
NO_POOL = "all predefined address pools have been fully subnetted"
WAITS = "Bridge port not forwarding"
MISMATCH = "bridge IPv4 (172.17.0.9) does not match requested configuration 172.17.0.1"
OTHER = 'exec: "httpd": executable file not found in $PATH: unknown'


def failed(error: str, *sockets: Socket, base: Snapshot | None = None, running: bool = False) -> Snapshot:
    """The container ``late`` could not be started, for this reason; or it runs by now, with the error as a relic."""
    wish = PublishedPort(host_ip=ANY, host_port=9099, proto="tcp", container_port=80)
    late = Container(
        id="late", name="late", engine="docker", mode="bridge", running=running, wanted=(wish,), error=error
    )
    snapshot = base if base is not None else docker_like_snapshot()
    return adding(msgspec.structs.replace(snapshot, containers=(*snapshot.containers, late)), HOST, "sockets", *sockets)


def logged(text: str, base: Snapshot | None = None, **changes: object) -> Snapshot:
    """The engine's log tells of a failure."""
    failure = recognise(text)
    assert failure is not None
    line = LogLine(kind=failure.kind, text=failure.text, time="2026-11-21T09:59:00", unit="docker.service")
    snapshot = base if base is not None else docker_like_snapshot()
    engine = msgspec.structs.replace(snapshot.engines[0], log=(line,), **changes)
    return msgspec.structs.replace(snapshot, engines=(engine,))


def ended(text: str, base: Snapshot | None = None) -> Snapshot:
    """The daemon ended with these words: nothing of its networks is known any more."""
    snapshot = logged(text, base, reachable=False)
    gap = Gap(section="engine", scope="docker", reason="the Docker daemon isn't running")
    return with_gaps(msgspec.structs.replace(snapshot, networks=()), gap)


def kernel(present: bool | None, base: Snapshot | None = None) -> Snapshot:
    snapshot = base if base is not None else docker_like_snapshot()
    return msgspec.structs.replace(snapshot, host=msgspec.structs.replace(snapshot.host, modules_present=present))


def without_table(name: str, base: Snapshot) -> Snapshot:
    """The host's iptables without one table."""
    firewall = namespace(base, HOST).firewall
    assert firewall is not None
    tables = tuple(table for table in firewall.tables if table.name != name)
    return with_namespace(base, HOST, firewall=msgspec.structs.replace(firewall, tables=tables))


def with_table(name: str, base: Snapshot, family: Literal["ip", "ip6"] = "ip") -> Snapshot:
    """The host's iptables with a table more, empty but for its name."""
    firewall = namespace(base, HOST).firewall
    assert firewall is not None
    table = msgspec.structs.replace(firewall.tables[0], name=name, family=family, chains=())
    return with_namespace(base, HOST, firewall=msgspec.structs.replace(firewall, tables=(*firewall.tables, table)))


def pools(*bases: str, size: int = 24, networks: int = 0, base: Snapshot | None = None, **changes: object) -> Snapshot:
    """Docker with these pools, and so many more networks of 10.200.N.0/24, known by their definitions only."""
    snapshot = base if base is not None else docker_like_snapshot()
    given = tuple(AddressPool(base=item, size=size) for item in bases)
    engine = msgspec.structs.replace(snapshot.engines[0], address_pools=given, **changes)
    more = tuple(
        Network(
            id=f"n{number}",
            name=f"n{number}",
            engine="docker",
            bridge=f"br-n{number}",
            subnets=(Subnet(cidr=f"10.200.{number}.0/24"),),
        )
        for number in range(networks)
    )
    return msgspec.structs.replace(snapshot, engines=(engine,), networks=(*snapshot.networks, *more))


def foreign_address(*, first: bool = True, base: Snapshot | None = None) -> Snapshot:
    """docker0 has another address of its subnet besides the gateway's."""
    snapshot = base if base is not None else docker_like_snapshot()
    foreign = Address(ifindex=DOCKER0, family="ip", address="172.17.0.9", prefixlen=16)
    held = list(namespace(snapshot, HOST).addresses)
    at = next(index for index, item in enumerate(held) if item.address == "172.17.0.1")
    held.insert(at if first else at + 1, foreign)
    own = route("172.17.0.9/32", ifindex=DOCKER0, table=255, type="local", source="172.17.0.9", scope="host")
    return adding(with_namespace(snapshot, HOST, addresses=tuple(held)), HOST, "routes", own)


def vlans(*, bridge: tuple[int, ...] = (1,), **pvids: int) -> Snapshot:
    """br-app filters VLANs; ``app1`` and ``app2`` give their ports' PVIDs, 0 for none."""
    snapshot = docker_like_snapshot()
    link = next(link for link in namespace(snapshot, HOST).links if link.name == "br-app")
    assert link.bridge is not None
    carried = tuple(_vlan(vid, pvid=number == 0) for number, vid in enumerate(bridge))
    info = msgspec.structs.replace(link.bridge, vlan_filtering=True)
    snapshot = with_link(snapshot, HOST, "br-app", bridge=info, vlans=carried)
    for name, veth in (("app1", "veth77c3d4e"), ("app2", "veth99e5f60")):
        vid = pvids.get(name, 1)
        snapshot = with_link(snapshot, HOST, veth, vlans=(_vlan(vid),) if vid else ())
    return snapshot


def _vlan(vid: int, *, pvid: bool = True) -> PortVlan:
    return PortVlan(vid=vid, last=vid, pvid=pvid, untagged=True)


def on_veth(address: str = "169.254.7.9") -> Snapshot:
    """Web's veth has an address on the host's side."""
    return adding(
        docker_like_snapshot(),
        HOST,
        "addresses",
        Address(ifindex=6, family="ip", address=address, prefixlen=16, scope="link"),
    )


def default_over(ifindex: int, *, metric: int, gateway: str | None = None, base: Snapshot | None = None) -> Snapshot:
    """A default route that a DHCP client learnt over a link; the uplink's own has metric 100."""
    snapshot = base if base is not None else docker_like_snapshot()
    snapshot = without(snapshot, HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    own = route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.1", metric=100, protocol="dhcp")
    return adding(
        snapshot,
        HOST,
        "routes",
        own,
        route("0.0.0.0/0", ifindex=ifindex, gateway=gateway, metric=metric, protocol="dhcp"),
    )


def neighbours(count: int, *, limit: int = 1000, state: str = "REACHABLE") -> Snapshot:
    """So many entries, half of them a container's, with the limit as the first namespace shows it."""
    snapshot = docker_like_snapshot()
    host = namespace(snapshot, HOST)
    snapshot = with_namespace(snapshot, HOST, sysctls=host.sysctls | {"net.ipv4.neigh.default.gc_thresh3": str(limit)})
    for ident, ifindex, many in ((HOST, UPLINK, count // 2), (APP1, 7, count - count // 2 - 3)):
        items = (
            Neighbour(
                ifindex=ifindex,
                family="ip",
                address=f"203.0.{number // 250 + 120}.{number % 250}",
                mac="02:00:00:00:00:01",
                state=state,
            )
            for number in range(many)
        )
        snapshot = adding(snapshot, ident, "neighbours", *items)
    return snapshot


def checksums(ident: str, *, bad: int, good: int = 10_000) -> Snapshot:
    """A namespace whose TCP has received so many segments, and thrown away so many."""
    return with_namespace(docker_like_snapshot(), ident, checksums=ChecksumCounts(tcp=good, tcp_bad=bad))


def full_bridge(ports: int = 1023) -> Snapshot:
    """docker0 full, and a container that could not be added."""
    return failed(FULL, base=crowded(ports))
