"""Policy routing over the snapshot: rules, tables, longest prefix.  Three-valued and pure.

Sources: ip-rule(8), ip-route(8), ``fib_lookup`` and ``fib_validate_source`` of
the kernel.  Rules that can't be decided, and multipath routes whose legs leave
by different devices, give an unknown answer that names them.
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.walk.l3.flow_selectors import DECIDED, selected
from dnet_tui.diagnostics.walk.match.values import contains, is_multicast
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, Packet, Truth
from dnet_tui.inspect.model import Link, Namespace, NextHop, PolicyRule, Route
from dnet_tui.inspect.model.default_routes import DEFAULT, LOCAL, MAIN, destination

_MOST_ANSWERS = 65_536
"""So many look-ups are remembered per namespace."""


class RouteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A routing decision.

    ``type`` is the route's type, ``none`` when no route fits, or ``unknown``.
    ``gateway`` is empty for a destination on the link.
    """

    type: str
    ifindex: int | None = None
    gateway: str = ""
    source: str = ""
    by: Decider
    devices: tuple[int, ...] = ()
    """The devices of all its next hops."""
    ways: tuple[RouteAnswer, ...] = ()
    """For an unknown answer: those of a multipath route's next hops, each of which a flow may take."""
    mtu: int | None = None
    """The route's own MTU; None: that of the device.  ``mtu_locked``: fragments may be sent, none smaller is learnt."""
    mtu_locked: bool = False
    advmss: int | None = None
    """What TCP says is its longest segment, where the route tells."""
    provided: str = ""
    """What it rests on that a moment later may be otherwise, in words; empty where nothing is taken for granted."""


def lookup(index: NamespaceIndex, packet: Packet, *, out: Link | None = None, vrf: str = "") -> RouteAnswer:
    """Route ``packet`` (its dst, src, iif, mark) in a namespace; ``out``: only by this device (a flow with its oif).

    ``vrf`` is the VRF's device, or a link in it, that a socket here is bound to, or answers by.
    """
    key = (index.route_key(packet), out.ifindex if out is not None else 0, vrf)
    found: RouteAnswer | None = index.answers.get(key)
    if found is None:
        if len(index.answers) >= _MOST_ANSWERS:
            index.answers.clear()
        found = index.answers[key] = _look_up(index, packet, out, vrf)
    return found


def _look_up(index: NamespaceIndex, packet: Packet, out: Link | None, vrf: str) -> RouteAnswer:
    ns = index.ns
    for rule in index.policy_rules[packet.family]:
        selected = _selects(rule, packet, out)
        if selected is False:
            continue
        if selected is None:
            text = f"policy rule {rule.priority} can't be decided"
            return RouteAnswer(type="unknown", by=Decider(kind="route", text=text, namespace=ns.id))
        if rule.action not in {"lookup", "table", "to_tbl"}:
            if rule.action == "nop":
                continue
            known = rule.action in {"blackhole", "unreachable", "prohibit"}
            text = f"policy rule {rule.priority}: {rule.action}"
            by = Decider(kind="route", text=text, namespace=ns.id)
            return RouteAnswer(type=rule.action if known else "unknown", by=by)
        table = index.vrf_table(packet.iif or vrf) if rule.l3mdev else rule.table
        if rule.l3mdev and table is None:
            continue
        route = _best(index, rule, packet.dst, out, table)
        if route is not None and route.type != "throw":
            rivals = [] if out is not None else _rivals(index, rule, packet.dst, table, route)
            answer = _answer(index, route) if len(rivals) < _TWO else _of_rivals(index, rivals)
            return answer if rule.family == "ip" else _passing_by(index, rule, packet.dst, table, answer)
    text = f"no route to {packet.dst}"
    return RouteAnswer(type="none", by=Decider(kind="route", text=text, namespace=ns.id))


def _selects(rule: PolicyRule, packet: Packet, out: Link | None) -> Truth:
    tests: list[Truth] = []
    if rule.src:
        tests.append(contains(rule.src, packet.src))
    if rule.dst:
        tests.append(contains(rule.dst, packet.dst))
    if rule.iif:
        tests.append(rule.iif == (packet.iif or "lo"))  # what is made here comes from the loopback
    if rule.oif:
        # Only sockets bound to a device carry one, and what an ipvlan or a VRF's own device sends.
        tests.append(out is not None and rule.oif == out.name)
    if rule.mark is not None:
        mask = 0xFFFFFFFF if rule.mask is None else rule.mask
        tests.append(None if packet.mark is None else (packet.mark & mask) == rule.mark)
    tests += [selected(item, packet) for item in rule.other]
    if any(item.partition(" ")[0] not in DECIDED for item in rule.other):
        # What isn't modelled can only narrow a rule down: one that already fails to fit passes the packet by.
        return False if False in tests and not rule.invert else None
    truth: Truth = False if False in tests else None if None in tests else True
    return truth if truth is None or not rule.invert else not truth


