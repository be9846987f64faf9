"""The places that a flow can begin or end at, to choose from; and the one that is selected.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.trace.endpoints import BEYOND, HOST
from dnet_tui.diagnostics.trace.first_packet import TraceProtocol
from dnet_tui.inspect.model import Container, Snapshot, known_items
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app.model.guided import AskedFlow
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import doctor_rows
from dnet_tui.tui.app.present.seen_host import seen_host
from dnet_tui.tui.app.present.styled_text import Row, line, say

_ID = 12
"""So much of an id names a container (:mod:`dnet_tui.diagnostics.trace.endpoints`)."""


def choices(snapshot: Snapshot) -> tuple[Row, ...]:
    """Return every place that can be named; a row's id is what names it.

    Containers first, then their published ports, the host and the outside.
    """
    containers = [item for item in known_items(snapshot.containers) if item.running]
    names = [item.name for item in containers]
    networks = {net.id: net.name for net in known_items(snapshot.networks)}
    rows = [_container(item, names, networks) for item in sorted(containers, key=lambda item: item.name)]
    for item in containers:
        for port in item.published:
            if port.host_port:
                shown = f"{HOST}:{port.host_port}"
                to = f"published port of {item.name}:{port.container_port}/{port.proto}"
                rows.append(Row(id=shown, cells=(line(say(shown, "name")), line(say(to, "dim"))), search=item.name))
    rows.append(Row(id=HOST, cells=(line(say(HOST, "name")), line(say("this host itself", "dim")))))
    rows.append(Row(id=BEYOND, cells=(line(say(BEYOND, "name")), line(say("any host beyond the uplink", "dim")))))
    return tuple({row.id: row for row in rows}.values())


def _container(item: Container, names: list[str], networks: dict[str, str]) -> Row:
    addresses = [cidr.partition("/")[0] for end in item.endpoints for cidr in end.addresses]
    on = [networks.get(end.network, end.network[:_ID]) for end in item.endpoints]
    about = ", ".join([*dict.fromkeys(on), *addresses]) or item.mode
    cells = (line(say(item.name, "name")), line(say(about, "dim")))
    return Row(id=name_of(item, names), cells=cells, search=f"{item.id} {item.image} {' '.join(addresses)}")


def name_of(item: Container, names: list[str]) -> str:
    """Return what names a container: its name, or its id where others are called so too, or it can't be typed."""
    unique = names.count(item.name) == 1 and clean(item.name) == item.name and " " not in item.name
    return item.name if unique else item.id[:_ID]


def selected(state: AppState, mode: str) -> AskedFlow:
    """Return the places that the selection of a mode stands for; nothing where it is none."""
    snapshot = state.snapshot
    if snapshot is None:
        return AskedFlow()
    row = state.selected(mode)
    if mode == "doctor" and state.report is not None:
        finding = doctor_rows.find(state.report, row)
        return _of_finding(snapshot, finding) if finding is not None else AskedFlow()
    kind, _, rest = row.partition(":")
    if mode == "map" and kind == "ctr":
        return _named(snapshot, rest.rpartition(":")[0], by_id=True)
    return AskedFlow()


def _of_finding(snapshot: Snapshot, finding: Finding) -> AskedFlow:
    if finding.flows:
        flow = finding.flows[0]
        proto: TraceProtocol = "udp" if flow.proto == "udp" else "icmp" if flow.proto.startswith("icmp") else "tcp"
        return AskedFlow(source=flow.source, target=flow.target, port=flow.port or 0, proto=proto)
    hit = [item.name for item in finding.affects if item.kind == "container"]
    name = finding.subject.name.partition(":")[0] if finding.subject.kind in {"container", "port"} else ""
    return _named(snapshot, name or (hit[0] if hit else ""))


def _named(snapshot: Snapshot, name: str, *, by_id: bool = False) -> AskedFlow:
    view = seen_host(snapshot)
    names = [item.name for item in view.containers.values() if item.running]
    for item in view.containers.values():
        if item.running and name == (item.id if by_id else item.name):
            return AskedFlow(source=name_of(item, names))
    return AskedFlow()


def ports(snapshot: Snapshot, place: str) -> tuple[Row, ...]:
    """Return the ports that somebody listens on at a place, lowest first; of the host those that are published."""
    view = seen_host(snapshot)
    name = place.partition(":")[0]
    found: dict[str, str] = {}
    if name == HOST:
        for item in known_items(snapshot.containers):
            for port in item.published if item.running else ():
                if port.host_port:
                    found[_port(port.host_port, port.proto)] = f"published by {item.name}"
    for item in view.containers.values():
        ns = view.namespaces.get(item.netns or "")
        if name in {item.name, item.id[:_ID]} and ns is not None and ns.kind != "host":
            for socket in known_items(ns.sockets):
                if socket.proto in {"tcp", "udp"} and not socket.address.startswith("127.0.0.11"):
                    found.setdefault(_port(socket.port, socket.proto), f"listens on {socket.address}")
    ordered = sorted(found.items(), key=lambda item: (item[0].endswith("udp"), int(item[0].partition("/")[0])))
    rows = [Row(id=text, cells=(line(say(text, "name")), line(say(about, "dim")))) for text, about in ordered]
    return (*rows, Row(id="icmp", cells=(line(say("icmp", "name")), line(say("a ping", "dim")))))


def _port(number: int, proto: str) -> str:
    return str(number) if proto == "tcp" else f"{number}/{proto}"
