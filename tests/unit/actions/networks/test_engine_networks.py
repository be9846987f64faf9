"""Plans for networks: what is refused, what is suggested, and what is written where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.actions.networks.engine_networks import create_plan, default_engine, remove_plan
from dnet_tui.actions.networks.request import Request
from dnet_tui.actions.networks.subnets import (
    by_family,
    checked_gateway,
    checked_subnet,
    checked_subnet6,
    suggest_subnet,
    suggest_subnet6,
)
from dnet_tui.actions.plans.plan import Plan, command_lines, undo_lines
from dnet_tui.diagnostics.operations.bridge import CreateBridge
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.errors import ActionFailedError, CannotInspectError, UsageError
from dnet_tui.inspect.model import AddressPool, Engine, Link, Network, Snapshot, Subnet, known_items
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.network_label import decode
from unit.builders.factories import HOST, docker_like_snapshot, route, with_gaps, with_namespace, with_sysctl

SNAPSHOT = docker_like_snapshot()


def request(**more: Any) -> Request:
    settings: dict[str, Any] = {"name": "side", "engine": "linux", "subnet": "10.77.0.0/24"} | more
    return Request(**settings)


def with_route(snapshot: Snapshot, dst: str) -> Snapshot:
    host = next(ns for ns in snapshot.namespaces if ns.id == HOST)
    return with_namespace(snapshot, HOST, routes=(*host.routes, route(dst, ifindex=2)))


@pytest.mark.parametrize(
    ("subnet", "who"),
    [
        ("10.10.0.0/24", "docker network app"),
        ("10.10.0.128/25", "docker network app"),
        ("10.8.0.0/13", "docker network app"),
        ("203.0.113.0/28", "203.0.113.2/24 on eth0"),
        ("10.50.7.0/24", "the route to 10.50.0.0/16 by eth0"),
    ],
)
def test_an_overlap_is_refused_with_who_and_a_free_range(subnet: str, who: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_subnet(with_route(SNAPSHOT, "10.50.0.0/16"), subnet)
    assert who in error.value.message
    assert "172.20.0.0/24 is free" in error.value.hint


@pytest.mark.parametrize("subnet", ["10.10.1.0/24", "10.9.255.0/24", "203.0.112.0/24", "192.168.0.0/24"])
def test_a_neighbouring_range_is_no_overlap(subnet: str) -> None:
    assert str(checked_subnet(SNAPSHOT, subnet)) == subnet


def test_a_vpn_that_splits_the_default_route_takes_no_range() -> None:
    split = with_route(with_route(SNAPSHOT, "0.0.0.0/1"), "128.0.0.0/1")
    assert str(checked_subnet(split, "10.77.0.0/24")) == "10.77.0.0/24"
    assert suggest_subnet(split) == "172.20.0.0/24"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.77.0.5/24", "did you mean 10.77.0.0/24"),
        ("ten", "write it as"),
        ("fd00::/64", "is free"),
        ("10.77.0.0/30", "take /8 to /29"),
        ("127.5.0.0/16", "is free"),
        ("224.1.0.0/16", "is free"),
    ],
)
def test_what_is_no_subnet_for_containers_is_refused_with_a_hint(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_subnet(SNAPSHOT, text)
    assert said in error.value.hint


def test_the_suggestion_goes_round_what_is_taken() -> None:
    assert suggest_subnet(with_route(SNAPSHOT, "172.20.0.0/16")) == "172.21.0.0/24"
    assert suggest_subnet(with_route(SNAPSHOT, "172.16.0.0/12")) == "10.128.0.0/24"
    full = with_route(with_route(with_route(SNAPSHOT, "172.16.0.0/12"), "10.0.0.0/8"), "192.168.0.0/16")
    assert suggest_subnet(full) is None


def test_the_suggestion_keeps_out_of_the_pools_of_engines_while_anything_else_is_free() -> None:
    (docker,) = known_items(SNAPSHOT.engines)
    pools = (AddressPool(base="172.16.0.0/12", size=24), AddressPool(base="fd00::/16", size=64))
    pooled = msgspec.structs.replace(SNAPSHOT, engines=(msgspec.structs.replace(docker, address_pools=pools),))
    assert suggest_subnet(pooled) == "10.128.0.0/24"
    crowded = with_route(with_route(pooled, "10.0.0.0/8"), "192.168.0.0/16")
    assert suggest_subnet(crowded) == "172.20.0.0/24"


def test_an_mtu_that_ipv6_cannot_live_with_is_refused_in_the_plan() -> None:
    for engine in ("linux", "docker", "podman"):
        with pytest.raises(UsageError, match="IPv6 needs an MTU of 1280"):
            create_plan(SNAPSHOT, request(engine=engine, mtu=1279, subnet6="fd00:9::/64"))
    create_plan(SNAPSHOT, request(engine="linux", mtu=1280, subnet6="fd00:9::/64"))
    create_plan(SNAPSHOT, request(engine="linux", mtu=1279))


@pytest.mark.parametrize("gateway", ["10.78.0.1", "10.77.0.0", "10.77.0.255", "fd00::1", "here"])
def test_a_gateway_that_is_no_host_of_the_subnet_is_refused(gateway: str) -> None:
    with pytest.raises(UsageError):
        checked_gateway(checked_subnet(SNAPSHOT, "10.77.0.0/24"), gateway)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 64, "\x1b[31m"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not a name"):
        create_plan(SNAPSHOT, request(name=name))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bridge_name": "docker0"}, "interface named docker0 already"),
        ({"bridge_name": "a" * 16}, "not a name for a bridge"),
        ({"name": "app"}, "docker network named app already"),
        ({"mtu": 67}, "MTU of 67"),
        ({"subnet": "", "gateway": "10.77.0.1"}, "--gateway needs --subnet"),
        ({"engine": "podman", "icc": False}, "Podman has no option"),
        ({"engine": "podman", "bridge_name": "br-x"}, "Podman has no option"),
        ({"engine": "docker", "isolated": False}, "Docker isolates"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        create_plan(SNAPSHOT, request(**settings))


@pytest.mark.parametrize("bridged", ["the way out", "a physical port"])
def test_the_bridge_by_which_other_machines_are_reached_is_not_shut_off(bridged: str) -> None:
    """On a host of virtual machines the way out is a bridge: kept apart from that, a network would reach nobody."""
    host = next(ns for ns in SNAPSHOT.namespaces if ns.id == HOST)
    bridge = next(link for link in host.links if link.name == "br-app")
    if bridged == "the way out":
        snapshot = with_namespace(SNAPSHOT, HOST, routes=(*host.routes, route("0.0.0.0/0", ifindex=bridge.ifindex)))
    else:
        port = Link(ifindex=77, name="eno1", master=bridge.ifindex)
        snapshot = with_namespace(SNAPSHOT, HOST, links=(*host.links, port))
    plan = create_plan(snapshot, request())
    specs = [item.spec for item in plan.operations if isinstance(item, InsertRule)]
    assert "-i br-side -o docker0 -j DROP" in specs
    assert not [spec for spec in specs if "br-app" in spec]
    assert [note for note in plan.notes if "br-app" in note] == [
        "it isn't kept apart from bridge br-app: other machines are reached by it"
    ]
    native = create_plan(snapshot, request(), native=True)
    assert "br-app" not in " ".join(str(item) for item in native.operations)


def test_a_linux_network_s_rules_stand_at_the_top_and_in_order() -> None:
    plan = create_plan(SNAPSHOT, request())
    rules = [item for item in plan.operations if isinstance(item, InsertRule)]
    assert [(rule.chain, rule.position, rule.spec) for rule in rules] == [
        ("POSTROUTING", 1, "-s 10.77.0.0/24 ! -o br-side -j MASQUERADE"),
        ("FORWARD", 2, "-i br-side -o docker0 -j DROP"),
        ("FORWARD", 3, "-i docker0 -o br-side -j DROP"),
        ("FORWARD", 4, "-i br-side -o br-app -j DROP"),
        ("FORWARD", 5, "-i br-app -o br-side -j DROP"),
        ("FORWARD", 6, "-o br-side -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
        ("FORWARD", 7, "-i br-side ! -o br-side -j ACCEPT"),
        ("FORWARD", 8, "-i br-side -o br-side -j ACCEPT"),
    ]
    assert not [item for item in plan.operations if isinstance(item, SetSysctl)], "forwarding is on already"


def test_without_docker_user_the_rules_begin_at_one() -> None:
    bare = with_namespace(SNAPSHOT, HOST, firewall=Firewall())
    rules = [item for item in create_plan(bare, request()).operations if isinstance(item, InsertRule)]
    assert [rule.position for rule in rules if rule.chain == "FORWARD"] == [1, 2, 3, 4, 5, 6, 7]
    assert {rule.backend for rule in rules} == {"iptables-nft"}


def test_rules_go_to_the_backend_that_the_engine_uses() -> None:
    host = next(ns for ns in SNAPSHOT.namespaces if ns.id == HOST)
    assert host.firewall is not None
    tables = tuple(msgspec.structs.replace(table, backend="iptables-legacy") for table in host.firewall.tables)
    legacy = with_namespace(SNAPSHOT, HOST, firewall=Firewall(tables=tables))
    rules = [item for item in create_plan(legacy, request()).operations if isinstance(item, InsertRule)]
    assert {rule.backend for rule in rules} == {"iptables-legacy"}


def test_an_internal_network_has_no_way_out_and_no_masquerading() -> None:
    off = with_sysctl(SNAPSHOT, "net.ipv4.ip_forward", "0")
    plan = create_plan(off, request(internal=True))
    specs = [item.spec for item in plan.operations if isinstance(item, InsertRule)]
    assert specs == [
        "-i br-side ! -o br-side -j DROP",
        "! -i br-side -o br-side -j DROP",
        "-i br-side -o br-side -j ACCEPT",
    ]
    assert not [item for item in plan.operations if isinstance(item, SetSysctl)]


def test_forwarding_is_turned_on_first_and_the_plan_says_what_that_means() -> None:
    plan = create_plan(with_sysctl(SNAPSHOT, "net.ipv4.ip_forward", "0"), request())
    assert plan.operations[0] == SetSysctl(key="net.ipv4.ip_forward", value="1")
    assert "forward between all its interfaces" in plan.notes[0]
    assert undo_lines(plan)[-1] == "sysctl -w net.ipv4.ip_forward=0"


def test_a_default_that_differs_from_ip_forward_is_made_good_for_the_new_bridge() -> None:
    plan = create_plan(with_sysctl(SNAPSHOT, "net.ipv4.conf.default.forwarding", "0"), request())
    assert SetSysctl(key="net.ipv4.conf.br-side.forwarding", value="1") in plan.operations
    kinds = [type(item) for item in plan.operations]
    assert kinds.index(CreateBridge) < kinds.index(SetSysctl)


def test_the_intention_is_kept_in_the_bridge_s_alias() -> None:
    plan = create_plan(SNAPSHOT, request(icc=False, gateway="10.77.0.9"))
    (bridge,) = [item for item in plan.operations if isinstance(item, CreateBridge)]
    intention = decode(bridge.alias)
    assert intention is not None
    assert (intention.name, intention.icc, intention.masquerade) == ("side", False, True)
    assert bridge.addresses == ("10.77.0.9/24",)
    assert bridge.nf_call_iptables, "icc=false needs bridged frames to pass iptables"


def test_without_addresses_seen_nothing_is_planned() -> None:
    blind = with_gaps(SNAPSHOT, Gap(section="routes", scope=HOST, reason="denied"))
    with pytest.raises(CannotInspectError, match="routes could not be read: denied"):
        create_plan(blind, request())


def test_a_gap_elsewhere_does_not_stop_the_plan() -> None:
    create_plan(with_gaps(SNAPSHOT, Gap(section="routes", scope="net:[9]", reason="denied")), request())


def test_a_docker_network_is_asked_of_the_engine_with_its_own_options() -> None:
    plan = create_plan(SNAPSHOT, request(engine="docker", icc=False, masquerade=False, mtu=1400, bridge_name="br-x"))
    (action,) = plan.operations
    assert isinstance(action, CreateDockerNetwork)
    assert (action.gateway, action.socket) == ("10.77.0.1", "/run/docker.sock")
    assert action.options == {
        "com.docker.network.bridge.name": "br-x",
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.enable_ip_masquerade": "false",
        "com.docker.network.driver.mtu": "1400",
    }
    assert undo_lines(plan) == ("docker network rm side",)


def test_a_podman_network_is_made_by_its_own_command() -> None:
    plan = create_plan(SNAPSHOT, request(engine="podman", internal=True, mtu=1400))
    (line,) = command_lines(plan)
    assert line.startswith("podman network create --subnet 10.77.0.0/24 --gateway 10.77.0.1 --internal --opt mtu=1400")
    assert line.endswith(" side")
    assert undo_lines(plan) == ("podman network rm side",)


def test_the_default_engine_is_docker_only_where_it_answers() -> None:
    assert default_engine(SNAPSHOT) == "docker"
    hung = msgspec.structs.replace(SNAPSHOT, engines=(Engine(name="docker", reachable=False),))
    assert default_engine(hung) == "linux"


def linux_host() -> Snapshot:
    """The host after a plain-Linux network was made on it, with a foreign rule for its bridge."""
    made = create_plan(SNAPSHOT, request())
    rules = [item for item in made.operations if isinstance(item, InsertRule)]
    foreign = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="filter",
        chain="FORWARD",
        spec="-i br-side -p tcp -j DROP",
        position=1,
    )
    network = Network(
        id="linux:br-side",
        name="side",
        engine="linux",
        bridge="br-side",
        subnets=(Subnet(cidr="10.77.0.0/24", gateway="10.77.0.1"),),
    )
    changed = after(SNAPSHOT, [*rules, foreign])
    return msgspec.structs.replace(changed, networks=(*changed.networks, network))


def test_removing_a_linux_network_deletes_its_own_rules_last_first_and_no_others() -> None:
    plan = remove_plan(linux_host(), "side")
    deletions = [item for item in plan.operations if isinstance(item, DeleteRule)]
    forward = [item.position for item in deletions if item.chain == "FORWARD"]
    assert forward == [9, 8, 7, 6, 5, 4, 3]
    assert [item.spec for item in deletions if item.chain == "POSTROUTING"] == [
        "-s 10.77.0.0/24 ! -o br-side -j MASQUERADE"
    ]
    assert not [item for item in deletions if "docker0" in item.spec and "br-side" not in item.spec]
    assert any("1 rule(s) that somebody else wrote" in note for note in plan.notes)


def test_a_network_in_use_is_not_removed() -> None:
    with pytest.raises(ActionFailedError, match="in use by app1, app2"):
        remove_plan(SNAPSHOT, "app")


def test_docker_s_own_networks_are_not_removed() -> None:
    with pytest.raises(UsageError, match="can't be removed"):
        remove_plan(SNAPSHOT, "host")


def test_a_docker_network_is_removed_by_its_id() -> None:
    idle = msgspec.structs.replace(SNAPSHOT, containers=())
    assert remove_plan(idle, "app").operations == (
        RemoveDockerNetwork(name="app", id="net-app", socket="/run/docker.sock"),
    )


def test_two_networks_of_one_name_are_not_guessed_between() -> None:
    twin = Network(id="linux:br-app2", name="app", engine="linux", bridge="br-app2")
    both = msgspec.structs.replace(SNAPSHOT, networks=(*SNAPSHOT.networks, twin), containers=())
    with pytest.raises(UsageError, match="2 networks") as error:
        remove_plan(both, "app")
    assert "docker, linux" in error.value.hint
    assert remove_plan(both, "app", "linux").title.startswith("remove network app: bridge br-app2")


SIX = "fd00:77::/64"


def with_six(snapshot: Snapshot, **more: Any) -> Plan:
    return create_plan(snapshot, request(subnet6=SIX, **more))


def test_a_linux_network_of_both_families_gets_both_addresses_and_rules() -> None:
    plan = with_six(SNAPSHOT)
    (bridge,) = (step.action for step in plan.steps if isinstance(step.action, CreateBridge))
    assert bridge.addresses == ("10.77.0.1/24", "fd00:77::1/64")
    rules = [step.action for step in plan.steps if isinstance(step.action, InsertRule)]
    texts = {
        family: [
            item.spec.replace(SIX, "NET").replace("10.77.0.0/24", "NET") for item in rules if item.family == family
        ]
        for family in ("ip", "ip6")
    }
    assert texts["ip"] == texts["ip6"] != []


def test_without_a_subnet_of_ipv6_nothing_of_ipv6_is_touched() -> None:
    assert not any("ip6" in line or "ipv6" in line for line in command_lines(create_plan(SNAPSHOT, request())))


def test_ipv6_forwarding_is_turned_on_and_what_routers_told_is_kept() -> None:
    off = with_sysctl(with_sysctl(SNAPSHOT, "net.ipv6.conf.all.forwarding", "0"), "net.ipv6.conf.eth0.accept_ra", "1")
    host = next(ns for ns in off.namespaces if ns.id == HOST)
    eth0 = next(link.ifindex for link in host.links if link.name == "eth0")
    learned = route("::/0", ifindex=eth0, family="ip6", protocol="ra")
    taught = with_namespace(off, HOST, routes=(*host.routes, learned))
    keys = [step.action.key for step in with_six(taught).steps if isinstance(step.action, SetSysctl)]
    assert keys[:2] == ["net.ipv6.conf.eth0.accept_ra", "net.ipv6.conf.all.forwarding"]
    untaught = [step.action.key for step in with_six(off).steps if isinstance(step.action, SetSysctl)]
    assert "net.ipv6.conf.eth0.accept_ra" not in untaught
    inside = [step.action for step in with_six(off, internal=True).steps if isinstance(step.action, SetSysctl)]
    assert inside == []


def test_engines_are_asked_for_both_families() -> None:
    (docker,) = command_lines(with_six(SNAPSHOT, engine="docker"))
    assert "--subnet 10.77.0.0/24 --gateway 10.77.0.1 --ipv6 --subnet fd00:77::/64 --gateway fd00:77::1" in docker
    (podman,) = command_lines(with_six(SNAPSHOT, engine="podman", gateway6="fd00:77::9"))
    assert "--ipv6 --subnet 10.77.0.0/24 --gateway 10.77.0.1 --subnet fd00:77::/64 --gateway fd00:77::9" in podman


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fd00:77::5/64", "did you mean fd00:77::/64"),
        ("fd00::/16", "take /40 to /120"),
        ("fd00:77::/127", "take /40 to /120"),
        ("fe80::/64", "is free"),
        ("ff05::/64", "is free"),
        ("10.0.0.0/24", "is free"),
    ],
)
def test_what_is_no_ipv6_subnet_for_containers_is_refused_with_a_hint(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_subnet6(SNAPSHOT, text)
    assert said in error.value.hint


def test_an_overlap_in_ipv6_is_refused_and_the_suggestion_goes_round_it() -> None:
    host = next(ns for ns in SNAPSHOT.namespaces if ns.id == HOST)
    free = suggest_subnet6(SNAPSHOT)
    assert free is not None
    assert free.startswith("fd")
    taken = with_namespace(SNAPSHOT, HOST, routes=(*host.routes, route(free, ifindex=2, family="ip6")))
    with pytest.raises(UsageError) as error:
        checked_subnet6(taken, free)
    assert "overlaps with the route" in error.value.message
    assert suggest_subnet6(taken) not in (None, free)
    defaults = with_namespace(SNAPSHOT, HOST, routes=(*host.routes, route("::/0", ifindex=2, family="ip6")))
    assert str(checked_subnet6(defaults, SIX)) == SIX


@pytest.mark.parametrize("gateway", ["fd00:78::1", "fd00:77::", "10.77.0.1", "here"])
def test_a_gateway_that_is_no_host_of_the_ipv6_subnet_is_refused(gateway: str) -> None:
    with pytest.raises(UsageError):
        checked_gateway(checked_subnet6(SNAPSHOT, SIX), gateway)


def test_the_last_address_of_an_ipv6_subnet_is_one_like_any_other() -> None:
    assert checked_gateway(checked_subnet6(SNAPSHOT, "fd00:77::/120"), "fd00:77::ff") == "fd00:77::ff"


def test_one_of_each_family_is_taken_whatever_the_order() -> None:
    assert by_family([SIX, "10.0.0.0/24"], "--subnet") == ("10.0.0.0/24", SIX)
    assert by_family([], "--subnet") == ("", "")
    with pytest.raises(UsageError, match="--subnet is given twice for IPv6"):
        by_family([SIX, "fd00::/64"], "--subnet")


def test_a_gateway_without_its_familys_subnet_is_refused() -> None:
    with pytest.raises(UsageError, match="of the same family"):
        create_plan(SNAPSHOT, request(gateway6="fd00:77::1"))


def podman_host(**more: Any) -> Snapshot:
    settings: dict[str, Any] = {
        "id": "p1",
        "name": "side",
        "engine": "podman",
        "subnets": (Subnet(cidr="10.77.0.0/24", gateway="10.77.0.1"), Subnet(cidr=SIX, gateway="fd00:77::1")),
    }
    return msgspec.structs.replace(SNAPSHOT, networks=(*SNAPSHOT.networks, Network(**settings | more)))


def test_a_podman_network_is_removed_by_podman_and_can_be_put_back() -> None:
    plan = remove_plan(podman_host(internal=True, options={"mtu": "1400"}), "side")
    assert command_lines(plan) == ("podman network rm side",)
    (back,) = undo_lines(plan)
    assert back == (
        f"podman network create --ipv6 --subnet 10.77.0.0/24 --gateway 10.77.0.1 --subnet {SIX} --gateway fd00:77::1"
        " --internal --opt mtu=1400 side"
    )
    (back,) = undo_lines(remove_plan(podman_host(dns=False), "side"))
    assert "--disable-dns" in back


@pytest.mark.parametrize("more", [{"name": "podman"}, {"driver": "macvlan"}, {"name": "--all"}])
def test_a_podman_network_that_could_not_be_put_back_is_not_removed(more: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        remove_plan(podman_host(**more), more.get("name", "side"), "podman")
