"""Rules brought up to date by reading what changed, with the kernel and iptables replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest

from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.nfnetlink_tables import NftChain, NftSocket, NftTable
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table, TableFamily
from dnet_tui.inspect.ruleset import ruleset_update
from dnet_tui.inspect.ruleset.change_log import Touch
from dnet_tui.inspect.ruleset.read_nft import NativeTables, ReadFailure
from dnet_tui.inspect.ruleset.ruleset_update import MOST_CHAINS, splice
from dnet_tui.inspect.ruleset.run_save import Saved
from unit.inspect.ruleset.test_iptables_fidelity import DROP, FOREIGN

BEFORE = """\
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER -
:OTHER -
-A INPUT -s 192.0.2.1/32 -j DROP
-A FORWARD -o br0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 -j ACCEPT
-A DOCKER -d 172.17.0.3/32 -j ACCEPT
COMMIT
"""
OWN = Table(family="inet", name="own", backend="nftables", chains=(Chain(name="in"),))


class Host:
    """What the kernel holds and iptables prints; ``change`` puts another ruleset in, each rule with its handle."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text = BEFORE
        self.lists = True
        self.foreign: set[int] = set()
        self.nft: list[NftTable] = [NftTable("inet", "own"), NftTable("ip", "filter")]
        self.native = NativeTables(tables=(OWN,))
        self.printed: list[str] = []
        self.handles_of = {"INPUT": [1], "FORWARD": [2], "DOCKER": [3, 4]}
        monkeypatch.setattr(ruleset_update, "save", self._save)
        monkeypatch.setattr(ruleset_update, "list_chain", self._list)
        monkeypatch.setattr(ruleset_update, "read_tables", lambda *_: self.native)
        self.before = self.firewall()

    def firewall(self) -> Firewall:
        """What a reading from scratch finds."""
        (table,) = parse_save(self.text.replace(" (not made)", ""), backend="iptables-nft", family="ip")
        chains = []
        for chain in table.chains:
            handles = self.handles_of.get(chain.name, [])
            rules = tuple(
                msgspec.structs.replace(rule, handle=handle) for rule, handle in zip(chain.rules, handles, strict=True)
            )
            chains.append(msgspec.structs.replace(chain, rules=rules))
        return Firewall(tables=(OWN, msgspec.structs.replace(table, chains=tuple(chains))))

    def change(self, old: str, new: str, **handles: list[int]) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new)
        self.handles_of |= handles

    def splice(self, *touched: Touch) -> Firewall | None:
        return splice(self.before, touched, cast("NftSocket", self))

    # -- as NftSocket -------------------------------------------------------

    def tables(self) -> tuple[NftTable, ...]:
        return tuple(self.nft)

    def generation(self) -> int:
        return 1

    def chains(self, family: TableFamily) -> tuple[NftChain, ...]:
        found = []
        for line in self.text.splitlines():
            if line.startswith(":") and not line.endswith("(not made)"):
                name, policy = line[1:].split()[:2]
                found.append(NftChain("filter", name, cast("Any", "" if policy == "-" else policy.lower())))
        return tuple(found) if family == "ip" else ()

    def handles(self, family: TableFamily, table: str, chain: str) -> dict[int, bytes]:
        assert (family, table) == ("ip", "filter")
        return {
            handle: bytes(4)
            + attribute(3, handle.to_bytes(8, "big"))
            + attribute(4, FOREIGN["an address range"] if handle in self.foreign else DROP)
            for handle in self.handles_of.get(chain, [])
        }

    # -- as iptables --------------------------------------------------------

    def _save(self, _backend: str, _family: str, tables: Sequence[str], *, counters: bool) -> tuple[Saved, ...]:
        assert not counters
        self.printed.append("everything")
        return (Saved(self.text.replace(" (not made)", ""), tuple(tables)),)

    def _list(self, _family: str, _table: str, chain: str) -> Saved | None:
        if not self.lists:
            return None
        self.printed.append(chain)
        lines = [line for line in self.text.splitlines() if line.startswith(f"-A {chain} ")]
        return Saved("\n".join([f"-N {chain}", *lines]), ("filter",))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def touch(chain: str, *rules: int, table: str = "filter") -> tuple[Touch, ...]:
    return tuple(Touch("ip", table, chain, rule) for rule in rules or (0,))


def rules(firewall: Firewall | None, chain: str) -> tuple[Rule, ...]:
    assert firewall is not None
    return next(one.rules for one in firewall.tables[1].chains if one.name == chain)


LAST = "-A DOCKER -d 172.17.0.3/32 -j ACCEPT\n"
NEW = "-A DOCKER -d 172.17.0.4/32 -j ACCEPT\n"


def test_a_new_rule_is_read_and_all_else_is_the_very_same(host: Host) -> None:
    host.change(LAST, LAST + NEW, DOCKER=[3, 4, 9])
    found = host.splice(*touch("DOCKER", 9))
    assert found == host.firewall()
    assert host.printed == ["DOCKER"]
    before = rules(host.before, "DOCKER")
    assert all(one is other for one, other in zip(rules(found, "DOCKER"), before, strict=False))


