"""The grammar of ``iptables-save``: words, quotes and numbers.  Pure.

Source: ``xtables_save_string`` (what it quotes and escapes) and
``add_param_to_argv`` (how a line is split again) in iptables.
"""

from __future__ import annotations

import re

from dnet_tui.inspect.errors import CannotModelError

_PLAIN = re.compile(r"[\w\-]+", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9]\d{0,19}", re.ASCII)
_ESCAPED = re.compile(r'(["\\\'])')


class RuleSyntaxError(ValueError):
    """A rule's text that isn't what iptables-save prints; the message says why."""


def split_words(text: str) -> tuple[list[str], list[str]]:
    """Split a rule's text into words; returns their values and, word for word, how they were written.

    Double quotes group, a backslash escapes inside them, and outside quotes
    every character stands for itself.

    Raises:
        RuleSyntaxError: a quote isn't closed.
    """
    if '"' not in text:
        words = text.split()
        return words, words
    values: list[str] = []
    raws: list[str] = []
    value: list[str] = []
    start: int | None = None
    quoted = escaped = False
    for position, char in enumerate(text):
        if not quoted and char in " \t":
            if start is not None:
                values.append("".join(value))
                raws.append(text[start:position])
            start, value = None, []
            continue
        start = position if start is None else start
        if escaped:
            value.append(char)
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        else:
            value.append(char)
    if quoted:
        msg = "a quote is not closed"
        raise RuleSyntaxError(msg)
    if start is not None:
        values.append("".join(value))
        raws.append(text[start:])
    return values, raws


def quote(value: str) -> str:
    """Write one value as iptables-save does: bare if it is a plain word, otherwise quoted and escaped."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _ESCAPED.sub(r"\\\1", value) + '"'


def number(text: str, limit: int = 0xFFFFFFFF) -> int:
    """Read a number as ``strtoul(…, 0)`` does: ``0x`` hexadecimal, a leading 0 octal, else decimal.

    Raises:
        CannotModelError: not a number, or above ``limit``.
    """
    if not _NUMBER.fullmatch(text):
        msg = f"{text!r} is not a number"
        raise CannotModelError(msg)
    octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
    value = int(text, 8 if octal else 0)
    if value > limit:
        msg = f"{text!r} is too large"
        raise CannotModelError(msg)
    return value


def number_range(text: str, limit: int = 0xFFFF) -> str:
    """Read ``80``, ``80:90``, ``:90`` or ``80:`` and return it with both ends written out.

    Raises:
        CannotModelError: an end isn't a number within ``limit`` (a service's name, for instance).
    """
    if text.isascii() and text.isdecimal() and text[0] != "0" and int(text) <= limit:
        return text  # by far the most frequent
    low, colon, high = text.partition(":")
    if not colon:
        return str(number(low, limit))
    return f"{number(low, limit) if low else 0}:{number(high, limit) if high else limit}"


def masked(text: str) -> tuple[int, int]:
    """Read ``VALUE`` or ``VALUE/MASK`` of 32 bits; without a mask all bits count.

    Raises:
        CannotModelError: not such numbers.
    """
    value, slash, mask = text.partition("/")
    return number(value), number(mask) if slash else 0xFFFFFFFF
