"""A bridge's settings over netlink: captured before it is deleted, and given to the one that is put back.

Everything that ip-link(8), ip-address(8), ip-neighbour(8), bridge(8) and
/proc/sys can set of a bridge without ports: attributes of the link and of the
bridge, addresses with peer, label, scope and flags, per-interface sysctls,
permanent neighbours and forwarding entries.  Its ifindex is new, and what was
learned is learned anew.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from dnet_tui.actions.changes.links.bridge_extras import multicast_addresses
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import AddressState, BridgeState, NeighbourState
from dnet_tui.inspect.errors import ActionFailedError

_NUMBERS = (
    "forward_delay", "hello_time", "max_age", "ageing_time", "stp_state", "priority", "group_fwd_mask",
    "vlan_filtering", "vlan_protocol", "vlan_default_pvid", "vlan_stats_enabled", "mcast_router", "mcast_snooping",
    "mcast_query_use_ifaddr", "mcast_querier", "mcast_hash_max", "mcast_last_member_cnt", "mcast_startup_query_cnt",
    "mcast_last_member_intvl", "mcast_membership_intvl", "mcast_querier_intvl", "mcast_query_intvl",
    "mcast_query_response_intvl", "mcast_startup_query_intvl", "mcast_stats_enabled", "mcast_igmp_version",
    "mcast_mld_version", "nf_call_iptables", "nf_call_ip6tables", "nf_call_arptables", "fdb_max_learned",
)  # fmt: skip
"""The bridge's own attributes that can be set, as IFLA_BR_* has them (include/uapi/linux/if_link.h)."""

_SETTABLE_FLAGS = 0x80 | 0x100 | 0x200 | 0x1000  # IFF_NOARP, _PROMISC, _ALLMULTI, _MULTICAST
_ADDRESS_FLAGS = 0x02 | 0x10 | 0x100 | 0x200 | 0x400  # nodad, home, mngtmpaddr, noprefixroute, autojoin
_STABLE_PRIVACY = 0x800  # IFA_F_STABLE_PRIVACY: the kernel's own link-local address
_KERNEL_LINK_LOCAL = 3  # IFAPROT_KERNEL_LL, Linux 5.18
_PERMANENT = 0x80  # NUD_PERMANENT
_AF_BRIDGE = 7


def capture(ipr: Any, link: Any, name: str, host: HostAccess) -> BridgeState:
    """Return all that can be set of a bridge."""
    index = int(link["index"])
    info = link.get_attr("IFLA_LINKINFO")
    mac = link.get_attr("IFLA_ADDRESS") or ""
    addresses = tuple(_addresses(ipr, index, mac))
    numbers = _numbers(info)
    return BridgeState(
        existed=True,
        ifindex=index,
        mac=mac,
        mtu=int(link.get_attr("IFLA_MTU") or 0),
        alias=link.get_attr("IFLA_IFALIAS") or "",
        up=bool(link["flags"] & 1),
        addresses=tuple(f"{item.local or item.address}/{item.prefixlen}" for item in addresses),
        sysctls={key: value for key in _keys(name, host) if (value := host.sysctl(key)) is not None},
        stp=numbers.get("stp_state", 0),
        vlan_filtering=numbers.get("vlan_filtering", 0),
        ageing_time=numbers.get("ageing_time", 0),
        nf_call=(
            numbers.get("nf_call_iptables", 0),
            numbers.get("nf_call_ip6tables", 0),
            numbers.get("nf_call_arptables", 0),
        ),
        numbers=numbers,
        link={
            "txqlen": int(link.get_attr("IFLA_TXQLEN") or 0),
            "group": int(link.get_attr("IFLA_GROUP") or 0),
            "flags": int(link["flags"]) & _SETTABLE_FLAGS,
        },
        address_states=addresses,
        neighbours=tuple(_neighbours(ipr, index)),
        forwarding=tuple(_forwarding(ipr, index)),
        altnames=_altnames(link),
        multicast=multicast_addresses(name, host),
    )


def restore_link(ipr: Any, index: int, state: BridgeState) -> None:
    """Give a new bridge, that isn't up yet, the settings of the link and the bridge."""
    (link,) = ipr.get_links(index)
    now = _numbers(link.get_attr("IFLA_LINKINFO"))
    changed = {f"br_{key}": value for key, value in state.numbers.items() if now.get(key) != value}
    if changed:
        ipr.link("set", index=index, kind="bridge", **changed)
    if (queue := state.link.get("txqlen")) is not None:
        ipr.link("set", index=index, txqlen=queue)
    if group := state.link.get("group"):
        ipr.link("set", index=index, group=group)
    if state.altnames:
        ipr.link("property_add", index=index, altname=list(state.altnames))
    flags = state.link.get("flags")
    if flags is not None and int(link["flags"]) & _SETTABLE_FLAGS != flags:
        ipr.link("set", index=index, flags=flags, mask=_SETTABLE_FLAGS)


