"""Podman's JSON: recorded from Podman 4.3 with netavark; the CNI forms follow Podman 3's and 4's documentation."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.engines.podman import parse
from dnet_tui.inspect.model import Container, Endpoint, Network, PublishedPort, Subnet

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_podman_4_3.json").read_text())
NETWORKS = {net.name: net for net in parse.parse_networks(RAW["networks"])}
DETAILS = {item["Name"]: item for item in RAW["details"].values()}


def container(name: str) -> Container:
    found = parse.parse_container(DETAILS[name], NETWORKS.values())
    assert found is not None
    return found


def network(**changes: Any) -> Network:
    raw = {"name": "x", "id": "1", "driver": "bridge", "network_interface": "podman1"} | changes
    (found,) = parse.parse_networks([raw])
    return found


def test_the_engine_tells_its_version_and_network_backend() -> None:
    engine = parse.parse_engine(RAW["info"], "/run/podman/podman.sock")
    assert (engine.name, engine.version, engine.network_backend) == ("podman", "4.3.1", "netavark")
    assert (engine.rootless, engine.socket) == (False, "/run/podman/podman.sock")
    rootless = {"host": {"security": {"rootless": True}}}
    assert parse.parse_engine(rootless, "").rootless


def test_a_network_has_its_bridge_subnets_and_gateways() -> None:
    app, six, odd = NETWORKS["app"], NETWORKS["six"], NETWORKS["gw77"]
    assert (app.engine, app.driver, app.bridge) == ("podman", "bridge", "podman1")
    assert app.subnets == (Subnet(cidr="10.110.0.0/24", gateway="10.110.0.1"),)
    assert (six.ipv6, [item.gateway for item in six.subnets]) == (True, ["10.170.0.1", "fd00:170::1"])
    assert odd.subnets[0].gateway == "10.182.0.77"
    assert NETWORKS["smallmtu"].mtu == 1400


def test_a_networks_intentions_are_podmans_defaults_unless_it_says_otherwise() -> None:
    app, vault = NETWORKS["app"], NETWORKS["vault"]
    assert (app.internal, app.masquerade, app.icc, app.isolated) == (False, True, True, False)
    assert (vault.internal, vault.masquerade, vault.icc) == (True, False, True)


def test_a_network_without_a_bridge_has_no_intentions_and_its_parent_is_no_bridge() -> None:
    found = NETWORKS["mv"]
    assert (found.driver, found.bridge) == ("macvlan", "")
    assert (found.icc, found.masquerade, found.isolated) == (None, None, None)


@pytest.mark.parametrize(
    ("options", "masquerade"),
    [
        ({}, True),
        ({"no_default_route": "true"}, False),
        ({"no_default_route": "1"}, False),
        ({"no_default_route": "false"}, True),
        ({"mode": "unmanaged"}, False),
        ({"mode": "managed"}, True),
    ],
)
def test_options_can_take_masquerading_away(options: dict[str, str], masquerade: bool) -> None:
    assert network(options=options).masquerade is masquerade


def test_isolation_is_certain_only_where_every_other_bridge_asks_for_it_too() -> None:
    one = {"name": "one", "id": "1", "driver": "bridge", "options": {"isolate": "true"}}
    two = {"name": "two", "id": "2", "driver": "bridge", "options": {"isolate": "strict"}}
    plain = {"name": "plain", "id": "3", "driver": "bridge"}
    other = {"name": "mv", "id": "4", "driver": "macvlan"}

    def isolated(*raw: Any) -> dict[str, bool | None]:
        return {item.name: item.isolated for item in parse.parse_networks(list(raw))}

    assert isolated(one, two, other) == {"one": True, "two": True, "mv": None}
    assert isolated(one, two, plain) == {"one": None, "two": None, "plain": False}
    assert network(options={"isolate": "false"}).isolated is False
    assert network(options={"isolate": "what"}).isolated is None


@pytest.mark.parametrize("mtu", ["0", "-1", "1e3", "9" * 12, "", "٣"])
def test_an_mtu_that_is_none_is_not_told(mtu: str) -> None:
    assert network(options={"mtu": mtu}).mtu is None


def cni(**bridge: Any) -> dict[str, Any]:
    plugin = {
        "type": "bridge",
        "bridge": "cni-podman1",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "routes": [{"dst": "0.0.0.0/0"}],
            "ranges": [[{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}]],
        },
    }
    rest = [{"type": "portmap", "capabilities": {"portMappings": True}}, {"type": "firewall", "backend": ""}]
    return {"cniVersion": "0.4.0", "name": "app", "plugins": [plugin | bridge, *rest]}


def test_a_cni_configuration_list_is_read() -> None:
    (found,) = parse.parse_networks([cni(mtu=1400, vlan=7)])
    assert (found.name, found.driver, found.bridge, found.mtu) == ("app", "bridge", "cni-podman1", 1400)
    assert found.subnets == (Subnet(cidr="10.89.0.0/24", gateway="10.89.0.1"),)
    assert (found.internal, found.masquerade, found.icc, found.isolated) == (False, True, True, False)
    assert (found.id, found.options) == (parse.parse_networks([cni()])[0].id, {"vlan": "7"})


def test_podman_names_a_cni_network_by_the_hash_of_its_name() -> None:
    (found,) = parse.parse_networks([cni() | {"name": "podman"}])
    assert found.id == "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"
    assert found.id == NETWORKS["podman"].id


def test_podman_3_lists_the_configuration_as_base64() -> None:
    listed = {
        "Name": "app",
        "CNIVersion": "0.4.0",
        "Plugins": [{"Network": {"type": "bridge", "ipam": {"type": "host-local"}}}],
        "Bytes": base64.b64encode(json.dumps(cni()).encode()).decode(),
    }
    assert parse.parse_networks([listed]) == parse.parse_networks([cni()])
    assert parse.parse_networks([listed | {"Bytes": "%%%"}]) == ()


def test_an_internal_cni_network_has_neither_gateway_nor_default_route() -> None:
    ipam = {"type": "host-local", "subnet": "10.89.0.0/24"}
    (internal,) = parse.parse_networks([cni(isGateway=False, ipMasq=False, ipam=ipam)])
    assert (internal.internal, internal.masquerade) == (True, False)
    assert internal.subnets == (Subnet(cidr="10.89.0.0/24"),)
    (unsure,) = parse.parse_networks([cni(ipam=ipam)])
    assert unsure.internal is None


def test_cni_isolates_by_its_firewall_plugin() -> None:
    isolating = cni()
    isolating["plugins"][-1]["ingressPolicy"] = "same-bridge"
    assert parse.parse_networks([isolating])[0].isolated is True


def test_a_container_is_on_its_networks_with_all_its_addresses() -> None:
    assert container("both").endpoints == (
        Endpoint(
            network=NETWORKS["app"].id,
            mac=DETAILS["both"]["NetworkSettings"]["Networks"]["app"]["MacAddress"],
            addresses=("10.110.0.9/24",),
            gateway="10.110.0.1",
        ),
        Endpoint(
            network=NETWORKS["db"].id,
            mac=DETAILS["both"]["NetworkSettings"]["Networks"]["db"]["MacAddress"],
            addresses=("10.120.0.9/24",),
            gateway="10.120.0.1",
        ),
    )
    (six,) = container("six1").endpoints
    assert (six.addresses, six.gateway6) == (("10.170.0.2/24", "fd00:170::2/64"), "fd00:170::1")


def test_secondary_addresses_are_told() -> None:
    raw = json.loads(json.dumps(DETAILS["app1"]))
    place = raw["NetworkSettings"]["Networks"]["app"]
    place["SecondaryIPAddresses"] = [{"Addr": "10.110.0.50", "PrefixLength": 24}, {"Addr": "x", "PrefixLength": 24}]
    found = parse.parse_container(raw, NETWORKS.values())
    assert found is not None
    assert found.endpoints[0].addresses == ("10.110.0.2/24", "10.110.0.50/24")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("web", "bridge"),
        ("app1", "bridge"),
        ("hostmode", "host"),
        ("none", "none"),
        ("joined", "container"),
        ("inpod", "container"),
        ("mvc", "macvlan"),
    ],
)
def test_every_mode_is_recognised(name: str, mode: str) -> None:
    assert container(name).mode == mode


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("slirp4netns", "slirp4netns"),
        ("slirp4netns:port_handler=slirp4netns", "slirp4netns"),
        ("pasta", "pasta"),
        ("ns:/run/netns/x", "unknown"),
        ("", "unknown"),
        ("bridge", "bridge"),
    ],
)
def test_modes_without_a_network_are_recognised(said: str, mode: str) -> None:
    raw = {"Id": "1", "HostConfig": {"NetworkMode": said}, "NetworkSettings": {"Networks": {}}}
    found = parse.parse_container(raw, NETWORKS.values())
    assert found is not None
    assert found.mode == mode


def test_podman_3_names_the_network_as_mode() -> None:
    raw = DETAILS["app1"] | {"HostConfig": {"NetworkMode": "app"}}
    found = parse.parse_container(raw, NETWORKS.values())
    assert found is not None
    assert found.mode == "bridge"


def test_the_joined_have_neither_endpoints_nor_ports_of_their_own() -> None:
    web, joined, member = container("web"), container("joined"), container("inpod")
    assert (joined.joined, joined.endpoints, joined.published) == (web.id, (), ())
    assert member.joined == container("d84caceafc77-infra").id
    assert (member.endpoints, member.published) == ((), ())
    assert DETAILS["inpod"]["NetworkSettings"]["Ports"]  # Podman repeats them


def test_a_pods_ports_are_its_infra_containers() -> None:
    ports = [(item.host_port, item.container_port) for item in container("d84caceafc77-infra").published]
    assert ports == [(9090, 90), (9091, 91), (9092, 92)]


def test_published_ports_are_told_one_by_one_and_on_every_address_by_default() -> None:
    assert container("web").published == (
        PublishedPort(host_ip="0.0.0.0", host_port=8080, proto="tcp", container_port=80),  # noqa: S104
        PublishedPort(host_ip="127.0.0.1", host_port=8081, proto="tcp", container_port=80),
    )
    ranged = container("range").published
    assert [(item.proto, item.host_port, item.container_port) for item in ranged] == [
        ("udp", 7000, 80),
        ("udp", 7001, 81),
        ("udp", 7002, 82),
        ("udp", 7003, 83),
        ("tcp", 9000, 99),
    ]


def test_the_list_alone_tells_the_same_ports() -> None:
    listed = {item["Names"][0]: item for item in RAW["listed"]}
    for name in ("web", "range", "d84caceafc77-infra", "app1", "hostmode", "created"):
        found = parse.parse_listed(listed[name], NETWORKS.values())
        assert found is not None
        whole = container(name)
        assert (set(found.published), set(found.wanted)) == (set(whole.published), set(whole.wanted))
        assert (found.id, found.name, found.pid, found.running, found.image) == (
            whole.id,
            whole.name,
            whole.pid,
            whole.running,
            whole.image,
        )
        assert [item.network for item in found.endpoints] == [item.network for item in whole.endpoints]


def test_a_listed_range_covers_several_protocols() -> None:
    alive = {"Id": "1", "Networks": ["app"], "Pid": 7, "State": "running"}
    port = {"host_ip": "", "container_port": 53, "host_port": 5353, "range": 2, "protocol": "tcp,udp"}
    found = parse.parse_listed(alive | {"Ports": [port]}, NETWORKS.values())
    assert found is not None
    assert [(item.proto, item.host_port) for item in found.published] == [
        ("tcp", 5353),
        ("tcp", 5354),
        ("udp", 5353),
        ("udp", 5354),
    ]


def test_a_paused_container_has_processes_and_a_created_one_has_none() -> None:
    assert (container("app2").status, container("app2").running) == ("paused", True)
    made = container("created")
    assert (made.status, made.running, made.pid) == ("created", False, None)


def test_the_ports_of_one_that_does_not_run_are_wanted_not_published() -> None:
    made, web = container("created"), container("web")
    assert (made.published, [item.host_port for item in made.wanted]) == ((), [81])
    assert (len(web.published), web.wanted) == (2, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_nothing_crashes_the_parsers(value: Any) -> None:
    parse.parse_engine(value, "")
    parse.parse_networks(value)
    parse.parse_networks([value])
    parse.parse_container(value, NETWORKS.values())
    parse.parse_listed(value, NETWORKS.values())


@given(st.data())
def test_one_spoilt_field_never_crashes_a_parser(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["details", "listed", "networks", "cni"]))
    source: Any = {"details": DETAILS["both"], "listed": RAW["listed"][1], "networks": RAW["networks"][0], "cni": cni()}
    place = whole = json.loads(json.dumps(source[kind]))
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    parse.parse_container(whole, NETWORKS.values())
    parse.parse_listed(whole, NETWORKS.values())
    parse.parse_networks([whole])
