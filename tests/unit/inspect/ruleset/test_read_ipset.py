"""Reading the ipsets that rules use, with ipset replaced."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dnet_tui.inspect.kernel.run_program import ProgramResult
from dnet_tui.inspect.model.firewall import Chain, NamedSet, Note, Remember, Rule, SetLookup, Table
from dnet_tui.inspect.ruleset import read_ipset
from dnet_tui.inspect.ruleset.read_ipset import Ipsets, ipsets_filled, ipsets_used, read_ipsets


class FakeIpset:
    """Sets by name: their type, their elements, and how many there are said to be."""

    def __init__(self) -> None:
        self.sets: dict[str, tuple[str, list[str], int]] = {}
        self.saved: list[str] = []

    def add(self, name: str, kind: str, *elements: str, entries: int | None = None) -> None:
        self.sets[name] = (kind, list(elements), len(elements) if entries is None else entries)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", seconds: float, most: int) -> ProgramResult:
        assert not stdin
        assert min(seconds, most) > 0
        if list(argv[1:]) == ["-t", "list"]:
            heads = (
                f"Name: {n}\nType: {kind}\nNumber of entries: {size}\n" for n, (kind, _, size) in self.sets.items()
            )
            return ProgramResult("\n".join(heads).encode())
        name = argv[2]
        self.saved.append(name)
        if name not in self.sets:
            return ProgramResult(b"", "ipset failed: The set with the given name does not exist")
        kind, elements, _ = self.sets[name]
        return ProgramResult(
            "\n".join([f"create {name} {kind}", *(f"add {name} {item}" for item in elements)]).encode()
        )


@pytest.fixture
def ipset(monkeypatch: pytest.MonkeyPatch) -> FakeIpset:
    fake = FakeIpset()
    monkeypatch.setattr(read_ipset, "run_program", fake.run)
    monkeypatch.setattr(read_ipset, "find_program", lambda _: "/usr/sbin/ipset")
    return fake


def sizes(found: Ipsets) -> dict[str, int | None]:
    return {item.name: None if item.elements is None else len(item.elements) for item in found.sets}


def test_only_the_sets_that_rules_use_are_read_each_once(ipset: FakeIpset) -> None:
    ipset.add("bad", "hash:ip", "198.51.100.7", "198.51.100.8")
    ipset.add("unused", "hash:ip", "198.51.100.9")
    found = read_ipsets(["bad", "bad"])
    assert sizes(found) == {"bad": 2}
    assert found.said == ()
    assert ipset.saved == ["bad"]


def test_no_sets_spawn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ipset, "find_program", lambda _: pytest.fail("nothing to look for"))
    assert read_ipsets([]) == Ipsets()


def test_without_ipset_the_sets_are_unread_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ipset, "find_program", lambda _: None)
    found = read_ipsets(["bad"])
    assert found.sets == (NamedSet(name="bad", type=""),)
    ((reason, hint),) = found.said
    assert "bad" in reason
    assert hint == "install ipset"


def test_the_members_of_a_list_are_read_too_and_a_ring_ends(ipset: FakeIpset) -> None:
    ipset.add("all", "list:set", "one", "two")
    ipset.add("one", "hash:ip", "198.51.100.7")
    ipset.add("two", "list:set", "all")
    assert sizes(read_ipsets(["all"])) == {"all": 2, "one": 1, "two": 1}


def test_a_large_set_is_left_alone_and_its_type_is_known(ipset: FakeIpset) -> None:
    ipset.add("geo", "hash:net", entries=400_000)
    found = read_ipsets(["geo"])
    assert found.sets == (NamedSet(name="geo", type="hash:net"),)
    assert ipset.saved == []
    assert "geo" in found.said[0].reason


def test_sets_that_are_gone_are_said_together(ipset: FakeIpset) -> None:
    ipset.add("bad", "hash:ip")
    found = read_ipsets(["gone", "bad", "left"])
    assert sizes(found) == {"gone": None, "bad": 0, "left": None}
    assert ["gone, left" in item.reason for item in found.said] == [True]


def test_a_name_that_looks_like_an_option_is_not_passed_on(ipset: FakeIpset) -> None:
    ipset.add("-exist", "hash:ip")
    assert sizes(read_ipsets(["-exist"])) == {"-exist": None}
    assert ipset.saved == []


def test_a_set_that_rules_fill_is_dynamic(ipset: FakeIpset) -> None:
    ipset.add("bad", "hash:ip", "198.51.100.7")
    (found,) = read_ipsets(["bad"], frozenset({"bad"})).sets
    assert found.dynamic
    assert found.elements


def test_odd_elements_leave_a_set_unread(ipset: FakeIpset) -> None:
    ipset.add("bad", "hash:net", "10.0.0.0/8", "10.1.0.0/16 nomatch")
    found = read_ipsets(["bad"])
    assert sizes(found) == {"bad": None}
    assert "nomatch" in found.said[0].reason


def test_more_sets_than_can_be_meant_are_not_all_read(ipset: FakeIpset) -> None:
    names = [f"s{number}" for number in range(300)]
    for name in names:
        ipset.add(name, "hash:ip")
    found = read_ipsets(names)
    assert len(found.sets) == 300
    assert list(sizes(found).values()).count(None) == 44
    assert len(found.said) == 1


def test_rules_tell_which_sets_they_use_and_which_they_fill() -> None:
    rules = (
        Rule(
            number=1,
            text="",
            exprs=(SetLookup(name="a", dirs=("src",)), Remember(kind="ipset", name="b", key=("src",))),
        ),
        Rule(
            number=2,
            text="",
            exprs=(SetLookup(name="a", dirs=("dst",)), Remember(kind="ipset", name="c", key=("src",), remove=True)),
        ),
        Rule(number=3, text="", exprs=(Remember(kind="recent", name="d", key=("src", "-")), Note(text="-j LOG"))),
    )
    tables = (Table(family="ip", name="filter", backend="iptables-nft", chains=(Chain(name="c", rules=rules),)),)
    assert ipsets_used(tables) == ("a",)
    assert ipsets_filled(tables) == {"b", "c"}
