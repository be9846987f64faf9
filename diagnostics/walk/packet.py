"""The packet that walks, and the answers the walk can give.  Pure data.

``None`` always means "not known"; "doesn't apply" is the empty string or zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from dnet_tui.inspect.model import LinkRef

CtState = Literal["NEW", "ESTABLISHED", "RELATED", "UNTRACKED", "INVALID"]

End = Literal[
    "delivered",
    "left",
    "refused",
    "dropped",
    "rejected",
    "no-route",
    "unreachable",
    "looped",
    "too-big",
    "unknown",
]
"""How a walk ended.  ``left``: out of the host by an uplink, which is as far as can be seen.

``too-big``: longer than a link or route on its way takes, and not to be fragmented.
"""

_INTERFACE_KEY = re.compile(r"net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\.\w+")

Truth = bool | None
"""Three-valued: None is "can't be decided from the snapshot"."""


class WalkStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the walk's values."""


class Established(WalkStruct, frozen=True, kw_only=True, cache_hash=True):
    """The socket that a connection's receiver has, once it is open: where, for which tuple, and of which kind."""

    namespace: str
    ends: tuple[str, str, int | None, int | None]
    """Source, destination, source port, destination port, as the receiver got the first packet."""
    transparent: Truth
    """Whether it may have others' addresses (``IP_TRANSPARENT``)."""


class Packet(WalkStruct, frozen=True, kw_only=True, cache_hash=True):
    """A packet of a flow or of its reply, the first one unless it is ``later``, as a hook sees it.

    ``iif``/``oif`` are empty where the hook has none; ``physin``/``physout``
    are the bridge ports when br_netfilter calls the IP hooks.  ``original`` is
    the connection's original tuple (src, dst, dport), for matches on it.
    """

    family: Literal["ip", "ip6"] = "ip"
    src: str
    dst: str
    proto: str
    sport: int | None = 0
    """None when NAT chose one that nobody can foretell."""
    sports: tuple[int, int] | None = None
    """From where to where a source port is that isn't known, where at least that is."""
    dport: int | None = 0
    """None in the answer to such a packet."""
    icmp_type: int = 0
    icmp_code: int = 0
    tcp_flags: tuple[str, ...] = ()
    iif: str = ""
    oif: str = ""
    physin: str = ""
    physout: str = ""
    mark: int | None = 0
    ctmark: int | None = 0
    ctstate: CtState = "NEW"
    reply: bool = False
    """Whether it travels in the connection's reply direction."""
    later: bool = False
    """Whether packets went both ways before it: those that opened the connection."""
    dnatted: bool = False
    snatted: bool = False
    original: tuple[str, str, int] | None = None
    orig_sport: int | None = None
    answered: tuple[str, str, int | None, int | None] | None = None
    """The tuple of the connection's answers (src, dst, sport, dport); None where it follows from the packet."""
    ctproto: str = ""
    """The connection's protocol, where it may differ from the packet's."""
    mac: str | None = None
    """The source address of the frame it is in; empty for a packet that isn't in one."""
    mac_to: str | None = None
    """Whom that frame is for."""
    ibrname: str = ""
    """The bridge of the port it came by, in the bridge family's hooks; ``obrname`` of that it leaves by."""
    obrname: str = ""
    length: int = 0
    """Bytes of the whole packet, IP header included; 0: short enough for every link."""
    df: bool | None = None
    """Don't Fragment (IPv6: not by its sender either); None: as Linux sends by itself."""
    fragment: int = 0
    """Bytes of its longest fragment, where it travels in fragments."""
    tos: int | None = 0
    """IPv4's type of service, IPv6's traffic class; a packet has 0 unless its program asks for something else."""
    ttl: int | None = None
    """The hop limit; None for a packet that came from elsewhere."""
    mss: int | None = None
    """What a TCP packet that opens a connection says is its longest segment; None: not known."""
    priority: int | None = 0
    uid: int | None = None
    """Whose socket sent it; None: nobody knows, or nobody's (``by_kernel``)."""
    by_kernel: bool = False
    """The kernel made it of itself: a refusal, an ICMP message."""
    bare: Truth = False
    """Whether no socket at all hangs on it, though it is sent here: around what came from elsewhere, or ARP's."""
    zone: int | None = 0
    """The conntrack zone that a rule has put it into, for the connection's first direction."""
    reply_zone: int | None = 0
    """The same for the other direction (``CT --zone-reply``); mostly the same zone."""
    labels: tuple[str, ...] | None = ()
    """The labels of its connection."""
    inherited: bool = False
    """Whether its connection was there before the flow: what that has counted isn't known."""
    expected: bool | None = False
    """Whether a helper expected its connection."""
    taken_by: str = ""
    """``ADDRESS PORT`` of the socket that a transparent proxy's rule gave it to."""
    established: Established | None = None
    """Of a later packet: the socket of its connection, where that is known."""
    remembered: tuple[str, ...] = ()
    """What rules have put of it into sets and lists, in order."""
    plain: bool = False
    """What isn't known of it is taken to be as for most packets (``match.plain_packet``)."""
    arp_op: Literal["", "request", "reply"] = ""
    """For a packet of ARP rather than IPv4, from ``src`` to ``dst``: which one."""
    arp_macs: tuple[str | None, str | None] = (None, None)
    """The MAC addresses of sender and target that it names, whatever its frame has."""

    def tuple_text(self) -> str:
        """The packet's tuple in words: ``tcp 172.17.0.2:40000 → 198.51.100.1:443``."""
        if self.proto in {"tcp", "udp", "sctp"}:
            sport = "?" if self.sport is None else self.sport
            return f"{self.proto} {self.src}:{sport} → {self.dst}:{self.dport}"
        return f"{self.proto} {self.src} → {self.dst}"


