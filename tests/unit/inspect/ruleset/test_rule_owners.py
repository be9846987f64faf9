"""Whose rules are whose: engines' rules as they write them, and rules that only look like theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import Container, Endpoint, Namespace, Network, PublishedPort, Snapshot, Subnet
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache
from unit.builders.nft_listings import table as captured

DATA = Path(__file__).parents[2] / "data"
PUBLISHED = (
    PublishedPort(host_ip="0.0.0.0", host_port=8080, proto="tcp", container_port=80),  # noqa: S104  described, not bound
    PublishedPort(host_ip="127.0.0.1", host_port=8081, proto="tcp", container_port=80),
)


def network(name: str, bridge: str, cidr: str, engine: str = "docker") -> Network:
    return Network(id=f"{engine}:{name}", name=name, engine=engine, bridge=bridge, subnets=(Subnet(cidr=cidr),))


def container(name: str, address: str, engine: str = "docker", *published: PublishedPort) -> Container:
    endpoints = (Endpoint(network="n", addresses=(f"{address}/16",)),)
    return Container(id=name, name=name, engine=engine, endpoints=endpoints, published=published)


NETWORKS = (
    network("bridge", "docker0", "172.17.0.0/16"),
    network("app", "br-app", "172.18.0.0/16"),
    network("vault", "br-vault", "172.19.0.0/16"),
    network("podman", "podman0", "10.88.0.0/16", "podman"),
    network("front", "br-front", "10.50.0.0/24", "linux"),
)
CONTAINERS = (
    container("web", "172.17.0.2", "docker", *PUBLISHED),
    container("idle", "172.18.0.9"),
    container("pod", "10.88.0.2", "podman", PUBLISHED[0]),
)


def owners(
    *tables: Table,
    kind: str = "host",
    networks: tuple[Network, ...] = NETWORKS,
    containers: tuple[Container, ...] = CONTAINERS,
) -> dict[str, list[tuple[str, str]]]:
    """The rules' texts and owners, by ``table chain``."""
    space = Namespace(id="net:[1]", inode=1, kind=kind, firewall=Firewall(tables=tables))  # type: ignore[arg-type]  # one of them
    snapshot = OwnerCache().fill_in(Snapshot(namespaces=(space,), networks=networks, containers=containers))
    firewall = snapshot.namespaces[0].firewall
    assert firewall is not None
    return {
        f"{table.name} {chain.name}": [(rule.text, rule.owner) for rule in chain.rules]
        for table in firewall.tables
        for chain in table.chains
    }


def saved(name: str) -> tuple[Table, ...]:
    return parse_save((DATA / f"iptables_{name}.save").read_text(), backend="iptables-nft", family="ip")


def by_hand(*lines: str, table: str = "filter") -> tuple[Table, ...]:
    chains = ":INPUT ACCEPT\n:FORWARD ACCEPT\n" if table == "filter" else ":PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n"
    text = f"*{table}\n{chains}:DOCKER -\n:DOCKER-USER -\n" + "\n".join(lines) + "\nCOMMIT\n"
    return parse_save(text, backend="iptables-nft", family="ip")


def test_docker_28s_rules_belong_to_docker_its_networks_and_its_ports() -> None:
    found = owners(*saved("docker_28"))
    assert [owner for _, owner in found["raw PREROUTING"]] == ["docker container web", "docker port web:80/tcp"]
    assert [owner for _, owner in found["filter FORWARD"]] == ["docker", "docker"]
    assert [owner for _, owner in found["filter DOCKER"]] == [
        "docker port web:80/tcp",
        "docker network bridge",
        "docker network app",
    ]
    assert [owner for _, owner in found["filter DOCKER-FORWARD"]] == [
        "docker",
        "docker",
        "docker",
        "docker network bridge",
        "docker network app",
        "docker network vault",
    ]
    assert [owner for _, owner in found["filter DOCKER-INTERNAL"]] == ["docker network vault", "docker network vault"]
    assert [owner for _, owner in found["nat DOCKER"]] == ["docker port web:80/tcp", "docker port web:80/tcp"]
    assert [owner for _, owner in found["nat POSTROUTING"]] == ["docker network bridge", "docker network app"]
    assert [owner for _, owner in found["nat PREROUTING"]] == ["docker"]


