"""Whom containers ask for names, and whether they reach them.  Pure.

A container's resolv.conf names its servers.  Where that is Docker's own
resolver at 127.0.0.11, it is this one that asks the servers behind it, from
the container's network namespace or from the host's.  Containers of one
network that ask the same servers are stood for by one of them.

What isn't expected, and so never missed: any answer to containers that have
only internal networks (libnetwork, ``forwardExtDNS``), to those that share
the host's network, from a server of the container's own, or from one that the
host itself has no way to.  As long as one server of several can be reached,
names resolve.

Sources: resolv.conf(5); moby, libnetwork/resolver.go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.context.host_context import INFERRED, AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.flows.intentions import is_ruled, leads_out, masquerades
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model import Family, NameServer, Network, Resolver, Unread, require
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER

EMBEDDED = DOCKER.embedded_resolver
"""Docker's own resolver: the same address in every container, answered by dockerd from within it."""

DNS = 53
_EPHEMERAL = 40000
_TRIED = 3
"""Servers that resolvers try: resolv.conf(5) MAXNS, and moby's maxExtDNS."""

_NOWHERE = {"none", "unreachable", "prohibit", "blackhole"}


class ResolverClient(msgspec.Struct, frozen=True, kw_only=True):
    """A container with the servers that are asked for it; it stands for ``others`` of its network as well."""

    member: AttachedContainer
    network: Network
    resolver: Resolver
    servers: tuple[NameServer, ...]
    others: tuple[str, ...] = ()
    embedded: bool

    @property
    def names(self) -> str:
        """The containers in words, four at the most."""
        every = (self.member.container.name, *self.others)
        more = f" and {len(every) - 4} more" if len(every) > 4 else ""
        return ", ".join(every[:4]) + more


def askers(case: HostContext) -> tuple[ResolverClient, ...]:
    """One for each network and list of servers, of the containers that are meant to reach the outside."""
    return case.once(_askers)


def _askers(case: HostContext) -> tuple[ResolverClient, ...]:
    found: dict[tuple[str, Resolver], ResolverClient] = {}
    seen: set[str] = set()
    for network in case.networks:
        if not leads_out(network, "ip") and not leads_out(network, "ip6"):
            continue
        for member in case.everyone(network):
            resolver = member.container.resolver
            if resolver is None or member.namespace in seen or network.engine == INFERRED:
                continue
            with case.noting():
                resolver = require(resolver)
            if isinstance(resolver, Unread):
                continue
            seen.add(member.namespace)
            if network.dns and case.bridge_address(network) in resolver.servers:
                continue  # the engine's own server at the gateway: see flows
            key = network.id, msgspec.structs.replace(resolver, source="")
            known = found.get(key)
            if known is not None:
                found[key] = msgspec.structs.replace(known, others=(*known.others, member.container.name))
                continue
            embedded = EMBEDDED in resolver.servers
            found[key] = ResolverClient(
                member=member,
                network=network,
                resolver=resolver,
                servers=_servers(resolver, embedded=embedded),
                embedded=embedded,
            )
    return tuple(found.values())


def _servers(resolver: Resolver, *, embedded: bool) -> tuple[NameServer, ...]:
    if embedded:
        return (resolver.upstreams or ())[:_TRIED]
    return tuple(NameServer(address=address) for address in resolver.servers[:_TRIED])


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One server asked for one asker.  ``flow`` is None where nothing can be expected of it, or it can't be told."""

    asker: ResolverClient
    server: NameServer
    flow: Flow | None

    @property
    def answered(self) -> Truth:
        """Whether the question arrives where somebody listens, and the answer comes back."""
        if self.flow is None:
            return None
        return False if self.flow.forward.end == "refused" else self.flow.arrives


def questions(case: HostContext) -> tuple[Question, ...]:
    """Every server of every asker, asked over UDP."""
    return case.once(_questions)


