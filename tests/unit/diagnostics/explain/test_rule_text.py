"""A rule in one English sentence: nothing left out, nothing claimed that isn't known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnet_tui.diagnostics.explain.rule_text import policy_sentence, sentence
from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.iptables.save_text import parse_save, undecidable
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Choice,
    Element,
    Lookup,
    Match,
    Nat,
    Note,
    Rule,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.match_fields import FieldText

USER = Chain(name="web")
BASE = Chain(name="FORWARD", hook="forward", type="filter", policy="drop")
FILTER = Table(family="ip", name="filter", backend="iptables-nft")
FILTER6 = Table(family="ip6", name="filter", backend="iptables-nft")


def say(text: str, chain: Chain = USER, table: Table = FILTER) -> str:
    rule = Rule(number=1, text=text, exprs=parse_rule(text, {"web"}).exprs)
    return sentence(rule, chain, table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
            (
                "Traffic from 172.17.0.0/16 leaving by anything but docker0"
                " gets the host's address as its source (MASQUERADE)."
            ),
        ),
        (
            "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
            (
                "TCP traffic arriving by anything but docker0 to port 8080"
                " gets 172.17.0.2 port 80 as its destination (DNAT)."
            ),
        ),
        (
            "-d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
            "TCP traffic arriving by anything but docker0 to port 80 of 172.17.0.2 leaving by docker0 is accepted.",
        ),
        (
            "! -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT",
            "TCP traffic to anything but 10.0.0.1 and to port 80 is accepted.",
        ),
        ("-i docker0 ! -o docker0 -j web",
         "Traffic arriving by docker0 and leaving by anything but docker0 goes through chain web."),
        (
            "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "Traffic of related or established connections leaving by docker0 is accepted.",
        ),
        ("-m conntrack ! --ctstate NEW -j DROP", "Traffic not of new connections is dropped."),
        (
            "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j web",
            "Traffic to anything but 127.0.0.0/8 and to an address of this host goes through chain web.",
        ),
        ("-i br+ -j DROP", "Traffic arriving by br* is dropped."),
        ("-j RETURN", "All traffic leaves this chain and goes on where it was called."),
        ("-g web", "All traffic goes on in chain web and doesn't come back here."),
        ("-p tcp -j REJECT --reject-with tcp-reset", "All TCP traffic is rejected with a TCP reset as the answer."),
        ("-p tcp -m multiport --dports 22,80,8000:8010 -j DROP",
         "TCP traffic to port 22, port 80 or ports 8000 to 8010 is dropped."),
        ("-p tcp -m multiport ! --ports 22 -j DROP", "TCP traffic neither from nor to port 22 is dropped."),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP",
         "TCP traffic that opens a connection (SYN) is dropped."),
        ("-p icmp -m icmp --icmp-type 8 -j ACCEPT", "ICMP traffic of type 8 (echo request) is accepted."),
        ("-p 200 -j DROP", "All protocol 200 traffic is dropped."),
        ("! -p tcp -j DROP", "Traffic other than TCP is dropped."),
        ("-m mark --mark 0x1/0x3 -j ACCEPT", "Traffic with mark 0x1 (bits 0x3) is accepted."),
        ("-m connmark ! --mark 0x1 -j DROP", "Traffic whose connection has a mark other than 0x1 is dropped."),
        ("-m set ! --match-set good src -j DROP", "Traffic whose source is not in set good is dropped."),
        ("-m physdev --physdev-is-bridged -j ACCEPT", "Traffic that is bridged, not routed is accepted."),
        ("-m physdev --physdev-in veth1 -j ACCEPT", "Traffic arriving by bridge port veth1 is accepted."),
        ("-m ttl --ttl-lt 5 -j DROP", "Traffic whose hop limit is 0 to 4 is dropped."),
        ("-f -j DROP", "Traffic that is a later fragment is dropped."),
        ("-j MARK --set-xmark 0x2000/0x2000", "All traffic has its mark set to 0x2000 (bits 0x2000)."),
        ("-j MARK --and-mark 0xff", "All traffic has its mark cleared (bits 0xffffff00)."),
        ("-j CONNMARK --save-mark", "All traffic has its mark saved in its connection."),
        ("-j CONNMARK --restore-mark", "All traffic gets its connection's mark."),
        ("-j CT --notrack",
         "All traffic isn't tracked by conntrack, so it gets no NAT and is in no connection."),
        ("-p tcp -j REDIRECT --to-ports 8080", "All TCP traffic goes to port 8080 of this host instead (REDIRECT)."),
        ("-j NETMAP --to 10.1.0.0/24", "All traffic has its network replaced by 10.1.0.0/24, host for host (NETMAP)."),
        ('-j LOG --log-prefix "x "', "All traffic is logged by the kernel and goes on."),
        ("-p tcp -m tcp --dport 22", "TCP traffic to port 22 is only counted."),
        ("-m comment --comment web -j DROP", "All traffic is dropped."),
        ("", "All traffic is only counted."),
    ],
)  # fmt: skip
def test_a_rule_is_said_plainly(text: str, expected: str) -> None:
    assert say(text) == expected


def test_icmp_types_are_those_of_the_family() -> None:
    text = "-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j ACCEPT"
    assert say(text, table=FILTER6) == "ICMPv6 traffic of type 134 (router advertisement) is accepted."


def test_return_from_a_base_chain_means_the_policy() -> None:
    assert say("-j RETURN", BASE) == "All traffic skips the rest of the chain and is dropped by its policy."


def test_what_is_not_modelled_is_named_with_its_text() -> None:
    assert say("-i docker0 -m cpu --cpu 1 -j DROP") == (
        "Traffic arriving by docker0 for which “-m cpu --cpu 1” holds (which can't be decided here) is dropped."
    )
    assert say("-i docker0 -j SYNPROXY --mss 1460") == (
        "Traffic arriving by docker0 is handled by “-j SYNPROXY --mss 1460”, whose effect is not known."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "-m limit --limit 10/sec -j ACCEPT",
            "Traffic while at most 10 packets a second come (burst 5) is accepted.",
        ),
        ("-m statistic --mode nth --every 3 --packet 0 -j DROP", "Traffic for one packet of 3, in turn is dropped."),
        ("-j TTL --ttl-dec 1", "All traffic has its hop limit lowered by 1."),
        ("-j TOS --set-tos 0x10/0x3f", "All traffic has its type of service set to 0x10 (bits 0x3f)."),
        ("-j CT --zone 5", "All traffic is tracked in zone 5."),
        (
            "-m recent --set --name ssh --mask 255.255.255.255 --rsource",
            "All traffic is put into list ssh of recent addresses.",
        ),
        ("-j SET --add-set seen src", "All traffic is put into set seen."),
        (
            "-p tcp -j TPROXY --on-port 3128 --on-ip 127.0.0.1 --tproxy-mark 0x1/0x1",
            "All TCP traffic is given to the local socket at 127.0.0.1 port 3128 as it is (TPROXY, with mark 0x1).",
        ),
        (
            "-j NFQUEUE --queue-num 3 --queue-bypass",
            "All traffic is handed to a program, which decides (queue 3; without one it is accepted).",
        ),
    ],
)
def test_what_few_rules_do_is_said(text: str, said: str) -> None:
    assert say(text) == said


def test_a_rule_of_which_nothing_is_known_is_not_explained() -> None:
    text = "(added by nft)"
    rule = Rule(number=1, text=text, exprs=undecidable(text))
    assert sentence(rule, BASE, FILTER) == f"This rule can't be explained, nor decided: {text}."


def test_nftables_look_ups_are_said() -> None:
    addresses = (Element(key=("10.0.0.1",)), Element(key=("10.0.0.2",)))
    rule = Rule(number=1, text="", exprs=(Lookup(fields=("saddr",), elements=addresses), Verdict(kind="drop")))
    assert sentence(rule, USER, FILTER) == "Traffic whose source is in {10.0.0.1, 10.0.0.2} is dropped."
    mapped = Rule(number=1, text="", exprs=(VerdictMap(fields=("iif", "oif"), set="routes"),))
    assert sentence(mapped, USER, FILTER) == (
        "All traffic gets the verdict that map routes has for its arriving interface and leaving interface,"
        " if it has one."
    )


def by_map(**more: Any) -> str:
    nat = Nat(kind="dnat", **more)
    return sentence(Rule(number=1, text="", exprs=(nat,)), USER, FILTER)


def test_a_target_from_a_map_is_said() -> None:
    assert by_map(choice=Choice(fields=("dport",), set="services")) == (
        "All traffic gets what map services has for its destination port as its destination, if it has anything (DNAT)."
    )
    assert by_map(ports="80", choice=Choice(fields=(FieldText("numgen random mod 2"),))) == (
        "All traffic gets what a map of this rule has for its numgen random mod 2 with 80 as its destination,"
        " if it has anything (DNAT)."
    )


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (SetMark(op="unknown"), "All traffic has its mark set to a value that can't be determined."),
        (
            SetMark(where="ct", op="unknown"),
            "All traffic has its connection's mark set to a value that can't be determined.",
        ),
        (
            Note(text="flow add @f (flow offload)", offload=True),
            "All traffic is handed to a flow table once its connection is established, past all rules from then on.",
        ),
        (Match(field="iifkind", values=("veth",)), "Traffic whose arriving interface's kind is veth is only counted."),
        (Match(field="rpfilter", values=("strict",), negate=True),
         "Traffic that fails the reverse path filter is only counted."),
    ],
)  # fmt: skip
def test_what_nftables_can_say_besides_is_said(expr: AnyExpr, expected: str) -> None:
    assert sentence(Rule(number=1, text="", exprs=(expr,)), USER, FILTER) == expected


def test_hostile_names_are_made_harmless() -> None:
    exprs: tuple[AnyExpr, ...] = (Match(field="iif", values=("\x1b[31mred",)),)
    assert "\x1b" not in sentence(Rule(number=1, text="", exprs=exprs), USER, FILTER)


def test_the_policy_has_its_sentence() -> None:
    assert policy_sentence(BASE) == "Whatever no rule above decided is dropped (the policy)."
    assert policy_sentence(USER) == ""


def test_every_rule_of_the_samples_has_one_sentence() -> None:
    for path in sorted((Path(__file__).parents[2] / "data").glob("ip*tables_*.save")):
        family = FILTER6 if path.name.startswith("ip6") else FILTER
        for table in parse_save(path.read_text(), backend="iptables-nft", family="ip6" if family is FILTER6 else "ip"):
            for chain in table.chains:
                for rule in chain.rules:
                    said = sentence(rule, chain, table)
                    assert said[0].isupper(), said
                    assert said.endswith("."), said
                    assert "nor decided" not in said, rule.text
