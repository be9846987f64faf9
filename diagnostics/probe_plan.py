"""Which packets to send to confirm what the doctor says, and what the model expects of each.  Pure.

Probes follow the flows that the networks ask for, as far as they can be tried
from inside the host: the way out is tried up to the host's default gateway,
and a published port from the host and from another network's container.  No
probe is planned to an address beyond the containers, the host and that gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Literal

import msgspec

from dnet_tui.diagnostics.case import Case, Member
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.flows import Flow
from dnet_tui.diagnostics.probes import Method, Prediction, Probe
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, Walk
from dnet_tui.diagnostics.walk.routing import lookup
from dnet_tui.diagnostics.walk.trip import reply, walk
from dnet_tui.inspect.model import Namespace, Network

MOST = 40
"""How many probes are sent at the most."""

EMBEDDED_DNS = "127.0.0.11"
"""Where Docker answers a container's DNS queries, inside the container's own namespace."""

_MAIN = 254  # RT_TABLE_MAIN
_DNS = 53
_SPORT = 40000
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to
_GUARDED = {"forward", "input"}
"""Where a packet is when its destination is settled: an unknown there does not change where it goes."""


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A probe that would tell something, not yet walked.  ``doubt``: the model says that its flow is broken."""

    kind: str
    source: str
    target: str
    namespace: str
    method: Method
    address: str
    port: int = 0
    query: str = ""
    network: Network | None = None
    expected: bool = True
    doubt: bool = False


def plan(exam: Examination, limit: int = MOST, focus: str = "") -> tuple[Probe, ...]:
    """Choose up to ``limit`` probes, of broken and healthy flows of every kind, and predict each.

    ``focus`` keeps those that start or end at what has that name.
    """
    groups: defaultdict[tuple[bool, str], list[_Wish]] = defaultdict(list)
    for wish in _wishes(exam):
        network = wish.network
        if not focus or focus in {wish.source, wish.target, *((network.name, network.bridge) if network else ())}:
            groups[not wish.doubt, wish.kind].append(wish)
    ordered = [groups[key] for key in sorted(groups)]
    chosen: dict[tuple[str, str, str, int], Probe] = {}
    for wish in (item for row in zip_longest(*ordered) for item in row if item is not None):
        for probe in _with_control(exam, wish):
            if probe.key not in chosen and len(chosen) < limit:
                chosen[probe.key] = probe
    return tuple(chosen.values())


def predict(exam: Examination, probe: Probe) -> Probe | None:
    """Predict a probe anew, over another snapshot; None when it starts or ends at what is gone."""
    wish = next((item for item in _wishes(exam) if _key(item) == probe.key), None)
    host = exam.case.view.host
    if wish is None and host is not None and probe.namespace == host.id:
        asked = (item for item in _wishes(exam) if _key(item)[1:] == probe.key[1:])
        wish = next((_from_host(exam.case, item) for item in asked), None)
    return _predicted(exam, wish) if wish is not None else None


def allowed(case: Case) -> frozenset[str]:
    """The addresses that may be probed: of containers, of the host, and its default gateway."""
    host = case.view.host
    places = [ns for ns in case.snapshot.namespaces if ns.kind == "host" or case.view.containers_in(ns.id)]
    own = {item.address for ns in places for item in ns.addresses}
    gateway = default_gateway(host)
    return frozenset(own | ({gateway} if gateway else set()))


def default_gateway(host: Namespace | None) -> str:
    """The address of the host's IPv4 default gateway in the main table, that of the lowest metric; else empty."""
    routes = [
        route
        for route in (host.routes if host else ())
        if (route.family, route.table, route.dst, route.type) == ("ip", _MAIN, "0.0.0.0/0", "unicast")
    ]
    hops = (hop for route in sorted(routes, key=lambda item: item.metric) for hop in route.hops)
    return next((hop.gateway for hop in hops if hop.gateway and ":" not in hop.gateway), "")


# -- what to try ------------------------------------------------------------------------------


