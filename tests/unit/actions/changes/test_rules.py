"""Inserting and deleting rules, and taking both back, on a small iptables in memory."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.changes import rules
from dnet_tui.actions.changes.chains import parse_chain
from dnet_tui.diagnostics.operations.remedy import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_hand import FakeHand

DROP = "-i docker0 -j DROP"
ACCEPT = "-i docker0 ! -o docker0 -j ACCEPT"


@pytest.fixture
def hand() -> FakeHand:
    fake = FakeHand()
    fake.chains["filter", "FORWARD"] = [("-j DOCKER-USER", 1, 60), (DROP, 5, 600), (ACCEPT, 9, 900), (DROP, 2, 120)]
    return fake


def delete(position: int, spec: str = DROP) -> DeleteRule:
    return DeleteRule(
        backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=spec, position=position
    )


def insert(position: int | None, spec: str = DROP) -> InsertRule:
    return InsertRule(
        backend="iptables-nft", family="ip", table="filter", chain="FORWARD", spec=spec, position=position
    )


def state(hand: FakeHand) -> list[tuple[str, int, int]]:
    return list(hand.chains["filter", "FORWARD"])


@pytest.mark.parametrize("position", [2, 4])
def test_the_very_twin_is_deleted_and_put_back_with_its_counters(hand: FakeHand, position: int) -> None:
    before = state(hand)
    prior = rules.prepare(delete(position), hand)
    rules.perform(delete(position), prior, hand)
    assert state(hand) == before[: position - 1] + before[position:]
    note = rules.revert(delete(position), prior, None, hand)
    assert state(hand) == before
    assert f"put back rule {position}" in note


def test_a_rule_without_a_twin_is_deleted_by_its_text(hand: FakeHand) -> None:
    prior = rules.prepare(delete(3, ACCEPT), hand)
    rules.perform(delete(3, ACCEPT), prior, hand)
    assert hand.log == [("iptables-nft", "-w", "-t", "filter", "-D", "FORWARD", *ACCEPT.split())]


def test_a_rule_that_moved_is_found_by_its_text(hand: FakeHand) -> None:
    hand.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    prior = rules.prepare(delete(3, ACCEPT), hand)
    assert prior.position == 4


def test_a_rule_that_moved_and_has_a_twin_is_refused(hand: FakeHand) -> None:
    with pytest.raises(ActionFailedError, match="stands there 2 times") as error:
        rules.prepare(delete(3), hand)
    assert "the host changed since the plan was made" in error.value.hint
    assert hand.log == []


def test_a_rule_that_is_gone_is_refused(hand: FakeHand) -> None:
    with pytest.raises(ActionFailedError, match="isn't there any more"):
        rules.prepare(delete(2, "-i docker1 -j DROP"), hand)


def test_a_chain_that_is_not_there_is_refused(hand: FakeHand) -> None:
    with pytest.raises(ActionFailedError, match="no such chain"):
        rules.prepare(msgspec.structs.replace(insert(1), chain="DOCKER-USER"), hand)


@pytest.mark.parametrize("position", [1, 3, 5, None])
def test_an_inserted_twin_is_the_one_that_is_deleted(hand: FakeHand, position: int | None) -> None:
    before = state(hand)
    prior = rules.prepare(insert(position), hand)
    after = rules.perform(insert(position), prior, hand)
    assert state(hand)[(position or 5) - 1] == (DROP, 0, 0)
    rules.revert(insert(position), prior, after, hand)
    assert state(hand) == before


def test_an_inserted_twin_is_known_again_after_the_chain_has_moved(hand: FakeHand) -> None:
    prior = rules.prepare(insert(3), hand)
    after = rules.perform(insert(3), prior, hand)
    hand.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    rules.revert(insert(3), prior, after, hand)
    assert state(hand) == [
        ("-j NEW", 0, 0),
        ("-j DOCKER-USER", 1, 60),
        (DROP, 5, 600),
        (ACCEPT, 9, 900),
        (DROP, 2, 120),
    ]


def test_twins_that_cannot_be_told_apart_are_left_alone(hand: FakeHand) -> None:
    prior = rules.prepare(insert(3), hand)
    after = rules.perform(insert(3), prior, hand)
    hand.chains["filter", "FORWARD"].insert(0, (DROP, 0, 0))
    now = state(hand)
    with pytest.raises(ActionFailedError, match="cannot tell which"):
        rules.revert(insert(3), prior, after, hand)
    assert state(hand) == now


def test_killed_before_the_insertion_nothing_is_deleted(hand: FakeHand) -> None:
    before = state(hand)
    prior = rules.prepare(insert(1), hand)
    note = rules.revert(insert(1), prior, None, hand)
    assert state(hand) == before
    assert "nothing to delete" in note


def test_killed_after_the_insertion_the_rule_is_found_without_its_printed_text(hand: FakeHand) -> None:
    before = state(hand)
    written, printed = insert(1, "-s 10.0.0.1 -j DROP"), "-s 10.0.0.1/32 -j DROP"
    prior = rules.prepare(written, hand)
    hand.chains["filter", "FORWARD"].insert(0, (printed, 0, 0))
    rules.revert(written, prior, None, hand)
    assert state(hand) == before


def test_killed_before_the_deletion_nothing_is_put_back(hand: FakeHand) -> None:
    before = state(hand)
    prior = rules.prepare(delete(2), hand)
    assert "nothing to put back" in rules.revert(delete(2), prior, None, hand)
    assert state(hand) == before


def test_somebody_elses_rule_in_the_same_place_is_left_alone(hand: FakeHand) -> None:
    prior = rules.prepare(insert(1, "-j MINE"), hand)
    after = rules.perform(insert(1, "-j MINE"), prior, hand)
    hand.chains["filter", "FORWARD"][0] = ("-j THEIRS", 0, 0)
    now = state(hand)
    rules.revert(insert(1, "-j MINE"), prior, after, hand)
    assert state(hand) == now


def test_a_deleted_rule_returns_above_its_old_neighbour_when_the_chain_has_moved(hand: FakeHand) -> None:
    prior = rules.prepare(delete(2), hand)
    rules.perform(delete(2), prior, hand)
    hand.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    note = rules.revert(delete(2), prior, None, hand)
    assert hand.texts("filter", "FORWARD") == ["-j NEW", "-j DOCKER-USER", DROP, ACCEPT, DROP]
    assert "(it was 2" in note


def test_a_rule_that_its_owner_has_put_back_is_not_doubled(hand: FakeHand) -> None:
    prior = rules.prepare(delete(3, ACCEPT), hand)
    rules.perform(delete(3, ACCEPT), prior, hand)
    hand.chains["filter", "FORWARD"].append((ACCEPT, 0, 0))
    now = state(hand)
    assert "put the rule back already" in rules.revert(delete(3, ACCEPT), prior, None, hand)
    assert state(hand) == now


def test_another_program_writing_at_the_same_time_is_noticed(hand: FakeHand) -> None:
    prior = rules.prepare(insert(2, "-j MINE"), hand)

    def intrude(words: tuple[str, ...]) -> None:
        if "-I" in words:
            hand.chains["filter", "FORWARD"].append(("-j THEIRS", 0, 0))

    hand.before_run = intrude
    with pytest.raises(ActionFailedError, match="changed while a rule was being inserted"):
        rules.perform(insert(2, "-j MINE"), prior, hand)


def test_a_change_between_capture_and_write_stops_the_write(hand: FakeHand) -> None:
    prior = rules.prepare(delete(2), hand)
    hand.chains["filter", "FORWARD"].pop()
    with pytest.raises(ActionFailedError, match="changed while the change was being prepared"):
        rules.perform(delete(2), prior, hand)
    assert hand.log == []


def test_native_nftables_rules_are_refused_and_not_guessed(hand: FakeHand) -> None:
    with pytest.raises(ActionFailedError, match="nftables"):
        rules.prepare(msgspec.structs.replace(delete(2), backend="nftables"), hand)


def test_a_chain_is_read_without_counters_and_without_its_namesakes() -> None:
    saved = """*filter
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER -j ONE
[3:4] -A DOCKER-USER -j TWO
-A DOCKER-USER
COMMIT
"""
    chain = parse_chain(saved, "DOCKER-USER")
    assert chain.texts == ["-j TWO", ""]
    assert (chain.lines[0].packets, chain.lines[0].bytes) == (3, 4)
    assert not parse_chain(saved, "DOCKER-").declared
