"""The IPsec policies of the calling thread's namespace: with any, packets may go another way than routes say.

Over NETLINK_XFRM; needs CAP_NET_ADMIN.  Changes nothing.  Sources:
linux/xfrm.h (XFRM_MSG_GETSPDINFO and XFRM_MSG_GETPOLICY, struct xfrmu_spdinfo,
struct xfrm_userpolicy_info, struct xfrm_user_tmpl).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable
from typing import Literal

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attributes
from dnet_tui.inspect.model.links import Family
from dnet_tui.inspect.model.routing import XfrmPolicy, XfrmTemplate

_NETLINK_XFRM = 6
_GET_SPD_INFO, _GET_POLICY = 0x25, 0x15
_SPD_INFO = 1
_COUNTS = struct.Struct("=3I")
"""The beginning of struct xfrmu_spdinfo: in, out, forward; then those of single sockets."""
_NOT_IN_KERNEL = frozenset({errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ECONNREFUSED})
"""What a kernel without XFRM answers: then there are no policies."""

_POLICY = struct.Struct("=16s16s8sHBBB3xiI64x32xIIBBBB4x")
"""struct xfrm_userpolicy_info: its selector, lifetimes (left out), priority, index, direction, action, flags, share."""
_PORTS = struct.Struct("!4H")
"""Inside the selector: destination port and its mask, source port and its mask."""
_TEMPLATE = struct.Struct("=16s4xB3xH2x16sIBBB13x")
"""struct xfrm_user_tmpl: destination, protocol, family, source, reqid, mode, share, optional; then algorithms."""
_TMPL, _POLICY_TYPE, _MARK, _IF_ID = 5, 16, 21, 31
_FAMILIES: dict[int, Family] = {socket.AF_INET: "ip", socket.AF_INET6: "ip6"}
_DIRECTIONS: dict[int, Literal["in", "out", "fwd"]] = {0: "in", 1: "out", 2: "fwd"}
_PROTOS = {50: "esp", 51: "ah", 108: "comp", 60: "dstopts", 43: "routing"}
_MODES = ("transport", "tunnel", "ro", "in_trigger", "beet", "iptfs")


def read_policies() -> tuple[XfrmPolicy, ...]:
    """The policies in the order they were made, without those of single sockets.

    Raises:
        OSError: the kernel refused, or did not answer in time.
    """
    try:
        with NetlinkSocket(_NETLINK_XFRM) as sock:
            if not parse_policy_count(sock.ask(_GET_SPD_INFO, b"\0\0\0\0")):
                return ()
            return parse_policies(sock.dump(_GET_POLICY, b"").bodies)
    except OSError as error:
        if error.errno in _NOT_IN_KERNEL:
            return ()
        raise


def parse_policy_count(body: bytes) -> int:
    """Read one XFRM_MSG_NEWSPDINFO: the number of policies in all directions.

    Raises:
        OSError: it doesn't tell.
    """
    counts = attributes(body, 4).get(_SPD_INFO, b"")
    if len(counts) < _COUNTS.size:
        raise OSError("the kernel's answer doesn't tell the number of policies")
    return sum(_COUNTS.unpack_from(counts))


def parse_policies(bodies: Iterable[bytes]) -> tuple[XfrmPolicy, ...]:
    """Read XFRM_MSG_NEWPOLICY messages; the kernel tells the newest first."""
    found = [policy for body in bodies if (policy := _policy(body)) is not None]
    return tuple(reversed(found))


def _policy(body: bytes) -> XfrmPolicy | None:
    if len(body) < _POLICY.size:
        return None
    dst, src, ports, family_number, to_len, from_len, proto, ifindex, _user, priority, _index, *rest = (
        _POLICY.unpack_from(body)
    )
    direction, action = _DIRECTIONS.get(rest[0]), rest[1]
    family = _FAMILIES.get(family_number)
    if direction is None or family is None:
        return None  # a socket's own
    dport, dport_mask, sport, sport_mask = _PORTS.unpack(ports)
    found = attributes(body, _POLICY.size)
    other = ("sub type",) if found.get(_POLICY_TYPE, b"\0")[:1] != b"\0" else ()
    return XfrmPolicy(
        family=family,
        direction=direction,
        action="block" if action else "allow",
        priority=priority,
        src=_network(src, from_len, family),
        dst=_network(dst, to_len, family),
        proto=proto,
        sport=(sport, sport_mask),
        dport=(dport, dport_mask),
        ifindex=ifindex,
        mark=struct.unpack("=II", found[_MARK][:8]) if len(found.get(_MARK, b"")) >= 8 else (0, 0),
        if_id=int.from_bytes(found.get(_IF_ID, b"")[:4], "little" if struct.pack("=H", 1)[0] else "big"),
        templates=_templates(found.get(_TMPL, b"")),
        other=other,
    )


def _templates(data: bytes) -> tuple[XfrmTemplate, ...]:
    found = []
    for at in range(0, len(data) - _TEMPLATE.size + 1, _TEMPLATE.size):
        dst, proto, family_number, src, reqid, mode, _share, optional = _TEMPLATE.unpack_from(data, at)
        family = _FAMILIES.get(family_number, "ip")
        found.append(
            XfrmTemplate(
                proto=_PROTOS.get(proto, str(proto)),
                mode=_MODES[mode] if mode < len(_MODES) else str(mode),
                src=_address(src, family),
                dst=_address(dst, family),
                reqid=reqid,
                optional=bool(optional),
            )
        )
    return tuple(found)


def _address(data: bytes, family: Family) -> str:
    """The address; empty for any."""
    raw = data[:4] if family == "ip" else data
    return str(ipaddress.ip_address(raw)) if any(raw) else ""


def _network(data: bytes, length: int, family: Family) -> str:
    raw = data[:4] if family == "ip" else data
    return str(ipaddress.ip_network((raw, length), strict=False))
