"""Makes up tables of native nftables: sets, maps, verdict maps, NAT, marks.  Pure, driven by the host's own chance."""

from __future__ import annotations

from random import Random

from lab.differential.spec import (
    OUTSIDE_ADDRESS,
    OUTSIDE_SERVER,
    UPLINK,
    UPLINK_ADDRESS,
    Box,
    Bridge,
    NativeTable,
)

_FILTER_HOOKS = {"prerouting": ("raw", "mangle", "-150", "-50"), "input": ("filter", "-5", "10"),
                 "forward": ("filter", "filter - 5", "10", "-150"), "output": ("filter", "raw", "10"),
                 "postrouting": ("mangle", "0", "150")}  # fmt: skip


class NativeMaker:
    """Writes one table.  ``published`` gets the ports that its DNAT takes."""

    def __init__(self, random: Random, bridges: tuple[Bridge, ...], boxes: tuple[Box, ...]) -> None:
        self.random = random
        self.bridges = bridges
        self.boxes = boxes
        self.published: list[int] = []
        self.has_random = False

    def table(self, number: int) -> NativeTable:
        """A table with sets, some base chains, and chains of its own."""
        family = self.random.choice(("inet", "inet", "ip"))
        lines = [f"table {family} own{number} {{", *self._sets()]
        own = [f"step{index}" for index in range(self.random.randint(0, 3))]
        for index, name in enumerate(own):
            steps = [self._rule("", own[index + 1 :]) for _ in range(self.random.randint(1, 4))]
            lines.insert(1, self._chain(name, "", steps))  # a chain must stand before those that jump to it
        for hook in self.random.sample(sorted(_FILTER_HOOKS), self.random.randint(1, 3)):
            policy = "drop" if hook == "forward" and self._chance(0.15) else "accept"
            head = f"type filter hook {hook} priority {self.random.choice(_FILTER_HOOKS[hook])}; policy {policy};"
            rules = [self._rule(hook, own) for _ in range(self.random.randint(1, 4))]
            lines.append(self._chain(f"base_{hook}", head, rules))
        if self._chance(0.4):
            lines += self._nat()
        if self._chance(0.2):
            marks = [f"meta mark set {self.random.choice(('0x1', '0x10'))}", self._rule("output", [])]
            lines.append(self._chain("reroute", "type route hook output priority -150;", marks))
        # Sets come first: what looks into them must find them.
        opening, body = lines[:1], lines[1:]
        body.sort(key=lambda line: 0 if line.lstrip().startswith(("set", "map")) else 1)
        return NativeTable(text="\n".join([*opening, *body, "}", ""]), random=self.has_random)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _chain(self, name: str, head: str, rules: list[str]) -> str:
        body = "\n".join(f"    {rule}" for rule in rules)
        return f"  chain {name} {{\n    {head}\n{body}\n  }}"

    def _address(self) -> str:
        return self.random.choice(self.random.choice(self.boxes).legs).address.partition("/")[0]

    def _subnet(self) -> str:
        return self.random.choice(self.bridges).address.replace(".1/", ".0/")

    def _sets(self) -> list[str]:
        some = sorted({self._address() for _ in range(3)})
        verdicts = ("accept", "drop", "return", "continue")
        mapped = ", ".join(f"{address} : {self.random.choice(verdicts)}" for address in some)
        nets = sorted({self._subnet(), "198.51.100.0/24"})
        return [
            f"  set hosts {{ type ipv4_addr; elements = {{ {', '.join(some)} }} }}",
            f"  set nets {{ type ipv4_addr; flags interval; elements = {{ {', '.join(nets)} }} }}",
            "  set ports { type inet_service; flags interval; elements = { 80, 443, 8000-8010 } }",
            f"  set pairs {{ type ipv4_addr . inet_service; elements = {{ {some[0]} . 80, {some[-1]} . 53 }} }}",
            f"  map fates {{ type ipv4_addr : verdict; elements = {{ {mapped} }} }}",
        ]

    def _nat(self) -> list[str]:
        pick = self.random.choice
        port = 5000 + self.random.randint(0, 9)
        self.published.append(port)
        dnat = pick(
            (
                f"tcp dport {port} dnat ip to {self._address()}:80",
                f"tcp dport {port} dnat ip to {self._address()}:80",
                f"tcp dport {port} dnat ip to {self._address()}",
                f'iifname "{UPLINK}" tcp dport {port} dnat ip to {self._address()}',
                f"fib daddr type local tcp dport {port} dnat ip to tcp dport map {{ {port} : {self._address()} }}",
                f"tcp dport {port} redirect to :80",
                f"dnat ip addr . port to tcp dport map {{ {port} : {self._address()} . 80, 1 : 10.1.0.2 . 80 }}",
                f"tcp dport {port} dnat ip to ip saddr map {{ {OUTSIDE_SERVER} : {self._address()} }}:80",
                f"tcp dport {port} dnat ip addr . port to numgen random mod 1 map {{ 0 : {self._address()} . 80 }}",
            )
        )
        snat = pick(
            (
                f'oifname "{UPLINK}" masquerade',
                f'ip saddr {self._subnet()} oifname != "{self.random.choice(self.bridges).name}" masquerade',
                f'ip saddr @nets oifname "{UPLINK}" snat ip to {UPLINK_ADDRESS}',
                "ct status dnat masquerade",
            )
        )
        return [
            self._chain("nat_pre", f"type nat hook prerouting priority {pick(('dstnat', '-90', '-110'))};", [dnat]),
            self._chain("nat_post", f"type nat hook postrouting priority {pick(('srcnat', '90'))};", [snat]),
        ]

    def _rule(self, hook: str, later: list[str]) -> str:
        conditions = _compatible([self._condition(hook) for _ in range(self.random.choice((0, 1, 1, 1, 2)))])
        if self._chance(0.01):
            self.has_random = True
            conditions.append("numgen random mod 2 == 0")
        return " ".join([*conditions, self._action(hook, later)])

    def _condition(self, hook: str) -> str:
        pick = self.random.choice
        no = pick(("", "", "", "!= "))
        devices = [bridge.name for bridge in self.bridges] + [UPLINK]
        options = [
            f"ip saddr {no}{pick((self._subnet(), self._address(), '@hosts', '@nets', OUTSIDE_SERVER))}",
            f"ip daddr {no}{pick((self._subnet(), self._address(), '@hosts', '@nets', OUTSIDE_ADDRESS))}",
            f"ip daddr {no}{{ {self._address()}, {OUTSIDE_SERVER}, 10.77.0.0/16 }}",
            f"tcp dport {no}{pick(('80', '@ports', '{ 80, 443 }', '80-443', '{ 22, 8000-8010 }'))}",
            f"udp dport {no}{pick(('53', '{ 53, 123 }', '1-1000'))}",
            "ip daddr . tcp dport @pairs",
            f"meta l4proto {no}{pick(('tcp', 'udp', 'icmp', '{ tcp, udp }'))}",
            f"icmp type {no}{pick(('echo-request', 'echo-reply', 'destination-unreachable'))}",
            f"ct state {no}{pick(('new', 'established', 'established,related', 'invalid', 'untracked'))}",
            f"ct direction {pick(('original', 'reply'))}",
            f"ct status {pick(('dnat', 'snat'))}",
            f"ct mark {no}{pick(('0x1', '0x2', '0x0'))}",
            f"meta mark {no}{pick(('0x1', '0x10', '0x0'))}",
            f"meta mark & 0x3 {pick(('== 0x1', '!= 0x0'))}",
            f"fib {pick(('daddr', 'saddr'))} type {pick(('local', 'unicast', 'local'))}",
            f"tcp flags & (syn | ack) == {pick(('syn', 'syn | ack'))}",
            f"ct original ip daddr {pick((UPLINK_ADDRESS, self._subnet()))}",
            "counter",
            f"ct reply ip {pick(('saddr', 'daddr'))} {pick((self._address(), OUTSIDE_SERVER))}",
            f"meta l4proto tcp ct {pick(('original proto-dst', 'reply proto-src'))} {pick(('80', '443'))}",
            f"th dport {no}{pick(('80', '{ 53, 443 }', '1-1000'))}",
            f"icmp code {no}{pick(('port-unreachable', '0'))}",
            f"meta length {pick(('< 28', '20-65535'))}",
            f"numgen random mod 1 {pick(('0', '!= 0'))}",
            f"meta skuid {no}4242" if hook == "forward" else "counter",
            f"iifgroup {no}{pick(('default', '7'))}" if hook in {"prerouting", "input", "forward"} else "counter",
            f'fib daddr oifname {no}"{pick(devices)}"' if hook in {"prerouting", "input", "forward"} else "counter",
        ]
        if hook in {"prerouting", "input"}:
            options.append(f"fib saddr . iif oif {pick(('missing', 'exists'))}")
            options.append(f"fib daddr . iif type {pick(('local', '!= local'))}")
        if hook in {"prerouting", "input", "forward"}:
            options.append(f'meta iifkind {no}"{pick(("bridge", "veth"))}"')
        if hook in {"prerouting", "input", "forward"}:
            several = "{ " + ", ".join(devices[-2:]) + " }"
            options += [f"iifname {no}{pick((chr(34) + pick(devices) + chr(34), several))}"] * 3
            options.append('iifname "br*"')
        if hook in {"forward", "output", "postrouting"}:
            options += [f'oifname {no}"{pick(devices)}"'] * 3
        return pick(options)

    def _action(self, hook: str, later: list[str]) -> str:
        pick = self.random.choice
        if later and self._chance(0.35):
            return f"{pick(('jump', 'jump', 'goto'))} {pick(later)}"
        if self._chance(0.15):
            return "ip daddr vmap @fates"
        if self._chance(0.1):
            target = f"jump {pick(later)}" if later else "accept"
            return pick((f"ct state vmap {{ established : accept, related : accept, invalid : drop, new : {target} }}",
                         f"meta l4proto vmap {{ tcp : {target}, udp : continue, icmp : return }}"))  # fmt: skip
        reject = pick(("reject", "reject with icmp type admin-prohibited"))
        actions = ["accept", "accept", "accept", "return", "drop", "meta mark set 0x1", "ct mark set 0x2",
                   "meta mark set ct mark", "ct mark set meta mark", "continue", "counter accept"]  # fmt: skip
        if hook in {"input", "forward", "output"}:
            actions.append(reject)
        if hook == "prerouting":
            actions.append("notrack")
        return pick(actions)


def _compatible(conditions: list[str]) -> list[str]:
    """The conditions that can stand together: at most one says which protocol it is."""
    found = [item for item in conditions if not any(word in item for word in ("tcp", "udp", "icmp", "l4proto"))]
    return found + [item for item in conditions if item not in found][:1]
