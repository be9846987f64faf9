"""Native nftables on a real kernel, compared with what nft itself says; and that looking changes nothing.

Docker 29, netavark, firewalld, kube-proxy, libvirt and LXD aren't here: rulesets as they write them are loaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Chain, Firewall, Lookup, Match, Opaque, Rule, SetLookup, Table
from dnet_tui.inspect.nftables.rule import sets_used
from lab.machines.hosts import DemoHost, python_argv
from lab.machines.requirements import require_lab

RULESETS = Path(__file__).parents[1] / "rulesets"
NAMES = ("docker_29", "netavark", "firewalld", "kube_proxy", "libvirt_lxd", "by_hand")

_READ = """
import sys, msgspec
from dnet_tui.inspect.ruleset.read_iptables import read_firewall
from dnet_tui.inspect.kernel.nfnetlink_tables import NftSocket
with NftSocket() as nft:
    before = nft.generation()
    firewall, gaps = read_firewall("net:[1]")
    sys.stdout.buffer.write(msgspec.json.encode([firewall, gaps, nft.generation() - before]))
"""


@pytest.fixture(autouse=True)
def needs_nft() -> None:
    require_lab("nft")


class Reading(msgspec.Struct, array_like=True):
    """What was read, and how often the ruleset was changed meanwhile."""

    firewall: Firewall
    gaps: tuple[Gap, ...]
    changes: int

    def table(self, family: str, name: str) -> Table:
        """One table."""
        return next(item for item in self.firewall.tables if (item.family, item.name) == (family, name))

    def chain(self, family: str, table: str, name: str) -> Chain:
        """One chain."""
        return next(item for item in self.table(family, table).chains if item.name == name)


def load(host: DemoHost, *names: str) -> None:
    """Load rulesets beside what the host has."""
    for name in names:
        host.run("nft", "-f", "-", stdin=(RULESETS / f"{name}.nft").read_bytes())


def read(host: DemoHost) -> Reading:
    return msgspec.json.decode(host.run(*python_argv(_READ)).stdout, type=Reading)


def told(host: DemoHost, *command: str) -> list[dict[str, Any]]:
    """The objects that ``nft -j`` prints."""
    found: list[dict[str, Any]] = json.loads(host.run("nft", "-j", "-a", *command).stdout)["nftables"]
    return found


def ruleset(host: DemoHost) -> bytes:
    return host.run("nft", "-a", "-s", "list", "ruleset").stdout


@pytest.mark.parametrize("name", NAMES)
def test_tables_chains_and_rules_are_those_that_nft_lists(demo_host: DemoHost, name: str) -> None:
    load(demo_host, name)
    found = read(demo_host)
    assert (found.firewall.unread, found.gaps) == ((), ())
    native = [table for table in found.firewall.tables if table.backend == "nftables"]
    listed = {tuple(line.split()[1:]) for line in demo_host.run("nft", "list", "tables").stdout.decode().splitlines()}
    assert {(item.family, item.name) for item in found.firewall.tables} == listed
    assert native
    for table in native:
        if table.dormant:
            continue  # nft 1.0.6 prints broken JSON for these
        objects = told(demo_host, "list", "table", table.family, table.name)
        _compare_chains(table, objects)
        _compare_sets(demo_host, table, objects)


def _compare_chains(table: Table, objects: list[dict[str, Any]]) -> None:
    chains = [item["chain"] for item in objects if "chain" in item]
    rules = [item["rule"] for item in objects if "rule" in item]
    assert [chain.name for chain in table.chains] == [chain["name"] for chain in chains]
    for chain, wanted in zip(table.chains, chains, strict=True):
        base = (chain.hook, chain.type, chain.policy, chain.priority)
        assert base == (wanted.get("hook"), wanted.get("type", ""), wanted.get("policy", ""), wanted.get("prio", 0))
        own = [rule for rule in rules if rule["chain"] == chain.name]
        assert [rule.handle for rule in chain.rules] == [rule["handle"] for rule in own]
        assert [rule.comment for rule in chain.rules] == [rule.get("comment", "") for rule in own]
        for rule, raw in zip(chain.rules, own, strict=True):
            assert rule.text
            kinds = {kind for item in raw["expr"] if isinstance(item, dict) for kind in item}
            assert (rule.packets is not None) == ("counter" in kinds and 'counter name "' not in rule.text)


def _compare_sets(host: DemoHost, table: Table, objects: list[dict[str, Any]]) -> None:
    used = {name for chain in table.chains for rule in chain.rules for name in sets_used(rule.exprs)}
    named = {body["name"]: kind for item in objects for kind, body in item.items() if kind in {"set", "map"}}
    assert {item.name: "map" if item.is_map else "set" for item in table.sets} == named
    for item in table.sets:
        if item.name not in used:
            assert item.elements is None
            continue
        (listed,) = (
            one[named[item.name]]
            for one in told(host, "list", named[item.name], table.family, table.name, item.name)
            if named[item.name] in one
        )
        assert item.elements is not None
        assert len(item.elements) == len(listed.get("elem", []))


def test_a_dormant_table_is_read_as_one(demo_host: DemoHost) -> None:
    load(demo_host, "by_hand")
    table = read(demo_host).table("ip", "asleep")
    assert table.dormant
    (chain,) = table.chains
    assert (chain.hook, chain.priority, chain.policy) == ("input", 0, "drop")
    assert [rule.text for rule in chain.rules] == ["tcp dport 22 accept"]


def test_counters_are_those_of_the_kernel(demo_host: DemoHost) -> None:
    demo_host.run(
        "nft", "-f", "-", stdin=b'table ip t { chain c { counter packets 7 bytes 420 drop comment "it\'s x"; }; }\n'
    )
    rule = read(demo_host).chain("ip", "t", "c").rules[0]
    assert (rule.packets, rule.bytes, rule.comment) == (7, 420, "it's x")


def test_looking_changes_nothing(demo_host: DemoHost) -> None:
    load(demo_host, *NAMES)
    before = ruleset(demo_host)
    found = read(demo_host)
    assert len(found.firewall.tables) > len(NAMES)
    assert found.changes == 0
    assert ruleset(demo_host) == before


HOSTILE = """
import socket, struct, sys
def attribute(kind, value):
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\\0" * (-length % 4)
def message(kind, flags, number, family, resource, payload):
    body = struct.pack("=BBH", family, 0, socket.htons(resource)) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, number, 0) + body
