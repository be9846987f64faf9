"""Reading a namespace's firewall, with the kernel and the programs replaced: what isn't seen is said."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from dnet_tui.inspect.kernel import run_program
from dnet_tui.inspect.kernel.nfnetlink_tables import InterruptedDumpError, NftRule, NftTable
from dnet_tui.inspect.model.firewall import Chain, NamedSet, Opaque, Rule, Table, UnreadTable, Verdict
from dnet_tui.inspect.ruleset import read_iptables
from dnet_tui.inspect.ruleset.read_ipset import Ipsets
from dnet_tui.inspect.ruleset.read_iptables import read_firewall
from dnet_tui.inspect.ruleset.read_nft import NativeTables, ReadFailure
from dnet_tui.inspect.ruleset.run_save import Saved, save
from unit.inspect.ruleset.test_iptables_fidelity import DROP, FOREIGN

SCOPE = "net:[1]"
SAVED = "*filter\n:FORWARD DROP [0:0]\n[1:60] -A FORWARD -j DROP\nCOMMIT\n"


class FakeKernel:
    """nf_tables, the legacy tables' names and the save programs."""

    def __init__(self, proc: Path) -> None:
        self.tables: list[NftTable] = []
        self.nft_rules: dict[tuple[str, str], list[NftRule]] = {}
        self.error: Exception | None = None
        self.generations = [1]
        self.output: dict[tuple[str, str], Saved] = {}
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []
        self.native: dict[tuple[str, str], Table] = {}
        self.proc = proc

    def own(self, family: str = "ip", text: str = SAVED) -> None:
        """One iptables table with one rule."""
        self.tables.append(NftTable(family, "filter"))  # type: ignore[arg-type]
        self.nft_rules[family, "filter"] = [NftRule("FORWARD", 7, DROP)]
        self.output["iptables-nft", family] = Saved(text, ("filter",))

    def legacy(self, family: str, names: str) -> None:
        (self.proc / f"{family}_tables_names").write_text(names)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeKernel:
    fake = FakeKernel(tmp_path)

    class FakeSocket:
        def __enter__(self) -> Self:
            if fake.error is not None:
                raise fake.error
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def tables(self) -> tuple[NftTable, ...]:
            return tuple(fake.tables)

        def rules(self, family: str, table: str) -> tuple[NftRule, ...]:
            return tuple(fake.nft_rules.get((family, table), ()))

        def generation(self) -> int:
            return fake.generations.pop(0) if len(fake.generations) > 1 else fake.generations[0]

    def fake_save(backend: Any, family: Any, tables: Sequence[str]) -> tuple[Saved, ...]:
        fake.calls.append((backend, family, tuple(tables)))
        return (fake.output[backend, family],)

    def fake_read_tables(tables: Sequence[NftTable], _: Any) -> NativeTables:
        shown = tuple(fake.native[item.family, item.name] for item in tables if (item.family, item.name) in fake.native)
        absent = [item for item in tables if (item.family, item.name) not in fake.native]
        unread = tuple(
            UnreadTable(family=item.family, name=item.name, backend="nftables", reason="silent") for item in absent
        )
        said = (
            (ReadFailure("nft is silent: " + ", ".join(f"{item.family} {item.name}" for item in absent)),)
            if absent
            else ()
        )
        return NativeTables(shown, unread, said)

    monkeypatch.setattr(read_iptables, "NftSocket", FakeSocket)
    monkeypatch.setattr(read_iptables, "read_tables", fake_read_tables)
    monkeypatch.setattr(read_iptables, "save", fake_save)
    monkeypatch.setattr(read_iptables, "_PROC", tmp_path)
    return fake


def test_a_namespace_without_tables_spawns_nothing(kernel: FakeKernel) -> None:
    kernel.legacy("ip", "")
    firewall, gaps = read_firewall(SCOPE)
    assert (firewall.tables, firewall.unread, gaps) == ((), (), ())
    assert kernel.calls == []


