"""Who answers when a neighbour is asked for: ARP with all its settings, and ICMPv6's neighbour discovery.  Pure.

Sources: net/ipv4/arp.c (arp_process, arp_ignore, arp_filter, arp_fwd_proxy,
arp_fwd_pvlan, arp_solicit), devinet.c (inet_confirm_addr); net/ipv6/ndisc.c
(ndisc_recv_ns).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3.addresses import is_usable
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.l3.routing import address_type, is_local, lookup, switched_on, sysctl_name
from dnet_tui.diagnostics.walk.match.values import contains, is_loopback
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, Packet
from dnet_tui.inspect.model import Address, Link, Unread

_SPEAKING = {"bridge", "veth", "macvlan", "ipvlan", "vlan", "bond", ""}
"""Kinds of link that use ARP unless it is turned off on them; tunnels do without."""
_SILENT = 8
"""The value of arp_ignore with which nothing is answered for."""


_MOST_REMEMBERED = 65_536


def is_mute(link: Link) -> bool:
    """Whether ARP is turned off on a device that could use it (``ip link set dev NAME arp off``)."""
    return "NOARP" in link.flags and link.kind in _SPEAKING


def speaks(link: Link) -> bool:
    """Whether a device asks for its neighbours."""
    return "NOARP" not in link.flags and link.kind in _SPEAKING


def answers(index: NamespaceIndex, link: Link, address: str, asker: str = "") -> bool:
    """Whether a namespace answers on a link when asked who has ``address``, by somebody with the address ``asker``."""
    key = (link.ifindex, address, asker)
    found = index.answering.get(key)
    if found is None:
        if len(index.answering) >= _MOST_REMEMBERED:
            index.answering.clear()
        found = index.answering[key] = _answers(index, link, address, asker)
    return found


def _answers(index: NamespaceIndex, link: Link, address: str, asker: str) -> bool:
    if ":" in address:
        return _answers_for6(index, link, address)
    if is_mute(link) or is_loopback(address):
        return False
    if not asker:
        return is_local(index, address) and not _ignores(index, link, "", address)
    answer, stops = admit(index, _asked(asker, address, link), link)
    if answer.type == "unknown" or any(stop.end == "unknown" for stop in stops):
        return is_local(index, address)  # what can't be told here is met again by the packet itself
    if stops:
        return False
    if answer.type == "local":
        return not _ignores(index, link, asker, address) and not _filters(index, link, asker, address)
    return answer.type == "unicast" and _stands_in(index, link, address, answer.ifindex)


def _asked(asker: str, address: str, link: Link) -> Packet:
    """A question that is received: the route is looked for by its addresses, as of a packet without protocol."""
    return Packet(src=asker, dst=address, proto="", arp_op="request", iif=link.name)


def silence(index: NamespaceIndex, link: Link, address: str, asker: str) -> Decider | None:
    """Why a namespace doesn't answer on a link for an address that is its own; None where it isn't, or does."""
    if ":" in address or not asker or is_mute(link) or not is_local(index, address):
        return None
    _, stops = admit(index, _asked(asker, address, link), link)
    if stops:
        return stops[0].by
    name = ""
    if _ignores(index, link, asker, address):
        name = "arp_ignore"
    elif _filters(index, link, asker, address):
        name = "arp_filter"
    if not name:
        return None
    key = f"net.ipv4.conf.{sysctl_name(link.name)}.{name}"
    value = str(max(_number(index, "all", name), _number(index, link.name, name)))
    return Decider(kind="sysctl", text=key, value=value, namespace=index.ns.id)


def may_stand_in(index: NamespaceIndex) -> bool:
    """Whether a namespace may answer for addresses that aren't its own on any link.

    One of which the settings weren't seen is taken for one as they are born: else it would leave all its neighbours
    open.
    """
    sysctls = index.ns.sysctls
    if isinstance(sysctls, Unread) or isinstance(index.ns.proxied, Unread):
        return False
    return bool(index.ns.proxied) or any(
        value == "1" and ".conf." in key and key.endswith((".proxy_arp", ".proxy_arp_pvlan"))
        for key, value in sysctls.items()
    )


def _stands_in(index: NamespaceIndex, link: Link, address: str, out: int | None) -> bool:
    """Proxy ARP: for what is routed elsewhere, or (between isolated ports) back by the same link."""
    ns = index.ns
    if out == link.ifindex:
        return switched_on(ns, link.name, "proxy_arp_pvlan")
    if any((item.ifindex, item.address) == (link.ifindex, address) for item in ns.proxied):
        return True
    if not switched_on(ns, link.name, "proxy_arp"):
        return False
    mine = _number(index, link.name, "medium_id")
    other = _number(index, index.names.get(out or 0, ""), "medium_id")
    return mine == 0 or (mine != -1 and other not in {mine, -1})


def _ignores(index: NamespaceIndex, link: Link, asker: str, address: str) -> bool:
    """arp_ignore: whether an own address isn't answered for on this link."""
    mode = max(_number(index, "all", "arp_ignore"), _number(index, link.name, "arp_ignore"))
    if mode == _SILENT:
        return True
    if mode not in {1, 2, 3}:
        return False
    own = [item for item in index.ns.addresses if item.family == "ip"]
    if mode == 3:
        return all(item.address != address or item.scope == "host" for item in own)
    near = [item for item in own if item.ifindex == link.ifindex]
    if not any(item.address == address for item in near):
        return True
    return mode == 2 and bool(asker) and not any(_covers(item, asker) and _covers(item, address) for item in near)


