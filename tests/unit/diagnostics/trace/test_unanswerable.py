"""Sources that the outside can't, or may not be able to, answer."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import Snapshot, known_items
from unit.builders.factories import HOST, docker_like_snapshot, with_sysctl
from unit.diagnostics.checks.cases.rules import delete, insert


def given(source: str, base: Snapshot | None = None) -> Trace:
    """A trace to outside where a rule gives the packet this source."""
    rule = f"-s 172.17.0.0/16 -j SNAT --to-source {source}"
    case = HostContext(insert(rule, "POSTROUTING", "nat", snapshot=base))
    return trace(case, find(case, "web"), find(case, "outside"))


@pytest.mark.parametrize(
    ("source", "arrives"),
    [
        ("203.0.113.2", True),  # the host's own
        ("203.0.113.77", False),  # beside it, and nobody here answers for it
        ("10.10.0.77", False),  # of a network of containers
        ("10.99.0.1", None),  # a LAN may route it here
        ("8.8.8.8", None),
    ],
)
def test_whether_a_source_that_a_rule_gave_can_be_answered(source: str, arrives: bool | None) -> None:
    found = given(source)
    assert found.arrives is arrives
    if not arrives:
        assert found.decided_by is not None
        assert found.decided_by.rule is not None
        assert (found.decided_by.rule.chain, found.decided_by.rule.number) == ("POSTROUTING", 1)
        assert "neither this host's nor answered for" in found.decided_by.text


def test_an_address_that_the_host_takes_for_its_own_is_answered_for() -> None:
    base = docker_like_snapshot()
    host = next(ns for ns in known_items(base.namespaces) if ns.id == HOST)
    own = next(route for route in known_items(host.routes) if route.type == "local" and route.dst == "203.0.113.2/32")
    more = msgspec.structs.replace(own, dst="203.0.113.77/32")
    routed = msgspec.structs.replace(host, routes=(*known_items(host.routes), more))
    others = tuple(ns for ns in known_items(base.namespaces) if ns.id != HOST)
    assert given("203.0.113.77", msgspec.structs.replace(base, namespaces=(routed, *others))).arrives is True


def test_proxy_arp_does_not_stand_in_for_who_would_be_beside_the_host() -> None:
    base = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.eth0.proxy_arp", "1")
    assert given("203.0.113.77", base).arrives is False


def test_a_private_peer_may_know_the_way_to_a_network_that_no_engine_declared() -> None:
    base = delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat")
    declared = HostContext(base)
    assert trace(declared, find(declared, "web"), find(declared, "192.168.50.1")).arrives is False
    networks = tuple(item for item in known_items(base.networks) if item.name != "bridge")
    unknown = HostContext(msgspec.structs.replace(base, networks=networks))
    assert trace(unknown, find(unknown, "web"), find(unknown, "192.168.50.1")).arrives is None
    assert trace(unknown, find(unknown, "web"), find(unknown, "outside")).arrives is False
