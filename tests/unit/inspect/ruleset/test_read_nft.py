"""Reading native tables with nft replaced: names are only names, and what isn't read is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dnet_tui.inspect.kernel.nfnetlink_tables import NftTable
from dnet_tui.inspect.kernel.run_program import ProgramResult
from dnet_tui.inspect.model.firewall import Table
from dnet_tui.inspect.ruleset import read_nft
from dnet_tui.inspect.ruleset.read_nft import NativeTables, read_tables
from unit.builders.nft_listings import captured

DOCKER = NftTable("ip", "docker-bridges")


class FakeNft:
    """nft as it was when the rulesets were captured."""

    def __init__(self, name: str = "docker_29") -> None:
        self.known = captured(name)
        self.asked: list[Any] = []
        self.argv: list[tuple[str, ...]] = []
        self.change: Callable[[str, ProgramResult], ProgramResult] = lambda _, ran: ran

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        seconds: float,
        most: int,
        environment: Mapping[str, str] | None = None,
    ) -> ProgramResult:
        assert not stdin or (environment or {}).get("TZ") == "UTC0", (
            "times are printed in the zone of nft's environment"
        )
        assert seconds > 0
        assert most > 0
        self.argv.append(tuple(argv))
        if not stdin:
            return self.change("text", self._text(argv))
        ((kind, named),) = json.loads(stdin)["nftables"][0]["list"].items()
        self.asked.append((kind, named["name"]))
        title = f"{named['family']} {named.get('table', named['name'])}"
        if title not in self.known:
            return self.change(kind, ProgramResult(b"", "nft failed: No such file or directory"))
        return self.change(kind, ProgramResult(json.dumps(self.known[title]["listing"]).encode()))

    def _text(self, argv: Sequence[str]) -> ProgramResult:
        title = " ".join(argv[-2:])
        return (
            ProgramResult("\n".join(self.known[title]["text"]).encode())
            if title in self.known
            else ProgramResult(b"", "nft failed")
        )


@pytest.fixture
def nft(monkeypatch: pytest.MonkeyPatch) -> FakeNft:
    fake = FakeNft()
    monkeypatch.setattr(read_nft, "run_program", fake.run)
    monkeypatch.setattr(read_nft, "find_program", lambda _: "/usr/sbin/nft")
    return fake


def read(*tables: NftTable, generations: Sequence[int] = (1,)) -> NativeTables:
    left = list(generations)
    return read_tables(tables, lambda: left.pop(0) if len(left) > 1 else left[0])


def sets(table: Table) -> dict[str, int | None]:
    return {item.name: None if item.elements is None else len(item.elements) for item in table.sets}


def test_a_table_is_read_first_then_the_sets_that_its_rules_use(nft: FakeNft) -> None:
    found = read(DOCKER)
    assert (found.unread, found.said) == ((), ())
    assert sets(found.tables[0]) == dict.fromkeys(
        (
            "filter-forward-in-jumps",
            "filter-forward-out-jumps",
            "nat-postrouting-in-jumps",
            "nat-postrouting-out-jumps",
        ),
        2,
    )
    assert nft.asked[0] == ("table", "docker-bridges")
    assert {kind for kind, _ in nft.asked[1:]} == {"map"}
    assert "-t" in nft.argv[0]


def test_sets_that_no_rule_looks_into_are_not_asked_for(nft: FakeNft) -> None:
    nft.known = captured("by_hand")
    (table,) = read(NftTable("inet", "guard")).tables
    assert ("set", "seen") not in nft.asked
    assert ("map", "ports") in nft.asked, "a translation takes its target from it"
    assert sets(table)["seen"] is None
    assert sets(table)["blocked"] == 3


@pytest.mark.parametrize("name", ["x; flush ruleset", 'a"b', "-flush", "a b", "}\nflush ruleset", "$x", "'"])
def test_an_odd_name_is_passed_as_json_and_nowhere_else(nft: FakeNft, name: str) -> None:
    nft.known[f"ip {name}"] = {"listing": {"nftables": [{"table": {"family": "ip", "name": name}}]}, "text": []}
    found = read(NftTable("ip", name))
    assert [table.name for table in found.tables] == [name]
    assert nft.asked == [("table", name)]
    assert not any(name in argument for argv in nft.argv for argument in argv)


def test_a_rules_text_is_made_up_where_nfts_own_cannot_be_had(nft: FakeNft) -> None:
    nft.change = lambda kind, ran: ProgramResult(b"", "broken") if kind == "text" else ran
    (table,) = read(DOCKER).tables
    chain = next(item for item in table.chains if item.name == "filter-FORWARD")
    assert chain.rules[0].text == "oifname vmap @filter-forward-in-jumps"


def test_without_nft_the_tables_are_unread_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_nft, "find_program", lambda _: None)
    sleeping, hollow = NftTable("ip", "sleeping", dormant=True), NftTable("ip", "hollow", empty=True)
    found = read(DOCKER, sleeping, hollow)
    assert found.tables == (Table(family="ip", name="hollow", backend="nftables"),), "nothing is in it: no need to ask"
    assert [item.name for item in found.unread] == ["docker-bridges"], "a dormant one has no effect"
    ((reason, hint),) = found.said
    assert "nft is not installed" in reason
    assert "ip docker-bridges" in reason
    assert hint == "install nftables"


def test_no_tables_spawn_nothing(nft: FakeNft) -> None:
    assert read() == NativeTables()
    assert read(NftTable("ip", "hollow", empty=True)).unread == ()
    assert nft.argv == []


@pytest.mark.usefixtures("nft")
def test_one_table_that_fails_leaves_the_others() -> None:
    found = read(NftTable("inet", "gone"), DOCKER)
    assert [table.name for table in found.tables] == ["docker-bridges"]
    assert [(item.family, item.name, item.backend) for item in found.unread] == [("inet", "gone", "nftables")]
    assert len(found.said) == 1


def test_a_table_that_is_read_in_part_is_shown_and_called_unread(nft: FakeNft) -> None:
    nft.known["ip docker-bridges"]["listing"]["nftables"].append({"chain": {"name": "odd", "hook": "sideways"}})
    found = read(DOCKER)
    assert len(found.tables) == len(found.unread) == len(found.said) == 1


def test_garbage_is_said_without_its_control_characters(nft: FakeNft) -> None:
    nft.change = lambda kind, ran: ProgramResult(b"", "nft failed: \x1b[31mred") if kind == "table" else ran
    found = read(DOCKER)
    assert found.tables == ()
    assert "\x1b" not in found.said[0].reason


def test_elements_that_are_too_many_are_unread_and_said(nft: FakeNft) -> None:
    nft.change = lambda kind, ran: (
        ProgramResult(b"", "nft printed more than 16 MB", trouble="too-large") if kind == "map" else ran
    )
    found = read(DOCKER)
    assert found.unread == (), "only look-ups in them are undecided"
    assert set(sets(found.tables[0]).values()) == {None}
    ((reason, hint),) = found.said
    assert "more than 16 MB" in reason
    assert "can't be decided" in hint


def test_a_ruleset_that_changes_meanwhile_is_read_again(nft: FakeNft) -> None:
    assert read(DOCKER, generations=[1, 2, 3, 3]).said == ()
    assert nft.asked.count(("table", "docker-bridges")) == 2


@pytest.mark.usefixtures("nft")
def test_a_ruleset_that_never_rests_is_not_trusted() -> None:
    found = read(DOCKER, NftTable("ip6", "docker-bridges"), generations=list(range(20)))
    assert len(found.tables) == len(found.unread) == 2
    assert "changed each time" in found.said[-1].reason


def test_a_dormant_table_whose_listing_is_broken_is_shown_all_the_same(nft: FakeNft) -> None:
    nft.known = captured("by_hand")
    nft.change = lambda kind, ran: ran if kind == "text" else ProgramResult(b'{"nftables": [{"table": {"flags": ')
    found = read(NftTable("ip", "asleep", dormant=True))
    assert (found.unread, found.said) == ((), ())
    (table,) = found.tables
    assert table.dormant
    assert [rule.text for rule in table.chains[0].rules] == ["tcp dport 22 accept"]
