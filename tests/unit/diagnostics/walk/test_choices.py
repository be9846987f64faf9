"""NAT that chooses: by a map, by lot, or by something nobody knows.  What ends alike either way is definite."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.operations.rule import InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.nat import apply_nat, chosen_nat, each_address
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import LinkRef, Snapshot, known_items
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Choice,
    Element,
    Firewall,
    Match,
    NamedSet,
    Nat,
    Note,
    Opaque,
    Rule,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.match_fields import FieldText
from dnet_tui.inspect.model.view import View
from unit.builders.factories import APP1, HOST, UPLINK, docker_like_snapshot, with_namespace
from unit.builders.rule_evaluation import hook_result

DROP, ACCEPT = Verdict(kind="drop"), Verdict(kind="accept")
SYN = Packet(src="10.0.0.2", dst="192.0.2.1", proto="tcp", sport=40000, dport=443, iif="br0")
LOT = FieldText("numgen random mod 2")
UNSURE = Opaque(text="-m statistic --mode random --probability 0.5")


def dnat(address: str, ports: str = "") -> Nat:
    return Nat(kind="dnat", addresses=address, ports=ports)


def by_map(*fields: str, part: str = "addresses", set_name: str = "", **data: str) -> Nat:
    """A DNAT by a map whose keys are the names of the arguments, without the leading letter."""
    elements = tuple(Element(key=(key[1:],), data=value) for key, value in data.items())
    choice = Choice(fields=fields, set=set_name, elements=elements, part=part)  # type: ignore[arg-type]
    return Nat(kind="dnat", choice=choice)


def passed(*rules: tuple[AnyExpr, ...], sets: tuple[NamedSet, ...] = (), kind: str = "nat") -> HookResult:
    """One table whose prerouting chain has these rules, and chains of its own."""
    base = Chain(
        name="pre",
        hook="prerouting",
        policy="accept",
        type=kind,
        priority=-100,
        rules=tuple(Rule(number=n, text=f"rule {n}", exprs=exprs) for n, exprs in enumerate(rules, start=1)),
    )
    to_a = Chain(name="to-a", rules=(Rule(number=1, text="a", exprs=(dnat("10.1.0.1"),)),))
    to_b = Chain(name="to-b", rules=(Rule(number=1, text="b", exprs=(dnat("10.1.0.2"),)),))
    out = Chain(name="out", rules=(Rule(number=1, text="drop", exprs=(DROP,)),))
    marking = Chain(name="marking", rules=(Rule(number=1, text="mark", exprs=(SetMark(value=1),)),))
    table = Table(family="ip", name="t", backend="nftables", chains=(base, to_a, to_b, out, marking), sets=sets)
    return hook_result(Firewall(tables=(table,)), "prerouting", SYN)


def targets(result: HookResult) -> set[str]:
    return {f"{nat.addresses}:{nat.ports}" if nat is not None else "" for nat, _ in result.choices}


# -- what a map has for a packet ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("nat", "data", "chosen"),
    [
        (by_map("dport"), "10.1.0.1", "10.1.0.1:"),
        (by_map("dport"), "10.1.0.1 . 80", "10.1.0.1:80"),
        (by_map("dport"), "10.1.0.1-10.1.0.9", "10.1.0.1-10.1.0.9:"),
        (by_map("dport"), "fd00::1 . 80", "fd00::1:80"),
        (by_map("dport", part="ports"), "8080", ":8080"),
        (by_map("dport", part="ports"), "http", None),
        (by_map("dport"), "10.1.0.0/24", None),
        (by_map("dport"), "10.1.0.1 . http", None),
        (by_map("dport"), "", None),
    ],
)
def test_what_a_map_says_becomes_the_target(nat: Nat, data: str, chosen: str | None) -> None:
    found = chosen_nat(nat, data)
    assert (f"{found.addresses}:{found.ports}" if found is not None else None) == chosen


def test_a_key_that_is_known_gives_one_target() -> None:
    result = passed((by_map("dport", _443="10.1.0.1 . 8443", _80="10.1.0.2"),))
    assert result.nat == dnat("10.1.0.1", "8443")
    assert result.nat_unknown is None


def test_a_key_that_no_element_has_goes_on_to_the_next_rule() -> None:
    result = passed((by_map("dport", _80="10.1.0.1"),), (dnat("10.1.0.9"),))
    assert result.nat == dnat("10.1.0.9")
    assert passed((by_map("dport", _80="10.1.0.1"),)).nat is None


def test_a_named_map_is_looked_up() -> None:
    data = NamedSet(name="m", type="inet_service : ipv4_addr", elements=(Element(key=("443",), data="10.1.0.7"),))
    assert passed((by_map("dport", set_name="m"),), sets=(data,)).nat == dnat("10.1.0.7")


def test_a_map_that_was_not_read_may_send_it_anywhere() -> None:
    unread = NamedSet(name="m", type="inet_service : ipv4_addr", elements=None)
    assert passed((by_map("dport", set_name="m"),), sets=(unread,)).verdict == "unknown"


# -- by lot -------------------------------------------------------------------------------------


def test_a_lot_whose_every_number_has_an_element_leads_to_one_of_them() -> None:
    result = passed((by_map(LOT, _0="10.1.0.1 . 80", _1="10.1.0.2 . 80"),), (dnat("10.1.0.9"),))
    assert result.nat_unknown is not None
    assert targets(result) == {"10.1.0.1:80", "10.1.0.2:80"}


def test_a_lot_without_an_element_for_each_number_may_also_go_on() -> None:
    result = passed((by_map(LOT, _0="10.1.0.1"),), (dnat("10.1.0.9"),))
    assert targets(result) == {"10.1.0.1:", "10.1.0.9:"}
    assert targets(passed((by_map(LOT, _0="10.1.0.1"),))) == {"10.1.0.1:", ""}


def test_a_lot_of_one_is_none() -> None:
    result = passed((by_map("numgen random mod 1", _0="10.1.0.1"),))
    assert (result.nat, result.nat_unknown) == (dnat("10.1.0.1"), None)


def test_a_part_of_a_key_may_be_drawn_by_lot() -> None:
    elements = tuple(
        Element(key=(address, str(number)), data=f"10.1.{number}.{last}")
        for last, address in enumerate(("192.0.2.1/32", "192.0.2.2/32"))
        for number in range(2)
    )
    nat = Nat(kind="dnat", choice=Choice(fields=("daddr", LOT), elements=elements))
    assert targets(passed((nat,), (dnat("10.1.0.9"),))) == {"10.1.0.0:", "10.1.1.0:"}


def lots(**verdicts: Verdict) -> VerdictMap:
    elements = tuple(Element(key=(key[1:],), verdict=verdict) for key, verdict in verdicts.items())
    return VerdictMap(fields=(LOT,), elements=elements)


def goto(chain: str) -> Verdict:
    return Verdict(kind="goto", chain=chain)


def test_every_branch_of_a_verdict_map_by_lot_is_possible() -> None:
    result = passed((lots(_0=goto("to-a"), _1=goto("to-b")),), (dnat("10.1.0.9"),))
    assert targets(result) == {"10.1.0.1:", "10.1.0.2:"}


def test_a_branch_that_drops_is_not_forgotten_behind_one_that_returns() -> None:
    # The first branch comes back without a verdict, which must not end the look at the others.
    result = passed((lots(_0=goto("marking"), _1=goto("out")),), kind="filter")
    assert result.verdict == "unknown"
    assert passed((lots(_0=goto("out"), _1=goto("out")),), kind="filter").verdict == "drop"


def test_a_branch_that_goes_on_leaves_what_follows_possible() -> None:
    result = passed((lots(_0=Verdict(kind="continue"), _1=DROP), ACCEPT), kind="filter")
    assert result.verdict == "unknown"
    assert passed((lots(_0=Verdict(kind="continue"), _1=DROP), DROP), kind="filter").verdict == "drop"


def test_a_mark_set_in_one_branch_only_is_not_known() -> None:
    one = passed((lots(_0=Verdict(kind="jump", chain="marking"), _1=Verdict(kind="continue")),), kind="filter")
    assert one.packet.mark is None
    both = passed((lots(_0=goto("marking"), _1=goto("marking")),), kind="filter")
    assert both.packet.mark == 1


def test_a_mark_set_behind_what_may_have_let_the_packet_pass_is_not_known() -> None:
    assert passed((UNSURE, ACCEPT), (SetMark(value=1),), kind="filter").packet.mark is None
    assert passed((UNSURE, DROP), (SetMark(value=1),), kind="filter").packet.mark == 1, "what was dropped is gone"


def test_a_mark_that_nobody_can_tell() -> None:
    assert passed((SetMark(op="unknown"),), kind="filter").packet.mark is None
    assert passed((SetMark(op="unknown"),), (SetMark(value=3),), kind="filter").packet.mark == 3
    part = passed((SetMark(op="unknown"),), (SetMark(value=3, mask=0xF),), kind="filter")
    assert part.packet.mark is None


def test_where_a_chain_may_bind_nothing_the_next_is_asked() -> None:
    first = Table(
        family="ip",
        name="one",
        backend="nftables",
        chains=(
            Chain(
                name="pre",
                hook="prerouting",
                policy="accept",
                type="nat",
                priority=-110,
                rules=(Rule(number=1, text="maybe", exprs=(UNSURE, dnat("10.1.0.1"))),),
            ),
        ),
    )
    second = Table(
        family="ip",
        name="two",
        backend="nftables",
        chains=(
            Chain(
                name="pre",
                hook="prerouting",
                policy="accept",
                type="nat",
                priority=-100,
                rules=(Rule(number=1, text="sure", exprs=(dnat("10.1.0.2"),)),),
            ),
        ),
    )
    found = hook_result(Firewall(tables=(first, second)), "prerouting", SYN)
    assert targets(found) == {"10.1.0.1:", "10.1.0.2:"}
    alone = hook_result(Firewall(tables=(first,)), "prerouting", SYN)
    assert targets(alone) == {"10.1.0.1:", ""}


def test_needs_that_are_not_met_decide_a_condition_that_is_not_modelled() -> None:
    needs = (Match(field="proto", values=("udp",)),)
    assert passed((Opaque(text="udp length 9", needs=needs), DROP), kind="filter").verdict == "accept"
    assert passed((Opaque(text="udp length 9"), DROP), kind="filter").verdict == "unknown"


def test_a_rule_that_hands_over_a_flow_passes_it_on_and_is_noted() -> None:
    offload = Note(text="flow add @f (flow offload)", offload=True)
    found = passed((offload,), (DROP,), kind="filter")
    assert found.verdict == "drop"
    assert [ref.number for ref in found.offloaded] == [1]
    assert passed((Match(field="proto", values=("udp",)), offload), kind="filter").offloaded == ()


# -- the walk -----------------------------------------------------------------------------------


def published(*targets: str, last: str = "") -> Snapshot:
    """Port 9000 of the host, sent to one of several places by chance."""
    rules = [f"-m statistic --mode random --probability 0.5 -j DNAT --to-destination {item}" for item in targets]
    rules += [f"-j DNAT --to-destination {last}"] if last else []
    inserts = [
        InsertRule(
            backend="iptables-nft",
            family="ip",
            table="nat",
            chain="PREROUTING",
            spec=f"-p tcp -m tcp --dport 9000 {rule}",
            position=number,
        )
        for number, rule in enumerate(rules, start=1)
    ]
    return after(docker_like_snapshot(), inserts)


def arriving(snapshot: Snapshot) -> Walk:
    packet = Packet(src="198.51.100.77", dst="203.0.113.2", proto="tcp", sport=40000, dport=9000, tcp_flags=("SYN",))
    return walk(View(snapshot), packet, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=UPLINK))


def test_what_ends_alike_whatever_is_chosen_is_definite() -> None:
    snapshot = published("172.17.0.2:80", last="172.17.0.2:80")
    assert arriving(snapshot).end == "delivered"


def test_a_choice_between_two_places_that_end_alike_names_both_ways() -> None:
    snapshot = published("10.10.0.2:81", last="10.10.0.3:81")
    trip = arriving(snapshot)
    assert trip.end == "dropped"
    assert trip.decided_by is not None
    assert len(trip.others) == 1
    said = "one of 2 possible translations: 10.10.0.2:81, 10.10.0.3:81; was tcp"
    assert any(hop.note.startswith(said) for hop in trip.hops)


def test_a_choice_between_places_that_end_differently_is_unknown_and_names_the_rule() -> None:
    trip = arriving(published("172.17.0.2:80", last="10.10.0.3:81"))
    assert trip.end == "unknown"
    assert trip.decided_by is not None
    assert trip.decided_by.rule is not None
    assert "statistic" in trip.decided_by.rule.text
    assert trip.others == ()


def test_perhaps_no_translation_at_all_is_one_of_the_ways() -> None:
    assert arriving(published("172.17.0.2:80")).end == "unknown"


def test_the_answer_of_every_way_is_walked_back() -> None:
    snapshot = published("172.17.0.2:80", last="172.17.0.2:80")
    view = View(snapshot)
    back = reply(view, arriving(snapshot))
    assert (back.end, back.exits) == ("left", "eth0")
    assert (back.last.src, back.last.sport) == ("203.0.113.2", 9000)


def test_too_many_ways_are_not_walked() -> None:
    many = [f"172.17.0.2:{port}" for port in range(80, 120)]
    assert arriving(published(*many, last="172.17.0.2:80")).end == "unknown"


def in_two_tables(first: str, second: str) -> Snapshot:
    """Port 9000 of the host, led on by two tables' chains of equal priority: the legacy one first or last."""
    base = published(last=first)
    (host,) = (ns for ns in known_items(base.namespaces) if ns.id == HOST)
    assert host.firewall is not None
    rule = f"-A PREROUTING -p tcp -m tcp --dport 9000 {second}"
    (table,) = parse_save(f"*nat\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n", family="ip", backend="iptables-legacy")
    firewall = msgspec.structs.replace(host.firewall, tables=(*host.firewall.tables, table))
    return with_namespace(base, HOST, firewall=firewall)


