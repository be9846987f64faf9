"""Writing rules as iptables text is the inverse of reading them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.iptables.save_grammar import quote
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Rule,
    SetLookup,
    SetMark,
    Table,
    Verdict,
)
from dnet_tui.inspect.model.match_fields import FieldText
from unit.builders.examples import examples
from unit.builders.iptables_render import CannotRenderError, render_rule, render_tables

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize("path", sorted(DATA.glob("ip*tables_*.save")), ids=lambda path: path.stem)
def test_a_sample_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_text()
    tables = parse_save(text, backend="iptables-nft", family="ip6" if path.name.startswith("ip6") else "ip")
    written = render_tables(tables, counters=True).splitlines()
    assert sorted(written) == sorted(line for line in text.splitlines() if not line.startswith("#"))


NUMBERS = st.integers(0, 0xFFFFFFFF)
PORTS = st.integers(0, 65535).map(str) | st.tuples(st.integers(0, 999), st.integers(1000, 65535)).map(
    lambda pair: f"{pair[0]}:{pair[1]}"
)

NAT_PORTS = st.sampled_from(["", "80", "1024-2000"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.1-10.0.0.9", "fd00::2", "fd00::2-fd00::9"])
NETWORKS = st.sampled_from(["10.0.0.0/8", "172.17.0.2/32", "fd00::/64", "10.0.0.1-10.0.0.9"])
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)
MASKED = st.tuples(NUMBERS, NUMBERS).map(lambda pair: f"{pair[0]:#x}/{pair[1]:#x}")
FLAGS = st.sampled_from(["SYN,RST/SYN", "FIN,SYN,RST,PSH,ACK,URG/NONE", "FIN,SYN,RST,ACK/SYN"])


def field(name: str, values: st.SearchStrategy[str], *, many: bool = False) -> st.SearchStrategy[Match]:
    lists = st.lists(values, min_size=1, max_size=4 if many else 1).map(tuple)
    return st.builds(Match, field=st.just(name), values=lists, negate=st.booleans())


MATCHES: st.SearchStrategy[AnyExpr] = st.one_of(
    field("saddr", NETWORKS),
    field("daddr", NETWORKS),
    field("iif", NAMES | NAMES.map(lambda name: f"{name}+")),
    field("oif", NAMES),
    field("physin", NAMES),
    field("physout", NAMES),
    field("physdev", st.sampled_from(["in", "out", "bridged"])),
    field("fragment", st.just("later")),
    field("ctstate", st.sampled_from(["NEW", "ESTABLISHED", "INVALID", "DNAT"]), many=True),
    field("ctstatus", st.sampled_from(["NONE", "ASSURED"]), many=True),
    field("ctdir", st.sampled_from(["ORIGINAL", "REPLY"])),
    field("ctproto", st.sampled_from(["tcp", "icmpv6", "200"])),
    field("ctorigdst", st.sampled_from(["10.0.0.1/32", "fd00::/64"])),
    field("ctreplsrcport", PORTS),
    field("mark", MASKED),
    field("ctmark", MASKED),
    field("src-type", st.sampled_from(["LOCAL", "UNICAST"]), many=True),
    field("dst-type", st.sampled_from(["LOCAL", "BROADCAST"]), many=True),
    field("pkttype", st.sampled_from(["unicast", "multicast"])),
    field("mac", st.just("00:11:22:33:44:55")),
    field("length", PORTS),
    field("ttl", st.sampled_from(["64", "0:4", "6:255"])),
    field("dst-type-in", st.sampled_from(["LOCAL", "UNICAST"]), many=True),
    field("src-type-out", st.just("LOCAL")),
    field("iifgroup", MASKED),
    field("oifgroup", MASKED),
    field("owner-uid", st.sampled_from(["0", "1000-1010"])),
    field("owner-gid", st.just("33")),
    field("owner-socket", st.just("yes")),
    st.builds(SetLookup, name=NAMES, dirs=st.sampled_from([("src",), ("src", "dst")]), negate=st.booleans()),
    st.builds(
        lambda text: Note(text=f"-m comment --comment {quote(text)}"),
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20),
    ),
)
OPAQUE: st.SearchStrategy[AnyExpr] = st.one_of(
    st.builds(Opaque, text=st.sampled_from(["-m cpu --cpu 0", "-m osf --genre Linux"])),
    field("rpfilter", st.sampled_from(["strict", "loose", "strict+mark", "loose+mark+local"])),
    field("ipsec", st.sampled_from(["in", "out"])),
)
OF_TCP: st.SearchStrategy[AnyExpr] = st.one_of(
    field("sport", PORTS, many=True),
    field("dport", PORTS, many=True),
    field("port", PORTS, many=True),
    field("tcp-flags", FLAGS),
    field("tcp-option", st.just("4")),
)
ACTIONS: st.SearchStrategy[AnyExpr] = st.one_of(
    st.sampled_from(
        [
            Verdict(kind="accept"),
            Verdict(kind="drop"),
            Verdict(kind="return"),
            Verdict(kind="queue", queues="0"),
            Verdict(kind="jump", chain="web"),
            Verdict(kind="goto", chain="web"),
            Verdict(kind="reject", reject_with="tcp-reset"),
            NoTrack(),
            Nat(kind="netmap", addresses="10.1.0.0/24"),
            Note(text='-j LOG --log-prefix "a b: "'),
            Opaque(text="-j SYNPROXY --mss 1460", role="target"),
        ]
    ),
    st.builds(
        Nat,
        kind=st.sampled_from(["dnat", "snat"]),
        addresses=ADDRESSES,
        ports=NAT_PORTS,
        flags=st.sampled_from([(), ("random", "persistent")]),
    ),
    st.builds(
        Nat, kind=st.sampled_from(["masquerade", "redirect"]), ports=NAT_PORTS, flags=st.sampled_from([(), ("random",)])
    ),
    st.builds(SetMark, where=st.sampled_from(["meta", "ct"]), value=NUMBERS, mask=NUMBERS),
    st.builds(SetMark, where=st.just("ct"), op=st.just("save"), mask=NUMBERS),
    st.builds(SetMark, where=st.just("meta"), op=st.just("restore"), mask=NUMBERS),
)
RULES = st.tuples(
    st.lists(MATCHES, max_size=5),
    st.lists(OF_TCP, max_size=3),
    # iptables-save prints base options before matches: what follows an unknown match belongs to it.
    st.lists(OPAQUE, max_size=1),
    st.lists(ACTIONS, max_size=1),
).map(
    lambda parts: (
        *parts[0],
        *([Match(field="proto", values=("tcp",)), *parts[1]] if parts[1] else []),
        *parts[2],
        *parts[3],
    )
)


@settings(max_examples=examples(200), deadline=None)
@given(RULES, st.sampled_from(["ip", "ip6"]))
def test_reading_what_was_written_gives_the_same_expressions(exprs: tuple[AnyExpr, ...], family: str) -> None:
    text = render_rule(Rule(number=1, text="", exprs=exprs), family=family)
    assert parse_rule(text, {"web"}).exprs == exprs


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(RULES, max_size=3))
def test_reading_written_tables_gives_the_same_tables(rules: list[tuple[AnyExpr, ...]]) -> None:
    written = tuple(
        Rule(number=number, text=render_rule(Rule(number=number, text="", exprs=exprs)), exprs=exprs)
        for number, exprs in enumerate(rules, start=1)
    )
    table = Table(
        family="ip",
        name="filter",
        backend="iptables-nft",
        chains=(
            Chain(name="FORWARD", hook="forward", type="filter", policy="drop", packets=3, bytes=180, rules=written),
            Chain(name="web"),
        ),
    )
    (again,) = parse_save(render_tables([table]), backend="iptables-nft", family="ip")
    assert [chain.name for chain in again.chains] == ["FORWARD", "web"]
    assert [rule.exprs for rule in again.chains[0].rules] == rules
    assert (again.chains[0].policy, again.chains[0].packets, again.chains[0].bytes) == ("drop", 3, 180)


@pytest.mark.parametrize(
    "expr",
    [
        Match(field="proto", values=("tcp", "udp")),
        Match(field="saddr", values=("10.0.0.0/8", "172.16.0.0/12")),
        Match(field="ttl", values=("5:9",)),
        Match(field=FieldText("meta skuid"), values=("1000",)),
    ],
)
def test_what_iptables_cannot_say_is_refused(expr: AnyExpr) -> None:
    with pytest.raises(CannotRenderError):
        render_rule(Rule(number=1, text="", exprs=(expr,)))