def _best(
    index: NamespaceIndex, rule: PolicyRule, address: str, out: Link | None = None, table: int | None = None
) -> Route | None:
    silent: Route | None = None
    for length, route in index.fitting(rule.family, table or rule.table or MAIN, address):
        if out is not None and all(hop.ifindex != out.ifindex for hop in route.hops):
            continue
        if rule.suppress_prefixlength is not None and length <= rule.suppress_prefixlength:
            return None
        if not route.hops:
            return route
        hops = _living(index, route)
        if hops and not all(_is_silent(index, route, hop) for hop in hops):
            return route
        if hops:
            silent = silent or route
    return silent


def _is_silent(index: NamespaceIndex, route: Route, hop: NextHop) -> bool:
    """Whether IPv6 passes a router by for any other route that fits, while none of theirs is reachable.

    One that forwards packets doesn't ask.  Source: rt6_check_neigh, fib6_table_lookup (net/ipv6/route.c).
    """
    return route.family == "ip6" and bool(hop.gateway) and (hop.ifindex, hop.gateway) in index.silent_routers


def _passing_by(
    index: NamespaceIndex, rule: PolicyRule, address: str, table: int | None, answer: RouteAnswer
) -> RouteAnswer:
    """The answer with the routers that it was preferred to, as they may be heard again."""
    if not index.silent_routers or answer.type == "local":
        return answer
    better: dict[str, None] = {}
    for _, route in index.fitting("ip6", table or rule.table or MAIN, address):
        hops = _living(index, route)
        better |= dict.fromkeys(hop.gateway or "" for hop in hops if _is_silent(index, route, hop))
        if not hops or not all(_is_silent(index, route, hop) for hop in hops):
            break
    else:
        return answer  # none of them is reachable: the best is taken all the same
    if not better:
        return answer
    text = f"{answer.by.text} is taken: {', '.join(better)} is taken to be silent still"
    return msgspec.structs.replace(answer, provided=text)


def _rivals(index: NamespaceIndex, rule: PolicyRule, address: str, table: int | None, best: Route) -> list[Route]:
    """The default routes of IPv4 by gateways that are as good as the best, it first; no other routes have rivals."""
    if rule.family != "ip" or best.dst != _EVERYTHING or not _is_by_gateway(best):
        return []
    everywhere = (route for length, route in index.fitting("ip", table or rule.table or MAIN, address) if not length)
    return [route for route in everywhere if route.metric == best.metric and _is_by_gateway(route)]


def _is_by_gateway(route: Route) -> bool:
    (hop, *more) = route.hops or (NextHop(),)
    return route.type == "unicast" and not more and bool(hop.gateway) and not route.other and "dead" not in hop.flags


def _of_rivals(index: NamespaceIndex, rivals: list[Route]) -> RouteAnswer:
    """Which of several equal default routes is taken: the first whose router is not known to be silent.

    One whose router is reachable is taken as long as it is.  A router that answered some time ago is passed by if
    its route was the last one taken, which nothing shows: the kernel goes round among such.
    Source: fib_select_default and fib_detect_death (net/ipv4/fib_semantics.c, fib_frontend.c).
    """
    possible: list[Route] = []
    for route in rivals:
        state = _state_of(index, route.hops[0])
        if state == "REACHABLE" and not possible:
            found = _answer(index, route)
            text = f"{found.by.text} is taken of equal default routes: {found.gateway} is taken to be reachable still"
            return msgspec.structs.replace(found, provided=text)
        if state in _HEARD_OF:
            possible.append(route)
        elif state not in _SILENT:
            possible.append(route)
            break
    answers = [_answer(index, route) for route in possible or rivals]
    if len(answers) == 1:
        return answers[0]
    texts = " or ".join(answer.by.text for answer in answers)
    by = Decider(kind="route", text=f"one of equal default routes: {texts}", namespace=index.ns.id)
    devices = tuple(device for answer in answers for device in answer.devices)
    return RouteAnswer(type="unknown", by=by, devices=devices, ways=tuple(answers))


_TWO = 2
_EVERYTHING = "0.0.0.0/0"
_HEARD_OF = frozenset({"REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT", "NOARP"})
"""Valid, but not surely reachable when a packet is sent: what is reachable now may be stale in half a minute."""

_SILENT = frozenset({"FAILED", "INCOMPLETE", "NONE"})


def _state_of(index: NamespaceIndex, hop: NextHop) -> str:
    """The state of a router's neighbour entry; empty where there is none."""
    found = (item for item in index.ns.neighbours if (item.ifindex, item.address) == (hop.ifindex, hop.gateway))
    return next((item.state for item in found), "")


