"""Something else takes the questions that are meant for Podman's name server.

What it finds
    A Podman network with names switched on, whose name server (aardvark-dns)
    doesn't get the questions of its containers: another program of the host
    holds port 53 on every address and aardvark-dns isn't there, or a rule (of
    a published port 53) rewrites what is sent to port 53 of the bridge.

Why it matters
    Containers don't find each other by name; names of the outside depend on
    who answers instead.

How we know
    The host's listening sockets with their programs, and the packet walk from
    a container to port 53 of its gateway.

Remedy
    Have the other program listen on the host's own addresses only, publish
    port 53 on one address of the host, or give aardvark-dns another port
    (``dns_bind_port`` in containers.conf).

When it is harmless
    Where the containers of the network don't use each other's names.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.dns_flows import DNS
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, Walk
from dnet_tui.inspect.model import Network, Socket
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "aardvark-conflict"
_SERVER = PODMAN.name_server


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Whatever meets a question to a Podman network's name server once it was rewritten to somebody else."""
    packet = obstacle.packet
    if packet.original is None or packet.original[2] != DNS or packet.dst == packet.original[1]:
        return False
    named = (net for net in case.networks if _has_server(net))
    return any(case.bridge_address(net) == packet.original[1] for net in named)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per network."""
    yield from undecided(ctx, ID)
    case = ctx.case
    for network in case.networks:
        members, address = case.members(network), case.bridge_address(network)
        if not _has_server(network) or not members or not address:
            continue
        if not _asks(members, address):
            continue
        packet = Packet(src=members[0].address, dst=address, proto="udp", sport=40000, dport=DNS)
        way = walk(case.view, packet, origin=members[0].namespace)
        holder = _holder(case)
        rewritten = (way.last.dst, way.last.dport) != (address, DNS)
        if rewritten and way.end != "unknown" and not _is_served(case, way):
            yield _captured(network, members, address, way)
        elif holder is not None and not _is_there(case, address):
            yield _held(network, members, address, holder)


def _has_server(network: Network) -> bool:
    """Whether a name server of the engine's is to answer at the network's gateway."""
    return traits_of(network.engine).name_server == _SERVER and network.dns is True


def _asks(members: tuple[AttachedContainer, ...], address: str) -> bool:
    return any(item.container.resolver is not None and address in item.container.resolver.servers for item in members)


def _is_there(case: HostContext, address: str) -> bool:
    """Whether the name server listens at the gateway, on whatever port (``dns_bind_port``), or nobody can tell."""
    sockets = case.view.host.sockets if case.view.host is not None else ()
    return any(item.proto == "udp" and item.address == address and item.process in {_SERVER, ""} for item in sockets)


def _is_served(case: HostContext, way: Walk) -> bool:
    """Whether a rewritten question still gets to the name server: netavark does so for another port."""
    host = case.view.host
    own = {item.address for item in host.addresses} if host is not None else set()
    sockets = host.sockets if host is not None else ()
    return way.last.dst in own and any(
        item.proto == "udp" and item.port == way.last.dport and item.process in {_SERVER, ""} for item in sockets
    )


def _holder(case: HostContext) -> Socket | None:
    """Another program that holds port 53 on every address, which includes the gateway's."""
    sockets = case.view.host.sockets if case.view.host is not None else ()
    return next(
        (
            item
            for item in sockets
            if (item.proto, item.port) == ("udp", DNS)
            and (item.address == "0.0.0.0" or (item.address == "::" and item.v6only is False))  # noqa: S104
            and item.ifindex is None
            and item.process not in {_SERVER, ""}
        ),
        None,
    )


def _held(network: Network, members: tuple[AttachedContainer, ...], address: str, holder: Socket) -> Finding:
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="network", name=network.name),
        summary=f"{holder.process} holds port {DNS} everywhere, so the name server of {network.name} is not there",
        symptoms=("names",),
        evidence=(
            Evidence(
                source="listening sockets",
                what=f"{holder.address}:{DNS}/udp",
                value=f"{holder.process}" + (f" (PID {holder.pid})" if holder.pid else ""),
                expected=f"{_SERVER} on {address}:{DNS}",
            ),
            _of_members(network, members),
        ),
        remedy=Remedy(
            summary=f"Have {holder.process} listen on the host's own addresses only",
            risk="manual",
            note="dnsmasq: bind-interfaces; or dns_bind_port in containers.conf.  Then start the containers anew",
        ),
    )


def _captured(network: Network, members: tuple[AttachedContainer, ...], address: str, way: Walk) -> Finding:
    rules = [hop.rule for hop in way.hops if hop.rule is not None and hop.packet.dst != address]
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="network", name=network.name),
        summary=f"Questions to the name server of {network.name} are rewritten to {way.last.dst}:{way.last.dport}",
        symptoms=("names",),
        evidence=(
            *(of_rule(rule, f"leaves {address}:{DNS} alone") for rule in rules[:1]),
            Evidence(
                source="packet walk",
                what=f"{members[0].container.name} → {address}:{DNS}",
                value=way.last.tuple_text(),
                expected=f"arrives at {_SERVER}",
            ),
            _of_members(network, members),
        ),
        remedy=Remedy(
            summary=f"Publish port {DNS} on one address of the host only",
            risk="manual",
            note=f"For example --publish ADDRESS:{DNS}:{DNS}/udp; or dns_bind_port in containers.conf",
        ),
    )


def _of_members(network: Network, members: tuple[AttachedContainer, ...]) -> Evidence:
    names = ", ".join(item.container.name for item in members[:4])
    return Evidence(source=network.engine, what=f"on {network.name}, with names", value=names)


CHECK = Check(
    id=ID,
    title="Podman's name server gets its queries",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("dns-upstream",),
)
