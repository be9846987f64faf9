"""Plans for routes to a container subnet on another host, with what the firewall needs for it.  Pure.

A route alone isn't enough: what containers send is masqueraded on its way
out, so that the other host's containers see the host and not them; what comes
from there meets the engines' drops.  So both directions are accepted before
those, and left as they are before the masquerading.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.actions.networks.linux_network import XFamily, known_firewall, pick_backend
from dnet_tui.actions.networks.native_rules import put_back_last, still_deciding
from dnet_tui.actions.networks.subnets import AddressRange, Net6, in_use, in_use6
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.actions.ports.accept_position import accept_position
from dnet_tui.actions.routes.native_route import route_removals, route_table
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.route import AddRoute, DeleteRoute, RouteSpec
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Namespace, Network, Route, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import MAIN
from dnet_tui.inspect.model.firewall import Firewall, Verdict
from dnet_tui.inspect.model.port_label import PREFIX
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

PROTOCOL = "137"
"""What marks a route as dnet-tui's (``RTA_PROTOCOL``): nobody's in iproute2's rt_protos; the kernel only keeps it."""


class RouteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for.  Without ``networks`` every bridge network that isn't internal takes part."""

    subnet: str
    gateway: str
    networks: tuple[str, ...] = ()


def parse_route(subnet: str, words: Sequence[str], networks: Sequence[str] = ()) -> RouteRequest:
    """Return what ``SUBNET via GATEWAY`` asks for.

    Raises:
        UsageError: It isn't of that form.
    """
    hint = "write it as: dnet-tui route add 10.60.0.0/24 via 192.0.2.7"
    if len(words) != 2 or words[0] != "via":
        raise UsageError("a gateway is needed", hint)
    try:
        net, gateway = ipaddress.ip_network(subnet), ipaddress.ip_address(words[1])
    except ValueError as error:
        raise UsageError(f"that is no route: {clean(str(error))}", hint) from error
    if net.version != gateway.version:
        raise UsageError(f"{net} and {gateway} are of different families", hint)
    if net.prefixlen < (8 if net.version == 4 else 16):
        raise UsageError(f"{net} is no subnet of containers", "this command adds no default routes")
    return RouteRequest(subnet=str(net), gateway=str(gateway), networks=tuple(networks))


def add_plan(snapshot: Snapshot, request: RouteRequest, *, native: bool = False) -> Plan:
    """Return the plan that adds the route and what goes with it; ``native``: by nftables, where there is no iptables.

    Raises:
        UsageError: The subnet is in use here, the gateway can't be reached, or a network doesn't exist.
        CannotInspectError: Too little is known of the host.
    """
    host, firewall = _seen(snapshot)
    family: XFamily = "ip6" if ":" in request.subnet else "ip"
    device = _device(host, request.gateway)
    _check_free(snapshot, request)
    here = _networks(snapshot, request, family)
    spec = RouteSpec(family=family, dst=request.subnet, gateway=request.gateway, link=device, protocol=PROTOCOL)
    steps = [*_forwarding(host, family)]
    if native:
        subnets = [subnet for _, subnet in here]
        steps.append(route_table(family, request.subnet, device, subnets, _comment(request.subnet)))
    else:
        steps += _rules(firewall, family, request.subnet, device, here)
    steps.append(PlanStep(action=AddRoute(route=spec), undo=(DeleteRoute(route=spec),)))
    ours = ", ".join(subnet for _, subnet in here)
    own = next(
        (item.address for item in host.addresses if item.family == family and _covers(item.cidr, request.gateway)), "?"
    )
    return Plan(
        title=f"route {request.subnet} via {request.gateway} ({device})",
        steps=tuple(steps),
        notes=(
            f"{clean(request.gateway)} needs the way back: {ours} via {own}, and the same accepts",
            "whoever sends from there by that way reaches every port of these containers",
            *(still_deciding(firewall) if native else ()),
        ),
    )


def remove_plan(snapshot: Snapshot, subnet: str) -> Plan:
    """Return the plan that takes out a route of dnet-tui's, and its rules.

    Raises:
        UsageError: dnet-tui has made no such route.
        CannotInspectError: The host's routes or firewall were not seen.
    """
    host, firewall = _seen(snapshot)
    try:
        wanted = str(ipaddress.ip_network(subnet))
    except ValueError as error:
        raise UsageError(f"{clean(subnet)!r} is not a subnet", "write it as 10.60.0.0/24") from error
    steps: list[PlanStep] = []
    names = {link.ifindex: link.name for link in host.links}
    for route in known_items(host.routes):
        if (route.table, route.dst, route.protocol) == (MAIN, wanted, PROTOCOL):
            spec = _spec(route, names)
            steps.append(PlanStep(action=DeleteRoute(route=spec), undo=(AddRoute(route=spec),)))
    for table in firewall.tables:
        if table.backend == "nftables" or table.family not in ("ip", "ip6"):
            continue
        for chain in table.chains:
            steps += [
                PlanStep(action=DeleteRule.of(table, chain, rule))
                for rule in reversed(chain.rules)
                if rule.comment == _comment(wanted)
            ]
    steps += route_removals(firewall, wanted)
    if not steps:
        own = [route.dst for route in known_items(host.routes) if route.protocol == PROTOCOL]
        hint = f"made by dnet-tui: {', '.join(own)}" if own else "dnet-tui has made none here; see `ip route`"
        raise UsageError(f"dnet-tui has made no route to {wanted}", hint)
    notes = ("forwarding stays as it is", *put_back_last(firewall, steps))
    return Plan(title=f"remove the route to {wanted}", steps=tuple(steps), notes=notes)


