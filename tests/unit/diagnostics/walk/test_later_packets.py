"""A connection's later packets: walked where a rule could stop them, and said to be stopped by that rule."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.later_packets import later_packets
from dnet_tui.diagnostics.walk.netfilter.conntrack import Connection, is_out_of_state
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import LinkRef, Snapshot, known_items
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.trace.headline import headline
from dnet_tui.tui.reports.trace.trace_json import trace_data
from dnet_tui.tui.reports.trace.trace_text import trace_text
from unit.builders.factories import HOST, UPLINK, WEB, docker_like_snapshot, with_namespace
from unit.diagnostics.checks.cases.rules import insert

ESTABLISHED = "-m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL -j DROP"
OPENING = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK"


def published(snapshot: Snapshot, proto: TraceProtocol = "tcp") -> tuple[Trace, HostContext]:
    case = HostContext(snapshot)
    return trace(case, find(case, "outside"), find(case, "host"), proto=proto, port=8080), case


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (ESTABLISHED, "data dropped"),
        ("-m length --length 61:1500 -j DROP", "data dropped"),
        ("-p tcp -m tcp --tcp-flags PSH PSH -j DROP", "data dropped"),
        (f"{OPENING} ACK -m conntrack --ctdir ORIGINAL -j DROP", "data dropped"),
        (
            "-p tcp -m length --length 40:60 -m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL -j DROP",
            "acknowledgement dropped",
        ),
        ("-p tcp -m length --length 100:200 -m conntrack --ctdir REPLY -j DROP", "data of the answer dropped"),
        ("-m conntrack --ctstatus ASSURED -j DROP", "data dropped"),
        ("-m conntrack --ctstatus SEEN_REPLY --ctdir ORIGINAL -j DROP", "data dropped"),
        ("-m length --length 1000:1500 -j DROP", "delivered"),
        ("-m conntrack --ctstate INVALID -j DROP", "delivered"),
        ("-m conntrack --ctstate NEW -m length --length 61:1500 -j DROP", "delivered"),
        ("-p udp -m conntrack --ctstate ESTABLISHED -j DROP", "delivered"),
    ],
)
def test_what_stops_a_later_packet_decides(rule: str, verdict: str) -> None:
    found, _ = published(insert(rule))
    assert (found.verdict, found.arrives) == (verdict, verdict == "delivered")
    if verdict != "delivered":
        assert found.answer_state == "returns"
        assert found.decided_by is not None
        assert found.decided_by.rule is not None
        assert (found.decided_by.rule.chain, found.decided_by.rule.number) == ("FORWARD", 1)


def test_a_second_packet_of_another_protocol_is_asked_too() -> None:
    for proto in ("udp", "icmp"):
        case = HostContext(insert(ESTABLISHED))
        found = trace(case, find(case, "web"), find(case, "outside"), proto=proto)
        assert found.verdict == "second packet dropped"


def test_nothing_more_is_walked_where_no_rule_asks_for_what_tells_them_apart() -> None:
    case = HostContext(docker_like_snapshot())
    found = trace(case, find(case, "web"), find(case, "outside"), proto="tcp")
    assert found.forward.asked == frozenset()
    assert found.later == ()


def test_who_is_refused_sends_no_data() -> None:
    case = HostContext(insert(ESTABLISHED))
    found = trace(case, find(case, "app1"), find(case, "app2"), port=81)
    assert (found.verdict, found.later) == ("refused", ())


def test_the_doctor_sees_the_obstacle_with_its_rule() -> None:
    report = run_checks(insert(ESTABLISHED))
    (finding,) = [item for item in report.findings if item.severity != "info"]
    assert finding.check == "drop-before-docker"
    assert {"egress", "published"} <= set(finding.symptoms)
    assert run_checks(docker_like_snapshot()).findings == ()


def test_it_is_said_which_packet_is_stopped() -> None:
    found, case = published(insert(ESTABLISHED))
    assert headline(found, case.view).endswith("The handshake passes, but its data (152 bytes) is dropped.")
    text = trace_text(found, case.view, OutputStyle())
    assert "\nData  tcp 198.51.100.77:40000 → " in text
    assert "Decided by: iptables-nft filter FORWARD rule 1" in text
    data = trace_data(found, case.view)
    assert [(item["packet"], item["verdict"]) for item in data["later"]] == [("data", "dropped")]
    assert data["decided_by"] is not None
    assert data["decided_by"]["rule"]["number"] == 1


def test_a_later_packet_goes_where_the_first_one_was_led() -> None:
    found, case = published(docker_like_snapshot())
    (later,) = found.later
    assert later.walk.last_namespace == find(case, "web").namespace
    assert later.walk.last.dport == 80
    assert later.walk.last.ctstate == "ESTABLISHED"


def test_without_that_conntrack_saw_the_answer_an_acknowledgement_is_invalid() -> None:
    packet = Packet(src="10.0.0.1", dst="10.0.0.2", proto="tcp", sport=1, dport=2, later=True, tcp_flags=("ACK",))
    unanswered = Connection(packet, packet, reply=False, seen_reply=False)
    assert is_out_of_state(unanswered, packet)
    assert not is_out_of_state(unanswered._replace(seen_reply=True), packet)


def with_raw(rule: str) -> Snapshot:
    """The small Docker host with a rule before conntrack."""
    base = docker_like_snapshot()
    host = next(ns for ns in known_items(base.namespaces) if ns.id == HOST)
    assert host.firewall is not None
    text = f"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {rule}\nCOMMIT\n"
    (raw,) = parse_save(text, family="ip", backend="iptables-nft")
    firewall = msgspec.structs.replace(host.firewall, tables=(*host.firewall.tables, raw))
    return with_namespace(base, HOST, firewall=firewall)


def test_data_that_conntrack_picks_up_in_the_middle_is_translated_anew() -> None:
    """One direction isn't tracked: of the answer's SYN/ACK no connection is made, of its data one is."""
    untracked = with_raw("-i eth0 -j CT --notrack")
    case = HostContext(insert("-s 172.17.0.0/16 -j MASQUERADE", "POSTROUTING", "nat", snapshot=untracked))
    arriving = LinkRef(namespace=HOST, ifindex=UPLINK)
    packet = Packet(src="198.51.100.9", dst="172.17.0.2", proto="tcp", sport=4000, dport=80, tcp_flags=("SYN",))
    forward = walk(case.view, packet, origin=HOST, arriving=arriving)
    answer = reply(case.view, forward)
    assert (forward.end, answer.end, answer.intended) == ("delivered", "left", None)
    data = later_packets(case.view, forward, answer)[-1]
    assert (data.kind, data.walk.intended) == ("data of the answer", False)


@pytest.mark.parametrize(
    ("option", "state"), [("--zone 5", "NEW"), ("--zone-reply 5", "NEW"), ("--zone-orig 5", "ESTABLISHED")]
)
def test_a_zone_of_an_answer_counts_for_its_own_direction_alone(option: str, state: str) -> None:
    case = HostContext(with_raw(f"-p udp -m udp --sport 53 -j CT {option}"))
    packet = Packet(src="172.17.0.2", dst="198.51.100.9", proto="udp", sport=4000, dport=53)
    forward = walk(case.view, packet, origin=WEB, outside=True)
    answer = reply(case.view, forward)
    assert next(hop.packet.ctstate for hop in answer.hops if hop.stage == "routing") == state