def test_docker_20_10s_inline_rules_belong_to_its_networks() -> None:
    networks = (*NETWORKS[:1], network("app", "br-app", "10.10.0.0/24"))
    found = owners(*saved("docker_20_10"), networks=networks)
    app, bridge = "docker network app", "docker network bridge"
    assert [owner for _, owner in found["filter FORWARD"]] == ["docker", "docker", "", *[app] * 4, *[bridge] * 4]
    assert found["filter DOCKER-USER"] == [("-j RETURN", "docker")]
    assert [owner for _, owner in found["filter DOCKER-ISOLATION-STAGE-1"]] == [
        "docker",
        "docker",
        app,
        bridge,
        "docker",
    ]
    assert [owner for _, owner in found["nat POSTROUTING"]] == [app, bridge, "docker port web:80/tcp"]


def test_docker_29s_native_rules_belong_by_their_chains() -> None:
    networks = (NETWORKS[0], network("app", "br-app", "10.10.0.0/24"))
    web = container("web", "10.10.0.2", "docker", PUBLISHED[0])
    found = owners(captured("docker_29", "ip docker-bridges"), networks=networks, containers=(web,))
    assert [owner for _, owner in found["docker-bridges filter-FORWARD"]] == ["docker", "docker"]
    assert [owner for _, owner in found["docker-bridges filter-forward-in__br-app"]] == [
        "docker network app",
        "docker network app",
        "docker port web:80/tcp",
        "docker network app",
    ]
    assert [owner for _, owner in found["docker-bridges nat-prerouting-and-output"]] == ["docker port web:80/tcp"]
    assert [owner for _, owner in found["docker-bridges raw-PREROUTING"]] == ["docker container web"]
    assert {owner for _, owner in found["docker-bridges filter-forward-in__docker0"]} == {"docker network bridge"}


@pytest.mark.parametrize("native", [False, True])
def test_netavarks_rules_belong_to_podman(native: bool) -> None:
    tables = (captured("netavark", "inet netavark"),) if native else saved("netavark")
    found = owners(*tables)
    by_rule = {text: owner for rules in found.values() for text, owner in rules}
    assert "" not in by_rule.values()
    port, pool = "podman port pod:80/tcp", "podman network podman"
    if native:
        assert by_rule["tcp dport 8080 dnat ip to 10.88.0.2:80"] == port
        assert by_rule["ip daddr != 224.0.0.0/4 masquerade"] == pool, "its chain is named after the range"
        assert by_rule["ct state invalid drop"] == "podman"
    else:
        assert by_rule["-p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.88.0.2:80"] == port
        assert by_rule["-s 10.88.0.0/16 -j NETAVARK-1D8721804F16F"] == pool
        assert by_rule["-m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT"] == "podman"


@pytest.mark.parametrize(
    ("name", "owner", "all_of_it"),
    [("kube_proxy", "kube-proxy", True), ("guards", "ufw", False), ("guards", "fail2ban", False)],
)
def test_other_programs_chains_are_known_by_name(name: str, owner: str, all_of_it: bool) -> None:
    found = [item for rules in owners(*saved(name)).values() for _, item in rules]
    assert owner in found
    assert not all_of_it or set(found) == {owner, "kubelet"}


@pytest.mark.parametrize(
    ("name", "title", "owner"),
    [
        ("firewalld", "inet firewalld", "firewalld"),
        ("kube_proxy", "ip kube-proxy", "kube-proxy"),
        ("libvirt_lxd", "ip libvirt_network", "libvirt"),
        ("libvirt_lxd", "inet lxd", "lxd"),
        ("by_hand", "inet guard", ""),
    ],
)
def test_a_native_table_belongs_as_a_whole(name: str, title: str, owner: str) -> None:
    assert {item for rules in owners(captured(name, title)).values() for _, item in rules} == {owner}


@pytest.mark.parametrize(
    "line",
    [
        "-A FORWARD -i docker0 -j DROP",
        "-A FORWARD -o docker0 -m conntrack --ctstate RELATED -j ACCEPT",
        "-A FORWARD -i docker0 -o br-app -j DROP",
        "-A FORWARD -i docker0 ! -o docker0 -p tcp -j ACCEPT",
        "-A FORWARD -i docker0 ! -o docker0 -j DROP",
        "-A FORWARD -i podman0 ! -o podman0 -j ACCEPT",
        "-A INPUT -i docker0 -o docker0 -j ACCEPT",
        "-A FORWARD -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A DOCKER-USER -i docker0 -j RETURN",
        "-A DOCKER-USER -d 172.17.0.2/32 -j DROP",
    ],
)
def test_a_rule_that_only_names_an_engines_things_is_not_the_engines(line: str) -> None:
    assert [owner for rules in owners(*by_hand(line)).values() for _, owner in rules] == [""]


