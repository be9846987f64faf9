"""Routes: of the main table, where no other is named.  Pure."""

from __future__ import annotations

import ipaddress
from functools import partial

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, UnknownEffectError
from dnet_tui.diagnostics.operations.namespace_edit import link_named
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope, ScopedOperation, changed, ip_command, place
from dnet_tui.inspect.model import Family, Namespace, NextHop, Route, Snapshot
from dnet_tui.inspect.model.default_routes import ANYWHERE, MAIN


class RouteSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A route as ip-route(8) takes it; empty fields are left to the kernel.  ``dst`` is a prefix or ``default``.

    ``table`` 0 is the main one.
    """

    family: Family = "ip"
    type: str = "unicast"
    dst: str = "default"
    gateway: str = ""
    link: str = ""
    onlink: bool = False
    protocol: str = ""
    scope: str = ""
    source: str = ""
    metric: int = 0
    mtu: int | None = None
    mtu_locked: bool = False
    advmss: int | None = None
    realm: int = 0
    preference: str = ""
    table: int = 0

    @property
    def text(self) -> str:
        """The route in a few words."""
        kind = "route" if self.type == "unicast" else f"{self.type} route"
        to = f"default {kind}" if self.dst == "default" else f"{kind} to {self.dst}"
        by = f" via {self.gateway}" if self.gateway else ""
        return f"{to}{by}{f' dev {self.link}' if self.link else ''}"

    def command(self, verb: str, inside: NetnsScope) -> Argv:
        """``ip route VERB`` with it."""
        family = ("-6",) if self.family == "ip6" else ()
        return ip_command(inside, *family, "route", verb, *self._words())

    def _words(self) -> list[str]:
        words = [self.dst] if self.type == "unicast" else [self.type, self.dst]
        words += ["via", self.gateway] if self.gateway else []
        words += ["dev", self.link] if self.link else []
        words += ["table", str(self.table)] if self.table else []
        words += ["onlink"] if self.onlink else []
        words += ["proto", self.protocol] if self.protocol else []
        words += ["scope", self.scope] if self.scope else []
        words += ["src", self.source] if self.source else []
        words += ["metric", str(self.metric)] if self.metric else []
        words += ["mtu", *(["lock"] if self.mtu_locked else []), str(self.mtu)] if self.mtu is not None else []
        words += ["advmss", str(self.advmss)] if self.advmss is not None else []
        words += ["realm", str(self.realm)] if self.realm else []
        words += ["pref", self.preference] if self.preference else []
        return words

    def route(self, ns: Namespace) -> Route:
        """The route as a namespace would have it.

        Raises:
            UnknownEffectError: No link of the namespace leads to its gateway.
        """
        hops: tuple[NextHop, ...] = ()
        if self.type == "unicast":
            ifindex = link_named(ns, self.link).ifindex if self.link else _device_towards(ns, self.gateway)
            hops = (NextHop(ifindex=ifindex, gateway=self.gateway or None),)
        dst = ANYWHERE[self.family] if self.dst == "default" else self.dst
        return Route(
            family=self.family,
            table=self.table or MAIN,
            type=self.type,
            dst=str(ipaddress.ip_network(dst, strict=False)),
            hops=hops,
            source=self.source or None,
            metric=self.metric,
            scope=self.scope or "global",
            protocol=self.protocol or "boot",
            mtu=self.mtu,
            mtu_locked=self.mtu_locked,
            advmss=self.advmss,
            realm=self.realm,
            preference=self.preference,
        )


class RouteOperation(ScopedOperation, frozen=True, kw_only=True):
    """A change of one route."""

    route: RouteSpec


class AddRoute(RouteOperation, frozen=True, kw_only=True, tag="add-route"):
    """Adds a route."""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"add the {self.route.text}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.route.command("add", self.inside),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, partial(_added, spec=self.route))

    def inverse(self) -> DeleteRoute:
        """See :class:`Operation`."""
        return DeleteRoute(route=self.route, inside=self.inside)


class DeleteRoute(RouteOperation, frozen=True, kw_only=True, tag="delete-route"):
    """Deletes a route."""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete the {self.route.text}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.route.command("del", self.inside),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, partial(_deleted, spec=self.route))

    def inverse(self) -> AddRoute:
        """See :class:`Operation`."""
        return AddRoute(route=self.route, inside=self.inside)


class ReplaceRoute(RouteOperation, frozen=True, kw_only=True, tag="replace-route"):
    """Puts a route in the place of the one to the same prefix; ``before`` is that one."""

    before: RouteSpec | None = None

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"set the {self.route.text}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.route.command("replace", self.inside),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, partial(_replaced, spec=self.route))

    def inverse(self) -> ReplaceRoute | None:
        """See :class:`Operation`."""
        if self.before is None:
            return None
        return ReplaceRoute(route=self.before, inside=self.inside, before=self.route)


def _device_towards(ns: Namespace, gateway: str) -> int:
    """The link on which a gateway is: that of the address whose subnet it is in."""
    for address in ns.addresses:
        if gateway and ipaddress.ip_address(gateway) in ipaddress.ip_network(address.cidr, strict=False):
            return address.ifindex
    msg = f"no link reaches {gateway or 'anywhere'}"
    raise UnknownEffectError(msg)


def _added(ns: Namespace, spec: RouteSpec) -> Namespace:
    return msgspec.structs.replace(ns, routes=(*ns.routes, spec.route(ns)))


def _replaced(ns: Namespace, spec: RouteSpec) -> Namespace:
    new = spec.route(ns)
    wanted = (new.family, new.table, new.dst, new.metric)
    there = [item for item in ns.routes if (item.family, item.table, item.dst, item.metric) == wanted]
    if not there:
        return _added(ns, spec)
    return msgspec.structs.replace(ns, routes=tuple(new if item is there[0] else item for item in ns.routes))


def _deleted(ns: Namespace, spec: RouteSpec) -> Namespace:
    gone = spec.route(ns)
    fitting = next((item for item in ns.routes if _is_same(item, gone)), None)
    if fitting is None:
        msg = f"there is no {spec.text}"
        raise UnknownEffectError(msg)
    return msgspec.structs.replace(ns, routes=tuple(item for item in ns.routes if item is not fitting))


def _is_same(one: Route, other: Route) -> bool:
    return (one.family, one.table, one.type, one.dst) == (other.family, other.table, other.type, other.dst) and [
        (hop.ifindex, hop.gateway) for hop in one.hops
    ] == [(hop.ifindex, hop.gateway) for hop in other.hops]
