"""Rules asked with a packet that meets them: what is proved, what is not on containers' way, what is too much."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.checks.decisions.asked_rules import AskedRule, asked_rules, every_rule
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import (
    Chain,
    Element,
    Firewall,
    Hook,
    Lookup,
    Match,
    NamedSet,
    Rule,
    Table,
    TableFamily,
    Verdict,
    VerdictMap,
)
from unit.builders.factories import HOST, docker_like_snapshot, with_namespace
from unit.builders.factories_links import filter_rule, namespace
from unit.diagnostics.checks.cases.policies import WEB_ADDRESS, with_chains
from unit.diagnostics.checks.cases.rules import insert


def proved(snapshot: Snapshot) -> list[AskedRule]:
    return [item for item in asked_rules(HostContext(snapshot)) if item.proven]


def packets(snapshot: Snapshot) -> list[str]:
    return [item.packet.tuple_text() for item in proved(snapshot) if item.packet is not None]


@pytest.mark.parametrize(
    ("spec", "packet"),
    [
        (f"-s {WEB_ADDRESS}/32 -d 192.0.2.0/24 -j DROP", "tcp 172.17.0.2:40000 → 192.0.2.0:443"),
        ("-i br-app -p udp -m udp --dport 123 -j REJECT", "udp 10.10.0.2:40000 → 198.51.100.77:123"),
        ("-i docker0 -p tcp -m multiport --dports 79:81 -j DROP", "tcp 172.17.0.2:40000 → 198.51.100.77:79"),
        ("-i eth0 -s 192.0.2.0/25 -j DROP", "tcp 192.0.2.0:40000 → 203.0.113.2:8080"),
        ("-i br-app -o br-app -p icmp -j DROP", "icmp 10.10.0.2 → 10.10.0.3"),
        ("-s 172.17.0.99/32 -j DROP", None),
        ("-i wg0 -j DROP", None),
        ("-i docker0 -d 240.0.0.0/4 -j DROP", None),
        ("-i docker0 -m conntrack --ctstate INVALID -j DROP", None),
    ],
)
def test_a_packet_is_made_that_meets_the_rule_and_ends_at_it(spec: str, packet: str | None) -> None:
    assert packets(insert(spec)) == ([packet] if packet else [])


PINGS = "-p icmp -m icmp --icmp-type 8"
LIMITED = f"{PINGS} -m limit --limit 10/sec --limit-burst 20 -j ACCEPT"


def test_a_drop_behind_a_limit_is_told_as_of_what_exceeds_it() -> None:
    host = insert(LIMITED, snapshot=insert(f"{PINGS} -j DROP"))
    (asked,) = proved(host)
    assert (asked.rule.text, asked.limit) == (f"{PINGS} -j DROP", "while at most 10 packets a second come (burst 20)")
    found = [item for item in run_checks(host).findings if item.check == "policy-drop"]
    assert [item.severity for item in found] == ["info"]
    assert "icmp outside above a limit: 1 dropping rule of FORWARD" in found[0].summary


def test_a_drop_that_asks_for_the_excess_itself_is_told_too() -> None:
    above = "-m hashlimit --hashlimit-above 500/sec --hashlimit-burst 500 --hashlimit-mode srcip --hashlimit-name syn"
    (asked,) = proved(insert(f"-i docker0 -p tcp -m tcp --tcp-flags SYN SYN {above} -j DROP"))
    assert "500" in asked.limit


def test_a_drop_that_nothing_reaches_above_the_limit_either_is_not_told() -> None:
    dropped = insert("-p icmp -j ACCEPT", snapshot=insert(f"{PINGS} -j DROP"))
    assert proved(insert(LIMITED, snapshot=dropped)) == []
    assert proved(insert(f"{PINGS} -m limit --limit 5/min -j LOG", snapshot=insert("-p icmp -j ACCEPT"))) == []


def test_an_address_with_a_port_of_an_ipset_is_asked_with_that_port() -> None:
    listed = NamedSet(name="nope", type="hash:ip,port", elements=(Element(key=("192.0.2.7", "udp:6667")),))
    host = insert("-m set --match-set nope dst,dst -j DROP")
    ns = namespace(host, HOST)
    assert isinstance(ns.firewall, Firewall)
    known = with_namespace(host, HOST, firewall=msgspec.structs.replace(ns.firewall, ipsets=(listed,)))
    assert packets(known) == ["udp 172.17.0.2:40000 → 192.0.2.7:6667"]


@pytest.mark.parametrize(
    ("chain", "spec", "packet"),
    [
        ("INPUT", "-i docker0 -p tcp -m tcp --dport 22 -j DROP", "tcp 172.17.0.2:40000 → 172.17.0.1:22"),
        ("INPUT", "-i eth0 -p tcp -m tcp --dport 22 -j DROP", None),
        ("OUTPUT", f"-d {WEB_ADDRESS}/32 -p udp -j DROP", "udp 172.17.0.1:40000 → 172.17.0.2:443"),
        ("OUTPUT", "-d 192.0.2.1/32 -j DROP", None),
    ],
    ids=("input", "input of another link", "output", "output to nobody"),
)
def test_rules_between_containers_and_their_host_are_asked_too(chain: str, spec: str, packet: str | None) -> None:
    assert packets(after(docker_like_snapshot(), [filter_rule(chain, spec)])) == ([packet] if packet else [])


@pytest.mark.parametrize(
    ("family", "hook", "devices", "packet"),
    [
        ("bridge", "prerouting", (), "tcp 10.10.0.2:40000 → 198.51.100.77:443"),
        ("bridge", "forward", (), "tcp 10.10.0.2:40000 → 10.10.0.3:443"),
        ("netdev", "ingress", ("veth77c3d4e",), "tcp 10.10.0.2:40000 → 198.51.100.77:443"),
        ("netdev", "ingress", ("wg0",), None),
    ],
    ids=("bridge in", "bridge across", "a port", "another device"),
)
def test_rules_for_frames_are_asked_at_their_ports(
    family: TableFamily, hook: Hook, devices: tuple[str, ...], packet: str | None
) -> None:
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    exprs = (Match(field="saddr", values=("10.10.0.2",)), Verdict(kind="drop"))
    rules = (Rule(number=1, text="ip saddr 10.10.0.2 drop", exprs=exprs),)
    chain = Chain(name="c", hook=hook, priority=0, type="filter", policy="accept", rules=rules, devices=devices)
    table = Table(family=family, name="x", backend="nftables", chains=(chain,))
    made = with_namespace(base, HOST, firewall=Firewall(tables=(*host.firewall.tables, table)))
    assert packets(made) == ([packet] if packet else [])


def test_a_rule_that_an_earlier_one_shadows_proves_nothing() -> None:
    first = insert(f"-s {WEB_ADDRESS}/32 -p tcp -m tcp --dport 25 -j DROP")
    assert len(proved(first)) == 1
    shadowed = with_chains(
        "FORWARD", corp=("-p tcp -m tcp --dport 25 -j ACCEPT", "-i docker0 -p tcp -m tcp --dport 25 -j DROP")
    )
    assert proved(shadowed) == []


def native(*rules: Rule, sets: tuple[NamedSet, ...] = ()) -> Snapshot:
    base = docker_like_snapshot()
    host = namespace(base, HOST)
    assert isinstance(host.firewall, Firewall)
    hook = Chain(name="ways", hook="forward", priority=5, type="filter", policy="accept", rules=rules)
    table = Table(family="inet", name="guard", backend="nftables", chains=(hook,), sets=sets)
    return with_namespace(base, HOST, firewall=Firewall(tables=(*host.firewall.tables, table)))


def test_elements_of_sets_and_of_verdict_maps_are_met() -> None:
    bad = NamedSet(name="bad", type="ipv4_addr", elements=(Element(key=("192.0.2.0/24",)),))
    asked = Lookup(fields=("daddr",), set="bad")
    lookup = Rule(number=1, text="ip daddr @bad drop", exprs=(asked, Verdict(kind="drop")))
    assert packets(native(lookup, sets=(bad,))) == ["tcp 172.17.0.2:40000 → 192.0.2.0:443"]
    drop, pass_on = Verdict(kind="drop"), Verdict(kind="accept")
    elements = (Element(key=("443",), verdict=pass_on), Element(key=("25",), verdict=drop))
    mapped = Rule(number=1, text="tcp dport vmap", exprs=(VerdictMap(fields=("dport",), elements=elements),))
    assert packets(native(mapped)) == ["tcp 172.17.0.2:40000 → 198.51.100.77:25"]


def test_very_many_rules_are_counted_and_only_some_of_them_asked() -> None:
    many = tuple(f"-d 192.0.2.{number}/32 -j DROP" for number in range(250))
    asked = asked_rules(HostContext(with_chains("FORWARD", f2b_docker=many)))
    assert len(asked) == len(many)
    assert 0 < sum(item.proven for item in asked) < 50
    finding = next(item for item in run_checks(with_chains("FORWARD", f2b_docker=many)).findings)
    assert "250 dropping rules of f2b-docker (3000 packets so far)" in finding.summary
    assert (finding.severity, finding.owner and finding.owner.name) == ("info", "fail2ban")


def test_what_was_dropped_since_an_earlier_snapshot_is_said() -> None:
    now = with_chains("FORWARD", f2b_docker=("-d 192.0.2.1/32 -j DROP",))
    host = namespace(now, HOST)
    assert isinstance(host.firewall, Firewall)
    tables = tuple(
        msgspec.structs.replace(
            table,
            chains=tuple(
                msgspec.structs.replace(
                    chain, rules=tuple(msgspec.structs.replace(rule, packets=9, bytes=540) for rule in chain.rules)
                )
                if chain.name == "f2b-docker"
                else chain
                for chain in table.chains
            ),
        )
        for table in host.firewall.tables
    )
    before = with_namespace(now, HOST, firewall=Firewall(tables=tables))
    before = msgspec.structs.replace(before, taken_at="2026-11-21T09:59:00Z")
    report = run_checks(now, before=before)
    assert any("12 packets so far, 3 in the last minute" in item.summary for item in report.findings)


def test_the_whole_list_has_the_engines_rules_too_and_only_where_it_is_asked_for() -> None:
    host = insert(f"-s {WEB_ADDRESS}/32 -p tcp -m tcp --dport 25 -j DROP")
    owners = {item.owner.kind for item in every_rule(HostContext(host))}
    assert owners == {"administrator", "engine"}
    assert run_checks(host).policy is None
    listed = run_checks(host, policy=True).policy
    assert listed is not None
    assert {"docker", "administrator"} <= {item.owner.name.partition(" ")[0] for item in listed}


def test_a_healthy_host_says_nothing_of_rules() -> None:
    assert run_checks(docker_like_snapshot()).findings == ()
