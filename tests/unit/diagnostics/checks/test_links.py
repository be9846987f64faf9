"""The checks of links, addresses, routes and containers: each fires on its fault alone, and on no near miss."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.firewall.bridge_family_drop import owns as owns_bridge_family
from dnet_tui.diagnostics.checks.run_checks import examine
from dnet_tui.diagnostics.context.host_context import Case
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import (
    Address,
    Endpoint,
    Link,
    Network,
    PolicyRule,
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
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_links import (
    DROP_ICMP,
    HELD,
    NF_CALL,
    adding,
    bridge_bare,
    bridge_down,
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
    on_the_inside,
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

FAULTS: dict[str, tuple[str, Callable[[], Snapshot]]] = {
    "a bridge that is down": ("bridge-down", bridge_down),
    "a bridge without its address": ("bridge-no-ip", bridge_bare),
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
    "a name server behind INPUT": ("input-drop", lambda: served(rule="-i docker0 -j DROP")),
    "a narrow uplink that keeps it to itself": ("mtu-blackhole", lambda: narrow(rule=DROP_ICMP)),
    "a table nearly full": ("conntrack-full", lambda: conntrack(900)),
    "a table full": ("conntrack-full", lambda: conntrack(985)),
    "no IPv6 forwarding": ("ip6-fwd-off", lambda: six(all_DOT_forwarding="0")),
    "a router that no longer listens": ("ra-route-lost", lambda: six(eth0_DOT_accept_ra="1")),
    "a crowded bridge": ("exchange-full", lambda: crowded(1001)),
}


def serious(snapshot: Snapshot) -> list[Finding]:
    return [finding for finding in examine(snapshot).findings if finding.severity != "info"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    check, build = FAULTS[fault]
    report = examine(build())
    roots = [finding.check for finding in report.findings if finding.severity != "info" and not finding.caused_by]
    assert roots == [check]
    assert report.findings[0].check == check
    assert report.findings[0].evidence
    assert "crashed" not in {result.outcome for result in report.checks}


TYPED = {
    "rpf-multinet": "strict filtering on the way back",
    "nfcall-drop": "no rule for what stays within",
    "nfcall-off-noproxy": "frames past iptables without a proxy",
    "localnet-off": "no loopback without a proxy",
    "input-drop": "a name server behind INPUT",
    "mtu-blackhole": "a narrow uplink that keeps it to itself",
    "conntrack-full": "a table full",
    "ip6-fwd-off": "no IPv6 forwarding",
    "ra-route-lost": "a router that no longer listens",
}
"""Those whose remedy can be simulated."""


@pytest.mark.parametrize("check", TYPED)
def test_the_remedy_cures_it_and_the_undo_brings_the_same_host_back(check: str) -> None:
    broken = FAULTS[TYPED[check]][1]()
    remedy = examine(broken).findings[0].remedy
    assert remedy is not None
    cured = after(broken, remedy.steps)
    assert serious(cured) == []
    assert after(cured, remedy.undo) == broken


COMMANDS: dict[str, list[str]] = {
    "a bridge that is down": ["ip link set dev docker0 up"],
    "a bridge without its address": ["ip address add 172.17.0.1/16 brd + dev docker0"],
    "a veth without a master": ["ip link set dev veth5f0a1b2 master docker0"],
    "a veth that is down": ["ip link set dev veth5f0a1b2 up"],
    "a container's end that is down": [
        "nsenter -t 1301 -n ip link set dev eth0 up",
        "nsenter -t 1301 -n ip route add default via 10.10.0.1",
    ],
    "a port that waits": ["bridge link set dev veth77c3d4e state 3"],
    "two isolated ports": [
        "bridge link set dev veth77c3d4e isolated off",
        "bridge link set dev veth99e5f60 isolated off",
    ],
    "a port without broadcasts": ["bridge link set dev veth77c3d4e bcast_flood on"],
    "a permanent wrong neighbour": ["ip neigh del 172.17.0.2 dev docker0"],
    "a table with a default only": [
        "ip rule add to 172.17.0.0/16 lookup main pref 5269",
        "ip rule add to 10.10.0.0/24 lookup main pref 5269",
    ],
    "a host route by another device": ["ip route del 172.17.0.2/32 dev eth0"],
    "a container without a default route": ["nsenter -t 1301 -n ip route add default via 10.10.0.1"],
    "a container with a gateway that isn't there": [
        "nsenter -t 1301 -n ip route replace default via 10.10.0.1 dev eth0"
    ],
    "no hairpin without a proxy": ["bridge link set dev veth5f0a1b2 hairpin on"],
}


@pytest.mark.parametrize("fault", COMMANDS)
def test_the_remedy_is_the_command_that_a_person_would_type(fault: str) -> None:
    remedy = examine(FAULTS[fault][1]()).findings[0].remedy
    assert remedy is not None
    assert [" ".join(step.commands()[0]) for step in remedy.steps] == COMMANDS[fault]
    assert remedy.undo or fault == "a port that waits"
    assert all(isinstance(step, ProgramOperation) for step in (*remedy.steps, *remedy.undo))


NEAR_MISSES: dict[str, Callable[[], Snapshot]] = {
    "a bridge that is down without containers": lambda: network_without_members(up=False),
    "no carrier on an empty bridge": lambda: network_without_members(up=True),
    "no address on an internal network": inside_only,
    "a veth that is routed": lambda: adding(orphan_of_nobody(), HOST, "routes", route("172.17.0.2/32", ifindex=6)),
    "one isolated port": lambda: port(docker_like_snapshot(), "veth77c3d4e", isolated=True),
    "isolated ports where icc is off": lambda: network(
        port(port(docker_like_snapshot(), "veth77c3d4e", isolated=True), "veth99e5f60", isolated=True),
        "app",
        icc=None,
    ),
    "broadcasts off on a port alone on its bridge": lambda: port(
        docker_like_snapshot(), "veth5f0a1b2", broadcast_flood=False
    ),
    "broadcasts off on a managed port": lambda: port(
        docker_like_snapshot(), "veth77c3d4e", broadcast_flood=False, learning=False
    ),
    "a right permanent neighbour": lambda: neighbour("PERMANENT", mac="02:42:0a:00:00:06"),
    "a stale wrong neighbour": lambda: neighbour("STALE"),
    "a failed neighbour": lambda: neighbour("FAILED", mac=""),
    "the same address on another link": lambda: neighbour("PERMANENT", ifindex=UPLINK),
    "an IPv6 duplicate that the kernel found": lambda: adding(
        adding(
            docker_like_snapshot(), APP1, "addresses", Address(ifindex=7, family="ip6", address="fd00::9", prefixlen=64)
        ),
        APP2,
        "addresses",
        Address(ifindex=9, family="ip6", address="fd00::9", prefixlen=64, flags=("dadfailed", "tentative")),
    ),
    "one address on two bridges' loopbacks": lambda: adding(
        adding(
            docker_like_snapshot(), APP1, "addresses", Address(ifindex=1, family="ip", address="10.9.9.9", prefixlen=32)
        ),
        APP2,
        "addresses",
        Address(ifindex=1, family="ip", address="10.9.9.9", prefixlen=32),
    ),
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
    "a narrower route by the bridge itself": lambda: adding(
        docker_like_snapshot(), HOST, "routes", route("172.17.0.0/24", ifindex=DOCKER0)
    ),
    "a narrower route where nobody lives": lambda: adding(
        docker_like_snapshot(), HOST, "routes", route("172.17.200.1/32", ifindex=UPLINK)
    ),
    "a VPN that takes everything in two halves": lambda: vpn(
        cidr="10.8.0.2/24", routes=(route("0.0.0.0/1", ifindex=30), route("128.0.0.0/1", ifindex=30))
    ),
    "a wider route of a VPN": lambda: vpn(cidr="10.200.0.2/24", routes=(route("10.0.0.0/8", ifindex=30),)),
    "a neighbour that is a router": router,
    "no default route on an internal network": lambda: network(
        default_less(default_via(None), APP2), "app", internal=True, masquerade=False
    ),
    "loose filtering on the way back": lambda: multi(strict="2"),
    "a container on two networks": lambda: multi(strict="0"),
    "strict filtering on one network": lambda: with_sysctl(
        docker_like_snapshot(), "net.ipv4.conf.br-app.rp_filter", "1"
    ),
    "bridged frames past iptables with a proxy": lambda: with_sysctl(docker_like_snapshot(), NF_CALL, "0"),
    "hairpin off with a proxy": docker_like_snapshot,
    "no proxy, and all that it takes": published_on_app,
    "hairpin off where frames pass by iptables": lambda: port(
        with_sysctl(proxyless(), NF_CALL, "0"), "veth5f0a1b2", hairpin=False
    ),
    "a full host firewall before other services": lambda: adding(
        after(docker_like_snapshot(), [filter_rule("INPUT", "-i docker0 -j DROP")]),
        HOST,
        "sockets",
        Socket(proto="tcp", address=ANY, port=22, process="sshd"),
    ),
    "a name server that may be asked": served,
    "a narrow uplink": narrow,
    "a narrow uplink, its message lost, its segments clamped": lambda: after(
        narrow(rule=DROP_ICMP),
        [filter_rule("FORWARD", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")],
    ),
    "ICMP dropped, with nothing to tell": lambda: narrow(rule=DROP_ICMP, mtu=1500),
    "a table half full": lambda: conntrack(500),
    "a table without a limit": lambda: conntrack(5, most=0),
    "IPv6 that works": six,
    "no IPv6 forwarding and no network with it": lambda: with_sysctl(
        docker_like_snapshot(), "net.ipv6.conf.all.forwarding", "0"
    ),
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
    "a bridge with many ports": lambda: crowded(900),
    "a free port": stopped,
    "no way out at all": lambda: without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0"),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_not_reported(case: str) -> None:
    report = examine(NEAR_MISSES[case]())
    assert [f.summary for f in report.findings if f.severity != "info"] == []
    assert "crashed" not in {result.outcome for result in report.checks}


TOLD: dict[str, Callable[[], Snapshot]] = {
    "host-no-uplink": NEAR_MISSES["no way out at all"],
    "gw-choice": on_the_inside,
    "mtu-blackhole": narrow,
    "input-drop": NEAR_MISSES["a full host firewall before other services"],
    "port-taken": lambda: stopped(HELD),
    "subnet-overlap": NEAR_MISSES["a wider route of a VPN"],
}


@pytest.mark.parametrize("check", TOLD)
def test_what_is_no_fault_is_only_told(check: str) -> None:
    report = examine(TOLD[check]())
    told = [finding for finding in report.findings if finding.check == check]
    assert {finding.severity for finding in told} == {"info"}


SILENT: dict[str, list[Callable[[], Snapshot]]] = {
    "bridge-no-ip": [
        lambda: network(bridge_bare(), "bridge", options={"com.docker.network.bridge.inhibit_ipv4": "true"})
    ],
    "port-taken": [
        stopped,
        lambda: stopped(HELD, running=True),
        lambda: stopped(msgspec.structs.replace(HELD, proto="udp")),
    ],
    "gw-choice": [lambda: multi(strict="0"), docker_like_snapshot],
    "host-no-uplink": [docker_like_snapshot],
    "mtu-blackhole": [docker_like_snapshot, NEAR_MISSES["a narrow uplink, its message lost, its segments clamped"]],
    "input-drop": [served, docker_like_snapshot],
    "subnet-overlap": [NEAR_MISSES["a VPN that takes everything in two halves"]],
}


@pytest.mark.parametrize("check", SILENT)
def test_and_not_even_that_where_there_is_nothing_to_tell(check: str) -> None:
    for build in SILENT[check]:
        assert check not in {finding.check for finding in examine(build()).findings}


def test_a_reachable_wrong_neighbour_is_a_warning_since_it_heals_by_itself() -> None:
    assert [finding.severity for finding in serious(neighbour("REACHABLE"))] == ["warning"]
    assert serious(neighbour("PERMANENT"))[0].severity == "error"


def test_a_table_nearly_full_is_a_warning_and_a_full_one_an_error() -> None:
    assert serious(conntrack(900))[0].severity == "warning"
    assert serious(conntrack(980))[0].severity == "error"


def test_an_overlap_that_cuts_off_containers_is_an_error_and_one_that_hides_a_lan_a_warning() -> None:
    assert serious(FAULTS["a narrower network of the host's own"][1]())[0].severity == "error"
    assert serious(FAULTS["the same network on a LAN"][1]())[0].severity == "warning"


def test_a_named_namespace_on_a_plain_bridge_is_known_by_its_address_and_gateway() -> None:
    base = docker_like_snapshot()
    networks = tuple(
        msgspec.structs.replace(item, id=f"linux:{item.bridge}", engine="linux") if item.bridge else item
        for item in base.networks
    )
    plain = msgspec.structs.replace(base, engines=(), containers=(), networks=networks)
    for ident, name in ((WEB, "web"), (APP1, "app1"), (APP2, "app2")):
        plain = with_namespace(plain, ident, kind="named", names=(name,))
    loose = with_link(plain, HOST, "veth5f0a1b2", master=None, port=None)
    finding = next(item for item in examine(loose).findings if item.check == "veth-orphan")
    assert "web is cut off" in finding.summary
    routed = adding(loose, HOST, "routes", route("172.17.0.2/32", ifindex=6))
    assert "veth-orphan" not in {item.check for item in examine(routed).findings}


def test_a_container_that_is_attached_where_its_engine_says_is_no_orphan() -> None:
    base = docker_like_snapshot()
    moved = Endpoint(network="net-app", addresses=("10.10.0.7/24",))
    containers = tuple(
        msgspec.structs.replace(item, endpoints=(moved,)) if item.name == "web" else item for item in base.containers
    )
    assert "veth-orphan" not in {
        f.check for f in examine(msgspec.structs.replace(base, containers=containers)).findings
    }


def _rule_of(family: str) -> RuleRef:
    return RuleRef(namespace=HOST, backend="nftables", family=family, table="x", chain="f", number=1, text="drop")


def test_a_drop_of_the_bridge_family_belongs_to_its_own_check() -> None:
    case = Case(docker_like_snapshot())
    packet = Packet(src="10.10.0.2", dst="10.10.0.3", proto="tcp")
    for family, expected in (("bridge", True), ("inet", False)):
        by = Decider(kind="rule", text="drop", namespace=HOST, rule=_rule_of(family))
        assert owns_bridge_family(case, Obstacle(end="dropped", stage="bridge", by=by, packet=packet)) is expected


def test_a_subnet_of_a_network_that_is_only_declared_overlaps_too() -> None:
    base = vpn(cidr="10.77.0.5/24")
    bridge = Link(ifindex=40, name="br-new", kind="bridge", up=True)
    planned = Network(
        id="n",
        name="new",
        engine="docker",
        bridge="br-new",
        subnets=(Subnet(cidr="10.77.0.0/16", gateway="10.77.0.1"),),
    )
    grown = adding(msgspec.structs.replace(base, networks=(*base.networks, planned)), HOST, "links", bridge)
    assert [(f.check, f.severity) for f in examine(grown).findings] == [("subnet-overlap", "warning")]


def test_two_independent_faults_are_two_findings() -> None:
    both = port(bridge_bare(), "veth77c3d4e", state="listening")
    assert {finding.check for finding in serious(both) if finding.caused_by is None} == {"bridge-no-ip", "port-not-fwd"}
