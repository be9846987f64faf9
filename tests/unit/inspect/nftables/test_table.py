"""Whole tables, from what the real nft printed to the rule model."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.model.firewall import (
    Choice,
    Element,
    Lookup,
    Match,
    NamedSet,
    Nat,
    Note,
    Opaque,
    Remember,
    SetField,
    SetMark,
    StatefulMatch,
    Table,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.nftables.listing import read_texts
from dnet_tui.inspect.nftables.table import ParsedTable, dormant_table, parse_elements, parse_table
from unit.builders.examples import examples
from unit.builders.nft_listings import NAMES, captured, chain, objects, parse, rule, table

ALL = [(name, title) for name in NAMES for title in captured(name)]
ESTABLISHED = Match(field="ctstate", values=("ESTABLISHED", "RELATED"))
IPV4 = Match(field="nfproto", values=("ipv4",))
IPV6 = Match(field="nfproto", values=("ipv6",))
ACCEPT, DROP = Verdict(kind="accept"), Verdict(kind="drop")


@pytest.mark.parametrize(("name", "title"), ALL)
def test_every_chain_and_rule_of_a_listing_is_there_as_it_stands_there(name: str, title: str) -> None:
    found = table(name, title)
    chains = objects(name, title, "chain")
    assert [item.name for item in found.chains] == [item["name"] for item in chains]
    for item, raw in zip(found.chains, chains, strict=True):
        assert (item.hook, item.type) == (raw.get("hook"), raw.get("type", ""))
        assert (item.priority, item.policy) == (raw.get("prio", 0), raw.get("policy", ""))
        rules = [one for one in objects(name, title, "rule") if one["chain"] == item.name]
        assert [one.handle for one in item.rules] == [one["handle"] for one in rules]
        assert [one.comment for one in item.rules] == [one.get("comment", "") for one in rules]
        assert [one.number for one in item.rules] == list(range(1, len(rules) + 1))
        counters = [next((e["counter"] for e in one["expr"] if "counter" in e), None) for one in rules]
        packets = [one["packets"] if isinstance(one, dict) else None for one in counters]
        assert [one.packets for one in item.rules] == packets
    kinds = objects(name, title, "set") + objects(name, title, "map")
    assert sorted(item.name for item in found.sets) == sorted(item["name"] for item in kinds)


@pytest.mark.parametrize(("name", "title"), ALL)
def test_a_rules_text_is_nfts_own(name: str, title: str) -> None:
    lines = {line.strip() for line in captured(name)[title]["text"]}
    for item in table(name, title).chains:
        for one in item.rules:
            assert f"{one.text} # handle {one.handle}" in lines or one.text == "jump { ip ttl < 2 drop accept }"


@pytest.mark.parametrize("title", [item for item in ALL if item[0] != "by_hand"])
def test_a_rules_own_rendering_is_much_like_nfts(title: tuple[str, str]) -> None:
    """Word for word, but for what an expression alone doesn't tell: which words nft puts in quotes, and ``& ==``."""
    shown, made = parse(*title).table, parse(*title, texts=False).table
    assert shown is not None
    assert made is not None
    for one, other in zip(shown.chains, made.chains, strict=True):
        for rule_, copy in zip(one.rules, other.rules, strict=True):
            if "tcp flags" not in rule_.text:
                assert _plain(copy.text) == _plain(rule_.text)


def _plain(text: str) -> str:
    # A reject without words is one with the default answer; JSON always names it, and protocols by number.
    plain = text.replace('"', "").replace(" with icmpx port-unreachable", "").replace(" with icmp port-unreachable", "")
    names = {"tcp": "6", "udp": "17", "icmp": "1", "ipv6-icmp": "58"}
    words = plain.split(" ")
    if "l4proto" in words:
        words = [names.get(word.rstrip(","), word.rstrip(",")) for word in words]
    return " ".join(words).replace(",", "")


