"""Asking an engine's HTTP API on a Unix socket for all there is to know.  Only ``GET`` is spoken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from dnet_tui.inspect.engines.api_reading import EngineRefusedError, Received
from dnet_tui.inspect.engines.unix_http import UnixHttp
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import fields, items, string

_BAD_REQUEST, _NOT_FOUND = 400, 404


class Targets(NamedTuple):
    """The paths of an API.  ``version`` is empty where /info tells it too; ``container`` has a place for an id.

    Of ``bases``, the version prefixes, the first is taken that the engine
    doesn't refuse as a bad request.
    """

    version: str
    info: str
    networks: str
    containers: str
    container: str
    bases: tuple[str, ...] = ("",)
    services: str = ""
    """Where a swarm's manager tells of services; empty: there are none."""


class ApiSource:
    """An engine's API at one socket; ``label`` is what messages call it."""

    def __init__(self, socket: str, label: str, targets: Targets) -> None:
        self.socket = socket
        self.label = label
        self._targets = targets

    def ask(self, received: Received, deadline: float) -> None:
        """Ask for the engine, the networks, the containers and each one's details, in this order."""
        targets = self._targets
        with UnixHttp(self.socket, deadline) as http:
            if targets.version:
                received.version = document(*http.get(targets.version))
            base = ""
            for base in targets.bases:
                status, body = http.get(base + targets.info)
                if status != _BAD_REQUEST:
                    break
            received.info = document(status, body)
            received.networks = document(*http.get(base + targets.networks))
            received.listed = document(*http.get(base + targets.containers))
            for container in ids(received.listed):
                status, body = http.get(base + targets.container.format(quote(container, safe="")))
                if status == _NOT_FOUND:
                    received.gone[container] = None
                    continue
                try:
                    received.details[container] = document(status, body)
                except (
                    EngineRefusedError,
                    ValueError,
                    RecursionError,
                ) as error:  # one that can't be told of: the others go on
                    received.failed[container] = storable(str(error))
            if targets.services and fields(fields(received.info).get("Swarm")).get("ControlAvailable") is True:
                with suppress(EngineRefusedError, ValueError, RecursionError):  # then their names are missing
                    received.services = document(*http.get(base + targets.services))


def document(status: int, body: bytes) -> Any:
    """The JSON document of an answer.

    Raises:
        EngineRefusedError: the answer is an error.
        ValueError: it isn't JSON.
    """
    if status != 200:
        raise EngineRefusedError(refusal(status, body))
    return json.loads(body)


def refusal(status: int, body: bytes) -> str:
    """What an answer that is an error says."""
    said = refusal_words(body)
    return f"HTTP {status}" + (f": {said}" if said else "")


def refusal_words(body: bytes) -> str:
    """An engine's own words in an answer that is an error; empty when there are none."""
    try:
        return string(fields(json.loads(body)).get("message"))
    except (ValueError, RecursionError):
        return ""


def ids(listed: Any) -> Iterator[str]:
    """The ids in a list of containers."""
    return (name for item in items(listed) if (name := string(fields(item).get("Id"))))
