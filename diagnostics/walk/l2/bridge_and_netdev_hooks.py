"""The hooks below IP: those of the bridge family, and those of single devices (netdev).  Three-valued and pure.

Sources: net/bridge/br_input.c and br_forward.c for the bridge's, and
br_netfilter_hooks.c (``br_nf_ops``) for where among them it calls IP's hooks;
``nf_ingress`` in net/core/dev.c for what a device receives (a bridge does so
once more for what goes up to its host), ``nf_hook_egress`` for what it sends.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.walk.l2.tc_xdp import pass_filters
from dnet_tui.diagnostics.walk.match.expressions import interface_matches
from dnet_tui.diagnostics.walk.match.namespace_context import Site, bridge_of
from dnet_tui.diagnostics.walk.netfilter.chains import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import without_connection
from dnet_tui.diagnostics.walk.netfilter.hook_traversal import ENDS, readable
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.netfilter.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider
from dnet_tui.diagnostics.walk.state import Trail
from dnet_tui.inspect.model import Link, Namespace
from dnet_tui.inspect.model.firewall import Chain, Firewall, Hook, Table

_DEVICE_FAMILIES = ("netdev", "inet")

Part = Literal["all", "first", "rest"]
"""Which of a bridge hook's chains: all, those that come before br_netfilter calls IP's hooks, or after."""

_BR_NETFILTER: dict[Hook, tuple[int, int]] = {"prerouting": (0, 0), "forward": (-1, 0)}
"""Where br_netfilter is among the chains, from and to: NF_BR_PRI_BRNF, of which older kernels took one off.

After br_netfilter's postrouting, which is the last (NF_BR_PRI_LAST), comes nothing.
"""


def pass_bridge(trail: Trail, ns: Namespace, hook: Hook, iif: str, oif: str, *, part: Part = "all") -> None:
    """The bridge family's own chains: the interfaces are the ports."""
    firewall = Firewall()
    with trail.unseen("bridge"):
        firewall = readable(ns)
    families = {table.family for table in firewall.tables} | {table.family for table in firewall.unread}
    if "bridge" not in families:
        return
    if part != "all":
        firewall = _around(trail, ns, firewall, hook, part)
    frame = altered(trail.packet, iif=iif, oif=oif, ibrname=bridge_of(ns, iif), obrname=bridge_of(ns, oif))
    result = run_hook(firewall, hook, frame, namespace=ns.id, address_type=Site(ns), families=("bridge",))
    trail.packet = altered(trail.packet, mark=result.packet.mark)
    _note(trail, ns, iif or oif, "bridge", result)


def _around(trail: Trail, ns: Namespace, firewall: Firewall, hook: Hook, part: Part) -> Firewall:
    """The firewall with those chains of the bridge hook that come before, or after, br_netfilter's call.

    A chain of br_netfilter's own priority comes before it if it is younger,
    which can't be seen: either may be.
    """
    low, high = _BR_NETFILTER[hook]
    chains = [chain for table in firewall.tables if table.family == "bridge" for chain in table.chains]
    level = [chain for chain in chains if chain.hook == hook and low <= chain.priority <= high]
    if part == "first":
        picked = trail.pick(2) if any(chain.rules or chain.policy == "drop" for chain in level) else 0
        trail.bridge_waits = picked == 1
        if picked is None:
            text = f"chain {level[0].name} has the priority at which br_netfilter calls IP's hooks: who is first"
            trail.obstacle("unknown", "bridge", Decider(kind="rule", text=text, namespace=ns.id))
    border = low if trail.bridge_waits else high + 1

    def asked(chain: Chain) -> bool:
        return chain.hook != hook or (chain.priority < border) == (part == "first")

    def only_asked(table: Table) -> Table:
        kept = (chain if asked(chain) else msgspec.structs.replace(chain, hook=None) for chain in table.chains)
        return msgspec.structs.replace(table, chains=tuple(kept))

    tables = tuple(only_asked(table) if table.family == "bridge" else table for table in firewall.tables)
    return msgspec.structs.replace(firewall, tables=tables)


def pass_device(trail: Trail, ns: Namespace, link: Link, hook: Literal["ingress", "egress"]) -> None:
    """What a device's own programs, filters and chains do; traffic control is the outermost."""
    if hook == "ingress":
        pass_filters(trail, ns, link, hook)
    _pass_chains(trail, ns, link.name, hook)
    if hook == "egress":
        pass_filters(trail, ns, link, hook)


def _pass_chains(trail: Trail, ns: Namespace, device: str, hook: Literal["ingress", "egress"]) -> None:
    """The chains that are bound to a device; no connection is known there yet, or looked at."""
    firewall = Firewall()
    with trail.unseen(hook):
        firewall = readable(ns)
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
    seen = altered(without_connection(trail.packet), length=length, **sides)
    result = run_hook(
        msgspec.structs.replace(firewall, tables=tuple(bound), unread=unread),
        hook,
        seen,
        namespace=ns.id,
        address_type=Site(ns),
        families=_DEVICE_FAMILIES,
    )
    trail.packet = altered(trail.packet, mark=result.packet.mark)
    _note(trail, ns, device, hook, result)


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