def test_docker_29_dispatches_by_bridge_through_verdict_maps() -> None:
    found = table("docker_29", "ip docker-bridges")
    forward = chain(found, "filter-FORWARD")
    assert forward.rules[0].exprs == (VerdictMap(fields=("oif",), set="filter-forward-in-jumps"),)
    jumps = next(item for item in found.sets if item.name == "filter-forward-in-jumps")
    assert set(jumps.elements or ()) == {
        Element(key=(name,), verdict=Verdict(kind="jump", chain=f"filter-forward-in__{name}"))
        for name in ("docker0", "br-app")
    }
    assert (jumps.type, jumps.is_map, jumps.dynamic) == ("ifname : verdict", True, False)
    assert [one.exprs for one in chain(found, "filter-forward-in__br-app").rules] == [
        (ESTABLISHED, ACCEPT),
        (Match(field="iif", values=("br-app",)), ACCEPT),
        (
            Match(field="daddr", values=("10.10.0.2/32",)),
            Match(field="proto", values=("tcp",)),
            Match(field="dport", values=("80",)),
            ACCEPT,
        ),
        (DROP,),
    ]
    assert rule(found, "nat-prerouting-and-output").exprs == (
        Match(field="iif", values=("br-app",), negate=True),
        Match(field="proto", values=("tcp",)),
        Match(field="dport", values=("8080",)),
        Nat(kind="dnat", addresses="10.10.0.2", ports="80"),
    )
    assert rule(found, "nat-OUTPUT").exprs == (
        Match(field="daddr", values=("127.0.0.0/8",), negate=True),
        Match(field="dst-type", values=("LOCAL",)),
        Verdict(kind="jump", chain="nat-prerouting-and-output"),
    )
    assert rule(found, "nat-postrouting-out__br-app").exprs == (
        Match(field="oif", values=("br-app",), negate=True),
        Match(field="saddr", values=("10.10.0.0/24",)),
        Nat(kind="masquerade"),
    )
    assert rule(found, "raw-PREROUTING").comment == "DROP DIRECT ACCESS"


def test_an_ipv6_table_needs_no_condition_on_the_family() -> None:
    found = table("docker_29", "ip6 docker-bridges")
    first, *_, last = rule(found, "nat-prerouting-and-output").exprs
    assert first == Match(field="daddr", values=("fe80::/10",), negate=True)
    assert last == Nat(kind="dnat", addresses="fd00:10::2", ports="80")


def test_netavarks_rules_hold_for_their_family_only() -> None:
    found = table("netavark", "inet netavark")
    assert rule(found, "INPUT").exprs == (
        IPV4,
        Match(field="saddr", values=("10.88.0.0/16",)),
        Match(field="proto", values=("tcp", "udp")),
        Match(field="dport", values=("53",)),
        ACCEPT,
    )
    assert rule(found, "INPUT", 2).exprs[0] == IPV6
    assert rule(found, "nv_2f259bab_10_88_0_0_nm16", 2).exprs == (
        IPV4,
        Match(field="daddr", values=("224.0.0.0/4",), negate=True),
        Nat(kind="masquerade"),
    )
    assert rule(found, "POSTROUTING").exprs == (
        Match(field="mark", values=("0x2000/0x2000",)),
        Nat(kind="masquerade"),
    )
    assert rule(found, "NETAVARK-HOSTPORT-SETMARK").exprs == (SetMark(value=0x2000, mask=0x2000),)
    assert rule(found, "nv_2f259bab_10_88_0_0_nm16_dnat", 3).exprs[2:] == (
        IPV4,
        Nat(kind="dnat", addresses="10.88.0.2", ports="80"),
    )


def test_firewalld_accepts_what_was_translated_and_rejects_the_rest() -> None:
    found = table("firewalld", "inet firewalld")
    forward = chain(found, "filter_FORWARD")
    assert (forward.priority, forward.hook) == (10, "forward")
    assert forward.rules[1].exprs == (Match(field="ctstate", values=("DNAT",)), ACCEPT)
    assert forward.rules[-1].exprs == (Verdict(kind="reject", reject_with="icmpx-admin-prohibited"),)
    assert forward.rules[4].exprs[-1] == Verdict(kind="reject", reject_with="icmp6-addr-unreachable")
    assert rule(found, "filter_PREROUTING", 2).exprs == (
        IPV6,
        Match(field="fib", values=("saddr.mark.iif",), negate=True),
        DROP,
    )
    assert rule(found, "filter_FORWARD_ZONES", 3).exprs == (Note(text='log prefix "FINAL_REJECT: "'),)
    assert rule(found, "filter_OUTPUT", 3).exprs[-1] == SetField(field="mss", op="unknown")