def replace(packet: Packet, **changes: object) -> Packet:
    """The packet with some fields replaced."""
    return msgspec.structs.replace(packet, **changes)


class RuleRef(WalkStruct, frozen=True, kw_only=True):
    """Names one rule, or a chain's policy (``number`` 0), in one namespace."""

    namespace: str
    backend: str
    family: str
    table: str
    chain: str
    number: int
    text: str
    packets: int | None = None
    bytes: int | None = None
    base: str = ""
    """The base chain from which this chain was reached."""
    base_number: int = 0
    """The number of the rule in the base chain that led here (its own number when it stands there)."""
    path: tuple[str, ...] = ()
    """The chains from the base chain to this one, both included."""
    owner: str = ""
    """Whose rule it is, as :class:`~dnet_tui.inspect.model.firewall.Rule` says; of a policy: whose table."""


class Decider(WalkStruct, frozen=True, kw_only=True):
    """The element that decides: a rule, policy, route, sysctl, link, neighbour, socket or gap."""

    kind: Literal["rule", "policy", "route", "sysctl", "link", "neighbour", "socket", "gap", "connection"]
    text: str
    namespace: str = ""
    value: str = ""
    rule: RuleRef | None = None
    instead: tuple[RuleRef, ...] = ()
    """Rules that may decide in its place: undecided ones, or those of a chain that may come first."""
    interface: str = ""
    """The interface that a link as the decider is."""

    @property
    def link(self) -> str:
        """The interface that decides, by itself or by a sysctl of its own; empty where it isn't one interface's."""
        if self.interface or self.kind != "sysctl":
            return self.interface
        found = _INTERFACE_KEY.fullmatch(self.text)
        return found[1].replace("/", ".") if found is not None and found[1] not in {"all", "default"} else ""


class Hop(WalkStruct, frozen=True, kw_only=True):
    """One stage the packet passed (or where it ended)."""

    namespace: str
    interface: str
    stage: str
    packet: Packet
    verdict: str = ""
    rule: RuleRef | None = None
    note: str = ""
    outer: bool = False
    """Whether it is a tunnel's outer packet that passed."""


class Obstacle(WalkStruct, frozen=True, kw_only=True):
    """Why the packet doesn't get past a stage: definite, or ``unknown``."""

    end: End
    stage: str
    by: Decider
    packet: Packet
    outer: bool = False
    """Whether it stops a tunnel's outer packet."""


