"""Rules' owners over several snapshots: always what a fresh look would say."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.iptables import parse_save
from dnet_tui.inspect.model import Container, Endpoint, Namespace, Network, PublishedPort, Snapshot, Subnet
from dnet_tui.inspect.owners import with_owners
from dnet_tui.inspect.owners_kept import KeptOwners

SAVED = """\
*nat
:PREROUTING ACCEPT
:POSTROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.3:80
COMMIT
*raw
:PREROUTING ACCEPT
-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 9000 -j DROP
COMMIT
"""


def container(name: str, address: str, *ports: PublishedPort) -> Container:
    endpoint = Endpoint(network="n1", addresses=(f"{address}/16",))
    return Container(id=name, name=name, engine="docker", endpoints=(endpoint,), published=ports)


def port(host_port: int, host_ip: str = "0.0.0.0") -> PublishedPort:  # noqa: S104 - as Docker tells it
    return PublishedPort(host_ip=host_ip, host_port=host_port, proto="tcp", container_port=80)


WEB, API = container("web", "172.17.0.2", port(8080)), container("api", "172.17.0.3", port(8081))
LOCAL = container("local", "172.17.0.4", port(9000, "127.0.0.1"))
NETWORK = Network(id="n1", name="bridge", engine="docker", bridge="docker0", subnets=(Subnet(cidr="172.17.0.0/16"),))
RULES = Firewall(tables=parse_save(SAVED, backend="iptables-nft", family="ip"))


def snapshot(*containers: Container, rules: Firewall = RULES, networks: tuple[Network, ...] = (NETWORK,)) -> Snapshot:
    inside = Namespace(id="net:[2]", inode=2, kind="container", firewall=RULES)
    host = Namespace(id="net:[1]", inode=1, kind="host", firewall=rules)
    return Snapshot(namespaces=(host, inside), networks=networks, containers=containers)


SEQUENCES: dict[str, tuple[Snapshot, ...]] = {
    "nothing changes": (snapshot(WEB), snapshot(WEB)),
    "one starts": (snapshot(WEB), snapshot(WEB, API)),
    "one goes": (snapshot(WEB, API), snapshot(API)),
    "one that is published on the loopback starts": (snapshot(WEB), snapshot(WEB, LOCAL)),
    "two change places": (
        snapshot(WEB, API),
        snapshot(container("web", "172.17.0.3", port(8080)), container("api", "172.17.0.2", port(8081))),
    ),
    "one is renamed": (snapshot(WEB), snapshot(msgspec.structs.replace(WEB, name="shop"))),
    "the network goes": (snapshot(WEB), snapshot(WEB, networks=())),
    "the rules change": (
        snapshot(WEB, API),
        snapshot(WEB, API, rules=Firewall(tables=parse_save(SAVED, backend="iptables-nft", family="ip")[:1])),
    ),
    "there and back": (snapshot(WEB), snapshot(), snapshot(WEB, API), snapshot(WEB)),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_what_is_kept_is_what_a_fresh_look_says(name: str) -> None:
    kept = KeptOwners()
    for one in SEQUENCES[name]:
        assert kept.fill_in(one) == with_owners(one)


def test_the_owners_are_there_at_all() -> None:
    (host, _) = KeptOwners().fill_in(snapshot(WEB, API, LOCAL)).namespaces
    assert host.firewall is not None
    told = [rule.owner for table in host.firewall.tables for chain in table.chains for rule in chain.rules]
    assert "docker port web:80/tcp" in told
    assert "docker port local:80/tcp" in told


def test_rules_that_name_nobody_who_changed_are_the_very_same() -> None:
    many = tuple(Rule(number=i, text=f"-s 10.0.0.{i}/32 -j ACCEPT") for i in range(1, 50))
    chain = Chain(name="FORWARD", hook="forward", rules=many)
    rules = Firewall(tables=(Table(family="ip", name="filter", backend="iptables-nft", chains=(chain,)),))
    kept = KeptOwners()
    kept.fill_in(snapshot(rules=rules))
    (host, _) = kept.fill_in(snapshot(WEB, rules=rules)).namespaces
    assert host.firewall is not None
    assert all(a is b for a, b in zip(host.firewall.tables[0].chains[0].rules, many, strict=True))
