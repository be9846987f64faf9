"""Text from containers, packets and engines, made harmless.  Pure.

Names, labels and payload come from code we don't trust.  Anything printed
goes through :func:`clean`: no terminal escape, no line break, no
bidirectional override survives.
"""

from __future__ import annotations

import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = 256) -> str:
    r"""Return ``text`` with every unsafe character shown as ``\xNN``/``\uNNNN`` and cut to ``limit`` characters.

    Unsafe are Unicode's control, format, surrogate, private-use and
    unassigned characters and its line and paragraph separators.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    out = "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text[: limit + 1])
    return out if len(text) <= limit else out[: limit - 1] + "…"


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
