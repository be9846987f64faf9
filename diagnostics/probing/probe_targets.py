"""What is worth probing: the flows that the networks ask for, as far as they can be tried from inside the host.  Pure.

The way out is tried up to the host's default gateway, and a published port
from the host and from another network's container.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.flows.probes import Method
from dnet_tui.inspect.model import Namespace, Network
from dnet_tui.inspect.model.default_routes import MAIN, ways_out

EMBEDDED_DNS = "127.0.0.11"
"""Where Docker answers a container's DNS queries, inside the container's own namespace."""

_DNS = 53
_LABEL = 63  # the longest label of a name in DNS (RFC 1035)
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


class ProbeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A probe that would tell something, not yet walked.  ``doubt``: the model says that its flow is broken."""

    kind: str
    source: str
    target: str
    namespace: str
    method: Method
    address: str
    port: int = 0
    query: str = ""
    network: Network | None = None
    expected: bool = True
    doubt: bool = False

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What makes two wishes the same probe; as in :attr:`PlannedProbe.key`."""
        return self.namespace, self.method, self.address, self.port


def from_host(case: HostContext, wish: ProbeTarget) -> ProbeTarget:
    """The host's own probe to the same place, which shows whether anybody answers there at all."""
    host = case.view.host
    ident = host.id if host is not None else ""
    return msgspec.structs.replace(wish, namespace=ident, source="host", expected=True, doubt=False, network=None)


def default_gateway(host: Namespace | None) -> str | None:
    """The address of the host's IPv4 default gateway in the main table, that of the lowest metric."""
    routes = ways_out(host, "ip", table=MAIN) if host is not None else ()
    hops = (hop for route in routes for hop in route.hops)
    return next((hop.gateway for hop in hops if hop.gateway and ":" not in hop.gateway), None)


def wishes(ctx: CheckContext) -> Iterator[ProbeTarget]:
    """Everything that would be worth a probe, of every kind in the order of the flows."""
    gateway = default_gateway(ctx.case.view.host)
    for flow in ctx.flows:
        if flow.family == "ip6":
            continue  # what is tried is the way by IPv4
        doubt = (flow.arrives is True) != flow.expected or (flow.kind == "egress" and flow.answer is None)
        if flow.kind == "egress" and flow.member is not None and gateway:
            yield ProbeTarget(
                kind=flow.kind,
                source=flow.source,
                target=f"gateway {gateway}",
                namespace=flow.member.namespace,
                method="ping",
                address=gateway,
                network=flow.network,
                doubt=doubt,
            )
        elif flow.kind in {"same-network", "cross-network"} and flow.member is not None:
            yield from _between(ctx.case, flow, doubt=doubt)
        elif flow.kind == "published" and flow.port is not None and flow.port.proto == "tcp":
            yield from _to_published(ctx.case, flow, doubt=doubt)
    for network in ctx.case.networks:
        yield from _around(ctx.case, network)


def _between(case: HostContext, flow: Flow, *, doubt: bool) -> Iterator[ProbeTarget]:
    """From a container to another one, on what that one listens on."""
    address = flow.forward.start.dst
    target = next((m for m in case.members(flow.other or flow.network) if m.address == address), None)
    if target is None or flow.member is None:
        return
    method, port = _service(case, target)
    yield ProbeTarget(
        kind=flow.kind,
        source=flow.source,
        target=flow.target,
        namespace=flow.member.namespace,
        method=method,
        address=address,
        port=port,
        network=flow.network,
        expected=flow.expected,
        doubt=doubt,
    )


def _to_published(case: HostContext, flow: Flow, *, doubt: bool) -> Iterator[ProbeTarget]:
    """To a published port: from a container of another network, and from the host itself."""
    owner = flow.container.netns if flow.container is not None else None
    start = flow.forward.start
    strangers = (m for net in case.networks if net.id != flow.network.id for m in case.members(net))
    other = next((m for m in strangers if m.namespace != owner), None)
    host = case.view.host
    sources = [(other.container.name, other.namespace)] if other is not None else []
    sources += [("host", host.id)] if host is not None else []
    for name, namespace in sources:
        yield ProbeTarget(
            kind=flow.kind,
            source=name,
            target=flow.target,
            namespace=namespace,
            method="tcp",
            address=start.dst,
            port=start.dport or 0,
            network=flow.network,
            doubt=doubt,
        )


def _around(case: HostContext, network: Network) -> Iterator[ProbeTarget]:
    """Between a network's containers and their host, and to the name server they use on it."""
    host = case.view.host
    if host is None:
        return
    bridge = case.uplink_address(network.bridge)
    for number, member in enumerate(case.members(network)):
        method, port = _service(case, member)
        here = {"network": network, "namespace": member.namespace, "source": member.container.name}
        yield ProbeTarget(
            kind="host-to-container",
            source="host",
            target=member.container.name,
            namespace=host.id,
            method=method,
            address=member.address,
            port=port,
            network=network,
        )
        if number == 0 and bridge:
            yield ProbeTarget(kind="container-to-host", target=f"host {bridge}", method="ping", address=bridge, **here)  # type: ignore[arg-type]
        server = _name_server(case, member, bridge)
        if server and len(member.container.name) <= _LABEL:
            yield ProbeTarget(
                kind="names",
                target=f"name server {server}",
                method="dns",
                address=server,
                port=_DNS,
                query=member.container.name,
                **here,  # type: ignore[arg-type]
            )


def _service(case: HostContext, member: AttachedContainer) -> tuple[Method, int]:
    """What to try at a container: a TCP port it listens on, else its name server, else a ping."""
    sockets = [
        item for item in case.view.namespaces[member.namespace].sockets if item.address in {*_ANY, member.address}
    ]
    ports = [item.port for item in sockets if item.proto == "tcp"]
    if ports:
        return "tcp", min(ports)
    if any((item.proto, item.port) == ("udp", _DNS) for item in sockets):
        return "dns", _DNS
    return "ping", 0


def _name_server(case: HostContext, member: AttachedContainer, bridge: str) -> str:
    """The resolver that a container evidently uses here: Docker's inside it, or one bound to the bridge's address."""
    inside = case.view.namespaces[member.namespace].sockets
    if any((item.proto, item.address) == ("udp", EMBEDDED_DNS) for item in inside):
        return EMBEDDED_DNS
    host = case.view.host
    sockets = host.sockets if host is not None else ()
    return bridge if any((s.proto, s.address, s.port) == ("udp", bridge, _DNS) for s in sockets) else ""
