"""Networks read from text: of the same few a big host names thousands of times.  Pure."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_REMEMBERED = 16_384


@lru_cache(maxsize=_MOST_REMEMBERED)
def read_network(cidr: str) -> IPNetwork:
    """The network of a CIDR or an address, whose host bits may be set.

    Raises:
        ValueError: it is neither.
    """
    return ipaddress.ip_network(cidr, strict=False)
