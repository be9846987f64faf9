"""Reads what a namespace's protocols have counted, in the calling thread's namespace.

Changes nothing.  Sources: proc(5), /proc/net/snmp and netstat: pairs of
lines, the names first, then the numbers (kernel, net/ipv4/proc.c);
/proc/net/softnet_stat: a line per processor, in hexadecimal, the second
column what its queue had no room for (kernel, net/core/net-procfs.c).
"""

from __future__ import annotations

from itertools import pairwise

from dnet_tui.inspect.kernel.netns import read_small
from dnet_tui.inspect.model import KernelCounters

_TABLES = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
_SOFTNET = "/proc/thread-self/net/softnet_stat"
_GROUPS = frozenset({"Ip", "Icmp", "Tcp", "Udp", "TcpExt", "IpExt"})


def read_counters() -> KernelCounters | None:
    """The counters; None when they can't be read, which no other section depends on."""
    values: dict[str, int] = {}
    try:
        for path in _TABLES:
            values |= parse_tables(read_small(path))
        values |= parse_softnet(read_small(_SOFTNET))
    except (OSError, ValueError):
        return None
    return KernelCounters(values=values)


def parse_tables(raw: bytes) -> dict[str, int]:
    """The counters of a file of such pairs of lines, by ``GROUP.NAME``.

    Raises:
        ValueError: what should be a number isn't one.
    """
    found: dict[str, int] = {}
    for names, numbers in pairwise(raw.decode("ascii", "replace").splitlines()):
        group, colon, rest = names.partition(":")
        if colon and group in _GROUPS and numbers.startswith(f"{group}:") and not rest.strip()[:1].isdecimal():
            values = numbers.partition(":")[2].split()
            found |= {f"{group}.{name}": int(value) for name, value in zip(rest.split(), values, strict=False)}
    return found


def parse_softnet(raw: bytes) -> dict[str, int]:
    """What the receive queues of all processors dropped.

    Raises:
        ValueError: a line has fewer than two numbers, or what isn't one.
    """
    rows = [line.split() for line in raw.decode("ascii", "replace").splitlines() if line.strip()]
    if any(len(row) < 2 for row in rows):
        msg = "softnet_stat has a line without its second column"
        raise ValueError(msg)
    return {"softnet.dropped": sum(int(row[1], 16) for row in rows)}
