"""What one network namespace holds, between the reading of it and the resolving of its relations.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model import (
    Address,
    ChecksumCounts,
    ConntrackCounts,
    ConntrackEntry,
    FdbEntry,
    Link,
    NatPortUse,
    Neighbour,
    PolicyRule,
    ProxiedAddress,
    Route,
    Socket,
    TrafficFilter,
)
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.links import WireGuardDevice
from dnet_tui.inspect.model.routing import XfrmPolicy

AS_ROOT = "run as root (sudo dnet-tui …)"
"""The next step when something may not be looked into."""


class NamespaceReading(msgspec.Struct, kw_only=True):
    """What one namespace holds, as it was read.  Filled section by section, then left alone.

    ``nsids`` tells which namespace (by id) this one knows by a number;
    ``host_nsid`` is the number by which the host's knows this one; ``peers``
    is ethtool's word on a veth's peer, by the veth's ifindex.  ``cookie`` is
    the kernel's own name for the namespace, never used twice (None before
    Linux 5.14).  ``read_at`` and ``firewall_at`` are times as in a snapshot;
    ``generation`` is nftables' count of changes before its rules were read.
    """

    id: str
    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    policy_rules: tuple[PolicyRule, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[FdbEntry, ...] = ()
    sysctls: dict[str, str] = {}
    sockets: tuple[Socket, ...] = ()
    firewall: Firewall | None = None
    conntrack: tuple[ConntrackEntry, ...] = ()
    conntrack_udp: tuple[int, ...] | None = None
    conntrack_counts: ConntrackCounts | None = None
    nat_ports: tuple[NatPortUse, ...] | None = None
    checksums: ChecksumCounts | None = None
    proxied: tuple[ProxiedAddress, ...] = ()
    traffic_control: tuple[TrafficFilter, ...] = ()
    xfrm_policies: int | None = None
    xfrm: tuple[XfrmPolicy, ...] = ()
    wireguard: tuple[WireGuardDevice, ...] = ()
    nsids: dict[int, str] = {}
    host_nsid: int | None = None
    peers: dict[int, int] = {}
    gaps: list[Gap] = []
    cookie: int | None = None
    read_at: str = ""
    firewall_at: str = ""
    generation: int | None = None

    def miss(self, section: str, error: BaseException | str, hint: str = "") -> None:
        """Record that a section could not be read, or not in full."""
        if isinstance(error, OSError):
            reason = error.strerror or str(error) or type(error).__name__
        else:
            reason = str(error) or type(error).__name__
        hint = hint or (AS_ROOT if isinstance(error, PermissionError) else "")
        self.gaps.append(Gap(section=section, scope=self.id, reason=reason, hint=hint))
