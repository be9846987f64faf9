"""Makes up hosts: random, but of the kind one meets.  Pure: the same seed gives the same host.

Addresses are private ones for the containers and TEST-NET's for what is outside.
"""

from __future__ import annotations

from functools import reduce
from random import Random

import msgspec

from lab.differential.features.registry import chosen, with_feature
from lab.differential.rules import Rulebook
from lab.differential.rules6 import Rulebook6, address6
from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS,
    OUTSIDE_ADDRESS6,
    OUTSIDE_SERVER,
    OUTSIDE_SERVER6,
    UPLINK,
    UPLINK_ADDRESS,
    UPLINK_ADDRESS6,
    Box,
    Bridge,
    HostSpec,
    Leg,
    Probe,
    Proto,
    Step,
)

_BRIDGES = ("docker0", "br-app", "br-db", "podman1")
_TCP = (80, 443, 5432)
_UDP = (53, 123)
PROBES = 24
"""IPv4 packets per host."""

PROBES6 = 12
"""IPv6 packets per host that has it."""

_IPV6 = 0.35
"""The share of hosts that have IPv6."""


def generate(seed: int, only: str = "") -> HostSpec:
    """Return the host of a seed, with its probes.

    ``only``: with this feature and no other one; every second host is plain
    apart from it, so that nothing else stands in the way of its packets.
    """
    spec = _Maker(seed).host()
    if not only:
        return reduce(with_feature, chosen(spec), spec)
    if seed % 2:
        spec = msgspec.structs.replace(spec, steps=(), chains=(), rules=(), natives=())
    return with_feature(msgspec.structs.replace(spec, probes=()), only)


