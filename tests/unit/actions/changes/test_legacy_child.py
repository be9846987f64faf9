"""What the child of a legacy write holds for done, and what it does about the lock; the lab has it write."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from dnet_tui.actions.changes import legacy_child
from dnet_tui.actions.changes.chains import digest
from dnet_tui.actions.changes.legacy_child import LegacyReply, Order, RefusedError, carry_out, is_done
from dnet_tui.actions.changes.legacy_rule import easy_rule

BEFORE = ["-j A", "-j B", "-j A"]


def order(number: int, text: str = "", *, verbatim: bool = False, patience: float = 0) -> Order:
    return Order(
        family="ip",
        table="filter",
        chain="FORWARD",
        number=number,
        digest=digest(BEFORE),
        starter=0,
        patience=patience,
        rule=easy_rule(text, "ip") if text else None,
        text=text,
        verbatim=verbatim,
    )


class Kernel:
    """The chain and what is done to it, in place of the program that reads and the library that writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.texts = list(BEFORE)
        self.prints = ""
        self.refuses = False
        self.lock = tmp_path / "lock"
        monkeypatch.setenv("XTABLES_LOCKFILE", str(self.lock))
        monkeypatch.setattr(legacy_child, "_texts", lambda _: list(self.texts))
        monkeypatch.setattr(legacy_child, "_change", self.change)

    def change(self, order: Order) -> None:
        if self.refuses:
            raise RefusedError("Invalid argument")
        with self.lock.open() as file, pytest.raises(BlockingIOError):  # it is held meanwhile
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if order.rule is None:
            del self.texts[order.number - 1]
        else:
            self.texts.insert(order.number - 1, self.prints or order.text)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kernel:
    return Kernel(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("what", "after", "done"),
    [
        (order(2), ["-j A", "-j A"], True),
        (order(2), ["-j B", "-j A"], False),
        (order(2), BEFORE, False),
        (order(4, "-j C"), [*BEFORE, "-j C"], True),
        (order(1, "-j C"), [*BEFORE, "-j C"], False),
        (order(1, "-j C"), ["-j D", *BEFORE], False),
        (order(1, "-j C"), ["-j C", *BEFORE, "-j C"], False),
        (order(1, "-p tcp --dport 1 -j C"), ["-p tcp -m tcp --dport 1 -j C", *BEFORE], True),
        (order(1, "-p tcp --dport 1 -j C", verbatim=True), ["-p tcp -m tcp --dport 1 -j C", *BEFORE], False),
        (order(1, "-j C", verbatim=True), ["-j C", *BEFORE], True),
    ],
)
def test_done_is_the_change_and_nothing_else(what: Order, after: list[str], done: bool) -> None:
    assert is_done(what, BEFORE, after) is done


@pytest.mark.parametrize(("what", "left"), [(order(2), ["-j A", "-j A"]), (order(1, "-j C"), ["-j C", *BEFORE])])
def test_the_change_is_made_under_the_lock(kernel: Kernel, what: Order, left: list[str]) -> None:
    assert carry_out(what) == LegacyReply(outcome="done")
    assert kernel.texts == left


def test_a_rule_that_came_out_otherwise_is_taken_back(kernel: Kernel) -> None:
    kernel.prints = "-j D"

    assert carry_out(order(2, "-j C")) == LegacyReply(outcome="refused", reason="it would have written another rule")
    assert kernel.texts == BEFORE


def test_what_is_refused_is_said(kernel: Kernel) -> None:
    kernel.refuses = True

    assert carry_out(order(2)) == LegacyReply(outcome="refused", reason="Invalid argument")


def test_a_chain_that_changed_is_not_touched(kernel: Kernel) -> None:
    kernel.texts.append("-j NEW")

    assert carry_out(order(2)) == LegacyReply(outcome="outrun")
    assert kernel.texts == [*BEFORE, "-j NEW"]


def test_the_lock_is_waited_for_and_no_longer_than_said(kernel: Kernel) -> None:
    with kernel.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert carry_out(order(2, patience=0.05)) == LegacyReply(outcome="busy")
    assert kernel.texts == BEFORE
    assert carry_out(order(2)).outcome == "done"


def test_a_lock_that_cannot_be_opened_is_a_reason_to_refuse(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XTABLES_LOCKFILE", str(tmp_path / "no" / "lock"))

    answer = carry_out(order(2))

    assert answer.outcome == "refused"
    assert "can't be opened: No such file or directory" in answer.reason
    assert kernel.texts == BEFORE


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("can't commit: b'Invalid argument'"), "can't commit: Invalid argument"),
        (ValueError("two\nlines"), "two lines"),
        (KeyError(), "KeyError"),
    ],
)
def test_the_library_s_errors_are_said_in_one_line(error: Exception, said: str) -> None:
    assert legacy_child._said(error) == said


def test_neither_it_nor_its_starter_brings_the_library_into_a_process_that_only_imports_them() -> None:
    modules = "dnet_tui.actions.execution.execute, dnet_tui.actions.changes.legacy_child"
    code = f"import sys, {modules}; sys.exit('iptc' in sys.modules)"

    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
