"""Which of root's privileges a process has, by /proc/PID/status."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from dnet_tui.inspect.kernel import capabilities
from dnet_tui.inspect.kernel.capabilities import (
    CAP_NET_ADMIN,
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    explain_refusal,
    has_capability,
    parse_effective,
)

STATUS = (
    b"Name:\tpython3\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t%s\nCapBnd:\t000001ffffffffff\n"
)


def status(effective: bytes) -> Callable[[str], bytes]:
    return lambda _: STATUS % effective


def test_the_effective_set_is_read_and_no_other() -> None:
    assert parse_effective(STATUS % b"0000000000201000") == 1 << CAP_SYS_ADMIN | 1 << CAP_NET_ADMIN


@pytest.mark.parametrize("raw", [b"", b"CapPrm:\t000001ffffffffff\n", b"CapEff:\tnone\n", b"CapEff\n"])
def test_where_it_is_not_told_there_is_none(raw: bytes) -> None:
    assert parse_effective(raw) == 0


def test_a_capability_that_was_taken_from_root_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "read_small", status(b"000001ffffdfffff"))  # all but CAP_SYS_ADMIN
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not has_capability(CAP_SYS_ADMIN)
    assert has_capability(CAP_SYS_PTRACE)
    assert explain_refusal(CAP_SYS_ADMIN, "other").reason == "CAP_SYS_ADMIN is missing, though this is root"
    assert explain_refusal(CAP_SYS_PTRACE, "other") == ("other", "")


def test_a_user_is_told_to_become_root_and_root_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "read_small", status(b"0"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refusal = explain_refusal(CAP_SYS_PTRACE, "other")
    assert refusal.reason == "CAP_SYS_PTRACE is missing, which root has"
    assert "sudo" in refusal.hint
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "sudo" not in explain_refusal(CAP_SYS_PTRACE, "other").hint


def test_without_proc_it_is_said_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(capabilities, "read_small", refuse)
    assert explain_refusal(CAP_SYS_ADMIN, "other").reason == "CAP_SYS_ADMIN is needed"
