"""A tour through namespaces, as far as it goes without privilege: the own one, and those that aren't there."""

from __future__ import annotations

import threading

import pytest

from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, own_handle
from dnet_tui.inspect.snapshot.namespace_pool import visit_all


def test_the_own_namespace_is_visited_without_entering_it() -> None:
    main = threading.get_ident()
    ((index, fd, thread),) = [
        item
        for item in visit_all([own_handle()], lambda index, fd: (index, fd, threading.get_ident()), workers=3)
        if not isinstance(item, Exception)
    ]
    assert (index, fd) == (0, None)
    assert thread != main


def test_one_that_is_gone_or_fails_does_not_end_the_tour() -> None:
    own, gone = own_handle(), NsHandle(inode=1, path="/nonexistent")

    def work(index: int, _fd: int | None) -> int:
        if index == 2:
            raise OSError("no answer")
        return index

    results = visit_all([own, gone, own, own], work, workers=2)
    assert results[0] == 0
    assert isinstance(results[1], NamespaceGoneError)
    assert isinstance(results[2], OSError)
    assert results[3] == 3


@pytest.mark.parametrize("workers", [0, 1, 8])
def test_every_one_is_visited_once_and_the_threads_end(workers: int) -> None:
    before = threading.active_count()
    visited: list[int] = []

    def work(index: int, _fd: int | None) -> int:
        visited.append(index)
        return index

    results = visit_all([own_handle()] * 20, work, workers=workers)
    assert results == list(range(20))
    assert sorted(visited) == list(range(20))
    assert threading.active_count() == before


def test_nothing_to_visit_is_no_work() -> None:
    assert visit_all([], lambda index, _fd: index, workers=4) == []