def test_only_the_families_that_have_tables_are_asked(kernel: FakeKernel) -> None:
    kernel.own("ip6")
    firewall, gaps = read_firewall(SCOPE)
    assert kernel.calls == [("iptables-nft", "ip6", ("filter",))]
    assert gaps == ()
    (table,) = firewall.tables
    assert (table.family, table.backend) == ("ip6", "iptables-nft")
    assert [(rule.handle, rule.packets) for rule in table.chains[0].rules] == [(7, 1)]


def test_legacy_tables_are_read_beside_those_of_nft(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.legacy("ip", "filter\n")
    kernel.output["iptables-legacy", "ip"] = Saved(SAVED, ("filter",))
    firewall, gaps = read_firewall(SCOPE)
    assert [table.backend for table in firewall.tables] == ["iptables-nft", "iptables-legacy"]
    assert gaps == ()


def test_a_rule_that_iptables_shows_wrongly_cannot_be_decided(kernel: FakeKernel) -> None:
    kernel.own(text=SAVED.replace("COMMIT", "[0:0] -A FORWARD -s 10.0.0.1/32 -j DROP\nCOMMIT"))
    kernel.nft_rules["ip", "filter"] = [NftRule("FORWARD", 7, FOREIGN["a set"]), NftRule("FORWARD", 8, DROP)]
    firewall, gaps = read_firewall(SCOPE)
    first, second = firewall.tables[0].chains[0].rules
    assert [expr.role for expr in first.exprs if isinstance(expr, Opaque)] == ["match", "target"]
    assert "DROP" not in first.text
    assert second.text == "-s 10.0.0.1/32 -j DROP"
    assert {gap.scope for gap in gaps} == {SCOPE}
    assert "nft -a list table ip filter" in gaps[-1].hint


def native(name: str, *rules: Rule) -> Table:
    """A table of family ip as nft shows it."""
    return Table(family="ip", name=name, backend="nftables", chains=(Chain(name="FORWARD", rules=rules),))


def test_a_rule_that_iptables_shows_wrongly_is_read_by_nft(kernel: FakeKernel) -> None:
    kernel.own(text=SAVED.replace("COMMIT", "[0:0] -A FORWARD -s 10.0.0.1/32 -j DROP\nCOMMIT"))
    kernel.nft_rules["ip", "filter"] = [NftRule("FORWARD", 7, DROP), NftRule("FORWARD", 8, FOREIGN["a set"])]
    wrongly = Rule(number=1, text="drop", exprs=(Verdict(kind="drop"),), handle=7)
    rightly = Rule(number=2, text="ip saddr @s drop", exprs=(Verdict(kind="drop"),), handle=8)
    kernel.native["ip", "filter"] = native("filter", wrongly, rightly)
    firewall, gaps = read_firewall(SCOPE)
    (table,) = firewall.tables
    assert table.backend == "iptables-nft"
    assert [rule.text for rule in table.chains[0].rules] == ["-j DROP", "ip saddr @s drop"], "each by who knows it"
    assert gaps == ()


def test_a_ruleset_that_changes_meanwhile_is_read_again(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.generations = [1, 2, 3]
    firewall, gaps = read_firewall(SCOPE)
    assert len(kernel.calls) == 2
    assert len(firewall.tables) == 1
    assert gaps == ()


def test_a_table_whose_rules_do_not_agree_is_not_trusted(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.nft_rules["ip", "filter"].append(NftRule("FORWARD", 8, DROP))
    firewall, gaps = read_firewall(SCOPE)
    assert [(item.name, item.family) for item in firewall.unread] == [("filter", "ip")]
    assert "changed" in gaps[0].reason


def test_native_tables_are_read_by_nft_and_what_iptables_does_not_use_too(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.tables += [
        NftTable("inet", "firewalld"),
        NftTable("ip", "nat", dormant=True),
        NftTable("ip", "mangle", empty=True),
        NftTable("bridge", "filter"),
    ]
    kernel.native["ip", "nat"] = Table(family="ip", name="nat", backend="nftables", dormant=True)
    kernel.native["ip", "mangle"] = native("mangle")
    kernel.native["bridge", "filter"] = Table(family="bridge", name="filter", backend="nftables")
    firewall, gaps = read_firewall(SCOPE)
    assert {(item.family, item.name, item.backend, item.dormant) for item in firewall.tables} == {
        ("ip", "filter", "iptables-nft", False),
        ("ip", "nat", "nftables", True),
        ("ip", "mangle", "nftables", False),
        ("bridge", "filter", "nftables", False),
    }
    assert [(item.family, item.name) for item in firewall.unread] == [("inet", "firewalld")]
    assert [gap.reason for gap in gaps] == ["nft is silent: inet firewalld"]
    assert kernel.calls == [("iptables-nft", "ip", ("filter",))]


def test_a_table_that_iptables_refuses_to_show_is_read_by_nft(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.tables.append(NftTable("ip", "nat"))
    kernel.output["iptables-nft", "ip"] = Saved(SAVED, ("filter", "nat"), incompatible=frozenset({"nat"}))
    opaque = Rule(number=1, text="dnat to 10.0.0.1", exprs=(Opaque(text='xt target "DNAT"', role="target"),), handle=3)
    kernel.native["ip", "nat"] = native("nat", opaque)
    firewall, gaps = read_firewall(SCOPE)
    assert {(table.name, table.backend) for table in firewall.tables} == {
        ("filter", "iptables-nft"),
        ("nat", "nftables"),
    }
    assert firewall.unread == ()
    assert ["1 of its rules" in gap.reason for gap in gaps] == [True]


def test_a_table_that_nobody_shows_is_unread_and_the_others_are_read(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.tables.append(NftTable("ip", "nat"))
    kernel.output["iptables-nft", "ip"] = Saved(SAVED, ("filter", "nat"), incompatible=frozenset({"nat"}))
    firewall, gaps = read_firewall(SCOPE)
    assert [table.name for table in firewall.tables] == ["filter"]
    assert [(item.name, item.backend) for item in firewall.unread] == [("nat", "nftables")]
    assert len(gaps) == 1


def test_the_ipsets_that_rules_use_are_read(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "-A FORWARD -m set --match-set bad src -j DROP\n-A FORWARD -j SET --add-set bad src\n"
    kernel.own(text=SAVED.replace("COMMIT", f"{rules}COMMIT"))
    kernel.nft_rules["ip", "filter"] += [NftRule("FORWARD", 8, DROP), NftRule("FORWARD", 9, DROP)]
    asked: list[tuple[tuple[str, ...], frozenset[str]]] = []

    def fake(names: tuple[str, ...], filled: frozenset[str]) -> Ipsets:
        asked.append((names, filled))
        return Ipsets((NamedSet(name="bad", type="hash:ip"),), (ReadFailure("not read"),))

    monkeypatch.setattr(read_iptables, "read_ipsets", fake)
    firewall, gaps = read_firewall(SCOPE)
    assert asked == [(("bad",), frozenset({"bad"}))]
    assert [item.name for item in firewall.ipsets] == ["bad"]
    assert [gap.reason for gap in gaps] == ["not read"]


def test_a_program_that_fails_leaves_its_tables_unread(kernel: FakeKernel) -> None:
    kernel.own()
    kernel.output["iptables-nft", "ip"] = Saved("", ("filter",), "iptables-nft-save is not installed", "install it")
    firewall, gaps = read_firewall(SCOPE)
    assert firewall.tables == ()
    assert [item.name for item in firewall.unread] == ["filter"]
    assert [(gap.reason, gap.hint) for gap in gaps] == [("iptables-nft-save is not installed", "install it")]


def test_a_table_that_is_not_printed_is_unread(kernel: FakeKernel) -> None:
    kernel.own(text="")
    firewall, gaps = read_firewall(SCOPE)
    assert [item.name for item in firewall.unread] == ["filter"]
    assert len(gaps) == 1


def test_a_bad_line_becomes_a_gap_with_its_number(kernel: FakeKernel) -> None:
    kernel.own(text='*filter\n:FORWARD DROP [0:0]\n[0:0] -A FORWARD -m comment --comment "\x1b[31m\nCOMMIT\n')
    firewall, gaps = read_firewall(SCOPE)
    (gap,) = gaps
    assert "line 3" in gap.reason
    assert "\x1b" not in gap.reason
    assert len(firewall.tables[0].chains[0].rules) == 1
    assert firewall.unread == (), "the rule itself is undecidable, the rest is known"


def test_a_dump_with_a_part_missing_is_unread_too(kernel: FakeKernel) -> None:
    kernel.own(text=SAVED.replace("COMMIT\n", ""))
    firewall, _ = read_firewall(SCOPE)
    assert [item.name for item in firewall.unread] == ["filter"]
    assert [len(table.chains) for table in firewall.tables] == [1], "what is there can still be shown"


@pytest.mark.parametrize("error", [PermissionError(errno.EPERM, "not permitted"), InterruptedDumpError("busy")])
def test_a_kernel_that_does_not_answer_is_a_gap_and_everything_is_unknown(kernel: FakeKernel, error: Exception) -> None:
    kernel.error = error
    firewall, gaps = read_firewall(SCOPE)
    assert [(item.family, item.name) for item in firewall.unread] == [("ip", "*"), ("ip6", "*")]
    assert len(gaps) == 1
    assert gaps[0].hint == ("run dnet-tui as root" if isinstance(error, PermissionError) else "")


def test_a_kernel_without_nftables_has_no_tables(kernel: FakeKernel) -> None:
    kernel.error = OSError(errno.EPROTONOSUPPORT, "no such protocol")
    firewall, gaps = read_firewall(SCOPE)
    assert (firewall.tables, firewall.unread, gaps) == ((), (), ())


def script(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(run_program, "SYSTEM_FOLDERS", (str(tmp_path), *run_program.SYSTEM_FOLDERS))
    return tmp_path


def test_tables_are_asked_one_by_one_where_one_makes_the_program_give_up(programs: Path) -> None:
    script(
        programs,
        "iptables-nft-save",
        'case "$*" in "-c -t nat") echo "*nat"; echo COMMIT;; *) echo no >&2; exit 1;; esac',
    )
    broken, fine = save("iptables-nft", "ip", ["filter", "nat"])
    assert broken.tables == ("filter",)
    assert broken.error == "iptables-nft-save failed: no"
    assert (fine.tables, fine.error, fine.text) == (("nat",), "", "*nat\nCOMMIT\n")


def test_incompatible_tables_are_recognised(programs: Path) -> None:
    script(programs, "iptables-nft-save", "echo \"# Table \\`nat' is incompatible, use 'nft' tool.\"")
    (saved,) = save("iptables-nft", "ip", ["nat"])
    assert saved.incompatible == {"nat"}


def test_bytes_that_are_not_text_do_not_stop_the_reading(programs: Path) -> None:
    script(programs, "iptables-nft-save", "printf '*filter\\n\\377'")
    (saved,) = save("iptables-nft", "ip", ["filter"])
    assert saved.text == "*filter\n\\xff"


def test_a_missing_program_comes_with_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run_program, "SYSTEM_FOLDERS", ())
    (saved,) = save("iptables-nft", "ip6", ["filter"])
    assert saved.error == "ip6tables-nft-save is not installed"
    assert "install iptables" in saved.hint


def test_tables_are_immutable_values(kernel: FakeKernel) -> None:
    kernel.own()
    assert read_firewall(SCOPE)[0] == read_firewall(SCOPE)[0]
    assert isinstance(read_firewall(SCOPE)[0].tables[0], Table)
