"""nftables' JSON as text: near to nft's own, and never an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.nftables.render import expression, rule, statement


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


VERDICTS = {"set": [[80, {"drop": None}], ["*", {"goto": {"target": "x"}}]]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, 'iifname "eth0"'),
        ({"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "@s"}}, "oifname != @s"),
        (
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": {"set": ["a", "b"]}}},
            'iifname { "a", "b" }',
        ),
        ({"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 16}}, "meta mark 0x00000010"),
        (
            {"match": {"op": "!=", "left": {"&": [{"ct": {"key": "mark"}}, 15]}, "right": 1}},
            "ct mark & 0x0000000f != 0x00000001",
        ),
        (
            {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["new", "related"]}},
            "ct state new,related",
        ),
        (
            {"match": {"op": "==", "left": payload("ip", "saddr"), "right": {"range": ["10.0.0.1", "10.0.0.9"]}}},
            "ip saddr 10.0.0.1-10.0.0.9",
        ),
        (
            {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": False}},
            "fib saddr . iif oif missing",
        ),
        ({"vmap": {"key": payload("tcp", "dport"), "data": VERDICTS}}, "tcp dport vmap { 80 : drop, * : goto x }"),
        ({"dnat": {"family": "ip6", "addr": "fd00::2", "port": 80}}, "dnat ip6 to [fd00::2]:80"),
        (
            {"snat": {"addr": {"range": ["1.1.1.1", "1.1.1.2"]}, "flags": ["random", "persistent"]}},
            "snat to 1.1.1.1-1.1.1.2 random,persistent",
        ),
        ({"redirect": {"port": 80}}, "redirect to :80"),
        ({"masquerade": None}, "masquerade"),
        ({"reject": {"type": "tcp reset"}}, "reject with tcp reset"),
        ({"limit": {"rate": 1, "per": "minute", "inv": True}}, "limit rate over 1/minute"),
        ({"limit": "slow"}, 'limit name "slow"'),
        ({"counter": {"packets": 1, "bytes": 2}}, "counter"),
        (
            {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 4]}}},
            "meta mark set meta mark | 0x00000004",
        ),
        (
            {"match": {"op": "==", "left": {"payload": {"base": "nh", "offset": 96, "len": 32}}, "right": 1}},
            "@nh,96,32 1",
        ),
        (
            {"set": {"op": "add", "elem": payload("ip", "saddr"), "set": "@s", "stmt": [{"counter": None}]}},
            "add @s { ip saddr counter }",
        ),
        ({"novelty": {"a": 1, "b": "x"}}, "novelty 1 x"),
        ("jump {\n\taccept\n}", "jump { accept }"),
    ],
)
def test_a_statement_reads_as_nft_writes_it(value: object, text: str) -> None:
    assert statement(value) == text


def test_a_rule_is_its_statements_and_its_comment() -> None:
    assert rule([{"counter": {"packets": 5, "bytes": 6}}, {"drop": None}], "why") == 'counter drop comment "why"'
    assert rule(None) == "null"


def test_a_long_text_is_cut() -> None:
    assert len(expression({"set": list(range(9999))})) == 4096


KEYS = st.sampled_from(
    [
        "match",
        "left",
        "right",
        "op",
        "payload",
        "meta",
        "key",
        "set",
        "elem",
        "val",
        "range",
        "&",
        "dnat",
        "addr",
        "limit",
        "mangle",
        "value",
        "xt",
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=3)),
)


@given(JSON)
def test_whatever_it_is_it_has_a_text_that_can_be_stored(value: object) -> None:
    for text in (statement(value), expression(value), rule(value)):
        text.encode()
