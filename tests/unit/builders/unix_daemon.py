"""A server that speaks HTTP on a Unix socket, as engines do: sound, broken or silent as a test wants it."""

from __future__ import annotations

import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

Reply = tuple[int, bytes] | None
"""Status and body; None: never answer."""


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for a socket's path."""
    folder = Path(tempfile.mkdtemp(prefix="dnet-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def daemon(
    place: Path, reply: Callable[[str], Reply], write: Callable[[str, str, bytes], Reply] | None = None
) -> Iterator[None]:
    """Serve HTTP on a Unix socket; a handler that shall not answer waits until the end.

    ``write`` answers POST and DELETE: it gets the method, the path and the body.
    """
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(reply(self.path))

        def do_POST(self) -> None:
            self._write()

        def do_DELETE(self) -> None:
            self._write()

        def _write(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(write(self.command, self.path, body) if write is not None else (405, b""))

        def _answer(self, said: Reply) -> None:
            if said is None:
                over.wait(20)
                self.close_connection = True
                return
            status, body = said
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "local"

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what is tested."""

    server = Server(str(place), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
