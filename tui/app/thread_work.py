"""Work in a thread: what Textual's ``work`` is, but for two things that a big host makes dear.

Textual writes down each worker's arguments for its log: of a snapshot of
20,000 rules that takes a quarter of a second, in which no key is looked at,
and dozens of megabytes.  And a worker that ended keeps its arguments until
cycles are looked for: so it is lent them, and takes them out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.worker import Worker

Of = TypeVar("Of", bound=DOMNode)
P = ParamSpec("P")


def in_thread(
    group: str, *, exclusive: bool = False
) -> Callable[[Callable[Concatenate[Of, P], None]], Callable[Concatenate[Of, P], Worker[None]]]:
    """Have a method run in a thread; ``exclusive``: in place of what runs in its ``group`` already."""

    def decorate(method: Callable[Concatenate[Of, P], None]) -> Callable[Concatenate[Of, P], Worker[None]]:
        @work(thread=True, exclusive=exclusive, group=group, name=method.__name__, description=method.__name__)
        def run(_: Of, lent: list[Callable[[], None]]) -> None:
            lent.pop()()

        @wraps(method)
        def begin(self: Of, /, *args: P.args, **kwargs: P.kwargs) -> Worker[None]:
            return run(self, [lambda: method(self, *args, **kwargs)])

        return begin

    return decorate