def test_a_return_that_is_not_the_last_in_dockers_chain_for_users_is_the_users() -> None:
    found = owners(*by_hand("-A DOCKER-USER -j RETURN", "-A DOCKER-USER -j DROP"))
    assert [owner for _, owner in found["filter DOCKER-USER"]] == ["", ""]


@pytest.mark.parametrize(
    "line",
    [
        "-A POSTROUTING -s 172.17.0.0/24 ! -o docker0 -j MASQUERADE",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o br-app -j MASQUERADE",
        "-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE",
        "-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
    ],
)
def test_an_address_translation_of_another_shape_is_not_the_engines(line: str) -> None:
    assert [owner for rules in owners(*by_hand(line, table="nat")).values() for _, owner in rules] == [""]


def test_a_port_that_is_not_published_leaves_its_container_or_its_network_as_the_owner() -> None:
    found = owners(
        *by_hand(
            "-A DOCKER -p tcp -m tcp --dport 9 -j DNAT --to-destination 172.17.0.2:9",
            "-A DOCKER -p udp -m udp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
            "-A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.18.0.77:80",
            "-A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.0.2.1:80",
            table="nat",
        )
    )
    assert [owner for _, owner in found["nat DOCKER"]] == [
        "docker container web",
        "docker container web",
        "docker network app",
        "docker",
    ]


def test_dnet_tuis_own_networks_rules_are_its_own() -> None:
    lines = [
        "-A FORWARD -i br-front -o docker0 -j DROP",
        "-A FORWARD -i docker0 -o br-front -j DROP",
        "-A FORWARD -o br-front -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A FORWARD -i br-front ! -o br-front -j ACCEPT",
        "-A FORWARD -i br-front -o br-front -j ACCEPT",
    ]
    found = owners(*by_hand(*lines))
    assert {owner for _, owner in found["filter FORWARD"]} == {"dnet-tui network front"}
    nat = owners(*by_hand("-A POSTROUTING -s 10.50.0.0/24 ! -o br-front -j MASQUERADE", table="nat"))
    assert nat["nat POSTROUTING"][0][1] == "dnet-tui network front"


def test_comments_name_networks_of_lxd_and_cni() -> None:
    found = owners(
        *by_hand(
            '-A FORWARD -o lxdbr0 -m comment --comment "generated for LXD network lxdbr0" -j ACCEPT',
            '-A FORWARD -m comment --comment "name: \\"cbr0\\" id: \\"77\\"" -j ACCEPT',
        )
    )
    assert [owner for _, owner in found["filter FORWARD"]] == ["lxd network lxdbr0", "cni network cbr0"]


def test_in_a_container_only_the_program_is_named() -> None:
    rules = "*nat\n:OUTPUT ACCEPT\n:DOCKER_OUTPUT -\n-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT\n"
    rules += (
        "-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:41000\nCOMMIT\n"
    )
    found = owners(*parse_save(rules, backend="iptables-nft", family="ip"), kind="container")
    assert {owner for owned in found.values() for _, owner in owned} == {"docker"}
    forward = by_hand("-A FORWARD -i docker0 -o docker0 -j ACCEPT")
    assert owners(*forward, kind="container")["filter FORWARD"][0][1] == "", "its docker0 isn't the host's"


def test_nothing_else_of_a_snapshot_changes_and_twice_is_once() -> None:
    chain = Chain(name="DOCKER", rules=(Rule(number=1, text="-j RETURN", owner="stale"),))
    table = Table(family="ip", name="filter", backend="iptables-legacy", chains=(chain,))
    space = Namespace(id="net:[1]", inode=1, kind="host", firewall=Firewall(tables=(table,)))
    bare = Namespace(id="net:[2]", inode=2, kind="container")
    snapshot = Snapshot(namespaces=(space, bare), networks=NETWORKS, containers=CONTAINERS)
    once = OwnerCache().fill_in(snapshot)
    assert once == OwnerCache().fill_in(once)
    assert once.namespaces[1] == bare
    firewall = once.namespaces[0].firewall
    assert firewall is not None
    assert firewall.tables[0].chains[0].rules == (Rule(number=1, text="-j RETURN", owner="docker"),)
