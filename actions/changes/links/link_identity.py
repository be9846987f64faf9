"""Which links an operation speaks of, by index, so that its undo finds them under another name.  And what was there.

Names change, indexes don't as long as the link lives (rtnetlink(7)).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.diagnostics.operations.address import AddAddress, DeleteAddress
from dnet_tui.diagnostics.operations.base import ProgramOperation
from dnet_tui.diagnostics.operations.bridge_port import (
    AddPortVlan,
    DeletePortVlan,
    PortState,
    SetPortFlag,
    SetPortState,
)
from dnet_tui.diagnostics.operations.link import DeleteVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import DeleteNeighbour, SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import HOST, NetnsScope, ScopedOperation, ip_command
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, ReplaceRoute

_STATES: tuple[PortState, ...] = ("disabled", "listening", "learning", "forwarding", "blocking")


def links_of(action: ProgramOperation) -> tuple[str, ...]:
    """The links that must be there for an operation to be made."""
    match action:
        case SetLinkMaster(link=link, master=master):
            return tuple(name for name in (link, master) if name)
        case SetSpanningTree(bridge=bridge):
            return (bridge,)
        case SetPortFlag(port=port) | SetPortState(port=port) | AddPortVlan(port=port) | DeletePortVlan(port=port):
            return (port,)
        case SetLinkUp(link=link) | DeleteVeth(link=link) | AddAddress(link=link) | DeleteAddress(link=link):
            return (link,)
        case DeleteNeighbour(link=link) | SetNeighbour(link=link):
            return (link,)
        case AddRoute(route=route) | ReplaceRoute(route=route) | DeleteRoute(route=route):
            return (route.link,) if route.link else ()
        case _:
            return ()


def scope_of(action: ProgramOperation) -> NetnsScope:
    """Where its links are."""
    return action.inside if isinstance(action, ScopedOperation) else HOST


def indexes(action: ProgramOperation, host: HostAccess) -> dict[str, int]:
    """The indexes of the links that an operation names; those that can't be read are left out."""
    names = links_of(action)
    if not names:
        return {}
    known = {name: index for index, name in _names(action, host).items()}
    return {name: known[name] for name in names if name in known}


_DIE_WITH_THEIR_LINK = (SetPortFlag, SetPortState, SetLinkMaster, SetLinkUp, AddAddress, AddRoute, AddPortVlan)
"""What such an operation made is gone with the link it was made on, and needs no undo then."""


def gone_with_its_link(action: ProgramOperation, captured: Mapping[str, int], host: HostAccess) -> str:
    """The link, now gone, that took an operation's effect with it; empty where there is none."""
    name = next(iter(links_of(action)), "")
    if name not in captured or not isinstance(action, _DIE_WITH_THEIR_LINK):
        return ""
    now = _names(action, host)
    return name if now and captured[name] not in now else ""


def under_todays_names(action: ProgramOperation, captured: Mapping[str, int], host: HostAccess) -> ProgramOperation:
    """The operation with the names that its links go by now; one that is gone keeps its name."""
    if not captured:
        return action
    now = _names(action, host)
    renamed = {name: now[index] for name, index in captured.items() if now.get(index, name) != name}
    return _renamed(action, renamed) if renamed else action


def _renamed(action: ProgramOperation, names: Mapping[str, str]) -> ProgramOperation:
    changes: dict[str, Any] = {}
    for field in ("link", "master", "bridge", "port", "before"):
        value = getattr(action, field, None)
        if isinstance(value, str) and value in names:
            changes[field] = names[value]
    route = getattr(action, "route", None)
    if route is not None and route.link in names:
        changes["route"] = msgspec.structs.replace(route, link=names[route.link])
    return msgspec.structs.replace(action, **changes) if changes else action


def exact_undo(action: ProgramOperation, stated: ProgramOperation | None, host: HostAccess) -> ProgramOperation | None:
    """What takes an operation back, with what only the host knows: a port's state, an address's label."""
    if isinstance(action, SetPortState):
        shown = _json(host, ("bridge", "-j", "link", "show", "dev", action.port))
        before = next((item.get("state") for item in shown), "")
        return SetPortState(port=action.port, state=before) if before in _STATES else stated
    if isinstance(action, DeleteAddress) and isinstance(stated, AddAddress):
        words = ip_command(action.inside, "-j", "address", "show", "dev", action.link)
        for link in _json(host, words):
            for item in link.get("addr_info", ()):
                if action.cidr == f"{item.get('local')}/{item.get('prefixlen')}":
                    return _address(stated, item)
    return stated


def _address(stated: AddAddress, item: Mapping[str, Any]) -> AddAddress:
    label = str(item.get("label", ""))
    return msgspec.structs.replace(
        stated,
        scope=str(item.get("scope", stated.scope)),
        label="" if label == stated.link else label,
        broadcast=str(item.get("broadcast", "")),
    )


def _names(action: ProgramOperation, host: HostAccess) -> dict[int, str]:
    found = _json(host, ip_command(scope_of(action), "-j", "link", "show"))
    return {int(item.get("ifindex", 0)): str(item.get("ifname", "")) for item in found}


def _json(host: HostAccess, words: tuple[str, ...]) -> list[dict[str, Any]]:
    ran = host.run(words)
    try:
        found = msgspec.json.decode(ran.out or "[]") if ran.code == 0 else []
    except msgspec.DecodeError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