def _wishes(exam: Examination) -> Iterator[_Wish]:
    gateway = default_gateway(exam.case.view.host)
    for flow in exam.flows:
        doubt = (flow.arrives is True) != flow.expected or (flow.kind == "egress" and flow.answer is None)
        if flow.kind == "egress" and flow.member is not None and gateway:
            yield _Wish(
                kind=flow.kind,
                source=flow.source,
                target=f"gateway {gateway}",
                namespace=flow.member.namespace,
                method="ping",
                address=gateway,
                network=flow.network,
                doubt=doubt,
            )
        elif flow.kind in {"same-network", "cross-network"} and flow.member is not None:
            yield from _between(exam.case, flow, doubt=doubt)
        elif flow.kind == "published" and flow.port is not None and flow.port.proto == "tcp":
            yield from _to_published(exam.case, flow, doubt=doubt)
    for network in exam.case.networks:
        yield from _around(exam.case, network)


def _between(case: Case, flow: Flow, *, doubt: bool) -> Iterator[_Wish]:
    """From a container to another one, on what that one listens on."""
    address = flow.forward.start.dst
    target = next((m for m in case.members(flow.other or flow.network) if m.address == address), None)
    if target is None or flow.member is None:
        return
    method, port = _service(case, target)
    yield _Wish(
        kind=flow.kind,
        source=flow.source,
        target=flow.target,
        namespace=flow.member.namespace,
        method=method,
        address=address,
        port=port,
        network=flow.network,
        expected=flow.expected,
        doubt=doubt,
    )


def _to_published(case: Case, flow: Flow, *, doubt: bool) -> Iterator[_Wish]:
    """To a published port: from a container of another network, and from the host itself."""
    owner = flow.container.netns if flow.container is not None else None
    start = flow.forward.start
    strangers = (m for net in case.networks if net.id != flow.network.id for m in case.members(net))
    other = next((m for m in strangers if m.namespace != owner), None)
    host = case.view.host
    sources = [(other.container.name, other.namespace)] if other is not None else []
    sources += [("host", host.id)] if host is not None else []
    for name, namespace in sources:
        yield _Wish(
            kind=flow.kind,
            source=name,
            target=flow.target,
            namespace=namespace,
            method="tcp",
            address=start.dst,
            port=start.dport,
            network=flow.network,
            doubt=doubt,
        )


def _around(case: Case, network: Network) -> Iterator[_Wish]:
    """Between a network's containers and their host, and to the name server they use on it."""
    host = case.view.host
    if host is None:
        return
    bridge = case.uplink_address(network.bridge)
    for number, member in enumerate(case.members(network)):
        method, port = _service(case, member)
        here = {"network": network, "namespace": member.namespace, "source": member.container.name}
        yield _Wish(
            kind="host-to-container",
            source="host",
            target=member.container.name,
            namespace=host.id,
            method=method,
            address=member.address,
            port=port,
            network=network,
        )
        if number == 0 and bridge:
            yield _Wish(kind="container-to-host", target=f"host {bridge}", method="ping", address=bridge, **here)  # type: ignore[arg-type]
        server = _name_server(case, member, bridge)
        if server:
            yield _Wish(
                kind="names",
                target=f"name server {server}",
                method="dns",
                address=server,
                port=_DNS,
                query=member.container.name,
                **here,  # type: ignore[arg-type]
            )


def _service(case: Case, member: Member) -> tuple[Method, int]:
    """What to try at a container: a TCP port it listens on, else its name server, else a ping."""
    sockets = [
        item for item in case.view.namespaces[member.namespace].sockets if item.address in {*_ANY, member.address}
    ]
    ports = [item.port for item in sockets if item.proto == "tcp"]
    if ports:
        return "tcp", min(ports)
    if any((item.proto, item.port) == ("udp", _DNS) for item in sockets):
        return "dns", _DNS
    return "ping", 0


def _name_server(case: Case, member: Member, bridge: str) -> str:
    """The resolver that a container evidently uses here: Docker's inside it, or one bound to the bridge's address."""
    inside = case.view.namespaces[member.namespace].sockets
    if any((item.proto, item.address) == ("udp", EMBEDDED_DNS) for item in inside):
        return EMBEDDED_DNS
    host = case.view.host
    sockets = host.sockets if host is not None else ()
    return bridge if any((s.proto, s.address, s.port) == ("udp", bridge, _DNS) for s in sockets) else ""


# -- what to expect ---------------------------------------------------------------------------


def _with_control(exam: Examination, wish: _Wish) -> Iterator[Probe]:
    """The probe, preceded by the host's own to the same place where only that shows what silence means."""
    host = exam.case.view.host
    if host is not None and wish.method != "tcp" and wish.namespace != host.id and wish.address in allowed(exam.case):
        yield _predicted(exam, _from_host(exam.case, wish))
    yield _predicted(exam, wish)