def test_rules_behind_a_new_one_take_their_new_numbers(host: Host) -> None:
    host.change(LAST, NEW + LAST, DOCKER=[3, 9, 4])
    assert host.splice(*touch("DOCKER", 9)) == host.firewall()


def test_a_rule_that_went_is_gone(host: Host) -> None:
    host.change(LAST, "", DOCKER=[3])
    assert host.splice(*touch("DOCKER", 4)) == host.firewall()


def test_a_rule_in_the_place_and_under_the_handle_of_another_is_read(host: Host) -> None:
    host.change(LAST, NEW, DOCKER=[3, 4])
    assert host.splice(*touch("DOCKER", 4)) == host.firewall()


def test_one_that_only_looks_like_the_one_it_replaced_is_found_out(host: Host) -> None:
    host.foreign = {4}
    assert host.splice(*touch("DOCKER", 4)) is None


def test_a_policy_is_the_kernels(host: Host) -> None:
    host.change(":INPUT ACCEPT", ":INPUT DROP")
    assert host.splice(*touch("INPUT")) == host.firewall()


def test_chains_that_came_and_went_are_seen_in_their_order(host: Host) -> None:
    host.change(":OTHER -\n", ":MADE -\n")
    host.change(LAST, LAST + "-A DOCKER -j MADE\n-A MADE -j RETURN\n", DOCKER=[3, 4, 9], MADE=[10])
    found = host.splice(*touch("OTHER"), *touch("MADE", 10), *touch("DOCKER", 9))
    assert found == host.firewall()
    assert host.printed == ["everything"]


def test_without_a_listing_of_one_chain_everything_is_printed(host: Host) -> None:
    host.lists = False
    host.change(LAST, LAST + NEW, DOCKER=[3, 4, 9])
    assert host.splice(*touch("DOCKER", 9)) == host.firewall()
    assert host.printed == ["everything"]


def test_a_table_of_nft_is_read_again_as_a_whole(host: Host) -> None:
    other = msgspec.structs.replace(OWN, chains=(Chain(name="in"), Chain(name="out")))
    host.native = NativeTables(tables=(other,))
    found = host.splice(Touch("inet", "own", "out"))
    assert found is not None
    assert found.tables == (other, host.before.tables[1])
    host.native = NativeTables(tables=(other,), said=(ReadFailure("not in full"),))
    assert host.splice(Touch("inet", "own", "out")) is None


SURPRISES: dict[str, tuple[Touch, ...]] = {
    "anything": (Touch(),),
    "something of the table itself": (Touch("ip", "filter"),),
    "a table that was not there": (Touch("ip", "nat", "DOCKER"),),
    "too much": tuple(Touch("ip", "filter", f"C{number}") for number in range(MOST_CHAINS + 1)),
}


@pytest.mark.parametrize("name", SURPRISES)
def test_a_surprise_is_left_to_a_reading_of_everything(host: Host, name: str) -> None:
    assert host.splice(*SURPRISES[name]) is None


def test_other_tables_than_those_that_were_read_are_a_surprise(host: Host) -> None:
    host.nft.append(NftTable("ip", "raw"))
    assert host.splice(*touch("DOCKER", 9)) is None
    host.nft = [NftTable("inet", "own", dormant=True), NftTable("ip", "filter")]
    assert host.splice(*touch("DOCKER", 9)) is None


def test_what_iptables_prints_must_agree_with_the_kernel_and_with_what_is_known(host: Host) -> None:
    host.change(LAST, LAST + NEW, DOCKER=[3, 4])
    assert host.splice(*touch("DOCKER", 9)) is None, "another number of rules"
    host.handles_of["DOCKER"] = [9, 3, 4]
    assert host.splice(*touch("DOCKER", 9)) is None, "a known rule with another text"


def test_a_chain_that_changed_without_a_word_is_a_surprise(host: Host) -> None:
    host.change(":OTHER -\n", ":RENAMED -\n")
    assert host.splice(*touch("RENAMED")) is None


def test_a_chain_that_had_another_meaning_as_a_target_is_a_surprise(host: Host) -> None:
    host.change(":OTHER -\n", ":OTHER -\n:ACCEPT -\n")
    assert host.splice(*touch("ACCEPT")) is None


def test_a_rule_that_looks_up_an_ipset_is_left_to_a_reading_of_everything(host: Host) -> None:
    host.change(LAST, LAST + "-A DOCKER -m set --match-set bad src -j DROP\n", DOCKER=[3, 4, 9])
    assert host.splice(*touch("DOCKER", 9)) is None


@pytest.mark.parametrize("lists", [True, False])
def test_built_in_chains_that_nobody_made_are_printed_all_the_same(host: Host, *, lists: bool) -> None:
    host.lists = lists
    host.change(":OUTPUT ACCEPT", ":OUTPUT ACCEPT (not made)")
    host.change(LAST, LAST + NEW, DOCKER=[3, 4, 9])
    assert host.splice(*touch("DOCKER", 9)) == host.firewall()
    assert host.splice(*touch("DOCKER", 9), *touch("OUTPUT")) is None, "it was there, and was taken away"
