"""Makes up IPv6 rules, of the same kinds as :mod:`lab.differential.rules`.  Pure, driven by a chance of their own.

IPv6 is an addition to a host: the same seed gives the same IPv4 with and without it.
"""

from __future__ import annotations

from random import Random

from lab.differential.spec import OUTSIDE_SERVER6, UPLINK, UPLINK_ADDRESS6, Box, Bridge, Chain, RuleLine

_HOOKS = {"raw": ("PREROUTING", "OUTPUT"), "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
          "filter": ("INPUT", "FORWARD", "OUTPUT")}  # fmt: skip
_REJECTS = ("icmp6-port-unreachable", "icmp6-adm-prohibited", "icmp6-no-route")


def subnet6(bridge: Bridge) -> str:
    """The IPv6 subnet of a bridge."""
    return bridge.address6.replace("::1/", "::/")


def address6(box: Box) -> str:
    """A container's first IPv6 address."""
    return box.legs[0].address6.partition("/")[0]


class Rulebook6:
    """The IPv6 rules of one host."""

    def __init__(self, random: Random, bridges: tuple[Bridge, ...], boxes: tuple[Box, ...]) -> None:
        self.random = random
        self.bridges = bridges
        self.boxes = boxes
        self.chains: list[Chain] = []
        self.rules: list[RuleLine] = []
        self.published: list[int] = []

    def write(self) -> None:
        """Make up everything.  What neighbours say to each other must pass, or nothing would move."""
        if self._chance(0.7):
            self._engine()
        for table, share in (("filter", 0.7), ("mangle", 0.3), ("raw", 0.2)):
            if self._chance(share):
                self._administrator(table)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _rule(self, table: str, chain: str, text: str) -> None:
        self.rules.append(RuleLine(family="ip6", table=table, chain=chain, text=text))

    def _engine(self) -> None:
        self.chains.append(
            Chain(family="ip6", table="filter", name="FORWARD", policy=self.random.choice(("DROP", "ACCEPT")))
        )
        for bridge in self.bridges:
            name = bridge.name
            self._rule("filter", "FORWARD", f"-o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
            self._rule("filter", "FORWARD", f"-i {name} ! -o {name} -j ACCEPT")
            self._rule("filter", "FORWARD", f"-i {name} -o {name} -j {self.random.choice(('ACCEPT', 'DROP'))}")
            if self._chance(0.6):
                self._rule("nat", "POSTROUTING", f"-s {subnet6(bridge)} ! -o {name} -j MASQUERADE")
        for number, box in enumerate(self.boxes):
            if self._chance(0.35):
                self.published.append(8600 + number)
                where = self.random.choice(("", f"! -i {box.legs[0].bridge} ", f"-d {UPLINK_ADDRESS6}/128 "))
                self._rule(
                    "nat",
                    self.random.choice(("PREROUTING", "PREROUTING", "OUTPUT"))
                    if not where.startswith("!")
                    else "PREROUTING",
                    f"{where}-p tcp -m tcp --dport {8600 + number} -j DNAT --to-destination [{address6(box)}]:80",
                )
                self._rule("filter", "FORWARD", f"-d {address6(box)}/128 -p tcp -m tcp --dport 80 -j ACCEPT")

    def _administrator(self, table: str) -> None:
        own = [f"{table}6-{number}" for number in range(self.random.randint(0, 2))]
        self.chains += [Chain(family="ip6", table=table, name=name) for name in own]
        for hook in _HOOKS[table]:
            for _ in range(self.random.choice((0, 1, 1, 2))):
                self._one(table, hook, hook, own)
        for number, name in enumerate(own):
            for _ in range(self.random.randint(1, 3)):
                self._one(table, name, "", own[number + 1 :])

    def _one(self, table: str, chain: str, hook: str, later: list[str]) -> None:
        # Neighbour discovery is ICMPv6: a rule that stops packets names another protocol, or a type.
        condition = self._condition()
        device = self._device(hook)
        action = self._action(table, later)
        self._rule(table, chain, " ".join(word for word in (condition, device, action) if word))

    def _condition(self) -> str:
        pick = self.random.choice
        neg = "! " if self._chance(0.15) else ""
        box, bridge = pick(self.boxes), pick(self.bridges)
        address = f"{pick(('-s', '-d'))} {pick((address6(box) + '/128', subnet6(bridge), OUTSIDE_SERVER6 + '/128'))}"
        return pick(
            (
                f"-p tcp -m tcp {neg}--dport {pick(('80', '443', '80:443'))}",
                f"-p tcp {address}",
                f"-p udp {neg}{address}",
                f"-p udp -m multiport --dports {pick(('53,123', '53'))}",
                f"-p ipv6-icmp -m icmp6 --icmpv6-type {pick(('echo-request', 'echo-reply', '1/4', '1'))}",
                f"-p tcp -m conntrack {neg}--ctstate {pick(('NEW', 'ESTABLISHED', 'DNAT', 'INVALID'))}",
                f"-p tcp -m mark {neg}--mark {pick(('0x1', '0x0'))}",
                f"-p tcp -m addrtype {neg}--{pick(('dst', 'src'))}-type {pick(('LOCAL', 'UNICAST'))}",
                "-p tcp -m tcp --tcp-flags SYN,ACK SYN,ACK",
            )
        )

    def _device(self, hook: str) -> str:
        name = self.random.choice([*(bridge.name for bridge in self.bridges), UPLINK])
        if hook in {"PREROUTING", "INPUT", "FORWARD"} and self._chance(0.4):
            return f"-i {name}"
        if hook in {"FORWARD", "OUTPUT", "POSTROUTING"} and self._chance(0.4):
            return f"! -o {name}"
        return ""

    def _action(self, table: str, later: list[str]) -> str:
        pick = self.random.choice
        if later and self._chance(0.4):
            return f"{pick(('-j', '-g'))} {pick(later)}"
        if table == "filter":
            return pick(("-j ACCEPT", "-j ACCEPT", "-j RETURN", "-j DROP", f"-j REJECT --reject-with {pick(_REJECTS)}"))
        if table == "mangle":
            return pick(("-j MARK --set-xmark 0x1/0xffffffff", "-j ACCEPT", "-j RETURN"))
        return pick(("-j CT --notrack", "-j ACCEPT", "-j RETURN"))
