"""The hooks below IP: those of the bridge family, and those of single devices (netdev).  Three-valued and pure.

Sources: net/bridge/br_input.c and br_forward.c for the bridge's, and
br_netfilter_hooks.c (``br_nf_ops``) for where among them it calls IP's hooks;
``nf_ingress`` in net/core/dev.c for what a device receives (a bridge does so
once more for what goes up to its host), ``nf_hook_egress`` for what it sends;
nft_chain_filter.c (``nft_do_chain_inet_ingress``) for whom inet's are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dnet_tui.diagnostics.walk.match.values import interface_matches
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import without_connection
from dnet_tui.diagnostics.walk.netfilter.fwmark import with_changes
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Decider, Packet, is_unsure, replace
from dnet_tui.diagnostics.walk.stages.hook_traversal import ENDS
from dnet_tui.diagnostics.walk.stages.tc_xdp import pass_filters
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace
from dnet_tui.inspect.model.firewall import Chain, Hook

_BRIDGE = ("bridge",)
_DEVICE_FAMILIES = ("netdev", "inet")
_NETDEV = ("netdev",)

BridgeChains = Literal["all", "first", "rest"]
"""Which of a bridge hook's chains: all, those that come before br_netfilter calls IP's hooks, or after."""

_BR_NETFILTER: dict[Hook, tuple[int, int]] = {"prerouting": (0, 0), "forward": (-1, 0)}
"""Where br_netfilter is among the chains, from and to: NF_BR_PRI_BRNF, of which older kernels took one off.

After br_netfilter's postrouting, which is the last (NF_BR_PRI_LAST), comes nothing.
"""


def pass_bridge(state: WalkState, ns: Namespace, hook: Hook, iif: str, oif: str, *, part: BridgeChains = "all") -> None:
    """The bridge family's own chains: the interfaces are the ports."""
    index, ruleset = state.index(ns), state.ruleset_at(ns, "bridge")
    if "bridge" not in ruleset.rules.families:
        return
    asked = _around(state, ns, hook, part) if part != "all" else None
    frame = replace(state.packet, iif=iif, oif=oif, ibrname=index.bridge_of(iif), obrname=index.bridge_of(oif))
    result = run_hook(ruleset, hook, frame, families=_BRIDGE, asked=asked, most=state.assume)
    state.packet = with_changes(state.packet, result.packet)
    state.hedges += result.hedges
    _note(state, ns, iif or oif, "bridge", result)


def _around(state: WalkState, ns: Namespace, hook: Hook, part: BridgeChains) -> Callable[[Chain], bool]:
    """Tells the chains of the bridge hook that come before, or after, br_netfilter's call.

    A chain of br_netfilter's own priority comes before it if it is younger,
    which can't be seen: either may be.
    """
    low, high = _BR_NETFILTER[hook]
    chains = [base.chain for base in state.index(ns).rules.base_chains(hook, _BRIDGE)]
    level = [chain for chain in chains if low <= chain.priority <= high]
    if part == "first":
        chosen = state.choose(2) if any(chain.rules or chain.policy == "drop" for chain in level) else 0
        state.bridge_waits = chosen == 1
        if chosen is None:
            text = f"chain {level[0].name} has the priority at which br_netfilter calls IP's hooks: who is first"
            state.obstacle("unknown", "bridge", Decider(kind="rule", text=text, namespace=ns.id))
    border = low if state.bridge_waits else high + 1

    def asked(chain: Chain) -> bool:
        return (chain.priority < border) == (part == "first")

    return asked


def pass_device(state: WalkState, ns: Namespace, link: Link, hook: Literal["ingress", "egress"]) -> None:
    """What a device's own programs, filters and chains do; traffic control is the outermost."""
    if hook == "ingress":
        pass_filters(state, ns, link, hook)
    _pass_chains(state, ns, link.name, hook)
    if hook == "egress":
        pass_filters(state, ns, link, hook)


def _pass_chains(state: WalkState, ns: Namespace, device: str, hook: Literal["ingress", "egress"]) -> None:
    """The chains that are bound to a device."""
    result = device_chains(state, ns, device, hook, state.packet)
    if result is not None:
        state.packet = with_changes(state.packet, result.packet)
        state.hedges += result.hedges
        _note(state, ns, device, hook, result)


def device_chains(
    state: WalkState, ns: Namespace, device: str, hook: Literal["ingress", "egress"], packet: Packet
) -> HookResult | None:
    """What the chains that are bound to a device do with a packet; None where there are none.

    No connection is known there yet, or looked at.
    """
    ruleset = state.ruleset_at(ns, hook)
    rules = ruleset.rules
    if rules.is_empty_at(hook):
        return None
    families = _NETDEV if packet.arp_op else _DEVICE_FAMILIES  # inet's lets pass what isn't IP
    bound = any(_is_at(base.chain, device) for base in rules.base_chains(hook, families))
    # Tables of inet that weren't read are reported where IP's own hooks are passed.
    if not bound and rules.unread(_NETDEV) is None:
        return None
    sides = {"iif": device, "oif": ""} if hook == "ingress" else {"iif": packet.iif, "oif": device}
    # What is sent has its frame's header already, which counts in its length (nft_meta.c, NFT_META_LEN).
    length = packet.length if hook == "ingress" else 0
    return run_hook(
        ruleset,
        hook,
        replace(without_connection(packet), length=length, **sides),
        families=families,
        unread=_NETDEV,
        asked=lambda chain: _is_at(chain, device),
        most=state.assume,
    )


def _is_at(chain: Chain, device: str) -> bool:
    """Whether a chain is bound to a device; newer kernels take a pattern with a star at its end."""
    return any(interface_matches(f"{name[:-1]}+" if name.endswith("*") else name, device) for name in chain.devices)


def _note(state: WalkState, ns: Namespace, interface: str, stage: str, result: HookResult) -> None:
    if result.verdict != "accept":
        by = result.by or Decider(kind="rule", text="", namespace=ns.id)
        verdict = "unknown" if is_unsure(result.hedges) and state.beyond else result.verdict
        state.hop(ns, interface, stage, verdict, rule=by.rule)
        state.obstacle(ENDS[verdict], stage, by)
