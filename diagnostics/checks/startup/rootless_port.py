"""A container of a rootless engine wants a port that its user may not open.

What it finds
    A container that isn't running, of an engine that runs without root, and
    that asks for a port of the host below
    ``net.ipv4.ip_unprivileged_port_start``.

Why it matters
    Ports below that number are kept for root (ip(7), ip-sysctl), so starting
    the container fails: "permission denied", "cannot expose privileged port".

How we know
    The container's own settings, the engine's, and the host's kernel
    parameter.

Remedy
    Publish a port from that number on, or lower the number.

When it is harmless
    Where the helper that opens the port was given the right
    (``setcap cap_net_bind_service=ep`` on rootlesskit), and while the
    container isn't meant to be started; therefore it is only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_sysctl
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Container, known_items

ID = "rootless-port"
_KEY = "net.ipv4.ip_unprivileged_port_start"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container."""
    case = ctx.case
    value = case.sysctl(_KEY)
    # Containers carry the engine's name only: of two Dockers it isn't known whose a container is.
    rootless = {
        engine.name
        for engine in known_items(case.snapshot.engines)
        if engine.rootless
        and all(item.rootless for item in known_items(case.snapshot.engines) if item.name == engine.name)
    }
    if value is None or not value.isdecimal() or not rootless:
        return
    for container in known_items(case.snapshot.containers):
        if container.running or container.engine not in rootless:
            continue
        low = sorted({port.host_port for port in container.wanted if port.host_port < int(value)})
        if low:
            yield _finding(container, low, value)


def _finding(container: Container, low: list[int], value: str) -> Finding:
    ports = ", ".join(str(port) for port in low[:4])
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="container", name=container.name),
        summary=f"{container.name} can't be started as it is: it wants port {ports}, which its user may not open",
        evidence=(
            of_sysctl(_KEY, value, f"{low[0]} or less"),
            Evidence(source=container.engine, what=f"ports of {container.name}", value=ports, expected=f"≥ {value}"),
            *((Evidence(source=container.engine, what="status", value=container.status),) if container.status else ()),
        ),
        remedy=Remedy(
            summary=f"Let everybody open ports from {low[0]} on",
            steps=(SetSysctl(key=_KEY, value=str(low[0])),),
            undo=(SetSysctl(key=_KEY, value=value),),
            risk="ask",
            note=f"Every user of the host may then open them.  Or publish a port from {value} on; to keep it, write it "
            "to /etc/sysctl.d",
        ),
    )


CHECK = Check(
    id=ID,
    title="Rootless containers want ports that they may have",
    severity="info",
    doc=__doc__,
    find=find,
)
