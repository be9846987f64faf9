"""Connecting containers to networks: the plans, and what doesn't go together."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.networks.attach import ConnectRequest, connect_plan, disconnect_plan
from dnet_tui.actions.plans.plan import command_lines, undo_lines
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Link, Namespace, Network, Snapshot, Subnet, known_items
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace

DOCKER = docker_like_snapshot()
GUEST = "net:[4026532999]"


def ask(network: str, container: str, *addresses: str, aliases: tuple[str, ...] = ()) -> ConnectRequest:
    return ConnectRequest(network=network, container=container, addresses=addresses, aliases=aliases)


def plain() -> Snapshot:
    """The host with a plain-Linux network, and a named namespace that is plugged into nothing."""
    host = View(DOCKER).host
    assert host is not None
    links = (*host.links, Link(ifindex=40, name="br-side", kind="bridge", up=True))
    lo = Link(ifindex=1, name="lo", kind="loopback")
    guest = Namespace(id=GUEST, inode=4026532999, kind="named", names=("guest",), links=(lo,))
    snapshot = with_namespace(DOCKER, HOST, links=links)
    side = Network(
        id="linux:br-side",
        name="side",
        engine="linux",
        driver="bridge",
        bridge="br-side",
        subnets=(Subnet(cidr="10.33.0.0/29", gateway="10.33.0.1"), Subnet(cidr="fd00:33::/64", gateway="fd00:33::1")),
    )
    return msgspec.structs.replace(
        snapshot,
        networks=(*known_items(snapshot.networks), side),
        namespaces=(*known_items(snapshot.namespaces), guest),
    )


def test_an_engine_connects_its_own_containers() -> None:
    plan = connect_plan(DOCKER, ask("app", "web", "10.10.0.77", aliases=("friend",)))
    assert command_lines(plan) == ("docker network connect --ip 10.10.0.77 --alias friend app web",)
    assert undo_lines(plan) == ("docker network disconnect app web",)
    plan = disconnect_plan(DOCKER, ask("app", "app1"))
    assert command_lines(plan) == ("docker network disconnect app app1",)
    assert undo_lines(plan)[0].startswith("docker network connect --ip 10.10.0.")
    assert "none of the aliases" in plan.notes[0]


def test_a_plain_namespace_gets_a_veth_pair_an_address_and_a_way_out() -> None:
    plan = connect_plan(plain(), ask("side", "guest"))
    assert command_lines(plan) == (
        "ip link add name vguest type veth peer name eth0 netns guest",
        "ip link set dev vguest master br-side",
        "ip -n guest link set dev lo up",
        "ip -n guest address add 10.33.0.2/29 dev eth0",
        "ip -n guest address add fd00:33::2/64 dev eth0",
        "ip -n guest link set dev eth0 up",
        "ip -n guest route add default via 10.33.0.1 dev eth0",
        "ip -n guest -6 route add default via fd00:33::1 dev eth0",
        "ip link set dev vguest up",
    )
    assert undo_lines(plan) == ("ip -n guest link set dev lo down", "ip link delete dev vguest type veth")


def test_an_address_that_was_asked_for_is_given() -> None:
    lines = command_lines(connect_plan(plain(), ask("side", "guest", "10.33.0.6")))
    assert "ip -n guest address add 10.33.0.6/29 dev eth0" in lines


REFUSED: dict[str, tuple[ConnectRequest, str]] = {
    "twice": (ask("app", "app1"), "connected to app already"),
    "no such network": (ask("gone", "web"), "no network named gone"),
    "no such container": (ask("app", "gone"), "no container named gone"),
    "an engine's container on a plain network": (ask("side", "web"), "takes its own containers only"),
    "a namespace on an engine's network": (ask("app", "guest"), "no container named guest"),
    "the host's own network": (ask("app", "agent"), "no network of its own"),
    "another's network": (ask("app", "sidecar"), "no network of its own"),
    "not an address": (ask("app", "web", "ten"), "is not an address"),
    "outside of the subnet": (ask("app", "web", "10.11.0.2"), "outside of app"),
    "taken": (ask("app", "web", "10.10.0.2"), "is taken"),
    "the gateway's": (ask("side", "guest", "10.33.0.1"), "is taken"),
    "a name on a plain network": (ask("side", "guest", aliases=("x",)), "has no names"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_said(case: str) -> None:
    request, words = REFUSED[case]
    with pytest.raises(UsageError) as error:
        connect_plan(plain(), request)
    assert words in f"{error.value.message} {error.value.hint}"


def test_what_is_not_connected_is_not_disconnected() -> None:
    for request in (ask("app", "web"), ask("side", "guest")):
        with pytest.raises(UsageError, match="is not connected to"):
            disconnect_plan(plain(), request)
