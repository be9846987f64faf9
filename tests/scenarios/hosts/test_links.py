"""The checks of links, addresses, routes and containers: each fires on its fault alone, and on no near miss."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from dnet_tui.diagnostics.checks.firewall.bridge_family_drop import owns as owns_bridge_family
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import (
    Endpoint,
    Link,
    Network,
    Snapshot,
    Subnet,
)
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table, Verdict
from scenarios.hosts.reported import serious
from unit.builders.factories import (
    APP1,
    APP2,
    HOST,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
)
from unit.builders.factories_links import (
    HELD,
    adding,
    bridge_bare,
    conntrack,
    multi,
    narrow,
    neighbour,
    network,
    on_the_inside,
    port,
    served,
    stopped,
    vpn,
)
from unit.diagnostics.checks.cases.case import flat
from unit.diagnostics.checks.cases.links import FAULTS
from unit.diagnostics.checks.cases.links import NEAR_MISSES as GROUPED

NEAR_MISSES = flat(GROUPED)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_the_first_and_only_thing_reported(fault: str) -> None:
    check, build = FAULTS[fault]
    report = run_checks(build())
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
    remedy = run_checks(broken).findings[0].remedy
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
    remedy = run_checks(FAULTS[fault][1]()).findings[0].remedy
    assert remedy is not None
    assert [" ".join(step.commands()[0]) for step in remedy.steps] == COMMANDS[fault]
    assert remedy.undo or fault == "a port that waits"
    assert all(isinstance(step, ProgramOperation) for step in (*remedy.steps, *remedy.undo))


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_a_near_miss_is_not_reported(case: str) -> None:
    report = run_checks(NEAR_MISSES[case]())
    assert [f.summary for f in report.findings if f.severity != "info"] == []
    assert "crashed" not in {result.outcome for result in report.checks}


TOLD: dict[str, Callable[[], Snapshot]] = {
    "gw-choice": on_the_inside,
    "mtu-blackhole": narrow,
    "input-drop": NEAR_MISSES["a full host firewall before other services"],
    "port-taken": lambda: stopped(HELD),
    "subnet-overlap": NEAR_MISSES["a wider route of a VPN"],
}


@pytest.mark.parametrize("check", TOLD)
def test_what_is_no_fault_is_only_told(check: str) -> None:
    report = run_checks(TOLD[check]())
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
        assert check not in {finding.check for finding in run_checks(build()).findings}


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
    finding = next(item for item in run_checks(loose).findings if item.check == "veth-orphan")
    assert "web is cut off" in finding.summary
    routed = adding(loose, HOST, "routes", route("172.17.0.2/32", ifindex=6))
    assert "veth-orphan" not in {item.check for item in run_checks(routed).findings}


def test_a_container_that_is_attached_where_its_engine_says_is_no_orphan() -> None:
    base = docker_like_snapshot()
    moved = Endpoint(network="net-app", addresses=("10.10.0.7/24",))
    containers = tuple(
        msgspec.structs.replace(item, endpoints=(moved,)) if item.name == "web" else item for item in base.containers
    )
    assert "veth-orphan" not in {
        f.check for f in run_checks(msgspec.structs.replace(base, containers=containers)).findings
    }


def _rule_of(family: str) -> RuleRef:
    return RuleRef(namespace=HOST, backend="nftables", family=family, table="x", chain="f", number=1, text="drop")


def test_a_drop_of_the_bridge_family_belongs_to_its_own_check() -> None:
    case = HostContext(docker_like_snapshot())
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
    assert [(f.check, f.severity) for f in run_checks(grown).findings] == [("subnet-overlap", "warning")]


def test_two_independent_faults_are_two_findings() -> None:
    both = port(bridge_bare(), "veth77c3d4e", state="listening")
    assert {finding.check for finding in serious(both) if finding.caused_by is None} == {"bridge-no-ip", "port-not-fwd"}


def test_a_policy_of_input_is_whose_chains_hang_in_it() -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in base.namespaces if ns.id == HOST)
    assert host.firewall is not None

    def with_input(owner: str) -> Snapshot:
        rule = Rule(number=1, text="-j their-input", owner=owner, exprs=(Verdict(kind="jump", chain="their-input"),))

        def of(table: Table) -> Table:
            chains = (
                msgspec.structs.replace(item, policy="drop", rules=(rule,)) if item.name == "INPUT" else item
                for item in table.chains
            )
            added = (Chain(name="their-input"),) if table.name == "filter" else ()
            return msgspec.structs.replace(table, chains=(*chains, *added)) if added else table

        assert host.firewall is not None
        return with_namespace(base, HOST, firewall=Firewall(tables=tuple(map(of, host.firewall.tables))))

    def owners(snapshot: Snapshot) -> set[str]:
        found = [item for item in run_checks(snapshot).findings if item.check == "input-drop"]
        assert found
        return {item.owner.name if item.owner is not None else "" for item in found}

    assert owners(with_input("ufw")) == {"ufw"}
    assert owners(with_input("kube-proxy")) == {""}, "it hangs its chains in, and sets no policy"