def _questions(case: HostContext) -> tuple[Question, ...]:
    from_host: dict[NameServer, Flow | None] = {}
    found: list[Question] = []
    for asker in askers(case):
        for server in asker.servers:
            if server.from_host and server not in from_host:  # whoever it is asked for, the way is the same
                from_host[server] = _asked(case, asker, server)
            flow = from_host[server] if server.from_host else _asked(case, asker, server)
            found.append(Question(asker=asker, server=server, flow=flow))
    return tuple(found)


def _asked(case: HostContext, asker: ResolverClient, server: NameServer) -> Flow | None:
    """The same as :func:`ask`; where something that decides was not read nothing can be told, which is noted."""
    found: list[Flow | None] = [None]
    with case.noting():
        found.append(ask(case, asker, server))
    return found[-1]


def unanswered(case: HostContext) -> tuple[tuple[Question, ...], ...]:
    """The questions of each asker none of whose servers is known to answer."""
    by_asker: dict[str, list[Question]] = {}
    for question in questions(case):
        by_asker.setdefault(f"{question.asker.network.id} {question.asker.member.namespace}", []).append(question)
    return tuple(
        tuple(those)
        for those in by_asker.values()
        if all(item.answered is not True for item in those) and all(item.flow is not None for item in those)
    )


def server_flows(case: HostContext) -> Iterator[Flow]:
    """The questions that have to get through: for each asker the first that is answered, or else all of them."""
    silent = {id(question) for those in unanswered(case) for question in those}
    served: set[int] = set()
    given: set[int] = set()
    for question in questions(case):
        flow, asker = question.flow, id(question.asker)
        heard = question.answered is True and asker not in served
        if flow is None or id(flow) in given or not (heard or id(question) in silent):
            continue
        if heard:
            served.add(asker)
        given.add(id(flow))
        yield flow


def ask(case: HostContext, asker: ResolverClient, server: NameServer, proto: str = "udp") -> Flow | None:
    """Walk a question to a server, and its answer back; None where nothing can be expected of it."""
    host = case.view.host
    address = ipaddress.ip_address(server.address)
    family: Family = "ip6" if address.version == 6 else "ip"
    if host is None or address.is_link_local or (address.is_loopback and not server.from_host):
        return None
    if not address.is_loopback and _route(index_of(case.view, host), server.address, family).type in _NOWHERE:
        return None
    origin = host if server.from_host else case.view.namespaces[asker.member.namespace]
    source = _source(index_of(case.view, origin), server.address, family)
    if not source:
        return None
    packet = Packet(
        family=family,
        src=source,
        dst=server.address,
        proto=proto,
        sport=_EPHEMERAL,
        dport=DNS,
        tcp_flags=("SYN",) if proto == "tcp" else (),
    )
    forward = walk(case.view, packet, origin=origin.id, outside=True, beyond=True)
    masquerade = None if server.from_host else masquerades(case, asker.network, family)
    lost = forward.exits and masquerade is True and not forward.last.snatted
    arrived = forward.arrives is True and forward.end != "refused" and not lost
    return Flow(
        kind="names",
        network=asker.network,
        source="host" if server.from_host else asker.member.container.name,
        target=f"name server {server.address}",
        expected=True,
        member=asker.member,
        masquerade=masquerade,
        ruled=server.from_host or is_ruled(case, asker.network, family),
        forward=forward,
        answer=reply(case.view, forward, beyond=True) if arrived else None,
    )


def _route(index: NamespaceIndex, address: str, family: Family) -> routing.RouteAnswer:
    anyone = "0.0.0.0" if family == "ip" else "::"  # noqa: S104 - the source before one is chosen
    return routing.lookup(index, Packet(family=family, src=anyone, dst=address, proto="udp"))


def _source(index: NamespaceIndex, address: str, family: Family) -> str:
    """The address the kernel would ask from; empty where there is none of the family."""
    answer = _route(index, address, family)
    if answer.source:
        return answer.source
    if answer.type == "local":
        return address
    own = [item for item in index.ns.addresses if item.family == family and item.scope == "global"]
    by_link = [item.address for item in own if item.ifindex == answer.ifindex]
    return next(iter(by_link or [item.address for item in own]), "")
