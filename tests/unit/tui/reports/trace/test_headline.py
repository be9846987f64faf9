"""The first sentences of a trace name what led the packet away, what it left by, and what is dead."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.model import (
    Address,
    Link,
    PortProxy,
    Snapshot,
    Socket,
    Tunnel,
    Unread,
    Vxlan,
    WireGuardDevice,
    WireGuardPeer,
)
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import headline
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import (
    ANY,
    HOST,
    UPLINK,
    WEB,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_sysctl,
)
from unit.builders.factories_links import adding, without
from unit.diagnostics.checks.cases.rules import delete, insert, with_network
from unit.diagnostics.walk.test_kernel_truth import redirecting

PEER = "198.51.100.9"
MASQUERADE = "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"


def said(snapshot: Snapshot, source: str, target: str, port: int = 80) -> str:
    case = HostContext(snapshot)
    return headline(trace(case, find(case, source), find(case, target), port=port), case.view)


def proxied(*, listens: bool = True, working: bool = True) -> Snapshot:
    """The host with a proxy for web's port 80 on its loopback."""
    proxy = PortProxy(
        pid=77, netns=HOST, proto="tcp", host_ip=ANY, host_port=8080, container_ip="172.17.0.2", container_port=80
    )
    sockets = (Socket(proto="tcp", address=ANY, port=8080, process="docker-proxy"),) if listens else ()
    snapshot = with_namespace(docker_like_snapshot(), HOST, sockets=sockets)
    if not working:
        snapshot = with_namespace(snapshot, WEB, sockets=())
    return msgspec.structs.replace(snapshot, proxies=(proxy,))


ENDS: dict[str, tuple[Vxlan | Tunnel | None, Vxlan | Tunnel | None]] = {
    "wireguard": (None, None),
    "vxlan": (Vxlan(vni=7, remote=PEER, port=4789), Vxlan(vni=7, port=4789)),
    "gre": (Tunnel(remote=PEER), Tunnel()),
}
"""What a tunnel is set to: with an end that it sends to, and without."""


def tunnelled(kind: str, detail: Vxlan | Tunnel | None, peers: tuple[WireGuardDevice, ...] | Unread) -> Snapshot:
    """The host whose default route leads into ``tun0``, and to the tunnel's other end by the uplink."""
    link = Link(ifindex=90, name="tun0", kind=kind, up=True, carrier=True, mtu=1400, detail=detail)
    snapshot = without(docker_like_snapshot(), HOST, "routes", lambda item: item.dst == "0.0.0.0/0")
    snapshot = adding(snapshot, HOST, "links", link)
    snapshot = adding(snapshot, HOST, "addresses", Address(ifindex=90, family="ip", address="10.8.0.2", prefixlen=24))
    own = route("10.8.0.2/32", ifindex=90, table=255, type="local", scope="host")
    end = route(f"{PEER}/32", ifindex=UPLINK, gateway="203.0.113.1")
    snapshot = adding(snapshot, HOST, "routes", own, end, route("0.0.0.0/0", ifindex=90))
    for name, value in (("forwarding", "1"), ("rp_filter", "0")):
        snapshot = with_sysctl(snapshot, f"net.ipv4.conf.tun0.{name}", value)
    return with_namespace(snapshot, HOST, wireguard=peers)


@pytest.mark.parametrize(
    ("kind", "end"), [("wireguard", f"peer B= at {PEER}:51820"), ("vxlan", f"{PEER}:4789"), ("gre", PEER)]
)
def test_a_tunnel_is_named_with_its_other_end(kind: str, end: str) -> None:
    peer = WireGuardPeer(key="B=", endpoint=PEER, port=51820, allowed=("0.0.0.0/0",))
    device = WireGuardDevice(ifindex=90, key="A=", port=51820, peers=(peer,))
    text = said(tunnelled(kind, ENDS[kind][0], (device,)), "web", "outside")
    assert text == f"The packet leaves by tun0 to {end}. An answer is expected."


