"""Reads how many packets came with a wrong checksum, in the calling thread's namespace.

Changes nothing.  Source: proc(5), /proc/net/snmp: pairs of lines, the names
first, then the numbers (kernel, net/ipv4/proc.c, ``snmp_seq_show``).
"""

from __future__ import annotations

from itertools import pairwise

from dnet_tui.inspect.kernel.netns import read_small
from dnet_tui.inspect.model import ChecksumCounts

_COUNTERS = "/proc/thread-self/net/snmp"


def read_checksums() -> ChecksumCounts | None:
    """The counters; None when they can't be read, which no other section depends on."""
    try:
        return parse_checksums(read_small(_COUNTERS))
    except (OSError, ValueError):
        return None


def parse_checksums(raw: bytes) -> ChecksumCounts | None:
    """The counters of /proc/net/snmp; None when those of TCP or UDP aren't in it (before Linux 3.10).

    Raises:
        ValueError: what should be a number isn't one.
    """
    lines = raw.decode("ascii", "replace").splitlines()
    tables: dict[str, dict[str, int]] = {}
    for names, numbers in pairwise(lines):
        head, _, rest = names.partition(":")
        if head in ("Tcp", "Udp") and head not in tables and numbers.startswith(f"{head}:"):
            values = numbers.partition(":")[2].split()
            tables[head] = {name: int(value) for name, value in zip(rest.split(), values, strict=False)}
    tcp, udp = tables.get("Tcp", {}), tables.get("Udp", {})
    if "InCsumErrors" not in tcp or "InCsumErrors" not in udp:
        return None
    return ChecksumCounts(
        tcp=tcp.get("InSegs", 0),
        tcp_bad=tcp["InCsumErrors"],
        udp=udp.get("InDatagrams", 0),
        udp_bad=udp["InCsumErrors"],
    )