def restore_addresses(ipr: Any, index: int, state: BridgeState) -> None:
    """Put the addresses on, in their order."""
    for item in state.address_states:
        more: dict[str, Any] = {}
        if item.local:
            more["local"] = item.local
        if item.broadcast:
            more["broadcast"] = item.broadcast
        if item.label:
            more["label"] = item.label
        if item.metric:
            more["rt_priority"] = item.metric
        if item.flags:
            more["flags"] = item.flags
        ipr.addr("add", index=index, address=item.address, prefixlen=item.prefixlen, scope=item.scope, **more)


def restore_tables(ipr: Any, index: int, state: BridgeState) -> None:
    """Put back permanent neighbours and forwarding entries of a bridge that is up."""
    for item in state.neighbours:
        ipr.neigh("replace", ifindex=index, dst=item.address, lladdr=item.mac, state=_PERMANENT)
    there = set(_forwarding(ipr, index))
    for mac in state.forwarding:
        if mac not in there:
            ipr.fdb("append", ifindex=index, lladdr=mac, state=_PERMANENT)


def restore_sysctls(host: HostAccess, state: BridgeState) -> str:
    """Put back its own kernel parameters; returns what the kernel did not take, for people."""
    refused: list[str] = []
    for key, value in state.sysctls.items():
        if host.sysctl(key) in (None, value):
            continue
        try:
            host.set_sysctl(key, value)
        except ActionFailedError:
            refused.append(key)
    return f"; the kernel did not take back {', '.join(refused)}" if refused else ""


def _numbers(info: Any) -> dict[str, int]:
    data = info.get_attr("IFLA_INFO_DATA") if info is not None else None
    if data is None:
        return {}
    found = ((name, data.get_attr(f"IFLA_BR_{name.upper()}")) for name in _NUMBERS)
    return {name: int(value) for name, value in found if value is not None}


def _altnames(link: Any) -> tuple[str, ...]:
    properties = link.get_attr("IFLA_PROP_LIST")
    return tuple(properties.get_attrs("IFLA_ALT_IFNAME")) if properties is not None else ()


def _addresses(ipr: Any, index: int, mac: str) -> Iterator[AddressState]:
    for item in ipr.get_addr(index=index):
        address, local = item.get_attr("IFA_ADDRESS"), item.get_attr("IFA_LOCAL")
        flags = int(item.get_attr("IFA_FLAGS") or item["flags"])
        own = local or address
        by_kernel = item.get_attr("IFA_PROTO") == _KERNEL_LINK_LOCAL or bool(flags & _STABLE_PRIVACY)
        if own.startswith("fe80:") and (by_kernel or own == _eui64(mac)):
            continue
        yield AddressState(
            address=address or local,
            local=local or "",
            prefixlen=int(item["prefixlen"]),
            broadcast=item.get_attr("IFA_BROADCAST") or "",
            label=item.get_attr("IFA_LABEL") or "",
            scope=int(item["scope"]),
            flags=flags & _ADDRESS_FLAGS,
            metric=int(item.get_attr("IFA_RT_PRIORITY") or 0),
        )


def _eui64(mac: str) -> str:
    """The link-local address that the kernel makes of a MAC address (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    if len(octets) != 6:
        return ""
    octets[0] ^= 2
    host = bytes((*octets[:3], 0xFF, 0xFE, *octets[3:]))
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + host))


def _neighbours(ipr: Any, index: int) -> Iterator[NeighbourState]:
    for item in ipr.get_neighbours(ifindex=index):
        mac = item.get_attr("NDA_LLADDR")
        if item["state"] & _PERMANENT and mac:
            yield NeighbourState(address=item.get_attr("NDA_DST"), mac=mac)


def _forwarding(ipr: Any, index: int) -> Iterator[str]:
    """The static entries of the bridge itself that somebody added: no multicast groups, which the kernel keeps."""
    for item in ipr.fdb("dump"):
        mac = item.get_attr("NDA_LLADDR") or ""
        if item["ifindex"] == index and item["state"] & _PERMANENT and mac and not int(mac[:2], 16) & 1:
            yield mac


def _keys(name: str, host: HostAccess) -> Iterator[str]:
    part = name.replace(".", "/")
    for family in ("ipv4", "ipv6"):
        for kind in ("conf", "neigh"):
            yield from host.sysctls_below(f"net.{family}.{kind}.{part}")
