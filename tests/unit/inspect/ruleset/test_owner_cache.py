"""Rules' owners over several snapshots: always what a fresh look would say."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import Container, Endpoint, Namespace, Network, PublishedPort, Snapshot, Subnet
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.inspect.ruleset.owner_cache import OwnerCache

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


def with_handles(rules: Firewall) -> Firewall:
    """The rules with handles, which are numbered through each table."""
    tables = []
    for table in rules.tables:
        chains, handle = [], 0
        for chain in table.chains:
            numbered = []
            for rule in chain.rules:
                handle += 1
                numbered.append(msgspec.structs.replace(rule, handle=handle))
            chains.append(msgspec.structs.replace(chain, rules=tuple(numbered)))
        tables.append(msgspec.structs.replace(table, chains=tuple(chains)))
    return Firewall(tables=tuple(tables))


def changed(rules: Firewall, old: str, new: str) -> Firewall:
    """The rules after a change: chains that it doesn't concern are the very same."""
    other = with_handles(Firewall(tables=parse_save(SAVED.replace(old, new), backend="iptables-nft", family="ip")))
    tables = []
    for table, before in zip(other.tables, rules.tables, strict=True):
        known = {chain.name: chain for chain in before.chains}
        chains = tuple(known[one.name] if known.get(one.name) == one else one for one in table.chains)
        tables.append(msgspec.structs.replace(table, chains=chains))
    return Firewall(tables=tuple(tables))


NUMBERED = with_handles(RULES)
PORT = "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.3:80\n"
GUARD = "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"

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
    "a port is published": (
        snapshot(WEB, rules=changed(NUMBERED, PORT, "")),
        snapshot(WEB, API, rules=NUMBERED),
    ),
    "a rule comes first and moves the others": (
        snapshot(WEB, API, rules=NUMBERED),
        snapshot(WEB, API, rules=changed(NUMBERED, GUARD, "-A PREROUTING -s 10.0.0.1/32 -j RETURN\n" + GUARD)),
    ),
    "another rule under the same handle": (
        snapshot(WEB, API, rules=NUMBERED),
        snapshot(WEB, API, rules=changed(NUMBERED, PORT, PORT.replace("8081", "8080").replace("0.3:", "0.2:"))),
    ),
    "rules and containers change at once": (
        snapshot(WEB, rules=changed(NUMBERED, PORT, "")),
        snapshot(API, LOCAL, rules=NUMBERED),
        snapshot(WEB, rules=changed(NUMBERED, GUARD, "")),
    ),
    "a chain gets an owner by its name": (
        snapshot(WEB, rules=changed(NUMBERED, "DOCKER", "OTHER")),
        snapshot(WEB, rules=NUMBERED),
    ),
    "there and back": (snapshot(WEB), snapshot(), snapshot(WEB, API), snapshot(WEB)),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_what_is_kept_is_what_a_fresh_look_says(name: str) -> None:
    kept = OwnerCache()
    for one in SEQUENCES[name]:
        assert kept.fill_in(one) == OwnerCache().fill_in(one)


def test_the_owners_are_there_at_all() -> None:
    (host, _) = OwnerCache().fill_in(snapshot(WEB, API, LOCAL)).namespaces
    assert host.firewall is not None
    told = [rule.owner for table in host.firewall.tables for chain in table.chains for rule in chain.rules]
    assert "docker port web:80/tcp" in told
    assert "docker port local:80/tcp" in told


def test_rules_that_name_nobody_who_changed_are_the_very_same() -> None:
    many = tuple(Rule(number=i, text=f"-s 10.0.0.{i}/32 -j ACCEPT") for i in range(1, 50))
    chain = Chain(name="FORWARD", hook="forward", rules=many)
    rules = Firewall(tables=(Table(family="ip", name="filter", backend="iptables-nft", chains=(chain,)),))
    kept = OwnerCache()
    kept.fill_in(snapshot(rules=rules))
    (host, _) = kept.fill_in(snapshot(WEB, rules=rules)).namespaces
    assert host.firewall is not None
    assert all(a is b for a, b in zip(host.firewall.tables[0].chains[0].rules, many, strict=True))


def test_a_chain_that_did_not_change_is_the_very_same_beside_one_that_did() -> None:
    kept = OwnerCache()
    (first, _) = kept.fill_in(snapshot(WEB, rules=NUMBERED)).namespaces
    (second, _) = kept.fill_in(snapshot(WEB, rules=changed(NUMBERED, PORT, ""))).namespaces
    assert first.firewall is not None
    assert second.firewall is not None
    pairs = zip(first.firewall.tables[0].chains, second.firewall.tables[0].chains, strict=True)
    assert [one is other for one, other in pairs] == [True, True, False]
