"""What connection tracking knows of two tuples: asked only where packets alone can't tell, and rarely.

Reads the conntrack table of the calling thread's namespace, at most once in
:data:`EVERY` seconds and never more than :data:`MOST` entries.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence

from dnet_tui.inspect.capture.correlation.packet_identity import FlowEnds
from dnet_tui.inspect.kernel.sockets.conntrack import read_conntrack
from dnet_tui.inspect.model import ConntrackEntry, ConntrackTuple
from dnet_tui.inspect.model.protocols import PROTOCOLS

EVERY = 0.2
MOST = 20_000
_SECONDS = 0.3

Reader = Callable[[], Sequence[ConntrackEntry]]


def _read() -> Sequence[ConntrackEntry]:
    try:
        return read_conntrack(limit=MOST, seconds=_SECONDS).entries
    except (OSError, ValueError):
        return ()


class Connections:
    """Callable: whether packets with two tuples are of one connection's same direction; None when it isn't known."""

    def __init__(self, read: Reader = _read, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._next = 0.0
        self._forms: dict[FlowEnds, int] = {}

    def __call__(self, one: FlowEnds, other: FlowEnds) -> bool | None:
        """See the class."""
        known = self._known(one, other)
        if known is None and self._clock() >= self._next:
            forms: dict[FlowEnds, int] = {}
            for index, entry in enumerate(self._read()):
                for form, direction in forms_of(entry):
                    forms.setdefault(form, index << 1 | direction)
            self._forms = forms
            self._next = self._clock() + EVERY
            known = self._known(one, other)
        return known

    def _known(self, one: FlowEnds, other: FlowEnds) -> bool | None:
        mine, its = self._forms.get(one), self._forms.get(other)
        return None if mine is None or its is None else mine == its


def forms_of(entry: ConntrackEntry) -> Iterator[tuple[FlowEnds, int]]:
    """Every tuple that packets of a connection can show, with its direction (0 original, 1 reply).

    The destination is translated before the source (nf_nat_core.c), so a
    packet shows as it came, with one end translated, and with both.
    """
    proto = next((number for number, name in PROTOCOLS.items() if name == entry.proto), None)
    if proto is None:
        return
    original, reply = entry.original, entry.reply
    for direction, (come, back) in enumerate(((original, reply), (reply, original))):
        came, answered = _ends(proto, come, asks=not direction), _ends(proto, back, asks=bool(direction))
        if came is None or answered is None:
            continue
        gone = answered.reverse()
        yield came, direction
        yield FlowEnds(proto, came.src, came.sport, gone.dst, gone.dport), direction
        yield gone, direction


def _ends(proto: int, tuple_: ConntrackTuple, *, asks: bool) -> FlowEnds | None:
    try:
        src, dst = ipaddress.ip_address(tuple_.src).packed, ipaddress.ip_address(tuple_.dst).packed
    except ValueError:
        return None
    if tuple_.icmp_id is not None:
        return FlowEnds(proto, src, tuple_.icmp_id if asks else 0, dst, 0 if asks else tuple_.icmp_id)
    return FlowEnds(proto, src, tuple_.sport or 0, dst, tuple_.dport or 0)
