"""A port is published, but nothing in the container listens on it.

What it finds
    A packet for a published port reaches the container's namespace, and no
    process there listens on the port; or one does, but on 127.0.0.1 only.

Why it matters
    Connections are refused although the network is in order.  A program that
    binds 127.0.0.1 inside a container can only be reached from inside.

How we know
    The container's own listening sockets, read from its namespace.

Remedy
    Make the program listen on 0.0.0.0 (or ``::``), or publish the port that
    it does listen on.

When it is harmless
    While the program is still starting; look again in a moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model import Socket

ID = "app-listen"
_SHOWN = 6


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per published port."""
    for flow in ctx.flows:
        if flow.kind != "published" or flow.forward.end != "refused" or flow.container is None or flow.port is None:
            continue
        if flow.forward.last_namespace == flow.container.netns:
            ends = _ends_by_ipv4(ctx, flow) if flow.family == "ip6" else set()
            if "refused" not in ends:
                # Many programs listen on IPv4 alone, and clients then fall back to it.
                yield _finding(ctx, flow, "info" if "delivered" in ends else "error")


def _ends_by_ipv4(ctx: CheckContext, flow: Flow) -> set[str]:
    """How the walks to the same port end by IPv4."""
    port = flow.port
    return {
        other.forward.end
        for other in ctx.flows
        if (other.kind, other.family, other.container) == ("published", "ip", flow.container)
        and other.port is not None
        and port is not None
        and (other.port.host_port, other.port.proto) == (port.host_port, port.proto)
    }


def _finding(ctx: CheckContext, flow: Flow, severity: Severity) -> Finding:
    port, container = flow.forward.last.dport, flow.container
    ns = ctx.case.view.namespaces[flow.forward.last_namespace]
    proto = flow.forward.last.proto
    sockets = [item for item in ns.sockets if item.proto == proto]
    narrow = [item for item in sockets if item.port == port]
    name = container.name if container is not None else ""
    wild = "[::]" if flow.family == "ip6" else "0.0.0.0"  # noqa: S104 - written, not bound to
    what = f"only on {narrow[0].address}" if narrow else "nowhere"
    by6 = " by IPv6" if flow.family == "ip6" else ""
    shown = ", ".join(map(_words, narrow or sockets[:_SHOWN])) or "no listener at all"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="container", name=name),
        summary=f"Port {port}/{proto} of {name} is published{by6}, but listened on {what}",
        symptoms=("published",),
        evidence=(
            Evidence(
                source="listening sockets",
                what=f"in {name}",
                value=shown,
                expected=f"[::]:{port}" if flow.family == "ip6" else f"0.0.0.0:{port} or [::]:{port}",
            ),
            Evidence(source="packet walk", what="published as", value=flow.target),
        ),
        remedy=Remedy(
            summary=f"Make the program in {name} listen on {wild}:{port}, or publish the port it listens on",
            risk="manual",
            note="Its own configuration decides this (bind, host or listen address)",
        ),
    )


def _words(socket: Socket) -> str:
    process = f" ({socket.process})" if socket.process else ""
    return f"{socket.address}:{socket.port}{process}"


CHECK = Check(
    id=ID,
    title="Something listens behind every published port",
    severity="error",
    doc=__doc__,
    find=find,
)
