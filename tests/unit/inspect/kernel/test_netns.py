"""Naming and entering namespaces: what needs no privilege.  Entering others is the lab's."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from dnet_tui.inspect.kernel.netns import (
    NamespaceGoneError,
    NsHandle,
    handle_of,
    namespace_id,
    opened,
    own_handle,
    parse_start_time,
    run_in,
)
from dnet_tui.inspect.model import Namespace, Process

STAT = b"12 (odd) name (x)) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2"


def test_the_start_time_is_field_22_even_when_the_name_has_brackets() -> None:
    assert parse_start_time(STAT) == 987654


@pytest.mark.parametrize("raw", [b"", b"12 (x) S 1", b"no bracket at all"])
def test_a_malformed_stat_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="fields"):
        parse_start_time(raw)


def test_the_id_is_what_readlink_says() -> None:
    assert namespace_id(own_handle().inode) == str(Path("/proc/self/ns/net").readlink())


def test_a_handle_opens_the_namespace_it_names() -> None:
    handle = own_handle()
    with opened(handle) as fd:
        assert os.fstat(fd).st_ino == handle.inode
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_reused_pid_is_noticed_by_its_start_time() -> None:
    own = own_handle()
    assert own.start is not None
    stale = msgspec.structs.replace(own, start=own.start - 1)
    with pytest.raises(NamespaceGoneError), opened(stale):
        pass


def test_a_pid_in_another_namespace_is_noticed_by_the_inode() -> None:
    other = msgspec.structs.replace(own_handle(), inode=own_handle().inode + 1)
    with pytest.raises(NamespaceGoneError), opened(other):
        pass


def test_a_file_that_is_no_namespace_is_not_taken_for_one(tmp_path: Path) -> None:
    plain = tmp_path / "web"
    plain.touch()
    handle = NsHandle(inode=plain.stat().st_ino, path=str(plain))
    with pytest.raises(NamespaceGoneError), opened(handle):
        pass


def test_a_stale_path_falls_back_to_the_process(tmp_path: Path) -> None:
    own = own_handle()
    with opened(msgspec.structs.replace(own, path=str(tmp_path / "gone"))) as fd:
        assert os.fstat(fd).st_ino == own.inode


def test_a_function_runs_in_a_thread_of_its_own_and_returns() -> None:
    assert run_in(own_handle(), threading.get_ident) != threading.get_ident()


def test_what_the_function_raises_is_raised_here() -> None:
    def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        run_in(own_handle(), fail)


def test_a_namespace_that_is_gone_is_never_run_in() -> None:
    ran: list[bool] = []
    with pytest.raises(NamespaceGoneError):
        run_in(NsHandle(inode=1, pid=os.getpid(), start=1), lambda: ran.append(True))
    assert ran == []


def test_a_snapshots_namespace_is_entered_by_path_or_oldest_process() -> None:
    space = Namespace(
        id="net:[7]",
        inode=7,
        kind="named",
        path="/run/netns/web",
        processes=(Process(pid=3, start=30), Process(pid=4, start=40)),
    )
    assert handle_of(space) == NsHandle(inode=7, path="/run/netns/web", pid=3, start=30)
    assert handle_of(Namespace(id="net:[7]", inode=7, kind="named")) == NsHandle(inode=7)
