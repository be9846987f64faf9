"""One rule's text becomes the model's expressions: exact where it can be said, opaque where not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dnet_tui.diagnostics.operations.rule import rule_words
from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, quote, split_words
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    SetField,
    SetLookup,
    SetMark,
    SetZone,
    StatefulMatch,
    TransparentProxy,
    Verdict,
)
from dnet_tui.inspect.model.match_fields import FieldText


def exprs(text: str, *chains: str) -> tuple[AnyExpr, ...]:
    return parse_rule(text, chains).exprs


def match(field: str, *values: str, negate: bool = False) -> Match:
    return Match(field=FieldText(field), values=values, negate=negate)


TCP = match("proto", "tcp")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-s 172.17.0.0/16", match("saddr", "172.17.0.0/16")),
        ("! -d 10.0.0.1", match("daddr", "10.0.0.1/32", negate=True)),
        ("-s 10.0.0.0/255.0.0.0", match("saddr", "10.0.0.0/8")),
        ("-s fd00::/8", match("saddr", "fd00::/8")),
        ("-i br+", match("iif", "br+")),
        ("! -o docker0", match("oif", "docker0", negate=True)),
        ("-p icmp", match("proto", "icmp")),
        ("-p ipv6-icmp", match("proto", "icmpv6")),
        ("-p 17", match("proto", "udp")),
        ("-p 200", match("proto", "200")),
        ("! -p tcp", match("proto", "tcp", negate=True)),
        ("-f", match("fragment", "later")),
        ("-m conntrack --ctstate RELATED,ESTABLISHED", match("ctstate", "RELATED", "ESTABLISHED")),
        ("-m conntrack ! --ctstate DNAT", match("ctstate", "DNAT", negate=True)),
        ("-m state --state NEW", match("ctstate", "NEW")),
        ("-m conntrack --ctorigdst 10.0.0.1", match("ctorigdst", "10.0.0.1/32")),
        ("-m conntrack --ctproto 6", match("ctproto", "tcp")),
        ("-m mark --mark 0x4000/0x4000", match("mark", "0x4000/0x4000")),
        ("-m mark ! --mark 010", match("mark", "0x8/0xffffffff", negate=True)),
        ("-m connmark --mark 2/0xff", match("ctmark", "0x2/0xff")),
        ("-m addrtype --dst-type LOCAL", match("dst-type", "LOCAL")),
        ("-m addrtype ! --src-type LOCAL,BROADCAST", match("src-type", "LOCAL", "BROADCAST", negate=True)),
        ("-m set --match-set blocked src", SetLookup(name="blocked", dirs=("src",))),
        ("-m set ! --match-set pairs src,dst", SetLookup(name="pairs", dirs=("src", "dst"), negate=True)),
        ("-m iprange --src-range 10.0.0.1-10.0.0.9", match("saddr", "10.0.0.1-10.0.0.9")),
        ("-m physdev --physdev-in veth+", match("physin", "veth+")),
        ("-m physdev ! --physdev-is-bridged", match("physdev", "bridged", negate=True)),
        ("-m mac --mac-source 00:11:22:33:44:AA", match("mac", "00:11:22:33:44:aa")),
        ("-m pkttype --pkt-type multicast", match("pkttype", "multicast")),
        ("-m ttl --ttl-lt 5", match("ttl", "0:4")),
        ("-m ttl --ttl-gt 5", match("ttl", "6:255")),
        ("-m hl ! --hl-eq 255", match("ttl", "255", negate=True)),
        ("-m length --length 100:", match("length", "100:65535")),
        ("-m addrtype --dst-type LOCAL --limit-iface-in", match("dst-type-in", "LOCAL")),
        ("-m addrtype ! --src-type LOCAL --limit-iface-out", match("src-type-out", "LOCAL", negate=True)),
        ("-m owner ! --uid-owner 33", match("owner-uid", "33", negate=True)),
        ("-m owner --gid-owner 1000-1010", match("owner-gid", "1000-1010")),
        ("-m owner --socket-exists", match("owner-socket", "yes")),
        ("-m devgroup --src-group 0x5", match("iifgroup", "0x5/0xffffffff")),
        ("-m devgroup --src-group default", match("iifgroup", "0x0/0xffffffff")),
        ("-m devgroup ! --dst-group 0x1/0xf", match("oifgroup", "0x1/0xf", negate=True)),
        ("-m rpfilter", match("rpfilter", "strict")),
        ("-m rpfilter --validmark --invert", match("rpfilter", "strict+mark", negate=True)),
        ("-m rpfilter --loose --accept-local", match("rpfilter", "loose+local")),
        ("-m policy --dir in --pol none", match("ipsec", "in", negate=True)),
        ("-m policy --dir out --pol ipsec", match("ipsec", "out")),
        ("-m tcp --tcp-option 4", match("tcp-option", "4")),
    ],
)
def test_a_match_is_modelled(text: str, expected: AnyExpr) -> None:
    assert exprs(text) == (expected,)
    assert exprs(f"{text} -j DROP") == (expected, Verdict(kind="drop"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-p tcp -m tcp --dport 80", match("dport", "80")),
        ("-p tcp -m tcp --sport :1024", match("sport", "0:1024")),
        ("-p tcp -m tcp ! --dport 8000:8010", match("dport", "8000:8010", negate=True)),
        ("-p tcp -m multiport --dports 22,80,8000:8010", match("dport", "22", "80", "8000:8010")),
        ("-p tcp -m multiport ! --ports 22,80", match("port", "22", "80", negate=True)),
        ("-p tcp -m tcp --tcp-flags SYN,RST SYN", match("tcp-flags", "SYN,RST/SYN")),
        ("-p tcp -m tcp --tcp-flags ALL NONE", match("tcp-flags", "FIN,SYN,RST,PSH,ACK,URG/NONE")),
        ("-p tcp ! --syn", match("tcp-flags", "FIN,SYN,RST,ACK/SYN", negate=True)),
        ("-p tcp --dport 80", match("dport", "80")),
        ("-p tcp -m comment --comment web --dport 80", match("dport", "80")),
    ],
)
def test_a_match_of_tcp_is_modelled(text: str, expected: AnyExpr) -> None:
    found = tuple(expr for expr in exprs(text) if not isinstance(expr, Note))
    assert found == (TCP, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-p icmp -m icmp --icmp-type 8", "8"),
        ("-p icmp -m icmp --icmp-type 3/4", "3/4"),
        ("-p icmp -m icmp --icmp-type host-unreachable", "3/1"),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type 135", "135"),
        ("-p ipv6-icmp -m icmp6 --icmpv6-type redirect", "137"),
    ],
)
def test_icmp_types_are_numbers(text: str, expected: str) -> None:
    assert exprs(text)[1:] == (match("icmp-type", expected),)


@pytest.mark.parametrize(
    "text",
    [
        "-s some.host.example",
        "-p quux",
        "-m owner --uid-owner www-data",
        "-m owner --suppl-groups --gid-owner 33",
        "-m recent ! --set --name DEFAULT --mask 255.255.255.255 --rsource",
        "-m rpfilter --sideways",
        '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"',
        "-m addrtype --dst-type LOCAL --limit-iface-in --limit-iface-out",
        "-m addrtype --dst-type LOCAL ! --limit-iface-in",
        "-m addrtype --dst-type NEWFANGLED",
        "-m set --match-set blocked src --return-nomatch",
        "-m conntrack",
        "-m mark --mark 0x1ffffffff",
        "-m mark --mark blue",
        "-m ttl --ttl-lt 0",
        "-m mac --mac-source nonsense",
    ],
)
def test_what_cannot_be_said_exactly_stays_opaque_as_a_whole(text: str) -> None:
    assert exprs(text) == (Opaque(text=text),)
    behind = exprs(f"-i docker0 {text} -m mark --mark 0x1 -j ACCEPT")
    assert behind == (
        match("iif", "docker0"),
        Opaque(text=text),
        match("mark", "0x1/0xffffffff"),
        Verdict(kind="accept"),
    )


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("-m tcp --dport https", TCP),
        ("-m icmp ! --icmp-type any", match("proto", "icmp")),
        ("-m frag --fragmore", match("exthdr", "frag")),
        ("-m rt ! --rt-type 0", match("exthdr", "rt")),
    ],
)
def test_what_stays_opaque_says_what_a_packet_must_have_for_it(text: str, needs: Match) -> None:
    opaque = Opaque(text=text, needs=(needs,))
    assert exprs(text) == (opaque,)
    assert exprs(f"-i br0 {text} -j DROP")[1] == opaque
    assert exprs("-p esp -m esp --sideways")[1] == Opaque(text="-m esp --sideways"), "-p says it already"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource", "DEFAULT"),
        ("-m recent --set --name odd --mask 255.255.255.255 --rsource", "odd"),
    ],
)
def test_remembering_an_address_always_matches(text: str, name: str) -> None:
    remembered = Remember(kind="recent", name=name, key=("src", "255.255.255.255"))
    assert exprs(f"{text} -j DROP") == (remembered, Verdict(kind="drop"))


@pytest.mark.parametrize(
    ("text", "first", "words"),
    [
        ("-m limit --limit 10/sec", True, "while at most 10 packets a second come (burst 5)"),
        ("-m limit --limit 1/min --limit-burst 2", True, "while at most 1 packet a minute come (burst 2)"),
        (
            "-m hashlimit --hashlimit-upto 5/min --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name n",
            True,
            "while at most 5 packets a minute come for each source address (burst 5)",
        ),
        (
            "-m hashlimit --hashlimit-above 5/min --hashlimit-burst 5 --hashlimit-name n",
            False,
            "once more than 5 packets a minute come (burst 5)",
        ),
        (
            "-m connlimit --connlimit-above 2 --connlimit-mask 32 --connlimit-saddr",
            False,
            "once more than 2 connections with one source address exist",
        ),
        (
            "-m connlimit --connlimit-upto 2 --connlimit-mask 24 --connlimit-daddr",
            True,
            "while no more than 2 connections from one destination network (/24) exist",
        ),
        ("-m quota --quota 1000000", True, "until 1 MB are used up"),
        ("-m quota --quota 0", False, "for no packet"),
        (
            "-m connbytes --connbytes 2:10 --connbytes-mode packets --connbytes-dir original",
            False,
            "while 2 to 10 packets have gone in its first direction of the connection",
        ),
    ],
)
def test_what_depends_on_earlier_packets_says_what_a_first_one_meets(text: str, first: bool, words: str) -> None:
    (found,) = exprs(text)
    assert isinstance(found, StatefulMatch)
    assert (found.first, found.words, found.chance, found.text) == (first, words, False, text)


@pytest.mark.parametrize(
    ("text", "first", "words"),
    [
        ("-m statistic --mode random --probability 0.33333333349", False, "for one packet of 3, by chance"),
        ("-m statistic --mode random ! --probability 0.1", True, "for 90 % of the packets, by chance"),
        ("-m statistic --mode nth --every 4 --packet 0", False, "for one packet of 4, in turn"),
    ],
)
def test_what_is_drawn_by_lot_says_how_often(text: str, first: bool, words: str) -> None:
    assert exprs(text) == (StatefulMatch(text=text, first=first, words=words, chance=True),)


def test_certain_odds_are_no_chance() -> None:
    always, never = (
        exprs("-m statistic --mode nth --every 1 --packet 0"),
        exprs("-m statistic --mode random --probability 0"),
    )
    assert [(item.first, item.chance) for item in (*always, *never) if isinstance(item, StatefulMatch)] == [
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-m tos --tos 0x10/0x3f", match("tos", "0x10/0x3f")),
        ("-m tos ! --tos 0xff/0xff", match("tos", "0xff/0xff", negate=True)),
        ("-m dscp --dscp 0x08", match("tos", "0x20/0xfc")),
        ("-p tcp -m ecn --ecn-tcp-cwr", match("tcp-flags", "CWR/CWR")),
        ("-p tcp -m tcpmss --mss 1:500", match("mss", "1:500")),
        ("-m policy --dir in --pol ipsec --proto esp", match("ipsec", "in+some")),
        ("-m socket --transparent", match("socket", "bound+transparent")),
        ("-m socket --nowildcard", match("socket", "any")),
        ("-m realm ! --realm 0x1/0x2a", match("realm", "0x1/0x2a", negate=True)),
        ('-m connlabel ! --label "40"', match("ct-label", "40", negate=True)),
        ('-m helper --helper "ftp"', match("ct-helper", "ftp")),
        ("-m cgroup --path system.slice", match("cgroup", "system.slice")),
        ("-p esp -m esp --espspi 5", match("spi", "5")),
        ("-p sctp -m sctp --chunk-types any INIT,DATA", match("chunks", "any INIT,DATA")),
        ("-p dccp -m dccp --dccp-types REQUEST,DATA", match("dccp-type", "REQUEST", "DATA")),
        ("-m ipv6header --header hop,frag --soft", match("ipv6-headers", "soft frag,hop")),
        ("-m time --timestart 10:00:00 --timestop 12:00:00", match("time", "from=36000 to=43200")),
        ("-m time ! --weekdays Sat,Sun --kerneltz", match("time", "weekdays=1,2,3,4,5 local")),
        (
            "-m recent --rcheck --seconds 60 --hitcount 4 --name ssh --mask 255.255.255.255 --rsource",
            match("recent", "ssh src 255.255.255.255 check seconds=60 hitcount=4"),
        ),
        ('-m u32 ! --u32 "0x6&0xff=0x1"', match("u32", "0x6&0xff=0x1", negate=True)),
        ("-m string --string evil --algo bm", match("contents", "0 65535 4")),
        (
            '-m string ! --hex-string "|03|a b|66 6F|" --algo kmp --from 28 --to 100 --icase',
            match("contents", "28 100 6", negate=True),
        ),
        ("-m conntrack --ctexpire 1:2", match("ct-expires", "1:2")),
        ("-s 10.0.12.0/255.0.255.0", match("saddr", "10.0.12.0/255.0.255.0")),
    ],
)
def test_a_match_on_headers_and_state_is_modelled(text: str, expected: Match) -> None:
    assert exprs(text)[-1] == expected


@pytest.mark.parametrize("text", ["-m tcp", "-m icmp --icmp-type any"])
def test_a_match_that_sets_no_condition_is_a_note(text: str) -> None:
    assert exprs(text) == (Note(text=text),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-j ACCEPT", Verdict(kind="accept")),
        ("-j DROP", Verdict(kind="drop")),
        ("-j RETURN", Verdict(kind="return")),
        ("-j QUEUE", Verdict(kind="queue", queues="0")),
        ("-j REJECT --reject-with tcp-reset", Verdict(kind="reject", reject_with="tcp-reset")),
        ("-j web", Verdict(kind="jump", chain="web")),
        ("-g web", Verdict(kind="goto", chain="web")),
        ("-j DNAT --to-destination 10.0.0.1:80", Nat(kind="dnat", addresses="10.0.0.1", ports="80")),
        ("-j DNAT --to-destination :80", Nat(kind="dnat", ports="80")),
        (
            "-j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90 --random --persistent",
            Nat(kind="dnat", addresses="10.0.0.1-10.0.0.9", ports="80-90", flags=("random", "persistent")),
        ),
        ("-j DNAT --to-destination [fd00::2]:80", Nat(kind="dnat", addresses="fd00::2", ports="80")),
        ("-j DNAT --to-destination fd00::2", Nat(kind="dnat", addresses="fd00::2")),
        ("-j SNAT --to-source 203.0.113.9", Nat(kind="snat", addresses="203.0.113.9")),
        ("-j MASQUERADE", Nat(kind="masquerade")),
        (
            "-j MASQUERADE --to-ports 1024-2000 --random-fully",
            Nat(kind="masquerade", ports="1024-2000", flags=("random-fully",)),
        ),
        ("-j REDIRECT --to-ports 8080", Nat(kind="redirect", ports="8080")),
        ("-j NETMAP --to 10.1.0.0/24", Nat(kind="netmap", addresses="10.1.0.0/24")),
        ("-j CT --notrack", NoTrack()),
        ("-j NOTRACK", NoTrack()),
        ("-j MARK --set-xmark 0x1/0xff", SetMark(value=1, mask=0xFF)),
        ("-j MARK --set-mark 0x1/0xf0", SetMark(value=1, mask=0xF1)),
        ("-j MARK --or-mark 0x2", SetMark(value=2, mask=2)),
        ("-j MARK --and-mark 0x2", SetMark(value=0, mask=0xFFFFFFFD)),
        ("-j MARK --xor-mark 0x2", SetMark(value=2, mask=0)),
        ("-j CONNMARK --set-xmark 0x1/0xffffffff", SetMark(where="ct", value=1)),
        (
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
            SetMark(where="ct", op="save", mask=0xFF),
        ),
        ("-j CONNMARK --restore-mark", SetMark(where="meta", op="restore")),
        (
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff00",
            SetMark(where="ct", op="save", mask=0xFF00, source_mask=0xFF),
        ),
        (
            "-j CONNMARK --restore-mark --ctmask 0xff",
            SetMark(where="meta", op="restore", source_mask=0xFF),
        ),
        ("-j HMARK --hmark-tuple src --hmark-mod 4", SetMark(op="unknown")),
        ("-j SET --map-set s src --map-mark", SetMark(op="unknown")),
        ("-j DNAT --to-destination :80-90/100", Nat(kind="dnat", ports="80-90", base=100)),
        ("-j CT --zone 5 --helper ftp", SetZone(zone=5)),
        ("-j CT --zone-orig mark", SetZone(zone=None, direction="original")),
        ("-j SET --add-set seen src,dst --exist", Remember(kind="ipset", name="seen", key=("src", "dst"))),
        ("-j SET --del-set seen src", Remember(kind="ipset", name="seen", key=("src",), remove=True)),
        ("-j TTL --ttl-set 64", SetField(field="ttl", value=64)),
        ("-j HL --hl-dec 2", SetField(field="ttl", op="add", value=-2)),
        ("-j TOS --set-tos 0x10/0x3f", SetField(field="tos", value=0x10, mask=0x3F)),
        ("-j DSCP --set-dscp 0x08", SetField(field="tos", value=0x20, mask=0xFC)),
        ("-j CLASSIFY --set-class 0001:ffff", SetField(field="priority", value=0x1FFFF)),
        ("-j TCPMSS --set-mss 1200", SetField(field="mss", op="at-most", value=1200)),
        ("-j TCPMSS --clamp-mss-to-pmtu", SetField(field="mss", op="unknown")),
        (
            "-j TPROXY --on-port 3128 --on-ip 127.0.0.1 --tproxy-mark 0x1/0x1",
            TransparentProxy(address="127.0.0.1", port="3128", value=1, mask=1, final=True),
        ),
        ("-j NFQUEUE --queue-balance 0:3 --queue-bypass", Verdict(kind="queue", queues="0:3", bypass=True)),
    ],
)
def test_a_target_is_modelled(text: str, expected: AnyExpr) -> None:
    assert exprs(text, "web") == (expected,)


@pytest.mark.parametrize("bits", [0, 1, 0x0F, 0xF0, 0xFFFFFFFF])
def test_marks_come_out_as_iptables_says(bits: int) -> None:
    """The options' own words in iptables-extensions(8), against the model's one form."""
    meanings: dict[str, Callable[[int], int]] = {
        "--set-mark 0x3/0xf0": lambda old: (old & ~0xF0) | 0x3,
        "--set-xmark 0x3/0xf0": lambda old: (old & ~0xF0) ^ 0x3,
        "--and-mark 0x3": lambda old: old & 0x3,
        "--or-mark 0x3": lambda old: old | 0x3,
        "--xor-mark 0x3": lambda old: old ^ 0x3,
    }
    for option, meaning in meanings.items():
        (mark,) = exprs(f"-j MARK {option}")
        assert isinstance(mark, SetMark)
        assert (bits & ~mark.mask) ^ mark.value == meaning(bits), option


@pytest.mark.parametrize(
    "text",
    [
        "-j elsewhere",
        "-g elsewhere",
        "-j DNAT --to-destination 10.0.0.9-10.0.0.1",
        "-j SET --map-set s src --map-prio",
        "-j TTL --ttl-sideways 1",
        "-j SYNPROXY --sack-perm --timestamp --wscale 7 --mss 1460",
        "-j CT --zone 70000",
    ],
)
def test_a_target_that_is_not_modelled_is_opaque(text: str) -> None:
    assert exprs(text, "web") == (Opaque(text=text, role="target"),)


@pytest.mark.parametrize(
    "text",
    [
        '-j LOG --log-prefix "a b: " --log-level 4',
        "-j NFLOG --nflog-group 1",
        "-j TRACE",
        "-j CHECKSUM --checksum-fill",
    ],
)
def test_a_target_that_decides_nothing_is_a_note(text: str) -> None:
    assert exprs(text) == (Note(text=text),)


def test_a_rule_without_target_only_counts() -> None:
    assert exprs("") == ()
    assert exprs("-i docker0") == (match("iif", "docker0"),)


HELPER = SetZone(zone=0, text="-j CT --helper ftp")


@pytest.mark.parametrize("options", ["--helper ftp", "--timeout short", "--ctevents new", "--expevents new"])
def test_what_is_tracked_in_a_way_of_its_own_stays_in_its_zone(options: str) -> None:
    assert exprs(f"-j CT {options}") == (SetZone(zone=0, text=f"-j CT {options}"),)


def test_conditions_may_follow_the_target_when_written_by_hand() -> None:
    assert exprs("-j CT --helper ftp -p tcp --dport 21") == (TCP, match("dport", "21"), HELPER)


@pytest.mark.parametrize(
    "text",
    [
        "-s",
        "!",
        "! -m tcp",
        "--dport 80",
        "-j",
        "-j ACCEPT -j DROP",
        "-j ACCEPT --reject-with x",
        "loose words",
        '-m comment --comment "open',
        "-m conntrack --ctstate",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse_rule(text)


@pytest.mark.parametrize("value", ["plain", "two words", 'a "quote"', "back\\slash", "it's", "-j", "", "ü"])
def test_quoting_and_splitting_are_inverse(value: str) -> None:
    written = f"-m comment --comment {quote(value)} -j ACCEPT"
    assert split_words(written)[0] == ["-m", "comment", "--comment", value, "-j", "ACCEPT"]
    assert parse_rule(written).comment == value
    assert list(rule_words(written)) == split_words(written)[0], "whoever types the rule splits it the same way"


def test_a_quoted_word_is_never_an_option() -> None:
    assert exprs('-m string --string "-j" --algo bm -j DROP')[-1] == Verdict(kind="drop")


def test_several_comments_are_all_kept() -> None:
    assert parse_rule("-m comment --comment a -m comment --comment b").comment == "a; b"
