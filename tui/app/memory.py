"""When memory is tidied: never while a key may have to wait for it.

Python looks for cycles whenever enough was made, in whatever thread makes it,
and nothing else runs meanwhile: while a big host is read, that is a quarter of
a second again and again.  The app looks for them itself, once a look at the
host is over and nobody types.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

YOUNG = (5_000, 5, 1_000_000)
"""Python looks through what is new by itself, which takes some milliseconds; never through everything."""

PAUSE = 3.0
"""Seconds without a key after which everything may be looked through."""


def begin() -> None:
    """Take over: what the app is made of stays to its end, and needs never be looked through."""
    gc.freeze()
    gc.set_threshold(*YOUNG)


def tidy() -> None:
    """Look through everything, and give back what nothing needs."""
    gc.collect()
    give_back()


def give_back() -> None:
    """Give memory that nothing needs any more back to the system: glibc holds on to it."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
