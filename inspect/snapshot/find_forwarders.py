"""Looks for programs that pass on connections: reads arguments and connections; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dnet_tui.inspect.engines.forwarders import find_by_sockets, find_pasta, find_rootlesskit
from dnet_tui.inspect.engines.rootless import ArgvCache
from dnet_tui.inspect.kernel.procfs import ProcessTable, read_argv, read_socket_owners
from dnet_tui.inspect.kernel.sockets.connections import read_connections
from dnet_tui.inspect.model import Forwarder, Namespace, Network, known_items

_MOST_RANGES = 64


def find_forwarders(
    table: ProcessTable, spaces: Mapping[str, Namespace], networks: tuple[Network, ...], host: str
) -> tuple[Forwarder, ...]:
    """All of them, as far as they can be seen; what can't be read is left out: then nothing is known of it."""
    sockets = {key: known_items(ns.sockets) for key, ns in spaces.items()}
    found = [
        *find_pasta(table.processes, read_argv, ArgvCache(read_argv).inode_at),
        *find_rootlesskit(table.processes, sockets),
    ]
    ranges = [subnet.cidr for network in networks if network.bridge for subnet in network.subnets][:_MOST_RANGES]
    listening = sockets.get(host, ())
    if ranges and listening:
        try:
            connections = read_connections(ranges)
        except (OSError, ValueError):
            connections = ()
        pids = {item.pid for item in listening if item.pid is not None} - {os.getpid()}
        owners = read_socket_owners({item.inode for item in connections}, pids) if connections else {}
        found += find_by_sockets(host, listening, connections, owners)
    return tuple(found)
