"""rtnetlink message bodies → routes and policy rules.  Pure.

Sources: linux/rtnetlink.h, linux/fib_rules.h, ip-route(8), ip-rule(8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from dnet_tui.inspect.kernel.netlink import attributes
from dnet_tui.inspect.kernel.netlink_values import family_of, flag_names, ip, u8, u16, u32
from dnet_tui.inspect.kernel.rtnetlink.parse_addresses import PROTOCOLS, SCOPES
from dnet_tui.inspect.model import Family, NextHop, PolicyRule, Route
from dnet_tui.inspect.text.encoding import text

_RTMSG = struct.Struct("=BBBBBBBBI")
_NEXTHOP = struct.Struct("=HBBi")
_CLONED = 0x200
"""RTM_F_CLONED: a cached exception (PMTU, redirect), not a route that anybody configured."""

_TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
}
_HOP_FLAGS = ((1, "dead"), (2, "pervasive"), (4, "onlink"), (8, "offload"), (16, "linkdown"), (32, "unresolved"))
_ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_NO_LIMIT = 0xFFFFFFFF
_MTU_LOCK = 1 << 2
"""The bit of RTAX_MTU in RTAX_LOCK."""
_PREFERENCES = {1: "high", 3: "low"}
"""ICMPV6_ROUTER_PREF_*; 0 is medium."""
_RULE_MODELLED = frozenset({1, 2, 3, 4, 6, 10, 13, 14, 15, 16, 17, 19})
"""FRA_DST, SRC, IIFNAME, GOTO, PRIORITY, FWMARK, SUPPRESS_IFGROUP, SUPPRESS_PREFIXLEN, TABLE, FWMASK, OIFNAME,
L3MDEV."""
_RULE_HARMLESS = frozenset({11, 18, 21})
"""FRA_FLOW (accounting), FRA_PAD and FRA_PROTOCOL (who made the rule) decide nothing."""
_RULE_SELECTORS = {
    12: "tun_id",
    20: "uidrange",
    22: "ipproto",
    23: "sport",
    24: "dport",
    25: "dscp",
    26: "flowlabel",
}
_PORT_MASKS = {23: 28, 24: 29}
"""FRA_SPORT_MASK and FRA_DPORT_MASK: since Linux 6.15 the kernel says which bits of a single port count."""
_WHOLE_PORT = 0xFFFF


def _cidr(raw: bytes | None, length: int, family: Family) -> str:
    address = ip(raw) or ("0.0.0.0" if family == "ip" else "::")  # noqa: S104 - the default route's name
    return f"{address}/{length}"


def parse_routes(bodies: Iterable[bytes]) -> tuple[Route, ...]:
    """IPv4 and IPv6 routes of every table, in the kernel's order; cached exceptions are left out."""
    return tuple(route for body in bodies if (route := _route(body)) is not None)


@lru_cache(maxsize=16384)
def _route(body: bytes) -> Route | None:
    """One message.  Kept: containers have many routes in common, and so has the next look at the same host."""
    if len(body) < _RTMSG.size:
        return None
    number, dst_len, src_len, tos, table, protocol, scope, kind, flags = _RTMSG.unpack_from(body)
    family = family_of(number)
    if family is None or flags & _CLONED:
        return None
    attrs = attributes(body, _RTMSG.size)
    metrics = attributes(attrs[8]) if 8 in attrs else {}  # RTA_METRICS
    return Route(
        family=family,
        table=u32(attrs.get(15), table),  # RTA_TABLE has the tables above 255
        type=_TYPES.get(kind, str(kind)),
        dst=_cidr(attrs.get(1), dst_len, family),
        hops=tuple(_hops(attrs, flags)),
        source=ip(attrs.get(7)) or None,
        metric=u32(attrs.get(6)),
        scope=SCOPES.get(scope, str(scope)),
        protocol=PROTOCOLS.get(protocol, str(protocol)),
        other=tuple(_route_other(attrs, family, src_len, tos)),
        mtu=u32(metrics.get(2)) or None,  # RTAX_MTU
        mtu_locked=bool(u32(metrics.get(1)) & _MTU_LOCK),  # RTAX_LOCK
        advmss=u32(metrics.get(8)) or None,  # RTAX_ADVMSS
        preference=_PREFERENCES.get(u8(attrs.get(20)), ""),  # RTA_PREF
        nexthop_id=u32(attrs.get(30)) or None,  # RTA_NH_ID
        realm=u32(attrs.get(11)),  # RTA_FLOW
    )


def _hops(attrs: dict[int, bytes], flags: int) -> Iterator[NextHop]:
    if 9 in attrs:  # RTA_MULTIPATH
        yield from _multipath(attrs[9])
        return
    gateway = _gateway(attrs)
    ifindex = u32(attrs.get(4)) or None  # RTA_OIF
    if ifindex is not None or gateway is not None:
        yield NextHop(ifindex=ifindex, gateway=gateway, flags=flag_names(flags, _HOP_FLAGS))


