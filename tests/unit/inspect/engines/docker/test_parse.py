"""The Docker API's JSON, from Docker 20.10 and as later or hostile engines write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.engines.api_reading import resolve_joined
from dnet_tui.inspect.engines.docker import parse
from dnet_tui.inspect.model import Container, Endpoint, Network, PublishedPort, Subnet
from unit.builders.examples import examples

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_docker_20_10.json").read_text())
NETWORKS = {network.name: network for network in parse.parse_networks(RAW["networks"], "docker")}
ANY4, ANY6 = "0.0.0.0", "::"  # noqa: S104


def containers() -> dict[str, Container]:
    found = (parse.parse_container(item, "docker", NETWORKS.values()) for item in RAW["details"].values())
    return {item.name: item for item in found if item is not None}


def network(**fields: Any) -> Network:
    (found,) = parse.parse_networks([{"Id": "f" * 64, "Name": "n", "Driver": "bridge", **fields}], "docker")
    return found


def test_the_default_bridge_is_docker0_with_its_intentions() -> None:
    bridge = NETWORKS["bridge"]
    assert (bridge.bridge, bridge.driver, bridge.mtu, bridge.host_binding) == ("docker0", "bridge", 1500, ANY4)
    assert (bridge.internal, bridge.icc, bridge.masquerade, bridge.isolated) == (False, True, True, True)
    assert [subnet.cidr for subnet in bridge.subnets] == ["172.17.0.0/16"]


def test_a_gateway_that_docker_left_out_is_taken_from_the_networks_containers() -> None:
    assert NETWORKS["bridge"].subnets == (Subnet(cidr="172.17.0.0/16"),)
    found = {net.name: net for net in parse.with_gateways(tuple(NETWORKS.values()), containers().values())}
    assert found["bridge"].subnets == (Subnet(cidr="172.17.0.0/16", gateway="172.17.0.1"),)
    assert found["vault"].subnets[0].gateway == "", "nobody told it"


@pytest.mark.parametrize("told", [("10.1.0.1",), ("not an address",), ("192.0.2.1", "192.0.2.2")])
def test_a_gateway_that_does_not_fit_or_is_not_the_only_one_is_not_taken(told: tuple[str, ...]) -> None:
    one = network(IPAM={"Config": [{"Subnet": "192.0.2.0/24"}]})
    users = [
        Container(id=at, name=at, engine="docker", endpoints=(Endpoint(network=one.id, gateway=at),)) for at in told
    ]
    assert parse.with_gateways((one,), users) == (one,)


def test_a_networks_options_are_its_intentions() -> None:
    assert (NETWORKS["quiet"].bridge, NETWORKS["quiet"].icc) == ("br-quiet", False)
    assert (NETWORKS["vault"].internal, NETWORKS["vault"].masquerade, NETWORKS["vault"].icc) == (True, False, True)


def test_networks_without_a_bridge_state_no_intention() -> None:
    for name in ("host", "none"):
        found = NETWORKS[name]
        assert (found.bridge, found.icc, found.masquerade, found.isolated) == ("", None, None, None)


def test_a_bridge_without_a_given_name_is_named_after_the_id() -> None:
    assert network().bridge == "br-" + "f" * 12
    assert network(Options={"com.docker.network.bridge.name": "br-x"}).bridge == "br-x"


@pytest.mark.parametrize(
    ("value", "meant"), [("false", False), ("0", False), ("True", True), ("1", True), ("", True), ("maybe", None)]
)
def test_an_option_is_read_as_go_reads_it(value: str, meant: bool | None) -> None:
    assert network(Options={"com.docker.network.bridge.enable_ip_masquerade": value}).masquerade is meant
    assert network(Options={"com.docker.network.bridge.enable_icc": value}).icc is meant


@pytest.mark.parametrize(("mode", "masquerade"), [("nat", True), ("nat-unprotected", True), ("routed", False)])
def test_a_gateway_mode_without_nat_is_not_masqueraded(mode: str, masquerade: bool) -> None:
    found = network(Options={"com.docker.network.bridge.gateway_mode_ipv4": mode})
    assert (found.gateway_mode4, found.masquerade) == (mode, masquerade)


def test_published_ports_have_their_addresses() -> None:
    assert containers()["web"].published == (
        PublishedPort(host_ip="127.0.0.1", host_port=8081, proto="tcp", container_port=80),
        PublishedPort(host_ip=ANY4, host_port=8080, proto="tcp", container_port=80),
        PublishedPort(host_ip=ANY6, host_port=8080, proto="tcp", container_port=80),
    )


def test_a_port_that_is_only_exposed_is_not_published() -> None:
    detail = {"Id": "a", "NetworkSettings": {"Ports": {"443/tcp": None, "53/udp": [{"HostIp": "", "HostPort": "53"}]}}}
    found = parse.parse_container(detail, "docker", ())
    assert found is not None
    assert found.published == (PublishedPort(host_ip=ANY4, host_port=53, proto="udp", container_port=53),)


def test_an_endpoint_has_addresses_and_gateway() -> None:
    assert containers()["quiet1"].endpoints == (
        Endpoint(
            network=NETWORKS["quiet"].id, mac="02:42:0a:1e:00:02", addresses=("10.30.0.2/24",), gateway="10.30.0.1"
        ),
    )


def test_every_mode_is_recognised() -> None:
    found = containers()
    assert {name: item.mode for name, item in found.items()} == {
        "web": "bridge",
        "quiet1": "bridge",
        "idle": "bridge",
        "hostmode": "host",
        "none": "none",
        "joined": "container",
    }
    assert found["joined"].joined == found["web"].id


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan", "overlay"])
def test_the_mode_on_a_network_is_its_drivers(driver: str) -> None:
    known = network(Driver=driver)
    found = parse.parse_container({"Id": "a", "HostConfig": {"NetworkMode": "n"}}, "docker", [known])
    assert found is not None
    assert found.mode == driver


def test_an_unknown_network_leaves_the_mode_open() -> None:
    found = parse.parse_container({"Id": "a", "HostConfig": {"NetworkMode": "gone"}}, "docker", ())
    assert found is not None
    assert found.mode == "unknown"


def test_a_container_that_was_never_started_is_not_running() -> None:
    idle = containers()["idle"]
    assert (idle.running, idle.status, idle.pid, idle.published) == (False, "created", None, ())
    assert idle.endpoints == (Endpoint(network=NETWORKS["app"].id),)


def test_the_engines_words_about_a_failed_start_are_kept_to_a_bound() -> None:
    for error, kept in (("no port\ud800", "no port\\ud800"), ("x" * 5000, "x" * 1000), (7, "")):
        found = parse.parse_container({"Id": "a", "State": {"Error": error}}, "docker", ())
        assert found is not None
        assert found.error == kept


def test_the_list_alone_tells_the_same_but_for_the_pid() -> None:
    details = containers()
    for summary in RAW["listed"]:
        listed = parse.parse_listed(summary, "docker", NETWORKS.values())
        assert listed is not None
        full = details[listed.name]
        for field in ("id", "name", "image", "mode", "running", "status", "endpoints"):
            assert getattr(listed, field) == getattr(full, field), (listed.name, field)
        assert sorted(listed.published, key=str) == sorted(full.published, key=str)


def test_a_links_alias_is_not_the_containers_name() -> None:
    assert parse.listed_name(["/other/alias", "/web"]) == "web"


def test_who_is_joined_is_found_by_id_name_or_unique_beginning() -> None:
    def one(key: str, name: str, joined: str | None = None) -> Container:
        return Container(id=key, name=name, engine="docker", joined=joined)

    some = (one("aa1", "web"), one("aa2", "db"), one("c1", "x", "aa1"), one("c2", "y", "db"), one("c3", "z", "aa"))
    assert resolve_joined(some) == {"aa1": "aa1", "db": "aa2"}
    assert resolve_joined((*some, one("c4", "v", "aa2x"))) == {"aa1": "aa1", "db": "aa2"}
    assert resolve_joined((one("aa1", "web"), one("c3", "z", "aa")))["aa"] == "aa1"


def test_the_engine_says_version_backend_and_rootlessness() -> None:
    found = parse.parse_engine(RAW["version"], RAW["info"], "/run/docker.sock")
    assert (found.name, found.version, found.firewall, found.rootless) == ("docker", "20.10.24+dfsg1", "", False)
    info = {"FirewallBackend": {"Driver": "nftables"}, "SecurityOptions": ["name=seccomp", "name=rootless"]}
    newer = parse.parse_engine({"Version": "29.0"}, info, "")
    assert (newer.firewall, newer.rootless) == ("nftables", True)


def test_podmans_compatible_socket_is_podman() -> None:
    version = {"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}]}
    assert parse.parse_engine(version, None, "").name == "podman"
    named = {"Id": "f" * 64, "Name": "podman", "Driver": "bridge"}
    assert [net.bridge for net in parse.parse_networks([named, {**named, "Name": "x"}], "podman")] == ["podman0", ""]


def test_docker_desktop_is_recognised() -> None:
    assert parse.is_docker_desktop({"OperatingSystem": "Docker Desktop"})
    assert not parse.is_docker_desktop(RAW["info"])
    assert not parse.is_docker_desktop(None)


def test_a_name_with_a_lone_surrogate_can_be_stored() -> None:
    found = parse.parse_container({"Id": "a", "Name": "/\ud800x"}, "docker", ())
    assert found is not None
    found.name.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(80), deadline=None)
@given(JSON)
def test_an_answer_of_the_wrong_shape_never_crashes_a_parser(answer: Any) -> None:
    spoilt_network = {**RAW["networks"][0], "Options": answer, "IPAM": {"Config": answer}}
    detail = {"Id": "a", "Name": answer, "NetworkSettings": {"Ports": {"80/tcp": answer}, "Networks": {"x": answer}}}
    for one in (answer, [answer], {"Id": answer}, detail, {"Id": "a", "State": answer, "HostConfig": answer}):
        parse.parse_container(one, "docker", ())
        parse.parse_listed(one, "docker", ())
        parse.parse_networks(one, "docker")
        parse.parse_engine(one, one, "")
    parse.parse_networks([spoilt_network], "docker")


@settings(max_examples=examples(80), deadline=None)
@given(st.data())
def test_one_spoilt_field_never_crashes_a_parser(data: st.DataObject) -> None:
    detail = json.loads(json.dumps(data.draw(st.sampled_from(sorted(RAW["details"].values(), key=str)))))
    place = detail
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not (isinstance(place[key], dict) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    parse.parse_container(detail, "docker", NETWORKS.values())
