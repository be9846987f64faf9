"""``ls`` as tables: headers and cells from the rows.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dnet_tui.tui.reports.lists.rows.bridges import BridgeRow, NetworkRow, PortRow
from dnet_tui.tui.reports.lists.rows.containers import ContainerRow, InterfaceRow, VethRow
from dnet_tui.tui.reports.lists.rows.ports import Listener, PublishedRow
from dnet_tui.tui.reports.tables import render
from dnet_tui.tui.reports.terminal import OutputStyle

UNSEEN = "not seen"
_SHORT_ID = 12  # characters, as engines print ids


def bridges_table(rows: Sequence[BridgeRow], paper: OutputStyle) -> str:
    """Bridges with the network each belongs to and what is plugged in."""
    headers = ("BRIDGE", "IFINDEX", "STATE", "ADDRESSES", "NETWORK", "PORTS")
    cells = [
        (
            row.name,
            str(row.ifindex),
            _state(row),
            ", ".join(worth_showing(row.addresses)),
            _of(row.network, row.engine),
            ", ".join(_port(port) for port in row.ports),
        )
        for row in rows
    ]
    return render(headers, cells, paper)


def networks_table(rows: Sequence[NetworkRow], paper: OutputStyle) -> str:
    """Networks with what their engine was asked for."""
    headers = ("NETWORK", "ENGINE", "DRIVER", "BRIDGE", "SUBNETS", "OPTIONS", "CONTAINERS")
    cells = [
        (
            row.name,
            row.engine,
            row.driver,
            row.bridge,
            ", ".join(subnet.cidr for subnet in row.subnets),
            ", ".join(intentions(row)),
            ", ".join(row.containers),
        )
        for row in rows
    ]
    return render(headers, cells, paper)


def containers_table(rows: Sequence[ContainerRow], paper: OutputStyle) -> str:
    """Containers, one line per interface."""
    headers = ("CONTAINER", "MODE", "INTERFACE", "ADDRESSES", "NETWORK", "BRIDGE", "PEER")
    cells: list[tuple[str, ...]] = []
    for row in rows:
        shown = shown_interfaces(row)
        if not shown:
            cells.append((row.name, row.mode, _nothing(row), "", "", "", ""))
        cells += [(row.name, row.mode, *_interface(item)) for item in shown]
    return render(headers, cells, paper)


def veths_table(rows: Sequence[VethRow], paper: OutputStyle) -> str:
    """The host's veths with the container each leads to, or why that isn't known."""
    headers = ("VETH", "IFINDEX", "BRIDGE", "NETWORK", "LEADS TO", "INTERFACE", "ITS IFINDEX")
    cells = [(row.name, str(row.ifindex), row.bridge or "", row.network or "", *_other_end(row)) for row in rows]
    return render(headers, cells, paper)


def ports_table(rows: Sequence[PublishedRow], paper: OutputStyle) -> str:
    """Published ports with the rule, the proxy and the listener of each."""
    headers = ("PUBLISHED", "CONTAINER", "DNAT RULE", "HELD BY", "LISTENING")
    cells = [
        (
            f"{host_port(row.host_ip, row.host_port)}/{row.proto}",
            f"{row.container}:{row.container_port}",
            f"{_rule(row)} (by {row.by})" if row.by else _rule(row),
            _who(row.holders),
            _who(row.listeners),
        )
        for row in rows
    ]
    return render(headers, cells, paper)


def intentions(row: NetworkRow) -> list[str]:
    """What was asked of a network, in words; nothing for what nobody stated."""
    words = {
        "internal": row.internal,
        "no-icc": None if row.icc is None else not row.icc,
        "masquerade": row.masquerade,
        "isolated": row.isolated,
    }
    said = [word for word, value in words.items() if value]
    return said if row.mtu is None else [*said, f"mtu {row.mtu}"]


def shown_interfaces(row: ContainerRow) -> list[InterfaceRow]:
    """The interfaces worth a line: not ``lo`` where there are others, not the host's own, not another's."""
    if row.mode in {"host", "container"}:
        return []
    return [item for item in row.interfaces if item.name != "lo"] or list(row.interfaces)


def worth_showing(addresses: Sequence[str]) -> list[str]:
    """Addresses without IPv6 link-local ones (RFC 4291 §2.5.6), which every interface has; JSON has them all."""
    return [address for address in addresses if not address.startswith("fe80:")]


def host_port(address: str, port: int) -> str:
    """``address:port``, with brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _state(row: BridgeRow) -> str:
    if not row.up:
        return "down"
    return "up" if row.carrier else "up, no carrier"


def _of(network: str | None, engine: str | None) -> str:
    return f"{network} ({engine})" if network is not None else ""


def _port(port: PortRow) -> str:
    return f"{port.name} ({port.owner})" if port.owner is not None else port.name


def _nothing(row: ContainerRow) -> str:
    if row.mode == "host":
        return "the host's"
    if row.mode == "container":
        return "shared"
    return "not running" if row.pid is None and row.netns is None else UNSEEN


def _interface(item: InterfaceRow) -> tuple[str, ...]:
    peer = item.peer.name if item.peer is not None else item.note
    return (item.name, ", ".join(worth_showing(item.addresses)), item.network or "", item.bridge or "", peer)


def _other_end(row: VethRow) -> tuple[str, str, str]:
    if row.peer is None:
        return (row.note or UNSEEN, "", "")
    return (row.peer.owner, row.peer.name, str(row.peer.ifindex))


def _rule(row: PublishedRow) -> str:
    if row.rule is None:
        return UNSEEN if "rule" in row.unseen else "none"
    return f"{row.rule.table} {row.rule.chain} {row.rule.number}"


def _who(listeners: tuple[Listener, ...] | None) -> str:
    if listeners is None:
        return UNSEEN
    return ", ".join(f"{item.process or 'unknown'} on {item.address}" for item in listeners) or "nobody"