@pytest.mark.parametrize(
    ("second", "end"),
    [
        ("-j DNAT --to-destination 172.17.0.2:80", "delivered"),
        ("-j DNAT --to-destination 10.10.0.3:81", "unknown"),
        ("-j RETURN", "delivered"),
    ],
)
def test_of_two_tables_chains_either_may_come_first(second: str, end: str) -> None:
    """What a packet meets is definite where both orders end alike, and unknown for that reason otherwise."""
    trip = arriving(in_two_tables("172.17.0.2:80", second))
    assert trip.end == end
    if end == "unknown":
        assert trip.decided_by is not None
        assert "which comes first can't be seen" in trip.decided_by.text


@pytest.mark.parametrize(
    ("nat", "source"),
    [
        (Nat(kind="snat", addresses="10.0.0.0-10.0.255.255"), "10.0.0.2"),
        (Nat(kind="snat", addresses="10.0.0.1-10.0.0.3"), "10.0.0.2"),
        (Nat(kind="snat", addresses="10.0.0.3-10.0.255.255"), "10.0.0.3"),
        (Nat(kind="snat", addresses="10.0.0.1-10.0.0.3", flags=("random-fully",)), "10.0.0.1"),
        (Nat(kind="snat", addresses="fd00::1-fd00::9"), "fd00::1"),
    ],
)
def test_a_source_that_is_among_those_to_choose_from_stays(nat: Nat, source: str) -> None:
    host = View(docker_like_snapshot()).host
    assert host is not None
    done = apply_nat(host, nat, SYN, "postrouting", device="eth0")
    assert done.packet.src == source
    assert bool(done.hedge) is (source != SYN.src)
    assert (len(each_address(nat, SYN)) == 1) is (source == SYN.src or "255" in nat.addresses)


