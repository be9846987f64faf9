"""Other addresses in place of the real ones, so that everything still fits together.  Pure.

Two addresses that share their first N bits still share exactly N bits
afterwards, so subnets keep their addresses and routes their order of
precision.  What has a meaning of its own stays: loopback, link-local,
multicast, documentation, ``0.0.0.0``; private addresses stay in their block.
A subnet's first and last address stay its first and last, and a range stays
the same range of other addresses.

At each node of the binary tree of all addresses the two halves change places
or not, as a keyed hash says: a permutation that keeps prefixes (the idea of
J. Xu et al., "Prefix-preserving IP address anonymization", 2002).  The first
node where they may change places they always do, so no address stays as it
is, except where a range or a subnet as large as its whole block pins it.
"""

from __future__ import annotations

import ipaddress
from hashlib import blake2b

_KEPT4 = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15",
          "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")  # fmt: skip
_BLOCKS4 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
_KEPT6 = ("::/127", "fe80::/10", "ff00::/8", "2001:db8::/32", "3fff::/20", "100::/64", "64:ff9b::/96", "::ffff:0:0/96")
_BLOCKS6 = ("fc00::/8", "fd00::/8", "fec0::/10", "2000::/3", "2001::/32", "2002::/16")
"""RFC 6890 and the IANA special-purpose registries; within a block everything is renumbered."""


class Renumbering:
    """The permutation of one family's addresses, as integers.  Pin everything first, then ask."""

    def __init__(self, key: bytes, bits: int, kept: tuple[str, ...], blocks: tuple[str, ...]) -> None:
        self._bits = bits
        self._hash = blake2b(key=key[:64], digest_size=1, person=b"dnet-tui v%d" % bits)
        self._pinned: set[tuple[int, int]] = set()
        self._kept: set[tuple[int, int]] = set()
        self._ends: set[int] = set()
        self._blocks: list[tuple[int, int]] = []
        self._known: dict[tuple[int, int], int] = {}
        for texts, is_kept in ((kept, True), (blocks, False)):
            for text in texts:
                net = ipaddress.ip_network(text)
                low, high, length = int(net.network_address), int(net.broadcast_address), net.prefixlen
                self._pinned.update((depth, low >> (bits - depth)) for depth in range(length))
                if is_kept:
                    self._kept.add((length, low >> (bits - length)))
                else:
                    self._blocks.append((low, high))

    def pin_range(self, low: int, high: int) -> None:
        """Keep a range in one piece: what lies between its ends lies between the ends' new addresses, and only that."""
        common = self._bits - (low ^ high).bit_length()
        for value in (low, high):
            self._pinned.update((depth, value >> (self._bits - depth)) for depth in range(common, self._bits))

    def pin_subnet(self, low: int, high: int) -> None:
        """Keep a subnet's first and last address first and last; where it is as large as its block they stay."""
        if any(low <= first and last <= high for first, last in self._blocks):
            self._ends |= {low, high}
        else:
            self.pin_range(low, high)

    def address(self, value: int) -> int:
        """The new address."""
        if value in self._ends:
            return value
        new = self.prefix(value, self._bits)
        return self.prefix(new, self._bits) if new in self._ends else new  # they stay; who would be one gets its place

    def prefix(self, value: int, length: int) -> int:
        """The new address of the network of ``length`` bits that ``value`` is in."""
        found = self._known.get((value, length))
        if found is None:
            found = self._known[value, length] = self._walk(value, length)
        return found

    def _walk(self, value: int, length: int) -> int:
        out, has_turned = 0, False
        for depth in range(length):
            node = value >> (self._bits - depth)
            if (depth, node) in self._kept:
                keep = self._bits - depth
                return ((out << keep) | (value & ((1 << keep) - 1))) & -(1 << (self._bits - length))
            bit = value >> (self._bits - 1 - depth) & 1
            if (depth, node) not in self._pinned:
                bit ^= 1 if not has_turned else self._turned(depth, node)
                has_turned = True
            out = out << 1 | bit
        return out << (self._bits - length)

    def _turned(self, depth: int, node: int) -> int:
        state = self._hash.copy()
        state.update(b"%d/%d" % (depth, node))
        return int(state.digest()[0]) & 1


def of_ip4(key: bytes) -> Renumbering:
    """The renumbering of IPv4."""
    return Renumbering(key, 32, _KEPT4, _BLOCKS4)


def of_ip6(key: bytes) -> Renumbering:
    """The renumbering of IPv6."""
    return Renumbering(key, 128, _KEPT6, _BLOCKS6)
