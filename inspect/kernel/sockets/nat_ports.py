"""Reads how many source ports translated connections to one destination take, in the calling thread's namespace.

A busy host tracks a million connections, so the table is never read whole.
Where there are too few connections for a port to be hard to find nothing is
read but their number.  Elsewhere the first few thousand of a dump are a fair sample (the
kernel dumps its table by a keyed hash, which knows nothing of destinations);
for the destinations that stand out in it the kernel itself picks the
connections, and they are counted without being parsed, all but the
port that each was given.

Needs CAP_NET_ADMIN.  Sources: linux/netfilter/nfnetlink_conntrack.h;
CTA_FILTER since Linux 5.8, an older kernel ignores it and sends everything,
which is then counted here, as far as the time allows.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attribute
from dnet_tui.inspect.kernel.sockets.conntrack import CT_GET, NETLINK_NETFILTER, read_number
from dnet_tui.inspect.kernel.sockets.conntrack_parse import parse_entry
from dnet_tui.inspect.kernel.sockets.nat_search import chance_of_none
from dnet_tui.inspect.model import Family, NatPortUse
from dnet_tui.inspect.model.protocols import PROTOCOLS

WORTH = 25_000
"""Connections below which a new one finds a port in 99 % of cases, whichever of the 64,512 ports they take."""

_SAMPLE = 4_096
"""Entries that are parsed to see which destinations stand out: at 5 % of them one has 205 ± 14 in it."""
_MOST = 4
"""Destinations that are counted."""
_SECONDS, _PATIENCE = 1.0, 5.0
"""What all counting gets of this thread's own time, and of the clock's on a machine that is busy with others."""
_CLOCK_EVERY = 256

_NESTED = 1 << 15
_TUPLE_REPLY, _FILTER, _REPLY_FLAGS = 2, 25, 2
_TUPLE_IP, _TUPLE_PROTO, _NUM, _SRC_PORT = 1, 2, 1, 2
_ADDRESSES = {"ip": (1, 2), "ip6": (3, 4)}
"""CTA_IP_V4_SRC, CTA_IP_V4_DST and those of IPv6."""
_AF: dict[Family, int] = {"ip": socket.AF_INET, "ip6": socket.AF_INET6}
_BY_SRC, _BY_DST, _BY_NUM, _BY_SRC_PORT = 1 << 0, 1 << 1, 1 << 3, 1 << 4
"""CTA_FILTER's flags (CTA_FILTER_F_CTA_* in the kernel's nf_internals.h)."""

_NUMBERS = {name: number for number, name in PROTOCOLS.items() if name in {"tcp", "udp"}}


class CountingBudget:
    """The time that counting gets, from now on."""

    def __init__(self, seconds: float = _SECONDS, patience: float = _PATIENCE) -> None:
        self._work = time.thread_time() + seconds
        self._clock = time.monotonic() + patience

    def is_spent(self) -> bool:
        """Whether it is used up."""
        return time.thread_time() > self._work or time.monotonic() > self._clock


def read_nat_ports() -> tuple[NatPortUse, ...]:
    """The destinations that take the most source ports, where one may be hard to find; the largest first.

    Raises:
        OSError: the kernel refused (PermissionError without CAP_NET_ADMIN), or did not answer in time.
    """
    tracked = read_number("nf_conntrack_count")
    if tracked is None or tracked < WORTH:
        return ()
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        sample = tuple(islice(sock.stream(CT_GET, bytes([socket.AF_UNSPEC, 0, 0, 0])), _SAMPLE))
    budget = CountingBudget()
    uses = [_counted(use, budget) for use in outstanding(sample, tracked)]
    return tuple(sorted(uses, key=lambda use: -use.count))


def outstanding(sample: Iterable[bytes], tracked: int) -> tuple[NatPortUse, ...]:
    """The destinations that by a sample of the ``tracked`` connections may take as many ports, not counted yet."""
    bodies = tuple(sample)
    entries = [entry for body in bodies if (entry := parse_entry(body)) is not None]
    found = Counter(
        (item.family, item.proto, item.reply.dst, item.reply.src, item.reply.sport)
        for item in entries
        if item.proto in _NUMBERS and "src-nat" in item.status
    )
    least = WORTH / 2 * len(bodies) / tracked  # half of what is looked for: a sample may be that wrong
    return tuple(
        NatPortUse(family=family, proto=proto, source=source, target=target, port=port, count=0)
        for (family, proto, source, target, port), count in found.most_common(_MOST)
        if count >= least and port is not None
    )


def _counted(use: NatPortUse, budget: CountingBudget) -> NatPortUse:
    """How many connections there are to a destination, and by which ports; "at least" once the time is up."""
    ask, needle = asking_for(use)
    taken: list[int] = []
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        for index, body in enumerate(sock.stream(CT_GET, bytes([_AF[use.family], 0, 0, 0]) + ask)):
            if index % _CLOCK_EVERY == 0 and budget.is_spent():
                return _with(use, taken, complete=False)
            place = body.find(needle)
            if place >= 0:
                taken.append(port_behind(body, place + len(needle)))
    return _with(use, taken, complete=True)


def port_behind(body: bytes, place: int) -> int:
    """The port in the attribute at a place of a message: what a reply is sent to is what its connection was given."""
    return int.from_bytes(body[place + 4 : place + 6], "big")


def _with(use: NatPortUse, taken: list[int], *, complete: bool) -> NatPortUse:
    return NatPortUse(
        family=use.family,
        proto=use.proto,
        source=use.source,
        target=use.target,
        port=use.port,
        count=len(taken),
        complete=complete,
        refused=round(chance_of_none(taken), 4),
    )


def asking_for(use: NatPortUse) -> tuple[bytes, bytes]:
    """The attributes that ask for the connections to a destination, and what is in the body of each of them."""
    source, destination = _ADDRESSES[use.family]
    ends = (use.target, use.source)  # of the reply: from the destination to the host's address
    packed = [ipaddress.ip_address(address).packed for address in ends]
    addresses = attribute(source, packed[0]) + attribute(destination, packed[1])
    proto = attribute(_NUM, bytes([_NUMBERS[use.proto]])) + attribute(_SRC_PORT, use.port.to_bytes(2, "big"))
    within = attribute(_NESTED | _TUPLE_IP, addresses)
    reply = attribute(_NESTED | _TUPLE_REPLY, within + attribute(_NESTED | _TUPLE_PROTO, proto))
    flags = (_BY_SRC | _BY_DST | _BY_NUM | _BY_SRC_PORT).to_bytes(4, sys.byteorder)
    ask = reply + attribute(_NESTED | _FILTER, attribute(_REPLY_FLAGS, flags))
    # The kernel's message has the destination's port behind it, so that only the nested header's length differs.
    header = attribute(_NESTED | _TUPLE_PROTO, proto + attribute(3, b"\0\0"))[:4]
    return ask, within + header + proto
