"""Which of the kernel's notifications mean that a host's network changed.  Pure.

The kernel also tells of what happens all the time without anybody's doing:
neighbours that are confirmed, addresses whose lifetime a router renewed, a
link that a capture made promiscuous.  Those are left out.

Sources: linux/rtnetlink.h, linux/if.h, linux/neighbour.h, linux/if_addr.h;
net/core/rtnetlink.c (``rtmsg_ifinfo``), net/core/neighbour.c.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable

from dnet_tui.inspect.kernel.netlink import attributes, messages
from dnet_tui.inspect.model.change_events import OURS, Moved

_NEWLINK, _DELLINK = 16, 17
_NEWADDR, _DELADDR = 20, 21
_NEWROUTE, _DELROUTE = 24, 25
_NEWNEIGH, _DELNEIGH = 28, 29
_NEWRULE, _DELRULE = 32, 33
_NEWNETCONF, _DELNETCONF = 80, 81

_CAPTURED = 0x100 | 0x200
"""IFF_PROMISC and IFF_ALLMULTI: what a capture changes, ours among them."""
_IFLA_WIRELESS = 11
_IFA_CACHEINFO = 6
_RTA_CACHEINFO = 12
_ROUTE_CLONED = 0x200
_AF_BRIDGE = 7
_NUD_FAILED, _NUD_NOARP, _NUD_PERMANENT = 0x20, 0x40, 0x80
_NDA_DST, _NDA_LLADDR = 1, 2
_IFINFO = struct.Struct("=BBHiII")
_NEIGHBOUR = struct.Struct("=BBHiHBB")

_FAILED, _BY_HAND = b"failed", b"by hand "

_REMEMBERED = 4096


class RouteFilter:
    """Reads what the rtnetlink groups tell, and answers with the sections of a snapshot that changed.

    It remembers a bounded number of neighbours, addresses and routes, so that
    one that is told again as it was isn't taken for news.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._kinds: dict[int, Callable[[int, bytes], str]] = {
            _NEWLINK: self._link, _DELLINK: self._link,
            _NEWADDR: self._address, _DELADDR: self._address,
            _NEWROUTE: self._route, _DELROUTE: self._route,
            _NEWNEIGH: self._neighbour, _DELNEIGH: self._neighbour,
        }  # fmt: skip

    def news(self, data: bytes, nsid: int = OURS) -> frozenset[Moved]:
        """What one received datagram is news for.

        ``nsid`` is the number of the namespace it came from: ifindexes repeat across namespaces.
        """
        found = set()
        for code, _flags, _sequence, body in messages(data):
            if code in (_NEWRULE, _DELRULE):
                found.add("policy-rules")
            elif code in (_NEWNETCONF, _DELNETCONF):
                found.add("sysctls")
            elif code in self._kinds and len(body) >= _NEIGHBOUR.size - 4:
                found.add(self._kinds[code](code, struct.pack("=i", nsid) + body))
        return frozenset(Moved(section, nsid) for section in found if section)

    def _link(self, code: int, told: bytes) -> str:
        body = told[4:]
        if code == _DELLINK or len(body) < _IFINFO.size:
            return "links"
        changed = _IFINFO.unpack_from(body)[5]
        if changed and not changed & ~_CAPTURED:
            return ""
        return "" if _IFLA_WIRELESS in attributes(body, _IFINFO.size) else "links"

    def _address(self, code: int, told: bytes) -> str:
        return "addresses" if self._is_news(told, 8, _IFA_CACHEINFO, gone=code == _DELADDR) else ""

    def _route(self, code: int, told: bytes) -> str:
        body = told[4:]
        if len(body) >= 12 and struct.unpack_from("=I", body, 8)[0] & _ROUTE_CLONED:
            return ""
        return "routes" if self._is_news(told, 12, _RTA_CACHEINFO, gone=code == _DELROUTE) else ""

    def _is_news(self, told: bytes, header: int, volatile: int, *, gone: bool) -> bool:
        """Whether it isn't what was told last, its lifetime aside."""
        found = attributes(told, 4 + header)
        found.pop(volatile, None)
        key = told[: 4 + header] + b"".join(
            struct.pack("=HH", kind, len(value)) + value for kind, value in sorted(found.items())
        )
        return self._remember(key, b"gone" if gone else b"there")

    def _neighbour(self, code: int, told: bytes) -> str:
        """Another MAC, an address that stopped answering, or one that somebody set by hand.

        That an entry comes, ages and goes is everyday life, as is what a bridge learns.
        """
        body = told[4:]
        family, _, _, ifindex, state, _, _ = _NEIGHBOUR.unpack_from(body.ljust(_NEIGHBOUR.size, b"\0"))
        fixed = bool(state & (_NUD_PERMANENT | _NUD_NOARP))
        if family == _AF_BRIDGE:
            return "fdb" if fixed else ""
        found = attributes(body, _NEIGHBOUR.size)
        key = b"neigh" + told[:4] + struct.pack("=Bi", family, ifindex) + found.get(_NDA_DST, b"")
        before = self._known.get(key, b"")
        if code == _DELNEIGH:
            self._known.pop(key, None)
            return "neighbours" if state & _NUD_PERMANENT or before.startswith(_BY_HAND) else ""
        mac = found.get(_NDA_LLADDR, b"")
        if state & _NUD_FAILED:
            return "neighbours" if self._remember(key, _FAILED) else ""
        if state & _NUD_PERMANENT:
            return "neighbours" if self._remember(key, _BY_HAND + mac) else ""
        if not mac or state & _NUD_NOARP:
            return ""
        return "neighbours" if self._remember(key, mac) and before else ""

    def _remember(self, key: bytes, value: bytes) -> bool:
        """Keep what was told last; whether that differs from before."""
        is_news = self._known.get(key) != value
        self._known[key] = value
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return is_news
