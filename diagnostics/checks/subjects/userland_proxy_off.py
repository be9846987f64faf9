"""Published ports where the engine runs no proxy process: the kernel alone must lead them back.  Pure.

Without docker-proxy, Docker relies on three things that it sets itself:
br_netfilter for neighbours, hairpin mode for a container's own port, and
route_localnet for 127.0.0.1 (libnetwork's bridge driver).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, attachments
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.model import Link, Network, PublishedPort, known_items

_NF_CALL = "net.bridge.bridge-nf-call-iptables"


class ProxylessPort(msgspec.Struct, frozen=True, kw_only=True):
    """A container with published IPv4 ports on a network whose engine runs no proxy."""

    network: Network
    item: Attachment
    ports: tuple[PublishedPort, ...]
    neighbours: tuple[str, ...]
    """The other containers on that network."""


def published_without_proxy(case: HostContext) -> Iterator[ProxylessPort]:
    """The containers that are published without a proxy process, by the network their packets come over."""
    engines = {engine.name for engine in known_items(case.snapshot.engines) if engine.userland_proxy is False}
    for network in case.networks:
        if network.engine not in engines or network.internal or network.gateway_mode4 in {"routed", "isolated"}:
            continue
        items = attachments(case, network)
        for item in items:
            ports = tuple(port for port in item.member.container.published if ":" not in port.host_ip)
            if ports:
                names = tuple(other.name for other in items if other.member.namespace != item.member.namespace)
                yield ProxylessPort(network=network, item=item, ports=ports, neighbours=names)


def calls_iptables(case: HostContext, bridge: Link) -> bool:
    """Whether bridged IPv4 packets pass iptables here: the host's switch, or the bridge's own."""
    return case.sysctl(_NF_CALL) == "1" or (bridge.bridge is not None and bridge.bridge.nf_call_iptables)


def port_words(ports: tuple[PublishedPort, ...]) -> str:
    """The ports in words, such as ``8080/tcp, 53/udp``."""
    return ", ".join(f"{port.host_port}/{port.proto}" for port in ports[:6])