class Carried(WalkStruct, frozen=True, kw_only=True):
    """A packet inside of another: which tunnel put it there, and what the tunnel's other end must know.

    ``where`` is that end in words, ``address``, ``port``, ``vni`` and ``peer`` (a public key) what it goes by.
    """

    tunnel: LinkRef
    inner: Packet
    where: str
    address: str = ""
    port: int = 0
    vni: int = 0
    peer: str = ""
    made_in: str = ""
    next_hop: str = ""
    """For whom the frame inside is; empty where there is none."""
    mac: str = ""
    tags: tuple[int, ...] = ()
    sender: LinkRef | None = None
    """The link that made the frame."""
    to: LinkRef | None = None
    """The tunnel that it is for, where that is known beforehand: an answer's."""
    answers: LinkRef | None = None
    """For an answer in a frame: the link that made the frame which it answers."""


class Learned(WalkStruct, frozen=True, kw_only=True):
    """What a walk's frames taught those that they met.

    ``stations`` are MAC addresses by bridge, as (namespace, bridge, MAC
    address, port); ``neighbours`` who asked whom, as (namespace, link,
    address, MAC address).  Links are ifindexes.
    """

    stations: tuple[tuple[str, int, str, int], ...] = ()
    neighbours: tuple[tuple[str, int, str, str], ...] = ()
    remotes: tuple[tuple[str, int, str, str], ...] = ()
    """What VXLANs learnt, as (namespace, link, MAC address, the tunnel's other end)."""


class Hedge(WalkStruct, frozen=True, kw_only=True):
    """What a walk took for granted: on what a rule's condition depends, beside this one packet."""

    text: str
    namespace: str = ""
    rule: RuleRef | None = None
    lasts: float | None = None
    """For so many seconds it is certain, as nothing but time changes it; None: nobody can tell."""


def is_unsure(hedges: Iterable[Hedge]) -> bool:
    """Whether one of these may be otherwise now already."""
    return any(hedge.lasts is None for hedge in hedges)


class Walk(WalkStruct, frozen=True, kw_only=True):
    """One packet's way.  ``obstacles`` are in the order met; the first decides the real end.

    When a walk was asked to go on past obstacles, ``end`` is still the real
    one, while the later hops and obstacles say what else stands in the way.
    ``last`` is the packet as it was at the very end of the walk.
    """

    start: Packet
    origin: str = ""
    """The namespace in which the packet was made; empty when it came in by a link."""
    end: End
    decided_by: Decider | None = None
    hops: tuple[Hop, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    last: Packet
    last_namespace: str = ""
    exits: str = ""
    """The host's interface by which the packet left, for ``left``: the tunnel, where one of the host's took it."""
    left_by: LinkRef | None = None
    """The link by which it went out of sight, in whichever namespace."""
    left_note: str = ""
    """What is there, in words: a program, a namespace that can't be read."""
    carried: tuple[Carried, ...] = ()
    """The tunnels that it left in, the innermost first."""
    wire: Packet | None = None
    """The outer packet that left, where it left in a tunnel."""
    sent_by: LinkRef | None = None
    """The link that sent the last frame."""
    came_by: LinkRef | None = None
    """The link by which it came in from out of sight, for one that wasn't made in sight."""
    to_outside: bool = False
    """Whether the walk was to end where the packet leaves the host."""
    tracked: tuple[tuple[str, Packet, Packet], ...] = ()
    """(namespace, packet before NAT, packet after NAT) of each conntrack that saw the flow."""
    answering: tuple[tuple[str, Packet, Packet], ...] = ()
    """The same of tracked connections of which it was an answer."""
    known_in: tuple[str, ...] = ()
    """The namespaces whose conntrack knew the packet for one of a connection that the walk's callers told of."""
    asked: frozenset[str] = frozenset()
    """What rules asked of it that may be otherwise for a later packet of its connection (``TELLING``)."""
    learned: Learned = Learned()
    intended: Truth = None
    """False where who gets an answer isn't who awaits it, or it isn't what is awaited; otherwise nothing is said."""
    hedges: tuple[Hedge, ...] = ()
    """What its way depends on; without any it is certain, as far as the snapshot goes."""
    receiver: int | None = None
    """The user whose socket received it, where that is known."""
    others: tuple[Walk, ...] = ()
    """The other ways it may take, where NAT chooses by lot or can't be decided: all of them end like this one."""

    @property
    def arrives(self) -> Truth:
        """True when it reaches its place (listener or not), False when it certainly doesn't, None when undecided."""
        if self.intended is False:
            return False
        if self.end in {"delivered", "left", "refused"}:
            return True
        return None if self.end == "unknown" else False
