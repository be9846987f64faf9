"""The host's way out is dead: no carrier, a dead route, or a router that does not answer.

What it finds
    The interface that the host's default route leaves by is down or has no
    carrier; or the route is gone because its interface went down; or the
    router did not answer when the kernel last asked for it, can't be asked for
    (NOARP), or is written down with a wrong MAC address.  Of several ways out
    each is looked at, and those that marked packets take as well.

Why it matters
    Containers get no further than their host does.  All that leaves the host
    and all that comes in by that interface is lost, whatever rules and
    networks look like.

How we know
    The routing decision for an address outside, the state of the interface it
    names, the route's own marks (``linkdown``, ``dead``), and the neighbour
    entry of the router.

Remedy
    Repair the host's own network: cable, switch port or virtual network, then
    ``ip link set dev NAME up``.  Routes that went with the interface are put
    back by the host's network service.

When it is harmless
    Never while containers need the outside.  A router that was asked for long
    ago may answer by now: ``ping`` it, or run ``doctor --probe``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.ways_out import lost_uplinks, routes_of, wanting
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import known_tables
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.l2.topology import lacks_carrier
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet
from dnet_tui.inspect.model import Family, Link, Namespace, Neighbour, Network
from dnet_tui.inspect.model.firewall import Verdict

ID = "uplink-down"

_DEAD = frozenset({"DOWN", "NO-CARRIER"})
"""What the walk says of a link that nothing passes."""


class _Dead(msgspec.Struct, frozen=True, kw_only=True):
    link: Link
    reason: str
    evidence: tuple[Evidence, ...]
    steps: tuple[AnyOperation, ...] = ()
    note: str = ""
    severity: Severity = "error"
    words: str = "The host's way out is dead"
    asked: bool = False
    """Whether all that is known is that nobody answered a question."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """An uplink of the host's own that is down or has no carrier."""
    host = case.view.host
    here = host is not None and obstacle.by.namespace == host.id and obstacle.by.kind == "link"
    return here and obstacle.by.value in _DEAD and obstacle.by.link in {*case.uplinks, *case.uplinks6}


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per dead interface or silent router."""
    case, host = ctx.case, ctx.case.view.host
    networks = wanting(case)
    if host is None or not networks:
        return
    found: dict[str, list[_Dead]] = {}
    hit: dict[str, set[tuple[str, Family]]] = {}
    ways = [*_ways(case, networks), *_marked_routes(ctx)]
    for network, family, way in ways:
        item = _dead(case, host, way) if way.type in _LEADING else None
        if item is None or (item.asked and _is_unheard(ctx)) or _is_port_of(case, item.link):
            continue
        known = found.setdefault(item.link.name, [])
        if item.reason not in [other.reason for other in known]:
            known.append(item)
        hit.setdefault(item.link.name, set()).add((network.id, family))
    if not any(way.type in _LEADING for _, family, way in ways if family == "ip"):
        found |= {link.name: [_downed(link)] for link in lost_uplinks(case)}
    for name, items in found.items():
        yield _finding(ctx, items, hit.get(name))


def _is_port_of(case: HostContext, link: Link) -> bool:
    """Whether it is a port of a network's bridge: then it is no uplink, whoever put a default route on it."""
    bridges = {network.bridge for network in case.networks}
    host = case.view.host
    masters = {other.ifindex for other in host.links if other.name in bridges} if host is not None else set()
    return link.master in masters


_LEADING = frozenset({"unicast", "unknown"})
_Way = tuple[Network, Family, RouteAnswer]


def _ways(case: HostContext, networks: list[Network]) -> list[_Way]:
    """The host's routing decisions for what its containers send outside, in the families that it has a way out in."""
    families: tuple[Family, ...] = ("ip", "ip6") if case.uplinks6 else ("ip",)
    return [(network, family, way) for family in families for network, way in routes_of(case, networks, family)]


