"""How a snapshot of an older format becomes one of the next.  Pure: decoded JSON in, decoded JSON out.

A number goes up when something in a file changes its meaning or its shape;
a new field with a default needs none.  To add one: write the function, put it
at the end of :data:`STEPS`, raise ``model.FORMAT``, and keep a file of the old
format for the tests.  A step never imports the model: it is about the files of
its day, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dnet_tui.inspect.archive import format_2

Raw = dict[str, Any]
"""A snapshot as JSON decodes it: dicts, lists, text, numbers, booleans and None."""

MigrationStep = Callable[[Raw], Raw]
"""Turns a snapshot of one format into one of the next; it may change what it is given."""

STEPS: tuple[MigrationStep, ...] = (format_2.step,)
"""The step from format 1 to 2 first, then that from 2 to 3, and so on: one fewer than there are formats."""


class UnsoundError(Exception):
    """A snapshot doesn't have the shape that its format asks for, or holds what no host has."""


def migrate(raw: Raw, steps: Sequence[MigrationStep] = STEPS) -> Raw:
    """Bring a snapshot to the newest format.  ``raw["format"]`` is a number from 1 to the newest one.

    Raises:
        UnsoundError: a step found something else than its format promises.
    """
    for number, step in enumerate(steps[raw["format"] - 1 :], start=raw["format"]):
        try:
            raw = step(raw) | {"format": number + 1}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise UnsoundError(f"it isn't sound as one of format {number} ({type(error).__name__}: {error})") from error
    return raw
