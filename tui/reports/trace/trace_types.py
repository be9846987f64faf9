"""The types of ``trace --format json``; ``docs/trace.schema.json`` is generated from them.  They only grow."""

# No postponed annotations here: ``NotRequired`` is read at run time.

from typing import NotRequired, TypedDict

from dnet_tui.diagnostics.walk.packet import Truth


class TracePacketData(TypedDict):
    """A packet's tuple at one place; a port is null where it can't be said."""

    src: str
    dst: str
    proto: str
    sport: int | None
    dport: int | None


class TraceRuleData(TypedDict):
    """A rule; ``number`` counts from 1 within its chain, 0 is the chain's policy."""

    backend: str
    family: str
    table: str
    chain: str
    number: int
    text: str


class DeciderData(TypedDict):
    """What decides: a rule, a policy, a route, a sysctl, a link, a neighbour, a socket."""

    kind: str
    text: str
    namespace: str
    value: NotRequired[str]
    interface: NotRequired[str]
    rule: NotRequired[TraceRuleData]


class HopData(TypedDict):
    """One stage, with the packet as it came there; ``outer``: it is a tunnel's packet."""

    namespace: str
    interface: str
    stage: str
    packet: TracePacketData
    verdict: str
    rule: TraceRuleData | None
    note: str
    outer: NotRequired[bool]


class TunnelData(TypedDict):
    """A tunnel that a packet left in, and its other end in words."""

    interface: str
    to: str


class LeftData(TypedDict):
    """By what it left what can be seen."""

    interface: str
    to: str
    tunnels: NotRequired[list[TunnelData]]
    outer: NotRequired[TracePacketData]


class LeavingData(TypedDict, total=False):
    """``left`` is there where the packet left what can be seen."""

    left: LeftData


class WayData(LeavingData):
    """A packet's way: the answer's, a later packet's."""

    verdict: str
    decided_by: DeciderData | None
    hops: list[HopData]


class LaterData(WayData):
    """A later packet of the connection."""

    packet: str
    size: int


class BeyondData(TypedDict, total=False):
    """What is there only where there is something to say: later packets, a proxy's connection."""

    later: list[LaterData]
    relay: "RelayData"


class RelayData(WayData, BeyondData):
    """The connection of a proxy that took this one."""

    pid: int
    program: str
    certain: bool
    to: str
    reply: WayData | None


class SizedData(TypedDict, total=False):
    """What is there only for a packet with a size: ``told`` is the ICMP message to its sender."""

    size: int
    df: bool | None
    told: WayData | None


class HedgeData(TypedDict):
    """What was taken for granted, with the rule that asks for it."""

    text: str
    namespace: str
    rule: TraceRuleData | None


class UnknownData(TypedDict):
    """What could not be decided, and at which stage."""

    stage: str
    text: str


class LivePacketData(TypedDict):
    """The real packet as the kernel saw it; a port is 0 where there is none."""

    kind: str
    src: str
    dst: str
    sport: int
    dport: int


class MetData(TypedDict):
    """A rule that the real packet met; ``number`` is null for one that wasn't read."""

    backend: str
    family: str
    table: str
    chain: str
    number: int | None
    text: str
    verdict: str
    to: str


class WalkedData(TypedDict):
    """What the walk says of the same stage."""

    verdict: str
    note: str


class LiveHopData(TypedDict):
    """One hook of one namespace; ``seen`` is false where only the walk has the packet there."""

    namespace: str
    stage: str
    seen: bool
    passed: bool
    packet: LivePacketData | None
    rules: list[MetData]
    walk: list[WalkedData]


class LiveData(TypedDict):
    """What the kernel did with the real packet; ``agrees`` is null where the walk couldn't say."""

    verdict: str
    delivered: bool
    agrees: bool | None
    contradictions: list[str]
    decided_by: str
    answered: str
    hops: list[LiveHopData]
    reply: list[LiveHopData]
    notes: list[str]


_Ends = TypedDict("_Ends", {"from": str, "to": str})


class TraceData(_Ends, LeavingData, BeyondData, SizedData):
    """A packet and its answer, format 1."""

    format: int
    verdict: str
    summary: str
    why: str
    assumed: str
    end: str
    received_by: str
    intended: Truth
    answer: str | None
    decided_by: DeciderData | None
    hops: list[HopData]
    reply: WayData | None
    hedges: list[HedgeData]
    unknowns: list[UnknownData]


class PrintedTraceData(TraceData):
    """What ``trace FROM TO --format json`` prints, format 1: ``live`` is there only with ``--live``."""

    live: NotRequired[LiveData]