def _is_unheard(ctx: CheckContext) -> bool:
    """Whether rules of the host's drop ARP or frames: then nobody's silence says anything of the router."""
    every = (obstacle for flow in ctx.flows for _, obstacle in flow.obstacles)
    if any(item.by.rule is not None and item.by.rule.family in _FRAMES for item in every):
        return True
    chains = [chain for table in known_tables(ctx.case.view.host) if table.family == "arp" for chain in table.chains]
    last = (rule.exprs[-1] for chain in chains for rule in chain.rules if rule.exprs)
    dropping = (isinstance(expr, Verdict) and expr.kind == "drop" for expr in last)
    return any(dropping) or any(chain.policy == "drop" for chain in chains)


_FRAMES = frozenset({"arp", "bridge", "netdev"})


def _marked_routes(ctx: CheckContext) -> list[_Way]:
    """The host's routing decisions for packets to the outside that a rule of its own has marked."""
    host = ctx.case.view.host
    found: list[_Way] = []
    for flow in ctx.flows if host is not None else ():
        first, last = flow.forward.start, flow.forward.last
        if host is not None and flow.expected and flow.kind == "egress" and last.mark:
            packet = Packet(
                family=first.family,
                src=first.src,
                dst=first.dst,
                proto=first.proto,
                iif=flow.network.bridge,
                mark=last.mark,
            )
            found.append((flow.network, flow.family, routing.lookup(index_of(ctx.case.view, host), packet)))
    return found


def _dead(case: HostContext, host: Namespace, way: RouteAnswer) -> _Dead | None:
    """Why the interface of a route, or the router behind it, leads nowhere; None where nothing is seen to be wrong."""
    devices = [link for link in host.links if link.ifindex in (way.devices or (way.ifindex,))]
    states = {link.name: _state(link) for link in devices}
    if devices and all(states.values()):
        link = devices[0]
        text = f"{link.name} {states[link.name]}"
        shown = Evidence(source="ip link", what=link.name, value=states[link.name], expected="UP with a carrier")
        route = Evidence(source="ip route get", what="an address outside", value=way.by.text)
        up: tuple[AnyOperation, ...] = () if link.up else (SetLinkUp(link=link.name),)
        return _Dead(link=link, reason=text, evidence=(shown, route), steps=up, note=_NOTE)
    if way.gateway:
        return _silent(host, way) or _mute(host, way) or _by_hand(case, host, way)
    silent = [item for leg in way.ways if leg.gateway and (item := _silent(host, leg)) is not None]
    if not silent or len(silent) == len(way.ways):
        return silent[0] if silent else None
    words = f"{len(silent)} of the host's {len(way.ways)} ways out is dead, and what is sent by it is lost"
    return msgspec.structs.replace(silent[0], severity="warning", words=words)


def _state(link: Link) -> str:
    """Why nothing passes a link; empty where something may."""
    if not link.up:
        return "is down"
    return "has no carrier" if lacks_carrier(link) else ""


def _silent(host: Namespace, way: RouteAnswer) -> _Dead | None:
    link = next((link for link in host.links if link.ifindex == way.ifindex), None)
    for entry in host.neighbours:
        if (entry.address, entry.ifindex) != (way.gateway, way.ifindex) or entry.state not in {"FAILED", "INCOMPLETE"}:
            continue
        if link is not None:
            shown = Evidence(
                source="ip neigh", what=f"{entry.address} dev {link.name}", value=entry.state, expected="an answer"
            )
            ask = ByHand(argv=("ping", "-c", "3", entry.address))
            reason = f"its router {entry.address} did not answer when the kernel last asked for it"
            note = "If it answers by now, the entry was old. Otherwise its address is wrong, or the way to it is broken"
            return _Dead(link=link, reason=reason, evidence=(shown,), steps=(ask,), note=note, asked=True)
    return None


def _mute(host: Namespace, way: RouteAnswer) -> _Dead | None:
    """An Ethernet device with NOARP takes its own MAC address for everybody's (arp_constructor, net/ipv4/arp.c)."""
    link = next((link for link in host.links if link.ifindex == way.ifindex), None)
    if link is None or "NOARP" not in link.flags or link.kind not in _ETHERNET or not link.mac:
        return None
    if _entry(host, way, {"PERMANENT"}) is not None:
        return None
    shown = Evidence(source="ip link", what=link.name, value="NOARP", expected="arp on")
    return _Dead(
        link=link,
        reason=f"{link.name} asks for nobody's MAC address (NOARP), and so never finds its router {way.gateway}",
        evidence=(shown,),
        steps=(ByHand(argv=("ip", "link", "set", "dev", link.name, "arp", "on")),),
    )


