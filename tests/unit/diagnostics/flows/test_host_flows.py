"""Flows between containers and their host: which are walked, and what of them is nobody's fault."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import derive
from dnet_tui.inspect.model import Snapshot, Socket
from unit.builders.factories import ANY, HOST, docker_like_snapshot
from unit.builders.factories_links import adding
from unit.diagnostics.checks.cases.rules import insert

KINDS = {"container-to-host", "host-to-published", "container-to-published"}


def flows(snapshot: Snapshot) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for flow in derive(HostContext(snapshot)):
        if flow.kind in KINDS:
            found.setdefault(flow.kind, []).append(f"{flow.label} {flow.forward.start.proto} {flow.arrives}")
    return found


def test_each_networks_container_calls_the_host_by_the_bridges_address_and_the_uplinks() -> None:
    assert flows(docker_like_snapshot())["container-to-host"] == [
        "web → host 172.17.0.1 icmp True",
        "web → host 203.0.113.2 icmp True",
        "app1 → host 10.10.0.1 icmp True",
        "app1 → host 203.0.113.2 icmp True",
    ]


def test_a_service_of_the_hosts_own_is_asked_where_there_is_one() -> None:
    served = adding(docker_like_snapshot(), HOST, "sockets", Socket(proto="tcp", address=ANY, port=22, process="sshd"))
    assert all(" tcp True" in text for text in flows(served)["container-to-host"])


def test_a_port_that_is_translated_is_no_service_of_the_hosts_own() -> None:
    # A proxy that has just come has no name yet, and its container may be gone already.
    taken = Socket(proto="tcp", address=ANY, port=8099)
    gone = insert("-p tcp -m tcp --dport 8099 -j DNAT --to-destination 172.17.0.77:80", "PREROUTING", "nat")
    assert all(" icmp True" in text for text in flows(adding(gone, HOST, "sockets", taken))["container-to-host"])
