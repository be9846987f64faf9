"""Keeping small what reading a big host leaves behind: glibc holds on to freed memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Give memory that nothing needs any more back to the system."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
