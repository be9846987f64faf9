"""Source ports of translated connections: those that others have aren't given again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.netfilter.nat import apply_nat
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import ConntrackEntry, ConntrackTuple, Snapshot
from dnet_tui.inspect.model.firewall import Firewall, Nat, Table
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, HOST, docker_like_snapshot, with_chain, with_namespace
from unit.builders.factories_firewall import chain, match

ONE, TWO, OWN = "10.10.0.2", "10.10.0.3", "203.0.113.2"
SERVER, OTHER = "198.51.100.10", "198.51.100.11"
SPORT = 40000


def tracked(src: str = TWO, dst: str = SERVER, sport: int = SPORT, given: int = SPORT, zone: int = 0) -> ConntrackEntry:
    """A connection to a server that left with the host's address and the port that it was given."""
    return ConntrackEntry(
        family="ip",
        proto="tcp",
        original=ConntrackTuple(src=src, dst=dst, sport=sport, dport=80),
        reply=ConntrackTuple(src=dst, dst=OWN, sport=80, dport=given),
        status=("seen-reply", "src-nat"),
        state="ESTABLISHED",
        zone=zone,
    )


def leaves(*entries: ConntrackEntry, base: Snapshot | None = None, **nat: Any) -> tuple[str, str, int | None]:
    """How a connection of the first container's ends, and its source as it left; ``nat``: by this rule alone."""
    snapshot = with_namespace(base or docker_like_snapshot(), HOST, conntrack=entries)
    if nat:
        rules = [("out", (match("oif", "eth0"), Nat(**nat)))]
        post = chain("POSTROUTING", rules, hook="postrouting", priority=100, type="nat", policy="accept")
        snapshot = with_chain(snapshot, "nat", post)
    packet = Packet(src=ONE, dst=SERVER, proto="tcp", sport=SPORT, dport=80, tcp_flags=("SYN",))
    found = walk(View(snapshot), packet, origin=APP1, outside=True)
    return found.end, found.last.src, found.last.sport


@pytest.mark.parametrize(
    ("entries", "port"),
    [
        ((), SPORT),
        ((tracked(),), None),
        ((tracked(given=5000),), SPORT),
        ((tracked(dst=OTHER),), SPORT),
        ((tracked(zone=7),), SPORT),
        ((tracked(sport=5000),), None),
    ],
)
def test_the_same_port_only_where_it_is_free(entries: tuple[ConntrackEntry, ...], port: int | None) -> None:
    assert leaves(*entries) == ("left", OWN, port)


def test_what_other_connections_of_the_same_source_were_given_is_given_again() -> None:
    mine = tracked(src=ONE, dst=OTHER, given=5000)
    assert leaves(mine) == ("left", OWN, 5000)
    assert leaves(mine, tracked(sport=1, given=5000)) == ("left", OWN, SPORT), "it is taken: the rest goes as ever"
    assert leaves(mine, tracked(), tracked(given=5000)) == ("left", OWN, None)
    assert leaves(mine, tracked(src=ONE, dst="198.51.100.12", given=5001))[2] is None, "nobody knows by which of them"


def test_of_a_fixed_port_there_is_no_other_and_of_a_random_one_nothing_is_known() -> None:
    assert leaves(kind="snat", addresses=OWN, ports="700") == ("left", OWN, 700)
    assert leaves(tracked(), kind="masquerade", flags=("random",))[2] is None
    assert leaves(tracked(), kind="snat", addresses="203.0.113.9") == ("left", "203.0.113.9", SPORT)


@pytest.mark.parametrize(
    ("entry", "end"),
    [
        (tracked(given=700), "dropped"),
        (msgspec.structs.replace(tracked(given=700), state="TIME_WAIT"), "unknown"),  # it may make room
        (msgspec.structs.replace(tracked(given=700), proto="udp", state=""), "left"),
        (tracked(given=701), "left"),
        (tracked(dst=OTHER, given=700), "left"),
        (tracked(given=700, zone=7), "left"),
    ],
)
@pytest.mark.parametrize("kind", ["snat", "masquerade"])
def test_a_fixed_port_that_another_connection_has_is_nobodys(entry: ConntrackEntry, end: str, kind: Any) -> None:
    """Conntrack can't tell the two's answers apart, and drops the packet."""
    addresses = OWN if kind == "snat" else ""
    assert leaves(entry, kind=kind, addresses=addresses, ports="700")[0] == end


def test_a_connection_takes_the_place_of_the_one_that_it_was() -> None:
    former = msgspec.structs.replace(tracked(src=ONE), state="TIME_WAIT", closing=True)
    assert leaves(former) == ("left", OWN, SPORT)
    assert leaves(former, kind="snat", addresses=OWN, ports="700") == ("left", OWN, 700)
    assert leaves(former, tracked(given=700), kind="snat", addresses=OWN, ports="700")[0] == "dropped"


def test_without_a_nat_chain_nobody_looks() -> None:
    bare = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall())
    assert leaves(tracked(), base=bare)[1:] == (ONE, SPORT)
    empty = chain("POSTROUTING", [], hook="postrouting", priority=100, type="nat", policy="accept")
    taken = untranslated(tracked())
    with_nat = with_namespace(
        bare, HOST, firewall=Firewall(tables=(Table(family="ip", name="n", backend="nftables", chains=(empty,)),))
    )
    assert leaves(taken, base=with_nat)[1:] == (ONE, None), "not even of what no rule translates"


def untranslated(entry: ConntrackEntry) -> ConntrackEntry:
    """The connection as if it had been translated to the container's own address."""
    return ConntrackEntry(
        family="ip",
        proto="tcp",
        original=entry.original,
        reply=ConntrackTuple(src=SERVER, dst=ONE, sport=80, dport=SPORT),
        status=entry.status,
        state=entry.state,
    )


@pytest.mark.parametrize(
    ("ports", "flags", "port", "hedged"),
    [
        ("70-900", (), 80, False),
        ("70-900", ("random",), 70, True),
        ("700-900", (), 700, True),
        ("700", ("random",), 700, False),
        ("", ("random",), 80, False),
    ],
)
def test_a_destination_port_in_the_range_stays_unless_any_may_be_taken(
    ports: str, flags: tuple[str, ...], port: int, *, hedged: bool
) -> None:
    host = next(ns for ns in docker_like_snapshot().namespaces if ns.id == HOST)
    packet = Packet(src=SERVER, dst=OWN, proto="tcp", sport=SPORT, dport=80, tcp_flags=("SYN",))
    nat = Nat(kind="dnat", addresses=ONE, ports=ports, flags=flags)
    done = apply_nat(host, nat, packet, "prerouting", device="eth0")
    assert (done.packet.dport, bool(done.hedge)) == (port, hedged)