def _filters(index: NamespaceIndex, link: Link, asker: str, address: str) -> bool:
    """arp_filter: only where the way back to who asks is by this link."""
    if not switched_on(index.ns, link.name, "arp_filter"):
        return False
    back = lookup(index, Packet(src=address, dst=asker, proto="", arp_op="reply", uid=0))
    return back.type != "unicast" or back.ifindex != link.ifindex


def _answers_for6(index: NamespaceIndex, link: Link, address: str) -> bool:
    ns = index.ns
    if address in index.addresses and any(
        item.ifindex == link.ifindex and item.address == address and is_usable(item) for item in ns.addresses
    ):
        return True
    if not any((item.ifindex, item.address) == (link.ifindex, address) for item in ns.proxied):
        return False
    own = f"net.ipv6.conf.{sysctl_name(link.name)}"
    proxies = "1" in {ns.sysctls.get(f"{own}.proxy_ndp"), ns.sysctls.get("net.ipv6.conf.all.proxy_ndp")}
    return proxies and ns.sysctls.get(f"{own}.forwarding", "0") != "0"


def question_source(index: NamespaceIndex, link: Link, packet: Packet, target: str) -> str:
    """The source of the question for a neighbour: by arp_announce the packet's own, or one of the link's.

    IPv6 asks by the packet's source if it is its own, else by the link's link-local address.
    """
    own = index.addresses_of.get(packet.family, ())
    near = index.addresses_on.get((packet.family, link.ifindex), ())
    if packet.family == "ip6":
        if any(item.address == packet.src for item in own):
            return packet.src
        return next((item.address for item in sorted(near, key=lambda item: item.scope == "global")), "")
    mode = max(_number(index, "all", "arp_announce"), _number(index, link.name, "arp_announce"))
    if mode in {0, 1} and address_type(index, packet.src) == "LOCAL":
        shared = any(_covers(item, target) and _covers(item, packet.src) for item in near)
        if mode == 0 or shared:
            return packet.src
    fitting = [item for item in near if item.scope in {"global", "link", "site"} and "secondary" not in item.flags]
    best = [item for item in fitting if _covers(item, target)]
    every = [item for item in own if item.scope in {"global", "link"}]
    return next((item.address for item in (*best, *fitting, *every)), "")


def _number(index: NamespaceIndex, device: str, name: str) -> int:
    value = index.ns.sysctls.get(f"net.ipv4.conf.{sysctl_name(device)}.{name}") or "0"
    return int(value) if value.lstrip("-").isdecimal() else 0


def _covers(item: Address, address: str) -> bool:
    return contains(item.cidr, address) is True
