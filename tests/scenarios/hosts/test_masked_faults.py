"""What one fault hides is told beside it; what nobody explains is told by the fallback."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import FALLBACK, CheckContext
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.base import UnknownEffectError
from dnet_tui.diagnostics.operations.engine import ReloadEngineRules
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import PolicyRule, Snapshot
from unit.builders.factories import (
    APP1,
    HOST,
    UPLINK,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_sysctl,
)
from unit.builders.factories_links import adding, without
from unit.builders.factories_others import with_policy
from unit.diagnostics.checks.cases.rules import delete, forwarding_off, insert


def roots(snapshot: Snapshot) -> list[str]:
    found = run_checks(snapshot).findings
    return [item.check for item in found if item.severity != "info" and item.caused_by is None]


def led_away(snapshot: Snapshot) -> Snapshot:
    """A policy rule and its table, as Tailscale's with an exit node."""
    away = route("0.0.0.0/0", ifindex=UPLINK, gateway="203.0.113.1", table=52)
    rule = PolicyRule(family="ip", priority=5270, table=52)
    return adding(adding(snapshot, HOST, "routes", away), HOST, "policy_rules", rule)


def gateway(address: str, snapshot: Snapshot) -> Snapshot:
    bare = without(snapshot, WEB, "routes", lambda item: item.dst == "0.0.0.0/0")
    return adding(bare, WEB, "routes", route("0.0.0.0/0", ifindex=VETH_WEB - 1, gateway=address))


def loose(snapshot: Snapshot) -> Snapshot:
    """Web's veth on no bridge."""
    return with_link(snapshot, HOST, "veth5f0a1b2", master=None, port=None)


REDIRECT = "-p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3128"
MASQUERADE = "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"
PORT = "-d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT"


