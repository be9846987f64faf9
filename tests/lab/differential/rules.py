"""Makes up rules: what engines write, and what administrators add to it.  Pure, driven by the host's own chance.

The words are those of iptables-save.  A share of each kind hits the probes'
own addresses, ports and interfaces, so that packets end in many places.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from lab.differential.natives import NativeMaker
from lab.differential.spec import (
    HOST,
    OUTSIDE_ADDRESS,
    OUTSIDE_SERVER,
    UPLINK,
    UPLINK_ADDRESS,
    Box,
    Bridge,
    Chain,
    NativeTable,
    RuleLine,
    Step,
)

Backend = Literal["nft", "legacy"]
_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_REJECTS = ("icmp-port-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited", "icmp-net-unreachable")
_STATES = ("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "NEW,RELATED", "DNAT", "SNAT")


class Rulebook:
    """The rules of one host.  ``published`` are the ports that some DNAT or REDIRECT takes."""

    def __init__(self, random: Random, bridges: tuple[Bridge, ...], boxes: tuple[Box, ...]) -> None:
        self.random = random
        self.bridges = bridges
        self.boxes = boxes
        self.chains: list[Chain] = []
        self.rules: list[RuleLine] = []
        self.natives: list[NativeTable] = []
        self.steps: list[Step] = []
        self.published: list[int] = []
        self.backend: Backend = "nft"
        self.place = HOST

    def write(self) -> None:
        """Make up everything."""
        if self._chance(0.7):
            self._engine()
        else:
            self._plain_nat()
        for table, share in (("filter", 0.8), ("mangle", 0.35), ("raw", 0.2), ("nat", 0.4)):
            if self._chance(share):
                self._administrator(table)
        if self._chance(0.25):
            self.backend = "legacy"
            self._administrator(self.random.choice(("filter", "filter", "mangle", "nat", "raw")))
            self.backend = "nft"
        for box in self.boxes:
            if self._chance(0.1):
                self.place = box.name
                self._administrator("filter", few=True)
        self.place = HOST
        if self._chance(0.3):
            maker = NativeMaker(self.random, self.bridges, self.boxes)
            self.natives = [maker.table(number) for number in range(self.random.choice((1, 1, 2)))]
            self.published += maker.published

    def _ipset(self) -> str:
        """A match on an ipset, which is made on first use."""
        pick = self.random.choice
        names = {"hosts": "hash:ip", "nets": "hash:net", "pairs": "hash:ip,port", "numbers": "bitmap:port range 0-9999"}
        name = pick(tuple(names))
        if not any(step.argv[:3] == ("ipset", "create", name) for step in self.steps):
            self.steps.append(Step(place=HOST, argv=("ipset", "create", name, *names[name].split())))
            address = pick(pick(self.boxes).legs).address.partition("/")[0]
            elements = {
                "hosts": (address, OUTSIDE_SERVER),
                "nets": (pick(self.bridges).address.replace(".1/", ".0/"), "198.51.100.0/24"),
                "pairs": (f"{address},tcp:80", f"{address},udp:53"),
                "numbers": ("80", "53"),
            }
            self.steps += [Step(place=HOST, argv=("ipset", "add", name, item)) for item in elements[name]]
        dirs = {"pairs": ("dst,dst", "src,src"), "numbers": ("dst", "src")}.get(name, ("src", "dst"))
        proto = "-p tcp -m set" if name in {"pairs", "numbers"} else "-m set"
        return f"{proto} {pick(('', '', '! '))}--match-set {name} {pick(dirs)}"

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _rule(self, table: str, chain: str, text: str, *, random: bool = False) -> None:
        self.rules.append(
            RuleLine(place=self.place, backend=self.backend, table=table, chain=chain, text=text, random=random)
        )

    def _chain(self, table: str, name: str, policy: str = "") -> None:
        self.chains.append(Chain(place=self.place, backend=self.backend, table=table, name=name, policy=policy))

    # -- what engines write -----------------------------------------------------------------

    def _engine(self) -> None:
        """Docker's rules before 28, with what is published; FORWARD's policy is often DROP."""
        self._chain("filter", "FORWARD", self.random.choice(("DROP", "DROP", "ACCEPT")))
        for name in ("DOCKER", "DOCKER-USER", "DOCKER-ISO-1", "DOCKER-ISO-2"):
            self._chain("filter", name)
        self._chain("nat", "DOCKER")
        self._rule("filter", "FORWARD", "-j DOCKER-USER")
        self._rule("filter", "FORWARD", "-j DOCKER-ISO-1")
        for bridge in self.bridges:
            name, subnet = bridge.name, bridge.address.replace(".1/", ".0/")
            accept = "-j ACCEPT" if self._chance(0.85) else "-j DROP"  # icc=false
            self._rule("filter", "FORWARD", f"-o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
            self._rule("filter", "FORWARD", f"-o {name} -j DOCKER")
            self._rule("filter", "FORWARD", f"-i {name} ! -o {name} -j ACCEPT")
            self._rule("filter", "FORWARD", f"-i {name} -o {name} {accept}")
            if self._chance(0.6):
                self._rule("filter", "DOCKER-ISO-1", f"-i {name} ! -o {name} -j DOCKER-ISO-2")
                self._rule("filter", "DOCKER-ISO-2", f"-o {name} -j DROP")
            self._rule("nat", "POSTROUTING", f"-s {subnet} ! -o {name} -j MASQUERADE")
            if self._chance(0.3):
                self._rule("nat", "DOCKER", f"-i {name} -j RETURN")
        self._rule("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER")
        self._rule(
            "nat", "OUTPUT", self.random.choice(("", "! -d 127.0.0.0/8 ")) + "-m addrtype --dst-type LOCAL -j DOCKER"
        )
        if self._chance(0.25):
            self._rule("nat", "POSTROUTING", f"-m addrtype --src-type LOCAL -o {self.bridges[0].name} -j MASQUERADE")
        for number, box in enumerate(self.boxes):
            if self._chance(0.45):
                self._publish(number, box)
        self._rule("filter", "DOCKER-USER", "-j RETURN")

    def _publish(self, number: int, box: Box) -> None:
        proto, inner = self.random.choice((("tcp", 80), ("tcp", 443), ("udp", 53)))
        outer = 8000 + number
        bridge, address = box.legs[0].bridge, box.legs[0].address.partition("/")[0]
        self.published.append(outer)
        where = self.random.choice(("", "", f"-d {UPLINK_ADDRESS}/32 "))
        proxy = self.random.choice((f"! -i {bridge} ", ""))
        head = f"{where}{proxy}-p {proto} -m {proto}"
        self._rule("nat", "DOCKER", f"{head} --dport {outer} -j DNAT --to-destination {address}:{inner}")
        self._rule(
            "filter",
            "DOCKER",
            f"-d {address}/32 ! -i {bridge} -o {bridge} -p {proto} -m {proto} --dport {inner} -j ACCEPT",
        )
        if self._chance(0.5):
            self._rule(
                "nat",
                "POSTROUTING",
                f"-s {address}/32 -d {address}/32 -p {proto} -m {proto} --dport {inner} -j MASQUERADE",
            )
        if self._chance(0.2):  # as Docker 28 guards a published container
            self._rule("raw", "PREROUTING", f"-d {address}/32 ! -i {bridge} -j DROP")

    def _plain_nat(self) -> None:
        """What somebody writes who shares a line: MASQUERADE or SNAT, and a forwarded port."""
        for bridge in self.bridges:
            subnet = bridge.address.replace(".1/", ".0/")
            target = self.random.choice(("MASQUERADE", f"SNAT --to-source {UPLINK_ADDRESS}", "MASQUERADE"))
            if self._chance(0.8):
                self._rule("nat", "POSTROUTING", f"-s {subnet} -o {UPLINK} -j {target}")
        for number, box in enumerate(self.boxes):
            if self._chance(0.3):
                address = box.legs[0].address.partition("/")[0]
                self.published.append(7000 + number)
                place = self.random.choice((f"-i {UPLINK} ", f"-d {UPLINK_ADDRESS}/32 ", ""))
                self._rule(
                    "nat",
                    self.random.choice(("PREROUTING", "PREROUTING", "OUTPUT")),
                    f"{place if place.startswith('-d') else ''}-p tcp -m tcp --dport {7000 + number}"
                    f" -j DNAT --to-destination {address}:{self.random.choice((80, 443))}",
                )
        if self._chance(0.3):
            self.published.append(6000)
            self._rule(
                "nat",
                self.random.choice(("PREROUTING", "OUTPUT")),
                f"-p tcp -m tcp --dport 6000 -j REDIRECT --to-ports {self.random.choice((80, 8080))}",
            )

    # -- what administrators add ------------------------------------------------------------

    def _administrator(self, table: str, *, few: bool = False) -> None:
        """Chains of one's own, with jumps, gotos and returns, reached from the built-in ones."""
        hooks = _HOOKS[table]
        tag = f"{table}{'L' if self.backend == 'legacy' else ''}"
        own = [f"{tag}-{number}" for number in range(self.random.randint(0, 2 if few else 4))]
        for name in own:
            self._chain(table, name)
        if table == "filter" and self._chance(0.25):
            name = self.random.choice(("INPUT", "FORWARD", "OUTPUT") if few else ("INPUT", "FORWARD", "FORWARD"))
            if not any(
                (c.place, c.backend, c.table, c.name) == (self.place, self.backend, table, name) for c in self.chains
            ):
                self._chain(table, name, "DROP")
        for hook in hooks:
            for _ in range(self.random.choice((0, 1, 1, 2, 3))):
                self._one(table, hook, hook, own)
        for number, name in enumerate(own):
            # A user's chain may be reached from any hook, so it takes only what is valid in all of them.
            for _ in range(self.random.randint(1, 4)):
                self._one(table, name, "", own[number + 1 :])

    def _one(self, table: str, chain: str, hook: str, later: list[str]) -> None:
        random = False
        conditions = [self._condition(hook) for _ in range(self.random.choice((0, 1, 1, 1, 2, 2, 3)))]
        port = next((item for item in conditions if item.startswith("-p ")), "")
        conditions = ([port] if port else []) + [item for item in conditions if not item.startswith("-p ")]
        if self._chance(0.01):
            random = True
            conditions.append("-m statistic --mode random --probability 0.50000000000")
        action = self._action(table, hook, later, has_tcp=port.startswith("-p tcp"))
        if not action:
            return
        words = " ".join([*_compatible(conditions), action])
        self._rule(table, chain, words, random=random)

    def _condition(self, hook: str) -> str:
        pick = self.random.choice
        neg = "! " if self._chance(0.2) else ""
        bridge = pick(self.bridges)
        subnet = bridge.address.replace(".1/", ".0/")
        address = pick(pick(self.boxes).legs).address.partition("/")[0]
        devices = [item.name for item in self.bridges] + [UPLINK, UPLINK, "br+", "docker+"]
        if self.place != HOST:
            devices = ["eth0", "eth+", "lo"]
        options = [
            f"{neg}-s {pick((subnet, address + '/32', OUTSIDE_SERVER + '/32', '203.0.113.0/24', '10.0.0.0/8'))}",
            f"{neg}-d {pick((subnet, address, OUTSIDE_SERVER, OUTSIDE_ADDRESS, UPLINK_ADDRESS, '10.0.0.0/8'))}",
            f"-p tcp -m tcp {neg}--dport {pick(('80', '443', '80:443', '5432', '1024:65535'))}",
            "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
            f"-p tcp -m tcp {neg}--tcp-flags {pick(('SYN,ACK SYN,ACK', 'RST RST', 'SYN SYN', 'SYN,RST NONE'))}",
            f"-p udp -m udp --dport {pick(('53', '123', '1:1000'))}",
            f"-p {pick(('tcp', 'udp'))} -m multiport {neg}--{pick(('dports', 'sports', 'ports'))} "
            + pick(("80,443", "53,80,8000:8010", "20001:20012,22", "80")),
            f"-p icmp -m icmp {neg}--icmp-type {pick(('8', '0', '3', '3/3', '8/0'))}",
            f"{neg}-p {pick(('tcp', 'udp', 'icmp'))}",
            f"-m conntrack {neg}--ctstate {pick(_STATES)}",
            f"-m conntrack {neg}--ctstate {pick(_STATES)}",
            f"-m mark {neg}--mark {pick(('0x1', '0x10/0xf0', '0x0', '0x3/0x3'))}",
            f"-m connmark {neg}--mark {pick(('0x1', '0x2/0x2', '0x0'))}",
            f"-m addrtype {neg}--{pick(('dst', 'src'))}-type {pick(('LOCAL', 'UNICAST', 'LOCAL', 'BROADCAST'))}",
            f"-m iprange {neg}--{pick(('src', 'dst'))}-range 10.{pick((1, 2))}.0.2-10.{pick((2, 3))}.0.3",
            f"-m conntrack --ctorigdst {pick((UPLINK_ADDRESS, subnet))}",
            f"-m conntrack --ctdir {pick(('ORIGINAL', 'REPLY'))}",
            '-m comment --comment "a comment, -j DROP"',
            f"-m conntrack {neg}--ctreplsrc {pick((address, OUTSIDE_SERVER))}",
            f"-p tcp -m conntrack --ctorigdstport {pick(('80', '8000:8010'))}",
            f"-m length {neg}--length {pick(('0:27', '20:65535'))}",
        ]
        options += self._at_hook(hook, neg)
        if hook in {"PREROUTING", "INPUT", "FORWARD"}:
            options += [f"{neg}-i {pick(devices)}"] * 3
        if hook in {"FORWARD", "OUTPUT", "POSTROUTING"}:
            options += [f"{neg}-o {pick(devices)}"] * 3
        if hook in {"PREROUTING", "FORWARD", "POSTROUTING", "INPUT"} and self.place == HOST and self._chance(0.3):
            options += [
                f"-m physdev {neg}--physdev-in v{pick(self.boxes).name}0",
                f"-m physdev {neg}--physdev-is-bridged",
            ]
        if not hook:
            options += ["", ""]
        if self.place == HOST and self._chance(0.06):
            return self._ipset()
        return pick(options)

    def _at_hook(self, hook: str, neg: str) -> list[str]:
        """Conditions that only some hooks know."""
        options = []
        if hook in {"PREROUTING", "INPUT"}:
            options.append(f"-m addrtype {neg}--dst-type LOCAL --limit-iface-in")
        if hook == "POSTROUTING":
            options.append(f"-m addrtype {neg}--src-type LOCAL --limit-iface-out")
        if hook in {"PREROUTING", "INPUT", "FORWARD"}:
            options.append(f"-m devgroup {neg}--src-group {self.random.choice(('0x0', '0x7'))}")
            options.append(f"-m mac {neg}--mac-source 02:00:5e:00:00:00")
        return options

    def _action(self, table: str, hook: str, later: list[str], *, has_tcp: bool) -> str:
        pick = self.random.choice
        if later and self._chance(0.4):
            return f"{pick(('-j', '-j', '-g'))} {pick(later)}"
        if table == "filter":
            reject = f"-j REJECT --reject-with {'tcp-reset' if has_tcp and self._chance(0.4) else pick(_REJECTS)}"
            return pick(
                ("-j ACCEPT", "-j ACCEPT", "-j ACCEPT", "-j DROP", reject, "-j RETURN", "-j MARK --set-xmark 0x1/0x1")
            )
        if table == "mangle":
            marks = ("0x1/0xffffffff", "0x10/0xf0", "0x0/0x1", "0x3/0x3")
            return pick(
                (
                    f"-j MARK --set-xmark {pick(marks)}",
                    f"-j MARK --set-xmark {pick(marks)}",
                    f"-j CONNMARK --set-xmark {pick(('0x1/0xffffffff', '0x2/0x2'))}",
                    "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
                    "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
                    "-j ACCEPT",
                    "-j RETURN",
                    "-j DROP" if self._chance(0.3) else "-j ACCEPT",
                )
            )
        if table == "raw":
            return pick(
                (
                    "-j CT --notrack",
                    "-j CT --notrack",
                    "-j ACCEPT",
                    "-j RETURN",
                    "-j DROP" if self._chance(0.3) else "-j RETURN",
                )
            )
        return self._nat_action(hook)

    def _nat_action(self, hook: str) -> str:
        pick = self.random.choice
        box = pick(self.boxes)
        address = box.legs[0].address.partition("/")[0]
        if hook in {"PREROUTING", "OUTPUT"}:
            options = ["-j ACCEPT", "-j RETURN", f"-j DNAT --to-destination {address}", "-j REDIRECT"]
            return pick((*options, "-j NETMAP --to 10.1.0.0/24"))
        if hook == "POSTROUTING":
            options = ["-j ACCEPT", "-j RETURN", "-j MASQUERADE", f"-j SNAT --to-source {UPLINK_ADDRESS}"]
            return pick((*options, "-j MASQUERADE --random", "-j MASQUERADE --random-fully"))
        if hook == "INPUT":
            return pick(("-j ACCEPT", "-j RETURN", f"-j SNAT --to-source {OUTSIDE_SERVER}"))
        return pick(("-j ACCEPT", "-j RETURN"))


def _compatible(conditions: list[str]) -> list[str]:
    """The conditions that can stand in one rule: each option and each match once."""
    taken: dict[str, str] = {}
    for condition in conditions:
        words = condition.removeprefix("! ").split()
        if words:
            taken.setdefault(words[1] if words[0] == "-m" else words[0], condition)
    return list(taken.values())
