"""Everything known of the item that is selected on the map.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference.rates import Rates
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Container, Engine, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import MAIN, destination
from dnet_tui.inspect.model.engine_kinds.others import NETNS
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings, findings_of
from dnet_tui.tui.app.present.findings_of import FindingsIndex
from dnet_tui.tui.app.present.map import link_detail
from dnet_tui.tui.app.present.map.kernel_defaults import departing
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, TextSpan, bullet, fact, heading, line, say

_EVERY_LINK_HAS = "fe80::/64"
"""A route that says nothing: it stands there for each link with IPv6."""

_GROUPS = {
    "containers": "Containers that have no port on a bridge of this host: they use the host's own network, none at "
    "all, another container's, or a driver without a bridge. Stopped containers are here too.",
    "networks": "Networks that an engine defined without a bridge on this host, and networks whose bridge is missing.",
    "veths": "Ends of veth pairs that are on no bridge, or whose other end could not be found for certain.",
    "namespaces": "Network namespaces that belong to no known container.",
    "links": "The host's other interfaces.",
    "gaps": "What could not be read. Whatever depends on it is unknown, not absent.",
}


def detail(
    snapshot: Snapshot, report: Report | None, selected: str, rates: Rates | None = None
) -> tuple[Paragraph, ...]:
    """Return the paragraphs for the row with the id ``selected``; none when it no longer exists."""
    view = seen_host(snapshot)
    kind, _, rest = selected.partition(":")
    if kind == "host":
        return tuple(_host(view, report))
    if kind == "group":
        return (Paragraph(line(_GROUPS.get(rest, ""))),)
    if kind in {"link", "lost"}:
        ident, _, ifindex = rest.rpartition(":")
        return tuple(link_detail.detail(view, report, ident, int(ifindex), rates))
    if kind == "ctr":
        container = view.containers.get(rest.rpartition(":")[0])
        return tuple(_container(view, report, container)) if container else ()
    if kind == "net":
        network = view.networks.get(rest)
        return tuple(_network(report, network)) if network else ()
    if kind == "ns":
        ns = view.namespaces.get(rest)
        return tuple(_namespace(view, ns)) if ns else ()
    section, _, scope = rest.partition(":")
    return tuple(_gap(view, section, scope))


def _silent(engine: Engine) -> tuple[TextSpan, ...]:
    """Why nothing is known of an engine: one of a user's own is never asked, as its networks aren't this host's."""
    return (say(" not asked", "dim"),) if engine.rootless else (say(" does not answer", "bad"),)


def _host(view: View, report: Report | None) -> Iterator[Paragraph]:
    snapshot = view.snapshot
    yield Paragraph(line(say(snapshot.host.hostname or "host", "head"), say("  this host", "dim")))
    yield fact("kernel", snapshot.host.kernel)
    yield from findings.briefly(findings_of.concerning_host(report))
    yield from _routes(view, view.host) if view.host is not None else ()
    yield BLANK
    yield fact("taken at", f"{snapshot.taken_at[:19].replace('T', ' ')} UTC")
    running = sum(container.running for container in known_items(snapshot.containers))
    yield fact("containers", f"{running} running, {len(known_items(snapshot.containers))} known")
    yield fact("networks", str(len(known_items(snapshot.networks))))
    yield BLANK
    yield heading("Engines")
    if not known_items(snapshot.engines):
        yield Paragraph(line(say("none found", "dim")))
    for engine in known_items(snapshot.engines):
        answer = () if engine.reachable else _silent(engine)
        rootless = " rootless" if engine.rootless else ""
        yield bullet(f"{engine.name} {engine.version}{rootless}", *answer)
        if engine.firewall:
            yield fact("  firewall", engine.firewall)
        if engine.socket:
            yield fact("  socket", engine.socket)
    if view.host is not None:
        yield from _sysctls(view, view.host)
        yield from _listeners(view, view.host)


def _sysctls(view: View, ns: Namespace) -> Iterator[Paragraph]:
    """The kernel parameters that decide for the host as a whole, where somebody set them otherwise."""
    of_all = {
        key: value
        for key, value in ns.sysctls.values.items()
        if not any(f".{part}." in key for part in ("conf", "neigh")) or ".conf.all." in key
    }
    if not of_all:
        yield from _unseen(view, ns, "sysctls")
        return
    yield BLANK
    yield heading("Kernel parameters")
    wanted = tuple(departing(of_all))
    for key, value in wanted:
        yield bullet(f"{key.removeprefix('net.')} = ", say(value, "name"))
    if len(of_all) > len(wanted):
        yield Paragraph(line(say("all others as the kernel begins", "dim")))


def _container(view: View, report: Report | None, container: Container) -> Iterator[Paragraph]:
    """What matters first: its state, addresses, findings, ports, routes; then where it lives."""
    ns = view.namespaces.get(container.netns or "")
    own = ns if ns is not None and ns.kind != "host" else None
    yield Paragraph(line(say(container.name, "head"), say(f"  {container.engine} container", "dim")))
    yield fact("state", say(container.status or ("running" if container.running else "stopped")))
    if own is not None:
        yield from _own_addresses(own)
    yield from findings.briefly(FindingsIndex(report, view.networks.values()).concerning_container(container))
    if container.published:
        yield BLANK
    for port in container.published:
        where = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
        yield fact("publishes", f"{where}:{port.host_port} → {port.container_port}/{port.proto}")
    if own is not None:
        yield from _routes(view, own)
        yield from _listeners(view, own)
        yield from _interfaces(view, own)
    elif ns is not None:
        yield BLANK
        yield Paragraph(line("It uses the host's own namespace: its interfaces, routes and listeners are the host's."))
    yield from _endpoints(view, container)
    yield from _identity(view, container)


