"""What becomes of a published port's packet: rewritten to whom, by which rule, taken by what.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.walk.packet import RuleRef


def dnat_rule(flow: Flow) -> RuleRef | None:
    """The rule that rewrote the packet's destination on its way in."""
    return next((hop.rule for hop in flow.forward.hops if hop.verdict in {"dnat", "redirect"}), None)


def owned_addresses(case: HostContext, flow: Flow) -> set[str]:
    """The addresses of the container that the port belongs to: those it has, and those its engine gave it."""
    if flow.container is None:
        return set()
    ns = case.view.namespaces.get(flow.container.netns or "")
    has = {item.address for item in ns.addresses} if ns is not None else set()
    return has | {cidr.partition("/")[0] for endpoint in flow.container.endpoints for cidr in endpoint.addresses}


def taken_by_proxy(case: HostContext, flow: Flow) -> bool:
    """Whether a process on the host (docker-proxy, rootlessport, conmon) listens on the published port."""
    host = case.view.host
    if host is None or flow.port is None:
        return False
    wild = {"0.0.0.0", "::", flow.forward.start.dst}  # noqa: S104 - compared with, not bound to
    return any(
        (socket.port, socket.proto) == (flow.port.host_port, flow.port.proto) and socket.address in wild
        for socket in host.sockets
    )