class _Maker:
    """One host in the making."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311 - repeatable, not secret
        self.bridges = tuple(
            Bridge(name=name, address=f"10.{number}.0.1/24")
            for number, name in enumerate(_BRIDGES[: self.random.choice((1, 2, 2, 3, 3, 4))], start=1)
        )
        self.boxes = self._boxes()
        self.random6 = Random(-1 - seed)  # noqa: S311 - a chance of its own, so that IPv4 stays as it is
        self.ipv6 = self.random6.random() < _IPV6
        if self.ipv6:
            self._add_ipv6()

    def _add_ipv6(self) -> None:
        """Give everybody an IPv6 address that resembles the IPv4 one."""

        def like(address: str) -> str:
            _, number, _, last = address.partition("/")[0].split(".")
            return f"fd00:{number}::{last}/64"

        replace = msgspec.structs.replace
        self.bridges = tuple(replace(item, address6=like(item.address)) for item in self.bridges)
        self.boxes = tuple(
            replace(box, legs=tuple(replace(leg, address6=like(leg.address)) for leg in box.legs)) for box in self.boxes
        )

    def host(self) -> HostSpec:
        """Put everything together."""
        rules = Rulebook(self.random, self.bridges, self.boxes)
        rules.write()
        rules6 = Rulebook6(self.random6, self.bridges, self.boxes)
        if self.ipv6:
            rules6.write()
        return HostSpec(
            seed=self.seed,
            bridges=self.bridges,
            boxes=self.boxes,
            tcp=self._some((22, 80, 8080, 9000), 0.5),
            udp=self._some((53, 5353), 0.5),
            steps=(*self._steps(), *rules.steps, *(self._steps6() if self.ipv6 else ())),
            chains=(*rules.chains, *rules6.chains),
            rules=(*rules.rules, *rules6.rules),
            natives=tuple(rules.natives),
            probes=(
                *(self._probe(number, rules) for number in range(1, PROBES + 1)),
                *(self._probe6(PROBES + number, rules6) for number in range(1, PROBES6 + 1) if self.ipv6),
            ),
        )

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _some(self, values: tuple[int, ...], share: float) -> tuple[int, ...]:
        return tuple(value for value in values if self._chance(share))

    def _boxes(self) -> tuple[Box, ...]:
        boxes = []
        taken: dict[str, int] = {}
        for number in range(self.random.randint(2, 8)):
            homes = [self.bridges[number % len(self.bridges)]]
            if self._chance(0.12) and len(self.bridges) > 1:
                homes.append(self.random.choice([item for item in self.bridges if item is not homes[0]]))
            legs = []
            for home in homes:
                taken[home.name] = taken.get(home.name, 1) + 1
                legs.append(Leg(bridge=home.name, address=home.address.replace(".1/", f".{taken[home.name]}/")))
            boxes.append(Box(name=f"c{number}", legs=tuple(legs), tcp=self._some(_TCP, 0.6), udp=self._some(_UDP, 0.6)))
        return tuple(boxes)

    # -- peculiarities ----------------------------------------------------------------------

    def _steps(self) -> list[Step]:
        steps = self._sysctls()
        if self._chance(0.25):
            steps += self._port_flags()
        if self._chance(0.3):
            steps += self._policy_routes()
        if self._chance(0.2):
            steps += self._routes()
        if self._chance(0.08):
            steps.append(self._broken_link())
        return steps

    def _sysctls(self) -> list[Step]:
        values: dict[str, str] = {}
        devices = [bridge.name for bridge in self.bridges] + [UPLINK]
        for device in devices:
            if self._chance(0.07):
                values[f"net.ipv4.conf.{device}.forwarding"] = "0"
            if self._chance(0.25):
                values[f"net.ipv4.conf.{device}.rp_filter"] = self.random.choice(("1", "2"))
            if self._chance(0.12):
                values[f"net.ipv4.conf.{device}.route_localnet"] = "1"
            if self._chance(0.05):
                values[f"net.ipv4.conf.{device}.accept_local"] = "1"
        if self._chance(0.03):
            values["net.ipv4.ip_forward"] = "0"
        if self._chance(0.15):
            values["net.ipv4.conf.all.rp_filter"] = self.random.choice(("1", "2"))
        if self._chance(0.05):
            values["net.ipv4.conf.all.route_localnet"] = "1"
        values["net.bridge.bridge-nf-call-iptables"] = self.random.choice(("0", "1", "1"))
        # The switch for all interfaces comes first, as it sets each of them.
        keys = sorted(values, key=lambda key: key != "net.ipv4.ip_forward")
        return [Step(place=HOST, argv=("sysctl", "-q", "-w", f"{key}={values[key]}")) for key in keys]

    def _ports(self) -> list[str]:
        return [f"v{box.name}{number}" for box in self.boxes for number in range(len(box.legs))]

    def _port_flags(self) -> list[Step]:
        flag = self.random.choice(("isolated", "isolated", "hairpin"))
        chosen = [port for port in self._ports() if self._chance(0.6)]
        steps = [Step(place=HOST, argv=("bridge", "link", "set", "dev", port, flag, "on")) for port in chosen]
        if self._chance(0.3):
            bridge = self.random.choice(self.bridges).name
            steps.append(
                Step(place=HOST, argv=("ip", "link", "set", bridge, "type", "bridge", "nf_call_iptables", "1"))
            )
        return steps

    def _policy_routes(self) -> list[Step]:
        bridge = self.random.choice(self.bridges)
        subnet = bridge.address.replace(".1/", ".0/")
        selector = self.random.choice(
            (
                ("from", subnet),
                ("to", subnet),
                ("fwmark", "0x1"),
                ("fwmark", "0x10/0xf0"),
                ("iif", bridge.name),
                ("not", "from", subnet),
                ("from", subnet, "iif", bridge.name),
                ("to", f"{OUTSIDE_SERVER}/32"),
            )
        )
        route = self.random.choice(
            (
                ("default", "via", OUTSIDE_ADDRESS),
                ("blackhole", "default"),
                ("unreachable", "default"),
                ("prohibit", "10.0.0.0/8"),
                ("throw", "default"),
                ("default", "dev", bridge.name),
                ("10.0.0.0/8", "dev", bridge.name),
            )
        )
        action = self.random.choice(
            (("lookup", "100"),) * 6
            + (("blackhole",), ("prohibit",), ("lookup", "main", "suppress_prefixlength", "0"), ("unreachable",))
        )
        priority = self.random.choice(("100", "5000", "32765", "33000"))
        return [
            Step(place=HOST, argv=("ip", "route", "add", *route, "table", "100")),
            Step(place=HOST, argv=("ip", "rule", "add", *selector, "pref", priority, *action)),
        ]

    def _routes(self) -> list[Step]:
        box = self.random.choice(self.boxes)
        bridge = self.random.choice(self.bridges).name
        address = self.random.choice(box.legs).address.partition("/")[0]
        return [
            self.random.choice(
                (
                    Step(place=HOST, argv=("ip", "route", "add", "blackhole", f"{address}/32")),
                    Step(place=HOST, argv=("ip", "route", "add", "unreachable", f"{OUTSIDE_SERVER}/32")),
                    Step(place=HOST, argv=("ip", "route", "add", f"{address}/32", "dev", UPLINK)),
                    Step(place=HOST, argv=("ip", "route", "add", f"{address}/32", "dev", bridge)),
                    Step(place=HOST, argv=("ip", "route", "del", "default")),
                    Step(place=HOST, argv=("ip", "address", "add", "203.0.113.22/32", "dev", UPLINK)),
                    Step(place=HOST, argv=("ip", "address", "add", "10.77.0.1/24", "dev", bridge)),
                    Step(place=box.name, argv=("ip", "route", "del", "default")),
                    Step(place=box.name, argv=("ip", "route", "add", "prohibit", f"{OUTSIDE_SERVER}/32")),
                    Step(place=OUTSIDE, argv=("ip", "route", "del", "10.1.0.0/24")),
                )
            )
        ]

    def _broken_link(self) -> Step:
        box = self.random.choice(self.boxes)
        return self.random.choice(
            (
                Step(place=HOST, argv=("ip", "link", "set", f"v{box.name}0", "down")),
                Step(place=HOST, argv=("ip", "link", "set", f"v{box.name}0", "nomaster")),
                Step(place=HOST, argv=("ip", "link", "set", self.random.choice(self.bridges).name, "down")),
                Step(place=HOST, argv=("bridge", "link", "set", "dev", f"v{box.name}0", "state", "0")),
                Step(place=box.name, argv=("ip", "link", "set", "eth0", "down")),
                Step(place=self.random.choice((HOST, box.name)), argv=("ip", "neigh", "flush", "all")),
                self._stale_neighbour(box),
            )
        )

    def _stale_neighbour(self, box: Box) -> Step:
        """A neighbour that is remembered at a MAC that nobody has."""
        bridge = next(item for item in self.bridges if item.name == box.legs[0].bridge)
        mac = ("lladdr", "02:00:5e:ff:ff:ff", "nud", "permanent")
        addresses = [item.partition("/")[0] for item in (box.legs[0].address, bridge.address)]
        if self._chance(0.5):
            return Step(place=HOST, argv=("ip", "neigh", "replace", addresses[0], "dev", bridge.name, *mac))
        return Step(place=box.name, argv=("ip", "neigh", "replace", addresses[1], "dev", "eth0", *mac))

    # -- packets ----------------------------------------------------------------------------

    def _probe(self, number: int, rules: Rulebook) -> Probe:
        origin = self.random.choice([box.name for box in self.boxes] * 2 + [HOST] * 2 + [OUTSIDE] * 3)
        proto: Proto = self.random.choice(("tcp", "tcp", "tcp", "udp", "icmp"))
        dst, dport = self._target(origin, proto, rules)
        return Probe(
            number=number,
            origin=origin,
            src=self._source(origin, dst),
            dst=dst,
            proto=proto,
            dport=0 if proto == "icmp" else dport,
        )

    def _target(self, origin: str, proto: Proto, rules: Rulebook) -> tuple[str, int]:
        port = self.random.choice((80, 443, 5432, 81) if proto == "tcp" else (53, 123, 54))
        gateways = [bridge.address.partition("/")[0] for bridge in self.bridges]
        kind = self.random.random()
        if rules.published and kind < 0.3 and proto != "icmp":
            address = self.random.choice([UPLINK_ADDRESS, UPLINK_ADDRESS, *gateways])
            return address, self.random.choice(rules.published)
        if kind < 0.65:
            legs = [leg for box in self.boxes if box.name != origin for leg in box.legs]
            if self._chance(0.4):  # a neighbour, where there is one
                own = {leg.bridge for box in self.boxes if box.name == origin for leg in box.legs}
                legs = [leg for leg in legs if leg.bridge in own] or legs
            return self.random.choice(legs).address.partition("/")[0], port
        if kind < 0.83 and origin != OUTSIDE:
            return self.random.choice((OUTSIDE_SERVER, OUTSIDE_SERVER, OUTSIDE_ADDRESS, "192.0.2.9")), port
        if kind < 0.95:
            return self.random.choice([UPLINK_ADDRESS, *gateways]), self.random.choice((22, 80, 8080, 53, port))
        own_address = next((box.legs[0].address for box in self.boxes if box.name == origin), "127.0.0.1/8")
        strange = ("203.0.113.99", "10.1.0.200", own_address.partition("/")[0], "127.0.0.1")
        return self.random.choice(strange), port

    def _steps6(self) -> list[Step]:
        values = {"net.bridge.bridge-nf-call-ip6tables": self.random6.choice(("0", "1"))}
        if self.random6.random() < 0.08:
            values["net.ipv6.conf.all.forwarding"] = "0"
        steps = [Step(place=HOST, argv=("sysctl", "-q", "-w", f"{key}={value}")) for key, value in values.items()]
        if self.random6.random() < 0.15:
            address = address6(self.random6.choice(self.boxes))
            kind = self.random6.choice(("blackhole", "unreachable", "prohibit"))
            steps.append(Step(place=HOST, argv=("ip", "route", "add", kind, f"{address}/128")))
        return steps

    def _probe6(self, number: int, rules: Rulebook6) -> Probe:
        pick = self.random6.choice
        origin = pick([box.name for box in self.boxes] * 2 + [HOST, OUTSIDE, OUTSIDE])
        proto: Proto = pick(("tcp", "tcp", "udp", "icmp"))
        port = pick((80, 443, 81) if proto == "tcp" else (53, 54))
        gateways = [bridge.address6.partition("/")[0] for bridge in self.bridges]
        targets = [address6(box) for box in self.boxes if box.name != origin] * 2 + [UPLINK_ADDRESS6, pick(gateways)]
        if origin != OUTSIDE:
            targets += [OUTSIDE_SERVER6, OUTSIDE_SERVER6, OUTSIDE_ADDRESS6]
        dst = pick(targets)
        if rules.published and proto == "tcp" and self.random6.random() < 0.3:
            dst, port = UPLINK_ADDRESS6, pick(rules.published)
        return Probe(
            number=number,
            origin=origin,
            src=self._source6(origin, dst),
            dst=dst,
            proto=proto,
            dport=0 if proto == "icmp" else port,
        )

    def _source6(self, origin: str, dst: str) -> str:
        if origin == OUTSIDE:
            return self.random6.choice((OUTSIDE_ADDRESS6, OUTSIDE_SERVER6))
        near = dst.rpartition("::")[0] + "::"
        if origin == HOST:
            own = [item.address6.partition("/")[0] for item in self.bridges if item.address6.startswith(near)]
            return own[0] if own else UPLINK_ADDRESS6
        box = next(item for item in self.boxes if item.name == origin)
        leg = next((leg for leg in box.legs if leg.address6.startswith(near)), box.legs[0])
        return leg.address6.partition("/")[0]

    def _source(self, origin: str, dst: str) -> str:
        if origin == OUTSIDE:
            if self._chance(0.04):
                return self.random.choice((UPLINK_ADDRESS, "10.1.0.2", "127.0.0.1", "192.0.2.7"))
            return self.random.choice((OUTSIDE_ADDRESS, OUTSIDE_SERVER))
        if origin == HOST:
            if dst == "127.0.0.1" or (self._chance(0.1) and dst == UPLINK_ADDRESS):
                return "127.0.0.1"
            prefix = dst.rpartition(".")[0]
            own = next((b.address.partition("/")[0] for b in self.bridges if b.address.startswith(prefix + ".")), "")
            return own if own and self._chance(0.9) else UPLINK_ADDRESS
        if dst.startswith("127."):
            return "127.0.0.1"
        box = next(item for item in self.boxes if item.name == origin)
        if self._chance(0.02):
            return "10.99.0.9"
        prefix = dst.rpartition(".")[0] + "."
        near = next((leg for leg in box.legs if leg.address.startswith(prefix)), box.legs[0])
        return near.address.partition("/")[0]
