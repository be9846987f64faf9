"""Hosts on which links drop what no rule, route or counter shows: queues, locks, MTUs, loopbacks, names of bridges."""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    FdbEntry,
    Link,
    LinkRef,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    Resolver,
    Route,
    Snapshot,
    Socket,
    known_items,
)
from unit.builders.factories import (
    APP1,
    DOCKER0,
    HOST,
    UPLINK,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
)
from unit.builders.factories_links import adding, namespace, port, without
from unit.builders.factories_names import container, resolving
from unit.diagnostics.checks.cases.case import CheckCases

WEB_PORT = "veth5f0a1b2"
_ROUTER = "203.0.113.1"
_OUTSIDE = "net:[4026539999]"


def locked(**entry: Any) -> Snapshot:
    """The host whose port of ``web`` is locked, perhaps with an entry in the FDB."""
    base = port(docker_like_snapshot(), WEB_PORT, locked=True)
    if not entry:
        return base
    mac = next(link.mac for link in namespace(base, WEB).links if link.name == "eth0")
    return adding(base, HOST, "fdb", FdbEntry(ifindex=VETH_WEB, mac=mac, master=DOCKER0, **entry))


def renamed() -> Snapshot:
    """The host whose docker0 has got another name, while Docker goes on to say docker0."""
    base = docker_like_snapshot()
    links = tuple(
        msgspec.structs.replace(link, name="dock9") if link.ifindex == DOCKER0 else link
        for link in namespace(base, HOST).links
    )
    return with_namespace(base, HOST, links=links)


def two_ways(*states: str) -> Snapshot:
    """The host with two routers in one default route, and what came of asking for each."""
    routers = (_ROUTER, "203.0.113.77")
    hops = tuple(NextHop(ifindex=UPLINK, gateway=gateway) for gateway in routers)
    base = without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    base = adding(base, HOST, "routes", Route(family="ip", table=254, type="unicast", dst="0.0.0.0/0", hops=hops))
    entries = [
        Neighbour(ifindex=UPLINK, family="ip", address=router, mac="02:00:00:00:00:01", state=state)
        for router, state in zip(routers, states, strict=True)
    ]
    return adding(base, HOST, "neighbours", *entries)


def marked(state: str) -> Snapshot:
    """The host whose containers' packets are marked, and led to a router of their own."""
    spec = "-i docker0 -j MARK --set-xmark 0x9/0xffffffff"
    rule = InsertRule(backend="iptables-nft", family="ip", table="nat", chain="PREROUTING", spec=spec)
    base = adding(docker_like_snapshot(), HOST, "routes", route("0.0.0.0/0", ifindex=UPLINK, gateway=_ROUTER, table=52))
    base = adding(base, HOST, "policy_rules", PolicyRule(family="ip", priority=100, table=52, mark=9))
    entry = Neighbour(ifindex=UPLINK, family="ip", address=_ROUTER, mac="02:00:00:00:00:01", state=state)
    return after(adding(base, HOST, "neighbours", entry), [rule])


def written(mac: str) -> Snapshot:
    """The host whose router's MAC address somebody wrote down, and is seen to be ``02:00:00:00:00:01``."""
    far = Link(
        ifindex=2,
        name="eth0",
        kind="veth",
        mac="02:00:00:00:00:01",
        mtu=1500,
        up=True,
        carrier=True,
        peer=LinkRef(namespace=HOST, ifindex=UPLINK),
    )
    address = Address(ifindex=2, family="ip", address=_ROUTER, prefixlen=24)
    outside = Namespace(
        id=_OUTSIDE, inode=4026539999, kind="named", path="/run/netns/o", links=(far,), addresses=(address,)
    )
    entry = Neighbour(ifindex=UPLINK, family="ip", address=_ROUTER, mac=mac, state="PERMANENT")
    base = with_link(docker_like_snapshot(), HOST, "eth0", kind="veth", peer=LinkRef(namespace=_OUTSIDE, ifindex=2))
    base = msgspec.structs.replace(base, namespaces=(*base.namespaces, outside))
    return adding(base, HOST, "neighbours", entry)


