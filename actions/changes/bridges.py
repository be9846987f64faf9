"""Creating and deleting bridges, over netlink (rtnetlink(7), ``IFLA_BR_*``).

A deleted bridge is put back with all that it had
(:mod:`dnet_tui.actions.changes.bridge_state`); its ifindex is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dnet_tui.actions.changes.bridge_state import (
    capture,
    restore_addresses,
    restore_link,
    restore_sysctls,
    restore_tables,
)
from dnet_tui.actions.changes.links.bridge_extras import require_restorable, restore_multicast
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import BridgeState
from dnet_tui.diagnostics.operations.bridge import CreateBridge, DeleteBridge
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

_KERNEL = 2  # RTPROT_KERNEL: routes that come and go with an address


def prepare(action: CreateBridge | DeleteBridge, host: HostAccess) -> BridgeState:
    """Capture what is there under the bridge's name.

    Raises:
        ActionFailedError: A bridge to create exists; one to delete is missing, isn't a bridge, or is in use.
    """
    with _netlink() as ipr:
        link = _find(ipr, action.name)
        if isinstance(action, CreateBridge):
            if link is not None:
                msg = f"there is already an interface named {clean(action.name)}"
                raise ActionFailedError(msg, "choose another with --bridge-name")
            return BridgeState(existed=False)
        if link is None:
            msg = f"there is no interface named {clean(action.name)} any more"
            raise ActionFailedError(msg, "look again with `dnet-tui ls bridges`")
        return _capture(ipr, link, action.name, host)


def perform(action: CreateBridge | DeleteBridge, captured: BridgeState) -> BridgeState:
    """Create or delete the bridge and return what there is then.

    Raises:
        ActionFailedError: The kernel refused; a bridge that was made only in part is deleted again.
    """
    with _netlink() as ipr:
        if isinstance(action, DeleteBridge):
            ipr.link("del", index=captured.ifindex)
            return BridgeState(existed=False)
        index = _make(ipr, action)
        return BridgeState(existed=True, ifindex=index)


def revert(
    action: CreateBridge | DeleteBridge, captured: BridgeState, after: BridgeState | None, host: HostAccess
) -> str:
    """Delete the bridge that was created, or put back the one that was deleted.

    Returns:
        What was done, in a few words.

    Raises:
        ActionFailedError: The bridge has ports now, or the kernel refused.
    """
    name = clean(action.name)
    with _netlink() as ipr:
        if isinstance(action, CreateBridge):
            return _remove_created(ipr, action, after)
        link = _find(ipr, action.name)
        if link is not None:
            return f"bridge {name} is there already"
        _make(ipr, recreate(action, captured), captured, host)
    lost = restore_sysctls(host, captured) + restore_multicast(action.name, captured.multicast, host)
    return f"put back bridge {name}{lost}"


def _remove_created(ipr: Any, action: CreateBridge, after: BridgeState | None) -> str:
    """Delete the bridge that was created, under whatever name it goes by now."""
    name = clean(action.name)
    renamed = ipr.get_links(after.ifindex) if after is not None and after.ifindex in _indexes(ipr) else ()
    here = [link for link in (*renamed, _find(ipr, action.name)) if link is not None]
    link = next((item for item in here if _is_ours(item, action, after)), None)
    if link is None:
        return f"{name} is another interface by now: left alone" if here else f"bridge {name} is gone already"
    called = link.get_attr("IFLA_IFNAME") or action.name
    _refuse_ports(ipr, link["index"], called)
    ipr.link("del", index=link["index"])
    return f"deleted bridge {name}" + (f", which is named {clean(called)} by now" if called != action.name else "")


def _indexes(ipr: Any) -> set[int]:
    return {int(link["index"]) for link in ipr.get_links()}


def _is_ours(link: Any, action: CreateBridge, after: BridgeState | None) -> bool:
    """True for the bridge that ``action`` made: by its index, or by its alias when it was removed and put back.

    Without ``after`` (killed meanwhile) it may not have got its alias yet.
    """
    info = link.get_attr("IFLA_LINKINFO")
    if info is None or info.get_attr("IFLA_INFO_KIND") != "bridge":
        return False
    alias = link.get_attr("IFLA_IFALIAS") or ""
    if after is not None and after.ifindex == link["index"]:
        return True
    return alias == action.alias if alias else after is None


def recreate(action: DeleteBridge, captured: BridgeState) -> CreateBridge:
    """Return the creation that puts a deleted bridge back."""
    return CreateBridge(
        name=action.name,
        addresses=captured.addresses,
        alias=captured.alias,
        mtu=captured.mtu,
        mac=captured.mac,
        nf_call_iptables=bool(captured.nf_call[0]),
        nf_call_ip6tables=bool(captured.nf_call[1]),
    )


def _wanted(action: CreateBridge, like: BridgeState | None) -> dict[str, Any]:
    """Return the attributes of a bridge to add, by pyroute2's names."""
    wanted: dict[str, Any] = {"ifname": action.name, "kind": "bridge"}
    if action.mtu is not None:
        wanted["mtu"] = action.mtu
    if action.mac:
        wanted["address"] = action.mac
    if action.nf_call_iptables:
        wanted["br_nf_call_iptables"] = 1
    if action.nf_call_ip6tables:
        wanted["br_nf_call_ip6tables"] = 1
    if like is None or like.numbers:
        return wanted
    # Captured by a version that kept no more than these.
    wanted["br_stp_state"] = like.stp
    wanted["br_ageing_time"] = like.ageing_time
    for name, value in zip(("iptables", "ip6tables", "arptables"), like.nf_call, strict=True):
        wanted[f"br_nf_call_{name}"] = value
    if like.vlan_filtering:
        wanted["br_vlan_filtering"] = like.vlan_filtering
    return wanted


