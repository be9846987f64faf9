"""Whether whoever received a packet is a paused container, whose processes answer nothing.  Pure.

The kernel goes on in their place: it completes the handshake of TCP, as long
as its queue has room, acknowledges data, keeps datagrams, and answers echoes.
"""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.packet import Walk
from dnet_tui.inspect.model import Container, Socket, known_items
from dnet_tui.inspect.text.sanitize import clean

PAUSED = "paused"
"""The status of such a container, in the words of Docker and Podman alike."""


class PausedReceiver(NamedTuple):
    """The paused containers by name, and whether it is certainly one of them that has the socket."""

    names: tuple[str, ...]
    certain: bool
    proto: str

    @property
    def text(self) -> str:
        """What that means, in words."""
        who = clean(" and ".join(self.names))
        verb = ("is" if self.certain else "may have the socket, and is") if len(self.names) == 1 else "are"
        does = "the kernel takes the connection" if self.proto == "tcp" else "the kernel keeps the datagram"
        return f"{who} {verb} paused: {does}, but no process reads it or answers"


def paused_receiver(case: HostContext, walk: Walk) -> PausedReceiver | None:
    """Who received a packet for a socket, where that is, or may be, a paused container; None for everybody else."""
    if walk.end != "delivered" or walk.last.proto not in {"tcp", "udp"}:
        return None
    here = [item for item in case.view.containers_in(walk.last_namespace) if item.running]
    asleep = [item for item in here if item.status == PAUSED]
    if not asleep:
        return None
    ns = case.view.namespaces[walk.last_namespace]
    pids = {item.pid for item in known_items(ns.sockets) if _is_for(item, walk)}
    if ns.kind == "host":
        asleep = [item for item in asleep if item.pid in pids]  # whose the other processes are can't be told
        return _found(asleep, walk, certain=len(pids) == 1) if asleep else None
    awake = [item for item in here if item.status != PAUSED]
    if any(item.pid in pids for item in awake):
        return None
    owners = [item for item in asleep if item.pid in pids]
    return _found(owners or asleep, walk, certain=bool(owners) or not awake)


def _found(containers: list[Container], walk: Walk, *, certain: bool) -> PausedReceiver:
    names = tuple(dict.fromkeys(item.name for item in containers))
    return PausedReceiver(names=names, certain=certain, proto=walk.last.proto)


def _is_for(socket: Socket, walk: Walk) -> bool:
    return (socket.proto, socket.port) == (walk.last.proto, walk.last.dport)
