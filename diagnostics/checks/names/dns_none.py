"""Docker's own resolver has no name server to ask.

What it finds
    Containers whose resolv.conf names nobody behind Docker's own resolver
    (newer ones say "NO EXTERNAL NAMESERVERS DEFINED"): when they were started
    the host's file named no server, so that only the names of other
    containers resolve.  An error where the host has a server now (or
    one of its own listens on its loopback, which programs use when nothing is
    named), otherwise information.  Or a container whose file names no server
    at all, and that serves no names itself.

Why it matters
    Every name of the outside fails in these containers, whatever the host
    itself resolves by now: Docker's resolver keeps what it was given.

How we know
    The comments that Docker writes into the container's file (moby,
    libnetwork/internal/resolvconf), and the host's own resolv.conf.

Remedy
    Restart the containers once the host's file names a server, or give them
    one: ``dns`` in daemon.json, ``--dns``.

When it is harmless
    Where the containers need no names of the outside.  Containers that have
    internal networks only aren't reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_resolver
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import DNS, ResolverClient, askers
from dnet_tui.diagnostics.operations.engine import RestartContainers
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import require
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER

ID = "dns-none"
_LOCAL = {"127.0.0.1", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per network."""
    for asker in askers(ctx.case):
        if asker.embedded and asker.resolver.upstreams == ():
            yield _finding(ctx.case, asker)
        elif not asker.embedded and not asker.resolver.servers and not _serves_itself(ctx.case, asker):
            yield _empty(asker)


def _serves_itself(case: HostContext, asker: ResolverClient) -> bool:
    """Whether something in the container listens where its resolver asks without any server: 127.0.0.1."""
    sockets = require(case.view.namespaces[asker.member.namespace].sockets)
    return any((item.proto, item.port) == ("udp", DNS) and item.address in _LOCAL for item in sockets)


def _empty(asker: ResolverClient) -> Finding:
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="container", name=asker.member.container.name),
        summary=f"{asker.names} resolve no names: /etc/resolv.conf names no server there",
        symptoms=("names",),
        evidence=(of_resolver(asker.member.container.name, asker.resolver),),
        remedy=Remedy(
            summary="Name a server in it: engines leave a file alone that somebody has changed",
            risk="manual",
            note="Or create the container anew, then the engine writes the file from its own settings",
        ),
    )


def _finding(case: HostContext, asker: ResolverClient) -> Finding:
    now = _hosts_own(case)
    names = (asker.member.container.name, *asker.others)
    return Finding(
        check=ID,
        severity="error" if now else "info",
        subject=Subject(kind="network", name=asker.network.name),
        summary=f"{asker.names} resolve no names of the outside: Docker's resolver has no upstream server",
        symptoms=("names",),
        evidence=(
            *(
                (
                    Evidence(
                        source="/etc/resolv.conf",
                        what=f"comment, {asker.member.container.name}",
                        value="NO EXTERNAL NAMESERVERS DEFINED",
                    ),
                )
                if asker.resolver.none_left
                else ()
            ),
            of_resolver(asker.member.container.name, asker.resolver),
            Evidence(
                source="/etc/resolv.conf", what="the host's servers now", value=now or "none", expected="a server"
            ),
        ),
        remedy=Remedy(
            summary="Restart them, so that Docker reads the host's servers again"
            if now
            else "Name a server in the host's /etc/resolv.conf, then restart them",
            steps=(RestartContainers(engine=DOCKER.kind, names=tuple(names)),) if now else (),
            risk="manual",
            note='Or name servers for all containers: `"dns": ["ADDRESS"]` in /etc/docker/daemon.json',
        ),
    )


def _hosts_own(case: HostContext) -> str:
    """Whom the host itself asks now; empty when nobody is seen."""
    resolver, host = case.snapshot.host.resolver, case.view.host
    if resolver is not None and resolver.servers:
        return ", ".join(resolver.servers)
    sockets = host.sockets if host is not None else ()
    listens = any((item.proto, item.port) == ("udp", DNS) and item.address in _LOCAL for item in sockets)
    return f"a server on its own 127.0.0.1:{DNS}" if listens else ""


CHECK = Check(
    id=ID,
    title="Docker's resolver has a server to ask",
    severity="error",
    doc=__doc__,
    find=find,
)