def _comment(subnet: str) -> str:
    return f"{PREFIX}route {subnet}"


def _seen(snapshot: Snapshot) -> tuple[Namespace, Firewall]:
    host = View(snapshot).host
    firewall = known_firewall(host) if host is not None else None
    if host is None or firewall is None:
        raise CannotInspectError("the host's firewall was not seen", "run it as root: sudo dnet-tui …")
    known_items(host.routes)
    return host, firewall


def _covers(cidr: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def _device(host: Namespace, gateway: str) -> str:
    if any(item.address == gateway for item in host.addresses):
        raise UsageError(f"{gateway} is this host itself", "the gateway is the other host's address")
    names = {link.ifindex: link.name for link in host.links}
    near = [item for item in host.addresses if _covers(item.cidr, gateway) and names.get(item.ifindex) != "lo"]
    if not near:
        raise UsageError(
            f"{gateway} is on no network of this host", "the gateway must be a neighbour: see `ip address`"
        )
    return names[max(near, key=lambda item: item.prefixlen).ifindex]


def _check_free(snapshot: Snapshot, request: RouteRequest) -> None:
    net = ipaddress.ip_network(request.subnet)
    used: Iterator[tuple[AddressRange | Net6, str]] = in_use(snapshot) if net.version == 4 else in_use6(snapshot)
    for other, who in used:
        if other.version == net.version and other.overlaps(net):
            raise UsageError(f"{net} overlaps with {who}", "a subnet of this host isn't reached by another one")


def _networks(snapshot: Snapshot, request: RouteRequest, family: XFamily) -> list[tuple[Network, str]]:
    """The networks that take part, each with its subnet of the family."""
    every = [item for item in known_items(snapshot.networks) if item.bridge and item.driver == "bridge"]
    known = {item.name for item in every}
    gone = [name for name in request.networks if name not in known]
    if gone:
        raise UsageError(f"there is no bridge network named {clean(gone[0])}", f"here: {', '.join(sorted(known))}")
    chosen = [item for item in every if (item.name in request.networks if request.networks else not item.internal)]
    closed = next((item.name for item in chosen if item.internal), "")
    if closed:
        raise UsageError(f"network {clean(closed)} is internal: nothing may leave it", "leave it out")
    found = [
        (item, str(ipaddress.ip_network(subnet.cidr, strict=False)))
        for item in chosen
        for subnet in item.subnets
        if (":" in subnet.cidr) == (family == "ip6")
    ]
    if not found:
        kind = "IPv6" if family == "ip6" else "IPv4"
        raise UsageError(f"no network here has an {kind} subnet", "there is nothing to route for")
    return found


def _forwarding(host: Namespace, family: XFamily) -> Iterator[PlanStep]:
    key = "net.ipv4.ip_forward" if family == "ip" else "net.ipv6.conf.all.forwarding"
    if host.sysctls.get(key) == "0":
        yield PlanStep(action=SetSysctl(key=key, value="1"), undo=(SetSysctl(key=key, value="0"),))


def _rules(
    firewall: Firewall, family: XFamily, there: str, device: str, here: list[tuple[Network, str]]
) -> Iterator[PlanStep]:
    backend = pick_backend(firewall)
    comment = f'-m comment --comment "{_comment(there)}"'
    chain, position = accept_position(firewall, backend, family)
    guarded = _drops_in_raw(firewall, backend, family)

    def rule(table: str, name: str, spec: str, number: int | None) -> PlanStep:
        return PlanStep(
            action=InsertRule(backend=backend, family=family, table=table, chain=name, spec=spec, position=number)
        )

    for network, subnet in here:
        bridge = network.bridge
        yield rule("nat", "POSTROUTING", f"-s {subnet} -d {there} -o {device} {comment} -j ACCEPT", 1)
        outward = f"-s {subnet} -d {there} -i {bridge} -o {device} {comment} -j ACCEPT"
        inward = f"-s {there} -d {subnet} -i {device} -o {bridge} {comment} -j ACCEPT"
        yield rule("filter", chain, outward, position)
        yield rule("filter", chain, inward, position)
        if guarded:
            yield rule("raw", "PREROUTING", f"-s {there} -d {subnet} -i {device} {comment} -j ACCEPT", 1)


def _drops_in_raw(firewall: Firewall, backend: str, family: XFamily) -> bool:
    """Whether an engine drops, before routing, what comes to containers from elsewhere (Docker from 28 on)."""
    return any(
        isinstance(expr, Verdict) and expr.kind == "drop"
        for table in firewall.tables
        if (table.backend, table.family, table.name) == (backend, family, "raw")
        for chain in table.chains
        if chain.name == "PREROUTING"
        for rule in chain.rules
        for expr in rule.exprs
    )


def _spec(route: Route, names: dict[int, str]) -> RouteSpec:
    hop = route.hops[0] if route.hops else None
    return RouteSpec(
        family=route.family,
        dst=route.dst,
        gateway=(hop.gateway or "") if hop is not None else "",
        link=names.get(hop.ifindex or 0, "") if hop is not None else "",
        protocol=PROTOCOL,
        metric=route.metric if route.family == "ip" else 0,
    )