OPEN = "whether it leaves by that can't be decided."


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wireguard", f"a WireGuard tunnel: {OPEN}"),
        ("vxlan", "a VXLAN tunnel, and can't get to the next hop: tun0 has no remote for "),
        ("gre", f"a GRE tunnel: {OPEN}"),
    ],
)
def test_a_tunnel_of_which_no_other_end_is_known_is_named(kind: str, words: str) -> None:
    text = said(tunnelled(kind, ENDS[kind][1], Unread(reason="Operation not permitted")), "web", "outside")
    assert text.startswith(f"The packet is led into tun0, {words}")


def test_what_is_decided_before_the_tunnel_says_nothing_of_it() -> None:
    snapshot = tunnelled("gre", ENDS["gre"][1], ())
    assert said(insert("-o tun0 -j DROP", snapshot=snapshot), "web", "outside") == "The packet is dropped."


def test_a_plain_uplink_is_no_tunnel() -> None:
    assert (
        said(docker_like_snapshot(), "web", "outside") == "The packet leaves the host by eth0. An answer is expected."
    )


@pytest.mark.parametrize(
    ("dead", "why"),
    [({"up": False}, "eth0 is down"), ({"carrier": False, "operstate": "DOWN"}, "eth0 has no carrier")],
)
def test_a_dead_uplink_is_named(dead: dict[str, object], why: str) -> None:
    text = said(with_link(docker_like_snapshot(), HOST, "eth0", **dead), "web", "outside")
    assert text == f"The packet can't get to the next hop: {why}."


def test_a_redirect_is_named() -> None:
    text = said(redirecting(HOST, "prerouting", "20559"), "web", "app1")
    assert text.startswith("The packet is redirected to port 20559 of 172.17.0.1 by nat PREROUTING rule 1. There it ")
    assert text.endswith("It is received by host, for whom it wasn't meant.")


def test_a_published_ports_translation_is_no_redirect() -> None:
    assert said(docker_like_snapshot(), "outside", "host", 8080).startswith("The packet arrives: somebody listens.")


def test_a_proxy_is_named_with_whom_it_serves() -> None:
    text = said(proxied(), "host", "127.0.0.1", 8080)
    assert "It is taken by a proxy (process 77) for 172.17.0.2:80." in text
    assert "whose own connection fails" in said(proxied(working=False), "host", "127.0.0.1", 8080)


def test_an_answer_that_nobody_can_send_is_said_first_in_text_and_data() -> None:
    snapshot = delete(MASQUERADE, "POSTROUTING", "nat")
    case = HostContext(snapshot)
    found = trace(case, find(case, "web"), find(case, "outside"))
    text = " ".join(trace_text(found, case.view, OutputStyle()).split())
    assert "The packet left as 172.17.0.2: nobody outside can answer that. Decided by:" in text
    assert "next hop" not in text
    data = trace_data(found, case.view)
    assert (data["verdict"], data["end"], data["answer"]) == ("unanswerable", "left", "unanswerable")
    assert data["decided_by"] is not None
    assert data["decided_by"]["text"].startswith("left as 172.17.0.2: nobody outside can answer that")
    assert found.arrives is False


def test_where_the_network_is_meant_to_be_routed_nobody_knows_the_answer() -> None:
    snapshot = delete(
        MASQUERADE, "POSTROUTING", "nat", with_network(docker_like_snapshot(), "bridge", masquerade=False)
    )
    case = HostContext(snapshot)
    found = trace(case, find(case, "web"), find(case, "outside"))
    assert (trace_data(found, case.view)["answer"], found.arrives) == ("unknown", None)


@pytest.mark.parametrize(
    ("source", "target", "answer"),
    [
        ("web", "outside", "expected"),
        ("outside", "host", "returns"),
        ("app1", "app2", "returns"),
        ("web", "app1", None),
    ],
)
def test_the_data_say_what_becomes_of_the_answer(source: str, target: str, answer: str | None) -> None:
    case = HostContext(docker_like_snapshot())
    found = trace(case, find(case, source), find(case, target), port=8080 if target == "host" else 80)
    assert trace_data(found, case.view)["answer"] == answer


def test_an_answer_that_is_dropped_is_lost() -> None:
    snapshot = insert("-i eth0 -j DROP")
    case = HostContext(snapshot)
    found = trace(case, find(case, "web"), find(case, "outside"))
    assert (found.answer_state, found.verdict) == ("lost", "answer dropped")