def test_kube_proxys_services_are_looked_up_by_address_protocol_and_port() -> None:
    found = table("kube_proxy", "ip kube-proxy")
    assert rule(found, "services").exprs == (VerdictMap(fields=("daddr", "proto", "dport"), set="service-ips"),)
    assert rule(found, "services", 2).exprs == (
        Lookup(fields=("daddr",), set="nodeport-ips"),
        VerdictMap(fields=("proto", "dport"), set="service-nodeports"),
    )
    services = next(item for item in found.sets if item.name == "service-ips")
    assert Element(
        key=("10.96.0.10/32", "udp", "53"),
        verdict=Verdict(kind="goto", chain="service-FY5PMXPG-kube-system/kube-dns/udp/dns"),
    ) in (services.elements or ())
    commented = next(item for item in found.sets if item.name == "no-endpoint-services")
    assert [item.key for item in commented.elements or ()] == [("10.96.0.99/32", "tcp", "4317")]
    (lot,) = rule(found, "service-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp", 2).exprs
    assert isinstance(lot, VerdictMap)
    assert lot.fields == ("numgen random mod 2",), "nobody can decide it, but where it can lead is known"
    assert [item.verdict.chain[:10] for item in lot.elements if item.verdict] == ["endpoint-A", "endpoint-B"]
    assert rule(found, "masquerading", 2).exprs == (SetMark(value=0x4000, mask=0),)
    assert rule(found, "masquerading", 3).exprs == (Nat(kind="masquerade", flags=("random-fully",)),)


def test_lxds_and_libvirts_rules_are_read() -> None:
    lxd = table("libvirt_lxd", "inet lxd")
    assert rule(lxd, "fwd.lxdbr0").exprs == (IPV4, Match(field="oif", values=("lxdbr0",)), ACCEPT)
    assert rule(lxd, "fwd.lxdbr0", 3).exprs[0] == IPV6
    libvirt = table("libvirt_lxd", "ip libvirt_network")
    assert rule(libvirt, "guest_nat", 3).exprs[-1] == Nat(kind="masquerade", ports="1024-65535")
    assert rule(libvirt, "guest_output", 2).exprs[-1] == Verdict(kind="reject", reject_with="icmp-port-unreachable")


def test_what_an_administrator_writes_is_read_or_kept_verbatim() -> None:
    found = table("by_hand", "inet guard")
    early = chain(found, "early")
    assert (early.priority, early.policy) == (-7, "drop")
    by_text = {one.text.split(" accept")[0]: one.exprs for one in early.rules}
    assert by_text["ip saddr != @blocked tcp dport != { 22, 80-90 }"] == (
        IPV4,
        Lookup(fields=("saddr",), set="blocked", negate=True),
        Match(field="proto", values=("tcp",)),
        Match(field="dport", values=("22", "80:90"), negate=True),
        ACCEPT,
    )
    assert by_text["th dport 5353"] == (Match(field="th-dport", values=("5353",)), ACCEPT)
    assert by_text["meta skuid 1000"] == (Match(field="skuid", values=("1000",)), ACCEPT)
    assert by_text["add @seen { ip saddr }"] == (IPV4, Remember(kind="set", name="seen", key=("saddr",)), ACCEPT)
    anonymous = next(exprs for text, exprs in by_text.items() if text.startswith("jump {"))
    assert [one.role for one in anonymous if isinstance(one, Opaque)] == ["match", "target"]
    limited = next(exprs for text, exprs in by_text.items() if "limit rate over" in text)
    assert limited == (
        Match(field="proto", values=("tcp",)),
        Match(field="tcp-flags", values=("SYN,ACK/SYN",)),
        StatefulMatch(
            text="limit rate over 10/second",
            first=False,
            words="once more than 10 packets a second come (burst 5 packets)",
        ),
        DROP,
    )
    assert rule(found, "translate").exprs == (
        Match(field="proto", values=("tcp",)),
        IPV4,
        Nat(kind="dnat", choice=Choice(fields=("dport",), set="ports")),
    )
    assert rule(found, "translate", 3).exprs[-1] == Nat(kind="redirect", ports="5300")


