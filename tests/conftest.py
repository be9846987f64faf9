"""What all tests share: how Python works while they run, and the length of a test's name."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator

import pytest

LONGEST_ID = 200
"""Characters of a test's id: longer ones can't be typed, and each is sent, printed and kept many times."""
LONGEST_NAME = 40
"""Characters of a text that become part of an id."""

# Some machines tell Python to keep no bytecode.  Here it would be made again by every process that is tested, some
# hundred times: by this one for itself, and by those that it starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Whole hosts are made of many small values without cycles: looking for cycles costs a quarter of the time.
gc.set_threshold(100_000, 50, 100)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case after the beginning of a long text."""
    if isinstance(val, (str, bytes)) and len(ascii(val)) > LONGEST_NAME:
        return ascii(val[:LONGEST_NAME])[:LONGEST_NAME]
    return None


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Refuse ids that nobody can type."""
    made = yield
    cases = made if isinstance(made, list) else [made]
    long = [item.nodeid for item in cases if isinstance(item, pytest.Item) and len(item.nodeid) > LONGEST_ID]
    if long:
        raise pytest.Collector.CollectError(f"{len(long[0])} characters, give it ids=: {long[0][:LONGEST_ID]}…")
    return made


def pytest_collection_finish() -> None:
    """What is there now stays until the end: the garbage collector needn't look at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish() -> Generator[None, None, None]:
    """Look for what was left behind once; pytest does so five times, each time at everything that is still there."""
    gc.collect()
    gc.freeze()
    yield
