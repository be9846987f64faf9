"""Ports that rules of dnet-tui's own publish, for containers whose engine doesn't know of them.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, cast

import msgspec

from dnet_tui.inspect.model import Container, Namespace, PublishedPort, Unread
from dnet_tui.inspect.model.firewall import Nat, Table
from dnet_tui.inspect.model.port_label import OWN_TABLES, PREFIX, decode

_EVERYWHERE = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104  what engines say of a port on all addresses

_HOOKS = frozenset({"prerouting", "output"})


def with_own_ports(containers: tuple[Container, ...], host: Namespace | None) -> tuple[Container, ...]:
    """The containers with the ports that rules on the host publish for them, by the rules' labels."""
    found: defaultdict[str, dict[PublishedPort, None]] = defaultdict(dict)
    for name, port in _labelled(host):
        found[name][port] = None
    if not found:
        return containers
    return tuple(_with_ports(item, tuple(found.get(item.name, ()))) for item in containers)


def _with_ports(container: Container, ports: tuple[PublishedPort, ...]) -> Container:
    known = {(port.host_ip, port.host_port, port.proto) for port in container.published}
    new = tuple(port for port in ports if (port.host_ip, port.host_port, port.proto) not in known)
    if not new or not container.running:
        return container
    return msgspec.structs.replace(container, published=(*container.published, *new))


def _may_publish(table: Table) -> bool:
    """Whether a table is one that dnet-tui publishes by: iptables' nat, or one of its own."""
    return table.family in _EVERYWHERE and (table.name == "nat" or table.name.startswith(OWN_TABLES))


def _labelled(host: Namespace | None) -> Iterator[tuple[str, PublishedPort]]:
    if host is None or isinstance(host.firewall, Unread):
        return
    for table in host.firewall.tables:
        for chain in table.chains if _may_publish(table) else ():
            for rule in chain.rules if chain.hook in _HOOKS else ():
                label = decode(rule.comment) if rule.comment.startswith(PREFIX) else None
                if label is None or not any(isinstance(item, Nat) and item.kind == "dnat" for item in rule.exprs):
                    continue
                yield (
                    label.container,
                    PublishedPort(
                        host_ip=_EVERYWHERE[table.family] if label.host_ip == "*" else label.host_ip,
                        host_port=label.host_port,
                        proto=cast("Literal['tcp', 'udp']", label.proto),
                        container_port=label.container_port,
                        by="dnet-tui",
                    ),
                )
