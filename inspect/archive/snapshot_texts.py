"""The texts, subnets and names that are anywhere in a snapshot.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.inspect.model import Snapshot, known_items


def strings(value: object) -> Iterator[str]:
    """Every text in a snapshot."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from strings(getattr(value, field))


def subnets(snapshot: Snapshot) -> Iterator[str]:
    """Every address with its prefix, and every network's range."""
    for ns in known_items(snapshot.namespaces):
        yield from (address.cidr for address in known_items(ns.addresses))
    for network in known_items(snapshot.networks):
        yield from (subnet.cidr for subnet in network.subnets)


def processes(snapshot: Snapshot) -> Iterator[str]:
    """The names of processes."""
    for ns in known_items(snapshot.namespaces):
        yield from (process.name for process in ns.processes)
        yield from (socket.process for socket in known_items(ns.sockets))


def all_names(snapshot: Snapshot) -> Iterator[str]:
    """What no replacement may be called, so that it isn't taken for the original."""
    yield from (container.name for container in known_items(snapshot.containers))
    yield from (network.name for network in known_items(snapshot.networks))
    for ns in known_items(snapshot.namespaces):
        yield from ns.names
    yield from processes(snapshot)