def _from_host(case: Case, wish: _Wish) -> _Wish:
    host = case.view.host
    ident = host.id if host is not None else ""
    return msgspec.structs.replace(wish, namespace=ident, source="host", expected=True, doubt=False, network=None)


def _key(wish: _Wish) -> tuple[str, str, str, int]:
    return wish.namespace, wish.method, wish.address, wish.port


def _predicted(exam: Examination, wish: _Wish) -> Probe:
    case = exam.case
    ns = case.view.namespaces[wish.namespace]
    packet = _packet(ns, wish)
    forward = walk(case.view, packet, origin=ns.id, outside=True)
    answer = reply(case.view, forward) if forward.arrives is True else None
    prediction, stop = _outcome(forward, answer)
    by = stop.by.text if stop is not None else ""
    confirms = exam.owner(stop) if stop is not None and prediction == "blocked" else ""
    unmasked = bool(forward.exits) and ns.kind != "host" and forward.last.src == packet.src
    if unmasked and prediction == "answered":
        known = wish.network is not None and wish.network.masquerade is True
        prediction = "blocked" if known else "unknown"
        by = f"it leaves as {packet.src}, to which nobody outside knows the way"
        confirms = "masq-missing" if known else ""
    if not wish.expected and prediction in {"answered", "refused"}:
        confirms = "isolation-missing"
    return Probe(
        kind=wish.kind,
        source=wish.source,
        target=wish.target,
        namespace=wish.namespace,
        method=wish.method,
        address=wish.address,
        port=wish.port,
        query=wish.query,
        hops=max(1, sum(hop.stage == "forward" for hop in forward.hops)),
        prediction=prediction,
        rejected=stop is not None and stop.end == "rejected",
        by=by,
        confirms=confirms if wish.expected or prediction != "blocked" else "",
        risk=_risk(case, wish, forward),
    )


def _outcome(forward: Walk, answer: Walk | None) -> tuple[Prediction, Obstacle | None]:
    """What the walks there and back amount to, and what decides it."""
    for way in (forward, *((answer,) if answer is not None else ())):
        if way.arrives is not True:
            stop = way.obstacles[0] if way.obstacles else None
            return ("unknown" if way.arrives is None else "blocked"), stop
    return ("refused" if forward.end == "refused" else "answered"), None


def _risk(case: Case, wish: _Wish, forward: Walk) -> str:
    """Why a probe might end up beyond what may be probed; empty when it can't."""
    own = forward.last.dst.startswith("127.") and wish.address == EMBEDDED_DNS
    may = allowed(case)
    if not own and not {wish.address, forward.last.dst} <= may:
        return f"it would go to {forward.last.dst}, which is neither a container, the host nor its gateway"
    if forward.exits and forward.last.dst != default_gateway(case.view.host):
        return f"it would leave the host by {forward.exits}"
    unsure = forward.end == "unknown" and (not forward.obstacles or forward.obstacles[0].stage not in _GUARDED)
    return "the model can't tell where it would go" if unsure else ""


def _packet(ns: Namespace, wish: _Wish) -> Packet:
    family: Literal["ip", "ip6"] = "ip6" if ":" in wish.address else "ip"
    if wish.method == "ping":
        proto, kind = ("icmpv6", 128) if family == "ip6" else ("icmp", 8)
        return Packet(family=family, src=_source(ns, wish.address), dst=wish.address, proto=proto, icmp_type=kind)
    return Packet(
        family=family,
        src=_source(ns, wish.address),
        dst=wish.address,
        proto="tcp" if wish.method == "tcp" else "udp",
        sport=_SPORT,
        dport=wish.port,
        tcp_flags=("SYN",) if wish.method == "tcp" else (),
    )


def _source(ns: Namespace, address: str) -> str:
    """The address that the kernel would give the packet: the route's, else one of the outgoing interface."""
    family: Literal["ip", "ip6"] = "ip6" if ":" in address else "ip"
    blank = "::" if family == "ip6" else "0.0.0.0"  # noqa: S104 - no address yet, as the kernel's first look-up has none
    found = lookup(ns, Packet(family=family, src=blank, dst=address, proto="tcp"))
    fitting: Iterable[str] = (
        item.address
        for item in ns.addresses
        if item.family == family and item.ifindex == found.ifindex and item.scope in {"global", "host"}
    )
    return found.source or (address if found.type == "local" else next(iter(fitting), blank))
