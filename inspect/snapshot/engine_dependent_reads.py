"""Phase one's last part: what can only be read once the engines have told of their containers.

These are the containers' resolv.conf files, and the tracked UDP connections
to the ports that they publish.  Runs in the host's namespace.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dnet_tui.inspect.model import Container, Resolver
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.coverage.needs import SectionName
from dnet_tui.inspect.snapshot.read_namespace import ReadRequest

_UDP_PORTS = 64
"""Published UDP ports whose connections are looked at; each is a question to the kernel."""


class LateReadings(NamedTuple):
    """The containers with what was read of them, the host's own resolv.conf, and what could not be read."""

    containers: tuple[Container, ...]
    resolver: Resolver | None
    gaps: tuple[Gap, ...]


def read_late(containers: tuple[Container, ...], host: NamespaceReading | None, errand: ReadRequest) -> LateReadings:
    """Read on, as the ``errand`` wants it; connections are added to what was read of the host's namespace."""
    gaps: tuple[Gap, ...] = ()
    resolver = None
    if SectionName.NAMES in errand.sections:
        from dnet_tui.inspect.snapshot.resolvers import read_host_resolver, read_resolvers  # noqa: PLC0415 - only then

        containers, gaps = read_resolvers(containers)
        resolver, more = read_host_resolver()
        gaps += more
    else:
        containers = tuple(msgspec.structs.replace(item, resolver=None) for item in containers)
    if SectionName.CONNTRACK not in errand.sections or errand.conntrack or host is None:
        return LateReadings(containers, resolver, gaps)
    ports = {port.host_port for item in containers if item.running for port in item.published if port.proto == "udp"}
    if ports:
        from dnet_tui.inspect.snapshot.read_sections import collect_udp  # noqa: PLC0415 - only when wanted

        collect_udp(host, sorted(ports)[:_UDP_PORTS])
    return LateReadings(containers, resolver, gaps)