def _by_hand(case: HostContext, host: Namespace, way: RouteAnswer) -> _Dead | None:
    """A MAC address of the router that somebody wrote: wrong where the router is seen to have another one."""
    link = next((link for link in host.links if link.ifindex == way.ifindex), None)
    entry = _entry(host, way, {"PERMANENT"})
    if link is None or entry is None or not entry.mac:
        return None
    far = case.view.links.get(link.peer) if link.peer is not None else None
    owned = link.peer is not None and any(item.address == way.gateway for item in case.view.addresses_of(link.peer))
    if far is None or not owned or far.mac == entry.mac:
        return None
    what = f"{entry.address} dev {link.name}"
    shown = Evidence(source="ip neigh", what=what, value=f"{entry.mac} PERMANENT", expected=far.mac)
    return _Dead(
        link=link,
        reason=f"its router {entry.address} is written down with a wrong MAC address",
        evidence=(shown,),
        steps=(ByHand(argv=("ip", "neigh", "del", entry.address, "dev", link.name)),),
        note="If it comes back, a script adds it: look for `ip neigh` and `arp -s`",
    )


def _entry(host: Namespace, way: RouteAnswer, states: set[str]) -> Neighbour | None:
    key = (way.gateway, way.ifindex)
    return next(
        (item for item in host.neighbours if (item.address, item.ifindex) == key and item.state in states), None
    )


_ETHERNET = frozenset({"", "veth", "vlan", "bond", "bridge", "macvlan", "team"})
"""Kinds of link on which neighbours have MAC addresses to ask for; the empty one is a network card's."""

_NOTE = "Look at the cable, the switch port or the virtual network; the host's network service brings routes back"


def _downed(link: Link) -> _Dead:
    state = "no carrier" if link.up else "not UP"
    return _Dead(
        link=link,
        reason=f"{link.name} went down, and the routes it had with it",
        evidence=(
            Evidence(source="ip link", what=link.name, value=state, expected="up"),
            Evidence(source="ip route", what="default", value="none", expected=f"by {link.name}"),
        ),
        steps=() if link.up else (ByHand(argv=("ip", "link", "set", "dev", link.name, "up")),),
        note="The kernel took its routes away when it went down: the host's network service puts them back",
    )


def _finding(ctx: CheckContext, items: list[_Dead], hit: set[tuple[str, Family]] | None) -> Finding:
    """``hit``: the networks, each by a family, whose way leads there; None: all of them."""
    dead = items[0]
    networks = [item for item in wanting(ctx.case) if hit is None or any(item.id == each for each, _ in hit)]
    flows = [
        flow
        for flow in ctx.flows
        if flow.expected
        and flow.kind in {"egress", "published"}
        and (hit is None or (flow.network.id, flow.family) in hit)
    ]
    members = {member.container.name for network in networks for member in ctx.case.everyone(network)}
    count = len(flows)
    kinds = tuple(dict.fromkeys(flow.kind for flow in flows)) or ("egress",)
    of_whom = f"{len(members)} container{'s' if len(members) != 1 else ''}"
    more = f" ({count} flows of {of_whom} go by it)" if count else f" ({of_whom})"
    return Finding(
        check=ID,
        severity=dead.severity,
        subject=Subject(kind="link", name=dead.link.name),
        summary=f"{dead.words}: {', and '.join(item.reason for item in items)}{more}",
        symptoms=kinds,
        evidence=tuple(shown for item in items for shown in item.evidence),
        remedy=Remedy(
            summary=f"Bring {dead.link.name} up" if not dead.link.up else "Repair the host's own network",
            steps=tuple(dict.fromkeys(step for item in items for step in item.steps)),
            risk="manual",
            persists=True,
            note=dead.note,
        ),
        affects=(
            *(Affected(kind="container", name=name) for name in sorted(members)),
            *(Affected(kind="network", name=network.name) for network in networks),
        ),
    )


CHECK = Check(
    id=ID,
    title="The host's way out is alive",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("host-no-uplink", "dns-upstream", "flow-blocked"),
)
