"""The kernel judges the walk: random hosts and packets, and the hosts that are known to be tricky."""

from __future__ import annotations

import errno

import pytest

from lab.differential.generate import generate
from lab.differential.host import restore_texts
from lab.differential.judge import Court, Judgement
from lab.differential.known import KNOWN
from lab.differential.run import Trial, describe, report, try_host, try_seeds
from lab.differential.send import failed_as
from lab.differential.spec import HostSpec
from lab.machines.hosts import LAB_ID, LAB_VARIABLE
from lab.machines.requirements import require_lab

SEEDS = range(1, 13)
"""Hosts of a run in CI; ``script/differential`` takes any number."""

pytestmark = pytest.mark.timeout(900)

ENVIRONMENT = {LAB_VARIABLE: LAB_ID}
PROGRAMS = ("nft", "bridge", "ip", "iptables-nft-restore", "iptables-legacy-restore", "ipset")


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    require_lab(*PROGRAMS, root=True)
    return try_seeds(SEEDS, environment=ENVIRONMENT)


def test_every_host_can_be_built(trials: list[Trial]) -> None:
    assert [trial.failure for trial in trials if trial.failure] == []


def test_no_definite_answer_is_contradicted(trials: list[Trial]) -> None:
    wrong = [describe(trial) for trial in trials if any(item.result == "wrong" for item in trial.judgements)]
    assert not wrong, "\n".join(wrong)


def test_hardly_anything_depends_on_what_was_sent_before(trials: list[Trial]) -> None:
    # The snapshot is taken before the first packet: a walk can't know what an earlier one taught.
    every = [item for trial in trials for item in trial.judgements]
    assert sum(item.result == "alone" for item in every) <= 0.002 * len(every), report(trials)


def test_hardly_anything_is_unknown_where_nothing_is_random(trials: list[Trial]) -> None:
    # What hosts were given besides (macvlans, multicast, IPsec …) is in part undecided by design.
    plain = [trial for trial in trials if not trial.spec.has_randomness and not trial.spec.features]
    told = [item for trial in plain for item in trial.judgements]
    unknown = [item for item in told if item.result == "unknown"]
    assert len(unknown) <= 0.02 * len(told), report(trials)


def test_packets_end_in_many_ways(trials: list[Trial]) -> None:
    # A lab in which everything passes, or nothing does, would show nothing.
    ends = [item.end[0] for trial in trials for item in trial.judgements]
    assert {"delivered", "refused", "dropped", "rejected", "unreachable"} <= set(ends)
    assert 0.25 < sum(end in {"delivered", "refused"} for end in ends) / len(ends) < 0.85


@pytest.mark.parametrize("name", KNOWN)
def test_the_walk_knows_the_tricky_hosts(name: str) -> None:
    require_lab(*PROGRAMS, root=True)
    trial = try_host(KNOWN[name][1], ENVIRONMENT)
    assert trial.failure == ""
    assert [item.reasons for item in trial.judgements if item.result != "agrees"] == []


def test_a_wrong_walk_is_found() -> None:
    """The judge itself: with a rule hidden from the walk, it must say that the walk is wrong."""
    require_lab(*PROGRAMS, root=True)
    spec = KNOWN["filter-output-sees-the-new-destination"][1]
    trial = try_host(spec, ENVIRONMENT)
    assert trial.seen is not None
    hidden = bytes(trial.seen.snapshot).replace(b'"kind":"reject"', b'"kind":"accept"')
    seen = trial.seen.__class__(
        namespaces=trial.seen.namespaces, snapshot=type(trial.seen.snapshot)(hidden), outcomes=trial.seen.outcomes
    )
    assert Court(spec, seen).judge(spec.probes[0]).result == "wrong"


def test_a_seed_always_gives_the_same_host() -> None:
    assert generate(5) == generate(5)
    assert generate(5) != generate(6)


def test_packets_that_a_slow_host_never_sent_are_counted() -> None:
    spec = generate(5)
    trial = Trial(spec=spec, judgements=tuple(Judgement(probe=probe, result="agrees") for probe in spec.probes[:-3]))
    assert (trial.unsent, "3 more could not be sent" in report([trial])) == (3, True)
    assert "not sent 3" in describe(trial)
    lost = Trial(spec=spec, failure="it took too long")
    assert (lost.unsent, "1 could not be built" in report([lost])) == (0, True)


def test_a_reset_of_an_open_connection_is_no_refusal() -> None:
    numbers = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH)
    assert [failed_as(number) for number in numbers] == ["refused", "closed", "unreachable"]


def test_rules_are_written_table_by_table() -> None:
    spec: HostSpec = KNOWN["both-backends-drop"][1]
    texts = restore_texts(spec)
    assert set(texts) == {("host", "nft", "ip"), ("host", "legacy", "ip")}
    assert texts["host", "legacy", "ip"].splitlines()[:2] == ["*filter", ":INPUT ACCEPT [0:0]"]
