"""Who writes a legacy rule: python-iptables where it can, the program where not, and no one when another is at it."""

from __future__ import annotations

import os

import msgspec
import pytest

from dnet_tui.actions.changes import legacy_write, rules
from dnet_tui.actions.changes.legacy_child import LegacyReply, Order
from dnet_tui.actions.host_access import LocalHost, Ran
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.fake_host import FakeHost

DROP = "-i lo -j DROP"
ACCEPT = "-s 10.0.0.1/32 -j ACCEPT"
UNMAPPED = "-m limit --limit 5/sec -j ACCEPT"


class Child:
    """A python-iptables in memory: what it is ordered, it does, unless told otherwise."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.orders: list[Order] = []
        self.answer: LegacyReply | None = LegacyReply(outcome="done")
        self.code = 1
        self.acts = True
        self.prints: dict[str, str] = {}

    def __call__(self, given: bytes) -> Ran:
        order = msgspec.json.decode(given, type=Order)
        self.orders.append(order)
        if self.acts:
            lines = self.host.chains[order.table, order.chain]
            if order.rule is None:
                del lines[order.number - 1]
            else:
                text = self.prints.get(order.text, order.text)
                lines.insert(order.number - 1, (text, order.packets, order.bytes))
        if self.answer is None:
            return Ran(self.code, "", "Traceback\nKeyError: what\n")
        return Ran(0, msgspec.json.encode(self.answer).decode(), "")


@pytest.fixture
def host() -> FakeHost:
    fake = FakeHost()
    fake.chains["filter", "FORWARD"] = [(DROP, 1, 10), (ACCEPT, 2, 20), (DROP, 3, 30)]
    fake.packages = {"iptc"}
    return fake


@pytest.fixture
def child(host: FakeHost) -> Child:
    child = Child(host)
    host.child = child
    return child


def delete(position: int, spec: str = DROP) -> DeleteRule:
    return DeleteRule(
        backend="iptables-legacy", family="ip", table="filter", chain="FORWARD", spec=spec, position=position
    )


def insert(position: int | None, spec: str = DROP) -> InsertRule:
    return InsertRule(
        backend="iptables-legacy", family="ip", table="filter", chain="FORWARD", spec=spec, position=position
    )


def texts(host: FakeHost) -> list[str]:
    return host.texts("filter", "FORWARD")


def test_a_twin_is_deleted_and_put_back_by_python_iptables(host: FakeHost, child: Child) -> None:
    before = list(host.chains["filter", "FORWARD"])
    captured = rules.prepare(delete(3), host)
    after = rules.perform(delete(3), captured, host)

    assert texts(host) == [DROP, ACCEPT]
    assert after.writer == "python-iptables"
    assert "written by python-iptables" in rules.revert(delete(3), captured, after, host)
    assert host.chains["filter", "FORWARD"] == before
    assert host.log == []
    assert [(order.number, order.rule is None, order.verbatim) for order in child.orders] == [
        (3, True, False),
        (3, False, True),
    ]
    assert child.orders[0].starter == os.getpid()


def test_the_end_of_the_chain_is_a_number(host: FakeHost, child: Child) -> None:
    captured = rules.prepare(insert(None, ACCEPT), host)
    after = rules.perform(insert(None, ACCEPT), captured, host)

    assert child.orders[0].number == 4
    assert child.orders[0].rule == {"src": "10.0.0.1/32", "target": "ACCEPT"}
    assert (after.position, after.writer) == (4, "python-iptables")


def test_without_the_package_the_program_writes_and_says_why(host: FakeHost, child: Child) -> None:
    host.packages = set()
    captured = rules.prepare(insert(1, ACCEPT), host)
    after = rules.perform(insert(1, ACCEPT), captured, host)

    assert after.writer == "iptables-legacy (python-iptables is not installed)"
    assert host.log == [("iptables-legacy", "-w", "-t", "filter", "-I", "FORWARD", "1", *ACCEPT.split())]
    rules.revert(insert(1, ACCEPT), captured, after, host)
    assert texts(host) == [DROP, ACCEPT, DROP]
    assert child.orders == []


def test_a_rule_that_is_not_mapped_is_written_by_the_program(host: FakeHost, child: Child) -> None:
    captured = rules.prepare(insert(2, UNMAPPED), host)
    after = rules.perform(insert(2, UNMAPPED), captured, host)

    assert after.writer == "iptables-legacy (python-iptables can't write this rule exactly)"
    assert texts(host)[1] == UNMAPPED
    assert child.orders == []
    # Deleting takes no mapping.
    assert "python-iptables" in rules.revert(insert(2, UNMAPPED), captured, after, host)
    assert texts(host) == [DROP, ACCEPT, DROP]


def test_the_other_backend_is_none_of_its_business(host: FakeHost, child: Child) -> None:
    action = msgspec.structs.replace(insert(1), backend="iptables-nft")
    after = rules.perform(action, rules.prepare(action, host), host)

    assert after.writer == ""
    assert child.orders == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(LegacyReply(outcome="refused", reason="Invalid argument"), "Invalid argument"), (None, "KeyError: what")],
)
@pytest.mark.parametrize("action", [delete(3), insert(2)])
def test_where_it_fails_without_effect_the_program_goes_on(
    host: FakeHost, child: Child, action: InsertRule | DeleteRule, answer: LegacyReply | None, reason: str
) -> None:
    child.acts, child.answer = False, answer
    after = rules.perform(action, rules.prepare(action, host), host)

    assert after.writer == f"iptables-legacy (python-iptables failed: {reason})"
    assert len(host.log) == 1


@pytest.mark.parametrize("action", [delete(3), insert(2)])
def test_killed_after_its_work_it_has_done_it(host: FakeHost, child: Child, action: InsertRule | DeleteRule) -> None:
    child.answer = None
    after = rules.perform(action, rules.prepare(action, host), host)

    assert after.writer == "python-iptables"
    assert host.log == []


def test_of_a_child_that_was_killed_the_signal_is_said(host: FakeHost, child: Child) -> None:
    child.acts, child.answer, child.code = False, None, -9
    after = rules.perform(delete(3), rules.prepare(delete(3), host), host)

    assert after.writer == "iptables-legacy (python-iptables failed: it was killed by signal 9)"


def test_what_takes_too_long_is_looked_at_too(host: FakeHost) -> None:
    def too_long(_: bytes) -> Ran:
        msg = "python did not end within 30 s"
        raise ActionFailedError(msg)

    host.child = too_long
    after = rules.perform(delete(3), rules.prepare(delete(3), host), host)

    assert after.writer == "iptables-legacy (python-iptables failed: python did not end within 30 s)"


def test_while_another_holds_the_lock_nothing_is_tried(host: FakeHost, child: Child) -> None:
    child.acts, child.answer = False, LegacyReply(outcome="busy")
    captured = rules.prepare(delete(3), host)

    with pytest.raises(ActionFailedError, match="lock was held by another program") as error:
        rules.perform(delete(3), captured, host)
    assert "fuser" in error.value.hint
    assert host.log == []


@pytest.mark.parametrize("answer", [LegacyReply(outcome="outrun"), LegacyReply(outcome="unsure", reason="?")])
def test_a_chain_that_another_rewrites_is_left_alone(host: FakeHost, child: Child, answer: LegacyReply) -> None:
    child.acts, child.answer = False, answer
    captured = rules.prepare(delete(3), host)

    with pytest.raises(ActionFailedError, match="changed while a rule was being written"):
        rules.perform(delete(3), captured, host)
    assert host.log == []


def test_an_answer_of_done_is_not_believed(host: FakeHost, child: Child) -> None:
    child.acts = False

    with pytest.raises(ActionFailedError, match="changed while"):
        rules.perform(delete(3), rules.prepare(delete(3), host), host)


def test_another_rule_than_ordered_is_not_taken_for_it(host: FakeHost, child: Child) -> None:
    child.prints[ACCEPT] = "-j ACCEPT"
    child.answer = None

    with pytest.raises(ActionFailedError, match="changed while"):
        rules.perform(insert(1, ACCEPT), rules.prepare(insert(1, ACCEPT), host), host)


def test_a_rule_as_typed_may_be_printed_otherwise_but_not_one_that_is_put_back(host: FakeHost, child: Child) -> None:
    typed = "-s 10.0.0.1 -j ACCEPT"
    child.prints[typed] = ACCEPT
    rules.perform(insert(1, typed), rules.prepare(insert(1, typed), host), host)
    assert texts(host)[0] == ACCEPT

    host.chains["filter", "FORWARD"] = [(typed, 0, 0)]
    gone = delete(1, typed)
    captured = rules.prepare(gone, host)
    after = rules.perform(gone, captured, host)
    with pytest.raises(ActionFailedError, match="changed while"):
        rules.revert(gone, captured, after, host)


def test_a_rule_whose_comment_breaks_the_line_is_not_deleted(host: FakeHost, child: Child) -> None:
    broken = '-m comment --comment "one'
    host.chains["filter", "FORWARD"].append((broken, 0, 0))

    with pytest.raises(ActionFailedError, match="isn't one line of text"):
        rules.prepare(delete(4, broken), host)
    assert child.orders == []


def test_the_package_is_found_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "explodes_when_imported.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(folder)

    assert LocalHost().has_package("explodes_when_imported")
    assert not LocalHost().has_package("no_such_package_anywhere")


def test_the_child_imports_nothing_from_the_current_folder() -> None:
    assert "-P" in legacy_write.child_argv()
