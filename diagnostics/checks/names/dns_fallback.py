"""Docker found no name server that a container could use, and put in public ones.

What it finds
    Containers (mostly on the default bridge) whose resolv.conf says "Used
    default nameservers": the host's own file named only servers on its
    loopback, which don't exist inside a container, so Docker put in 8.8.8.8
    and 8.8.4.4.  An error where these certainly can't be reached, otherwise
    information.

Why it matters
    Where the way to them is barred no name resolves at all.  Elsewhere names
    that only the host's own server knows (of a company, of a VPN) don't, and
    what containers ask is asked of a public server.

How we know
    The comment that Docker writes into the file (26.0 and newer; moby,
    libnetwork/internal/resolvconf), and the packet walk to these servers.

Remedy
    Name the server to use: ``dns`` in daemon.json, or ``--dns``; or put the
    container on a network of its own, where Docker's resolver asks the host's
    servers from the host.

When it is harmless
    Where the public servers can be reached and only public names are asked
    for.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_resolver
from dnet_tui.diagnostics.flows.dns_flows import ResolverClient, askers, unanswered
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.inspect.model import Resolver

ID = "dns-fallback"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per network."""
    case = ctx.case
    barred = {
        id(those[0].asker) for those in unanswered(case) if those and all(item.answered is False for item in those)
    }
    own = case.snapshot.host.resolver
    hosts = own.servers if isinstance(own, Resolver) else None
    for asker in askers(case):
        if asker.resolver.fell_back:
            yield _finding(asker, hosts, barred=id(asker) in barred)


def _finding(asker: ResolverClient, hosts: tuple[str, ...] | None, *, barred: bool) -> Finding:
    servers = ", ".join(item.address for item in asker.servers)
    severity: Severity = "error" if barred else "info"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="network", name=asker.network.name),
        summary=f"{asker.names} can't resolve names: Docker put in {servers}, which can't be reached"
        if barred
        else f"{asker.names} ask {servers} for names, not the host's own name server",
        symptoms=("names",) if barred else (),
        evidence=(
            Evidence(
                source="/etc/resolv.conf",
                what=f"comment, {asker.member.container.name}",
                value="Used default nameservers.",
            ),
            of_resolver(asker.member.container.name, asker.resolver),
            *(
                (Evidence(source="/etc/resolv.conf", what="the host's", value=", ".join(hosts) or "none"),)
                if hosts is not None
                else ()
            ),
        ),
        remedy=Remedy(
            summary="Name the servers that containers shall ask",
            risk="manual",
            persists=True,
            note='`"dns": ["ADDRESS"]` in /etc/docker/daemon.json and a restart of Docker; containers have to be '
            "made anew to get it",
        ),
    )


CHECK = Check(
    id=ID,
    title="Containers ask name servers that were meant for them",
    severity="error",
    doc=__doc__,
    find=find,
)
