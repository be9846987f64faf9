"""A big host is examined in a copy of the process, which leaves nothing behind."""

from __future__ import annotations

import os
import signal
import time

import pytest

from dnet_tui.diagnostics.report.report import REPORT_FORMAT, Report, summarise
from dnet_tui.inspect.model import Host, Namespace, Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table
from dnet_tui.tui.app.live import examined_apart
from dnet_tui.tui.app.live.examined_apart import BIG, is_big
from unit.builders.factories import docker_like_snapshot


def report(version: str = "") -> Report:
    return Report(
        format=REPORT_FORMAT,
        tool_version=version,
        taken_at="",
        host=Host(hostname="", kernel=""),
        engines=(),
        summary=summarise((), ()),
        checks=(),
        findings=(),
        gaps=(),
    )


def with_rules(count: int) -> Snapshot:
    rules = tuple(Rule(number=number, text="-j ACCEPT") for number in range(1, count + 1))
    chain = Chain(name="FORWARD", hook="forward", rules=rules)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(chain,))
    return Snapshot(namespaces=(Namespace(id="net:[1]", inode=1, kind="host", firewall=Firewall(tables=(table,))),))


def test_a_host_is_big_by_its_rules_and_namespaces_and_one_whose_rules_were_not_read_may_be_small() -> None:
    assert is_big(with_rules(BIG))
    assert not is_big(with_rules(BIG - 2))
    assert not is_big(docker_like_snapshot())
    spaces = tuple(Namespace(id=f"net:[{number}]", inode=number, kind="container") for number in range(BIG))
    assert is_big(Snapshot(namespaces=spaces))


def test_it_is_another_process_that_thinks_and_it_is_gone_afterwards() -> None:
    told = examined_apart.examined_apart(lambda _: report(str(os.getpid())), Snapshot())
    assert told.tool_version != str(os.getpid())
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.tool_version), 0)


def test_the_copy_has_no_other_file_than_its_pipe_and_hears_no_signal() -> None:
    def look(_: Snapshot) -> Report:
        os.kill(os.getpid(), signal.SIGTERM)
        return report(" ".join(sorted(os.listdir("/proc/self/fd"))))  # noqa: PTH208

    reading, writing = os.pipe()
    try:
        files = examined_apart.examined_apart(look, Snapshot()).tool_version.split()
    finally:
        os.close(reading)
        os.close(writing)
    assert len(files) == 2  # the pipe, and that of the listing


def test_signals_are_heard_here_afterwards() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    examined_apart.examined_apart(lambda _: report(), Snapshot())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_where_the_copy_fails_it_is_done_here_and_the_error_is_told_here() -> None:
    here = os.getpid()

    def only_here(_: Snapshot) -> Report:
        if os.getpid() != here:
            os._exit(7)
        return report("here")

    assert examined_apart.examined_apart(only_here, Snapshot()).tool_version == "here"

    def never(_: Snapshot) -> Report:
        raise ValueError("a fault of a check")

    with pytest.raises(ValueError, match="a fault of a check"):
        examined_apart.examined_apart(never, Snapshot())


def test_a_copy_that_waits_for_what_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()
    monkeypatch.setattr(examined_apart, "STUCK", 0.2)

    def waits(_: Snapshot) -> Report:
        if os.getpid() != here:
            time.sleep(60)
        return report("here")

    began = time.monotonic()
    assert examined_apart.examined_apart(waits, Snapshot()).tool_version == "here"
    assert time.monotonic() - began < 30


def test_a_large_report_comes_whole() -> None:
    long = "x" * 3_000_000
    told = examined_apart.examined_apart(lambda _: report(long), Snapshot())
    assert told.tool_version == long
