"""Connections that are tracked already: who gets the answer to a packet that goes on with one."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.netfilter.tcp_states import fate
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import ConntrackEntry, ConntrackTuple, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_namespace

INSIDE, OUTSIDE, UPLINKS = "172.17.0.2", "198.51.100.9", "203.0.113.2"


def host_with(rule: str, **zones: int) -> Snapshot:
    """The small Docker host with a rule before conntrack, and a tracked connection that is masqueraded."""
    base = docker_like_snapshot()
    host = next(ns for ns in known_items(base.namespaces) if ns.id == HOST)
    assert host.firewall is not None
    text = f"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {rule}\nCOMMIT\n"
    (raw,) = parse_save(text, family="ip", backend="iptables-nft")
    firewall = msgspec.structs.replace(host.firewall, tables=(*host.firewall.tables, raw))
    entry = ConntrackEntry(
        family="ip",
        proto="udp",
        original=ConntrackTuple(src=INSIDE, dst=OUTSIDE, sport=4000, dport=53, zone=zones.get("original")),
        reply=ConntrackTuple(src=OUTSIDE, dst=UPLINKS, sport=53, dport=4000, zone=zones.get("reply")),
        status=("seen-reply", "src-nat"),
    )
    return with_namespace(base, HOST, firewall=firewall, conntrack=(entry,))


def there_and_back(snapshot: Snapshot) -> tuple[Walk, Walk]:
    view = View(snapshot)
    packet = Packet(src=INSIDE, dst=OUTSIDE, proto="udp", sport=4000, dport=53)
    there = walk(view, packet, origin=WEB, outside=True)
    return there, reply(view, there)


@pytest.mark.parametrize(
    ("rule", "zones", "receiver"),
    [
        ("-p udp -j CT --zone-reply 5", {}, HOST),
        ("-p udp -j CT --zone-reply 5", {"reply": 5}, WEB),
        ("-p udp -s 172.17.0.2 -j CT --zone-reply 5", {}, WEB),
        ("-p udp --dport 53 -j CT --zone-reply 5", {"reply": 5}, HOST),
        ("-p tcp -j CT --zone-reply 5", {}, WEB),
    ],
)
def test_an_answer_is_looked_for_where_the_connection_is(rule: str, zones: dict[str, int], receiver: str) -> None:
    """A rule's zone for answers is no zone of a connection that was there before (nf_ct_key_equal)."""
    there, back = there_and_back(host_with(rule, **zones))
    assert (there.end, there.last.src) == ("left", UPLINKS)
    assert back.last_namespace == receiver


def test_a_connection_that_a_walk_makes_is_in_its_rules_zones() -> None:
    snapshot = with_namespace(host_with("-p udp -j CT --zone-reply 5"), HOST, conntrack=())
    _, back = there_and_back(snapshot)
    assert back.last_namespace == WEB


@pytest.mark.parametrize(
    ("flags", "reply", "fates"),
    [
        (("SYN",), False, {"TIME_WAIT": "goes on or anew", "CLOSE": "goes on or anew", "SYN_SENT2": "goes on"}),
        (("SYN",), True, {"SYN_SENT": "goes on", "TIME_WAIT": "goes on or anew", "CLOSE": "invalid"}),
        (("SYN", "ACK"), False, {"SYN_SENT": "invalid", "SYN_RECV": "unknown", "TIME_WAIT": "invalid"}),
        (("SYN", "ACK"), True, {"SYN_SENT": "unknown", "SYN_RECV": "goes on", "CLOSE": "goes on"}),
        (("ACK",), True, {"CLOSE": "goes on", "SYN_SENT": "goes on"}),
    ],
)
def test_what_conntrack_makes_of_an_opening_packet(flags: tuple[str, ...], reply: bool, fates: dict[str, str]) -> None:
    """``tcp_conntracks``, each as the kernel did it with entries made by ``conntrack -I``."""
    packet = Packet(src=INSIDE, dst=OUTSIDE, proto="tcp", sport=4000, dport=80, tcp_flags=flags)
    assert {state: fate(packet, state, reply=reply) for state in fates} == fates
    established = {state: fate(packet, state, reply=reply) for state in ("ESTABLISHED", "FIN_WAIT", "LAST_ACK")}
    rest = "goes on" if flags == ("ACK",) or ("ACK" in flags) == reply else "invalid"
    assert set(established.values()) == {rest}


@pytest.mark.parametrize(
    ("reply", "fates"),
    [
        (False, {"TIME_WAIT": "anew", "CLOSE": "anew", "FIN_WAIT": "goes on", "LAST_ACK": "goes on"}),
        (True, {"TIME_WAIT": "anew", "CLOSE": "invalid", "FIN_WAIT": "invalid"}),
    ],
)
def test_a_connection_that_was_closed_and_is_over_makes_room_for_another(reply: bool, fates: dict[str, str]) -> None:
    packet = Packet(src=INSIDE, dst=OUTSIDE, proto="tcp", sport=4000, dport=80, tcp_flags=("SYN",))
    assert {state: fate(packet, state, reply=reply, closing=True) for state in fates} == fates


def test_a_state_that_is_not_told_decides_nothing() -> None:
    packet = Packet(src=INSIDE, dst=OUTSIDE, proto="tcp", sport=4000, dport=80, tcp_flags=("SYN",))
    assert (fate(packet, "", reply=False), fate(packet, "", reply=True)) == ("goes on or anew", "unknown")
    assert fate(Packet(src=INSIDE, dst=OUTSIDE, proto="udp", sport=1, dport=2), "", reply=True) == "goes on"


@pytest.mark.parametrize(("state", "end"), [("ESTABLISHED", "dropped"), ("CLOSE", "dropped"), ("SYN_SENT", "left")])
def test_a_syn_where_an_answer_belongs_is_invalid(state: str, end: str) -> None:
    """It passes conntrack without a connection, and a rule that drops what is invalid drops it."""
    base = host_with("-p udp -j ACCEPT")
    host = next(ns for ns in known_items(base.namespaces) if ns.id == HOST)
    assert host.firewall is not None
    text = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"
    (mangle,) = parse_save(text, family="ip", backend="iptables-nft")
    entry = ConntrackEntry(
        family="ip",
        proto="tcp",
        state=state,
        original=ConntrackTuple(src=OUTSIDE, dst=INSIDE, sport=80, dport=4000),
        reply=ConntrackTuple(src=INSIDE, dst=OUTSIDE, sport=4000, dport=80),
        status=("seen-reply",),
    )
    firewall = msgspec.structs.replace(host.firewall, tables=(*host.firewall.tables, mangle))
    view = View(with_namespace(base, HOST, firewall=firewall, conntrack=(entry,)))
    packet = Packet(src=INSIDE, dst=OUTSIDE, proto="tcp", sport=4000, dport=80, tcp_flags=("SYN",))
    assert walk(view, packet, origin=WEB, outside=True).end == end
