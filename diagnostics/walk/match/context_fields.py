"""Conditions that the packet alone can't answer: routes, types of addresses, interfaces.  Three-valued and pure.

Sources: the kernel's xt_addrtype.c, ipt_rpfilter.c, nft_fib_ipv4.c, nft_fib_ipv6.c, nft_meta.c,
xt_policy.c, xt_owner.c, xt_cgroup.c, xt_realm.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.state_fields import recent, time
from dnet_tui.diagnostics.walk.match.values import Test, in_span, masked
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.match_fields import ContextField

_TYPES = frozenset({"LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "ANYCAST", "UNSPEC"})


def _address_type(which: str, limit: str = "") -> Test:
    """``limit``: only addresses of the interface of arrival (``in``) or leaving (``out``) count as local."""

    def test(value: str, packet: Packet, context: MatchContext) -> Truth:
        address = packet.dst if which == "dst" else packet.src
        device = {"in": packet.iif, "out": packet.oif}.get(limit, "")
        actual = context.address_type(address)
        if device:
            actual = context.type_on(address, device)
        if packet.family == "ip6" and (value, actual) == ("UNICAST", "LOCAL"):
            return None  # addrtype takes any unicast address for one (match_type6), nftables' fib only those elsewhere
        if not actual or value not in _TYPES:
            return None
        if packet.family == "ip6" and (value, actual) == ("UNICAST", "UNICAST"):
            # nftables' fib asks the routes: without a plain one the address is unreachable (nft_fib6_eval_type).
            there = context.route(packet, ("daddr" if which == "dst" else "saddr",))
            return True if there else None
        return value == actual

    return test


def _pkttype(value: str, packet: Packet, context: MatchContext) -> Truth:
    if packet.ibrname or packet.obrname:
        return None  # the MAC decides, and in a bridge's own hooks frames for others are there too
    kind = context.address_type(packet.dst)
    if value not in {"unicast", "broadcast", "multicast", "host"} or not kind:
        return None
    wanted = "unicast" if value == "host" else value
    return wanted == (kind.lower() if kind in {"BROADCAST", "MULTICAST"} else "unicast")


def _group(side: str) -> Test:
    def test(value: str, packet: Packet, context: MatchContext) -> Truth:
        return masked(value, context.group(_device(packet, side)))

    return test


def _word(side: str, ask: Callable[[MatchContext, str], str | None]) -> Test:
    def test(value: str, packet: Packet, context: MatchContext) -> Truth:
        found = ask(context, _device(packet, side))
        return None if found is None else found == value

    return test


def _device(packet: Packet, side: str) -> str:
    return packet.iif if side == "iif" else packet.oif


def _ipsec(_value: str, _packet: Packet, context: MatchContext) -> Truth:
    return False if context.uses_ipsec is False else None


def has_socket(packet: Packet) -> Truth:
    """Whether a socket of this namespace hangs on the packet.

    None where one may: on what is made here, and on what an established one
    is about to get (early demux, after PREROUTING).  Forwarded packets and
    the first of a connection have none.  What the kernel itself makes has a
    socket of the kernel's, which is no user's; but a tunnel's outer packet has the inner one's, if that has one.
    """
    foreign = packet.iif and (packet.oif or not (packet.reply or packet.later))
    return False if packet.bare or foreign else None


def is_absent(field: str, packet: Packet, context: MatchContext) -> bool:
    """Whether the packet certainly doesn't have this field, so that no match on it holds, negated or not."""
    if field[:3] in {"iif", "oif"}:
        device = _device(packet, field[:3])
        return not device or (field.endswith("kind") and context.kind(device) == "")
    if field in {"ibrname", "obrname"}:
        # In the bridge family's hooks one of the two is there at least.
        mine, other = (packet.ibrname, packet.obrname) if field == "ibrname" else (packet.obrname, packet.ibrname)
        return not mine and bool(other)
    if field in {"skuid", "skgid"} and _is_the_kernels(packet):
        return True  # its socket has no file
    return field in {"skuid", "skgid", "cgroup"} and has_socket(packet) is False


def _is_the_kernels(packet: Packet) -> bool:
    return (packet.by_kernel or packet.bare is not False) and not packet.iif


def _owner(what: str) -> Test:
    """Of a socket: whether there is one, or whose it is; for xt_owner nobody's is just nobody's."""

    def test(value: str, packet: Packet, _: MatchContext) -> Truth:
        there = has_socket(packet)
        if there is False:
            return False
        if _is_the_kernels(packet) and what != "socket":
            return False
        if packet.iif and not packet.plain:
            return None
        if what == "socket" and packet.bare is None:
            return None
        if what == "socket":
            return True if packet.plain or packet.uid is not None else None
        number = packet.uid if what == "uid" else 0 if packet.plain else None
        return None if number is None else in_span(value.replace("-", ":"), number, number)

    return test


def _cgroup(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Nobody knows the sender's; a plain packet's isn't the one that a rule picks out, but the root, or number 0."""
    return value in {"", "/", "0"} if packet.plain else None


def _realm(value: str, packet: Packet, context: MatchContext) -> Truth:
    return masked(value, context.realm(packet))


def _socket(value: str, packet: Packet, context: MatchContext) -> Truth:
    kind, _sep, transparent = value.partition("+")
    return context.socket(packet, bound=kind == "bound", transparent=bool(transparent))


def route_device_is(flags: tuple[str, ...]) -> Test:
    """The test of a field ``fib.saddr.iif``: whether the route that is asked for leaves by an interface."""

    def test(value: str, packet: Packet, context: MatchContext) -> Truth:
        found = context.route_device(packet, flags)
        return None if found is None else found == value

    return test


def context_test(field: ContextField) -> Test:  # noqa: C901, PLR0912 - the table of fields
    """The test of a value of a field."""
    match field:
        case "dst-type":
            return _address_type("dst")
        case "src-type":
            return _address_type("src")
        case "dst-type-in":
            return _address_type("dst", "in")
        case "src-type-in":
            return _address_type("src", "in")
        case "dst-type-out":
            return _address_type("dst", "out")
        case "src-type-out":
            return _address_type("src", "out")
        case "pkttype":
            return _pkttype
        case "fib":
            return lambda value, packet, context: context.route(packet, tuple(value.split(".")))
        case "rpfilter":
            return lambda value, packet, context: context.passes_rpfilter(packet, tuple(value.split("+")))
        case "iifgroup":
            return _group("iif")
        case "oifgroup":
            return _group("oif")
        case "iifkind":
            return _word("iif", lambda context, device: context.kind(device))
        case "oifkind":
            return _word("oif", lambda context, device: context.kind(device))
        case "iiftype":
            return _word("iif", lambda context, device: context.hardware(device))
        case "oiftype":
            return _word("oif", lambda context, device: context.hardware(device))
        case "ipsec":
            return _ipsec
        case "made-here":
            return lambda _, packet, __: has_socket(packet)
        case "owner-socket":
            return _owner("socket")
        case "owner-uid" | "skuid":
            return _owner("uid")
        case "owner-gid" | "skgid":
            return _owner("gid")
        case "cgroup":
            return _cgroup
        case "realm":
            return _realm
        case "socket":
            return _socket
        case "recent":
            return recent
        case "time":
            return time
        case _:
            assert_never(field)
