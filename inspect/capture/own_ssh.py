"""The SSH session we are run from, as a filter expression: a capture of it would feed itself.

``SSH_CONNECTION`` is sshd's word on it (sshd(8): client address, client port,
server address, server port).  sudo takes it out of the environment, so the
environments of our ancestors are asked too.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from contextlib import suppress

_GENERATIONS = 32


def own_ssh_filter(environ: Mapping[str, str] | None = None) -> str:
    """An expression that matches the packets of our own SSH session; empty when there is none.

    Args:
        environ: the environment to read; by default our own and then our ancestors'.
    """
    if environ is not None:
        return parse_ssh_connection(environ.get("SSH_CONNECTION", ""))
    return parse_ssh_connection(os.environ.get("SSH_CONNECTION", "") or _inherited())


def parse_ssh_connection(text: str) -> str:
    """The filter expression for a value of ``SSH_CONNECTION``; empty when it isn't one."""
    words = text.split()
    if len(words) != 4:
        return ""
    try:
        client, server = (ipaddress.ip_address(word.partition("%")[0]) for word in (words[0], words[2]))
        client_port, server_port = (int(word) for word in (words[1], words[3]))
    except ValueError:
        return ""
    if not (0 < client_port < 65536 and 0 < server_port < 65536):
        return ""
    return f"tcp and host {client} and port {client_port} and host {server} and port {server_port}"


def _inherited() -> str:
    """The nearest ancestor's ``SSH_CONNECTION``; empty when none has it or may be read.

    psutil takes a process for a parent only if it is the older one, so that a number that was given away again
    leads to nobody else's session.
    """
    import psutil  # noqa: PLC0415 - 15 ms, wanted by captures alone

    try:
        process: psutil.Process | None = psutil.Process(os.getppid())
        for _ in range(_GENERATIONS):
            if process is None:
                return ""
            with suppress(psutil.AccessDenied):  # sudo's own process, to its user
                value = process.environ().get("SSH_CONNECTION", "")
                if value:
                    return value.encode("utf-8", "surrogateescape").decode("ascii", "replace")
            process = process.parent()
    except psutil.Error:
        return ""
    return ""