name = sys.argv[1].encode() + b"\\0"
hook = attribute(1, struct.pack(">I", 2)) + attribute(2, struct.pack(">i", 0))
chain = attribute(1, name) + attribute(3, b"x y\\0") + attribute(4 | 0x8000, hook) + attribute(7, b"filter\\0")
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
sock.bind((0, 0))
sock.send(message(0x10, 1, 1, 0, 10, b"") + message(10 << 8, 0x405, 2, 2, 0, attribute(1, name))
    + message(10 << 8 | 3, 0x405, 3, 2, 0, chain) + message(0x11, 1, 4, 0, 10, b""))
for _ in range(2):
    length, kind, _flags, _number, _port, status = struct.unpack_from("=IHHIIi", sock.recv(65536))
    assert kind == 2 and status == 0, status
"""


@pytest.mark.parametrize("name", ["x; flush ruleset", '"', "}\nflush ruleset\n{", "$x", "a b # c"])
def test_a_table_may_have_any_name_and_it_is_only_a_name(demo_host: DemoHost, name: str) -> None:
    demo_host.run(*python_argv(HOSTILE), name)
    before = ruleset(demo_host)
    found = read(demo_host)
    assert [chain.name for chain in found.table("ip", name).chains] == ["x y"]
    assert found.gaps == ()
    assert ruleset(demo_host) == before


def test_a_large_set_is_not_read_and_only_its_lookups_are_undecided(demo_host: DemoHost) -> None:
    elements = ", ".join(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(70_000))
    big = f"set big {{ type ipv4_addr; elements = {{ {elements} }}; }}"
    text = f"table ip t {{ {big}; chain c {{ ip saddr @big drop; }}; }}"
    demo_host.run("nft", "-f", "-", stdin=text.encode())
    found = read(demo_host)
    (unread,) = found.table("ip", "t").sets
    assert unread.elements is None
    assert found.firewall.unread == ()
    assert ["more than 65536" in gap.reason for gap in found.gaps] == [True]


def test_nfts_rules_among_those_of_iptables_are_read_in_their_places(demo_host: DemoHost) -> None:
    own = read(demo_host).chain("ip", "filter", "FORWARD")
    demo_host.run("nft", "add", "set", "ip", "filter", "bad", "{ type ipv4_addr; }")
    demo_host.run("nft", "add", "element", "ip", "filter", "bad", "{ 198.51.100.7 }")
    demo_host.run("nft", "insert", "rule", "ip", "filter", "FORWARD", "ip saddr @bad counter drop")
    found = read(demo_host)
    table = found.table("ip", "filter")
    if table.backend == "nftables":
        pytest.fail("iptables refuses this table: then this test shows nothing")
    forward = found.chain("ip", "filter", "FORWARD")
    assert [rule.text for rule in forward.rules[1:]] == [rule.text for rule in own.rules]
    first = forward.rules[0]
    assert first.text == "ip saddr @bad counter drop"
    assert first.exprs[0] == Lookup(fields=("saddr",), set="bad")
    assert [len(item.elements or ()) for item in table.sets] == [1]
    assert found.gaps == ()


def test_a_table_that_iptables_refuses_is_read_by_nft(demo_host: DemoHost) -> None:
    own = read(demo_host).chain("ip", "filter", "FORWARD")
    demo_host.run("nft", "insert", "rule", "ip", "filter", "FORWARD", "ct state invalid counter drop")
    found = read(demo_host)
    table = found.table("ip", "filter")
    assert (table.backend, found.firewall.unread) == ("nftables", ())
    forward = found.chain("ip", "filter", "FORWARD")
    assert (forward.hook, forward.policy) == (own.hook, own.policy)
    assert len(forward.rules) == len(own.rules) + 1
    assert forward.rules[0].exprs[0] == Match(field="ctstate", values=("INVALID",))
    opaque = [rule for rule in forward.rules if any(isinstance(expr, Opaque) for expr in rule.exprs)]
    assert [gap.scope for gap in found.gaps] == (["net:[1]"] if opaque else [])


def test_the_ipsets_that_rules_use_are_read(demo_host: DemoHost) -> None:
    require_lab("ipset")
    sets = (
        b"create bad hash:ip,port\nadd bad 198.51.100.7,tcp:80\nadd bad 198.51.100.8,udp:53\n"
        b"create all list:set\nadd all bad\ncreate unused hash:ip\n"
    )
    demo_host.run("ipset", "restore", stdin=sets)
    demo_host.run("iptables-nft", "-I", "FORWARD", "-m", "set", "--match-set", "all", "src,dst", "-j", "DROP")
    before = demo_host.run("ipset", "save").stdout
    found = read(demo_host)
    first: Rule = found.chain("ip", "filter", "FORWARD").rules[0]
    assert first.exprs[0] == SetLookup(name="all", dirs=("src", "dst"))
    shown = {item.name: sorted(element.key for element in item.elements or ()) for item in found.firewall.ipsets}
    assert shown == {"all": [("bad",)], "bad": [("198.51.100.7", "tcp:80"), ("198.51.100.8", "udp:53")]}
    assert found.gaps == ()
    assert demo_host.run("ipset", "save").stdout == before
