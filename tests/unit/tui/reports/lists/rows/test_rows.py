import json

import msgspec

from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.lists.rows.bridges import bridge_rows, network_rows
from dnet_tui.tui.reports.lists.rows.containers import ContainerRow, Peer, container_rows, veth_rows
from dnet_tui.tui.reports.lists.rows.ports import PublishedRow, port_rows
from unit.builders.factories import (
    ANY,
    APP1,
    BR_APP,
    HOST,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    with_chain,
    with_gaps,
    with_link,
    with_namespace,
)
from unit.builders.factories_firewall import chain


def containers(snapshot: Snapshot) -> dict[str, ContainerRow]:
    return {row.name: row for row in container_rows(View(snapshot))}


def published(snapshot: Snapshot) -> PublishedRow:
    (row,) = port_rows(View(snapshot))
    return row


def test_a_containers_interface_names_its_network_bridge_and_the_hosts_end() -> None:
    eth0 = containers(docker_like_snapshot())["web"].interfaces[1]

    assert (eth0.name, eth0.network, eth0.bridge) == ("eth0", "bridge", "docker0")
    assert eth0.peer == Peer(name="veth5f0a1b2", ifindex=VETH_WEB)
    assert eth0.addresses == ("172.17.0.2/16",)


def test_the_json_of_a_container_has_exactly_the_published_keys() -> None:
    data = json.loads(to_json(containers(docker_like_snapshot())["web"]))

    assert list(data) == [
        "id",
        "name",
        "engine",
        "image",
        "pid",
        "netns",
        "mode",
        "interfaces",
        "published",
        "not_seen",
    ]
    assert list(data["interfaces"][0]) == [
        "name", "ifindex", "mac", "addresses", "network", "bridge", "peer", "note",
    ]  # fmt: skip
    assert data["interfaces"][0]["peer"] is None
    assert data["published"] == [{"host_ip": ANY, "host_port": 8080, "proto": "tcp", "container_port": 80}]


def test_a_joined_container_has_the_interfaces_it_shares() -> None:
    rows = containers(docker_like_snapshot())

    assert rows["sidecar"].interfaces == rows["app1"].interfaces
    assert rows["sidecar"].mode == "container"


def test_a_host_container_has_the_hosts_interfaces_and_a_lonely_one_only_lo() -> None:
    rows = containers(docker_like_snapshot())

    assert "docker0" in {item.name for item in rows["agent"].interfaces}
    assert [item.name for item in rows["lonely"].interfaces] == ["lo"]


def test_a_container_whose_namespace_was_not_seen_has_no_interfaces() -> None:
    snapshot = docker_like_snapshot()
    without = msgspec.structs.replace(snapshot, namespaces=tuple(ns for ns in snapshot.namespaces if ns.id != WEB))

    assert containers(without)["web"].interfaces == ()


def test_an_interface_off_any_bridge_gets_its_network_from_the_engines_addresses() -> None:
    snapshot = with_link(docker_like_snapshot(), APP1, "eth0", kind="macvlan", peer=None)

    eth0 = containers(snapshot)["app1"].interfaces[1]

    assert (eth0.network, eth0.bridge) == ("app", None)


def test_every_host_veth_leads_to_its_container() -> None:
    rows = veth_rows(View(docker_like_snapshot()))

    found = {row.name: (row.peer.owner, row.peer.name, row.bridge, row.network) for row in rows if row.peer}
    assert found == {
        "veth5f0a1b2": ("web", "eth0", "docker0", "bridge"),
        "veth77c3d4e": ("app1", "eth0", "br-app", "app"),
        "veth99e5f60": ("app2", "eth0", "br-app", "app"),
    }


def test_a_veth_without_a_known_peer_says_why_and_an_orphan_is_on_no_bridge() -> None:
    snapshot = with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", peer=None, peer_note="its namespace is gone")
    orphan = with_link(snapshot, HOST, "veth77c3d4e", master=None)

    rows = {row.name: row for row in veth_rows(View(orphan))}

    assert (rows["veth5f0a1b2"].peer, rows["veth5f0a1b2"].note) == (None, "its namespace is gone")
    assert (rows["veth77c3d4e"].bridge, rows["veth77c3d4e"].network) == (None, None)


def test_a_bridge_lists_its_ports_with_their_owners() -> None:
    rows = {row.name: row for row in bridge_rows(View(docker_like_snapshot()))}

    assert rows["br-app"].network == "app"
    assert rows["br-app"].ifindex == BR_APP
    assert [(port.name, port.owner) for port in rows["br-app"].ports] == [
        ("veth77c3d4e", "app1"),
        ("veth99e5f60", "app2"),
    ]


def test_a_bridge_that_nobody_explains_has_no_network() -> None:
    snapshot = msgspec.structs.replace(docker_like_snapshot(), networks=())

    assert [row.network for row in bridge_rows(View(snapshot))] == [None, None]


def test_a_network_lists_the_containers_its_engine_put_there() -> None:
    rows = {row.name: row.containers for row in network_rows(View(docker_like_snapshot()))}

    assert rows == {"bridge": ("web",), "app": ("app1", "app2"), "host": (), "none": ()}


def test_a_published_port_names_its_rule_its_holder_and_its_listener() -> None:
    row = published(docker_like_snapshot())

    assert row.rule is not None
    assert (row.rule.table, row.rule.chain, row.rule.number) == ("ip nat", "DOCKER", 3)
    assert [item.process for item in row.holders or ()] == ["docker-proxy"]
    assert [item.address for item in row.listeners or ()] == [ANY]
    assert row.unseen == ()


def test_a_rule_to_another_address_is_not_the_ports_rule() -> None:
    snapshot = docker_like_snapshot()
    stale = msgspec.structs.replace(snapshot, containers=snapshot.containers[:1])
    moved = with_namespace(stale, WEB, addresses=())
    web = msgspec.structs.replace(moved.containers[0], endpoints=())

    assert published(msgspec.structs.replace(moved, containers=(web,))).rule is None


def test_no_rule_and_rules_not_seen_are_different() -> None:
    missing = with_chain(docker_like_snapshot(), "nat", chain("DOCKER"))
    unseen = with_gaps(
        with_namespace(missing, HOST, firewall=Unread(reason="permission denied")),
        Gap(section="firewall", scope=HOST, reason="iptables-save: permission denied"),
    )

    assert (published(missing).rule, published(missing).unseen) == (None, ())
    assert (published(unseen).rule, published(unseen).unseen) == (None, ("rule",))


def test_nobody_listening_and_sockets_not_seen_are_different() -> None:
    silent = with_namespace(docker_like_snapshot(), WEB, sockets=())
    unseen = with_gaps(silent, Gap(section="sockets", scope=WEB, reason="permission denied"))

    assert published(silent).listeners == ()
    assert published(unseen).listeners is None
    assert published(unseen).unseen == ("listeners",)
