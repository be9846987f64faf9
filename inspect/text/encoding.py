r"""Bytes and strings from outside, made storable as JSON text.  Pure.

The kernel, engines and processes may name things with bytes that aren't
UTF-8.  JSON can't hold those, so they are written as ``\xNN``; everything
else stays as it is.  This is about storing, not about printing: what is
printed goes through :func:`dnet_tui.inspect.text.sanitize.clean` besides.
"""

from __future__ import annotations

import re

_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


def text(raw: bytes) -> str:
    r"""Decode bytes as UTF-8; a byte that isn't becomes ``\xNN``.  A closing NUL (netlink strings) is dropped."""
    return raw.rstrip(b"\0").decode("utf-8", "backslashreplace")


def unlegible(value: str) -> bytes:
    r"""The bytes that :func:`text` made ``value`` of, if every ``\xNN`` in it stands for a byte that wasn't text."""
    return _BYTE.sub(lambda found: bytes([int(found[1], 16)]), value.encode("utf-8", "surrogateescape"))


def storable(value: str) -> str:
    r"""Return ``value`` without lone surrogates, which come from odd file names and from hostile JSON.

    A surrogate that stands for a byte of a file name becomes that byte's
    ``\xNN``, so that the same name is spelt the same however it was read.
    """
    if value.isascii():
        return value
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = value.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")
