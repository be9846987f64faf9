"""A container network is laid over the bridge by which the host itself reaches the outside.

What it finds
    A network whose bridge (``com.docker.network.bridge.name``, Podman's
    ``network_interface``) is the host's own uplink: a physical interface is a
    port of it, and the host's default route leaves by it.

Why it matters
    The engine treats its bridge as an inner network: it puts an address of
    its own on it, keeps other networks from leaving by it (isolation), and
    does not translate what stays on it.  Containers of other networks lose
    the internet, the host may lose its LAN, and no single rule is wrong.

How we know
    The network's bridge by its definition, the ports of that bridge, and the
    host's default route.

Remedy
    Remove the network and create it anew without naming that bridge.  For
    containers that shall be in the LAN themselves, use macvlan or ipvlan over
    the physical interface.

When it is harmless
    Hardly ever; where all that ought to pass does, it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.operations.by_hand import ByHand
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.inspect.model import Link, Network
from dnet_tui.inspect.model.default_routes import default_routes, destination
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "net-over-uplink"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per network."""
    host = ctx.case.view.host
    for network in ctx.case.networks if host is not None else ():
        bridge = bridge_of(ctx.case, network)
        if bridge is None or host is None or network.engine == INFERRED:
            continue
        every = (*default_routes(host, "ip"), *default_routes(host, "ip6"))
        gateways = {hop.gateway for route in every for hop in route.hops if hop.gateway}
        ports = ctx.case.view.ports_of(host.id, bridge.ifindex)
        wires = [port for port in ports if _is_wire(ctx.case, port, gateways)]
        routes = [route for route in every if any(hop.ifindex == bridge.ifindex for hop in route.hops)]
        if wires and routes:
            vias = [hop.gateway for hop in routes[0].hops if hop.gateway]
            via = f" via {vias[0]}" if vias else ""
            yield _finding(ctx, network, bridge, wires, f"{destination(routes[0])}{via} dev {bridge.name}")
        elif wires and not every:
            yield _finding(ctx, network, bridge, wires, "none is left")


def _is_wire(case: HostContext, port: Link, gateways: set[str]) -> bool:
    """Whether a port of the bridge leads off this host: a device, or a veth to the namespace that has the router."""
    if port.kind != "veth":
        return port.kind not in {"tun", "tap", "dummy", "ifb"}
    ns = case.view.namespaces.get(port.peer.namespace) if port.peer is not None else None
    return ns is not None and any(item.address in gateways for item in ns.addresses)


def _finding(ctx: CheckContext, network: Network, bridge: Link, wires: list[Link], route: str) -> Finding:
    blocked = [flow for flow in ctx.flows if flow.expected and flow.arrives is False]
    command = traits_of(network.engine).command
    kinds = tuple(dict.fromkeys(flow.kind for flow in blocked))
    steps = (ByHand(argv=(command, "network", "rm", network.name)),) if command else ()
    return Finding(
        check=ID,
        severity="error" if blocked else "warning",
        subject=Subject(kind="network", name=network.name),
        summary=f"Network {network.name} uses {bridge.name}, the host's uplink",
        symptoms=kinds or ("egress",),
        evidence=(
            Evidence(source=network.engine, what=f"bridge of network {network.name}", value=bridge.name),
            Evidence(
                source="bridge link",
                what=f"ports of {bridge.name}",
                value=", ".join(link.name for link in wires),
                expected="only containers' interfaces",
            ),
            Evidence(source="ip route", what="the host's way out", value=route, expected="by another interface"),
        ),
        remedy=Remedy(
            summary=f"Create network {network.name} anew on a bridge of its own",
            steps=steps,
            risk="manual",
            persists=True,
            note="Leave the option with the bridge's name out. For containers that shall be in the LAN themselves use "
            "macvlan" + (f": `{command} network create -d macvlan -o parent={wires[0].name} …`" if command else ""),
        ),
        affects=(
            *(Affected(kind="container", name=item.container.name) for item in ctx.case.everyone(network)),
            Affected(kind="network", name=network.name),
        ),
    )


CHECK = Check(
    id=ID,
    title="No network is laid over the host's uplink",
    severity="error",
    doc=__doc__,
    find=find,
    explains=(
        "bridge-ip-mismatch",
        "bridge-no-ip",
        "ctr-no-gw",
        "ctr-wrong-gw",
        "dns-upstream",
        "dup-ip",
        "flow-blocked",
        "fwd-off-uplink",
        "host-no-uplink",
        "masq-missing",
        "nat-jump-missing",
        "policy-route",
        "rpf-multinet",
        "subnet-overlap",
    ),
)
