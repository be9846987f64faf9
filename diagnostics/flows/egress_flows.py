"""What containers send to the internet, walked there and back.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from dnet_tui.diagnostics.context.host_context import INFERRED, AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.flows.intentions import has_family, is_ruled, leads_out, masquerades
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Family, Network, NotSeen
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.default_routes import default_routes

EPHEMERAL = 40000
"""The port that a client sends from."""
UNPUBLISHED = 65001
"""A port that nobody publishes, and of which no rule speaks."""


def first_packet(family: Family, src: str, dst: str, port: int) -> Packet:
    """The packet that opens a TCP connection."""
    return Packet(family=family, src=src, dst=dst, proto="tcp", sport=EPHEMERAL, dport=port, tcp_flags=("SYN",))


def members_with(case: HostContext, network: Network, family: Family) -> tuple[AttachedContainer, ...]:
    """The containers of a network that was asked to have the family."""
    return case.members(network, family) if has_family(network, family) else ()


def egress_flows(case: HostContext, family: Family) -> Iterator[Flow]:
    """Container → internet, for containers with a network that isn't internal, where the host itself has a way out."""
    if not case.ways_out(family):
        return
    seen: set[str] = set()
    for network in case.networks:
        if not leads_out(network, family):
            continue
        masquerade = masquerades(case, network, family)
        for member in members_with(case, network, family):
            if member.namespace in seen or not leaves_by(case, network, member, family):
                continue
            seen.add(member.namespace)
            packet = first_packet(family, _chosen_source(case, member, family), case.outside(family), 443)
            flow = _outwards(case, network, member, packet, masquerade=masquerade)
            yield flow
            if flow.forward.last.dst != packet.dst:  # led elsewhere: what isn't shows what waits on the way out
                other = msgspec.structs.replace(packet, proto="udp", dport=UNPUBLISHED, tcp_flags=())
                spared = _outwards(case, network, member, other, masquerade=masquerade)
                if spared.forward.last.dst == packet.dst:
                    yield msgspec.structs.replace(spared, target="outside (udp)")


def _outwards(
    case: HostContext, network: Network, member: AttachedContainer, packet: Packet, *, masquerade: bool | None
) -> Flow:
    """What a container sends to the internet, walked there and back."""
    forward = walk(case.view, packet, origin=member.namespace, outside=True, beyond=True)
    translated = forward.last.snatted or masquerade is not True
    answer = reply(case.view, forward, beyond=True) if forward.exits and translated else None
    return Flow(
        kind="egress",
        network=network,
        source=member.container.name,
        target="outside",
        expected=True,
        member=member,
        masquerade=masquerade,
        ruled=is_ruled(case, network, packet.family),
        forward=forward,
        answer=answer,
    )


def _chosen_source(case: HostContext, member: AttachedContainer, family: Family) -> str:
    """The address that the container's packets to the internet have: its route may name another one than its first."""
    ns = case.view.namespaces[member.namespace]
    with suppress(NotSeen):  # the walk comes to it as well, and says so
        answer = routing.lookup(
            index_of(case.view, ns), first_packet(family, member.address, case.outside(family), 443)
        )
        held = any(item.address == answer.source for item in ns.addresses)
        return answer.source if answer.source and held else member.address
    return member.address


def leaves_by(case: HostContext, network: Network, member: AttachedContainer, family: Family) -> bool:
    """Whether the container's way out leads over this network (or it has none at all, though it should).

    A container on several networks has its gateway from one of them, which
    need not have IPv6 (libnetwork's choice of the gateway endpoint).
    """
    ns = case.view.namespaces[member.namespace]
    if lacks_of(ns.routes):
        return True  # then the walk is to say that nobody knows
    defaults = {hop.ifindex for route in default_routes(ns, family) for hop in route.hops}
    if defaults:
        return member.link.ifindex in defaults
    alone = family == "ip" or sum(_is_on(case, other, member) for other in case.networks) == 1
    return network.engine != INFERRED and alone


def _is_on(case: HostContext, network: Network, member: AttachedContainer) -> bool:
    return any(other.namespace == member.namespace for other in case.everyone(network))
