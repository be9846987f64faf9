"""The second leg of programs that pass on connections: into a namespace, in a row, or only seen to (constructed)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import Forwarder, PortProxy, Snapshot, Socket, known_items
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import headline
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import ANY, APP1, HOST, WEB, docker_like_snapshot, with_link, with_namespace

PORT = 7070


def host_with(*forwarders: Forwarder, listens: str = "relay") -> Snapshot:
    sockets = (Socket(proto="tcp", address=ANY, port=PORT, pid=7, process=listens),)
    snapshot = with_namespace(docker_like_snapshot(), HOST, sockets=sockets)
    return msgspec.structs.replace(snapshot, forwarders=forwarders)


def forwarder(**changes: Any) -> Forwarder:
    base = Forwarder(
        pid=7,
        program="relay",
        netns=HOST,
        into=HOST,
        proto="tcp",
        host_ip=ANY,
        host_port=PORT,
        to_ip="172.17.0.2",
        to_port=80,
    )
    return msgspec.structs.replace(base, **changes)


def asked(snapshot: Snapshot, source: str = "host", target: str = "127.0.0.1") -> tuple[Trace, HostContext]:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), port=PORT), case


def test_a_program_seen_to_pass_on_is_named_with_both_sides() -> None:
    found, case = asked(host_with(forwarder(certain=False)))
    assert found.arrives is True
    assert found.received_by == "web"
    assert "relay (process 7) that was seen to connect to 172.17.0.2:80 from 172.17.0.1, which answers" in found.why
    assert "It is taken by relay (process 7) for 172.17.0.2:80." in headline(found, case.view)
    data = trace_data(found, case.view)["relay"]
    assert (data["program"], data["certain"], data["to"], data["verdict"]) == (
        "relay",
        False,
        "172.17.0.2:80",
        "delivered",
    )


def test_where_its_way_fails_a_program_may_take_another() -> None:
    down = with_link(host_with(forwarder(certain=False)), WEB, "eth0", up=False)
    assert asked(down)[0].arrives is None
    certain = with_link(host_with(forwarder()), WEB, "eth0", up=False)
    assert asked(certain)[0].arrives is False


def test_of_one_that_passes_on_to_several_none_is_taken() -> None:
    found, _ = asked(host_with(forwarder(certain=False), forwarder(certain=False, to_ip="10.10.0.2")))
    assert (found.relay, found.arrives, found.received_by) == (None, True, "host")


def test_a_forwarder_into_a_namespace_connects_there() -> None:
    """pasta: by the loopback for who comes by it, else to the namespace's own address."""
    inside = host_with(forwarder(program="pasta", into=APP1, to_ip=""), listens="pasta")
    near, _ = asked(inside)
    assert near.relay is not None
    assert near.relay.to == "127.0.0.1:80"
    far, _ = asked(inside, "outside", "host")
    assert far.relay is not None
    assert far.relay.to == "10.10.0.2:80"
    assert far.received_by == "app1"
    deaf = with_namespace(inside, APP1, sockets=())
    assert asked(deaf, "outside", "host")[0].arrives is False


def test_proxies_in_a_row_are_all_walked() -> None:
    """A rootless Docker: RootlessKit here, docker-proxy in its own namespace, then the container."""
    web = next(ns for ns in known_items(docker_like_snapshot().namespaces) if ns.id == APP1)
    inner = (Socket(proto="tcp", address=ANY, port=PORT, pid=9, process="docker-proxy"), *web.sockets)
    snapshot = with_namespace(
        host_with(forwarder(program="rootlesskit", into=APP1, to_ip="10.10.0.2", to_port=PORT)), APP1, sockets=inner
    )
    second = PortProxy(
        pid=9, netns=APP1, proto="tcp", host_ip=ANY, host_port=PORT, container_ip="10.10.0.3", container_port=80
    )
    found, case = asked(msgspec.structs.replace(snapshot, proxies=(second,)))
    assert found.relay is not None
    assert found.relay.next is not None
    assert (found.arrives, found.received_by) == (True, "app2")
    assert "rootlesskit (process 7) that connects to 10.10.0.2:7070" in found.why
    assert "a proxy (process 9) that connects to 10.10.0.3:80" in found.why
    text = trace_text(found, case.view, OutputStyle())
    assert text.count("The proxy's own connection") == 2
    assert trace_data(found, case.view)["relay"]["relay"]["to"] == "10.10.0.3:80"


def test_a_proxy_that_takes_its_own_connections_ends() -> None:
    found, _ = asked(host_with(forwarder(to_ip="127.0.0.1", to_port=PORT)))
    depth, relay = 0, found.relay
    while relay is not None:
        depth, relay = depth + 1, relay.next
    assert depth == 4


@pytest.mark.parametrize("changes", [{"host_port": 7071}, {"netns": WEB}, {"host_ip": "203.0.113.2"}, {"proto": "udp"}])
def test_another_socket_is_not_the_forwarders(changes: dict[str, Any]) -> None:
    assert asked(host_with(forwarder(**changes)))[0].relay is None
