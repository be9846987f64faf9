"""Hosts for the checks of links, addresses, routes and containers: faults and near misses."""

from __future__ import annotations

from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import (
    Address,
    PolicyRule,
    Route,
    Socket,
)
from unit.builders.factories import (
    ANY,
    APP1,
    APP2,
    BR_APP,
    DOCKER0,
    HOST,
    UPLINK,
    docker_like_snapshot,
    route,
    with_link,
    with_sysctl,
)
from unit.builders.factories_links import (
    DROP_ICMP,
    NF_CALL,
    adding,
    bridge_bare,
    bridge_down,
    bridge_narrow,
    conntrack,
    crowded,
    default6,
    default_less,
    default_via,
    filter_rule,
    inside_only,
    multi,
    narrow,
    neighbour,
    network,
    network_without_members,
    orphan,
    orphan_of_nobody,
    port,
    proxyless,
    published_on_app,
    removed,
    router,
    same_mac,
    served,
    six,
    stopped,
    table_52,
    twice,
    unwilling_router,
    vpn,
    without,
)
from unit.diagnostics.checks.cases.case import Build, CheckCases, tabled

FAULTS: dict[str, tuple[str, Build]] = {
    "a bridge that is down": ("bridge-down", bridge_down),
    "a bridge without its address": ("bridge-no-ip", bridge_bare),
    "a bridge's address with a wrong prefix": ("bridge-no-ip", bridge_narrow),
    "a veth without a master": ("veth-orphan", orphan),
    "a veth on another network's bridge": ("veth-orphan", lambda: orphan(BR_APP)),
    "a veth that is down": (
        "veth-down",
        lambda: port(with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", up=False), "veth5f0a1b2", state="disabled"),
    ),
    "a container's end that is down": ("veth-down", lambda: with_link(default_via(None), APP1, "eth0", up=False)),
    "a port that waits": ("port-not-fwd", lambda: port(docker_like_snapshot(), "veth77c3d4e", state="listening")),
    "two isolated ports": (
        "port-isolated",
        lambda: port(port(docker_like_snapshot(), "veth77c3d4e", isolated=True), "veth99e5f60", isolated=True),
    ),
    "a port without broadcasts": (
        "flood-off",
        lambda: port(docker_like_snapshot(), "veth77c3d4e", broadcast_flood=False),
    ),
    "a permanent wrong neighbour": ("stale-neigh", lambda: neighbour("PERMANENT")),
    "a reachable wrong neighbour": ("stale-neigh", lambda: neighbour("REACHABLE")),
    "one address twice": ("dup-ip", twice),
    "one MAC address twice": ("dup-ip", same_mac),
    "a table with a default only": (
        "policy-route",
        lambda: table_52(route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.1", table=52)),
    ),
    "a rule that refuses": (
        "policy-route",
        lambda: adding(
            docker_like_snapshot(),
            HOST,
            "policy_rules",
            PolicyRule(family="ip", priority=900, action="prohibit", dst="172.17.0.0/16"),
        ),
    ),
    "a host route by another device": (
        "more-specific-route",
        lambda: adding(docker_like_snapshot(), HOST, "routes", route("172.17.0.2/32", ifindex=UPLINK)),
    ),
    "a blackhole within the subnet": (
        "more-specific-route",
        lambda: adding(
            docker_like_snapshot(),
            HOST,
            "routes",
            Route(family="ip", table=254, type="blackhole", dst="10.10.0.0/29"),
        ),
    ),
    "a narrower network of the host's own": (
        "subnet-overlap",
        lambda: vpn(cidr="172.17.0.9/24", routes=(route("172.17.0.0/24", ifindex=30, protocol="kernel"),)),
    ),
    "the same network on a LAN": ("subnet-overlap", lambda: vpn(cidr="172.17.9.9/16")),
    "a container without a default route": ("ctr-no-gw", lambda: default_via(None)),
    "a container with a gateway that isn't there": ("ctr-wrong-gw", lambda: default_via("10.10.0.254")),
    "a neighbour that is no router": ("ctr-wrong-gw", unwilling_router),
    "strict filtering on the way back": ("rpf-multinet", lambda: multi(strict="1")),
    "no rule for what stays within": (
        "nfcall-drop",
        lambda: after(docker_like_snapshot(), [removed("-i br-app -o br-app -j ACCEPT")]),
    ),
    "frames past iptables without a proxy": (
        "nfcall-off-noproxy",
        lambda: with_sysctl(published_on_app(), NF_CALL, "0"),
    ),
    "no br_netfilter without a proxy": ("nfcall-off-noproxy", lambda: with_sysctl(published_on_app(), NF_CALL, None)),
    "no hairpin without a proxy": ("hairpin-off", lambda: port(proxyless(), "veth5f0a1b2", hairpin=False)),
    "no loopback without a proxy": (
        "localnet-off",
        lambda: with_sysctl(proxyless(), "net.ipv4.conf.docker0.route_localnet", "0"),
    ),
    "a name server behind INPUT": ("input-drop", lambda: served(rule="-i docker0 -m conntrack --ctstate NEW -j DROP")),
    "a narrow uplink that keeps it to itself": ("mtu-blackhole", lambda: narrow(rule=DROP_ICMP)),
    "a table nearly full": ("conntrack-full", lambda: conntrack(900)),
    "a table full": ("conntrack-full", lambda: conntrack(985)),
    "no IPv6 forwarding": ("ip6-fwd-off", lambda: six(all_DOT_forwarding="0")),
    "a router that no longer listens": ("ra-route-lost", lambda: six(eth0_DOT_accept_ra="1")),
    "a crowded bridge": ("exchange-full", lambda: crowded(1001)),
}


NEAR_MISSES: dict[str, dict[str, Build]] = {
    "bridge-down": {
        "a bridge that is down without containers": lambda: network_without_members(up=False),
        "no carrier on an empty bridge": lambda: network_without_members(up=True),
    },
    "bridge-no-ip": {
        "no address on an internal network": inside_only,
        "a narrow prefix with a route by hand": lambda: adding(
            bridge_narrow(), HOST, "routes", route("172.17.0.0/16", ifindex=DOCKER0)
        ),
        "a narrow prefix that holds every container": lambda: bridge_narrow(30),
    },
    "veth-orphan": {
        "a veth that is routed": lambda: adding(orphan_of_nobody(), HOST, "routes", route("172.17.0.2/32", ifindex=6)),
    },
    "port-isolated": {
        "one isolated port": lambda: port(docker_like_snapshot(), "veth77c3d4e", isolated=True),
        "isolated ports where icc is off": lambda: network(
            port(port(docker_like_snapshot(), "veth77c3d4e", isolated=True), "veth99e5f60", isolated=True),
            "app",
            icc=None,
        ),
    },
    "flood-off": {
        "broadcasts off on a port alone on its bridge": lambda: port(
            docker_like_snapshot(), "veth5f0a1b2", broadcast_flood=False
        ),
        "broadcasts off on a managed port": lambda: port(
            docker_like_snapshot(), "veth77c3d4e", broadcast_flood=False, learning=False
        ),
    },
    "stale-neigh": {
        "a right permanent neighbour": lambda: neighbour("PERMANENT", mac="02:42:0a:00:00:06"),
        "a stale wrong neighbour": lambda: neighbour("STALE"),
        "a failed neighbour": lambda: neighbour("FAILED", mac=""),
        "the same address on another link": lambda: neighbour("PERMANENT", ifindex=UPLINK),
    },
    "dup-ip": {
        "an IPv6 duplicate that the kernel found": lambda: adding(
            adding(
                docker_like_snapshot(),
                APP1,
                "addresses",
                Address(ifindex=7, family="ip6", address="fd00::9", prefixlen=64),
            ),
            APP2,
            "addresses",
            Address(ifindex=9, family="ip6", address="fd00::9", prefixlen=64, flags=("dadfailed", "tentative")),
        ),
        "one address on two bridges' loopbacks": lambda: adding(
            adding(
                docker_like_snapshot(),
                APP1,
                "addresses",
                Address(ifindex=1, family="ip", address="10.9.9.9", prefixlen=32),
            ),
            APP2,
            "addresses",
            Address(ifindex=1, family="ip", address="10.9.9.9", prefixlen=32),
        ),
    },
    "policy-route": {
        "a table of peers only": lambda: table_52(route("100.64.0.7/32", ifindex=UPLINK, table=52)),
        "a table that throws local networks back": lambda: table_52(
            route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.1", table=52),
            Route(family="ip", table=52, type="throw", dst="172.17.0.0/16"),
            Route(family="ip", table=52, type="throw", dst="10.10.0.0/24"),
        ),
        "a rule for marked packets": lambda: adding(
            adding(docker_like_snapshot(), HOST, "routes", route("0.0.0.0/0", ifindex=UPLINK, table=52)),
            HOST,
            "policy_rules",
            PolicyRule(family="ip", priority=5270, table=52, mark=0x80000, mask=0xFF0000),
        ),
    },
    "more-specific-route": {
        "a narrower route by the bridge itself": lambda: adding(
            docker_like_snapshot(), HOST, "routes", route("172.17.0.0/24", ifindex=DOCKER0)
        ),
        "a narrower route where nobody lives": lambda: adding(
            docker_like_snapshot(), HOST, "routes", route("172.17.200.1/32", ifindex=UPLINK)
        ),
    },
    "subnet-overlap": {
        "a VPN that takes everything in two halves": lambda: vpn(
            cidr="10.8.0.2/24", routes=(route("0.0.0.0/1", ifindex=30), route("128.0.0.0/1", ifindex=30))
        ),
        "a wider route of a VPN": lambda: vpn(cidr="10.200.0.2/24", routes=(route("10.0.0.0/8", ifindex=30),)),
    },
    "ctr-wrong-gw": {
        "a neighbour that is a router": router,
    },
    "ctr-no-gw": {
        "no default route on an internal network": lambda: network(
            default_less(default_via(None), APP2), "app", internal=True, masquerade=False
        ),
    },
    "rpf-multinet": {
        "loose filtering on the way back": lambda: multi(strict="2"),
        "a container on two networks": lambda: multi(strict="0"),
        "strict filtering on one network": lambda: with_sysctl(
            docker_like_snapshot(), "net.ipv4.conf.br-app.rp_filter", "1"
        ),
    },
    "nfcall-off-noproxy": {
        "bridged frames past iptables with a proxy": lambda: with_sysctl(docker_like_snapshot(), NF_CALL, "0"),
    },
    "hairpin-off": {
        "hairpin off with a proxy": docker_like_snapshot,
        "hairpin off where frames pass by iptables": lambda: port(
            with_sysctl(proxyless(), NF_CALL, "0"), "veth5f0a1b2", hairpin=False
        ),
    },
    "localnet-off": {
        "no proxy, and all that it takes": published_on_app,
    },
    "input-drop": {
        "a full host firewall before other services": lambda: adding(
            after(docker_like_snapshot(), [filter_rule("INPUT", "-i docker0 -m conntrack --ctstate NEW -j DROP")]),
            HOST,
            "sockets",
            Socket(proto="tcp", address=ANY, port=22, process="sshd"),
        ),
        "a name server that may be asked": served,
    },
    "mtu-blackhole": {
        "a narrow uplink": narrow,
        "a narrow uplink, its message lost, its segments clamped": lambda: after(
            narrow(rule=DROP_ICMP),
            [filter_rule("FORWARD", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")],
        ),
        "ICMP dropped, with nothing to tell": lambda: narrow(rule=DROP_ICMP, mtu=1500),
    },
    "conntrack-full": {
        "a table half full": lambda: conntrack(500),
        "a table without a limit": lambda: conntrack(5, most=0),
    },
    "ip6-fwd-off": {
        "IPv6 that works": six,
        "no IPv6 forwarding and no network with it": lambda: with_sysctl(
            docker_like_snapshot(), "net.ipv6.conf.all.forwarding", "0"
        ),
    },
    "ra-route-lost": {
        "an IPv6 default route that somebody set": lambda: adding(
            without(six(eth0_DOT_accept_ra="1"), HOST, "routes", lambda item: item.dst == "::/0"),
            HOST,
            "routes",
            default6("static"),
        ),
        "a host without IPv6 of its own": lambda: without(
            without(six(eth0_DOT_accept_ra="1"), HOST, "routes", lambda item: item.dst == "::/0"),
            HOST,
            "addresses",
            lambda item: item.address == "2001:db8::2",
        ),
    },
    "exchange-full": {
        "a bridge with many ports": lambda: crowded(900),
    },
    "port-taken": {
        "a free port": stopped,
    },
}

CASES: dict[str, CheckCases] = tabled(FAULTS, NEAR_MISSES)