def _make(ipr: Any, action: CreateBridge, like: BridgeState | None = None, host: HostAccess | None = None) -> int:
    """Make a bridge; with ``like`` and ``host`` as that one was."""
    ipr.link("add", **_wanted(action, like))
    link = _find(ipr, action.name)
    if link is None:
        msg = f"bridge {clean(action.name)} vanished while it was being made"
        raise ActionFailedError(msg, "something on this host manages interfaces: NetworkManager, systemd-networkd?")
    index = int(link["index"])
    try:
        if action.alias:
            ipr.link("set", index=index, ifalias=action.alias)
        if like is not None:
            restore_link(ipr, index, like)
            if host is not None:
                restore_sysctls(host, like)  # before the addresses: they decide how IPv6 takes them
        if like is not None and like.address_states:
            restore_addresses(ipr, index, like)
        else:
            for cidr in action.addresses:
                address, _, length = cidr.partition("/")
                ipr.addr("add", index=index, address=address, prefixlen=int(length))
        if like is None or like.up:
            ipr.link("set", index=index, state="up")
        if like is not None:
            restore_tables(ipr, index, like)
    except BaseException:
        ipr.link("del", index=index)
        raise
    return index


def _capture(ipr: Any, link: Any, name: str, host: HostAccess) -> BridgeState:
    index = int(link["index"])
    info = link.get_attr("IFLA_LINKINFO")
    if info is None or info.get_attr("IFLA_INFO_KIND") != "bridge":
        msg = f"{clean(name)} is not a bridge"
        raise ActionFailedError(msg, "only bridges are removed by this command")
    _refuse_ports(ipr, index, name)
    require_restorable(name, host)
    extra = [route for route in ipr.get_routes(oif=index) if route["proto"] != _KERNEL and route["table"] != 255]
    if extra:
        msg = f"{len(extra)} route(s) lead through {clean(name)} that someone added"
        raise ActionFailedError(msg, f"delete them first: ip route show dev {clean(name)}")
    return capture(ipr, link, name, host)


def _refuse_ports(ipr: Any, index: int, name: str) -> None:
    ports = [
        clean(item.get_attr("IFLA_IFNAME") or "?") for item in ipr.get_links() if item.get_attr("IFLA_MASTER") == index
    ]
    if ports:
        msg = f"bridge {clean(name)} is in use by {', '.join(ports[:5])}{' …' if len(ports) > 5 else ''}"
        raise ActionFailedError(msg, "disconnect what is attached to it first")


def _find(ipr: Any, name: str) -> Any:
    found = ipr.link_lookup(ifname=name)
    if not found:
        return None
    links = ipr.get_links(found[0])
    return links[0] if links else None


@contextmanager
def _netlink() -> Iterator[Any]:
    """Open a netlink socket in the calling thread's namespace; its errors become the user's."""
    from pyroute2 import IPRoute  # noqa: PLC0415  233 ms, and only creating and removing needs it
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415  as above

    try:
        with IPRoute() as ipr:
            yield ipr
    except NetlinkError as error:
        denied = error.code in (1, 13)
        msg = f"the kernel refused: {clean(str(error.args[-1]))}"
        raise ActionFailedError(msg, "changing links needs root (CAP_NET_ADMIN): try sudo" if denied else "") from error
    except OSError as error:
        msg = f"no netlink here: {error.strerror}"
        raise ActionFailedError(msg) from error