PAIRS: dict[str, tuple[set[str], Callable[[], Snapshot]]] = {
    "answers led away and dropped": (
        {"policy-route", "user-chain-drop"},
        lambda: led_away(insert("-i eth0 -j DROP", "DOCKER-USER")),
    ),
    "a loose cable and a wrong gateway": (
        {"veth-orphan", "ctr-wrong-gw"},
        lambda: loose(gateway("172.17.0.254", docker_like_snapshot())),
    ),
    "a veth that is down and no gateway": (
        {"veth-down", "ctr-no-gw"},
        lambda: with_link(
            without(docker_like_snapshot(), WEB, "routes", lambda item: item.dst == "0.0.0.0/0"),
            HOST,
            "veth5f0a1b2",
            up=False,
        ),
    ),
    "no gateway and no masquerading": (
        {"ctr-no-gw", "masq-missing"},
        lambda: without(
            delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"),
            WEB,
            "routes",
            lambda item: item.dst == "0.0.0.0/0",
        ),
    ),
    "a redirect of web traffic and no masquerading": (
        {"hijack", "masq-missing"},
        lambda: insert(REDIRECT, "PREROUTING", "nat", snapshot=delete(MASQUERADE, "POSTROUTING", "nat")),
    ),
    "a rule in front that would stop a published port at the end as well, and no forwarding": (
        {"drop-before-docker", "ip-forward-off"},
        lambda: insert("-j REJECT", snapshot=with_policy(delete(PORT, "DOCKER", snapshot=forwarding_off()), "accept")),
    ),
    "a default route into a container's veth whose other end is down": (
        {"link-hijack", "veth-down"},
        lambda: adding(
            with_link(
                with_link(docker_like_snapshot(), HOST, "veth5f0a1b2", operstate="lowerlayerdown", carrier=False),
                WEB,
                "eth0",
                up=False,
            ),
            HOST,
            "routes",
            replace(route("0.0.0.0/0", ifindex=VETH_WEB), protocol="dhcp", metric=0),
        ),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_both_of_two_faults_are_told_though_one_hides_the_other(name: str) -> None:
    wanted, make = PAIRS[name]
    assert set(roots(make())) == wanted


def test_what_is_hidden_comes_after_what_hides_it_and_says_so() -> None:
    first, second = run_checks(PAIRS["answers led away and dropped"][1]()).findings[:2]
    assert (first.check, second.check) == ("policy-route", "user-chain-drop")
    assert ("hidden by", "policy-route") in [(item.what, item.value) for item in second.evidence]
    assert not any(item.what == "hidden by" for item in first.evidence)


def test_one_fault_hides_nothing() -> None:
    assert roots(led_away(docker_like_snapshot())) == ["policy-route"]
    assert roots(loose(docker_like_snapshot())) == ["veth-orphan"]
    assert roots(with_link(docker_like_snapshot(), HOST, "docker0", up=False)) == ["bridge-down"]


def test_a_remedy_of_an_unknown_effect_hides_what_is_behind_it() -> None:
    with pytest.raises(UnknownEffectError):
        after(docker_like_snapshot(), [ReloadEngineRules(engine="docker")])
    with pytest.raises(UnknownEffectError):
        after(docker_like_snapshot(), [SetLinkUp(link="docker0", up=False)])
    nowhere = NetnsScope(id="net:[1]", name="nowhere")
    with pytest.raises(UnknownEffectError):
        after(docker_like_snapshot(), [AddRoute(route=RouteSpec(gateway="10.0.0.1"), inside=nowhere)])


# -- what nobody owns ---------------------------------------------------------------------------


def fallback_alone() -> tuple[Check, ...]:
    return tuple(check for check in CATALOGUE if check.id == FALLBACK)


KINDS: dict[str, Callable[[], Snapshot]] = {
    "rule": lambda: insert("-j DROP"),
    "policy": lambda: delete("-i docker0 ! -o docker0 -j ACCEPT", "FORWARD"),
    "sysctl": lambda: with_sysctl(docker_like_snapshot(), "net.ipv4.conf.docker0.forwarding", "0"),
    "link": lambda: with_link(docker_like_snapshot(), HOST, "docker0", up=False),
    "neighbour": lambda: gateway("172.17.0.254", docker_like_snapshot()),
    "route": lambda: without(docker_like_snapshot(), WEB, "routes", lambda item: item.dst == "0.0.0.0/0"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_fallback_tells_every_kind_of_obstacle(kind: str) -> None:
    found = run_checks(KINDS[kind](), catalogue=fallback_alone()).findings
    assert kind in {item.subject.kind for item in found}
    assert {item.check for item in found} == {FALLBACK}


def claims_all(_: HostContext, obstacle: Obstacle) -> bool:
    return obstacle.end != "unknown"


def says_nothing(_: CheckContext) -> tuple[Finding, ...]:
    return ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_that_claims_an_obstacle_and_says_nothing_of_it_hides_nothing(kind: str) -> None:
    greedy = Check(id="greedy", title="", severity="error", doc="", find=says_nothing, owns=claims_all)
    report = run_checks(KINDS[kind](), catalogue=(greedy, *fallback_alone()))
    assert kind in {item.subject.kind for item in report.findings}
    assert {result.id: result.outcome for result in report.checks} == {"greedy": "ok", FALLBACK: "found"}


@pytest.mark.parametrize("kind", KINDS)
def test_some_check_of_the_catalogue_tells_every_kind(kind: str) -> None:
    assert roots(KINDS[kind]())


def test_a_namespace_that_is_routed_by_its_own_veth_is_no_loose_container() -> None:
    # Its gateway is the host's end of its own veth: a link of its own, not one that fell off the bridge.
    host = loose(docker_like_snapshot())
    host = msgspec.structs.replace(
        host, containers=tuple(item for item in host.containers if item.netns not in {WEB, APP1})
    )
    own = route("172.17.0.2/32", ifindex=VETH_WEB)
    assert "veth-orphan" in roots(host)
    assert "veth-orphan" not in roots(adding(host, HOST, "routes", own))