def _multipath(raw: bytes) -> Iterator[NextHop]:
    """An array of struct rtnexthop, each with attributes of its own; ``hops`` is the weight less one."""
    offset = 0
    while offset + _NEXTHOP.size <= len(raw):
        length, flags, weight, ifindex = _NEXTHOP.unpack_from(raw, offset)
        if length < _NEXTHOP.size or offset + length > len(raw):
            return
        attrs = attributes(raw[offset : offset + length], _NEXTHOP.size)
        yield NextHop(
            ifindex=ifindex or None,
            gateway=_gateway(attrs),
            weight=weight + 1,
            flags=flag_names(flags, _HOP_FLAGS),
        )
        offset += (length + 3) & ~3


def _gateway(attrs: dict[int, bytes]) -> str | None:
    if 18 in attrs:  # RTA_VIA: a gateway of the other family, behind its two-byte family
        return ip(attrs[18][2:]) or None
    return ip(attrs.get(5)) or None


def _route_other(attrs: dict[int, bytes], family: Family, src_len: int, tos: int) -> Iterator[str]:
    if src_len:
        yield f"from {_cidr(attrs.get(2), src_len, family)}"
    if tos:
        yield f"tos {tos:#04x}"
    if u16(attrs.get(21)):  # RTA_ENCAP_TYPE
        yield f"encap {u16(attrs.get(21))}"
    if 30 in attrs and not attrs.keys() & {4, 5, 9, 18}:  # RTA_NH_ID, not spelt out
        yield f"nhid {u32(attrs[30])}"


def parse_rules(bodies: Iterable[bytes]) -> tuple[PolicyRule, ...]:
    """IPv4 and IPv6 policy rules, in the kernel's order: by priority."""
    return tuple(rule for body in bodies if (rule := _rule(body)) is not None)


@lru_cache(maxsize=2048)
def _rule(body: bytes) -> PolicyRule | None:
    """One message.  Kept: most namespaces have nothing but the rules that every new one is born with."""
    if len(body) < _RTMSG.size:
        return None
    number, dst_len, src_len, tos, table, _, _, action, flags = _RTMSG.unpack_from(body)
    family = family_of(number)
    if family is None:
        return None
    attrs = attributes(body, _RTMSG.size)
    mark, mask = attrs.get(10), attrs.get(16)
    limit = u32(attrs.get(14), _NO_LIMIT)
    return PolicyRule(
        family=family,
        priority=u32(attrs.get(6)),
        action=_ACTIONS.get(action, str(action)),
        table=u32(attrs.get(15), table) or None,
        src=_cidr(attrs.get(2), src_len, family) if src_len else None,
        dst=_cidr(attrs.get(1), dst_len, family) if dst_len else None,
        iif=text(attrs[3]) if 3 in attrs else None,
        oif=text(attrs[17]) if 17 in attrs else None,
        mark=u32(mark) if mark else None,
        mask=u32(mask) if mask else None,
        invert=bool(flags & 0x2),
        suppress_prefixlength=None if limit == _NO_LIMIT else limit,
        l3mdev=bool(u8(attrs.get(19))),
        other=tuple(_rule_other(attrs, tos)),
        realm=u32(attrs.get(11)),  # FRA_FLOW
    )


def _rule_other(attrs: dict[int, bytes], tos: int) -> Iterator[str]:
    if tos:
        yield f"tos {tos:#04x}"
    if 4 in attrs:
        yield f"goto {u32(attrs[4])}"
    if u32(attrs.get(13), _NO_LIMIT) != _NO_LIMIT:
        yield f"suppress_ifgroup {u32(attrs[13])}"
    masks = {mask for port, mask in _PORT_MASKS.items() if port in attrs}
    for kind in sorted(attrs.keys() - _RULE_MODELLED - _RULE_HARMLESS - masks):
        mask = u16(attrs.get(_PORT_MASKS.get(kind, 0)), _WHOLE_PORT) or _WHOLE_PORT
        some = f"/{mask:#06x}" if mask != _WHOLE_PORT else ""
        yield f"{_RULE_SELECTORS.get(kind, f'attribute {kind}')} {_selector(kind, attrs[kind])}{some}"


def _selector(kind: int, raw: bytes) -> str:
    if kind in (23, 24) and len(raw) == 4:
        low, high = u16(raw[:2]), u16(raw[2:])
        return str(low) if low == high else f"{low}-{high}"
    if kind == 20 and len(raw) == 8:
        return f"{u32(raw[:4])}-{u32(raw[4:])}"
    return str(u8(raw)) if len(raw) == 1 else f"0x{raw.hex()}"
