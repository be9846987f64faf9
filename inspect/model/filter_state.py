"""What the kernel keeps for rules that remember packets, or hand them to programs.  Pure data."""

from __future__ import annotations

from dnet_tui.inspect.model.links import ModelStruct


class RecentAddress(ModelStruct, frozen=True, kw_only=True):
    """An address on a list of ``-m recent`` (/proc/net/xt_recent).

    ``hits`` is how often it was seen, as far as the list keeps that, and
    ``ages`` how many seconds before it was read each time was, the oldest
    first; None where the kernel's clock of ticks couldn't be read.
    """

    list: str
    address: str
    ttl: int = 0
    hits: int = 0
    ages: tuple[float, ...] | None = None