def test_a_few_addresses_to_choose_from_are_looked_at_one_by_one() -> None:
    few = each_address(dnat("10.0.0.1-10.0.0.3"), SYN)
    assert [item.addresses for item in few] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert each_address(dnat("10.0.0.1-10.0.9.9"), SYN) == (dnat("10.0.0.1-10.0.9.9"),)
    assert each_address(dnat("10.0.0.1"), SYN) == (dnat("10.0.0.1"),)
    rule = InsertRule(
        backend="iptables-nft",
        family="ip",
        table="nat",
        chain="POSTROUTING",
        spec="-s 10.10.0.0/24 ! -o br-app -j SNAT --to-source 203.0.113.2-203.0.113.3",
        position=1,
    )
    view = View(after(docker_like_snapshot(), [rule]))
    packet = Packet(src="10.10.0.2", dst="198.51.100.77", proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",))
    trip = walk(view, packet, origin=APP1, outside=True)
    assert trip.end == "left"
    assert {trip.last.src, *(way.last.src for way in trip.others)} == {"203.0.113.2", "203.0.113.3"}


def sent_by_somebody(*rules: str) -> Walk:
    """A packet of the host's own, of a program of which nothing is known, to a port that rules lead on."""
    inserts = [
        InsertRule(
            backend="iptables-nft",
            family="ip",
            table="nat",
            chain="OUTPUT",
            spec=f"-p tcp -m tcp --dport 9000 {rule}",
            position=number,
        )
        for number, rule in enumerate(rules, start=1)
    ]
    packet = Packet(src="203.0.113.2", dst="203.0.113.2", proto="tcp", sport=40000, dport=9000, tcp_flags=("SYN",))
    return walk(View(after(docker_like_snapshot(), inserts)), packet, origin=HOST, outside=True)


HALF = "-m statistic --mode random --probability 0.5"


def test_what_leaves_and_what_is_received_both_get_there_as_far_as_can_be_seen() -> None:
    inside, outside = "-j DNAT --to-destination 172.17.0.2:80", "-j DNAT --to-destination 198.51.100.9:80"
    trip = sent_by_somebody(f"{HALF} {inside}", outside)
    assert (trip.end, trip.arrives) == ("left", True)
    assert {way.end for way in trip.others} == {"delivered"}
    nobody = "-j DNAT --to-destination 172.17.0.2:81"
    assert sent_by_somebody(f"{HALF} {nobody}", outside).end == "unknown", "one is refused"


@pytest.mark.parametrize(
    ("condition", "end"),
    [
        ("-m owner --uid-owner 0", "delivered"),
        ("-m owner --uid-owner 7", "refused"),
        (HALF, "unknown"),
        ("-m cpu --cpu 0", "unknown"),
    ],
)
def test_where_translations_end_differently_a_plain_packets_is_followed_and_said(condition: str, end: str) -> None:
    """Whether one of them applies rests on the sender; what is left to chance stays unknown."""
    trip = sent_by_somebody(f"{condition} -j DNAT --to-destination 172.17.0.2:80")
    assert trip.end == end
    assert bool(trip.hedges) is (end != "unknown")
