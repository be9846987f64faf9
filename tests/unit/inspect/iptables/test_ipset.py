"""ipset's listings, as version 7.17 prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.iptables import ipset
from dnet_tui.inspect.iptables.ipset import ParsedSet, SetHeader, members, parse_headers, parse_saved
from dnet_tui.inspect.model.firewall import Element

HEADERS = """Name: docker-ext-bridges-v4
Type: hash:net
Revision: 7
Header: family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xcf300880
Size in memory: 504
References: 2
Number of entries: 3

Name: a b
Type: list:set
Header: size 8
"""


def saved(kind: str, *elements: str, options: str = "family inet hashsize 1024 maxelem 65536") -> ParsedSet:
    text = "\n".join([f"create s {kind} {options}", *(f"add s {item}" for item in elements)]) + "\n"
    found = parse_saved(text, "s")
    assert found is not None
    return found


def keys(found: ParsedSet) -> list[tuple[str, ...]] | None:
    return None if found.set.elements is None else [item.key for item in found.set.elements]


def test_headers_tell_types_and_sizes() -> None:
    assert parse_headers(HEADERS) == {
        "docker-ext-bridges-v4": SetHeader("hash:net", 3),
        "a b": SetHeader("list:set", None),
    }


@pytest.mark.parametrize(
    ("kind", "text", "key"),
    [
        ("hash:ip", "198.51.100.7", ("198.51.100.7",)),
        ("hash:net", "10.0.0.0/8", ("10.0.0.0/8",)),
        ("hash:ip", "fd00::1", ("fd00::1",)),
        ("hash:ip,port", "198.51.100.7,tcp:80", ("198.51.100.7", "tcp:80")),
        ("hash:ip,port", "198.51.100.7,icmp:echo-request", ("198.51.100.7", "icmp:echo-request")),
        ("hash:net,iface", "10.0.0.0/8,docker0", ("10.0.0.0/8", "docker0")),
        ("hash:ip,port,ip", "10.0.0.5,sctp:8,10.0.0.6", ("10.0.0.5", "sctp:8", "10.0.0.6")),
        ("bitmap:port", "80", ("80",)),
        ("bitmap:ip,mac", "10.0.0.1,00:11:22:AA:BB:CC", ("10.0.0.1", "00:11:22:aa:bb:cc")),
        ("list:set", "other", ("other",)),
        ("hash:ip", '198.51.100.7 packets 3 bytes 180 comment "a b nomatch"', ("198.51.100.7",)),
    ],
)
def test_an_elements_parts_are_its_key(kind: str, text: str, key: tuple[str, ...]) -> None:
    found = saved(kind, text)
    assert found.problem == ""
    assert found.set.type == kind
    assert keys(found) == [key]


def test_a_set_that_masks_addresses_holds_networks() -> None:
    assert keys(saved("hash:ip", "10.0.0.0", options="family inet netmask 24")) == [("10.0.0.0/24",)]
    assert keys(saved("hash:ip,port", "10.0.0.0,tcp:80", options="netmask 24")) == [("10.0.0.0/24", "tcp:80")]


@pytest.mark.parametrize(
    ("kind", "element", "options"),
    [
        ("hash:net", "10.1.0.0/16 nomatch", ""),
        ("hash:net,iface", "10.0.0.0/8,eth wildcard", ""),
        ("hash:net,iface", "10.0.0.0/8,physdev:eth0", ""),
        ("hash:ip", "10.0.0.1", "bitmask 255.0.255.0"),
        ("hash:ip", "10.0.0.1 novelty 3", ""),
        ("hash:ip", "10.0.0.1 timeout", ""),
        ("hash:ip", '10.0.0.1 comment "open', ""),
    ],
)
def test_one_element_that_cannot_be_said_leaves_all_of_them_unread(kind: str, element: str, options: str) -> None:
    found = saved(kind, "10.0.0.9", element, options=options)
    assert found.set.elements is None, "without it a match would look like a miss, or a miss like a match"
    assert found.problem


def test_an_element_that_vanishes_by_itself_says_when() -> None:
    def expiry(element: str, options: str = "family inet timeout 300") -> float | None:
        (found,) = saved("hash:ip", element, options=options).set.elements or ()
        return found.expires

    assert expiry("10.0.0.1 timeout 5") == 5
    assert expiry("10.0.0.1 timeout 0") is None, "it stays, whatever the set's default"
    assert expiry('10.0.0.1 comment "timeout 5"', "family inet") is None
    assert not saved("hash:ip", options="family inet timeout 300").set.dynamic, "that is for rules to say"


def test_a_large_set_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ipset.MOST_ELEMENTS >= 10_000
    monkeypatch.setattr(ipset, "MOST_ELEMENTS", 100)
    many = [f"{number}" for number in range(101)]
    assert saved("bitmap:port", *many[:-1]).problem == ""
    found = saved("bitmap:port", *many)
    assert found.set.elements is None
    assert "100" in found.problem


def test_another_sets_listing_is_not_taken_for_this_one() -> None:
    assert parse_saved("create other hash:ip\nadd other 10.0.0.1\n", "s") is None
    assert parse_saved("", "s") is None
    mixed = parse_saved("create s hash:ip\nadd other 10.0.0.1\n", "s")
    assert mixed is not None
    assert mixed.set.elements is None


def test_a_list_of_sets_has_members() -> None:
    assert members(saved("list:set", "a", "b").set) == ("a", "b")
    assert members(saved("hash:ip", "10.0.0.1").set) == ()
    assert saved("list:set", "a").set.elements == (Element(key=("a",)),)


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    parse_headers(text)
    parse_saved(text, "s")
    parse_saved(f"create s hash:ip\nadd s {text}", "s")
