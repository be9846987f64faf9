"""The names of containers and networks, quickly: for completion in a shell, which waits a tenth of a second.

Nothing is started for it: a service that systemd would start is not called,
Podman's containers are read from its store.  What isn't there, or doesn't
answer in time, has no names.  Sources: Docker Engine API v1.41 (GET
/containers/json, /networks), containers-storage (containers.json), ip-netns(8).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dnet_tui.inspect.engines.protocol import EngineReader
from dnet_tui.inspect.engines.unix_http import NotHttpError, TooLargeError, UnixHttp

TIME = 0.08
"""Seconds for all answers."""

_LONGEST = 8 << 20
"""Bytes of a store's list that are read."""


class EngineNames(NamedTuple):
    """Names, sorted."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]


def quick_names(
    engines: Iterable[EngineReader],
    environment: Mapping[str, str],
    *,
    root: Path = Path("/"),
    seconds: float = TIME,
) -> EngineNames:
    """Ask the engines that listen, read Podman's store and the named namespaces below ``root``."""
    deadline = time.monotonic() + seconds
    containers, networks = {*_named(root / "run/netns"), *_stored(root, environment)}, set[str]()
    for engine in engines:
        for place in engine.event_sockets(environment):
            if place.lasting:
                listed = list(_asked(place.path, deadline))
                containers.update(name for kind, name in listed if kind == "container")
                networks.update(name for kind, name in listed if kind == "network")
    return EngineNames(tuple(sorted(containers)), tuple(sorted(networks)))


def _asked(path: str, deadline: float) -> Iterator[tuple[str, str]]:
    try:
        with UnixHttp(path, deadline) as http:
            for item in _array(http.get("/containers/json?all=true")):
                names = item.get("Names")
                yield from (("container", name.lstrip("/")) for name in names or () if isinstance(name, str))
            for item in _array(http.get("/networks")):
                yield "network", str(item.get("Name", ""))
    except (OSError, NotHttpError, TooLargeError):
        return


def _array(answer: tuple[int, bytes]) -> Iterator[dict[str, Any]]:
    status, body = answer
    try:
        told = json.loads(body) if status == 200 else []
    except ValueError:
        return
    yield from (item for item in (told if isinstance(told, list) else ()) if isinstance(item, dict))


def _named(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names alone are wanted
    except OSError:
        return set()


def _stored(root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    homes = [root / "var/lib/containers/storage"] if os.geteuid() == 0 else []
    if environment.get("HOME", "").startswith("/"):
        homes.append(Path(environment["HOME"]) / ".local/share/containers/storage")
    for home in homes:
        for file in sorted(home.glob("*-containers/containers.json")):
            try:
                with file.open("rb") as opened:
                    yield from _of_store(opened.read(_LONGEST))
            except OSError:
                continue


def _of_store(data: bytes) -> Iterator[str]:
    for item in _array((200, data)):
        names = item.get("names")
        yield from (name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))
