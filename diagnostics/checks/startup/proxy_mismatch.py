"""Docker shall run a proxy for a published port, and there is none.

What it finds
    A running container with a published port, on a Docker whose userland
    proxy is on, while no docker-proxy serves the port and a connection from
    the host to 127.0.0.1 on that port is refused.

Why it matters
    From outside the port still works, by rules.  From the host itself
    127.0.0.1 doesn't, nor does what only the proxy passes on (IPv6 to a
    container without it).  A docker-proxy that was replaced or is older than
    dockerd (28 wants one that takes ``-use-listen-fd``) keeps containers from
    starting at all.

How we know
    The daemon's settings, the processes named docker-proxy with the ports in
    their arguments, the host's listening sockets, and the packet walk to
    127.0.0.1.

Remedy
    Restart the container, which starts the proxy anew; if it isn't there
    then either, install docker-proxy of the daemon's own version.

When it is harmless
    Where nobody on the host uses the port by 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.engine import RestartContainers
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Container, PublishedPort, known_items
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "proxy-mismatch"
_LOCAL = "127.0.0.1"
_HERE = {"", "0.0.0.0", _LOCAL}  # noqa: S104 - compared with, not bound to


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per container."""
    case = ctx.case
    host = case.view.host
    engines = [item for item in known_items(case.snapshot.engines) if traits_of(item.name).port_proxy]
    alone = len(engines) == 1 and engines[0].userland_proxy is True and not engines[0].rootless
    # Without root other users' processes aren't seen, so that a proxy may be there all the same.
    if host is None or not alone or any(gap.section == "namespaces" and not gap.scope for gap in case.snapshot.gaps):
        return
    for container in known_items(case.snapshot.containers):
        ways = [(port, way) for port in _ports(container) if (way := _way(case, host.id, port)) is not None]
        lacking = [(port, way) for port, way in ways if way.end == "refused" and way.last.dst == _LOCAL]
        if lacking:
            yield _finding(case, container, lacking)
        for port, way in ways:
            if way.end == "unknown" and way.decided_by is not None and way.decided_by.kind == "gap":
                yield Undecided(reason=f"{container.name} {port.host_port}/{port.proto}: {way.decided_by.text}")


def _ports(container: Container) -> Iterator[PublishedPort]:
    if container.running and traits_of(container.engine).port_proxy and container.joined is None:
        own = (port for port in container.published if not port.by)  # no proxy serves what others publish
        yield from (port for port in own if port.proto == "tcp" and port.host_ip in _HERE)


def _way(case: HostContext, host: str, port: PublishedPort) -> Walk | None:
    """The way of the host's own connection to the port, where no proxy runs for it."""
    if any((item.proto, item.host_port) == (port.proto, port.host_port) for item in case.snapshot.proxies):
        return None
    packet = Packet(src=_LOCAL, dst=_LOCAL, proto=port.proto, sport=40000, dport=port.host_port, tcp_flags=("SYN",))
    return walk(case.view, packet, origin=host)


def _finding(case: HostContext, container: Container, lacking: list[tuple[PublishedPort, Walk]]) -> Finding:
    ports = ", ".join(f"{port.host_port}/{port.proto}" for port, _ in lacking[:4])
    by = lacking[0][1].decided_by
    others = sum(1 for item in case.snapshot.proxies)
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="container", name=container.name),
        summary=f"No docker-proxy serves {container.name}'s port {ports}: the host's own 127.0.0.1 is refused",
        symptoms=("host-to-container",),
        evidence=(
            Evidence(
                source="processes",
                what=traits_of(container.engine).port_proxy,
                value=f"none for {ports} ({others} for other ports)",
                expected="one for each published port, as userland-proxy is on",
            ),
            *((of_decider(by, "the proxy, or a rule that rewrites it"),) if by is not None else ()),
        ),
        remedy=Remedy(
            summary=f"Restart {container.name}: Docker then starts its proxies",
            steps=(RestartContainers(engine=container.engine, names=(container.name,)),),
            risk="manual",
            note="If the proxy isn't there then either, install docker-proxy of the same version as dockerd",
        ),
    )


CHECK = Check(
    id=ID,
    title="Published ports have their proxies",
    severity="warning",
    doc=__doc__,
    find=find,
)
