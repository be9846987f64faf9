"""The loopback of a container, or of the host, is down.

What it finds
    ``lo`` of a running container with a network of its own, or of the host,
    is down.

Why it matters
    The kernel then has no route to 127.0.0.1.  Docker's resolver at
    127.0.0.11 answers nobody, and programs that talk to themselves by
    ``localhost`` don't find themselves.  On the host, ports that are published
    on 127.0.0.1 are gone.

How we know
    The state of ``lo`` in each network namespace.

Remedy
    ``ip link set dev lo up``.

When it is harmless
    On a host that publishes nothing on its loopback, as far as containers go,
    and in a namespace that no engine made: then it is information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import of_link, scope_of
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.dns_flows import EMBEDDED
from dnet_tui.diagnostics.flows.host_flows import published_here
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.netns_scope import HOST, NetnsScope
from dnet_tui.diagnostics.operations.remedy import Remedy, Risk, inverses
from dnet_tui.diagnostics.report.finding import Affected, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Namespace, Resolver, require
from dnet_tui.inspect.model.engine_kinds.others import NETNS

ID = "loopback-down"


def owns(case: HostContext, obstacle: Obstacle) -> bool:  # noqa: ARG001 - every check's ``owns`` has this form
    """A loopback that is down."""
    return obstacle.by.kind == "link" and obstacle.by.text == "lo is down"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per namespace."""
    case = ctx.case
    members = {member.namespace: member for network in case.networks for member in case.everyone(network)}
    yield from case.severally(members.values(), lambda member: _in_container(case, member))
    host = case.view.host
    if host is not None and _is_down(host):
        promised = any(item.proxy is not None for item in published_here(case))
        what = ", nor ports that are published there" if promised else ""
        yield _finding(
            "host",
            f"The host's loopback is down: nothing reaches 127.0.0.1{what}",
            ("host-to-published",) if promised else (),
            HOST,
            "error" if promised else "info",
        )


def _is_down(ns: Namespace) -> bool:
    return any(link.kind == "loopback" and not link.up for link in require(ns.links))


def _in_container(case: HostContext, member: AttachedContainer) -> Iterator[Finding]:
    if not _is_down(case.view.namespaces[member.namespace]):
        return
    name, resolver = member.container.name, member.container.resolver
    asks = isinstance(resolver, Resolver) and EMBEDDED in resolver.servers
    what = f"it doesn't reach its resolver at {EMBEDDED}, nor itself" if asks else "it doesn't reach itself"
    summary = f"The loopback of {name} is down: {what}"
    # `ip netns add` leaves it down, and nobody promised it: where no engine made the namespace it is a fact.
    plain = member.container.engine == NETNS.kind
    severity: Severity = "error" if asks else "info" if plain else "warning"
    yield _finding(name, summary, ("names",) if asks else (), scope_of(case, member.namespace), severity)


def _risk(severity: Severity, steps: tuple[SetLinkUp, ...]) -> Risk:
    return "manual" if not steps else "ask" if severity == "info" else "safe"


def _finding(
    name: str, summary: str, symptoms: tuple[str, ...], scope: NetnsScope | None, severity: Severity
) -> Finding:
    steps = (SetLinkUp(link="lo", inside=scope),) if scope is not None else ()
    is_host = scope == HOST
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="host" if is_host else "container", name=name),
        summary=summary,
        symptoms=symptoms,
        evidence=(of_link("lo" if is_host else f"lo in {name}", "DOWN", "UP"),),
        remedy=Remedy(summary="Bring it up", steps=steps, undo=inverses(steps), risk=_risk(severity, steps)),
        affects=() if is_host else (Affected(kind="container", name=name),),
    )


CHECK = Check(
    id=ID,
    title="Loopbacks are up",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("dns-nat-gone",),
)
