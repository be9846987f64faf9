"""What the differential lab talks about: a host to build, packets to send, and what the kernel did.  Pure data.

A :class:`HostSpec` is everything needed to build one host; it is made of
small parts (steps, rules, probes) that can each be left out, which is what
shrinking a disagreement does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.diagnostics.trace.trace_events import TracePoint

HOST = "host"
OUTSIDE = "outside"
UPLINK = "eth0"
UPLINK_ADDRESS = "203.0.113.2"
OUTSIDE_ADDRESS = "203.0.113.1"
OUTSIDE_SERVER = "198.51.100.10"
UPLINK_ADDRESS6 = "2001:db8:113::2"
OUTSIDE_ADDRESS6 = "2001:db8:113::1"
OUTSIDE_SERVER6 = "2001:db8:198::10"

Proto = Literal["tcp", "udp", "icmp"]


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the lab's values."""


class Bridge(Part, frozen=True, kw_only=True):
    """A bridge on the host; ``address`` is its own, with prefix length."""

    name: str
    address: str
    address6: str = ""


class Leg(Part, frozen=True, kw_only=True):
    """A container's interface on a bridge."""

    bridge: str
    address: str
    address6: str = ""


class Box(Part, frozen=True, kw_only=True):
    """A container: a named namespace.  The first leg carries the default route.  Ports are those that listen."""

    name: str
    legs: tuple[Leg, ...]
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()


class Step(Part, frozen=True, kw_only=True):
    """One command that makes a host peculiar, run in ``place`` once neighbours are known."""

    place: str
    argv: tuple[str, ...]


class Extra(Part, frozen=True, kw_only=True):
    """One more place: a namespace that is made by these lines for ``ip -batch``, on the host and then inside.

    Its ports are those that listen; ``forwards`` whether it routes for others.
    """

    name: str
    links: tuple[str, ...]
    inner: tuple[str, ...] = ()
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    forwards: bool = False


class Bound(Part, frozen=True, kw_only=True):
    """A socket that listens on one address only; ``transparent``: for others' addresses too (IP_TRANSPARENT)."""

    place: str
    proto: Literal["tcp", "udp"]
    address: str
    port: int
    transparent: bool = False


class Proxy(Part, frozen=True, kw_only=True):
    """A process on the host that takes TCP connections and makes one of its own for each, as docker-proxy does."""

    address: str
    port: int
    to: str
    to_port: int


class Chain(Part, frozen=True, kw_only=True):
    """A chain of iptables; ``policy`` is empty for a user's chain."""

    place: str = HOST
    backend: Literal["nft", "legacy"] = "nft"
    family: Literal["ip", "ip6"] = "ip"
    table: str
    name: str
    policy: str = ""


class RuleLine(Part, frozen=True, kw_only=True):
    """One rule, in the words of iptables-save without ``-A CHAIN``.  ``random`` when nobody could foretell it."""

    place: str = HOST
    backend: Literal["nft", "legacy"] = "nft"
    family: Literal["ip", "ip6"] = "ip"
    table: str
    chain: str
    text: str
    random: bool = False


class NativeTable(Part, frozen=True, kw_only=True):
    """A table of native nftables, as ``nft -f`` takes it."""

    place: str = HOST
    text: str
    random: bool = False


class Probe(Part, frozen=True, kw_only=True):
    """One packet: a SYN, a datagram or an echo request.  ``number`` makes it unique on its host, and its source port.

    ``connects``: a real connection is made instead, and whoever takes it says who it is.
    """

    number: int
    origin: str
    src: str
    dst: str
    proto: Proto
    dport: int = 0
    connects: bool = False

    @property
    def sport(self) -> int:
        """Its source port; 0 for ICMP."""
        return 0 if self.proto == "icmp" else 20000 + self.number

    @property
    def family(self) -> Literal["ip", "ip6"]:
        """IPv4 or IPv6."""
        return "ip6" if ":" in self.dst else "ip"


class HostSpec(Part, frozen=True, kw_only=True):
    """A host and the packets to send on it."""

    seed: int = 0
    bridges: tuple[Bridge, ...] = ()
    boxes: tuple[Box, ...] = ()
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()
    chains: tuple[Chain, ...] = ()
    rules: tuple[RuleLine, ...] = ()
    natives: tuple[NativeTable, ...] = ()
    probes: tuple[Probe, ...] = ()
    extras: tuple[Extra, ...] = ()
    bound: tuple[Bound, ...] = ()
    proxies: tuple[Proxy, ...] = ()
    features: tuple[str, ...] = ()
    """What this host was given besides (:mod:`lab.differential.features`)."""
    one_by_one: bool = False
    """Whether each packet is sent by itself, on a snapshot of its own: where packets teach others their way."""
    existing: dict[str, str] = {}
    """For a host that somebody else made: the file of each place's namespace.  Nothing is built then."""

    @property
    def places(self) -> tuple[str, ...]:
        """The host, outside, and every container."""
        if self.existing:
            return tuple(self.existing)
        return (HOST, OUTSIDE, *(box.name for box in self.boxes), *(item.name for item in self.extras))

    @property
    def has_ipv6(self) -> bool:
        """Whether the host has IPv6 besides IPv4."""
        return any(bridge.address6 for bridge in self.bridges) or any(probe.family == "ip6" for probe in self.probes)

    @property
    def has_randomness(self) -> bool:
        """Whether any rule depends on chance."""
        return any(rule.random for rule in self.rules) or any(table.random for table in self.natives)


def leg_mac(spec: HostSpec, box: str, number: int) -> str:
    """The MAC address of a container's interface."""
    at = next(index for index, item in enumerate(spec.boxes) if item.name == box)
    return f"02:00:5e:01:{at:02x}:{number:02x}"


class Outcome(Part, frozen=True, kw_only=True):
    """What the kernel did with one probe, in the order seen per namespace.  ``errno`` when it couldn't be sent.

    ``taken`` is the socket that got a datagram, as ``PLACE ADDRESS PORT``.
    ``answered`` is what became of a real connection: the name that was
    answered with, ``refused``, ``closed`` (without a word), ``unreachable``,
    or empty where nothing came back.
    """

    probe: int
    errno: int = 0
    sights: tuple[TracePoint, ...] = ()
    taken: str = ""
    answered: str = ""


class Observation(Part, frozen=True, kw_only=True):
    """What came back from a host: its namespaces' ids by place, its snapshot as JSON, and an outcome for each probe."""

    namespaces: dict[str, str]
    snapshot: msgspec.Raw
    outcomes: tuple[Outcome, ...]
    moments: dict[int, msgspec.Raw] = {}
    """The snapshots of just before single packets, by the probe's number, where there are such."""
