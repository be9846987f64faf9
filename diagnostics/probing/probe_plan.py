"""Which packets to send to confirm what the doctor says, and what the model expects of each.  Pure.

No probe is planned to an address beyond the host's containers, the host
itself and its default gateway, nor one that the walk sees leaving the host
for anywhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Literal

from dnet_tui.diagnostics.checks.framework.check_context import FALLBACK, CheckContext
from dnet_tui.diagnostics.checks.subjects.host_input import INPUT_DROP, is_host_input
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.probes import PlannedProbe, Prediction
from dnet_tui.diagnostics.probing.probe_targets import EMBEDDED_DNS, ProbeTarget, default_gateway, from_host, wishes
from dnet_tui.diagnostics.report.finding import FlowName
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, Walk
from dnet_tui.inspect.model import Namespace, known_items

MOST = 40
"""How many probes are sent at the most."""

_SPORT = 40000
_WAY_OUT = ("egress", "outside")
_GUARDED = {"forward", "input"}
"""Where a packet is when its destination is settled: an unknown there does not change where it goes."""


def plan(
    ctx: CheckContext, limit: int = MOST, focus: str = "", flows: Sequence[FlowName] = ()
) -> tuple[PlannedProbe, ...]:
    """Choose up to ``limit`` probes, of broken and healthy flows of every kind, and predict each.

    ``focus`` keeps those that start or end at what has that name, ``flows`` those that try one of these.
    """
    groups: defaultdict[tuple[bool, str], list[ProbeTarget]] = defaultdict(list)
    for wish in wishes(ctx):
        network = wish.network
        if flows and not any(_tries(wish, flow) for flow in flows):
            continue
        if not focus or focus in {wish.source, wish.target, *((network.name, network.bridge) if network else ())}:
            groups[not wish.doubt, wish.kind].append(wish)
    may = allowed(ctx.case)
    ordered = [groups[key] for key in sorted(groups)]
    chosen: dict[tuple[str, str, str, int], PlannedProbe] = {}
    for wish in (item for row in zip_longest(*ordered) for item in row if item is not None):
        for probe in _with_control(ctx, wish, may):
            if probe.key not in chosen and len(chosen) < limit:
                chosen[probe.key] = probe
    return tuple(chosen.values())


def _tries(wish: ProbeTarget, flow: FlowName) -> bool:
    """Whether a probe goes the way of a flow; the way out is tried as far as the gateway."""
    if wish.kind == "published":
        return wish.target == flow.target
    return wish.source == flow.source and (wish.target == flow.target or (wish.kind, flow.target) == _WAY_OUT)


def predict(ctx: CheckContext, probe: PlannedProbe) -> PlannedProbe | None:
    """Predict a probe anew, over another snapshot; None when it starts or ends at what is gone."""
    wish = next((item for item in wishes(ctx) if item.key == probe.key), None)
    host = ctx.case.view.host
    if wish is None and host is not None and probe.namespace == host.id:
        asked = (item for item in wishes(ctx) if item.key[1:] == probe.key[1:])
        wish = next((from_host(ctx.case, item) for item in asked), None)
    return _predicted(ctx, wish, allowed(ctx.case)) if wish is not None else None


def allowed(case: HostContext) -> frozenset[str]:
    """The addresses that may be probed: of containers, of the host, and its default gateway."""
    places = [ns for ns in known_items(case.snapshot.namespaces) if ns.kind == "host" or case.view.containers_in(ns.id)]
    own = {item.address for ns in places for item in ns.addresses}
    gateway = default_gateway(case.view.host)
    return frozenset(own | ({gateway} if gateway else set()))


def _with_control(ctx: CheckContext, wish: ProbeTarget, may: frozenset[str]) -> Iterator[PlannedProbe]:
    """The probe, preceded by the host's own to the same place where only that shows what silence means."""
    host = ctx.case.view.host
    if host is not None and wish.method != "tcp" and wish.namespace != host.id and wish.address in may:
        yield _predicted(ctx, from_host(ctx.case, wish), may)
    yield _predicted(ctx, wish, may)


