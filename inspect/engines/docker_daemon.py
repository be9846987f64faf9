"""What the Docker daemon's own process and settings tell, where the API is silent.

Only whether it runs a userland proxy: that decides how a published port is
reached from the host itself, and no API tells it.  Nothing is changed.

Source: dockerd(8), ``userland-proxy`` in daemon.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from dnet_tui.inspect.procfs import ProcessSeen, read_argv

_DEFAULT_CONFIG = "/etc/docker/daemon.json"
_OPTION = "--userland-proxy"
_CONFIG = "--config-file"


def read_userland_proxy(processes: Iterable[ProcessSeen]) -> bool | None:
    """Whether the daemon on this host runs a proxy process for each published port; None when nothing tells.

    Best effort, in this order: a running ``docker-proxy``, the daemon's
    command line, its settings file.
    """
    seen = tuple(processes)
    if any(process.name == "docker-proxy" for process in seen):
        return True
    daemons = [process for process in seen if process.name == "dockerd"]
    if len(daemons) != 1:
        return None
    argv = read_argv(daemons[0].pid)
    told = parse_argv(argv)
    if told is not None:
        return told
    try:
        settings = Path(option(argv, _CONFIG) or _DEFAULT_CONFIG).read_bytes()
    except OSError:
        return None
    return parse_settings(settings)


def parse_argv(argv: tuple[str, ...]) -> bool | None:
    """What a dockerd's arguments say: ``--userland-proxy`` and ``--userland-proxy=false``."""
    if _OPTION in argv:
        return True
    return {"true": True, "false": False}.get(_joined(argv, _OPTION).lower())


def option(argv: tuple[str, ...], name: str) -> str:
    """An option's value, written ``--name=value`` or ``--name value``; empty when not given."""
    if name in argv[:-1]:
        return argv[argv.index(name) + 1]
    return _joined(argv, name)


def _joined(argv: tuple[str, ...], name: str) -> str:
    return next((arg.partition("=")[2] for arg in argv if arg.startswith(name + "=")), "")


def parse_settings(raw: bytes) -> bool | None:
    """What daemon.json says; None when it says nothing or isn't readable as JSON."""
    try:
        settings = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    value = settings.get("userland-proxy") if isinstance(settings, dict) else None
    return value if isinstance(value, bool) else None
