from __future__ import annotations

import re

from dnet_tui.actions.demo.topology import (
    BARE,
    DEMO,
    DemoContainer,
    DemoNetwork,
    Topology,
    host_batch,
    inner_batches,
    rules,
)
from dnet_tui.inspect.model.network_label import decode

DOCKER_20_10_24 = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -i br-7ff091dc04a6 -o br-7ff091dc04a6 -j ACCEPT
-A FORWARD -o br-app -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o br-app -j DOCKER
-A FORWARD -i br-app ! -o br-app -j ACCEPT
-A FORWARD -i br-app -o br-app -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 ! -s 172.18.0.0/16 -o br-7ff091dc04a6 -j DROP
-A DOCKER-ISOLATION-STAGE-1 ! -d 172.18.0.0/16 -i br-7ff091dc04a6 -j DROP
-A DOCKER-ISOLATION-STAGE-1 -i br-app ! -o br-app -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o br-app -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.10.0.0/24 ! -o br-app -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i br-app -j RETURN
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
"""
"""``iptables-save`` of a Docker 20.10.24 host with an internal network, ``app``, and ``web`` published on docker0."""


def test_the_rules_are_those_a_real_docker_wrote_for_the_same_networks() -> None:
    web = DemoContainer(name="web", address="172.17.0.2/16", published=((8080, 80),))
    same = Topology(
        nets=(
            DemoNetwork(name="back", bridge="br-7ff091dc04a6", gateway="172.18.0.1/16", internal=True, members=()),
            DemoNetwork(name="app", bridge="br-app", gateway="10.10.0.1/24", members=()),
            DemoNetwork(name="bridge", bridge="docker0", gateway="172.17.0.1/16", members=(web,)),
        )
    )
    assert rules(same) == DOCKER_20_10_24


def test_an_internal_network_has_neither_default_route_nor_masquerade() -> None:
    vault = next(net for net in DEMO.nets if net.internal)
    assert "route add default" not in inner_batches(DEMO)["vault"]
    assert "route add default via 172.30.1.1" in inner_batches(DEMO)["web"]
    assert f"-s {vault.subnet} ! -o {vault.bridge} -j MASQUERADE" not in rules(DEMO)
    assert not vault.intention.masquerade


def test_every_bridge_says_what_it_is_for() -> None:
    aliases = re.findall(r"link set (\S+) alias '(.*)'", host_batch(DEMO))
    assert {bridge: decode(alias) for bridge, alias in aliases} == {net.bridge: net.intention for net in DEMO.nets}
    assert len(aliases) == 3


def test_the_internet_has_no_route_back_to_the_containers() -> None:
    assert "route" not in inner_batches(DEMO)["internet"]


def test_names_of_links_fit_the_kernel() -> None:
    names = [net.bridge for net in DEMO.nets] + [member.veth for member in DEMO.members]
    assert all(len(name) < 16 for name in names)
    assert len(set(names)) == len(names)


def test_the_bare_host_has_an_uplink_and_nothing_else() -> None:
    assert "bridge" not in host_batch(BARE)
    assert "link add eth0 type veth" in host_batch(BARE)
    assert set(inner_batches(BARE)) == {"internet"}
