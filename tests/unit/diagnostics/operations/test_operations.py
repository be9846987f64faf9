"""Every operation: what it shows, what it changes in a snapshot, and what takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import msgspec
import pytest

from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.base import Operation, UnknownEffectError
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.diagnostics.operations.bridge_port import AddPortVlan, DeletePortVlan, SetPortFlag, SetPortState
from dnet_tui.diagnostics.operations.by_hand import ByHand, Command
from dnet_tui.diagnostics.operations.engine import (
    ConnectContainer,
    DisconnectContainer,
    ReloadEngineRules,
    RestartContainers,
)
from dnet_tui.diagnostics.operations.engine_network import (
    CreateDockerNetwork,
    CreatePodmanNetwork,
    PodmanSubnet,
    RemoveDockerNetwork,
    RemovePodmanNetwork,
)
from dnet_tui.diagnostics.operations.firewalld import AddForwardPort, ChangeZone
from dnet_tui.diagnostics.operations.kernel import ForgetConnections, LoadModule, SetSysctl, UnloadModule
from dnet_tui.diagnostics.operations.link import AddVeth, DeleteVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import DeleteNeighbour, SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace, DeleteNamespace, NetnsScope
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule, DeletePolicyRule, PolicyRuleSpec
from dnet_tui.diagnostics.operations.remedy import AnyOperation, commands, inverses
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, ReplaceRoute, RouteSpec
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule, SetChainPolicy, rule_words
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import LinkRef, Neighbour, PolicyRule, Snapshot
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache
from unit.builders.factories import DOCKER0, HOST, VETH_WEB, WEB, docker_like_snapshot, with_link
from unit.builders.factories_links import adding, namespace, without

RULE = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD"}
COMMENT = '-m comment --comment "a \\"b\\" c" -j DROP'
INSIDE = NetnsScope(id=WEB, pid=1201)
NAMED = NetnsScope(id=WEB, name="web")
MAC = "02:42:ac:11:00:02"

SHOWN: tuple[tuple[AnyOperation, str], ...] = (
    (SetSysctl(key="net.ipv4.ip_forward", value="1"), "sysctl -w net.ipv4.ip_forward=1"),
    (
        InsertRule(**RULE, spec=COMMENT, position=2, packets=3, bytes=9),  # type: ignore[arg-type]
        'iptables-nft -w -t filter -I FORWARD 2 -m comment --comment a "b" c -j DROP -c 3 9',
    ),
    (InsertRule(**RULE, spec="-j DROP"), "iptables-nft -w -t filter -A FORWARD -j DROP"),  # type: ignore[arg-type]
    (
        DeleteRule(**RULE, spec="-j DROP", position=4),  # type: ignore[arg-type]
        "iptables-nft -w -t filter -D FORWARD -j DROP",
    ),
    (SetChainPolicy(**RULE, policy="DROP"), "iptables-nft -w -t filter -P FORWARD DROP"),  # type: ignore[arg-type]
    (
        AcceptInNft(family="inet", table="f", chain="c", direction="iifname", interfaces=("br0",)),
        "nft insert rule inet f c iifname br0 accept",
    ),
    (
        AcceptInNft(
            family="ip", table="f", chain="c", direction="oifname", interfaces=("a", "b"), proto="udp", port=53
        ),
        "nft insert rule ip f c oifname { a , b } udp dport 53 accept",
    ),
    (SetLinkUp(link="br0"), "ip link set dev br0 up"),
    (SetLinkUp(link="eth0", up=False, inside=INSIDE), "nsenter -t 1201 -n ip link set dev eth0 down"),
    (SetLinkMaster(link="veth1", master="br0"), "ip link set dev veth1 master br0"),
    (SetLinkMaster(link="veth1", before="br0"), "ip link set dev veth1 nomaster"),
    (SetSpanningTree(bridge="br0", on=False), "ip link set dev br0 type bridge stp_state 0"),
    (SetPortFlag(port="veth1", flag="bcast_flood", on=True), "bridge link set dev veth1 bcast_flood on"),
    (SetPortState(port="veth1", state="forwarding"), "bridge link set dev veth1 state 3"),
    (AddPortVlan(port="veth1", vid=7), "bridge vlan add dev veth1 vid 7 pvid untagged"),
    (DeletePortVlan(port="veth1", vid=7), "bridge vlan del dev veth1 vid 7"),
    (AddAddress(link="br0", cidr="10.0.0.1/8", as_gateway=True), "ip address add 10.0.0.1/8 brd + dev br0"),
    (AddAddress(link="br0", cidr="fd00::1/64", as_gateway=True), "ip address add fd00::1/64 nodad dev br0"),
    (AddAddress(link="br0", cidr="10.0.0.1/8", replace=True), "ip address replace 10.0.0.1/8 dev br0"),
    (AddAddress(link="v", cidr="10.0.0.1/8", inside=NAMED), "ip -n web address add 10.0.0.1/8 dev v"),
    (DeleteAddress(link="v", cidr="10.0.0.1/8", scope="link"), "ip address del 10.0.0.1/8 dev v"),
    (
        AddRoute(route=RouteSpec(family="ip6", gateway="fd00::1"), inside=NAMED),
        "ip -n web -6 route add default via fd00::1",
    ),
    (DeleteRoute(route=RouteSpec(type="blackhole", dst="10.0.0.0/8")), "ip route del blackhole 10.0.0.0/8"),
    (
        AddRoute(route=RouteSpec(gateway="10.0.0.1", metric=5, mtu=1300, mtu_locked=True, advmss=1000, realm=3)),
        "ip route add default via 10.0.0.1 metric 5 mtu lock 1300 advmss 1000 realm 3",
    ),
    (
        ReplaceRoute(
            route=RouteSpec(
                gateway="10.0.0.1",
                link="v",
                onlink=True,
                protocol="dhcp",
                scope="link",
                source="10.0.0.2",
                metric=5,
            )
        ),
        "ip route replace default via 10.0.0.1 dev v onlink proto dhcp scope link src 10.0.0.2 metric 5",
    ),
    (
        AddPolicyRule(rule=PolicyRuleSpec(priority=5, table="main", to="10.0.0.0/8")),
        "ip rule add to 10.0.0.0/8 lookup main pref 5",
    ),
    (
        DeletePolicyRule(rule=PolicyRuleSpec(family="ip6", priority=5, table="7", mark="0x1/0xff")),
        "ip -6 rule del fwmark 0x1/0xff lookup 7 pref 5",
    ),
    (
        DeletePolicyRule(
            rule=PolicyRuleSpec(priority=9, action="prohibit", source="10.0.0.0/8", to="10.1.0.0/16", iif="a", oif="b")
        ),
        "ip rule del from 10.0.0.0/8 to 10.1.0.0/16 iif a oif b prohibit pref 9",
    ),
    (
        AddRoute(route=RouteSpec(family="ip6", gateway="fd00::1", preference="high")),
        "ip -6 route add default via fd00::1 pref high",
    ),
    (
        SetNeighbour(
            link="br0", address="fd00::1", mac=MAC, state="PERMANENT", flags=("router", "managed"), protocol="static"
        ),
        f"ip neigh replace fd00::1 lladdr {MAC} dev br0 nud permanent router managed protocol static",
    ),
    (DeleteNeighbour(link="br0", address="10.0.0.2", mac=MAC, state="STALE"), "ip neigh del 10.0.0.2 dev br0"),
    (
        SetNeighbour(link="br0", address="10.0.0.2", mac=MAC, state="STALE"),
        f"ip neigh replace 10.0.0.2 lladdr {MAC} dev br0 nud stale",
    ),
    (CreateBridge(name="br0"), "ip link add name br0 type bridge; ip link set dev br0 up"),
    (DeleteBridge(name="br0"), "ip link delete br0 type bridge"),
    (CreateDockerNetwork(name="n", internal=True), "docker network create --internal n"),
    (RemoveDockerNetwork(name="n", id="abc"), "docker network rm n"),
    (
        CreatePodmanNetwork(name="n", subnets=(PodmanSubnet(cidr="fd00::/64", gateway="fd00::1"),), dns=False),
        "podman network create --ipv6 --subnet fd00::/64 --gateway fd00::1 --disable-dns n",
    ),
    (RemovePodmanNetwork(name="n"), "podman network rm n"),
    (ReloadEngineRules(engine="podman"), "podman network reload --all"),
    (RestartContainers(engine="docker", names=("a", "b")), "docker restart a b"),
    (
        ConnectContainer(engine="docker", network="n", container="c", addresses=("10.0.0.2", "fd00::2")),
        "docker network connect --ip 10.0.0.2 --ip6 fd00::2 n c",
    ),
    (DisconnectContainer(engine="podman", network="n", container="c"), "podman network disconnect n c"),
    (
        ChangeZone(zone="docker", kind="interface", item="br0", present=False, permanent=True),
        "firewall-cmd --permanent --zone=docker --remove-interface=br0",
    ),
    (
        AddForwardPort(port=8080, proto="tcp", to_port=80, to_address="10.0.0.2", zone="public"),
        "firewall-cmd --zone=public --add-forward-port=port=8080:proto=tcp:toport=80:toaddr=10.0.0.2",
    ),
    (LoadModule(name="br_netfilter"), "modprobe br_netfilter"),
    (UnloadModule(name="br_netfilter"), "modprobe -r br_netfilter"),
    (ForgetConnections(proto="udp", port=53), "conntrack -D -p udp --orig-port-dst 53"),
    (AddNamespace(name="lab"), "ip netns add lab"),
    (DeleteNamespace(name="lab"), "ip netns delete lab"),
    (
        AddVeth(link="vweb", peer="eth0", inside="web"),
        "ip link add name vweb type veth peer name eth0 netns web",
    ),
    (
        AddVeth(link="vweb", peer="eth0", inside="web", mac=MAC, peer_mac=MAC, mtu=1400),
        f"ip link add name vweb address {MAC} mtu 1400 type veth peer name eth0 address {MAC} mtu 1400 netns web",
    ),
    (DeleteVeth(link="vweb"), "ip link delete dev vweb type veth"),
    (ByHand(argv=("systemctl", "reboot")), "systemctl reboot"),
    (Command(argv=("true",)), "true"),
)
KINDS: tuple[type[Operation], ...] = get_args(AnyOperation)


@pytest.mark.parametrize(("operation", "shown"), SHOWN, ids=[shown[:60] for _, shown in SHOWN])
def test_an_operation_shows_the_commands_that_a_person_would_type(operation: AnyOperation, shown: str) -> None:
    assert "; ".join(" ".join(words) for words in operation.commands()) == shown
    assert operation.text
    assert "\n" not in operation.text
    assert not operation.text.endswith(".")


@pytest.mark.parametrize("operation", [item for item, _ in SHOWN], ids=[shown[:60] for _, shown in SHOWN])
def test_an_operation_comes_back_from_the_journal_as_it_was(operation: AnyOperation) -> None:
    written = msgspec.json.encode(operation)
    assert msgspec.json.decode(written, type=AnyOperation) == operation


def test_every_kind_of_operation_is_shown_here_and_has_words_of_its_own() -> None:
    assert {type(item) for item, _ in SHOWN} == set(KINDS)
    assert len({(type(item), item.text) for item, _ in SHOWN}) == len({item.text for item, _ in SHOWN})


def test_words_that_break_the_grammar_are_still_shown() -> None:
    assert rule_words('-m comment --comment "cut short') == ("-m", "comment", "--comment", '"cut', "short")


# -- effects -----------------------------------------------------------------------------------------


def in_forward(snapshot: Snapshot) -> list[str]:
    firewall = namespace(snapshot, HOST).firewall
    assert firewall is not None
    return [
        rule.text
        for table in firewall.tables
        for chain in table.chains
        if (table.name, table.family, chain.name) == ("filter", "ip", "FORWARD")
        for rule in chain.rules
    ]


FORWARD = in_forward(docker_like_snapshot())
GATEWAY = RouteSpec(gateway="172.17.0.1", link="eth0")
OTHER = RouteSpec(gateway="172.17.0.9", link="eth0")

REVERSIBLE: tuple[AnyOperation, ...] = (
    InsertRule(**RULE, spec="-j DROP", position=1),  # type: ignore[arg-type]
    DeleteRule(**RULE, spec=FORWARD[1], position=2),  # type: ignore[arg-type]
    SetLinkMaster(link="veth5f0a1b2", before="docker0"),
    SetPortFlag(port="veth5f0a1b2", flag="hairpin", on=True),
    AddAddress(link="docker0", cidr="10.66.0.1/24"),
    AddRoute(route=RouteSpec(dst="198.18.0.0/15", gateway="172.17.0.9", link="eth0"), inside=INSIDE),
    DeleteRoute(route=GATEWAY, inside=INSIDE),
    ReplaceRoute(route=OTHER, before=GATEWAY, inside=INSIDE),
    AddPolicyRule(rule=PolicyRuleSpec(priority=5, table="main", to="10.0.0.0/8")),
    AddPolicyRule(rule=PolicyRuleSpec(priority=5, action="blackhole", source="10.0.0.0/8", iif="docker0")),
    SetSpanningTree(bridge="docker0", on=True),
    CreateBridge(name="br-new", addresses=("10.66.0.1/24",)),
)


@pytest.mark.parametrize("operation", REVERSIBLE, ids=lambda item: type(item).__name__)
def test_the_inverse_undoes_the_effect(operation: AnyOperation) -> None:
    host = docker_like_snapshot()
    changed = after(host, [operation])
    assert changed != host
    assert orderless(after(changed, inverses([operation]))) == orderless(host)


def test_a_deleted_neighbour_comes_back_whole() -> None:
    entry = Neighbour(
        ifindex=DOCKER0,
        family="ip6",
        address="fd00::2",
        mac=MAC,
        state="PERMANENT",
        flags=("router", "extern_learn"),
        protocol="zebra",
    )
    host = adding(docker_like_snapshot(), HOST, "neighbours", entry)
    gone = DeleteNeighbour.of(entry, "docker0")
    assert entry not in namespace(after(host, [gone]), HOST).neighbours
    assert entry in namespace(after(host, [gone, gone.inverse()]), HOST).neighbours


def orderless(snapshot: Snapshot) -> object:
    """A snapshot for comparing: routes are no list, a port's counters and whose a rule is aren't simulated."""
    snapshot = OwnerCache().fill_in(snapshot)
    return [
        (
            ns.id,
            sorted(str(msgspec.structs.replace(route, protocol="")) for route in ns.routes),
            ns.addresses,
            [(link.name, link.up, link.master, link.bridge, link.port) for link in ns.links],
            ns.policy_rules,
            ns.neighbours,
            ns.sysctls,
            ns.firewall,
        )
        for ns in snapshot.namespaces
    ]


def test_an_inverse_is_of_the_last_change_first_and_leaves_out_what_has_none() -> None:
    steps = (SetLinkUp(link="a"), SetPortState(port="b", state="forwarding"), SetLinkUp(link="c"))
    assert inverses(steps) == (SetLinkUp(link="c", up=False), SetLinkUp(link="a", up=False))
    assert commands(steps[:1]) == (("ip", "link", "set", "dev", "a", "up"),)


def test_an_operation_changes_what_it_names_and_nothing_else() -> None:
    host = docker_like_snapshot()
    down = with_link(host, HOST, "veth5f0a1b2", up=False)
    assert after(down, [SetLinkUp(link="veth5f0a1b2")]) == host
    loose = with_link(host, HOST, "veth5f0a1b2", master=None, port=None)
    moved = after(loose, [SetLinkMaster(link="veth5f0a1b2", master="docker0")])
    assert namespace(moved, HOST) == namespace(host, HOST)
    changed = after(host, [ReplaceRoute(route=OTHER, inside=INSIDE)])
    assert [ns.id for ns, was in zip(changed.namespaces, host.namespaces, strict=True) if ns != was] == [WEB]
    assert [hop.gateway for item in namespace(changed, WEB).routes if item.dst == "0.0.0.0/0" for hop in item.hops] == [
        "172.17.0.9"
    ]
    ruled = after(host, [AddPolicyRule(rule=PolicyRuleSpec(priority=5, table="main", to="10.0.0.0/8"))])
    assert namespace(ruled, HOST).policy_rules[-1] == PolicyRule(family="ip", priority=5, table=254, dst="10.0.0.0/8")


def test_an_address_brings_its_routes_with_it() -> None:
    host = docker_like_snapshot()
    bare = without(host, HOST, "addresses", lambda item: item.address == "172.17.0.1")
    bare = without(bare, HOST, "routes", lambda item: item.dst in {"172.17.0.0/16", "172.17.0.1/32"})
    again = namespace(after(bare, [AddAddress(link="docker0", cidr="172.17.0.1/16", as_gateway=True)]), HOST)
    assert {item.dst for item in again.routes} == {item.dst for item in namespace(host, HOST).routes}
    assert any(item.address == "172.17.0.1" and item.ifindex == DOCKER0 for item in again.addresses)


def test_the_far_end_of_a_veth_gets_its_carrier_back() -> None:
    host = docker_like_snapshot()
    veth = next(link for link in namespace(host, HOST).links if link.name == "veth5f0a1b2")
    assert veth.port is not None
    dead = msgspec.structs.replace(veth.port, state="disabled")
    broken = with_link(with_link(host, WEB, "eth0", up=False), HOST, veth.name, port=dead)
    assert veth.peer == LinkRef(namespace=WEB, ifindex=VETH_WEB - 1)
    healed = after(broken, [SetLinkUp(link="eth0", inside=INSIDE)])
    assert namespace(healed, HOST) == namespace(host, HOST)


UNFIT: dict[str, Callable[[], AnyOperation]] = {
    "no such link": lambda: SetLinkUp(link="nothing"),
    "no such port": lambda: SetPortFlag(port="docker0", flag="hairpin", on=True),
    "no such namespace": lambda: SetLinkUp(link="eth0", inside=NetnsScope(id="net:[1]", name="web")),
    "no such rule": lambda: DeleteRule(**RULE, spec="-j NOTHING", position=1),  # type: ignore[arg-type]
    "no such chain": lambda: InsertRule(**{**RULE, "chain": "NONE"}, spec="-j DROP"),  # type: ignore[arg-type]
    "no such route": lambda: DeleteRoute(route=OTHER, inside=INSIDE),
    "no such address": lambda: DeleteAddress(link="docker0", cidr="10.0.0.1/8"),
    "no such policy rule": lambda: DeletePolicyRule(rule=PolicyRuleSpec(priority=5, table="main")),
    "a bridge that has ports": lambda: DeleteBridge(name="docker0"),
    "a bridge that is there": lambda: CreateBridge(name="docker0"),
    "a table without a known number": lambda: AddPolicyRule(rule=PolicyRuleSpec(priority=5, table="vpn")),
    "a mark": lambda: AddPolicyRule(rule=PolicyRuleSpec(priority=5, table="main", mark="1")),
    "a link that goes down": lambda: SetLinkUp(link="docker0", up=False),
    "what a person decides": lambda: ByHand(argv=("true",)),
    "what an engine does": lambda: CreateDockerNetwork(name="n"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_an_effect_that_is_not_known_is_not_guessed(case: str) -> None:
    with pytest.raises(UnknownEffectError):
        after(docker_like_snapshot(), [UNFIT[case]()])
