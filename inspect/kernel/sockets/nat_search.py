"""How likely a new connection finds no source port to be translated to, where many are taken.  Pure.

It keeps its own port where that is free.  Otherwise the kernel begins at a
random port and looks at 128 in a row, then at 64 from another one, at 32, 16
and 8, and gives up (nf_nat_l4proto_unique_tuple in net/netfilter/nf_nat_core.c,
since Linux 5.0).  Ports that are taken lie in rows: they were asked for, or
found, one after the other.  So a look may fail long before all are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

FIRST, LAST = 1024, 65535
"""The ports that are looked through for a connection from one of them."""

OWN = range(32768, 61000)
"""The ports that programs get by default (net.ipv4.ip_local_port_range)."""

ROWS = (128, 64, 32, 16, 8)
"""How many ports in a row are looked at, from a new place each time."""


def chance_of_none(taken: Iterable[int]) -> float:
    """The likelihood, from 0 to 1, that a new connection from one of a program's usual ports gets no port."""
    used = bytearray(LAST - FIRST + 1)
    for port in taken:
        if FIRST <= port <= LAST:
            used[port - FIRST] = 1
    own = sum(used[OWN.start - FIRST : OWN.stop - FIRST]) / len(OWN)
    lengths = tuple(_lengths(bytes(used)))
    starts = (sum(max(0, length - row + 1) for length in lengths) for row in ROWS)
    return own * prod(min(1.0, number / len(used)) for number in starts)


def _lengths(used: bytes) -> Iterator[int]:
    """The lengths of the rows of taken ports; the first port follows the last one."""
    gap = used.find(0)
    if gap < 0:
        yield len(used) + max(ROWS) - 1
        return
    around = used[gap:] + used[:gap]
    yield from (len(row) for row in around.split(b"\0") if row)
