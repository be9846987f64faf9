"""The kernel's own account of a packet: nftables' trace events, parsed.  Pure.

What ``nft monitor trace`` shows comes as netlink messages to a group; this
module turns their bytes into :class:`TraceEvent`, and the headers in them
into addresses and ports.  :mod:`dnet_tui.inspect.watch.nft_trace_watch` reads them.

Sources: include/uapi/linux/netfilter/nf_tables.h (``NFTA_TRACE_*``,
``enum nft_trace_types``), net/netfilter/nf_tables_trace.c: the first event of
each base chain carries the headers, the network header whole and 20 bytes of
the transport header (``NFT_TRACETYPE_NETWORK_HSIZE``, ``…_TRANSPORT_HSIZE``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

import msgspec

MSG_TRACE = 0x0A11
"""``NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE``."""

TraceEventKind = Literal["policy", "return", "rule", ""]

_KINDS: dict[int, TraceEventKind] = {1: "policy", 2: "return", 3: "rule"}
_FAMILIES = {1: "inet", 2: "ip", 5: "netdev", 7: "bridge", 10: "ip6"}
_VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -3: "jump", -4: "goto", -5: "return"}
_TABLE, _CHAIN, _HANDLE, _TYPE, _VERDICT, _ID = 1, 2, 3, 4, 5, 6
_NETWORK, _TRANSPORT, _IIF, _OIF, _MARK, _POLICY = 8, 9, 10, 12, 14, 16
_CODE, _TO = 1, 2
_ACCEPT = b"\0\0\0\1"
_PORTS = {6, 17, 132}
_ICMP = {1, 58}


class TraceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a traced packet through a chain.

    ``ident`` tells packets apart for a while.  ``kind`` is what decided: a
    rule (by ``handle``), the base chain's policy, or a user chain's end
    (``return``).  ``to`` is the chain of a jump or goto.  ``network`` and
    ``transport`` are the packet's headers, empty but in the first event of a
    base chain; ``iif`` and ``oif`` are interface numbers, 0 for none.
    """

    ident: int
    family: str
    kind: TraceEventKind
    table: str
    chain: str
    handle: int = 0
    verdict: str = ""
    to: str = ""
    network: bytes = b""
    transport: bytes = b""
    iif: int = 0
    oif: int = 0
    mark: int = 0


class Headers(msgspec.Struct, frozen=True, kw_only=True):
    """A packet's addresses, and of its transport header what tells packets apart.

    ``proto`` is the number.  ``ident`` is the IPv4 identification, or IPv6's
    flow label.  ``body`` is the transport header as it came, 20 bytes at most
    of a trace.
    """

    src: str
    dst: str
    proto: int
    ident: int = 0
    sport: int = 0
    dport: int = 0
    icmp: tuple[int, int] = (0, 0)
    body: bytes = b""


def parse_events(data: bytes) -> Iterator[TraceEvent]:
    """Yield the trace events of what one read of a netlink socket brought; anything else in it is passed over."""
    for kind, body in messages(data):
        if kind == MSG_TRACE and len(body) >= 4:
            yield _event(_FAMILIES.get(body[0], ""), attributes(body[4:]))


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, what follows the header) of netlink messages; stops where they are cut short."""
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if size < 16 or at + size > len(data):
            return
        yield kind, data[at + 16 : at + size]
        at += (size + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """Netlink attributes by number, the last of each."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += (size + 3) & ~3
    return found


def text(value: bytes | None) -> str:
    """A name: bytes up to the zero that ends it."""
    return (value or b"").partition(b"\0")[0].decode("utf-8", "replace")


def headers(network: bytes, transport: bytes) -> Headers | None:
    """Read a packet's headers; None when they are neither IPv4 nor IPv6, or cut short."""
    if len(network) >= 40 and network[0] >> 4 == 6:
        src, dst = (str(IPv6Address(network[at : at + 16])) for at in (8, 24))
        ident = int.from_bytes(network[:4]) & 0xFFFFF
        proto = network[6]
    elif len(network) >= 20 and network[0] >> 4 == 4:
        src, dst = (str(IPv4Address(network[at : at + 4])) for at in (12, 16))
        ident = int.from_bytes(network[4:6])
        proto = network[9]
    else:
        return None
    ports = struct.unpack("!HH", transport[:4]) if proto in _PORTS and len(transport) >= 4 else (0, 0)
    icmp = (transport[0], transport[1]) if proto in _ICMP and len(transport) >= 2 else (0, 0)
    return Headers(
        src=src, dst=dst, proto=proto, ident=ident, sport=ports[0], dport=ports[1], icmp=icmp, body=transport
    )


def _event(family: str, found: dict[int, bytes]) -> TraceEvent:
    verdict = attributes(found.get(_VERDICT, b""))
    # A policy's verdict comes as an attribute of its own.
    code = verdict.get(_CODE, found.get(_POLICY, _ACCEPT))
    number = int.from_bytes(code[:4], signed=True)
    return TraceEvent(
        ident=_number(found.get(_ID)),
        family=family,
        kind=_KINDS.get(_number(found.get(_TYPE)), ""),
        table=text(found.get(_TABLE)),
        chain=text(found.get(_CHAIN)),
        handle=_number(found.get(_HANDLE)),
        # NF_QUEUE carries the queue's number, NF_DROP an errno, in the upper half (uapi/linux/netfilter.h).
        verdict=_VERDICTS.get(number if number < 0 else number & 0xFF, "accept"),
        to=text(verdict.get(_TO)),
        network=found.get(_NETWORK, b""),
        transport=found.get(_TRANSPORT, b""),
        iif=_number(found.get(_IIF)),
        oif=_number(found.get(_OIF)),
        mark=_number(found.get(_MARK)),
    )


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"")
