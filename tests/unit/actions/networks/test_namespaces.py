"""Named namespaces that come with a plain network: addresses of their own, names that fit, resolv.conf."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.networks.attach import ConnectRequest
from dnet_tui.actions.networks.engine_networks import create_plan
from dnet_tui.actions.networks.namespaces import attach_plan, resolv_conf
from dnet_tui.actions.networks.request import Request
from dnet_tui.actions.plans.boot_files import WriteFile
from dnet_tui.actions.plans.plan import command_lines, undo_lines
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.name_servers import Resolver
from unit.builders.factories import docker_like_snapshot

REQUEST = Request(name="side", engine="linux", subnet="10.33.0.0/24", subnet6="fd00:33::/64", namespaces=("one", "two"))


def resolving(*servers: str) -> Snapshot:
    snapshot = docker_like_snapshot()
    resolver = Resolver(source="/etc/resolv.conf", servers=servers)
    return msgspec.structs.replace(snapshot, host=msgspec.structs.replace(snapshot.host, resolver=resolver))


def test_each_gets_a_link_addresses_and_routes_of_its_own() -> None:
    lines = command_lines(create_plan(docker_like_snapshot(), REQUEST))
    assert "ip netns add one" in lines
    assert "ip link add name vtwo type veth peer name eth0 netns two" in lines
    assert "ip -n two address add 10.33.0.3/24 dev eth0" in lines
    assert "ip -n two address add fd00:33::3/64 dev eth0" in lines
    assert "ip -n one route add default via 10.33.0.1 dev eth0" in lines


def test_undo_deletes_the_pair_and_then_the_namespace() -> None:
    lines = undo_lines(create_plan(docker_like_snapshot(), REQUEST))
    ours = [line for line in lines if "vone" in line or "netns" in line]
    assert ours == ["ip netns delete two", "ip link delete dev vone type veth", "ip netns delete one"]


def test_servers_on_loopback_addresses_are_left_out() -> None:
    snapshot = resolving("127.0.0.53", "192.0.2.53", "2001:db8::53", "::1", "nonsense")
    assert resolv_conf(snapshot).splitlines()[1:] == ["nameserver 192.0.2.53", "nameserver 2001:db8::53"]
    plan = create_plan(snapshot, REQUEST)
    files = [action.path for action in plan.operations if isinstance(action, WriteFile)]
    assert files == ["/etc/netns/one/resolv.conf", "/etc/netns/two/resolv.conf"]
    without = create_plan(resolving("127.0.0.53"), REQUEST)
    assert not any(isinstance(action, WriteFile) for action in without.operations)
    assert "names can't be looked up there" in without.notes[-1]


@pytest.mark.parametrize("names", [("a/b",), ("..",), ("-x",), ("",), ("same", "same"), ("x" * 64,)])
def test_names_that_do_not_fit_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        create_plan(docker_like_snapshot(), msgspec.structs.replace(REQUEST, namespaces=names))


def test_engines_networks_have_no_plain_namespaces() -> None:
    with pytest.raises(UsageError, match="own containers only"):
        create_plan(docker_like_snapshot(), Request(name="side", engine="docker", namespaces=("one",)))


def test_a_network_of_an_engine_takes_none_either() -> None:
    with pytest.raises(UsageError, match="no plain network named app"):
        attach_plan(docker_like_snapshot(), ConnectRequest(network="app", container="one"))
