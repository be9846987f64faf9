"""Conntrack messages → the model, and which of them are wanted.  Pure.

Parses the bodies of ``IPCTNL_MSG_CT_NEW`` messages as ctnetlink dumps them.
A body that is malformed, or has no tuples, is not an entry: None.

Sources: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h,
nf_conntrack_tcp.h, nf_conntrack_sctp.h.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable

import msgspec

from dnet_tui.inspect.kernel.netlink import attributes
from dnet_tui.inspect.model import ConntrackEntry, ConntrackTuple, Family
from dnet_tui.inspect.model.protocols import PROTOCOLS

_HEADER = 4
"""Size of struct nfgenmsg; its first byte is the address family."""

_TUPLE_ORIG, _TUPLE_REPLY, _STATUS, _PROTOINFO = 1, 2, 3, 4
_TIMEOUT, _MARK, _ID, _ZONE = 7, 8, 12, 18
_TUPLE_IP, _TUPLE_PROTO, _TUPLE_ZONE = 1, 2, 3
_PROTOINFO_TCP, _FLAGS, _CLOSE_INIT = 1, (4, 5), 4
_NUM, _SRC_PORT, _DST_PORT = 1, 2, 3
_ICMP = {4: "icmp_id", 5: "icmp_type", 6: "icmp_code", 7: "icmp_id", 8: "icmp_type", 9: "icmp_code"}

_FAMILIES: dict[int, Family] = {2: "ip", 10: "ip6"}
_ADDRESSES = {2: (1, 2, 4), 10: (3, 4, 16)}
"""Numbers of the source's and the destination's attribute, and an address's length, by family."""

STATUS_BITS = (
    "expected",
    "seen-reply",
    "assured",
    "confirmed",
    "src-nat",
    "dst-nat",
    "seq-adjust",
    "src-nat-done",
    "dst-nat-done",
    "dying",
    "fixed-timeout",
    "template",
    "nat-clash",
    "helper",
    "offload",
    "hw-offload",
)
"""The names of the ``IPS_*`` bits, lowest first."""

_TCP = (
    *("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"),
    "SYN_SENT2",
)
_DCCP = ("NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE", "INVALID")
_SCTP = (
    *("NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD"),
    *("SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"),
)
_STATES = {1: _TCP, 2: _DCCP, 3: _SCTP}
"""The states by the protocol's number within CTA_PROTOINFO; in each, attribute 1 holds the state."""


class ConntrackFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; an empty criterion asks for nothing in particular.

    ``addresses`` and ``ports``: one of them is in one of the entry's two
    tuples, on either side (so both ends of a translation find it).
    ``protos`` are names as in :data:`~dnet_tui.inspect.model.protocols.PROTOCOLS`.
    """

    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    protos: tuple[str, ...] = ()

    def admits(self, entry: ConntrackEntry) -> bool:
        """Whether an entry is wanted."""
        ways = (entry.original, entry.reply)
        if self.protos and entry.proto not in self.protos:
            return False
        if self.addresses and not any(way.src in self.addresses or way.dst in self.addresses for way in ways):
            return False
        return not self.ports or any(way.sport in self.ports or way.dport in self.ports for way in ways)

    def sieve(self) -> Callable[[bytes], bool]:
        """A fast test on the raw body that lets everything wanted through, and most of the rest not.

        Raises:
            ValueError: one of the addresses isn't one.
        """
        needles = tuple(ipaddress.ip_address(address).packed for address in self.addresses)
        if not needles:
            return lambda _body: True
        return lambda body: any(needle in body for needle in needles)


def parse_entry(body: bytes) -> ConntrackEntry | None:
    """One tracked connection; None when the message isn't one."""
    family = _FAMILIES.get(body[0]) if len(body) >= _HEADER else None
    if family is None:
        return None
    found = attributes(body, _HEADER)
    try:
        original, number = _tuple(found[_TUPLE_ORIG], body[0])
        reply, _ = _tuple(found[_TUPLE_REPLY], body[0])
        timeout = found.get(_TIMEOUT)
        return ConntrackEntry(
            family=family,
            proto=PROTOCOLS.get(number, str(number)),
            original=original,
            reply=reply,
            state=_state(found.get(_PROTOINFO, b"")),
            status=_status(_integer(found.get(_STATUS, b"\0\0\0\0"))),
            mark=_integer(found.get(_MARK, b"\0\0\0\0")),
            timeout=_integer(timeout) if timeout is not None else None,
            zone=_integer(found.get(_ZONE, b"\0\0")),
            id=_integer(found.get(_ID, b"\0\0\0\0")),
            closing=_is_closing(found.get(_PROTOINFO, b"")),
        )
    except (KeyError, ValueError, struct.error):
        return None


def _tuple(raw: bytes, family: int) -> tuple[ConntrackTuple, int]:
    """One direction, and the protocol's number.

    Raises:
        KeyError: a part is missing.
        ValueError: an address has the wrong length.
    """
    parts = attributes(raw)
    source, destination, length = _ADDRESSES[family]
    addresses, proto = attributes(parts[_TUPLE_IP]), attributes(parts[_TUPLE_PROTO])
    icmp = {name: _integer(proto[key]) for key, name in _ICMP.items() if key in proto}
    zone = parts.get(_TUPLE_ZONE)
    told = ConntrackTuple(
        src=_address(addresses[source], length),
        dst=_address(addresses[destination], length),
        sport=_integer(proto[_SRC_PORT]) if _SRC_PORT in proto else None,
        dport=_integer(proto[_DST_PORT]) if _DST_PORT in proto else None,
        zone=_integer(zone) if zone is not None else None,
        **icmp,
    )
    return told, _integer(proto[_NUM])


def _address(raw: bytes, length: int) -> str:
    if len(raw) != length:
        raise ValueError("an address of the wrong length")
    return str(ipaddress.ip_address(raw))


def _integer(raw: bytes) -> int:
    """An attribute's number: ctnetlink sends them all in network byte order, of one, two or four bytes.

    Raises:
        ValueError: it has another length.
    """
    if len(raw) not in (1, 2, 4):
        raise ValueError("a number of the wrong length")
    return int.from_bytes(raw, "big")


def _status(bits: int) -> tuple[str, ...]:
    return tuple(name for index, name in enumerate(STATUS_BITS) if bits >> index & 1)


def _is_closing(raw: bytes) -> bool:
    """Whether one end of a connection of TCP has closed it (IP_CT_TCP_FLAG_CLOSE_INIT, by either direction)."""
    told = attributes(attributes(raw).get(_PROTOINFO_TCP, b""))
    return any(told.get(flags, b"\0")[0] & _CLOSE_INIT for flags in _FLAGS)


def _state(raw: bytes) -> str:
    """The protocol's state; a number that has no name yet stays a number."""
    for kind, nested in attributes(raw).items():
        value = attributes(nested).get(1)
        if kind in _STATES and value:
            names = _STATES[kind]
            return names[value[0]] if value[0] < len(names) else str(value[0])
    return ""
