"""Listening sockets of the calling thread's namespace, by the best source there is.

sock_diag is some twenty times as fast and tells more; /proc/net is there on
kernels that are built without it.
"""

from __future__ import annotations

from dnet_tui.inspect.kernel.sockets import proc_net, sock_diag
from dnet_tui.inspect.model import Socket


def read_listening() -> tuple[Socket, ...]:
    """The listening sockets, without their processes.

    Raises:
        OSError: neither source could be read.
    """
    try:
        return sock_diag.read_listening()
    except OSError:
        return proc_net.read_sockets()