def test_sets_of_an_administrator_are_read_with_their_kinds() -> None:
    found = {item.name: item for item in table("by_hand", "inet guard").sets}
    assert [item.key for item in found["blocked"].elements or ()] == [
        ("192.0.2.0/25",),
        ("198.51.100.7/32",),
        ("198.51.100.16-198.51.100.30",),
    ]
    assert [item.key for item in found["pairs"].elements or ()] == [("10.0.0.0/8", "1000:2000")]
    assert sorted(item.key for item in found["ways"].elements or ()) == [("eth+",), ("lo",)]
    assert [item.key for item in found["marks"].elements or ()] == [("0x10/0xffffffff",), ("0x20/0xffffffff",)]
    assert found["seen"].dynamic, "rules add to it"
    assert found["seen"].elements is None, "no rule looks into it"
    assert found["ports"].type == "inet_service : ipv4_addr"


def test_the_other_families_are_read_too() -> None:
    bridge = table("by_hand", "bridge filter")
    assert rule(bridge, "FORWARD").exprs == (Match(field="nfproto", values=("arp",)), ACCEPT)
    assert rule(bridge, "FORWARD", 2).exprs == (
        Match(field="mac", values=("02:00:00:00:00:01",)),
        IPV4,
        Match(field="saddr", values=("10.0.0.1/32",)),
        DROP,
    )
    assert chain(table("by_hand", "netdev guard"), "in").devices == ("lo",)
    arp = rule(table("by_hand", "arp guard"), "in")
    assert arp.exprs == (Match(field="arp-saddr", values=("192.0.2.66/32",)), DROP)
    assert table("by_hand", "ip6 hollow") == Table(family="ip6", name="hollow", backend="nftables")


def test_a_chain_at_ingress_whose_devices_nobody_tells_is_a_problem() -> None:
    parsed = parse("by_hand", "netdev guard", texts=False)
    assert parsed.problems == ("nft doesn't say which devices chain in is bound to",)


def test_a_dormant_table_can_be_read_from_its_plain_listing() -> None:
    lines = "\n".join(captured("by_hand")["ip asleep"]["text"]).encode()
    found = dormant_table("ip", "asleep", read_texts(lines))
    assert found.dormant
    (only,) = found.chains
    assert (only.hook, only.priority, only.policy) == ("input", 0, "drop")
    assert [one.text for one in only.rules] == ["tcp dport 22 accept"]


def listing(*items: dict[str, Any]) -> bytes:
    """A listing of the table ``ip t``."""
    own = {"family": "ip", "table": "t"}
    shown = [{kind: own | body} for item in items for kind, body in item.items()]
    return json.dumps({"nftables": [{"metainfo": {}}, {"table": {"family": "ip", "name": "t"}}, *shown]}).encode()


def parsed(*items: dict[str, Any]) -> ParsedTable:
    return parse_table(listing(*items), family="ip", name="t")


def base(**changes: Any) -> dict[str, Any]:
    settings_ = {"name": "c", "hook": "forward", "prio": 0, "type": "filter", "policy": "drop"} | changes
    return {"chain": {key: value for key, value in settings_.items() if value is not None}}


@pytest.mark.parametrize(
    ("text", "family", "number"),
    [
        (-5, "ip", -5),
        ("filter - 10", "ip", -10),
        ("filter", "bridge", -200),
        ("dstnat + 3", "ip", -97),
        ("dstnat", "bridge", -300),
        ("-150", "ip", -150),
        ("srcnat", "ip", 100),
    ],
)
def test_a_priority_may_be_written_in_words(text: object, family: Any, number: int) -> None:
    body = json.loads(listing(base(prio=text)))
    found = parse_table(json.dumps(body).encode(), family=family, name="t").table
    assert found is not None
    assert found.chains[0].priority == number


