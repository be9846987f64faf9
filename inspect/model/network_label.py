"""What a plain-Linux network was meant to be, kept in its bridge's alias.  Pure.

A bridge without an engine has nobody to ask what it is for.  dnet-tui writes
it where it lives and dies with the bridge: into ``ifalias`` (at most 255
bytes, ``IFALIASZ`` in the kernel's if.h), as a prefix and compact JSON.
"""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.errors import UsageError

PREFIX = "dnet-tui:"
"""How an alias that dnet-tui wrote begins."""

MAX_BYTES = 255
"""The longest alias the kernel takes, in bytes (``IFALIASZ`` - 1)."""


class Intention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The purpose of a plain-Linux network; the same words as in :class:`dnet_tui.inspect.model.Network`."""

    name: str
    masquerade: bool = True
    isolated: bool = True
    internal: bool = False
    icc: bool = True


def encode(intention: Intention) -> str:
    """Return the alias to set on the bridge.

    Raises:
        UsageError: the name makes it longer than the kernel takes.
    """
    alias = PREFIX + msgspec.json.encode(intention).decode()
    if len(alias.encode()) > MAX_BYTES:
        raise UsageError(
            f"the name of the network is too long by {len(alias.encode()) - MAX_BYTES} bytes",
            "choose a shorter name",
        )
    return alias


def decode(alias: str) -> Intention | None:
    """Return what an alias says; None when it isn't dnet-tui's or can't be understood."""
    if not alias.startswith(PREFIX):
        return None
    try:
        intention = msgspec.json.decode(alias.removeprefix(PREFIX).encode(), type=Intention)
    except (ValueError, RecursionError):
        return None
    return intention if intention.name else None


def is_ours(alias: str) -> bool:
    """Whether an alias claims to be dnet-tui's, understood or not."""
    return alias.startswith(PREFIX)
