"""The few requests by which Docker is changed: its networks made, looked at and removed.

The same client as reading uses, with the two methods that write.  Source:
Docker Engine API 1.41 to 1.52 (NetworkList, NetworkInspect, NetworkCreate,
NetworkDelete).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from dnet_tui.inspect.engines.api_source import refusal, refusal_words
from dnet_tui.inspect.engines.docker.read_api import find_socket
from dnet_tui.inspect.engines.unix_http import NotHttpError, TooLargeError, UnixHttp
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.json_access import fields, items
from dnet_tui.inspect.text.sanitize import clean

_LIMIT = 30
"""Seconds that the engine may take for all its answers."""
_LOCAL = "unix://"


class DockerApi(UnixHttp):
    """Docker's networks.  What it refuses is an :class:`ActionFailedError` in its own words."""

    def networks_named(self, name: str) -> list[Mapping[str, Any]]:
        """The networks of exactly that name, as the list has them."""
        wanted = quote(json.dumps({"name": [name]}))
        found = items(self._asked("GET", f"/networks?filters={wanted}"))
        return [network for item in found if (network := fields(item)).get("Name") == name]

    def network(self, ident: str) -> Mapping[str, Any]:
        """One network with all its attributes."""
        return fields(self._asked("GET", f"/networks/{quote(ident, safe='')}"))

    def create(self, settings: Mapping[str, Any]) -> str:
        """Make a network and return its id."""
        return str(fields(self._asked("POST", "/networks/create", settings)).get("Id", ""))

    def remove(self, ident: str) -> None:
        """Remove a network."""
        self._asked("DELETE", f"/networks/{quote(ident, safe='')}")

    def _asked(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:
        status, answer = self._exchange(method, target, json.dumps(body).encode() if body is not None else None)
        if not 200 <= status < 300:
            msg = f"Docker refused: {clean(refusal_words(answer) or refusal(status, answer))}"
            raise ActionFailedError(msg)
        return json.loads(answer) if answer.strip() else None


@contextmanager
def docker_api(socket: str) -> Iterator[DockerApi]:
    """Docker at a socket; without one at the usual place.  Its failures become the user's."""
    place = socket.removeprefix(_LOCAL) or find_socket("", os.environ)[0]
    try:
        if not place.startswith("/"):
            raise FileNotFoundError("it has no socket on this host")
        with DockerApi(place, time.monotonic() + _LIMIT) as api:
            yield api
    except (OSError, ValueError, RecursionError, NotHttpError, TooLargeError) as error:
        words = getattr(error, "strerror", None) or str(error) or "it took too long"
        msg = f"Docker does not answer: {clean(words)}"
        raise ActionFailedError(msg, "see `systemctl status docker`; --engine linux needs no engine") from error
