"""What a trace and the doctor say of packets that leave by a tunnel, to a program, or into what can't be read."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.model import (
    Address,
    Link,
    PolicyRule,
    Snapshot,
    Tun,
    TunProgram,
    Unread,
    WireGuardDevice,
    WireGuardPeer,
)
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import HOST, UPLINK, WEB, docker_like_snapshot, route, with_link, with_namespace
from unit.builders.factories_links import adding, without

PEER = WireGuardPeer(key="B=", endpoint="198.51.100.9", port=51820, allowed=("0.0.0.0/0",))


def in_a_container(*, unread: bool = False) -> Snapshot:
    """``web``, whose port is published, with wg-quick's tunnel for all addresses."""
    wg0 = Link(ifindex=9, name="wg0", kind="wireguard", up=True, carrier=True, mtu=1420, flags=("NOARP", "POINTOPOINT"))
    snapshot = adding(docker_like_snapshot(), WEB, "links", wg0)
    snapshot = adding(snapshot, WEB, "addresses", Address(ifindex=9, family="ip", address="10.8.0.2", prefixlen=32))
    own = route("10.8.0.2/32", ifindex=9, table=255, type="local", scope="host")
    snapshot = adding(snapshot, WEB, "routes", route("0.0.0.0/0", ifindex=9, table=51820), own)
    policy = (
        PolicyRule(family="ip", priority=0, table=255),
        PolicyRule(family="ip", priority=32764, table=254, suppress_prefixlength=0),
        PolicyRule(family="ip", priority=32765, table=51820, mark=51820, invert=True),
        PolicyRule(family="ip", priority=32766, table=254),
    )
    device = WireGuardDevice(ifindex=9, key="A=", port=51820, mark=51820, peers=(PEER,))
    peers = Unread(reason="Operation not permitted") if unread else (device,)
    return with_namespace(snapshot, WEB, policy_rules=policy, wireguard=peers)


def traced(snapshot: Snapshot, source: str, target: str, port: int = 80) -> tuple[Trace, HostContext]:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), port=port), case


def headline(found: Trace, case: HostContext) -> str:
    return " ".join(trace_text(found, case.view, OutputStyle()).split("\n\n")[0].split())


def test_the_headline_names_the_tunnel_and_its_peer() -> None:
    found, case = traced(in_a_container(), "web", "outside")
    assert "The packet leaves by wg0 of web to peer B= at 198.51.100.9:51820." in headline(found, case)
    assert found.received_by == "peer B= at 198.51.100.9:51820, by wg0 of web"
    assert found.arrives is True


def test_the_json_has_the_tunnel_and_the_outer_packet_as_it_left() -> None:
    found, case = traced(in_a_container(), "web", "outside")
    data = trace_data(found, case.view)
    assert data["left"]["tunnels"] == [{"interface": "wg0 of web", "to": "peer B= at 198.51.100.9:51820"}]
    assert (data["left"]["outer"]["src"], data["left"]["outer"]["dst"]) == ("203.0.113.2", "198.51.100.9")
    outer = [hop for hop in data["hops"] if hop.get("outer")]
    assert {hop["packet"]["proto"] for hop in outer} == {"udp"}
    assert "outer" not in data["hops"][0]


def test_what_leaves_plainly_is_told_as_before() -> None:
    found, case = traced(docker_like_snapshot(), "web", "outside")
    assert "The packet leaves the host by eth0." in headline(found, case)
    assert trace_data(found, case.view)["left"] == {"interface": "eth0", "to": ""}
    assert "left" not in trace_data(traced(docker_like_snapshot(), "web", "app1")[0], case.view)


def test_the_answer_of_a_published_port_goes_by_the_tunnel() -> None:
    found, case = traced(in_a_container(), "outside", "203.0.113.2", 8080)
    assert found.arrives is False
    words = headline(found, case)
    assert "Its answer leaves by wg0 of web to peer B= at 198.51.100.9:51820, where nobody awaits it." in words


def test_the_doctor_says_which_port_is_affected() -> None:
    for snapshot in (in_a_container(), in_a_container(unread=True)):
        lost = [item for item in run_checks(snapshot).findings if "published" in item.symptoms]
        assert [(item.check, item.severity) for item in lost] == [("flow-blocked", "error")]
        assert "8080" in lost[0].summary
    healthy = run_checks(docker_like_snapshot()).findings
    assert not [item for item in healthy if "published" in item.symptoms]


def test_a_program_at_the_other_end_is_named() -> None:
    tun = {"kind": "tun", "detail": Tun(type="tun"), "flags": ("NOARP", "POINTOPOINT")}
    snapshot = with_link(docker_like_snapshot(), HOST, "eth0", **tun)
    program = TunProgram(netns=HOST, link="eth0", pid=77, name="openvpn")
    found, case = traced(msgspec.structs.replace(snapshot, tun_programs=(program,)), "web", "outside")
    assert "The packet leaves by eth0 to process openvpn (77)." in headline(found, case)


def test_a_way_out_into_a_namespace_that_was_not_read_is_said() -> None:
    note = "its peer is in a namespace that could not be seen: interface 7"
    snapshot = with_link(docker_like_snapshot(), HOST, "eth0", kind="veth", peer_note=note)
    found, case = traced(snapshot, "web", "198.51.100.50")
    assert "leaves by eth0 into a namespace that can't be read." in headline(found, case)
    off = without(snapshot, HOST, "routes", lambda item: item.dst == "0.0.0.0/0" and item.hops[0].ifindex == UPLINK)
    off = adding(off, HOST, "routes", route("198.51.100.0/24", ifindex=UPLINK))
    assert traced(off, "web", "198.51.100.50")[0].forward.end == "unknown"
