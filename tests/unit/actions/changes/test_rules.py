"""Inserting and deleting rules, and taking both back, on a small iptables in memory."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.actions.changes import rules
from dnet_tui.actions.changes.chains import parse_chain
from dnet_tui.actions.changes.programs import CommandRefusedError
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

DROP = "-i docker0 -j DROP"
ACCEPT = "-i docker0 ! -o docker0 -j ACCEPT"


@pytest.fixture
def host() -> FakeHost:
    fake = FakeHost()
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


def state(host: FakeHost) -> list[tuple[str, int, int]]:
    return list(host.chains["filter", "FORWARD"])


@pytest.mark.parametrize("position", [2, 4])
def test_the_very_twin_is_deleted_and_put_back_with_its_counters(host: FakeHost, position: int) -> None:
    before = state(host)
    captured = rules.prepare(delete(position), host)
    rules.perform(delete(position), captured, host)
    assert state(host) == before[: position - 1] + before[position:]
    note = rules.revert(delete(position), captured, None, host)
    assert state(host) == before
    assert f"put back rule {position}" in note


def test_a_rule_without_a_twin_is_deleted_by_its_text(host: FakeHost) -> None:
    captured = rules.prepare(delete(3, ACCEPT), host)
    rules.perform(delete(3, ACCEPT), captured, host)
    assert host.log == [("iptables-nft", "-w", "-t", "filter", "-D", "FORWARD", *ACCEPT.split())]


def test_a_rule_that_moved_is_found_by_its_text(host: FakeHost) -> None:
    host.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    captured = rules.prepare(delete(3, ACCEPT), host)
    assert captured.position == 4


def test_a_rule_that_moved_and_has_a_twin_is_refused(host: FakeHost) -> None:
    with pytest.raises(ActionFailedError, match="stands there 2 times") as error:
        rules.prepare(delete(3), host)
    assert "the host changed since the plan was made" in error.value.hint
    assert host.log == []


def test_a_rule_that_is_gone_is_refused(host: FakeHost) -> None:
    with pytest.raises(ActionFailedError, match="isn't there any more"):
        rules.prepare(delete(2, "-i docker1 -j DROP"), host)


def test_a_chain_that_is_not_there_is_refused(host: FakeHost) -> None:
    with pytest.raises(ActionFailedError, match="no such chain"):
        rules.prepare(msgspec.structs.replace(insert(1), chain="DOCKER-USER"), host)


@pytest.mark.parametrize("position", [1, 3, 5, None])
def test_an_inserted_twin_is_the_one_that_is_deleted(host: FakeHost, position: int | None) -> None:
    before = state(host)
    captured = rules.prepare(insert(position), host)
    after = rules.perform(insert(position), captured, host)
    assert state(host)[(position or 5) - 1] == (DROP, 0, 0)
    rules.revert(insert(position), captured, after, host)
    assert state(host) == before


def test_an_inserted_twin_is_known_again_after_the_chain_has_moved(host: FakeHost) -> None:
    captured = rules.prepare(insert(3), host)
    after = rules.perform(insert(3), captured, host)
    host.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    rules.revert(insert(3), captured, after, host)
    assert state(host) == [
        ("-j NEW", 0, 0),
        ("-j DOCKER-USER", 1, 60),
        (DROP, 5, 600),
        (ACCEPT, 9, 900),
        (DROP, 2, 120),
    ]


def test_twins_that_cannot_be_told_apart_are_left_alone(host: FakeHost) -> None:
    captured = rules.prepare(insert(3), host)
    after = rules.perform(insert(3), captured, host)
    host.chains["filter", "FORWARD"].insert(0, (DROP, 0, 0))
    now = state(host)
    with pytest.raises(ActionFailedError, match="cannot tell which"):
        rules.revert(insert(3), captured, after, host)
    assert state(host) == now


def test_killed_before_the_insertion_nothing_is_deleted(host: FakeHost) -> None:
    before = state(host)
    captured = rules.prepare(insert(1), host)
    note = rules.revert(insert(1), captured, None, host)
    assert state(host) == before
    assert "nothing to delete" in note


def test_killed_after_the_insertion_the_rule_is_found_without_its_printed_text(host: FakeHost) -> None:
    before = state(host)
    written, printed = insert(1, "-s 10.0.0.1 -j DROP"), "-s 10.0.0.1/32 -j DROP"
    captured = rules.prepare(written, host)
    host.chains["filter", "FORWARD"].insert(0, (printed, 0, 0))
    rules.revert(written, captured, None, host)
    assert state(host) == before


@pytest.mark.parametrize("written", ["-s 10.0.0.1 -j DROP", DROP])
def test_killed_before_the_insertion_anothers_rule_in_that_place_stays(host: FakeHost, written: str) -> None:
    captured = rules.prepare(insert(1, written), host)
    host.chains["filter", "FORWARD"].insert(0, ("-s 203.0.113.9/32 -j DROP", 0, 0))
    now = state(host)
    note = rules.revert(insert(1, written), captured, None, host)
    assert state(host) == now
    assert "nothing to delete" in note


def test_a_chain_that_changed_before_the_insertion_is_left_alone(host: FakeHost) -> None:
    captured = rules.prepare(insert(1), host)
    host.chains["filter", "FORWARD"].insert(0, ("-s 203.0.113.9/32 -j DROP", 0, 0))
    with pytest.raises(CommandRefusedError, match="changed while the change was being prepared"):
        rules.perform(insert(1), captured, host)


def test_killed_before_the_deletion_nothing_is_put_back(host: FakeHost) -> None:
    before = state(host)
    captured = rules.prepare(delete(2), host)
    assert "nothing to put back" in rules.revert(delete(2), captured, None, host)
    assert state(host) == before


def test_somebody_elses_rule_in_the_same_place_is_left_alone(host: FakeHost) -> None:
    captured = rules.prepare(insert(1, "-j MINE"), host)
    after = rules.perform(insert(1, "-j MINE"), captured, host)
    host.chains["filter", "FORWARD"][0] = ("-j THEIRS", 0, 0)
    now = state(host)
    rules.revert(insert(1, "-j MINE"), captured, after, host)
    assert state(host) == now


def test_a_deleted_rule_returns_above_its_old_neighbour_when_the_chain_has_moved(host: FakeHost) -> None:
    captured = rules.prepare(delete(2), host)
    rules.perform(delete(2), captured, host)
    host.chains["filter", "FORWARD"].insert(0, ("-j NEW", 0, 0))
    note = rules.revert(delete(2), captured, None, host)
    assert host.texts("filter", "FORWARD") == ["-j NEW", "-j DOCKER-USER", DROP, ACCEPT, DROP]
    assert "(it was 2" in note


def test_a_rule_that_its_owner_has_put_back_is_not_doubled(host: FakeHost) -> None:
    captured = rules.prepare(delete(3, ACCEPT), host)
    rules.perform(delete(3, ACCEPT), captured, host)
    host.chains["filter", "FORWARD"].append((ACCEPT, 0, 0))
    now = state(host)
    assert "put the rule back already" in rules.revert(delete(3, ACCEPT), captured, None, host)
    assert state(host) == now


def test_another_program_writing_at_the_same_time_is_noticed(host: FakeHost) -> None:
    captured = rules.prepare(insert(2, "-j MINE"), host)

    def intrude(words: tuple[str, ...]) -> None:
        if "-I" in words:
            host.chains["filter", "FORWARD"].append(("-j THEIRS", 0, 0))

    host.before_run = intrude
    with pytest.raises(ActionFailedError, match="changed while a rule was being inserted"):
        rules.perform(insert(2, "-j MINE"), captured, host)


def test_a_change_between_capture_and_write_stops_the_write(host: FakeHost) -> None:
    captured = rules.prepare(delete(2), host)
    host.chains["filter", "FORWARD"].pop()
    with pytest.raises(ActionFailedError, match="changed while the change was being prepared"):
        rules.perform(delete(2), captured, host)
    assert host.log == []


def test_native_nftables_rules_are_refused_and_not_guessed(host: FakeHost) -> None:
    with pytest.raises(ActionFailedError, match="nftables"):
        rules.prepare(msgspec.structs.replace(delete(2), backend="nftables"), host)


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
