"""The SSH session we are run from, as a filter expression: a capture of it would feed itself.

``SSH_CONNECTION`` is sshd's word on it (sshd(8): client address, client port,
server address, server port).  sudo takes it out of the environment, so the
environments of our ancestors are asked too.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

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
    """The nearest ancestor's ``SSH_CONNECTION``; empty when none has it or may be read."""
    pid = os.getppid()
    for _ in range(_GENERATIONS):
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        except OSError:
            return ""
        for variable in variables:
            name, _, value = variable.partition(b"=")
            if name == b"SSH_CONNECTION":
                return value.decode("ascii", "replace")
        parents = [line.split()[1] for line in status.splitlines() if line.startswith("PPid:")]
        pid = int(parents[0]) if parents else 0
        if pid == 0:
            return ""
    return ""
