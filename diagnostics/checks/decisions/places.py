"""Who may send packets to the rules that are asked, where to, and which published ports are open.  Pure."""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.checks.decisions.deciding_rules import FRAMES, DecidingRule
from dnet_tui.diagnostics.checks.decisions.witness import OpenPort, Sender, Senders
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.inspect.model import Family, known_items

Way = Literal["through", "to the host", "either", "from the host", "frames", "frames across"]
"""Through the host, to its own addresses, either of both (before routing), from it, or as frames at ports.

``frames across`` go from one port of a bridge to another.
"""

_WAYS: dict[str, Way] = {"input": "to the host", "output": "from the host", "prerouting": "either"}


def way_of(rule: DecidingRule) -> Way:
    """Which packets of containers a rule's base chain sees."""
    if rule.table.family in FRAMES:
        return "frames across" if rule.base.hook == "forward" else "frames"
    return _WAYS.get(rule.base.hook or "", "through")


def senders(case: HostContext, family: Family, way: Way) -> Senders:
    """The containers (or the host itself), each with where it may send to."""
    members = [(network, case.members(network, family)) for network in case.networks]
    if way == "from the host":
        return _host(case, family)
    outside = tuple((uplink, case.outside(family)) for uplink in case.ways_out(family))
    near = tuple((network.bridge, member.address) for network, those in members for member in those[:2])
    own = tuple(("", case.uplink_address(uplink, family)) for uplink in case.ways_out(family))
    found: dict[str, Sender] = {}
    for network, those in members:
        here = (("", case.bridge_address(network, family)), *own)
        local = tuple(item for item in here if item[1])
        framed = way in {"frames", "frames across"}
        if framed:
            ports = tuple((_port(case, item), item.address) for item in those[:2])
            up = tuple((network.bridge, address) for _, address in (*outside, *local))
            targets = ports if way == "frames across" else (*up, *ports)
        else:
            through = (*outside, *near)
            targets = local if way == "to the host" else (*through, *local) if way == "either" else through
        for member in those:
            iif = _port(case, member) if framed else network.bridge
            found[member.address] = Sender(member.container.name, member.namespace, member.address, iif, targets)
    first = tuple(found[member.address] for _, those in members for member in those[:2])
    return Senders(found, first)


def _port(case: HostContext, member: AttachedContainer) -> str:
    """The host's end of a container's veth."""
    inner = case.view.links.get(member.link)
    port = case.view.links.get(inner.peer) if inner is not None and inner.peer is not None else None
    return port.name if port is not None else ""


def _host(case: HostContext, family: Family) -> Senders:
    """The host, by each of its bridges to a container there."""
    host = case.view.host
    found: dict[str, Sender] = {}
    for network in case.networks if host is not None else ():
        address = case.bridge_address(network, family)
        targets = tuple((network.bridge, member.address) for member in case.members(network, family)[:2])
        if host is not None and address and targets:
            found[address] = Sender("the host", host.id, address, "", targets, fixed=True)
    return Senders(found, tuple(found.values()))


def open_ports(case: HostContext, family: Family) -> tuple[OpenPort, ...]:
    """The ports that are published on addresses of uplinks, of the containers that are seen."""
    found: list[OpenPort] = []
    members = {
        member.namespace: (network.bridge, member.address)
        for network in case.networks
        for member in case.members(network, family)
    }
    uplinks = {uplink: case.uplink_address(uplink, family) for uplink in case.ways_out(family)}
    for container in known_items(case.snapshot.containers):
        bridge, address = members.get(container.netns or "", ("", ""))
        found += [
            OpenPort(
                name=container.name,
                uplink=uplink,
                bridge=bridge,
                proto=port.proto,
                before=(own, port.host_port),
                after=(address, port.container_port),
            )
            for port in container.published
            for uplink, own in uplinks.items()
            if bridge and own
        ]
    return tuple(found)
