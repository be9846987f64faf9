"""iptables' rules as the kernel and the real programs have them: read exactly, written back exactly, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dnet_tui.actions.demo.sandbox import Sandbox
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall, Rule, Verdict
from lab.machines.hosts import LAB_ID, LAB_VARIABLE, python_argv
from lab.machines.requirements import require_lab
from unit.builders.iptables_render import render_tables

DATA = Path(__file__).parents[2] / "unit" / "data"
SAMPLES = sorted(DATA.glob("ip*tables_*.save"))

_READ = """
import sys
import msgspec
from dnet_tui.inspect.ruleset.read_iptables import read_firewall
sys.stdout.buffer.write(msgspec.json.encode(read_firewall("net:[1]")))
"""
_NATIVE = """
table inet fw {
  chain c { type filter hook forward priority 0; policy accept; }
}
table ip dozing {
  flags dormant
  chain c { type filter hook forward priority 0; policy accept; }
}
table ip hollow { }
"""
_STATE = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")


@pytest.fixture
def bare() -> Iterator[Sandbox]:
    """A private host with nothing on it."""
    require_lab()
    with Sandbox.start("bare", environment={LAB_VARIABLE: LAB_ID}) as sandbox:
        yield sandbox


def do(host: Sandbox, *argv: str, stdin: bytes = b"") -> str:
    """Run a command that must not fail, and return what it prints."""
    return host.run(argv, stdin=stdin, check=True).stdout.decode()


def read(host: Sandbox) -> tuple[Firewall, tuple[Gap, ...]]:
    """Read the host's firewall from inside it."""
    return msgspec.json.decode(do(host, *python_argv(_READ)), type=tuple[Firewall, tuple[Gap, ...]])


def state(host: Sandbox) -> str:
    """All that reading could have changed: nftables' ruleset and the legacy tables' names."""
    return do(host, "nft", "list", "ruleset") + do(host, "cat", *_STATE)


def lines(text: str) -> list[str]:
    """The lines of a save text without its dates, sorted: the order of tables isn't the rules' meaning."""
    return sorted(line for line in text.splitlines() if line and not line.startswith("#"))


def only(firewall: Firewall, chain: str) -> tuple[Rule, ...]:
    """The rules of one chain of the only table that has one of that name."""
    (found,) = [item for table in firewall.tables for item in table.chains if item.name == chain and item.rules]
    return found.rules


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_ruleset_survives_reading_writing_and_loading(bare: Sandbox, path: Path) -> None:
    program = "ip6tables-nft" if path.name.startswith("ip6") else "iptables-nft"
    do(bare, f"{program}-restore", "-c", stdin=path.read_bytes())
    before = do(bare, f"{program}-save", "-c")
    assert lines(before) == lines(path.read_text()), "the sample is what the program prints"
    tables = parse_save(before, backend="iptables-nft", family="ip6" if program.startswith("ip6") else "ip")
    do(bare, "nft", "flush", "ruleset")
    do(bare, f"{program}-restore", "-c", stdin=render_tables(tables, counters=True).encode())
    assert lines(do(bare, f"{program}-save", "-c")) == lines(before)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_is_read_is_what_was_loaded_with_the_kernels_handles(bare: Sandbox, path: Path) -> None:
    family, program = ("ip6", "ip6tables-nft") if path.name.startswith("ip6") else ("ip", "iptables-nft")
    do(bare, f"{program}-restore", "-c", stdin=path.read_bytes())
    firewall, gaps = read(bare)
    assert gaps == ()
    assert firewall.unread == ()
    wanted = parse_save(path.read_text(), backend="iptables-nft", family="ip6" if family == "ip6" else "ip")
    assert {
        (table.name, chain.name): [(rule.text, rule.exprs, rule.packets) for rule in chain.rules]
        for table in firewall.tables
        for chain in table.chains
        if chain.rules
    } == {
        (table.name, chain.name): [(rule.text, rule.exprs, rule.packets) for rule in chain.rules]
        for table in wanted
        for chain in table.chains
        if chain.rules
    }
    for table in firewall.tables:
        listed = do(bare, "nft", "-a", "list", "table", family, table.name)
        # Rules stand two tabs deep; the chains that hold them have handles as well.
        handles = [int(found) for found in re.findall(r"^\t\t\s*\S.*# handle (\d+)$", listed, re.MULTILINE)]
        read_handles = [rule.handle for chain in table.chains for rule in chain.rules]
        assert sorted(read_handles, key=str) == sorted(handles, key=str)


def test_reading_changes_nothing_where_there_is_nothing(bare: Sandbox) -> None:
    before = state(bare)
    assert read(bare) == (Firewall(), ())
    assert state(bare) == before
    assert before.strip() == "", "no table, neither of nft nor legacy"


