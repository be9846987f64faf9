"""The quick way to compile iptables rules says the same as the long way, whatever the rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.iptables.fast_compiler import FragmentCompiler
from dnet_tui.inspect.iptables.rule import ParsedRule, parse_rule
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError
from dnet_tui.inspect.iptables.save_text import parse_save_report
from dnet_tui.inspect.model.firewall import Match, Verdict
from unit.builders.examples import examples

CHAINS = ("DOCKER", "KUBE-SVC-1")

PARTS = (
    "-s 172.17.0.0/16", "! -s 10.0.0.1/32", "-d 2001:db8::/64", "-d nonsense", "-i docker0", "! -o br+", "-i !",
    "-p tcp", "-p 41", "-p 0", "! -p udp", "-p icmp", "-f", "! -f", "--source 10.0.0.0/8",
    "-m tcp", "-m tcp --dport 80", "-m tcp ! --sport 1:1023", "-m tcp --dport http", "-m udp --dport 53",
    "-m tcp --tcp-flags FIN,SYN SYN", "-m tcp --syn", "-m tcp --sport 1 --dport 2", "--dport 443", "--syn",
    "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack ! --ctstate INVALID", "-m conntrack --ctexpire 1",
    "-m addrtype --dst-type LOCAL", "-m addrtype", "-m icmp --icmp-type any", "-m icmp --icmp-type 8",
    "-m set --match-set blocked src", "-m physdev --physdev-is-bridged", "-m multiport --dports 80,443",
    "-m comment --comment plain", '-m comment --comment "two words"', '-m comment --comment ""',
    '-m comment --comment "a -j DROP b"', '-m comment --comment "say \\"hi\\" -m x"', "-m comment --comment -j",
    "-m comment --comment a --comment b",
    "-m limit --limit 5/min --limit-burst 5", "-m statistic --mode random --probability 0.5", "-m mark --mark 0x1/0x1",
    "-m mark --mark 1 --sport 5", "-m",
    "-j ACCEPT", "-j DROP", "-j RETURN", "-j DOCKER", "-j MISSING", "-g DOCKER", "-g MISSING", "-j ACCEPT --with",
    "-j DNAT --to-destination 172.17.0.2:80", "-j DNAT --to-destination x", "-j MASQUERADE --random",
    '-j LOG --log-prefix "drop: "', "-j LOG --log-prefix -m", "-j REJECT --reject-with tcp-reset",
    "-j MARK --set-xmark 0x2000/0x2000", "-j MARK --mark 1", "-j CT --notrack", "-j", "!", "", "garbage", "--unknown 1",
)  # fmt: skip


def outcome(parse: object, text: str) -> ParsedRule | str:
    """What came out, or the error's message."""
    assert callable(parse)
    try:
        result: ParsedRule = parse(text)
    except RuleSyntaxError as error:
        return f"error: {error}"
    return result


@settings(max_examples=examples(1500), deadline=None)
@example([["-m", "!", "!", "-m tcp"]], " ")
@given(
    st.lists(st.lists(st.sampled_from(PARTS), max_size=6), min_size=1, max_size=4), st.sampled_from([" ", "  ", "\t"])
)
def test_both_ways_agree_on_any_sequence_of_parts(rules: list[list[str]], blank: str) -> None:
    compiler = FragmentCompiler(CHAINS)  # one for several rules, as in a table: what it remembers must not mislead
    for parts in rules:
        text = blank.join(parts).strip()
        assert outcome(compiler.parse, text) == outcome(lambda text: parse_rule(text, CHAINS), text), text


@settings(max_examples=examples(400), deadline=None)
@given(st.text(alphabet=' "\\!-jmsgpdio+abc.019/:,', max_size=50))
def test_both_ways_agree_on_noise(text: str) -> None:
    compiler = FragmentCompiler(CHAINS)
    for _ in range(2):
        assert outcome(compiler.parse, text) == outcome(lambda text: parse_rule(text, CHAINS), text)


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "data").glob("*.save")), ids=lambda path: path.stem
)
def test_both_ways_agree_on_what_engines_write(path: Path) -> None:
    tables, _ = parse_save_report(path.read_text(), backend="iptables-nft", family="ip")
    for table in tables:
        chains = {chain.name for chain in table.chains}
        compiler = FragmentCompiler(chains)
        for chain in table.chains:
            for rule in chain.rules:
                assert outcome(compiler.parse, rule.text) == outcome(
                    lambda text, chains=chains: parse_rule(text, chains), rule.text
                )


def test_a_part_seen_before_a_chains_declaration_is_looked_at_again() -> None:
    text = "*filter\n:INPUT ACCEPT\n-A INPUT -j LATER\n:LATER -\n-A INPUT -j LATER\nCOMMIT\n"
    ((table,), _) = parse_save_report(text, backend="iptables-nft", family="ip")
    before, after = table.chains[0].rules
    assert before.exprs != after.exprs
    assert after.exprs == (Verdict(kind="jump", chain="LATER"),)


def test_a_negated_part_is_not_the_plain_one() -> None:
    compiler = FragmentCompiler(CHAINS)
    plain = compiler.parse("-i docker0 -o docker0 -j DROP")
    negated = compiler.parse("-i docker0 ! -o docker0 -j DROP")
    assert plain.exprs[1] == Match(field="oif", values=("docker0",))
    assert negated.exprs[1] == Match(field="oif", values=("docker0",), negate=True)
