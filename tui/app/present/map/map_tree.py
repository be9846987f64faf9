"""The map: host → bridge → port → container, and all that hangs beside.  Pure.

Row ids name the thing itself (``link:NAMESPACE:IFINDEX``, ``ctr:ID:IFINDEX``,
``net:ID``, ``ns:ID``, ``gap:SECTION:SCOPE``), so a selection survives a
refresh as long as the thing does.  Nothing is left out: a veth whose peer is
not known, a container without a bridge and a section that could not be read
each have their place and say why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dnet_tui.diagnostics.report.finding import Severity
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Link, LinkRef, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import findings_of
from dnet_tui.tui.app.present.findings_of import FindingsIndex
from dnet_tui.tui.app.present.map.map_extras import Extras, Traffic
from dnet_tui.tui.app.present.map.map_groups import groups
from dnet_tui.tui.app.present.map.map_nodes import Node, far_end, link_id, link_node, link_state, marks, shown, uplinks
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import Row, StyledLine, line, say


def rows(
    snapshot: Snapshot,
    report: Report | None,
    folded: frozenset[str] = frozenset(),
    traffic: Sequence[Traffic] | None = None,
) -> tuple[Row, ...]:
    """Return the whole tree as rows, without what is folded away; with ``traffic`` with all that a wide one has."""
    view = seen_host(snapshot)
    found = _taken(snapshot, report, folded)
    if found is None:
        found = tuple(_flatten((_tree(view, report),), folded, "", ""))
    if traffic is None:
        return found
    extras = Extras(view, traffic)
    return tuple(_widened(row, extras.cells(row.id)) for row in found)


_ready: list[tuple[Snapshot, Report | None, frozenset[str], tuple[Row, ...]]] = []


def make_ready(snapshot: Snapshot, report: Report | None, folded: frozenset[str]) -> None:
    """Make what :func:`rows` will be asked for, in a worker: of a big host it takes longer than a key may wait."""
    made = tuple(_flatten((_tree(seen_host(snapshot), report),), folded, "", ""))
    _ready[:] = [(snapshot, report, folded, made)]


def _taken(snapshot: Snapshot, report: Report | None, folded: frozenset[str]) -> tuple[Row, ...] | None:
    """What was made ready, once: whoever shows it keeps it."""
    found = None
    for kept, its_report, its_folded, made in _ready:
        if kept is snapshot and its_report is report and its_folded == folded:
            found = made
    _ready.clear()
    return found


def _widened(row: Row, more: tuple[StyledLine, ...]) -> Row:
    if not any(more):
        return row
    return row._replace(cells=(*row.cells, *((),) * (2 - len(row.cells)), *more))


def tree(snapshot: Snapshot, report: Report | None) -> Node:
    """Return the tree; its root is the host."""
    return _tree(seen_host(snapshot), report)


def _tree(view: View, report: Report | None) -> Node:
    snapshot = view.snapshot
    index = FindingsIndex(report, view.networks.values())
    found = findings_of.concerning_host(report)
    name = line(say(snapshot.host.hostname or "host", "name"), say(" host", "dim"), *marks(found))
    children = (*_host_links(view, index), *groups(view, index))
    return Node(id="host", name=name, address=line(say(snapshot.host.kernel, "dim")), children=children)


def _flatten(nodes: Iterable[Node], folded: frozenset[str], guide: str, parent: str) -> Iterator[Row]:
    siblings = tuple(nodes)
    for index, node in enumerate(siblings):
        last = index == len(siblings) - 1
        branch = ("└ " if last else "├ ") if parent else ""
        shut = bool(node.children) and node.id in folded
        more = (say(f" +{_count(node)}", "info"), *_hidden_marks(node)) if shut else ()
        name = line(say(guide + branch, "frame"), *node.name, *more)
        cells = (name, node.address) if node.address else (name,)
        yield Row(id=node.id, cells=cells, parent=parent, search=node.search)
        if not shut:
            below = guide + (("  " if last else "│ ") if parent else "")
            yield from _flatten(node.children, folded, below, node.id)


def _count(node: Node) -> int:
    return sum(1 + _count(child) for child in node.children)


def _hidden_marks(node: Node) -> StyledLine:
    """The gravest mark of what is folded away below a node, where that has none as grave itself."""
    own, below = _marked(node), findings_of.gravest(_below(node))
    if below is None or (own is not None and findings_of.gravest((own, below)) == own):
        return ()
    return line(" ", findings_of.mark(below))


def _below(node: Node) -> Iterator[Severity | None]:
    for child in node.children:
        yield _marked(child)
        yield from _below(child)


def _marked(node: Node) -> Severity | None:
    return findings_of.gravest(severity for severity in findings_of.GLYPHS if findings_of.mark(severity) in node.name)


def _host_links(view: View, index: FindingsIndex) -> Iterator[Node]:
    """The bridges with their ports, then the uplinks."""
    host = view.host
    if host is None:
        return
    for bridge in view.bridges():
        network = view.network_of_bridge(bridge.name)
        about = index.concerning(findings_of.of_link(bridge, network))
        called = (say(f" {network.name}", "info"),) if network and network.name != bridge.name else ()
        ports = tuple(_port(view, index, host, port) for port in view.ports_of(host.id, bridge.ifindex))
        empty = () if ports else (say(" no ports", "dim"),)
        yield Node(
            id=link_id(host.id, bridge),
            name=line(say(bridge.name, "name"), *called, *empty, *link_state(bridge), *marks(about)),
            address=shown(view.addresses_of(LinkRef(namespace=host.id, ifindex=bridge.ifindex))),
            children=ports,
            search=f"bridge {network.name} {network.engine} {_subnets(network)}" if network else "bridge",
        )
    yield from _overlays(view, index)
    for uplink in uplinks(host):
        yield link_node(view, index, host, uplink, "uplink")


def _overlays(view: View, index: FindingsIndex) -> Iterator[Node]:
    """The bridges inside of overlay networks, each in a namespace of its own."""
    for ns in view.insides():
        for bridge in (link for link in known_items(ns.links) if link.kind == "bridge"):
            yield Node(
                id=link_id(ns.id, bridge),
                name=line(say(view.label(ns.id), "name"), say(f" {bridge.name}", "dim"), *link_state(bridge)),
                address=shown(view.addresses_of(LinkRef(namespace=ns.id, ifindex=bridge.ifindex))),
                children=tuple(_port(view, index, ns, port) for port in view.ports_of(ns.id, bridge.ifindex)),
                search="bridge overlay network",
            )


def _subnets(network: Network) -> str:
    return " ".join(subnet.cidr for subnet in network.subnets)


def _port(view: View, index: FindingsIndex, host: Namespace, port: Link) -> Node:
    about = index.concerning(findings_of.of_link(port))
    lost = (say(" peer unknown", "warn"),) if port.kind == "veth" and port.peer is None else ()
    kind = () if port.kind == "veth" else (say(f" {port.kind or 'device'}", "dim"),)
    return Node(
        id=link_id(host.id, port),
        name=line(say(port.name), *kind, *lost, *link_state(port), *marks(about)),
        children=tuple(far_end(view, index, port)),
        search="port",
    )
