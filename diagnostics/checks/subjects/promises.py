"""Who wants traffic of networks that no engine declared: only what managers' own rules let out.  Pure.

A bridge that containers visibly use as their way out promises nothing by
itself: it is what the kernel does by default.  LXD, Incus and libvirt say what
they want by their own tables, where they accept all that comes from a bridge.
"""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext, family_of
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family
from dnet_tui.inspect.model.engine_kinds.others import INCUS, LXD
from dnet_tui.inspect.model.firewall import Match, Rule, Table, Verdict

_MANAGERS = {"libvirt_network": "libvirt"} | {table: kind.title for kind in (LXD, INCUS) for table in kind.tables}
"""Native tables by which managers of guests let their traffic pass, and whose they are (names from their sources)."""

_PROTOCOLS: dict[Family, str] = {"ip": "ipv4", "ip6": "ipv6"}
_WIDE = frozenset({"nfproto", "iif", "oif"})
"""What a rule may ask for that lets out all that comes from a bridge."""


def nobody_promised(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether a packet is of networks alone that nobody declared, and that no manager's rules let out."""
    devices = {obstacle.packet.iif, obstacle.packet.oif} - {""}
    concerned = [network for network in case.networks if network.bridge in devices]
    if not concerned or any(network.engine != INFERRED for network in concerned):
        return False
    family = family_of(obstacle.packet)
    return not any(let_out_by(case, network.bridge, family) for network in concerned)


def host_tables(case: HostContext) -> tuple[Table, ...]:
    """The host's tables of every family and backend."""
    host = case.view.host
    return host.firewall.tables if host is not None else ()


def let_out_by(case: HostContext, bridge: str, family: Family) -> str:
    """Who lets guests of a bridge out by rules of nftables; empty when nobody's rules say so."""
    return next(
        (
            _MANAGERS[table.name]
            for table in host_tables(case)
            if table.backend == "nftables" and table.name in _MANAGERS and is_let_out((table,), bridge, family)
        ),
        "",
    )


def is_let_out(tables: tuple[Table, ...], bridge: str, family: Family) -> bool:
    """Whether a rule lets pass all that comes in by a bridge and leaves by another link, in packets of a family."""
    return any(
        _accepts(rule, bridge, _PROTOCOLS[family])
        for table in tables
        if table.family in {family, "inet"}
        for chain in table.chains
        for rule in chain.rules
    )


def _accepts(rule: Rule, bridge: str, protocol: str) -> bool:
    if not any(isinstance(expr, Verdict) and expr.kind == "accept" for expr in rule.exprs):
        return False
    matches = [expr for expr in rule.exprs if isinstance(expr, Match)]
    if any(item.field not in _WIDE for item in matches):
        return False
    if any(item.field == "nfproto" and (protocol in item.values) == item.negate for item in matches):
        return False
    if any(item.field == "oif" and not item.negate and item.values == (bridge,) for item in matches):
        return False
    return any(item.field == "iif" and not item.negate and bridge in item.values for item in matches)