def _own_addresses(ns: Namespace) -> Iterator[Paragraph]:
    wanted = [item for item in known_items(ns.addresses) if item.scope == "global"]
    names = {link.ifindex: link.name for link in known_items(ns.links)}
    for index, item in enumerate(wanted):
        yield fact("" if index else "addresses", say(item.cidr, "name"), say(f" {names.get(item.ifindex, '')}", "dim"))


def _identity(view: View, container: Container) -> Iterator[Paragraph]:
    yield BLANK
    yield heading("Container")
    yield fact("id", container.id[:12] if container.engine != NETNS.kind else container.id)
    if container.image:
        yield fact("image", container.image)
    yield fact("mode", container.mode)
    sharing = view.containers.get(container.joined or "")
    if sharing:
        yield fact("shares", f"the namespace of {sharing.name}")
    if container.pid:
        yield fact("pid", str(container.pid))
    yield fact("namespace", container.netns or say("not seen", "warn"))


def _unseen(view: View, ns: Namespace, *sections: str) -> Iterator[Paragraph]:
    """Why nothing is here of a section."""
    for gap in (gap for section in sections for gap in view.gaps(section, ns.id)):
        yield BLANK
        yield Paragraph(line(say("? ", "warn"), say(f"{gap.section} not seen: ", "warn"), gap.reason))


def _interfaces(view: View, ns: Namespace) -> Iterator[Paragraph]:
    yield from _unseen(view, ns, "links", "addresses")
    for link in ns.links:
        if link.kind == "loopback" and len(ns.links) > 1:
            continue
        yield BLANK
        yield heading(f"Interface {link.name}")
        yield from link_detail.facts(view, ns, link)


def _endpoints(view: View, container: Container) -> Iterator[Paragraph]:
    """What the engine says, beside what the kernel shows."""
    if not container.endpoints:
        return
    yield BLANK
    yield heading(f"{container.engine} says")
    for endpoint in container.endpoints:
        network = view.networks.get(endpoint.network)
        called = network.name if network else endpoint.network
        yield bullet(say(called, "info"), " ", ", ".join(endpoint.addresses))
        gateways = ", ".join(item for item in (endpoint.gateway, endpoint.gateway6) if item)
        if gateways:
            yield fact("  gateway", gateways)
        if endpoint.mac:
            yield fact("  mac", endpoint.mac)


def _routes(view: View, ns: Namespace) -> Iterator[Paragraph]:
    """The main table; the local table says nothing a reader looks for."""
    main = [route for route in ns.routes if route.table == MAIN and destination(route) != _EVERY_LINK_HAS]
    if not main:
        yield from _unseen(view, ns, "routes")
        return
    names = {link.ifindex: link.name for link in ns.links}
    yield BLANK
    yield heading("Routes (table main)")
    for route in main:
        way = ", ".join(
            " ".join(
                part
                for part in (f"via {hop.gateway}" if hop.gateway else "", f"dev {names.get(hop.ifindex or 0, '?')}")
                if part
            )
            for hop in route.hops
        )
        dst = destination(route)
        kind = "" if route.type == "unicast" else f"{route.type} "
        yield bullet(say(f"{kind}{dst}", "name"), f" {way}")


def _listeners(view: View, ns: Namespace) -> Iterator[Paragraph]:
    if not ns.sockets:
        yield from _unseen(view, ns, "sockets")
        return
    yield BLANK
    yield heading("Listening")
    for socket in ns.sockets:
        where = f"[{socket.address}]" if ":" in socket.address else socket.address
        who = socket.process + (f" ({socket.pid})" if socket.pid else "")
        yield bullet(say(f"{socket.proto} {where}:{socket.port}", "name"), f" {who}")


def _network(report: Report | None, network: Network) -> Iterator[Paragraph]:
    yield Paragraph(line(say(network.name, "head"), say(f"  {network.engine} network", "dim")))
    yield from link_detail.network_facts(network)
    yield from findings.briefly(findings_of.concerning(report, findings_of.of_network(network)))


def _namespace(view: View, ns: Namespace) -> Iterator[Paragraph]:
    yield Paragraph(line(say(view.label(ns.id), "head"), say("  network namespace", "dim")))
    yield fact("id", ns.id)
    if ns.path:
        yield fact("path", ns.path)
    for process in ns.processes[:8]:
        yield fact("process", f"{process.name} ({process.pid})")
    yield from _interfaces(view, ns)
    yield from _routes(view, ns)
    yield from _listeners(view, ns)


def _gap(view: View, section: str, scope: str) -> Iterator[Paragraph]:
    for gap in view.all_gaps:
        if gap.section != section or gap.scope != scope:
            continue
        yield Paragraph(line(say("? not seen", "warn"), say(f"  {gap.section}", "head")))
        if gap.scope:
            yield fact("of", view.label(gap.scope))
        yield fact("reason", gap.reason)
        if gap.hint:
            yield fact("hint", say(gap.hint, "info"))
