"""The options of an iptables target, by name.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.errors import CannotModelError


def pairs(options: list[str], arity: dict[str, int]) -> dict[str, str]:
    """The options as a mapping.

    Raises:
        CannotModelError: one isn't in ``arity``, is doubled or lacks its value.
    """
    found: dict[str, str] = {}
    words = iter(options)
    for word in words:
        value = next(words, None) if arity.get(word) == 1 else ""
        if word not in arity or word in found or value is None:
            msg = f"{word!r} is not modelled"
            raise CannotModelError(msg)
        found[word] = value
    return found


def single(options: list[str]) -> tuple[str, str]:
    """The only option and its value.

    Raises:
        CannotModelError: there are more, or fewer.
    """
    if len(options) != 2:
        msg = "more than one option"
        raise CannotModelError(msg)
    return options[0], options[1]
