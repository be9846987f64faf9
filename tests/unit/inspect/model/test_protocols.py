"""One table of protocols and ICMP types, which iptables, nft and people name differently."""

from __future__ import annotations

import pytest

from dnet_tui.inspect.iptables import names as iptables_names
from dnet_tui.inspect.model import protocols
from dnet_tui.inspect.model.protocols import icmp_words, protocol, protocol_number, protocol_title, published_protocol
from dnet_tui.inspect.nftables import names as nft_names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tcp", "tcp"),
        ("TCP", "tcp"),
        ("6", "tcp"),
        ("ipv6-icmp", "icmpv6"),
        ("58", "icmpv6"),
        ("99", "99"),
        ("0", None),
    ],
)
def test_a_protocol_has_one_name(text: str, name: str | None) -> None:
    assert protocol(text) == name


def test_a_name_that_is_not_known_is_not_guessed() -> None:
    assert protocol("frob") is None
    assert protocol("256") is None
    assert protocol_number("frob") == "frob"
    assert protocol_number("mh") == "135"


def test_people_read_the_usual_spelling() -> None:
    assert [protocol_title(number) for number in (0, 6, 58, 41, 99)] == [
        "HOPOPT",
        "TCP",
        "ICMPv6",
        "IPv6-in-IP",
        "proto 99",
    ]


def test_engines_publish_ports_of_three_protocols() -> None:
    assert [published_protocol(name) for name in ("tcp", "udp", "sctp", "icmp", "")] == [
        "tcp",
        "udp",
        "sctp",
        None,
        None,
    ]


def test_icmp_types_and_codes_have_words_of_their_family() -> None:
    assert icmp_words("ip", "8") == "echo request"
    assert icmp_words("ip6", "128") == "echo request"
    assert icmp_words("ip6", "8") == ""
    assert icmp_words("ip", "3/4") == "fragmentation needed"
    assert icmp_words("ip6", "1/0") == "no route"
    assert [icmp_words("ip", value) for value in ("8/0", "any", "3/x", "77")] == ["", "", "", ""]


def test_iptables_and_nft_agree_where_they_use_the_same_name() -> None:
    for mine, others, base in (
        (iptables_names.ICMP_TYPES, nft_names.ICMP_TYPES, protocols.ICMP_TYPES),
        (iptables_names.ICMPV6_TYPES, nft_names.ICMPV6_TYPES, protocols.ICMPV6_TYPES),
    ):
        assert {name for name in base if mine[name] != str(base[name]) or others[name] != base[name]} == set()
        assert {name for name in mine.keys() & others.keys() if mine[name] != str(others[name])} == set()
    assert nft_names.TCP_FLAGS["ecn"] == protocols.TCP_FLAG_BITS["ECE"]
