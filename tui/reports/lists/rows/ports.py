"""Rows of ``ls ports``: what is published, by which rule, held by whom, and who listens.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.inspect.model import Container, Namespace, PublishedPort, Socket, Unread, known_items
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Nat, Table
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule by its place; ``table`` is ``family name``."""

    backend: str
    table: str
    chain: str
    number: int
    text: str


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket."""

    address: str
    pid: int | None
    process: str


class PublishedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A published port.

    ``rule`` is the DNAT rule that leads to the container, None when there is
    none; ``holders`` are the sockets on the host's port (docker-proxy),
    ``listeners`` those on the container's.  All three are None when what they
    are read from wasn't seen: ``unseen`` then names it.  ``by`` is who
    publishes it, where that isn't the container's engine.
    """

    host_ip: str
    host_port: int
    proto: str
    container: str
    container_port: int
    rule: RuleRow | None
    holders: tuple[Listener, ...] | None
    listeners: tuple[Listener, ...] | None
    unseen: tuple[str, ...]
    by: str = ""


def port_rows(view: View) -> list[PublishedRow]:
    """Every published port of every container."""
    return [
        _row(view, container, port)
        for container in known_items(view.snapshot.containers)
        for port in container.published
    ]


def _row(view: View, container: Container, port: PublishedPort) -> PublishedRow:
    host = view.host
    inside = view.namespaces.get(container.netns) if container.netns is not None else None
    rules_seen = host is not None and _firewall_seen(host)
    holders = _sockets(host, port.proto, port.host_port)
    listeners = _sockets(inside, port.proto, port.container_port)
    unseen = [
        what
        for what, seen in (("rule", rules_seen), ("holders", holders is not None), ("listeners", listeners is not None))
        if not seen
    ]
    return PublishedRow(
        host_ip=port.host_ip,
        host_port=port.host_port,
        proto=port.proto,
        container=container.name,
        container_port=port.container_port,
        rule=_dnat(host, container, port, inside) if host is not None else None,
        holders=holders,
        listeners=listeners,
        unseen=tuple(unseen),
        by=port.by,
    )


def _firewall_seen(host: Namespace) -> bool:
    return not isinstance(host.firewall, Unread) and not host.firewall.unread and not host.firewall.lacks


def _sockets(ns: Namespace | None, proto: str, port: int) -> tuple[Listener, ...] | None:
    if ns is None:
        return None
    found = tuple(_listener(item) for item in known_items(ns.sockets) if item.proto == proto and item.port == port)
    return None if not found and lacks_of(ns.sockets) else found


def _listener(item: Socket) -> Listener:
    return Listener(address=item.address, pid=item.pid, process=item.process)


def _dnat(host: Namespace, container: Container, port: PublishedPort, inside: Namespace | None) -> RuleRow | None:
    """The first rule that sends the published port to one of the container's addresses."""
    addresses = {cidr.partition("/")[0] for endpoint in container.endpoints for cidr in endpoint.addresses}
    if inside is not None and inside.kind != "host":
        addresses |= {address.address for address in known_items(inside.addresses)}
    families = {"ip6", "inet"} if ":" in port.host_ip else {"ip", "inet"}
    for table in () if isinstance(host.firewall, Unread) else host.firewall.tables:
        if table.family not in families:
            continue
        for row, exprs in _rules(table):
            if _leads_to(exprs, port, addresses):
                return row
    return None


def _rules(table: Table) -> Iterator[tuple[RuleRow, tuple[AnyExpr, ...]]]:
    for chain in table.chains:
        for rule in chain.rules:
            yield (
                RuleRow(
                    backend=table.backend,
                    table=f"{table.family} {table.name}",
                    chain=chain.name,
                    number=rule.number,
                    text=rule.text,
                ),
                rule.exprs,
            )


def _leads_to(exprs: tuple[AnyExpr, ...], port: PublishedPort, addresses: set[str]) -> bool:
    nat = next((item for item in exprs if isinstance(item, Nat) and item.kind == "dnat"), None)
    if nat is None or nat.addresses.strip("[]") not in addresses or nat.ports not in {"", str(port.container_port)}:
        return False
    matches = {item.field: item for item in exprs if isinstance(item, Match) and not item.negate}
    proto, dport = matches.get("proto"), matches.get("dport")
    if proto is not None and port.proto not in proto.values:
        return False
    return dport is not None and any(
        (span := parse_range(value, PORTS)) is not None and port.host_port in span for value in dport.values
    )