@pytest.mark.parametrize(
    "broken",
    [
        base(hook="sideways"),
        base(prio="loud"),
        base(prio=None),
        base(prio=1 << 40),
        base(type=None),
        base(policy="maybe"),
        base(hook=None),
        {"chain": {"name": ""}},
        {"chain": {}},
        {"set": {"name": "s"}},
        {"rule": {"chain": "absent", "handle": 1, "expr": []}},
        {"rule": {"handle": 1, "expr": []}},
    ],
)
def test_what_is_missing_in_a_table_is_said(broken: dict[str, Any]) -> None:
    found = parsed(broken)
    assert found.table is not None
    assert len(found.problems) == 1


def test_a_chain_that_is_there_twice_is_a_problem() -> None:
    assert len(parsed(base(), base()).problems) == 1


def test_a_base_chain_without_a_policy_accepts() -> None:
    found = parsed(base(policy=None))
    assert found.problems == ()
    assert found.table is not None
    assert found.table.chains[0].policy == "accept"


def test_a_rule_without_sense_keeps_its_place_and_its_neighbours() -> None:
    accept = {"rule": {"chain": "c", "handle": 1, "expr": [{"accept": None}]}}
    odd = {"rule": {"chain": "c", "handle": 2, "expr": [{"match": {"op": "=="}}, {"drop": None}]}}
    found = parsed(base(), accept, odd, accept)
    assert found.problems == ()
    assert found.table is not None
    rules = found.table.chains[0].rules
    assert [one.number for one in rules] == [1, 2, 3]
    assert [type(one) for one in rules[1].exprs] == [Opaque, Verdict]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'{"nftables": 1}', b'{"nftables": []}', b"\xff", b"1e999"]
)
def test_an_answer_that_is_no_listing_leaves_no_table(text: bytes) -> None:
    found = parse_table(text, family="ip", name="t")
    assert found.table is None
    assert len(found.problems) == 1


def test_another_tables_listing_is_not_taken_for_this_one() -> None:
    assert parse_table(listing(), family="ip", name="other").table is None


def test_elements_come_from_the_set_of_that_name() -> None:
    body = listing({"set": {"name": "a", "type": "mark", "elem": [1]}}, {"set": {"name": "b", "type": "mark"}})
    assert parse_elements(body, family="ip", name="b") == (NamedSet(name="b", type="mark", elements=()), "")
    found, problem = parse_elements(body, family="ip", name="c")
    assert found is None
    assert problem


TEXTS = [
    "@s",
    "*",
    "saddr",
    "ip",
    "mark",
    "match",
    "set",
    "vmap",
    "range",
    "prefix",
    "",
    "\ud800",
    "10.0.0.1",
    "x" * 99,
]
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(), st.sampled_from(TEXTS))
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3)),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to every value in a JSON document."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


WHOLE = {name: captured(name) for name in NAMES}
PATHS = [
    (name, title, path)
    for name, tables in WHOLE.items()
    for title in tables
    for path in places(tables[title]["listing"])
]


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(PATHS), JSON)
def test_whatever_stands_anywhere_in_a_listing_nothing_breaks(
    place: tuple[str, str, tuple[Any, ...]], odd: Any
) -> None:
    name, title, path = place
    document = json.loads(json.dumps(WHOLE[name][title]["listing"]))
    if not path:
        document = odd
    else:
        target = document
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = odd
    family, _, table_name = title.partition(" ")
    text = json.dumps(document).encode()
    found = parse_table(text, family=family, name=table_name)  # type: ignore[arg-type]  # one of the captured ones
    for _, wanted in found.wanted:
        parse_elements(text, family=family, name=wanted)  # type: ignore[arg-type]  # as above
    assert found.table is not None or found.problems
    if found.table is not None:
        encoded = msgspec.json.encode(found.table)
        assert msgspec.json.decode(encoded, type=Table) == found.table


@settings(max_examples=examples(50), deadline=None)
@given(st.sampled_from(ALL), st.integers(min_value=0))
def test_a_listing_cut_short_leaves_no_table(place: tuple[str, str], cut: int) -> None:
    name, title = place
    text = json.dumps(WHOLE[name][title]["listing"]).encode()
    family, _, table_name = title.partition(" ")
    found = parse_table(text[: cut % len(text)], family=family, name=table_name)  # type: ignore[arg-type]  # as above
    assert found.table is None
    assert found.problems
