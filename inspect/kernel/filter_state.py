"""Reads what xtables' matches and targets keep of packets, in the calling thread's namespace.

/proc/net/xt_recent has the lists of ``-m recent``, with times in ticks of the
kernel's clock; how many of them make a second isn't told, and follows from
the clock itself (/proc/timer_list, root's alone), which began 300 seconds
before it overflowed.  /proc/net/netfilter/nfnetlink_queue has the queues that
a program reads.

Sources: the kernel's xt_recent.c (recent_seq_show), nfnetlink_queue.c
(seq_show), linux/jiffies.h (INITIAL_JIFFIES), kernel/time/timer_list.c.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from dnet_tui.inspect.kernel.read_file import read_beginning
from dnet_tui.inspect.model.filter_state import RecentAddress
from dnet_tui.inspect.text.encoding import storable, text

_RECENT = Path("/proc/thread-self/net/xt_recent")
_QUEUES = "/proc/thread-self/net/netfilter/nfnetlink_queue"
_TIMERS = "/proc/timer_list"
_ENTRY = re.compile(r"src=(\S+) ttl: (\d+) last_seen: (\d+) oldest_pkt: \d+((?:,? \d+)*)", re.ASCII)
_JIFFIES = re.compile(r"^jiffies: (\d+)$", re.MULTILINE | re.ASCII)
_RATES = (100, 250, 300, 1000)
"""The kernel's choices of CONFIG_HZ."""
_WRAP = 1 << 32
_HEAD_START = 300
_TOLERANCE = 60
_MOST = 1 << 20
"""Bytes of one list that are read."""


class TickClock(NamedTuple):
    """The kernel's clock: its ticks now, and how many make a second."""

    now: int
    rate: int

    def age(self, ticks: int) -> float:
        """How many seconds ago it showed so many ticks."""
        return ((self.now - ticks) % (_WRAP << 32)) / self.rate


def read_recent() -> tuple[RecentAddress, ...]:
    """The addresses on every list of ``-m recent``.

    Raises:
        OSError: a list is there and can't be read.
    """
    try:
        names = sorted(item.name for item in _RECENT.iterdir())
    except FileNotFoundError:
        return ()  # no rule has ever asked for such a match
    clock = read_clock() if names else None
    lists = [(name, text(read_beginning(str(_RECENT / name), _MOST))) for name in names]
    return tuple(item for name, shown in lists for item in parse_recent(storable(name), shown, clock))


def parse_recent(name: str, shown: str, clock: TickClock | None) -> Iterator[RecentAddress]:
    """The addresses of one list; without a clock their times aren't known."""
    for line in shown.splitlines():
        found = _ENTRY.fullmatch(line.strip())
        if found is None:
            continue
        stamps = [int(word.rstrip(",")) for word in found[4].replace(",", " ").split()]
        yield RecentAddress(
            list=name,
            address=str(ip_address(found[1])),
            ttl=int(found[2]),
            hits=len(stamps),
            ages=None if clock is None else tuple(round(clock.age(stamp), 1) for stamp in sorted(stamps)),
        )


def read_clock() -> TickClock | None:
    """The kernel's clock; None where it isn't shown, or runs at an unknown rate."""
    try:
        found = _JIFFIES.search(text(read_beginning(_TIMERS, 65_536)))
    except OSError:
        return None
    return tick_clock(int(found[1]), time.monotonic()) if found is not None else None


def tick_clock(ticks: int, uptime: float) -> TickClock | None:
    """The clock that shows so many ticks after so many seconds; None where no known rate fits."""
    for rate in _RATES:
        since = (ticks - (_WRAP - _HEAD_START * rate)) / rate
        if abs(since - uptime) < _TOLERANCE:
            return TickClock(ticks, rate)
    return None


def read_queues() -> tuple[int, ...]:
    """The numbers of the queues that a program reads.

    Raises:
        OSError: they may not be read.
    """
    try:
        return parse_queues(text(read_beginning(_QUEUES, _MOST)))
    except FileNotFoundError:
        return ()  # the kernel has no such queues, or its module isn't loaded


def parse_queues(shown: str) -> tuple[int, ...]:
    """The first word of each line is a queue's number."""
    return tuple(
        sorted(int(line.split()[0]) for line in shown.splitlines() if line.split()[:1] and line.split()[0].isdecimal())
    )
