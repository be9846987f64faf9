"""``--for NAME`` shows the rules that meet a thing's traffic and name it, and none about its neighbours."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.explain.rules_for import rules_for
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_namespace

RULES = """*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
-A PREROUTING -d 172.17.0.3/32 ! -i docker0 -j DROP
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:ISOLATION-1 - [0:0]
:ISOLATION-2 - [0:0]
:IDLE - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j ISOLATION-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -o br-app -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i br-app ! -o br-app -j ACCEPT
-A FORWARD -j IDLE
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -d 172.17.0.3/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -d 10.10.0.2/32 ! -i br-app -o br-app -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-USER -i eth0 ! -s 198.51.100.0/24 -j DROP
-A DOCKER-USER -s 10.10.0.2/32 -j DROP
-A DOCKER-USER -s 172.17.0.3/32 -j DROP
-A DOCKER-USER -j RETURN
-A ISOLATION-1 -i docker0 ! -o docker0 -j ISOLATION-2
-A ISOLATION-1 -i br-app ! -o br-app -j ISOLATION-2
-A ISOLATION-2 -o docker0 -j DROP
-A ISOLATION-2 -o br-app -j DROP
-A IDLE -p tcp -m tcp --dport 25 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.10.0.0/24 ! -o br-app -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.3:80
-A DOCKER ! -i br-app -p tcp -m tcp --dport 9090 -j DNAT --to-destination 10.10.0.2:80
COMMIT
"""


@pytest.fixture
def view() -> View:
    firewall = Firewall(tables=parse_save(RULES, backend="iptables-nft", family="ip"))
    return View(with_namespace(docker_like_snapshot(), HOST, firewall=firewall))


def shown(view: View, name: str) -> dict[str, set[str]]:
    """The texts of the host's rules that are shown, by ``table chain``."""
    firewall = dict(rules_for(view, name))[HOST]
    return {
        f"{table.name} {chain.name}": {rule.text for rule in chain.rules}
        for table in firewall.tables
        for chain in table.chains
    }


def test_a_container_is_shown_its_own_rules_and_not_its_neighbours(view: View) -> None:
    assert shown(view, "web") == {
        "raw PREROUTING": {"-d 172.17.0.2/32 ! -i docker0 -j DROP"},
        "filter INPUT": set(),
        "filter FORWARD": {
            "-j DOCKER-USER",
            "-j ISOLATION-1",
            "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-o docker0 -j DOCKER",
            "-i docker0 ! -o docker0 -j ACCEPT",
        },
        "filter DOCKER": {"-d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"},
        "filter DOCKER-USER": {"-i eth0 ! -s 198.51.100.0/24 -j DROP"},
        "filter ISOLATION-1": {
            "-i docker0 ! -o docker0 -j ISOLATION-2",
            "-i br-app ! -o br-app -j ISOLATION-2",
        },
        "filter ISOLATION-2": {"-o docker0 -j DROP"},
        "nat PREROUTING": {"-m addrtype --dst-type LOCAL -j DOCKER"},
        "nat POSTROUTING": {"-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"},
        "nat DOCKER": {"! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"},
    }


def test_rules_keep_their_numbers(view: View) -> None:
    firewall = dict(rules_for(view, "app1"))[HOST]
    nat = next(table for table in firewall.tables if table.name == "nat")
    assert {(chain.name, rule.number) for chain in nat.chains for rule in chain.rules} == {
        ("PREROUTING", 1),
        ("POSTROUTING", 2),
        ("DOCKER", 3),
    }


def test_a_network_is_shown_all_rules_of_its_members(view: View) -> None:
    rules = shown(view, "bridge")
    assert len(rules["filter DOCKER"]) == 2
    assert len(rules["nat DOCKER"]) == 2
    assert rules["nat POSTROUTING"] == {"-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"}
    assert shown(view, "docker0") == rules


def test_a_published_port_leads_to_its_container(view: View) -> None:
    rules = shown(view, "8080")
    assert rules["nat DOCKER"] == {"! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"}
    assert shown(view, "8080/tcp") == rules


def test_a_port_that_is_not_published_is_found_by_its_number(view: View) -> None:
    assert shown(view, "9090")["nat DOCKER"] == {
        "! -i br-app -p tcp -m tcp --dport 9090 -j DNAT --to-destination 10.10.0.2:80"
    }
    assert "nat DOCKER" not in shown(view, "9091")


def test_an_address_is_found_in_rules_about_its_network(view: View) -> None:
    assert shown(view, "172.17.0.77")["nat POSTROUTING"] == {"-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"}
    assert shown(view, "10.10.0.2")["filter DOCKER-USER"] >= {"-s 10.10.0.2/32 -j DROP"}


def test_a_drop_for_everyone_is_shown_to_everyone(view: View) -> None:
    firewall = Firewall(
        tables=parse_save(
            "*filter\n:FORWARD ACCEPT [0:0]\n:late - [0:0]\n-A FORWARD -j late\n-A late -j DROP\nCOMMIT\n",
            backend="iptables-nft",
            family="ip",
        )
    )
    broken = View(with_namespace(view.snapshot, HOST, firewall=firewall))
    assert shown(broken, "web") == {"filter FORWARD": {"-j late"}, "filter late": {"-j DROP"}}


def test_a_containers_own_firewall_is_shown_whole(view: View) -> None:
    own = Firewall(tables=parse_save("*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 127.0.0.11/32 -j ACCEPT\nCOMMIT\n",
                                     backend="iptables-nft", family="ip"))  # fmt: skip
    inside = View(with_namespace(view.snapshot, WEB, firewall=own))
    assert dict(rules_for(inside, "web"))[WEB] == own
    assert [ident for ident, _ in rules_for(view, "web")] == [HOST], "an empty one isn't mentioned"


@pytest.mark.parametrize("name", ["nobody", "70000", "10.0.0.300", ""])
def test_an_unknown_name_is_a_usage_error(view: View, name: str) -> None:
    with pytest.raises(UsageError):
        rules_for(view, name)
