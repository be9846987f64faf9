"""The processes that pass on published ports: docker-proxy and its rootless likeness.

Each forwards one host port to one container, in user space.  What it
forwards stands in its arguments; since Docker 28 it is handed the listening
socket itself (``-use-listen-fd``), with the same arguments.  The parser is
pure.

Source: moby, cmd/docker-proxy/main_linux.go (20.10 to 28).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import PortProxy
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.protocols import published_protocol

_NAMES = frozenset(name for kind in ENGINE_KINDS for name in kind.proxy_processes)


def find_proxies(processes: Iterable[ProcessSeen], argv: Callable[[int], tuple[str, ...]]) -> tuple[PortProxy, ...]:
    """The proxies among the processes, by host port; ``argv`` returns a process's arguments.

    One whose arguments don't tell what it forwards is left out: it may be
    anything of that name.
    """
    found = [
        proxy
        for process in processes
        if process.name in _NAMES
        and process.container is None
        and (proxy := parse_proxy(argv(process.pid), process.pid, namespace_id(process.inode))) is not None
    ]
    return tuple(sorted(found, key=lambda item: (item.proto, item.host_port, item.host_ip, item.pid)))


def parse_proxy(argv: tuple[str, ...], pid: int, netns: str) -> PortProxy | None:
    """What a proxy's arguments say; None when they aren't a proxy's."""
    options = _options(argv[1:])
    proto = published_protocol(options.get("proto", "tcp"))
    try:
        host_port, container_port = _port(options["host-port"]), _port(options["container-port"])
        host_ip, container_ip = _address(options["host-ip"]), _address(options["container-ip"])
    except (KeyError, ValueError):
        return None
    if proto is None:
        return None
    return PortProxy(
        pid=pid,
        netns=netns,
        proto=proto,
        host_ip=host_ip,
        host_port=host_port,
        container_ip=container_ip,
        container_port=container_port,
    )


def _options(words: tuple[str, ...]) -> dict[str, str]:
    """Go's flags: ``-name value``, ``--name value``, ``-name=value``, and ``-name`` alone for a boolean."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            found[name] = value
            name = "" if equals else name
        elif name:
            found[name] = word
            name = ""
    return found


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536):
        raise ValueError("not a port")
    return int(text)


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))
