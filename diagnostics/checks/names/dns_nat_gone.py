"""A container's questions no longer get to Docker's own resolver.

What it finds
    A running container that asks 127.0.0.11 for names, and in whose own
    network namespace nothing rewrites port 53 there to the port on which
    dockerd listens for it.

Why it matters
    No name resolves in that container, neither another container's nor one
    of the outside, until it is restarted.

How we know
    The packet walk from the container to 127.0.0.11:53, in its own network
    namespace: it meets no DNAT (chain DOCKER_OUTPUT, or table ``ip
    docker-dns`` with Docker's nftables backend; moby,
    libnetwork/resolver_unix.go) and ends where nobody listens.

Remedy
    Restart the container: Docker writes these rules when it starts it.

When it is harmless
    Where the container resolves no names, or has a resolver of its own
    besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_decider, of_resolver
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.dns_flows import DNS, EMBEDDED
from dnet_tui.diagnostics.operations.engine import RestartContainers
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Container, Namespace, Resolver, Unread, known_items
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "dns-nat-gone"
_STOPPED = {"refused", "dropped", "rejected"}


class _Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A container that asks Docker's resolver, and its namespace."""

    container: Container
    resolver: Resolver
    ns: Namespace


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for all containers of an engine that are stopped alike."""
    stopped: defaultdict[tuple[str, str, str], list[tuple[_Asking, Walk]]] = defaultdict(list)
    for asking in _asking(ctx.case):
        packet = Packet(src="127.0.0.1", dst=EMBEDDED, proto="udp", sport=40000, dport=DNS)
        way = walk(ctx.case.view, packet, origin=asking.ns.id)
        if way.end == "unknown":
            text = way.decided_by.text if way.decided_by is not None else "the way to its resolver"
            yield Undecided(reason=f"{asking.container.name}: {text}")
        elif way.end in _STOPPED:
            by = way.decided_by.text if way.decided_by is not None and way.end != "refused" else ""
            stopped[asking.container.engine, way.end, by].append((asking, way))
    for alike in stopped.values():
        yield _finding([asking for asking, _ in alike], alike[0][1])


def _asking(case: HostContext) -> Iterator[_Asking]:
    seen: set[str] = set()
    for container in known_items(case.snapshot.containers):
        ns = case.view.namespaces.get(container.netns or "")
        resolver = container.resolver
        if ns is None or ns.kind == "host" or resolver is None or not container.running or ns.id in seen:
            continue
        if isinstance(resolver, Unread):
            case.unseen.append(resolver.not_seen())
        elif traits_of(container.engine).embedded_resolver in resolver.servers and container.joined is None:
            seen.add(ns.id)
            yield _Asking(container=container, resolver=resolver, ns=ns)


def _finding(alike: Sequence[_Asking], way: Walk) -> Finding:
    by = way.decided_by
    first = alike[0]
    names = tuple(item.container.name for item in alike)
    who = names[0] if len(names) == 1 else f"{len(names)} containers"
    their = "its namespace" if len(names) == 1 else "their namespaces"
    served = sorted({item.port for item in first.ns.sockets if item.address == EMBEDDED and item.proto == "udp"})
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="container", name=names[0]),
        summary=f"{who} can't resolve names: the rules that redirect to Docker's resolver are gone from {their}"
        if way.end == "refused"
        else f"{who} can't resolve names: queries are {way.end} on the way to Docker's resolver",
        symptoms=("names",),
        evidence=(
            of_resolver(names[0], first.resolver),
            *((of_decider(by, "a rule that rewrites it before"),) if by is not None else ()),
            Evidence(
                source="listening sockets",
                what=f"of dockerd in {names[0]}",
                value=", ".join(f"{EMBEDDED}:{port}/udp" for port in served) or "none",
            ),
        ),
        remedy=Remedy(
            summary=f"Restart {who if len(names) == 1 else 'them'}: Docker then writes the rules anew",
            steps=(RestartContainers(engine=first.container.engine, names=names),),
            risk="manual",
            note="Its program is stopped and started again"
            if len(names) == 1
            else "Their programs are stopped and started again",
        ),
        affects=tuple(Affected(kind="container", name=name) for name in names),
    )


CHECK = Check(
    id=ID,
    title="Containers reach Docker's own resolver",
    severity="error",
    doc=__doc__,
    find=find,
)
