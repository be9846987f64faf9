"""HTTP over a Unix socket, within a deadline: the client of every engine's API.

Readers only ever ``GET``.  The standard library does the talking: an SDK costs
more to import than a whole reading takes.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import http.client

MOST = 64 << 20
"""Bytes of an answer that are read; 10,000 containers take some 60 MB."""

_PIECE = 1 << 16


class TooLargeError(Exception):
    """An answer is larger than :data:`MOST`."""


class NotHttpError(Exception):
    """What answers doesn't speak HTTP."""


class UnixHttp:
    """A connection to an HTTP server on a Unix socket.  Use as a context manager.

    ``deadline`` is on the clock of :func:`time.monotonic`.  Whatever is asked
    raises OSError (TimeoutError, ConnectionRefusedError, PermissionError …)
    or :class:`NotHttpError` when the server isn't one.
    """

    def __init__(self, path: str, deadline: float) -> None:
        self._path = path
        self._deadline = deadline
        self._http: http.client.HTTPConnection

    def __enter__(self) -> Self:
        connected = self._connected()
        import http.client  # noqa: PLC0415 - 15 ms, and only where somebody is there to talk to

        self._http = http.client.HTTPConnection("engine")
        self._http.sock = connected
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _connected(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._remaining())
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return sock

    def get(self, target: str) -> tuple[int, bytes]:
        """Ask for ``target`` (path and query) and return the status and the body.

        Raises:
            OSError: the connection failed, or the time is up.
            NotHttpError: the answer isn't HTTP.
            TooLargeError: the answer is larger than :data:`MOST`.
        """
        return self._exchange("GET", target)

    def _exchange(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request and its answer; ``body`` is JSON.  Raises as :meth:`get`."""
        import http.client  # noqa: PLC0415 - as above

        try:
            return self._request(method, target, body)
        except http.client.HTTPException as error:
            raise NotHttpError(str(error) or type(error).__name__) from error

    def _request(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        if self._http.sock is None:  # the server closed after its last answer
            self._http.sock = self._connected()
        self._limit()
        self._http.request(method, target, body, {"Content-Type": "application/json"} if body is not None else {})
        response = self._http.getresponse()
        pieces: list[bytes] = []
        size = 0
        while piece := response.read1(_PIECE):
            size += len(piece)
            if size > MOST:
                raise TooLargeError(f"an answer of more than {MOST >> 20} MB")
            pieces.append(piece)
            self._limit()
        response.close()  # else the client waits for more of a body whose length was told
        return response.status, b"".join(pieces)

    def _limit(self) -> None:
        if self._http.sock is not None:  # the response keeps the socket when the server is to close it
            self._http.sock.settimeout(self._remaining())
        else:
            self._remaining()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def socket_exists(path: str) -> bool:
    """Whether something is at ``path``; a place that may not be looked into counts, so that it gets its gap."""
    try:
        return Path(path).exists()
    except OSError:
        return True
