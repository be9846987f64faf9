"""What a rule's condition beyond the packet makes of a hook: decided, hedged with its number, or unknown."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.l3.namespace_context import match_context
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conditions import Assume, Ruleset
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import Address, Link, Namespace, Route, Snapshot, Socket, Unread
from dnet_tui.inspect.model.filter_state import RecentAddress
from dnet_tui.inspect.model.firewall import Element, Firewall, Hook, NamedSet
from dnet_tui.inspect.model.view import View

SYN = Packet(
    src="10.0.0.2",
    dst="192.0.2.9",
    proto="tcp",
    sport=40000,
    dport=80,
    iif="br0",
    oif="eth0",
    tcp_flags=("SYN",),
    ttl=63,
)
OUTGOING = msgspec.structs.replace(SYN, src="10.0.0.1", iif="", ttl=64, mss=1460)
ANYWHERE = "0.0.0.0"  # noqa: S104 - compared with, not bound to
NOON = "2026-11-30T12:00:00Z"  # a Monday
HOST = Namespace(
    id="net:[1]",
    inode=1,
    kind="host",
    links=(Link(ifindex=2, name="eth0"), Link(ifindex=3, name="br0", kind="bridge")),
    addresses=(Address(ifindex=3, family="ip", address="10.0.0.1", prefixlen=24),),
    sockets=(Socket(proto="tcp", address="10.0.0.1", port=3128, uid=7, transparent=True),),
    xfrm_policies=0,
    recent=(
        RecentAddress(list="ssh", address="10.0.0.2", ttl=64, hits=3, ages=(90.0, 50.0, 10.0)),
        RecentAddress(list="dark", address="10.0.0.2", hits=3),
    ),
    queues=(5,),
)


def hook(
    *rules: str,
    packet: Packet = SYN,
    ns: Namespace = HOST,
    at: Hook = "forward",
    ipsets: tuple[NamedSet, ...] = (),
    most: Assume = Assume.ODDS,
) -> HookResult:
    """What some rules of mangle make of a packet."""
    chain = at.upper()
    lines = ["*mangle", f":{chain} ACCEPT [0:0]", *(f"-A {chain} {rule}" for rule in rules), "COMMIT"]
    firewall = Firewall(tables=parse_save("\n".join(lines), backend="iptables-nft", family="ip"), ipsets=ipsets)
    context = match_context(View(Snapshot(taken_at=NOON, namespaces=(ns,))), ns)
    return run_hook(Ruleset(FirewallIndex(firewall), context, Budget(), set()), at, packet, most=most)


def dropped(condition: str, packet: Packet = SYN, **where: object) -> tuple[str, bool]:
    """The verdict of one rule that drops, and whether it is hedged."""
    found = hook(f"{condition} -j DROP", packet=packet, **where)  # type: ignore[arg-type]  # what hook takes
    return found.verdict, bool(found.hedges)


DROP, PASS, UNKNOWN = ("drop", False), ("accept", False), ("unknown", False)
DROP_HEDGED, PASS_HEDGED = ("drop", True), ("accept", True)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("-m limit --limit 1/sec", DROP_HEDGED),
        ("-m hashlimit --hashlimit-above 1/sec --hashlimit-burst 1 --hashlimit-name h", PASS_HEDGED),
        ("-m connlimit --connlimit-above 1 --connlimit-mask 32 --connlimit-saddr", PASS_HEDGED),
        ("-m connlimit --connlimit-above 0 --connlimit-mask 32 --connlimit-saddr", ("drop", False)),
        ("-m quota --quota 1000", DROP_HEDGED),
        ("-m connbytes --connbytes 2 --connbytes-mode packets --connbytes-dir original", PASS_HEDGED),
        ("-m statistic --mode random --probability 0.1", PASS_HEDGED),
        ("-m statistic --mode nth --every 1 --packet 0", DROP),
        ("-m cluster --cluster-total-nodes 3 --cluster-local-node 1 --cluster-hash-seed 0x1", PASS_HEDGED),
        ("-m tos --tos 0x00/0xff", DROP),
        ("-m tos --tos 0x10/0xff", PASS),
        ("-m dscp ! --dscp 0x00", PASS),
        ("-m ttl --ttl-eq 63", DROP),
        ("-m ttl --ttl-gt 63", PASS),
        ("-m length --length 0:100", DROP_HEDGED),
        ("-m length --length 0:39", PASS),
        ("-p tcp -m tcpmss --mss 1:500", PASS_HEDGED),
        ("-p tcp -m ecn --ecn-tcp-cwr", PASS_HEDGED),
        ("-m policy --dir in --pol ipsec --proto esp", PASS),
        ("-m policy --dir in --pol none", DROP),
        ("-m realm --realm 0x1", PASS),
        ('-m connlabel --label "40"', PASS),
        ('-m connlabel ! --label "40"', DROP),
        ('-m helper --helper "ftp"', PASS),
        ('-m helper ! --helper "ftp"', DROP),
        ("-m conntrack --ctstatus EXPECTED", PASS),
        ("-m owner --uid-owner 0", PASS),
        ("-m cgroup --path app.slice", PASS),
        ("-s 10.0.0.2/255.0.0.255", DROP),
        ("-s 10.0.0.3/255.0.0.255", PASS),
        ("-m time --timestart 11:00:00 --timestop 13:00:00", DROP_HEDGED),
        ("-m time --timestart 13:00:00 --timestop 11:00:00", PASS_HEDGED),
        ("-m time --weekdays Mon", DROP_HEDGED),
        ("-m time ! --weekdays Mon", PASS_HEDGED),
        ("-m time --monthdays 29,31", PASS_HEDGED),
        ("-m time --datestop 2020-01-01T00:00:00 --kerneltz", PASS_HEDGED),
        ("-m time --timestart 11:00:00 --timestop 13:00:00 --kerneltz", UNKNOWN),
        ("-m string --string x --algo bm --to 65535", UNKNOWN),
        ("-m string --string evil --algo bm --to 65535", PASS_HEDGED),
        ("-m string ! --string evil --algo bm", DROP_HEDGED),
        ("-m string --string evil --algo bm --from 200", PASS),
        ('-m string --hex-string "|65 76|il" --algo kmp --from 118 --icase', PASS),
        ("-m u32 --u32 0x0=0x1", PASS),
        ('-m u32 --u32 "0x6&0xff=0x6&&0x10=0xc0000209"', DROP),
        ('-m u32 --u32 "0x6&0xff=0x6&&0xc=0xc0000209"', PASS),
        ('-m u32 --u32 "0x4&0x3fff=0x0:0xff"', DROP),
        ('-m u32 --u32 "0x4=0x0:0xff"', UNKNOWN),
        ('-m u32 --u32 "0x5&0xff=0x3f"', DROP),
        ('-m u32 ! --u32 "0x5&0xff=0x3f"', PASS),
        ('-m u32 --u32 "0x8>>0x18=0x3f"', DROP),
        ('-m u32 --u32 "0x0>>0x16&0x3c@0x0&0xffff=0x50"', DROP_HEDGED),
        ('-m u32 --u32 "0x0>>0x16&0x3c@0xc>>0x10&0x12=0x2"', DROP_HEDGED),
        ('-m u32 --u32 "0x0>>0x16&0x3c@0x4=0x1"', UNKNOWN),
        ('-m u32 --u32 "0xfffffffe=0x0"', PASS),
        ('-m u32 ! --u32 "0xfffffffe=0x0"', DROP),
        ("-m cpu --cpu 0", UNKNOWN),
        ("-m recent --rcheck --name ssh --rsource", DROP_HEDGED),
        ("-m recent --rcheck --name ssh --rdest", PASS_HEDGED),
        ("-m recent ! --rcheck --name ssh --rsource", PASS_HEDGED),
        ("-m recent --rcheck --seconds 60 --hitcount 2 --name ssh --rsource", DROP_HEDGED),
        ("-m recent --rcheck --seconds 60 --hitcount 3 --name ssh --rsource", PASS_HEDGED),
        ("-m recent --rcheck --rttl --name ssh --rsource", DROP_HEDGED),
        ("-m recent --rcheck --hitcount 3 --name dark --rsource", DROP_HEDGED),
        ("-m recent --rcheck --seconds 60 --name dark --rsource", UNKNOWN),
    ],
)
def test_a_condition_on_a_forwarded_first_packet(condition: str, wanted: tuple[str, bool]) -> None:
    assert dropped(condition) == wanted


@pytest.mark.parametrize(
    ("condition", "changes", "wanted"),
    [
        ("-m owner --uid-owner 0", {}, DROP_HEDGED),
        ("-m owner --uid-owner 7", {}, PASS_HEDGED),
        ("-m owner --uid-owner 7", {"uid": 7}, DROP),
        ("-m owner --uid-owner 5-9", {"uid": 7}, DROP),
        ("-m owner ! --uid-owner 7", {"uid": 7}, PASS),
        ("-m owner --uid-owner 0", {"by_kernel": True}, PASS),
        ("-m owner ! --uid-owner 0", {"by_kernel": True}, DROP),
        ("-m cgroup --path app.slice", {}, PASS_HEDGED),
        ("-m cgroup --cgroup 0", {}, DROP_HEDGED),
        ("-p tcp -m tcpmss --mss 1400:1500", {}, DROP),
        ("-p tcp -m tcpmss --mss 1400:1500", {"tcp_flags": ("RST",)}, PASS),
        ("-p tcp -m tcpmss ! --mss 1400:1500", {"tcp_flags": ("RST",)}, DROP),
        ("-m ttl --ttl-eq 64", {"ttl": None}, DROP_HEDGED),
        ("-m ttl --ttl-lt 1", {"ttl": None}, PASS),
    ],
)
def test_a_condition_on_a_packet_that_is_made_here(
    condition: str, changes: dict[str, object], wanted: tuple[str, bool]
) -> None:
    assert dropped(condition, msgspec.structs.replace(OUTGOING, **changes), at="output") == wanted


@pytest.mark.parametrize(
    ("proto", "condition", "wanted"),
    [
        ("sctp", "-p sctp -m sctp --chunk-types any INIT", DROP_HEDGED),
        ("sctp", "-p sctp -m sctp --chunk-types only INIT,DATA", DROP_HEDGED),
        ("sctp", "-p sctp -m sctp --chunk-types all INIT,DATA", PASS_HEDGED),
        ("dccp", "-p dccp -m dccp --dccp-types REQUEST,DATA", DROP_HEDGED),
        ("dccp", "-p dccp -m dccp --dccp-types DATA", PASS_HEDGED),
        ("esp", "-p esp -m esp --espspi 5", PASS),
        ("esp", "-p esp -m esp --espspi 5000", PASS_HEDGED),
        ("esp", "-p esp -m esp --espspi 0:4294967295", DROP),
        ("tcp", "-p esp -m esp --espspi 5000", PASS),
    ],
)
def test_a_condition_on_another_protocol(proto: str, condition: str, wanted: tuple[str, bool]) -> None:
    assert dropped(condition, msgspec.structs.replace(SYN, proto=proto, tcp_flags=())) == wanted


def test_a_hedge_names_the_rule_and_the_number() -> None:
    (hedge,) = hook("-p udp -j DROP", "-m limit --limit 10/sec -j ACCEPT", "-j DROP").hedges
    assert hedge.text == (
        "mangle FORWARD rule 2 is taken to match: it matches while at most 10 packets a second come (burst 5)"
    )
    assert hedge.rule is not None
    assert hedge.rule.number == 2


def test_what_certainly_fails_or_changes_nothing_is_not_hedged() -> None:
    assert hook("-p udp -m limit --limit 1/sec -j DROP").hedges == ()
    assert hook("-m limit --limit 1/sec -p udp -j DROP").hedges == ()
    assert hook("-m limit --limit 1/sec -j LOG").hedges == ()
    assert hook("-m limit --limit 1/sec -j ACCEPT").hedges == ()


def test_who_looks_for_faults_does_not_rely_on_the_odds() -> None:
    rule = "-m statistic --mode random --probability 0.1 -j DROP"
    assert hook(rule).verdict == "accept"
    assert hook(rule, most=Assume.PLAIN).verdict == "unknown"
    assert hook("-m limit --limit 1/sec -j ACCEPT", "-j DROP", most=Assume.PLAIN).verdict == "accept"


def test_a_list_counts_what_rules_have_just_added() -> None:
    fresh = msgspec.structs.replace(HOST, recent=())
    added = "-m recent --set --name n --rsource"
    asked = "-m recent --rcheck --hitcount {} --name n --rsource -j DROP"
    assert hook(asked.format(1), ns=fresh).verdict == "accept"
    assert hook(added, asked.format(1), ns=fresh).verdict == "drop"
    assert hook(added, asked.format(2), ns=fresh).verdict == "accept"
    assert hook(added, added, asked.format(2), ns=fresh).verdict == "drop"
    assert hook("-p udp " + added, asked.format(1), ns=fresh).verdict == "accept"
    assert hook("-m recent --set --name other --rsource", asked.format(1), ns=fresh).verdict == "accept"
    assert (
        hook(asked.format(1), ns=msgspec.structs.replace(HOST, recent=Unread(reason="not allowed"))).verdict
        == "unknown"
    )


def test_a_set_has_what_rules_have_just_added_or_taken_out() -> None:
    empty, full = (
        NamedSet(name="s", type="hash:ip", elements=()),
        NamedSet(name="s", type="hash:ip", elements=(Element(key=("10.0.0.2",)),)),
    )
    asked = "-m set --match-set s src -j DROP"
    assert hook("-j SET --add-set s src", asked, ipsets=(empty,)).verdict == "drop"
    assert hook("-j SET --del-set s src", asked, ipsets=(full,)).verdict == "accept"
    assert hook("-j SET --add-set s dst", asked, ipsets=(full,)).verdict == "drop"
    assert hook(asked, ipsets=(full,)).hedges == ()
    assert hook(asked, "-j SET --add-set s src", ipsets=(empty,)).hedges, "other packets fill it"


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        (("-j TOS --set-tos 0x10/0x3f", "-m tos --tos 0x10/0xff"), DROP),
        (("-j DSCP --set-dscp 0x08", "-m dscp --dscp 0x08"), DROP),
        (("-p udp -j DSCP --set-dscp 0x08", "-m dscp --dscp 0x08"), PASS),
        (("-j TTL --ttl-set 9", "-m ttl --ttl-eq 9"), DROP),
        (("-j TTL --ttl-inc 3", "-m ttl --ttl-eq 66"), DROP),
        (("-j TTL --ttl-dec 70", "-m ttl --ttl-eq 0"), DROP),
        (("-p tcp -j TCPMSS --set-mss 1200", "-p tcp -m tcpmss --mss 1200"), PASS_HEDGED),
        (('-m connlabel --label "4" --set', '-m connlabel --label "4"'), DROP),
        (("-j CONNMARK --set-xmark 0x5/0xff", "-m connmark --mark 0x5"), DROP),
        (
            (
                "-j MARK --set-xmark 0x12/0xffffffff",
                "-j CONNMARK --save-mark --nfmask 0xf --ctmask 0xff",
                "-m connmark --mark 0x2",
            ),
            DROP,
        ),
        (("-j HMARK --hmark-tuple src --hmark-mod 4 --hmark-rnd 0x1", "-m mark --mark 0x1"), UNKNOWN),
        (("-j MARK --set-xmark 0x11/0xffffffff", "-m mark ! --mark 0x2/0xf -m mark --mark 0x10/0xf0"), DROP),
    ],
)
def test_what_a_rule_changes_later_ones_see(rules: tuple[str, ...], wanted: tuple[str, bool]) -> None:
    found = hook(*rules[:-1], f"{rules[-1]} -j DROP")
    assert (found.verdict, bool(found.hedges)) == wanted


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("--queue-num 7", "drop"),
        ("--queue-num 7 --queue-bypass", "accept"),
        ("--queue-num 5 --queue-bypass", "unknown"),
        ("--queue-balance 4:6", "unknown"),
        ("--queue-balance 6:9", "drop"),
    ],
)
def test_a_queue_is_for_the_program_that_reads_it(target: str, verdict: str) -> None:
    assert hook(f"-j NFQUEUE {target}", "-j ACCEPT").verdict == verdict
    assert (
        hook(f"-j NFQUEUE {target}", ns=msgspec.structs.replace(HOST, queues=Unread(reason="x"))).verdict == "unknown"
    )


@pytest.mark.parametrize(
    ("socket", "verdict"),
    [
        (Socket(proto="tcp", address="10.0.0.1", port=3128, transparent=True), "accept"),
        (Socket(proto="tcp", address=ANYWHERE, port=3128, transparent=True), "accept"),
        (Socket(proto="tcp", address="10.0.0.1", port=3128, transparent=False), "drop"),
        (Socket(proto="tcp", address="10.0.0.1", port=3129, transparent=True), "drop"),
        (Socket(proto="udp", address="10.0.0.1", port=3128, transparent=True), "drop"),
        (Socket(proto="tcp", address="10.0.0.1", port=3128), "unknown"),
    ],
)
def test_a_transparent_proxy_takes_what_its_socket_is_for(socket: Socket, verdict: str) -> None:
    ns = msgspec.structs.replace(HOST, sockets=(socket,))
    arriving = msgspec.structs.replace(SYN, oif="")
    found = hook(
        "-p tcp -j TPROXY --on-port 3128 --on-ip 10.0.0.1 --tproxy-mark 0x1/0x1",
        "-j DROP",
        packet=arriving,
        ns=ns,
        at="prerouting",
    )
    assert found.verdict == verdict
    if verdict == "accept":
        assert (found.packet.mark, found.packet.taken_by) == (1, "10.0.0.1 3128")


@pytest.mark.parametrize(
    ("condition", "address", "wanted"),
    [
        ("-m socket", "10.0.0.9", DROP),
        ("-m socket", ANYWHERE, PASS),
        ("-m socket --nowildcard", ANYWHERE, DROP),
        ("-m socket --nowildcard --transparent", ANYWHERE, PASS),
        ("-m socket", "10.0.0.8", PASS),
    ],
)
def test_a_socket_match_asks_who_listens(condition: str, address: str, wanted: tuple[str, bool]) -> None:
    ns = msgspec.structs.replace(HOST, sockets=(Socket(proto="tcp", address=address, port=80, transparent=False),))
    packet = msgspec.structs.replace(SYN, dst="10.0.0.9", oif="")
    assert dropped(condition, packet, ns=ns, at="prerouting") == wanted


def test_a_realm_is_not_told_from_the_routes_alone() -> None:
    ns = msgspec.structs.replace(
        HOST, routes=(Route(family="ip", table=254, type="unicast", dst="0.0.0.0/0", realm=1),)
    )
    assert dropped("-m realm --realm 0x1", ns=ns) == UNKNOWN


@pytest.mark.parametrize("what", ["inherited", "later"])
def test_what_a_connection_has_counted_before_is_not_known(what: str) -> None:
    """A connection of before has counted something, or nothing where the kernel didn't count yet."""
    rule = "-m connbytes --connbytes 1:1 --connbytes-mode packets --connbytes-dir original -j DROP"
    assert hook(rule).verdict == "drop"
    packet = msgspec.structs.replace(SYN, **{what: True})
    assert hook(rule, packet=packet).verdict == "unknown"
    assert hook(rule.replace("1:1", "0"), packet=packet).verdict == "drop"  # whatever it has counted