def _predicted(ctx: CheckContext, wish: ProbeTarget, may: frozenset[str]) -> PlannedProbe:
    case = ctx.case
    ns = case.view.namespaces[wish.namespace]
    packet = _packet(index_of(ctx.case.view, ns), wish)
    forward = walk(case.view, packet, origin=ns.id, outside=True)
    answer = reply(case.view, forward) if forward.arrives is True else None
    prediction, stop = _outcome(forward, answer)
    by = stop.by.text if stop is not None else ""
    confirms = _confirmed(ctx, stop) if stop is not None and prediction == "blocked" else ""
    unmasked = bool(forward.exits) and ns.kind != "host" and forward.last.src == packet.src
    if unmasked and prediction == "answered":
        known = wish.network is not None and wish.network.masquerade is True
        prediction = "blocked" if known else "unknown"
        by = f"it leaves as {packet.src}, which is not routable from outside"
        confirms = "masq-missing" if known else ""
    stranger = _stranger(case, wish, forward) if prediction in {"answered", "refused"} else ""
    if not wish.expected and prediction in {"answered", "refused"} and not stranger:
        confirms = "isolation-missing"
    return PlannedProbe(
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
        risk=_risk(case, wish, forward, may),
        expected=wish.expected,
        receiver=forward.last_namespace if forward.end in {"delivered", "refused"} else "",
        stranger=stranger,
    )


def _confirmed(ctx: CheckContext, stop: Obstacle) -> str:
    """The check that speaks of what stops a probe."""
    check = ctx.owner(stop)
    return INPUT_DROP if check == FALLBACK and is_host_input(ctx.case, stop) else check


def _stranger(case: HostContext, wish: ProbeTarget, forward: Walk) -> str:
    """Who takes a probe of a container's own address instead of that container, and the rule that leads it there."""
    if forward.end == "left":
        return ""  # somebody outside has it, as was meant
    owner = next((ns.id for ns in case.view.namespaces.values() if _has(ns, wish.address)), "")
    if not owner or forward.last_namespace == owner or wish.kind == "published":
        return ""
    led = next((hop for hop in forward.hops if hop.verdict in {"dnat", "redirect"} and hop.rule is not None), None)
    by = f" by {led.rule.table} {led.rule.chain} rule {led.rule.number}" if led is not None and led.rule else ""
    return f"{case.view.label(forward.last_namespace)} at port {forward.last.dport}{by}"


def _has(ns: Namespace, address: str) -> bool:
    return any(item.address == address for item in known_items(ns.addresses))


def _outcome(forward: Walk, answer: Walk | None) -> tuple[Prediction, Obstacle | None]:
    """What the walks there and back amount to, and what decides it."""
    for way in (forward, *((answer,) if answer is not None else ())):
        if way.arrives is not True:
            stop = way.obstacles[0] if way.obstacles else None
            return ("unknown" if way.arrives is None else "blocked"), stop
    return ("refused" if forward.end == "refused" else "answered"), None


def _risk(case: HostContext, wish: ProbeTarget, forward: Walk, may: frozenset[str]) -> str:
    """Why a probe might end up beyond what may be probed; empty when it can't."""
    own = forward.last.dst.startswith("127.") and wish.address == EMBEDDED_DNS
    if not own and not {wish.address, forward.last.dst} <= may:
        return f"it would go to {forward.last.dst}, which is neither a container, the host nor its gateway"
    if forward.exits and forward.last.dst != default_gateway(case.view.host):
        return f"it would leave the host by {forward.exits}"
    unsure = forward.end == "unknown" and (not forward.obstacles or forward.obstacles[0].stage not in _GUARDED)
    return "the model can't tell where it would go" if unsure else ""


def _packet(index: NamespaceIndex, wish: ProbeTarget) -> Packet:
    family: Literal["ip", "ip6"] = "ip6" if ":" in wish.address else "ip"
    if wish.method == "ping":
        proto, kind = ("icmpv6", 128) if family == "ip6" else ("icmp", 8)
        return Packet(family=family, src=_source(index, wish.address), dst=wish.address, proto=proto, icmp_type=kind)
    return Packet(
        family=family,
        src=_source(index, wish.address),
        dst=wish.address,
        proto="tcp" if wish.method == "tcp" else "udp",
        sport=_SPORT,
        dport=wish.port,
        tcp_flags=("SYN",) if wish.method == "tcp" else (),
    )


def _source(index: NamespaceIndex, address: str) -> str:
    """The address that the kernel would give the packet: the route's, else one of the outgoing interface."""
    family: Literal["ip", "ip6"] = "ip6" if ":" in address else "ip"
    blank = "::" if family == "ip6" else "0.0.0.0"  # noqa: S104 - no address yet, as the kernel's first look-up has none
    found = lookup(index, Packet(family=family, src=blank, dst=address, proto="tcp"))
    fitting = (
        item.address
        for item in index.ns.addresses
        if item.family == family and item.ifindex == found.ifindex and item.scope in {"global", "host"}
    )
    return found.source or (address if found.type == "local" else next(iter(fitting), blank))
