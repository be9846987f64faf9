"""Names given on the command line: known, or a usage error that offers near ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from dnet_tui.inspect.errors import UsageError


def require(what: str, given: Sequence[str], known: Iterable[str], where: str) -> None:
    """Check that every given name is known.

    Args:
        what: what the names are, such as ``check``.
        given: the names from the command line.
        known: all names there are.
        where: the command that lists them.

    Raises:
        UsageError: one is unknown; the hint offers near names.
    """
    names = tuple(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"`{where}` lists them"
            raise UsageError(f"there is no {what} {name!r}", hint)
