"""What a reader of a snapshot needs of it: which sections, and of which namespaces.  Pure.

Each command says it, and nothing else is read of the host.  What was left out
is never taken for empty: it is an ``Unread`` whose reason is that it was not
asked for.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class SectionName(StrEnum):
    """The parts of a namespace, or of the host, that are read each on its own; named as gaps name them."""

    LINKS = "links"
    ADDRESSES = "addresses"
    ROUTES = "routes"
    POLICY_RULES = "policy-rules"
    NEIGHBOURS = "neighbours"
    FDB = "fdb"
    TRAFFIC_CONTROL = "traffic-control"
    SYSCTLS = "sysctls"
    SOCKETS = "sockets"
    CONNTRACK = "conntrack"
    FIREWALL = "firewall"
    XFRM = "xfrm"
    WIREGUARD = "wireguard"
    CHECKSUMS = "checksums"
    NAT_PORTS = "nat-ports"
    NAMES = "names"
    FIREWALLD = "firewalld"
    LOG = "log"


class Needs(msgspec.Struct, frozen=True):
    """The sections to read of every namespace, and those to read besides of the host's own.

    The links of every namespace and the engines' names, containers and
    networks are always read: without them nothing has a name or a place.
    ``names`` (resolv.conf), ``firewalld`` and ``log`` are the whole host's
    and count wherever they stand; ``nat-ports`` is the host's namespace's alone.
    """

    everywhere: frozenset[SectionName] = frozenset()
    host: frozenset[SectionName] = frozenset()

    @property
    def sections(self) -> frozenset[SectionName]:
        """All that are read of any namespace."""
        return self.everywhere | self.host | {SectionName.LINKS}

    def of(self, *, is_host: bool) -> frozenset[SectionName]:
        """The sections to read of the host's namespace, or of another one."""
        return self.sections if is_host else (self.everywhere | {SectionName.LINKS}) - {SectionName.NAT_PORTS}

    def includes(self, section: str) -> bool:
        """Whether a gap of this section is one of something that was asked for."""
        return section not in _OPTIONAL or section in self.sections


_OPTIONAL = frozenset(SectionName) - {SectionName.LINKS}

MAP = Needs(everywhere=frozenset({SectionName.ADDRESSES}))
"""What is connected to what, with addresses."""

EVERYTHING = Needs(everywhere=frozenset(SectionName))
"""What there is to read; what the doctor judges by."""
