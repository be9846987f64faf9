"""Lists nftables' tables and rules over nfnetlink.  Reads; changes nothing.

Only what the readers of iptables need: which tables exist, each rule's handle
and its expressions as the kernel keeps them, and the ruleset's generation.
Nothing is spawned; it costs a fraction of a millisecond.

Source: include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple, Self

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attribute, attributes
from dnet_tui.inspect.model.firewall import TableFamily
from dnet_tui.inspect.text.encoding import text

_NETLINK_NETFILTER = 12
_NFTABLES = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GET_TABLE, _GET_CHAIN, _GET_RULE, _GET_GENERATION = _NFTABLES | 1, _NFTABLES | 4, _NFTABLES | 7, _NFTABLES | 16
_TABLE_NAME, _TABLE_FLAGS, _TABLE_USE = 1, 2, 3
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE, _RULE_EXPRESSIONS = 1, 2, 3, 4
_GENERATION_ID = 1
_DORMANT = 0x1
_GENERIC = struct.Struct("=BBH")
"""struct nfgenmsg: family, version, resource."""
_ELEMENT = struct.Struct("=HH")

FAMILIES: dict[int, TableFamily] = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""``NFPROTO_*`` of the families that tables can have."""
_NUMBERS = {name: number for number, name in FAMILIES.items()}


class NftTable(NamedTuple):
    """A table.  It has no effect while it is dormant, or empty (no chain, set or object)."""

    family: TableFamily
    name: str
    dormant: bool = False
    empty: bool = False


class NftChain(NamedTuple):
    """A chain of a table.  ``policy`` (``accept``, ``drop``) is empty where it isn't attached to a hook."""

    table: str
    name: str
    policy: Literal["accept", "drop", ""] = ""


class NftRule(NamedTuple):
    """A rule, in the order of its chain; ``expressions`` is the raw ``NFTA_RULE_EXPRESSIONS``."""

    chain: str
    handle: int
    expressions: bytes


class InterruptedDumpError(Exception):
    """The ruleset changed each time while it was listed."""


class NftSocket(NetlinkSocket):
    """A socket to nf_tables, in the network namespace of the thread that opens it.  Use as a context manager.

    The methods raise OSError as the kernel answers (EPERM without
    CAP_NET_ADMIN), and :class:`InterruptedDumpError`.
    """

    def __init__(self) -> None:
        super().__init__(_NETLINK_NETFILTER)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def tables(self) -> tuple[NftTable, ...]:
        """All tables of all families."""
        bodies = self._listed(_GET_TABLE, _GENERIC.pack(0, 0, 0))
        return tuple(parse_table(body) for body in bodies if body[:1] and body[0] in FAMILIES)

    def chains(self, family: TableFamily) -> tuple[NftChain, ...]:
        """All chains of all tables of a family."""
        number = _NUMBERS[family]
        bodies = self._listed(_GET_CHAIN, _GENERIC.pack(number, 0, 0))
        return tuple(parse_chain(body) for body in bodies if body[:1] and body[0] == number)

    def rules(self, family: TableFamily, table: str) -> tuple[NftRule, ...]:
        """All rules of one table, chain by chain and in order."""
        number = _NUMBERS[family]
        wanted = _GENERIC.pack(number, 0, 0) + attribute(_RULE_TABLE, table.encode() + b"\0")
        bodies = self._listed(_GET_RULE, wanted)
        return tuple(parse_rule_message(body) for body in bodies if body[:1] and body[0] == number)

    def handles(self, family: TableFamily, table: str, chain: str) -> dict[int, bytes]:
        """The handles of a chain's rules, in order, each with its message (for :func:`parse_rule_message`).

        A fraction of the work that :meth:`rules` is.
        """
        number = _NUMBERS[family]
        place = attribute(_RULE_TABLE, table.encode() + b"\0") + attribute(_RULE_CHAIN, chain.encode() + b"\0")
        # With this the kernel begins each message (nf_tables_fill_rule_info).
        start = place + _ELEMENT.pack(12, _RULE_HANDLE)
        at = _GENERIC.size + len(start)
        found: dict[int, bytes] = {}
        for body in self._listed(_GET_RULE, _GENERIC.pack(number, 0, 0) + place):
            if body.startswith(start, _GENERIC.size) and body[0] == number:
                found[int.from_bytes(body[at : at + 8], "big")] = body
            elif body[:1] and body[0] == number:  # it doesn't
                rule = parse_rule_message(body)
                if rule.chain == chain:
                    found[rule.handle] = body
        return found

    def generation(self) -> int:
        """The ruleset's generation: it changes with every change of the ruleset."""
        answer = attributes(self.ask(_GET_GENERATION, _GENERIC.pack(0, 0, 0)), _GENERIC.size)
        return int.from_bytes(answer.get(_GENERATION_ID, b""), "big")

    def _listed(self, kind: int, payload: bytes) -> tuple[bytes, ...]:
        dump = self.dump(kind, payload)
        if dump.torn:
            msg = "the ruleset changes faster than it can be listed"
            raise InterruptedDumpError(msg)
        return dump.bodies


def parse_table(body: bytes) -> NftTable:
    """Read one NFT_MSG_NEWTABLE."""
    found = attributes(body, _GENERIC.size)
    flags = int.from_bytes(found.get(_TABLE_FLAGS, b""), "big")
    empty = not any(found.get(_TABLE_USE, b"?"))
    return NftTable(FAMILIES[body[0]], text(found.get(_TABLE_NAME, b"")), bool(flags & _DORMANT), empty)


def parse_chain(body: bytes) -> NftChain:
    """Read one NFT_MSG_NEWCHAIN."""
    found = attributes(body, _GENERIC.size)
    policy: Literal["accept", "drop", ""] = ""
    if _CHAIN_HOOK in found:
        # NF_DROP is 0, NF_ACCEPT 1
        policy = "drop" if int.from_bytes(found.get(_CHAIN_POLICY, b"\1"), "big") == 0 else "accept"
    return NftChain(text(found.get(_CHAIN_TABLE, b"")), text(found.get(_CHAIN_NAME, b"")), policy)


@lru_cache(maxsize=1024)
def _chain(raw: bytes) -> str:
    """A chain's name; one string for all of its rules."""
    return text(raw)


def parse_rule_message(body: bytes) -> NftRule:
    """Read one NFT_MSG_NEWRULE."""
    found = attributes(body, _GENERIC.size)
    handle = int.from_bytes(found.get(_RULE_HANDLE, b""), "big")
    return NftRule(_chain(found.get(_RULE_CHAIN, b"")), handle, found.get(_RULE_EXPRESSIONS, b""))


def elements(data: bytes) -> Iterator[bytes]:
    """Iterate over a nested list's elements; stops at a malformed one."""
    offset = 0
    while offset + _ELEMENT.size <= len(data):
        length, _ = _ELEMENT.unpack_from(data, offset)
        if length < _ELEMENT.size or offset + length > len(data):
            return
        yield data[offset + _ELEMENT.size : offset + length]
        offset += (length + 3) & ~3
