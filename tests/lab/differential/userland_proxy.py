"""A proxy as docker-proxy is one: it takes connections on a host's port and makes its own to a container.

Run as a program with docker-proxy's own options; says ``ready`` once it listens.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path


def main() -> None:
    """Listen and pass on, until killed."""
    words = sys.argv[1:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    Path("/proc/self/comm").write_text("docker-proxy", encoding="ascii")
    listener = socket.create_server((options["-host-ip"], int(options["-host-port"])))
    print("ready", flush=True)
    target = (options["-container-ip"], int(options["-container-port"]))
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve, args=(client, target), daemon=True).start()


def _serve(client: socket.socket, target: tuple[str, int]) -> None:
    with client, contextlib.suppress(OSError), socket.create_connection(target, timeout=20) as backend:
        back = threading.Thread(target=_copy, args=(backend, client), daemon=True)
        back.start()
        _copy(client, backend)
        back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
