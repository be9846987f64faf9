"""The hooks below IP: those of the bridge family, and those of single devices (netdev).  Three-valued and pure.

Sources: net/bridge/br_input.c and br_forward.c for the bridge's;
``nf_ingress`` in net/core/dev.c for what a device receives (a bridge does so
once more for what goes up to its host), ``nf_hook_egress`` for what it sends.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.walk.chains import HookResult
from dnet_tui.diagnostics.walk.conntrack import without_connection
from dnet_tui.diagnostics.walk.hooks import run_hook
from dnet_tui.diagnostics.walk.match import interface_matches
from dnet_tui.diagnostics.walk.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.diagnostics.walk.passage import ENDS
from dnet_tui.diagnostics.walk.site import Site, bridge_of
from dnet_tui.diagnostics.walk.traffic import pass_filters
from dnet_tui.diagnostics.walk.trail import Trail
from dnet_tui.inspect.firewall import Chain, Firewall, Hook
from dnet_tui.inspect.model import Link, Namespace

_DEVICE_FAMILIES = ("netdev", "inet")


def pass_bridge(trail: Trail, ns: Namespace, hook: Hook, iif: str, oif: str) -> None:
    """The bridge family's own chains: the interfaces are the ports."""
    firewall = ns.firewall or Firewall()
    families = {table.family for table in firewall.tables} | {table.family for table in firewall.unread}
    if "bridge" not in families:
        return
    frame = altered(trail.packet, iif=iif, oif=oif, ibrname=bridge_of(ns, iif), obrname=bridge_of(ns, oif))
    result = run_hook(firewall, hook, frame, namespace=ns.id, address_type=Site(ns), families=("bridge",))
    trail.packet = altered(trail.packet, mark=result.packet.mark)
    _note(trail, ns, iif or oif, "bridge", result)


def pass_device(trail: Trail, ns: Namespace, link: Link, hook: Literal["ingress", "egress"]) -> None:
    """What a device's own programs, filters and chains do; traffic control is the outermost."""
    if hook == "ingress":
        pass_filters(trail, ns, link, hook)
    _pass_chains(trail, ns, link.name, hook)
    if hook == "egress":
        pass_filters(trail, ns, link, hook)


def _pass_chains(trail: Trail, ns: Namespace, device: str, hook: Literal["ingress", "egress"]) -> None:
    """The chains that are bound to a device; no connection is known there yet, or looked at."""
    firewall = ns.firewall or Firewall()
    bound = [
        msgspec.structs.replace(table, chains=tuple(_bound(chain, hook, device) for chain in table.chains))
        for table in firewall.tables
        if table.family in _DEVICE_FAMILIES
        and any(chain.hook == hook and _is_at(chain, device) for chain in table.chains)
    ]
    # Tables of inet that weren't read are told of where IP's own hooks are passed.
    unread = tuple(item for item in firewall.unread if item.family == "netdev")
    if not bound and not unread:
        return
    sides = {"iif": device, "oif": ""} if hook == "ingress" else {"oif": device}
    # What is sent has its frame's header already, which counts in its length (nft_meta.c, NFT_META_LEN).
    length = trail.packet.length if hook == "ingress" else 0
    mark = 0 if hook == "ingress" else trail.packet.mark
    seen = altered(without_connection(trail.packet), mark=mark, length=length, **sides)
    result = run_hook(
        msgspec.structs.replace(firewall, tables=tuple(bound), unread=unread),
        hook,
        seen,
        namespace=ns.id,
        address_type=Site(ns),
        families=_DEVICE_FAMILIES,
    )
    _note(trail, ns, device, hook, result)
    if hook == "ingress" and result.packet.mark != 0:
        text = f"a rule at {device} marks the packet before IP sees it, which is not followed"
        trail.obstacle("unknown", hook, Decider(kind="rule", text=text, namespace=ns.id))


def _bound(chain: Chain, hook: str, device: str) -> Chain:
    """The chain, without its hook if it is another device's."""
    return chain if chain.hook != hook or _is_at(chain, device) else msgspec.structs.replace(chain, hook=None)


def _is_at(chain: Chain, device: str) -> bool:
    """Whether a chain is bound to a device; newer kernels take a pattern with a star at its end."""
    return any(interface_matches(f"{name[:-1]}+" if name.endswith("*") else name, device) for name in chain.devices)


def _note(trail: Trail, ns: Namespace, interface: str, stage: str, result: HookResult) -> None:
    if result.verdict != "accept":
        by = result.by or Decider(kind="rule", text="", namespace=ns.id)
        trail.hop(ns, interface, stage, result.verdict, rule=by.rule)
        trail.obstacle(ENDS[result.verdict], stage, by)
