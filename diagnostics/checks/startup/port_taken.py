"""A stopped container wants a host port that another program holds.

What it finds
    A container that isn't running asks for a port of the host, and a process
    that isn't its engine's listens on it.  It is a warning where the engine
    itself says that this made the last start fail, and information otherwise.

Why it matters
    Starting the container fails: "address already in use", or "port is
    already allocated".

How we know
    The container's own settings, its last error (``State.Error`` of Docker's
    inspect, which a good start clears), and the host's listening sockets with
    their processes.

Remedy
    Stop the program that holds the port, or publish another one.

When it is harmless
    While the container is not meant to be started, or takes turns with the
    other: one that was never tried, or whose port another container has, is
    only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.startup_failures import START_UP, FailedStart, failed_starts, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model import Container, PublishedPort, Socket, known_items

ID = "port-taken"
_WILD = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container and port."""
    failed = {item.container.id: item for item in failed_starts(ctx.case, ID) if item.container is not None}
    for container in known_items(ctx.case.snapshot.containers):
        if container.running:
            continue
        failure = failed.get(container.id)
        for port in dict.fromkeys(container.wanted or container.published):
            here = failure if failure is not None and failure.failure.port == port.host_port else None
            other = _publisher(ctx.case, port)
            if other is not None:
                if here is not None:
                    yield _finding(container.name, port, f"the container {other.name}", other.status, here, "info")
                continue
            owner = _owner(ctx.case, port)
            if owner is not None:
                process = f"{owner.process or 'a process'}" + (f" (PID {owner.pid})" if owner.pid else "")
                socket = f"{owner.address}:{owner.port}/{owner.proto}"
                yield _finding(container.name, port, process, socket, here, "info" if here is None else "warning")


def _finding(
    name: str, port: PublishedPort, holder: str, what: str, failed: FailedStart | None, severity: Severity
) -> Finding:
    could = "could not be started" if failed is not None else "can't be started"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="container", name=f"{name} {port.host_port}/{port.proto}"),
        summary=f"{name} {could}: it wants port {port.host_port}/{port.proto}, which {holder} holds",
        symptoms=START_UP if failed is not None else (),
        evidence=(
            *of_failures((failed,) if failed is not None else ()),
            Evidence(source="listening sockets", what=what, value=holder, expected="nobody"),
        ),
        remedy=Remedy(
            summary=f"Stop {holder}, or publish another port for {name}",
            risk="manual",
            note="A docker-proxy that was left behind by a crash ends when Docker is restarted",
        ),
    )


def _publisher(case: HostContext, port: PublishedPort) -> Container | None:
    """A running container that publishes the port."""
    return next(
        (
            item
            for item in known_items(case.snapshot.containers)
            if item.running
            and any((other.host_port, other.proto) == (port.host_port, port.proto) for other in item.published)
        ),
        None,
    )


def _owner(case: HostContext, port: PublishedPort) -> Socket | None:
    """The process that holds a host port."""
    host = case.view.host
    return next(
        (
            item
            for item in (host.sockets if host is not None else ())
            if (item.port, item.proto) == (port.host_port, port.proto)
            and (":" in item.address) == (":" in port.host_ip)
            and (item.address == port.host_ip or item.address in _WILD or port.host_ip in _WILD)
        ),
        None,
    )


CHECK = Check(
    id=ID,
    title="Ports that stopped containers want are free",
    severity="warning",
    doc=__doc__,
    find=find,
)
