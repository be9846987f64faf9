"""A point that a packet did not come to.  Pure data."""

from __future__ import annotations

import msgspec


class MissingPoint(msgspec.Struct, frozen=True):
    """A point a packet did not come to.  ``reason`` may be empty; ``rule`` is the deciding rule's text.

    ``point`` None: it got no further, but to which point it would have come can't be said (there is no route).
    """

    point: int | None
    reason: str
    rule: str = ""
