"""Hosts for the checks of what no engine promises by itself: the way out, bridges and guests, who shares with whom."""

from __future__ import annotations

from typing import Any

import msgspec

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    BridgeInfo,
    BridgePort,
    Engine,
    FdbEntry,
    KernelCounters,
    Link,
    LinkStats,
    Neighbour,
    NextHop,
    Route,
    Snapshot,
    Subnet,
    require,
)
from dnet_tui.inspect.model.routing import ProxiedAddress
from unit.builders.factories import (
    APP1,
    BR_APP,
    DOCKER0,
    HOST,
    UPLINK,
    VETH_APP1,
    VETH_APP2,
    WEB,
    docker_like_snapshot,
    route,
    with_chain,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_links import NF_CALL, adding, namespace, network, without
from unit.diagnostics.checks.cases.case import CheckCases, Given


def cut(**uplink: Any) -> Snapshot:
    """The host without a default route, its uplink changed."""
    base = without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    return with_link(base, HOST, "eth0", **uplink)


def asked(state: str) -> Snapshot:
    """The host with what came of asking for its router."""
    entry = Neighbour(ifindex=UPLINK, family="ip", address="203.0.113.1", state=state)
    return adding(docker_like_snapshot(), HOST, "neighbours", entry)


def halved() -> Snapshot:
    """The host with its default route in two halves, as VPNs write it."""
    halves = [route(dst, ifindex=UPLINK, gateway="203.0.113.1") for dst in ("0.0.0.0/1", "128.0.0.0/1")]
    return adding(cut(), HOST, "routes", *halves)


def uplink(**changes: Any) -> Snapshot:
    """The host with its uplink changed."""
    return with_link(docker_like_snapshot(), HOST, "eth0", **changes)


BR_KVM = 70


def guests(kinds: tuple[str, ...] = ("tun", "tun"), policy: str = "drop") -> Snapshot:
    """The host with a bridge for virtual machines, and Docker's policy in FORWARD."""
    base = with_sysctl(docker_like_snapshot(), NF_CALL, "1")
    bridge = Link(ifindex=BR_KVM, name="br-kvm", kind="bridge", mtu=1500, up=True, carrier=True, bridge=BridgeInfo())
    ports = [
        Link(
            ifindex=BR_KVM + number,
            name=f"vnet{number}",
            kind=kind,
            mtu=1500,
            up=True,
            carrier=True,
            master=BR_KVM,
            port=BridgePort(state="forwarding"),
        )
        for number, kind in enumerate(kinds, start=1)
    ]
    base = adding(base, HOST, "links", bridge, *ports)
    forward = next(
        item
        for table in require(namespace(base, HOST).firewall).tables
        if table.name == "filter"
        for item in table.chains
        if item.name == "FORWARD"
    )
    return with_chain(base, "filter", msgspec.structs.replace(forward, policy=policy))


def forward_rule(spec: str) -> InsertRule:
    return InsertRule(backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=spec, position=1)


def stuck(port: int, *flags: str) -> Snapshot:
    """The host with a static entry for app1's MAC address on a port of br-app."""
    mac = namespace(docker_like_snapshot(), APP1).links[-1].mac
    entry = FdbEntry(ifindex=port, mac=mac, master=BR_APP, state="static", flags=flags)
    return adding(docker_like_snapshot(), HOST, "fdb", entry)


def silent(value: str) -> Snapshot:
    """The host with arp_ignore on docker0, and web without an entry for its gateway."""
    base = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.docker0.arp_ignore", value)
    return with_namespace(base, WEB, neighbours=())


def in_the_lan(*, proxied: bool) -> Snapshot:
    """A network whose IPv6 range is a part of the uplink's, routed; and perhaps the host answers for it there."""
    base = routed_six()
    base = with_sysctl(base, "net.ipv6.conf.eth0.proxy_ndp", "1" if proxied else "0")
    member = next(item.address for item in namespace(base, WEB).addresses if item.address.startswith("2001:db8:"))
    every = [ProxiedAddress(ifindex=UPLINK, family="ip6", address=member)] if proxied else []
    return adding(base, HOST, "proxied", *every)


def routed_six() -> Snapshot:
    """The host with 2001:db8::/32 on its uplink, and web with an address of it by a network that isn't translated."""
    base = network(
        docker_like_snapshot(),
        "bridge",
        ipv6=True,
        gateway_mode6="routed",
        subnets=(Subnet(cidr="172.17.0.0/16", gateway="172.17.0.1"), Subnet(cidr="2001:db8:1::/64")),
    )
    engine = Engine(name="docker", version="27.0.0", ip6tables=True, firewall="iptables")
    base = msgspec.structs.replace(base, engines=(engine,))
    inner = namespace(base, WEB).links[-1].ifindex
    base = adding(base, WEB, "addresses", Address(ifindex=inner, family="ip6", address="2001:db8:1::2", prefixlen=64))
    base = adding(
        base,
        HOST,
        "addresses",
        Address(ifindex=UPLINK, family="ip6", address="2001:db8::2", prefixlen=32),
        Address(ifindex=DOCKER0, family="ip6", address="2001:db8:1::1", prefixlen=64),
    )
    out = Route(family="ip6", table=254, type="unicast", dst="::/0", hops=(NextHop(ifindex=UPLINK, gateway="fe80::1"),))
    return adding(base, HOST, "routes", out)


def over_uplink(*, way_out: bool = True) -> Snapshot:
    """Docker's network app laid over a bridge that a device of the LAN is a port of."""
    wire = Link(
        ifindex=80,
        name="eth1",
        mtu=1500,
        up=True,
        carrier=True,
        operstate="UP",
        master=BR_APP,
        port=BridgePort(state="forwarding"),
    )
    base = adding(docker_like_snapshot(), HOST, "links", wire)
    if not way_out:
        return base
    base = without(base, HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    return adding(base, HOST, "routes", route("0.0.0.0/0", ifindex=BR_APP, gateway="10.10.0.254"))


def stranded(how: str) -> Snapshot:
    """Sidecar alone in the namespace that app1 left behind."""
    base = docker_like_snapshot()
    lo = tuple(link for link in namespace(base, APP1).links if link.kind == "loopback")
    base = with_namespace(base, APP1, links=lo, addresses=(), routes=())
    changes: dict[str, dict[str, Any]] = {
        "restarted": {"netns": "net:[4026532999]"},
        "stopped": {"running": False, "netns": None, "pid": None},
    }
    every = tuple(
        msgspec.structs.replace(item, **changes.get(how, {})) if item.name == "app1" else item
        for item in base.containers
        if item.name != "app1" or how != "removed"
    )
    return msgspec.structs.replace(base, containers=every)


def counting(seconds: int, dropped: int = 0, **values: int) -> Snapshot:
    """The host at a time, with counters of its protocols (``__`` for a dot) and packets its uplink dropped."""
    named = {name.replace("__", "."): value for name, value in values.items()}
    base = with_namespace(docker_like_snapshot(), HOST, counters=KernelCounters(values=named))
    base = with_link(base, HOST, "eth0", stats=LinkStats(rx_packets=1000, rx_dropped=dropped))
    return msgspec.structs.replace(base, taken_at=f"2026-11-21T10:{seconds // 60:02}:{seconds % 60:02}Z")


CASES: dict[str, CheckCases] = {
    "drops-growing": CheckCases(
        fires={
            "connections that nobody takes": lambda: Given(
                counting(60, TcpExt__ListenDrops=190), before=counting(0, TcpExt__ListenDrops=7)
            ),
            "packets that the uplink drops": lambda: Given(counting(60, dropped=600), before=counting(0)),
        },
        near_misses={
            "as many as before": lambda: Given(
                counting(60, dropped=9, TcpExt__ListenDrops=7), before=counting(0, dropped=9, TcpExt__ListenDrops=7)
            ),
            "a few": lambda: Given(counting(60, TcpExt__ListenDrops=9), before=counting(0, TcpExt__ListenDrops=7)),
            "a counter of another thing": lambda: Given(counting(60, Tcp__InSegs=900), before=counting(0)),
        },
    ),
    "host-no-uplink": CheckCases(
        fires={"no default route": cut},
        near_misses={
            "a way out by two halves": halved,
            "an uplink that went down, which is uplink-down": lambda: cut(up=False, carrier=False),
        },
    ),
    "uplink-down": CheckCases(
        fires={
            "an uplink that went down and took its routes along": lambda: cut(up=False, carrier=False),
            "an uplink without a carrier": lambda: uplink(carrier=False, operstate="DOWN"),
            "a router that doesn't answer": lambda: asked("FAILED"),
        },
        near_misses={
            "a router that answered a while ago": lambda: asked("STALE"),
            "no default route, which may be meant": cut,
            "a device that doesn't tell of a carrier": lambda: uplink(carrier=False, operstate="UNKNOWN"),
        },
    ),
    "guest-drop": CheckCases(
        fires={
            "virtual machines behind Docker's policy": guests,
            "one of them beside the wire": lambda: guests(kinds=("tun", "")),
        },
        near_misses={
            "br_netfilter that isn't asked": lambda: with_sysctl(guests(), NF_CALL, "0"),
            "a policy that accepts": lambda: guests(policy="accept"),
            "a single guest": lambda: guests(kinds=("tun",)),
            "an accept of what stays on the bridge": lambda: after(
                guests(), [forward_rule("-i br-kvm -o br-kvm -j ACCEPT")]
            ),
        },
    ),
    "fdb-wrong": CheckCases(
        fires={"a sticky entry on another port": lambda: stuck(VETH_APP2, "sticky")},
        near_misses={
            "a static entry, which moves by itself": lambda: stuck(VETH_APP2),
            "a sticky entry on its own port": lambda: stuck(VETH_APP1, "sticky"),
        },
    ),
    "arp-unanswered": CheckCases(
        fires={
            "a bridge that answers nobody": lambda: silent("8"),
            "containers in the uplink's own range, for which nobody answers": lambda: in_the_lan(proxied=False),
        },
        near_misses={
            "a bridge that answers for what is on it": lambda: silent("1"),
            "containers for which the host answers": lambda: in_the_lan(proxied=True),
        },
    ),
    "net-over-uplink": CheckCases(
        fires={"a network over the bridge of the uplink": over_uplink},
        near_misses={
            "a wire on a bridge that isn't the way out": lambda: over_uplink(way_out=False),
        },
    ),
    "sidecar-stranded": CheckCases(
        fires={
            "its partner was removed": lambda: stranded("removed"),
            "its partner was started anew": lambda: stranded("restarted"),
            "its partner is stopped": lambda: stranded("stopped"),
        },
        near_misses={"its partner is there": docker_like_snapshot},
    ),
}