def moved(*rules: PolicyRule) -> Snapshot:
    """The host with other policy rules before that of the main table."""
    base = without(docker_like_snapshot(), HOST, "policy_rules", lambda item: item.priority == 0)
    return adding(base, HOST, "policy_rules", *rules)


_LOCAL = PolicyRule(family="ip", priority=40000, table=255)
_NOARP = ("UP", "BROADCAST", "NOARP", "LOWER_UP")
_UNNAMED = Resolver(source="/lab/web/resolv.conf")


def _own_server() -> Snapshot:
    base = container(resolving(), "web", resolver=_UNNAMED)
    sockets = (*namespace(base, WEB).sockets, Socket(proto="udp", address="127.0.0.1", port=53, process="unbound"))
    return with_namespace(base, WEB, sockets=sockets)


def of_nobody() -> Snapshot:
    """One of the containers is a named namespace, made by `ip netns add`, which leaves its loopback down."""
    snapshot = with_link(docker_like_snapshot(), APP1, "lo", up=False)
    containers = tuple(
        msgspec.structs.replace(item, engine="netns") if item.netns == APP1 else item
        for item in known_items(snapshot.containers)
    )
    return msgspec.structs.replace(snapshot, containers=containers)


CASES = {
    "link-drop": CheckCases(
        {
            "a locked port": locked,
            "a locked port that has learnt once": lambda: locked(state="reachable"),
            "a host's end with a smaller MTU": lambda: with_link(docker_like_snapshot(), HOST, WEB_PORT, mtu=1400),
        },
        {
            "a locked port whose container was entered": lambda: locked(state="static"),
            "a container's end with a smaller MTU": lambda: with_link(docker_like_snapshot(), WEB, "eth0", mtu=1400),
        },
    ),
    "loopback-down": CheckCases(
        {
            "a container's loopback": lambda: with_link(docker_like_snapshot(), APP1, "lo", up=False),
            "the host's loopback": lambda: with_link(docker_like_snapshot(), HOST, "lo", up=False),
        },
        {
            "another link of a container": lambda: with_link(docker_like_snapshot(), APP1, "eth0", operstate="UNKNOWN"),
            "a namespace that no engine made": of_nobody,
        },
    ),
    "bridge-down": CheckCases({"a bridge of another name": renamed}, {}),
    "uplink-down": CheckCases(
        {
            "one of two routers": lambda: two_ways("REACHABLE", "FAILED"),
            "both routers": lambda: two_ways("FAILED", "FAILED"),
            "a router for marked packets": lambda: marked("FAILED"),
            "an uplink that asks for nobody": lambda: with_link(docker_like_snapshot(), HOST, "eth0", flags=_NOARP),
            "a router's wrong MAC address": lambda: written("02:00:00:00:00:99"),
        },
        {
            "two routers that answer": lambda: two_ways("REACHABLE", "STALE"),
            "a router for marked packets that answers": lambda: marked("REACHABLE"),
            "a tunnel that asks for nobody": lambda: with_link(
                docker_like_snapshot(), HOST, "eth0", flags=_NOARP, kind="tun"
            ),
            "a router's right MAC address, written down": lambda: written("02:00:00:00:00:01"),
        },
    ),
    "policy-route": CheckCases(
        {"the local table after the main one": lambda: moved(_LOCAL)},
        {
            "the local table after a rule for marked packets": lambda: moved(
                PolicyRule(family="ip", priority=9, table=52, mark=0x200, mask=0xF00),
                PolicyRule(family="ip", priority=100, table=255),
            )
        },
    ),
    "dns-none": CheckCases(
        {"a file without a server": lambda: container(resolving(), "web", resolver=_UNNAMED)},
        {"a file without a server where one listens": _own_server},
    ),
}