def _living(index: NamespaceIndex, route: Route) -> list[NextHop]:
    """The next hops that are used: not dead ones, nor such without carrier where a device says so (fib_lookup)."""
    return [
        hop
        for hop in route.hops
        if "dead" not in hop.flags and not ("linkdown" in hop.flags and _ignores_linkdown(index, route.family, hop))
    ]


def _ignores_linkdown(index: NamespaceIndex, family: str, hop: NextHop) -> bool:
    """Each family has a switch of its own; IPv6 asks the device alone, to which a write to ``all`` is passed on."""
    device, name = index.names.get(hop.ifindex or 0, ""), "ignore_routes_with_linkdown"
    if family == "ip6":
        return index.ns.sysctls.get(f"net.ipv6.conf.{sysctl_name(device)}.{name}") == "1"
    return switched_on(index.ns, device, name)


def _answer(index: NamespaceIndex, route: Route) -> RouteAnswer:
    found: RouteAnswer | None = index.route_answers.get(id(route))
    if found is None:
        found = index.route_answers[id(route)] = _answered(index, route)
    return found


def _answered(index: NamespaceIndex, route: Route) -> RouteAnswer:
    by = Decider(kind="route", text=route_text(index, route), namespace=index.ns.id)
    hops = _living(index, route) or [NextHop()]
    hops = [hop for hop in hops if not _is_silent(index, route, hop)] or hops
    devices = tuple(hop.ifindex for hop in hops if hop.ifindex is not None)
    if route.other:
        return RouteAnswer(type="unknown", by=by, devices=devices)
    ways = tuple(_way(route, hop, devices, by) for hop in {(hop.ifindex, hop.gateway): hop for hop in hops}.values())
    return ways[0] if len(ways) == 1 else RouteAnswer(type="unknown", by=by, devices=devices, ways=ways)


def _way(route: Route, hop: NextHop, devices: tuple[int, ...], by: Decider) -> RouteAnswer:
    return RouteAnswer(
        type=route.type,
        ifindex=hop.ifindex,
        gateway=hop.gateway or "",
        source=route.source or "",
        by=by,
        devices=devices,
        mtu=route.mtu,
        mtu_locked=route.mtu_locked,
        advmss=route.advmss,
    )


ANY = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104 - compared with, not bound to
"""The address that stands for none, of each family."""


def source_address(index: NamespaceIndex, answer: RouteAnswer) -> str:
    """The address from which a namespace sends by a route: the route's own, or one of its device; empty for none."""
    if answer.source:
        return answer.source
    family = "ip6" if ":" in answer.gateway else "ip"
    near = [item for item in index.ns.addresses if item.ifindex == answer.ifindex and item.family == family]
    return next((item.address for item in near if item.scope == "global"), "")


def route_text(index: NamespaceIndex, route: Route) -> str:
    """The route as ``ip route`` would write it, with its table where it isn't main."""
    names = index.names
    dst = destination(route)
    words = [dst] if route.type == "unicast" else [route.type, dst]
    for hop in route.hops:
        words += ["via", hop.gateway] if hop.gateway else []
        words += ["dev", names.get(hop.ifindex, str(hop.ifindex))] if hop.ifindex is not None else []
    if route.table != MAIN:
        words += ["table", {LOCAL: "local", DEFAULT: "default"}.get(route.table, str(route.table))]
    return " ".join(words)


def is_local(index: NamespaceIndex, address: str) -> bool:
    """Whether the namespace takes an address for its own: its local table says so."""
    return address_type(index, address) == "LOCAL"


def address_type(index: NamespaceIndex, address: str) -> str:
    """LOCAL, BROADCAST, MULTICAST or UNICAST, as ``-m addrtype`` sees it.

    The local table alone decides (``inet_addr_type``).
    """
    if address == "255.255.255.255" or address.startswith("0."):
        return "BROADCAST"
    if is_multicast(address):
        return "MULTICAST"
    if address in index.addresses:
        return "LOCAL"
    best = _best(index, PolicyRule(family="ip6" if ":" in address else "ip", priority=0, table=LOCAL), address)
    return best.type.upper() if best is not None and best.type != "throw" else "UNICAST"


def sysctl_name(device: str) -> str:
    """A device's name inside a sysctl key: dots become slashes, as sysctl(8) writes them."""
    return device.replace(".", "/")


def rp_filter(ns: Namespace, device: str) -> int:
    """The effective rp_filter of a device: the greater of its own and ``all``'s."""
    values = [ns.sysctls.get(f"net.ipv4.conf.{name}.rp_filter") or "0" for name in ("all", sysctl_name(device))]
    return max(int(value) if value.isdecimal() else 0 for value in values)


def switched_on(ns: Namespace, device: str, name: str) -> bool:
    """Whether an IPv4 switch of a device is on, by itself or by ``all`` (IN_DEV_ORCONF)."""
    return any(ns.sysctls.get(f"net.ipv4.conf.{scope}.{name}") == "1" for scope in ("all", sysctl_name(device)))