def test_reading_changes_nothing_where_there_are_rules(bare: Sandbox) -> None:
    do(bare, "iptables-nft-restore", "-c", stdin=(DATA / "iptables_docker_20_10.save").read_bytes())
    do(bare, "ip6tables-nft-restore", "-c", stdin=(DATA / "ip6tables_docker.save").read_bytes())
    before = state(bare)
    firewall, _ = read(bare)
    assert len(firewall.tables) == 4
    assert state(bare) == before


def test_legacy_tables_are_read_and_only_where_they_exist(bare: Sandbox) -> None:
    do(bare, "iptables-legacy-restore", stdin=b"*filter\n-A FORWARD -i docker0 -j DROP\nCOMMIT\n")
    before = state(bare)
    firewall, gaps = read(bare)
    assert [(table.backend, table.family, table.name) for table in firewall.tables] == [
        ("iptables-legacy", "ip", "filter")
    ]
    assert [rule.text for rule in only(firewall, "FORWARD")] == ["-i docker0 -j DROP"]
    assert gaps == ()
    assert state(bare) == before, "no other legacy table was created"


@pytest.mark.parametrize(
    "rule",
    [
        "ip saddr { 198.51.100.1, 198.51.100.2 } drop",
        "ip saddr @blocked drop",
        "ip saddr 198.51.100.1-198.51.100.5 drop",
        "ip saddr . ip daddr { 198.51.100.1 . 203.0.113.1 } drop",
        "iifname . oifname { a . b } drop",
        "ip saddr vmap { 198.51.100.1 : drop }",
        "ip saddr 198.51.100.1 ip saddr != 198.51.100.2 drop",
        "tcp dport { 80, 443 } drop",
        "tcp sequence 5 drop",
        "udp length 50 drop",
        "tcp dport & 0xff == 5 drop",
    ],
)
def test_a_rule_of_nft_that_iptables_shows_wrongly_is_never_believed(bare: Sandbox, rule: str) -> None:
    do(bare, "iptables-nft-restore", stdin=b"*filter\n-A FORWARD -i docker0 -j ACCEPT\nCOMMIT\n")
    do(bare, "nft", "add", "set", "ip", "filter", "blocked", "{ type ipv4_addr; }")
    do(bare, "nft", "add", "rule", "ip", "filter", "FORWARD", rule)
    firewall, _ = read(bare)
    if any(item.name == "filter" for item in firewall.unread):
        return
    own, foreign = only(firewall, "FORWARD")
    assert own.text == "-i docker0 -j ACCEPT"
    assert not foreign.text.startswith("-"), "it is told in nft's words, or as one that can't be decided"
    assert not isinstance(foreign.exprs[0], Verdict), "it asks for something before it drops"


@pytest.mark.parametrize("rule", ["ct state new drop", "ip dscp 5 drop", "meta skuid 5 drop", "notrack"])
def test_a_table_that_iptables_cannot_show_is_read_natively_or_unread(bare: Sandbox, rule: str) -> None:
    do(bare, "iptables-nft-restore", "-c", stdin=(DATA / "iptables_docker_20_10.save").read_bytes())
    do(bare, "nft", "add", "rule", "ip", "filter", "INPUT", rule)
    firewall, gaps = read(bare)
    assert "nat" in {table.name for table in firewall.tables}
    if [item.name for item in firewall.unread] == ["filter"]:
        assert gaps
        return
    table = next(table for table in firewall.tables if table.name == "filter")
    added = next(chain for chain in table.chains if chain.name == "INPUT").rules[-1]
    assert not added.text.startswith("-j"), "the added rule is not taken for one without conditions"
    forward = next(chain for chain in table.chains if chain.name == "FORWARD")
    assert len(forward.rules) > 10, "Docker's own rules are still there"


def test_native_tables_are_read_and_sleeping_ones_marked(bare: Sandbox) -> None:
    do(bare, "nft", "-f", "-", stdin=_NATIVE.encode())
    firewall, _ = read(bare)
    assert firewall.unread == ()
    awake = [(table.family, table.name) for table in firewall.tables if not table.dormant]
    assert awake == [("ip", "hollow"), ("inet", "fw")]


def test_without_privileges_nothing_is_claimed(bare: Sandbox) -> None:
    do(bare, "iptables-nft-restore", stdin=b"*filter\n-A FORWARD -j DROP\nCOMMIT\n")
    # A user namespace of its own has no rights over the network namespace it came from.
    said = do(bare, "unshare", "--user", *python_argv(_READ))
    firewall, gaps = msgspec.json.decode(said, type=tuple[Firewall, tuple[Gap, ...]])
    assert firewall.tables == ()
    assert {item.family for item in firewall.unread} == {"ip", "ip6"}
    assert [gap.hint for gap in gaps] == ["run dnet-tui as root"]
