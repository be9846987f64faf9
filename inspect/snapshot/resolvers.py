"""Reads the resolv.conf that an engine wrote for each container, and the host's own.

The engine says where a container's file is: below its own data folder on
the host.  The container can write into it, and who answers at an engine's
socket is nobody's word, so only an ordinary file of that very name is
opened, never a link or a device, and little of it is read.  Nothing is
looked up in a container's own file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePosixPath

import msgspec

from dnet_tui.inspect.kernel.read_file import read_beginning
from dnet_tui.inspect.kernel.resolv_conf import LARGEST, parse_resolv_conf
from dnet_tui.inspect.model import Container
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.namespace_reading import AS_ROOT
from dnet_tui.inspect.model.name_servers import Resolver
from dnet_tui.inspect.text.encoding import storable

HOST_FILE = "/etc/resolv.conf"

STUB = "127.0.0.53"
"""Where systemd-resolved listens.  A file that names nobody else is its own stub."""

RESOLVED_FILE = "/run/systemd/resolve/resolv.conf"
"""Where systemd-resolved names the servers it asks itself."""

_NAME = "resolv.conf"


def read_host_resolver() -> tuple[Resolver | None, tuple[Gap, ...]]:
    """The host's resolv.conf (None without one); where it is systemd-resolved's stub, ``based_on`` is its full one."""
    try:
        resolver = parse_resolv_conf(read_beginning(HOST_FILE, LARGEST), HOST_FILE)
    except FileNotFoundError:
        return None, ()
    except OSError as error:
        return None, (Gap(section="names", reason=f"{HOST_FILE} can't be read: {error.strerror or error}"),)
    if resolver.servers != (STUB,):
        return resolver, ()
    try:
        full = parse_resolv_conf(read_beginning(RESOLVED_FILE, LARGEST), RESOLVED_FILE)
    except OSError:
        return resolver, ()
    return msgspec.structs.replace(resolver, based_on=full.source), ()


def read_resolvers(containers: Iterable[Container]) -> tuple[tuple[Container, ...], tuple[Gap, ...]]:
    """The containers with what their resolv.conf says, where it could be read; a gap for each engine of the others.

    A container comes in with no more than the path that its engine told.
    """
    found: list[Container] = []
    failed: dict[str, list[str]] = {}
    for container in containers:
        if container.resolver is None:
            found.append(container)
            continue
        resolver: Resolver | None = None
        if container.running:
            try:
                resolver = _of_container(container.resolver.source)
            except OSError as error:
                failed.setdefault(container.engine, []).append(storable(error.strerror or str(error)))
        found.append(msgspec.structs.replace(container, resolver=resolver))
    gaps = tuple(
        Gap(
            section="names",
            scope=engine,
            reason=f"the resolv.conf of {len(reasons)} of its containers could not be read: {reasons[0]}",
            hint=AS_ROOT if os.geteuid() != 0 else "",
        )
        for engine, reasons in sorted(failed.items())
    )
    return tuple(found), gaps


def _of_container(path: str) -> Resolver:
    """What is in a container's file.

    Raises:
        OSError: it isn't there, isn't an ordinary file of that name, or may not be read.
    """
    place = PurePosixPath(path)
    if not place.is_absolute() or place.name != _NAME or ".." in place.parts:
        raise OSError("the engine names a file that isn't a resolv.conf")
    return parse_resolv_conf(read_beginning(path, LARGEST, follow=False), path)
