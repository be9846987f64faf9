"""A stopped container wants a host port that another program holds.

What it finds
    A container that isn't running asks for a port of the host, and a process
    that isn't its engine's listens on it.

Why it matters
    Starting the container fails: "address already in use", or "port is
    already allocated".

How we know
    The container's own settings, and the host's listening sockets with their
    processes.

Remedy
    Stop the program that holds the port, or publish another one.

When it is harmless
    While the container is not meant to be started, or takes turns with the
    other; therefore it is only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.case import Case
from dnet_tui.diagnostics.checks.base import Check
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.remedy import Remedy
from dnet_tui.inspect.model import PublishedPort, Socket

ID = "port-taken"
_WILD = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def find(exam: Examination) -> Iterator[Finding]:
    """One finding per container and port."""
    for container in exam.case.snapshot.containers:
        if container.running:
            continue
        for port in dict.fromkeys(container.wanted or container.published):
            owner = _owner(exam.case, port)
            if owner is not None:
                yield _finding(container.name, port, owner)


def _finding(name: str, port: PublishedPort, owner: Socket) -> Finding:
    process = f"{owner.process or 'a process'}" + (f" (PID {owner.pid})" if owner.pid else "")
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="container", name=f"{name} {port.host_port}/{port.proto}"),
        summary=f"{name} can't be started: it wants port {port.host_port}/{port.proto}, which {process} holds",
        evidence=(
            Evidence(
                source="listening sockets",
                what=f"{owner.address}:{owner.port}/{owner.proto}",
                value=process,
                expected="nobody",
            ),
        ),
        remedy=Remedy(
            summary=f"Stop {process}, or publish another port for {name}",
            risk="manual",
            note="A docker-proxy that was left behind by a crash ends when Docker is restarted",
        ),
    )


def _owner(case: Case, port: PublishedPort) -> Socket | None:
    """The process that holds a host port, unless a running container publishes it by the same engine."""
    host = case.view.host
    if any(
        (other.host_port, other.proto) == (port.host_port, port.proto)
        for item in case.snapshot.containers
        if item.running
        for other in item.published
    ):
        return None
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
    severity="info",
    doc=__doc__,
    needs=("sockets",),
    find=find,
)
