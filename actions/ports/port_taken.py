"""Whether a port of the host is free to be published.  Pure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.reception import redirected
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.errors import DnetError, UsageError
from dnet_tui.inspect.model import Container, Namespace, Snapshot, known_items
from dnet_tui.inspect.text.sanitize import clean

if TYPE_CHECKING:
    from dnet_tui.actions.ports.publish import PortRequest


def check_free(snapshot: Snapshot, host: Namespace, container: Container, request: PortRequest) -> None:
    """Refuse a port that somebody listens on, that is published already, or that a rule leads elsewhere.

    Raises:
        UsageError: it is so; the message says who has it.
    """
    port = f"{request.proto} port {request.host_port}"
    for item in known_items(snapshot.containers):
        for one in item.published if item.running else ():
            if (one.host_port, one.proto) == (request.host_port, request.proto) and _overlap(one.host_ip, request):
                same = item.id == container.id and one.container_port == request.container_port
                msg = f"{port} is published already, for {clean(item.name)} port {one.container_port}"
                raise UsageError(msg, "there is nothing to do" if same else "choose another port of the host")
    for socket in known_items(host.sockets):
        if (socket.port, socket.proto) == (request.host_port, request.proto) and _overlap(socket.address, request):
            who = clean(socket.process) if socket.process else "a program"
            pid = f" (pid {socket.pid})" if socket.pid else ""
            raise UsageError(f"{port} is taken: {who}{pid} listens on it", "choose another port of the host")
    words = _led_elsewhere(snapshot, request)
    if words:
        raise UsageError(f"{port} is taken: what comes for it is {words}", "choose another port of the host")


def _led_elsewhere(snapshot: Snapshot, request: PortRequest) -> str:
    """By which rule a packet for the port is led to somebody already, in words; empty where none does.

    Walked from outside and by the host's own programs, as far as that can be.
    """
    case = HostContext(snapshot)
    for source in ("host",) if request.host_ip.startswith("127.") else ("outside", "host"):
        with contextlib.suppress(DnetError):  # no uplink: then nobody comes from there
            ends = find(case, source), find(case, request.host_ip or "host")
            found = trace(case, *ends, proto=request.proto, port=request.host_port)
            words = redirected(found.forward)
            if words:
                return words
    return ""


def _overlap(address: str, request: PortRequest) -> bool:
    wild = {"0.0.0.0", "::", "*", ""}  # noqa: S104  compared with, not bound to
    return address in wild or not request.host_ip or address == request.host_ip
