"""Sets and maps of nftables: their kinds, their elements, and when they are left undecided."""

from __future__ import annotations

from typing import Any

import pytest

from dnet_tui.inspect.model.firewall import Element, Verdict
from dnet_tui.inspect.nftables import sets
from dnet_tui.inspect.nftables.sets import ReadSet, SetHead, read_set
from dnet_tui.inspect.text.json_access import MALFORMED


def read(what: str = "set", *, listed: bool = True, **body: Any) -> ReadSet:
    return read_set(what, {"name": "s"} | body, "inet", listed=listed)


def keys(found: ReadSet) -> list[tuple[str, ...]] | None:
    return None if found.set.elements is None else [item.key for item in found.set.elements]


@pytest.mark.parametrize(
    ("type_", "raw", "wanted"),
    [
        ("ipv4_addr", "10.0.0.1", [("10.0.0.1/32",)]),
        ("ipv6_addr", {"prefix": {"addr": "fd00::", "len": 8}}, [("fd00::/8",)]),
        ("inet_service", {"range": [80, 90]}, [("80:90",)]),
        ("inet_proto", "udp", [("udp",)]),
        ("mark", 32, [("0x20/0xffffffff",)]),
        ("mark", {"range": [2, 4]}, [("0x2/0xfffffffe",), ("0x4/0xffffffff",)]),
        ("ether_addr", "00:11:22:AA:bb:cc", [("00:11:22:aa:bb:cc",)]),
        ("ct_state", "new", [("NEW",)]),
        ("icmp_type", "echo-request", [("8",)]),
        ("nf_proto", "ipv6", [("ipv6",)]),
        ("fib_addrtype", "local", [("LOCAL",)]),
        ("iface_index", "eth0", [("eth0",)]),
        ("tcp_flag", "syn", [("FIN,SYN,RST,PSH,ACK,URG,ECE,CWR/SYN",)]),
        ("classid", "1:2", [("1:2",)]),
        (["inet_proto", "inet_service"], {"concat": ["tcp", 80]}, [("tcp", "80")]),
        ("inet_proto . inet_service", {"concat": [17, {"range": [5, 6]}]}, [("udp", "5:6")]),
        ("ipv4_addr", {"elem": {"val": "10.0.0.1", "comment": "x", "timeout": 5, "expires": 1}}, [("10.0.0.1/32",)]),
        ("ipv4_addr", {"elem": {"val": "10.0.0.1", "stmt": [{"counter": {}}]}}, [("10.0.0.1/32",)]),
    ],
)
def test_an_element_is_read_as_its_sets_type_says(type_: object, raw: object, wanted: list[tuple[str, ...]]) -> None:
    assert keys(read(type=type_, elem=[raw])) == wanted


@pytest.mark.parametrize(
    "raw",
    [
        "fe80::1",
        80,
        None,
        {"range": ["10.0.0.9", "10.0.0.1"]},
        {"concat": ["10.0.0.1", 80]},
        {"elem": {"val": "10.0.0.1", "limit": {"rate": 1}}},
        {"elem": {"val": "10.0.0.1", "stmt": [{"quota": {}}]}},
        {"elem": {}},
    ],
)
def test_one_element_that_cannot_be_said_leaves_all_of_them_unread(raw: object) -> None:
    found = read(type="ipv4_addr", elem=["10.0.0.1", raw])
    assert found.set.elements is None, "without it a match would look like a miss"
    assert found.problem


def test_elements_that_were_not_listed_are_unread_and_an_empty_set_is_empty() -> None:
    assert read(type="mark", listed=False).set.elements is None
    assert read(type="mark", listed=True).set.elements == ()


def test_a_star_is_a_pattern_only_where_the_set_has_ranges() -> None:
    assert keys(read(type="ifname", flags=["interval"], elem=["eth*"])) == [("eth+",)]
    assert keys(read(type="ifname", elem=["eth*"])) == [("eth*",)]
    assert keys(read(type="ifname", elem=["odd+"])) is None


def test_a_verdict_maps_elements_have_verdicts_and_may_have_a_catch_all() -> None:
    elem = [["eth0", {"jump": {"target": "x"}}], ["*", {"drop": None}]]
    found = read("map", type="ifname", map="verdict", flags="interval", elem=elem)
    assert found.head == SetHead(("ifname",), verdicts=True)
    assert found.set.type == "ifname : verdict"
    assert found.set.elements == (
        Element(key=("eth0",), verdict=Verdict(kind="jump", chain="x")),
        Element(key=("*",), verdict=Verdict(kind="drop")),
    )


def test_other_maps_elements_have_data() -> None:
    found = read("map", type="inet_service", map="ipv4_addr . inet_service", elem=[[81, {"concat": ["10.0.0.1", 80]}]])
    assert found.set.elements == (Element(key=("81",), data="10.0.0.1 . 80"),)
    assert not found.head.verdicts


@pytest.mark.parametrize("elem", [[[81]], [81], [[81, {"explode": None}]]])
def test_a_verdict_map_with_an_odd_element_is_unread(elem: object) -> None:
    assert read("map", type="inet_service", map="verdict", elem=elem).set.elements is None


@pytest.mark.parametrize(
    ("flags", "dynamic"), [(["dynamic"], True), ("timeout", False), (["interval"], False), (None, False)]
)
def test_a_set_that_packets_change_is_dynamic(flags: object, dynamic: bool) -> None:
    assert read(type="mark", flags=flags).set.dynamic is dynamic


def test_newer_nft_names_types_by_expressions() -> None:
    left = {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"meta": {"key": "cpu"}}]}
    found = read(type={"typeof": left}, elem=[{"concat": ["10.0.0.1", 3]}])
    assert found.head.kinds == ("ip", "text")
    assert found.set.type == "typeof ip saddr . meta cpu"
    assert keys(found) == [("10.0.0.1/32", "3")]


def test_a_large_set_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sets.MOST_ELEMENTS >= 10_000
    monkeypatch.setattr(sets, "MOST_ELEMENTS", 100)  # as many as are allowed take a second
    assert len(keys(read(type="mark", elem=list(range(100)))) or ()) == 100
    found = read(type="mark", elem=list(range(101)))
    assert found.set.elements is None
    assert "100" in found.problem


def test_ranges_that_would_have_to_be_written_out_without_end_are_not() -> None:
    wide = {"concat": [{"range": [1, 255]}, {"range": [0, 255]}, {"range": [0, 255]}]}
    assert keys(read(type=["inet_proto", "icmp_type", "icmp_type"], elem=[wide])) is None


@pytest.mark.parametrize(
    "body", [{"type": None}, {"type": 5}, {"type": ""}, {"name": "", "type": "mark"}, {"name": 5, "type": "mark"}]
)
def test_a_set_without_a_name_or_type_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(MALFORMED):
        read(**body)
