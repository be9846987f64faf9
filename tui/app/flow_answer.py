"""What a snapshot answers to a flow that was asked about.  Pure; slow enough to belong in a worker thread."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import DNS, EMBEDDED
from dnet_tui.diagnostics.guided.step_links import step_links, would_go_on
from dnet_tui.diagnostics.guided.why import why
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.diagnostics.trace.endpoints import BEYOND, TraceEndpoint, find
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.capture.points import point_of
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import NotSeen, Snapshot, require
from dnet_tui.tui.app.model.guided import Answered, AskedFlow

NAMES = "names"
"""The question about names: its target is the resolver of who asks."""


def answer_flow(snapshot: Snapshot, report: Report | None, wish: AskedFlow) -> Answered:
    """Walk a flow and explain what becomes of it.

    Raises:
        UsageError, CannotInspectError: a place isn't there, or was not seen.
    """
    case = HostContext(snapshot)
    source, target, port, proto = _ends(case, wish)
    found = trace(case, source, target, proto=proto, port=target.port or port)
    answer = why(case, found, report if report is not None else run_checks(snapshot))
    links = step_links(case, answer)
    points = [point_of(case.view, link) for link in links.links]
    labels = tuple(point.label if point is not None else "?" for point in points)
    return Answered(
        wish=wish, why=answer, links=links, labels=labels, snapshot=snapshot, further=would_go_on(case, found)
    )


def _ends(case: HostContext, wish: AskedFlow) -> tuple[TraceEndpoint, TraceEndpoint, int, TraceProtocol]:
    source = find(case, wish.source)
    if wish.question != NAMES or wish.target:
        return source, find(case, wish.target or BEYOND), wish.port, wish.proto
    server, from_host = _name_server(source)
    if from_host:
        source = find(case, "host")
    return source, msgspec.structs.replace(find(case, server), port=DNS), DNS, "udp"


def _name_server(source: TraceEndpoint) -> tuple[str, bool]:
    """The server that is asked for a container, and whether the host's namespace is what asks it.

    Behind Docker's own resolver at 127.0.0.11 it is the first of those that one asks.
    """
    container = source.container
    if container is None:
        msg = f"{source.label} is no container: whose names don't resolve?"
        raise UsageError(msg, "give the name of a container")
    resolver = None
    with suppress(NotSeen):
        resolver = require(container.resolver) if container.resolver is not None else None
    if resolver is None:
        msg = f"the resolv.conf of {source.label} was not seen"
        raise UsageError(msg, "give the name server's address as the other place")
    servers = [item for item in resolver.servers if item != EMBEDDED]
    if EMBEDDED in resolver.servers:
        if resolver.upstreams:
            return resolver.upstreams[0].address, resolver.upstreams[0].from_host
        if not servers:
            msg = f"{source.label} asks Docker's own resolver (127.0.0.11), which does not say whom it asks in turn"
            raise UsageError(msg, "give that name server's address as the other place (the host's /etc/resolv.conf)")
    if not servers:
        msg = f"the resolv.conf of {source.label} names no server"
        raise UsageError(msg, "give the name server's address as the other place")
    return servers[0], False
