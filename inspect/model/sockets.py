"""The model of who listens and of what conntrack knows.  Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.links import Family, ModelStruct


class TunProgram(ModelStruct, frozen=True, kw_only=True):
    """A program at the other end of a TUN or TAP device (or macvtap), with the namespace that the device is in."""

    netns: str
    link: str
    pid: int
    name: str = ""


class Socket(ModelStruct, frozen=True, kw_only=True):
    """A listening socket.  ``address`` is ``0.0.0.0`` or ``::`` for any.

    ``v6only`` (``IPV6_V6ONLY``) decides whether one on ``::`` takes IPv4 too;
    None for an IPv4 socket and where it wasn't told.  ``ifindex`` is the link
    it is bound to (``SO_BINDTODEVICE``), if any.  ``uid`` is whose it is;
    ``transparent`` whether it may have others' addresses (``IP_TRANSPARENT``);
    None where that wasn't told.
    """

    proto: Literal["tcp", "udp", "sctp"]
    address: str
    port: int
    inode: int = 0
    pid: int | None = None
    process: str = ""
    v6only: bool | None = None
    ifindex: int | None = None
    uid: int | None = None
    transparent: bool | None = None


class ConntrackTuple(ModelStruct, frozen=True, kw_only=True):
    """One direction of a tracked connection.

    Ports are those of TCP, UDP, SCTP and DCCP (GRE's keys stand in their
    place); None where the protocol has none.  ``icmp_id``, ``icmp_type`` and
    ``icmp_code`` are ICMP's and ICMPv6's.  ``zone`` is set where the
    direction has a zone of its own.
    """

    src: str
    dst: str
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None
    zone: int | None = None


class ConntrackCounts(ModelStruct, frozen=True, kw_only=True, tag_field="read", tag="yes"):
    """What connection tracking of one namespace has counted since it began, over all processors.

    ``invalid`` packets belong to no connection and open none.
    ``insert_failed``: two packets at once wanted the same connection, and one
    of them was dropped.  ``drop``: packets dropped because the table was full
    or for such a failure.  ``early_drop``: entries that had to make room.

    Source: linux/netfilter/nf_conntrack_common.h, ``struct ip_conntrack_stat``.
    """

    invalid: int = 0
    insert_failed: int = 0
    drop: int = 0
    early_drop: int = 0


class ConntrackEntry(ModelStruct, frozen=True, kw_only=True):
    """A connection as the kernel tracks it, both ways.

    ``proto`` is a name (``tcp``, ``udp``, ``icmp``, ``icmpv6`` …) or the
    protocol's number.  ``state`` is the protocol's own (``ESTABLISHED`` …),
    empty where it has none.  ``status`` holds the names of the ``IPS_*`` bits
    (``seen-reply``, ``assured``, ``src-nat``, ``dst-nat`` …); ``timeout`` is
    in seconds, None when the entry doesn't tell (one that is offloaded).
    ``closing``: one end of a connection of TCP has closed it by FIN.
    """

    family: Family
    proto: str
    original: ConntrackTuple
    reply: ConntrackTuple
    state: str = ""
    status: tuple[str, ...] = ()
    mark: int = 0
    timeout: int | None = None
    zone: int = 0
    id: int = 0
    closing: bool = False


class NatPortUse(ModelStruct, frozen=True, kw_only=True):
    """The source ports that translated connections to one destination take.

    ``source`` is the address that they are translated to, ``target`` and
    ``port`` what they lead to.  Not ``complete``: there are at least
    ``count``, more could not be counted in the time that this gets.
    ``refused`` is the likelihood, from 0 to 1, that a new connection finds no
    port among those; None where nobody worked it out.
    """

    family: Family
    proto: str
    source: str
    target: str
    port: int
    count: int
    complete: bool = True
    refused: float | None = None


class KernelCounters(ModelStruct, frozen=True, kw_only=True, tag_field="read", tag="yes"):
    """What one namespace's protocols have counted since it began, and the machine's receive queues since it booted.

    ``values`` by name: ``Ip.InDiscards``, ``TcpExt.ListenDrops`` as in
    /proc/net/snmp and netstat, and ``softnet.dropped`` of all processors.
    """

    values: dict[str, int] = msgspec.field(default_factory=dict)


class ChecksumCounts(ModelStruct, frozen=True, kw_only=True, tag_field="read", tag="yes"):
    """What one namespace's TCP and UDP have received since it began, and how much of it had a wrong checksum.

    TCP's are those of IPv4 and IPv6 together, UDP's of IPv4.  Source: proc(5),
    /proc/net/snmp (``InSegs``, ``InDatagrams``, ``InCsumErrors``).
    """

    tcp: int = 0
    tcp_bad: int = 0
    udp: int = 0
    udp_bad: int = 0
