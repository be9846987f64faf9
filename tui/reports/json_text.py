r"""JSON for stdout: lossless, and harmless in a terminal.  Pure.

Names from containers may hold terminal escapes.  In JSON they are kept
exactly, but every character that is unsafe to print is written as ``\uNNNN``.
"""

from __future__ import annotations

import msgspec


def to_json(value: object) -> str:
    """Encode data as indented JSON text with a final line break."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")
    # Outside strings JSON has no unprintable character but the line breaks of the indentation.
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text) + "\n"


def to_json_line(value: object) -> str:
    """Encode data as one line of JSON with a final line break."""
    text = msgspec.json.encode(value).decode("utf-8")
    return (text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)) + "\n"


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
