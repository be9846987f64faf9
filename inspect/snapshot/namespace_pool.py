"""Visits many namespaces, each by one of a few threads that go from one to the next.

A thread for every namespace would cost more than reading it.  The threads
are made here and end here, so the caller's never moves; whatever they open
in a namespace belongs to that one.

Source: setns(2).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Generic, TypeVar

from dnet_tui.inspect.kernel.netns import NsHandle, current_inode, enter, opened

T = TypeVar("T")

Work = Callable[[int, "int | None"], T]
"""Called inside a namespace with its place in the list and its descriptor (None: the one the thread began in)."""


def visit_all(handles: Sequence[NsHandle], work: Work[T], *, workers: int) -> list[T | Exception]:
    """Run ``work`` inside each namespace; its results in the same order, or what kept it from having one.

    A thread that has not moved yet is in the caller's own namespace: put that
    one first and it is read without any privilege.  ``workers`` 0 means one
    per processor, up to four.
    """
    tour = _Tour(handles, work)
    threads = [
        threading.Thread(target=tour.run, name=f"visitor {number}", daemon=True)
        for number in range(max(1, min(workers or _usual_workers(), len(handles))))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tour.results


def _usual_workers() -> int:
    """One per processor; most of the time goes into the interpreter, of which only one thread runs at a time."""
    return min(4, os.cpu_count() or 1)


class _Tour(Generic[T]):
    """The namespaces to visit, taken one after the other by whoever is free."""

    def __init__(self, handles: Sequence[NsHandle], work: Work[T]) -> None:
        self._handles = handles
        self._work = work
        self._left = iter(range(len(handles)))
        self._lock = threading.Lock()
        self.results: list[T | Exception] = [RuntimeError("not visited")] * len(handles)

    def run(self) -> None:
        here: int | None = None
        while (index := self._next()) is not None:
            try:
                here = current_inode() if here is None else here
                handle = self._handles[index]
                with ExitStack() as stack:
                    fd = None
                    if handle.inode != here:
                        fd = stack.enter_context(opened(handle))
                        enter(fd, handle)
                        here = handle.inode
                    self.results[index] = self._work(index, fd)
            except Exception as error:  # noqa: BLE001 - one namespace that can't be read must not end the tour
                self.results[index] = error

    def _next(self) -> int | None:
        with self._lock:
            return next(self._left, None)
