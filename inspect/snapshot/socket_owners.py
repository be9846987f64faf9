"""Which process has a listening socket open.

Every descriptor of a process may be the one, so the processes in the
sockets' own namespaces are looked through first: hardly ever is it another.
Changes nothing; what may not be looked into has no name.  Source: proc(5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessTable, read_socket_owners
from dnet_tui.inspect.model import Socket
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading


def socket_namer(
    contents: Sequence[NamespaceReading], table: ProcessTable
) -> Callable[[tuple[Socket, ...]], tuple[Socket, ...]]:
    """Return a function that adds to sockets the process that has them open."""
    listening = {item.id for item in contents if item.sockets}
    likely = [process.pid for process in table.processes if namespace_id(process.inode) in listening]
    owners = read_socket_owners((socket.inode for item in contents for socket in item.sockets), likely)
    names = {process.pid: process.name for process in table.processes}

    def named(sockets: tuple[Socket, ...]) -> tuple[Socket, ...]:
        return tuple(
            msgspec.structs.replace(socket, pid=owner, process=names.get(owner, ""))
            if (owner := owners.get(socket.inode)) is not None
            else socket
            for socket in sockets
        )

    return named
