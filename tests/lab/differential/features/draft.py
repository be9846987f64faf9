"""A host in the making, to which features add steps, places, rules and packets."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_interface
from random import Random
from typing import Literal, TypeVar

import msgspec

from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_SERVER,
    UPLINK,
    UPLINK_ADDRESS,
    Bound,
    Box,
    Bridge,
    Chain,
    Extra,
    HostSpec,
    NativeTable,
    Probe,
    Proto,
    Proxy,
    RuleLine,
    Step,
    leg_mac,
)

T = TypeVar("T")


class Draft:
    """The host and the chance of one feature."""

    def __init__(self, spec: HostSpec, feature: str) -> None:
        self.random = Random(f"{spec.seed}/{feature}")  # noqa: S311 - repeatable, not secret
        self.spec = spec
        self.feature = feature
        self.mac_bytes = 0

    # -- chance -------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """True in so many cases."""
        return self.random.random() < share

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return self.random.choice(items)

    # -- what is there ------------------------------------------------------------------------

    def bridge(self) -> Bridge:
        """Any bridge."""
        return self.pick(self.spec.bridges)

    def box(self) -> Box:
        """Any container."""
        return self.pick(self.spec.boxes)

    def home(self, box: Box) -> Bridge:
        """The bridge of a container's first interface."""
        return next(item for item in self.spec.bridges if item.name == box.legs[0].bridge)

    def neighbours(self, box: Box) -> list[Box]:
        """The others on its bridge."""
        return [item for item in self.spec.boxes if item is not box and item.legs[0].bridge == box.legs[0].bridge]

    def mac(self, box: Box) -> str:
        """The MAC address of its first interface."""
        return leg_mac(self.spec, box.name, 0)

    def port(self, box: Box) -> str:
        """The host's end of its first interface."""
        return f"v{box.name}0"

    # -- what is added ------------------------------------------------------------------------

    def _add(self, field: str, *items: object) -> None:
        self.spec = msgspec.structs.replace(self.spec, **{field: (*getattr(self.spec, field), *items)})

    def step(self, place: str, words: str) -> None:
        """A command in a place."""
        self._add("steps", Step(place=place, argv=tuple(words.split())))

    def sysctl(self, place: str, key: str, value: object) -> None:
        """A setting of a place."""
        self.step(place, f"sysctl -q -w net.{key}={value}")

    def rule(self, table: str, chain: str, text: str, *, place: str = HOST, first: bool = False) -> None:
        """A rule of iptables."""
        line = RuleLine(place=place, table=table, chain=chain, text=text)
        if first:
            self.spec = msgspec.structs.replace(self.spec, rules=(line, *self.spec.rules))
        else:
            self._add("rules", line)

    def chain(self, table: str, name: str, policy: str = "") -> None:
        """A chain of iptables, or a policy."""
        self._add("chains", Chain(table=table, name=name, policy=policy))

    def native(self, text: str, place: str = HOST) -> None:
        """A table of nftables."""
        self._add("natives", NativeTable(place=place, text=text))

    def place(self, extra: Extra) -> None:
        """One more place."""
        self._add("extras", extra)

    def bound(self, place: str, proto: str, address: str, port: int, *, transparent: bool = False) -> None:
        """A socket on one address."""
        kind: Literal["tcp", "udp"] = "udp" if proto == "udp" else "tcp"
        self._add("bound", Bound(place=place, proto=kind, address=address, port=port, transparent=transparent))

    def proxy(self, address: str, port: int, to: str, to_port: int) -> None:
        """A proxy on the host."""
        self._add("proxies", Proxy(address=address, port=port, to=to, to_port=to_port))

    def listens(self, *tcp: int) -> None:
        """The host listens on these as well."""
        self.spec = msgspec.structs.replace(self.spec, tcp=tuple(dict.fromkeys((*self.spec.tcp, *tcp))))

    def probe(
        self,
        origin: str,
        dst: str,
        proto: Proto = "tcp",
        dport: int = 80,
        *,
        src: str = "",
        connects: bool = False,
    ) -> Probe:
        """A packet of a place; the source is what its route would choose, unless it is given."""
        probe = Probe(
            number=max((item.number for item in self.spec.probes), default=0) + 1,
            origin=origin,
            src=src or self.source(origin, dst),
            dst=dst,
            proto=proto,
            dport=0 if proto == "icmp" else dport,
            connects=connects and proto == "tcp",
        )
        self._add("probes", probe)
        return probe

    def probes(self, origin: str, dst: str, *, src: str = "", real: bool = False) -> None:
        """One of each protocol; ``real``: a connection as well."""
        self.probe(origin, dst, "tcp", 80, src=src)
        self.probe(origin, dst, "udp", 53, src=src)
        self.probe(origin, dst, "icmp", src=src)
        if real:
            self.probe(origin, dst, "tcp", 80, src=src, connects=True)

    def source(self, origin: str, dst: str) -> str:
        """The address by which a place would send."""
        if dst.startswith("127."):
            return "127.0.0.1"
        own = self._own(origin)
        near = [item for item in own if ip_address(dst) in ip_interface(item).network]
        return (near or own)[0].partition("/")[0]

    def _own(self, origin: str) -> list[str]:
        if origin == HOST:
            return [f"{UPLINK_ADDRESS}/24", *(item.address for item in self.spec.bridges)]
        if origin == OUTSIDE:
            return [f"{OUTSIDE_ADDRESS}/24", f"{OUTSIDE_SERVER}/32"]
        box = next((item for item in self.spec.boxes if item.name == origin), None)
        if box is not None:
            return [leg.address for leg in box.legs]
        extra = next(item for item in self.spec.extras if item.name == origin)
        words = [line.split() for line in extra.inner]
        return [line[2] for line in words if line[:2] == ["address", "add"]]


def address(item: Box | Bridge) -> str:
    """The first address of a container, or a bridge's."""
    cidr = item.legs[0].address if isinstance(item, Box) else item.address
    return cidr.partition("/")[0]


def devices(spec: HostSpec) -> list[str]:
    """The host's bridges and its uplink."""
    return [*(bridge.name for bridge in spec.bridges), UPLINK]
