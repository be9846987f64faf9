"""Whether who received a traced packet is who was meant.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.reception import Relay
from dnet_tui.diagnostics.walk.l3.listener import takes
from dnet_tui.diagnostics.walk.packet import Packet, RuleRef, Truth, Walk
from dnet_tui.inspect.model import Namespace, NotSeen, known_items, require
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def intended(case: HostContext, target: TraceEndpoint, forward: Walk, passed_on: Relay | None) -> Truth:
    """Whether who received the packet is who was meant; None where nobody has, or nobody can tell.

    Meant is the target's own namespace, for a port of the host that a
    container publishes the container, and for a plain address whoever has it.
    What a proxy in the sender's own namespace takes, as a service mesh has
    one beside each program, it passes on as it likes: that is left open.
    """
    if forward.end == "left":
        return None if target.namespace and target.kind != "address" else True
    if forward.end not in {"delivered", "refused"}:
        return None
    last = passed_on.last.forward if passed_on is not None else forward
    if target.namespace in {last.last_namespace, forward.last_namespace}:
        return True
    if _publishes(case, forward.start, last.last_namespace):
        return True
    rule = next((hop.rule for hop in forward.hops if hop.verdict in {"dnat", "redirect"} and hop.rule), None)
    if rule is None:
        return not target.namespace
    if forward.last_namespace == forward.origin == rule.namespace:
        return None
    host = case.view.host
    if host is not None and target.namespace == host.id == rule.namespace:
        return _led_on(case, host, forward, last.last_namespace)
    return not target.namespace and _is_service(case, rule)


def _led_on(case: HostContext, host: Namespace, forward: Walk, namespace: str) -> Truth:
    """Whether a port of the host that a rule of its own leads on was meant for who gets it.

    It wasn't where an engine publishes the port for another container, or a
    program of the host itself listens on it.  It was for a container of a
    network without an engine's command: a rule is the way to publish there.
    Anybody else: nobody can tell.
    """
    first = forward.start
    published = any(
        (port.proto, port.host_port) == (first.proto, first.dport) and port.host_ip in {"", first.dst, *_ANY}
        for container in known_items(case.snapshot.containers)
        if container.running
        for port in container.published
    )
    listening = {takes(host, socket, first) for socket in known_items(host.sockets)}
    if published or True in listening:
        return False
    if lacks_of(host.sockets) or lacks_of(case.snapshot.containers) or None in listening:
        return None
    try:
        plain = [net for net in case.networks if net.engine == INFERRED or not traits_of(net.engine).command]
        return True if any(item.namespace == namespace for net in plain for item in case.everyone(net)) else None
    except NotSeen:
        return None


def _publishes(case: HostContext, first: Packet, namespace: str) -> bool:
    return any(
        (port.proto, port.host_port) == (first.proto, first.dport)
        for container in case.view.containers_in(namespace)
        for port in container.published
    )


def _is_service(case: HostContext, ref: RuleRef) -> bool:
    """Whether a translation is a known manager's or engine's own: what it leads to is then what was meant."""
    ns = case.view.namespaces.get(ref.namespace)
    tables = require(ns.firewall).tables if ns is not None else ()
    return any(
        rule.number == ref.number and bool(rule.owner)
        for table in tables
        if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table)
        for chain in table.chains
        if chain.name == ref.chain
        for rule in chain.rules
    )
