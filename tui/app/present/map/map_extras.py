"""What the tree says beside a name and an address where there is room: ports, NAT, default route, traffic.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnet_tui.diagnostics.difference.rates import spoken
from dnet_tui.inspect.model import Container, LinkRef, known_items
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.model.state import TRAFFIC_KEPT
from dnet_tui.tui.app.present.styled_text import StyledLine, line, say

Traffic = Mapping[LinkRef, float]
"""Bytes a second of links, between two looks at the host."""

_BARS = "▁▂▃▄▅▆▇█"
_PORTS = 2


class Extras:
    """The two columns, for rows by their ids."""

    def __init__(self, view: View, traffic: Sequence[Traffic]) -> None:
        self._view = view
        self._traffic = tuple(traffic)
        host = view.host
        self._ways = {
            hop.ifindex: f"via {hop.gateway}" if hop.gateway else "default"
            for route in (default_routes(host) if host is not None else ())
            for hop in route.hops
        }
        self._nat = {
            network.bridge: "internal" if network.internal else "NAT" if network.masquerade else "no NAT"
            for network in known_items(view.snapshot.networks)
            if network.bridge and (network.internal or network.masquerade is not None)
        }

    def cells(self, row: str) -> tuple[StyledLine, ...]:
        """Return what belongs to a row of the map; nothing for one that has none of it."""
        kind, _, rest = row.partition(":")
        ident, _, ifindex = rest.rpartition(":")
        if kind == "ctr":
            container = self._view.containers.get(ident)
            return (_ports(container),) if container is not None else ()
        if kind != "link":
            return ()
        ref = LinkRef(namespace=ident, ifindex=int(ifindex))
        link = self._view.links.get(ref)
        host = self._view.host
        if link is None or host is None or ident != host.id:
            return ()
        words = self._nat.get(link.name, "") if link.kind == "bridge" else self._ways.get(link.ifindex, "")
        spark = self._spark(ref)
        return (line(say(words, "dim")), spark) if spark else (line(say(words, "dim")),)

    def _spark(self, ref: LinkRef) -> StyledLine:
        seen = [look[ref] for look in self._traffic if ref in look]
        if not seen:
            return ()
        most = max(seen)
        bars = "".join(_BARS[round(one / most * (len(_BARS) - 1))] if most > 0 else _BARS[0] for one in seen)
        return line(say(f"{bars:>{TRAFFIC_KEPT}}", "info"), say(f" {spoken(seen[-1], 'B')}", "dim"))


def _ports(container: Container) -> StyledLine:
    shown = [f"{port.host_port}→{port.container_port}" for port in container.published[:_PORTS]]
    more = len(container.published) - len(shown)
    return line(say(" ".join(shown) + (f" +{more}" if more > 0 else ""), "dim"))
